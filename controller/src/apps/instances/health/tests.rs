//! Health as agents report it and people see it, and the logs and samples beside it.

use super::model::{Uptime, UptimeDay, deductions, score};
use crate::apps::instances::tests::Shop;
use crate::testing::agent;
use axum::extract::RawQuery;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::health::{
    CheckName, CheckState, Crashes, HealthCheck, InstanceHealthReport, InstanceSample,
};
use ocore_shared::protocol::logs::{LogPage, LogsCleared};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn report(shop: &Shop, http: CheckState, crashes: Crashes) -> InstanceHealthReport {
    let check = |name, state| HealthCheck {
        name,
        state,
        reason: (state == CheckState::Failing).then(|| "Odoo does not answer.".into()),
        since: shop.test.app.clock.now(),
    };
    let checks = vec![
        check(CheckName::Container, CheckState::Ok),
        check(CheckName::Http, http),
        check(CheckName::Database, CheckState::Ok),
        check(CheckName::Realtime, CheckState::NotApplicable),
    ];
    InstanceHealthReport { instance_id: shop.id, checks, crashes }
}

async fn health(shop: &Shop) -> Value {
    shop.ada.get(&format!("/api/instances/{}/health", shop.id)).await.is(StatusCode::OK).body
}

#[test]
fn points_have_reasons() {
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let check = |name, state| HealthCheck { name, state, reason: Some("Why.".into()), since: now };
    let crashes = Crashes { last_at: Some(now - TimeDelta::hours(2)), out_of_memory: true, ..Crashes::default() };
    let checks = vec![check(CheckName::Http, CheckState::Ok), check(CheckName::Realtime, CheckState::Failing)];
    let report = InstanceHealthReport { instance_id: InstanceId::new(), checks, crashes };
    let sample: InstanceSample = serde_json::from_value(json!({
        "instance_id": report.instance_id, "at": now, "memory_used_bytes": 96, "memory_limit_bytes": 100,
    }))
    .unwrap();
    let found = deductions(&report, Some(98.5), Some(&sample), now);
    assert_eq!(found.iter().map(|d| d.points).collect::<Vec<_>>(), [15, 10, 10, 2]);
    assert!(found[1].reason.contains("memory"), "{found:?}");
    assert_eq!(score(&found), (63, "C"));
    assert_eq!(score(&[]), (100, "A"));
    let day = |healthy, unhealthy| UptimeDay::new(NaiveDate::MIN, healthy, unhealthy);
    assert_eq!(Uptime::of(vec![day(0, 0), day(86_399, 1)]).percent, Some(99.998));
    assert_eq!(day(0, 0).percent, None);
}

#[tokio::test]
async fn changes_of_health_are_told_once_and_counted() {
    let shop = Shop::running().await;
    let before = health(&shop).await;
    assert_eq!((&before["state"], &before["score"]), (&json!("unknown"), &Value::Null));

    let well = report(&shop, CheckState::Ok, Crashes::default());
    shop.says([AgentEvent::InstanceHealth(well.clone())]).await;
    let now = health(&shop).await;
    assert_eq!((&now["state"], &now["score"], &now["grade"]), (&json!("healthy"), &json!(100), &json!("A")));
    assert_eq!(now["checks"].as_array().unwrap().len(), 4);
    assert_eq!(now["uptime"]["days"].as_array().unwrap().len(), 30);
    assert_eq!(shop.told("instance.healthy").await, 0, "it was never unhealthy");

    // Half of the time since then.
    let ago = "update instance_health_spans set began_at = began_at - interval '1 second' * $1";
    sqlx::query(ago).bind(60.0).execute(shop.test.app.db.system()).await.unwrap();
    let ill = report(&shop, CheckState::Failing, Crashes::default());
    shop.says([AgentEvent::InstanceHealth(ill.clone()), AgentEvent::InstanceHealth(ill)]).await;
    sqlx::query(
        "update instance_health_spans set began_at = began_at - interval '60 seconds',
             ended_at = ended_at - interval '60 seconds'",
    )
    .execute(shop.test.app.db.system())
    .await
    .unwrap();
    let now = health(&shop).await;
    assert_eq!((&now["state"], &now["score"]), (&json!("unhealthy"), &json!(20)), "{now}");
    assert_eq!(now["deductions"][0], json!({"points": 60, "reason": "Odoo does not answer."}));
    let percent = now["uptime"]["percent"].as_f64().unwrap();
    assert!((45.0..55.0).contains(&percent), "{now}");
    assert_eq!(shop.told("instance.unhealthy").await, 1);

    let looping = Crashes { recent: 3, total: 3, is_looping: true, exit_code: Some(1), ..Crashes::default() };
    shop.says([AgentEvent::InstanceHealth(report(&shop, CheckState::Failing, looping))]).await;
    assert_eq!(
        (health(&shop).await["state"].clone(), shop.told("instance.crash_looping").await),
        (json!("crash_looping"), 1)
    );
    shop.says([AgentEvent::InstanceHealths(vec![well.clone()])]).await;
    assert_eq!((shop.told("instance.healthy").await, health(&shop).await["state"].clone()), (1, json!("healthy")));

    // Of a server that is away nothing is known.
    sqlx::query("update servers set status = 'offline'").execute(shop.test.app.db.fleet()).await.unwrap();
    let now = health(&shop).await;
    assert_eq!(
        (&now["state"], &now["score"], &now["checks"][0]["state"]),
        (&json!("unknown"), &Value::Null, &json!("unknown"))
    );
}

