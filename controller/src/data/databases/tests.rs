//! What is asked of an agent about databases, and what its answers make of the instance.

use crate::apps::instances::tests::Shop;
use crate::identity::authentication::tests::Answer;
use crate::testing::agent;
use axum::extract::RawQuery;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use ocore_shared::ids::JobId;
use ocore_shared::protocol::databases::{DatabaseEntry, DatabaseList, SettingList, SettingNow, TableInfo, TableList};
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::jobs::{JobSnapshot, JobStatus};
use serde_json::{Value, json};

fn now(name: &str, value: &str, default: &str) -> SettingNow {
    let (name, value, default) = (name.into(), value.into(), default.into());
    SettingNow { name, value, source: "configuration file".into(), pending_restart: false, default }
}

fn table(number: u32) -> TableInfo {
    serde_json::from_value(json!({
        "schema": "public", "name": format!("t{number}"), "total_bytes": 1, "index_bytes": 0, "live_rows": 0, "dead_rows": 0,
        "sequential_scans": 0, "index_scans": 0,
    }))
    .unwrap()
}

fn database(name: &str, is_own: bool) -> DatabaseEntry {
    let (name, owner) = (name.to_owned(), "shop".to_owned());
    DatabaseEntry { name, owner, size_bytes: 50 << 20, connections: 2, is_own, is_reserved: false }
}

impl Shop {
    fn database(&self, rest: &str) -> String {
        format!("/api/instances/{}/database{rest}", self.id)
    }

    /// An agent that shows what it has, and takes no job.
    async fn with_agent(self) -> Self {
        let base = format!("/instances/{}/database", self.id);
        let settings = SettingList {
            version: "13.21".into(),
            settings: vec![
                now("jit", "off", "on"),
                now("shared_buffers", "256MB", "128MB"),
                now("work_mem", "4MB", "4MB"),
            ],
        };
        let databases = DatabaseList { databases: vec![database("second", false), database("shop", true)] };
        // Three tables, in the order that the question asks for.
        let tables = |RawQuery(query): RawQuery| async move {
            let query = query.unwrap();
            let number = |name: &str| -> u32 {
                query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse().ok()).unwrap()
            };
            assert!(query.contains("sort=dead_rows") && query.contains("q=a%26b"), "{query}");
            Json(TableList { tables: (number("offset")..3).take(number("limit") as usize).map(table).collect() })
        };
        let routes = Router::new()
            .route(&format!("{base}/settings"), get(|| async { Json(settings) }))
            .route(&format!("{base}/databases"), get(|| async { Json(databases) }))
            .route(&format!("{base}/tables"), get(tables))
            .fallback(|| async { StatusCode::SERVICE_UNAVAILABLE });
        agent(&self.test.app, self.organization, self.server, 2, routes).await;
        self
    }

    async fn put_settings(&self, body: Value) -> Answer {
        self.ada.send(Method::PUT, &self.database("/config"), Some(json!({ "settings": body }))).await
    }

    /// The job that was asked for has ended so.
    async fn ended(&self, asked: &Answer, status: JobStatus, result: Value) {
        let job: JobId = asked.text("job_id").parse().unwrap();
        self.says([AgentEvent::Job(JobSnapshot { result: Some(result), ..self.snapshot(job, status) })]).await;
        assert_eq!(self.state().await.0, "running");
    }

    /// Which secret is the password of the role, and how many of them there are.
    async fn passwords(&self) -> (String, i64) {
        let system = self.test.app.db.system();
        let id = "select secret_ids ->> 'database_password' from instances";
        let count = "select count(*) from secrets where purpose = 'database_password'";
        let id = sqlx::query_scalar(id).fetch_one(system).await.unwrap();
        (id, sqlx::query_scalar(count).fetch_one(system).await.unwrap())
    }
}

#[tokio::test]
async fn settings_are_shown_with_advice_foreseen_and_set() {
    let shop = Shop::running().await.with_agent().await;
    let config = shop.ada.get(&shop.database("/config")).await.is(StatusCode::OK).body;
    let of = |config: &Value, name: &str| {
        config["available"].as_array().unwrap().iter().find(|s| s["name"] == name).cloned().unwrap()
    };
    assert_eq!((&config["settings"], &config["postgres_version"]), (&json!({}), &json!("13.21")));
    let buffers = of(&config, "shared_buffers");
    assert_eq!((&buffers["source"], &buffers["applies"]), (&json!("ocore"), &json!("restart")));
    assert!(buffers["reason"].as_str().unwrap().starts_with("A quarter of"), "{buffers}");
    for (body, field) in [
        (json!({"fsync": false}), "settings.fsync"),
        (json!({"work_mem": 64}), "settings.work_mem"),
        (json!({"work_mem": ["1MB"]}), "settings.work_mem"),
        (json!({"shared_buffers": "900GB"}), "settings.shared_buffers"),
        (json!({"max_connections": 21}), "settings.max_connections"),
    ] {
        let answer = shop.put_settings(body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{}", answer.body);
    }
    let mut whole = config.clone();
    whole["settings"] = json!({"jit": null});
    let path = shop.database("/config?dry_run=true");
    shop.ada.send(Method::PUT, &path, Some(whole)).await.is(StatusCode::OK);
    let wanted = json!({"work_mem": "16MB", "jit": true});
    let body = json!({ "settings": wanted });
    let seen = shop.ada.send(Method::PUT, &path, Some(body)).await.is(StatusCode::OK).body;
    assert_eq!((&of(&seen, "work_mem")["value"], &of(&seen, "jit")["source"]), (&json!("16MB"), &json!("set")));
    assert_eq!(shop.ada.get(&shop.database("/config")).await.body, config, "only looked at");

    let asked = shop.put_settings(wanted).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.get().await["status"], "updating");
    let set = json!({"settings": {"work_mem": "16MB", "jit": "on"}, "changed": ["jit", "work_mem"], "restarted": false,
        "down_milliseconds": 0});
    shop.ended(&asked, JobStatus::Succeeded, set).await;
    let after = shop.ada.get(&shop.database("/config")).await.is(StatusCode::OK).body;
    assert_eq!(after["settings"], json!({"jit": "on", "work_mem": "16MB"}));
    assert_eq!((shop.told("database.tuned").await, shop.errors().await), (1, 0));
    // What was refused is not wished any more.
    let asked = shop.put_settings(json!({"huge_pages": "on"})).await.is(StatusCode::ACCEPTED);
    shop.ended(&asked, JobStatus::Failed, Value::Null).await;
    assert_eq!(shop.ada.get(&shop.database("/config")).await.body["settings"], after["settings"]);

    let tuning =
        shop.ada.post(&shop.database("/tune"), json!({"memory_mb": 65536, "cpus": 8})).await.is(StatusCode::OK);
    let advice = tuning.body["recommendations"].as_array().unwrap();
    let buffers = advice.iter().find(|a| a["name"] == "shared_buffers").unwrap();
    assert_eq!((&buffers["value"], &buffers["differs"]), (&json!("16GB"), &json!(true)));
}