#[tokio::test]
async fn samples_are_averaged_and_unknown_is_null() {
    let shop = Shop::running().await;
    let app = &shop.test.app;
    let sample = |seconds, cpu: f64| -> InstanceSample {
        let at = app.clock.now() - TimeDelta::seconds(seconds);
        serde_json::from_value(json!({"instance_id": shop.id, "at": at, "cpu_percent": cpu, "database_bytes": 7}))
            .unwrap()
    };
    shop.says([AgentEvent::InstanceMetrics(vec![sample(3, 20.0), sample(2, 40.0)])]).await;
    crate::fleet::metrics::service::flush(app).await;
    crate::fleet::metrics::service::maintain(app).await.unwrap();
    let path = |query: &str| format!("/api/instances/{}/metrics?{query}", shop.id);
    let series = shop.ada.get(&path("period=1h&step=3600")).await.is(StatusCode::OK).body;
    let data = series["data"].as_array().unwrap();
    let cpu: f64 = data.iter().map(|point| point["cpu_percent"].as_f64().unwrap()).sum::<f64>() / data.len() as f64;
    assert_eq!(cpu, 30.0, "{series}");
    assert_eq!((&data[0]["database_bytes"], &data[0]["memory_used_bytes"]), (&json!(7), &Value::Null));
    shop.ada.get(&path("period=1y")).await.is(StatusCode::BAD_REQUEST);
    let v1 = shop.ada.get(&format!("/v1/instances/{}/metrics/history?period=1h", shop.id)).await.is(StatusCode::OK);
    assert!(v1.body["data"].as_array().is_some());
}

#[tokio::test]
async fn the_agent_filters_and_clears_logs() {
    let shop = Shop::running().await;
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = |asked: &Arc<Mutex<Vec<String>>>| {
        let asked = asked.clone();
        move |RawQuery(query): RawQuery| {
            asked.lock().unwrap().push(query.unwrap_or_default());
        }
    };
    let (paged, loaded, cleared) = (note(&asked), note(&asked), note(&asked));
    let page = LogPage { lines: vec![], previous_cursor: None, has_more: false };
    let path = format!("/instances/{}/logs", shop.id);
    let clear = async move |query: RawQuery| {
        cleared(query);
        Json(LogsCleared { cleared_at: DateTime::UNIX_EPOCH, freed_bytes: 42 })
    };
    let history = async move |query: RawQuery| {
        paged(query);
        Json(page)
    };
    let download = async move |query: RawQuery| {
        loaded(query);
        "one\ntwo\n"
    };
    let routes = Router::new()
        .route(&path, axum::routing::delete(clear))
        .route(&format!("{path}/history"), get(history))
        .route(&format!("{path}/download"), get(download));
    agent(&shop.test.app, shop.organization, shop.server, 2, routes).await;

    let api = format!("/api{path}");
    let filter = "q=a%20b&level=error&logger=odoo.http&from=2026-11-22T01:00:00Z";
    shop.ada.get(&format!("{api}/history?limit=5&{filter}")).await.is(StatusCode::OK);
    let wanted = "limit=5&q=a+b&level=error&logger=odoo.http&from=2026-11-22T01%3A00%3A00.000000000Z";
    assert_eq!(asked.lock().unwrap().pop().unwrap(), wanted);
    for (query, field) in [("level=LOUD", "level"), ("before=nonsense", "before")] {
        let answer = shop.ada.get(&format!("{api}/history?{query}")).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field);
    }

    let answer = shop.ada.get(&format!("{api}/download?format=gzip&level=error")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/gzip");
    assert!(answer.headers["content-disposition"].to_str().unwrap().ends_with(".log.gz\""));
    assert_eq!(asked.lock().unwrap().pop().unwrap(), "format=gzip&level=error");

    let entries = async || -> i64 {
        let count = "select count(*) from audit_log where action = 'instance_log.cleared'";
        sqlx::query_scalar(count).fetch_one(shop.test.app.db.system()).await.unwrap()
    };
    shop.ada.send(Method::DELETE, &format!("{api}?dry_run=true"), None).await.is(StatusCode::OK);
    assert_eq!(asked.lock().unwrap().pop().unwrap(), "dry_run=true");
    assert_eq!(entries().await, 0);
    let answer = shop.ada.send(Method::DELETE, &format!("/v1{path}/clear"), None).await.is(StatusCode::OK);
    assert_eq!((&answer.body["freed_bytes"], entries().await), (&json!(42), 1));
}