#[tokio::test]
async fn tables_and_databases_are_paged() {
    let shop = Shop::running().await.with_agent().await;
    let path = shop.database("/tables?sort=dead_rows&q=a%26b&limit=2");
    let first = shop.ada.get(&path).await.is(StatusCode::OK).body;
    let names = |page: &Value| page["data"].as_array().unwrap().iter().map(|t| t["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), ["t0", "t1"]);
    let next = format!("{path}&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = shop.ada.get(&next).await.is(StatusCode::OK).body;
    assert_eq!((names(&second), &second["has_more"]), (vec![json!("t2")], &json!(false)));
    let list = shop.ada.get(&shop.database("/databases?limit=1")).await.is(StatusCode::OK).body;
    let path = shop.database(&format!("/databases?cursor={}", list["next_cursor"].as_str().unwrap()));
    assert_eq!((names(&list), names(&shop.ada.get(&path).await.body)), (vec![json!("second")], vec![json!("shop")]));
    let stopped = Shop::stopped().await;
    let config = stopped.ada.get(&stopped.database("/config")).await.is(StatusCode::OK).body;
    assert!(config["problem"].as_str().unwrap().contains("is stopped"), "{}", config["problem"]);
    assert!(config["available"][0]["value"].is_null());
    let refused = stopped.ada.get(&stopped.database("")).await.is(StatusCode::CONFLICT);
    assert_eq!(refused.body["error"]["code"], "instance_stopped");
}

#[tokio::test]
async fn another_password_takes_the_place_of_the_one_before_when_it_works() {
    let shop = Shop::running().await;
    let (first, count) = shop.passwords().await;
    let path = shop.database("/password");
    let asked = shop.ada.post(&path, json!({})).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.passwords().await, (first.clone(), count + 1));
    shop.ended(&asked, JobStatus::Failed, Value::Null).await;
    assert_eq!(shop.passwords().await, (first.clone(), count));
    let asked = shop.ada.post(&path, json!({})).await.is(StatusCode::ACCEPTED);
    shop.ended(&asked, JobStatus::Succeeded, json!({"down_milliseconds": 900})).await;
    let (second, now) = shop.passwords().await;
    assert!(second != first && now == count, "{first} {second} {now}");
    assert_eq!(shop.told("database.password_rotated").await, 1);
    // One that never began is forgotten, too.
    let restart = shop.control("restart").await;
    let waiting = shop.ada.post(&format!("{path}?queue=true"), json!({})).await.is(StatusCode::ACCEPTED);
    shop.cancelled(waiting.text("job_id").parse().unwrap()).await;
    assert_eq!(shop.passwords().await, (second, count));
    shop.cancelled(restart).await;
}

#[tokio::test]
async fn other_databases_come_and_go_but_never_the_one_that_serves() {
    let shop = Shop::running().await.with_agent().await;
    let list = shop.database("/databases");
    for (body, status, word) in [
        (json!({"name": "a b"}), StatusCode::BAD_REQUEST, "name"),
        (json!({"name": "ocore_x"}), StatusCode::BAD_REQUEST, "name"),
        (json!({"name": "shop"}), StatusCode::CONFLICT, "name_taken"),
    ] {
        let answer = shop.ada.post(&list, body).await.is(status);
        assert!(answer.body.to_string().contains(&format!("\"{word}\"")), "{}", answer.body);
    }
    for (body, event) in [
        (json!({"name": "third"}), "database.created"),
        (json!({"name": "third", "from": "shop"}), "database.duplicated"),
    ] {
        let asked = shop.ada.post(&list, body).await.is(StatusCode::ACCEPTED);
        assert_eq!(asked.text("status"), "running");
        shop.ended(&asked, JobStatus::Succeeded, json!({"name": "third", "size_bytes": 1})).await;
        assert_eq!(shop.told(event).await, 1);
    }
    for name in ["shop", "postgres"] {
        let path = format!("{list}/{name}");
        let renamed = shop.ada.send(Method::PATCH, &path, Some(json!({"name": "fourth"}))).await.status;
        let dropped = shop.ada.delete(&format!("{path}?confirm={name}")).await.status;
        let expected = if name == "shop" { StatusCode::CONFLICT } else { StatusCode::NOT_FOUND };
        assert_eq!((renamed, dropped), (expected, expected), "{name}");
    }
    let refused =
        shop.ada.delete(&format!("{list}/second")).await.is(StatusCode::UNPROCESSABLE_ENTITY).body.to_string();
    assert!(refused.contains("second (50 MB, 2 connections) would be lost for good"), "{refused}");
    let asked = shop.ada.delete(&format!("{list}/second?confirm=second")).await.is(StatusCode::ACCEPTED);
    shop.ended(&asked, JobStatus::Succeeded, json!({"name": "second", "size_bytes": 1})).await;
    assert_eq!(shop.told("database.dropped").await, 1);
}
