//! What is asked of an agent about modules, and what its answers make of the instance.

use crate::apps::instances::tests::Shop;
use crate::testing::agent;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use ocore_shared::ids::JobId;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::jobs::{JobSnapshot, JobStatus};
use ocore_shared::protocol::modules::{ModuleInfo, ModuleList};
use serde_json::{Value, json};

fn module(name: &str, state: &str, needs_update: bool) -> ModuleInfo {
    ModuleInfo { name: name.into(), state: state.into(), on_disk: true, needs_update, ..ModuleInfo::default() }
}

#[tokio::test]
async fn modules_are_listed_by_name_filtered_and_paged() {
    let shop = Shop::running().await;
    let modules = vec![
        module("base", "installed", false),
        module("crm", "uninstalled", false),
        module("sale", "installed", true),
        ModuleInfo { title: Some("Point of Sale".into()), ..module("web_pos", "uninstalled", false) },
    ];
    let path = format!("/instances/{}/modules", shop.id);
    let busy = || async { StatusCode::SERVICE_UNAVAILABLE };
    let routes = Router::new().route(&path, get(|| async { Json(ModuleList { modules }) })).fallback(busy);
    agent(&shop.test.app, shop.organization, shop.server, 2, routes).await;
    let list = async |query: &str| {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/instances/{}/modules?limit=2&{query}{cursor}", shop.id);
            let page = shop.ada.get(&path).await.is(StatusCode::OK).body;
            names.extend(page["data"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return names,
            }
        }
    };
    assert_eq!(list("").await, ["base", "crm", "sale", "web_pos"]);
    assert_eq!(list("state=installed").await, ["base", "sale"]);
    assert_eq!(list("needs_update=true").await, ["sale"]);
    assert_eq!(list("q=SALE").await, ["sale", "web_pos"]);
    assert_eq!(list("name=crm").await, ["crm"]);
}

#[tokio::test]
async fn a_change_of_modules_leaves_the_instance_as_its_container_is() {
    let shop = Shop::running().await;
    let path = format!("/api/instances/{}/modules", shop.id);
    for (body, field) in [
        (json!({}), "install"),
        (json!({"install": ["a;b"]}), "install[0]"),
        (json!({"install": ["sale"], "uninstall": ["sale"]}), "uninstall"),
    ] {
        let answer = shop.ada.post(&path, body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field);
    }
    let asked = shop.ada.post(&path, json!({"install": ["sale"]})).await.is(StatusCode::ACCEPTED);
    let job: JobId = asked.text("job_id").parse().unwrap();
    assert_eq!(shop.get().await["status"], "updating");
    let result = json!({"installed": ["sale"], "updated": [], "uninstalled": [], "down_milliseconds": 7000});
    let done = JobSnapshot { result: Some(result), ..shop.snapshot(job, JobStatus::Succeeded) };
    shop.says([AgentEvent::Job(done)]).await;
    let running = ("running".into(), "healthy".into(), "running".into(), Value::Null);
    assert_eq!((shop.state().await, shop.told("instance.modules_changed").await), (running, 1));

    let asked = shop.ada.post(&path, json!({"update_changed": true})).await.is(StatusCode::ACCEPTED);
    shop.says([shop.failed(asked.text("job_id").parse().unwrap(), "The module x cannot be loaded.")]).await;
    let (status, health, _, _) = shop.state().await;
    assert_eq!((status.as_str(), health.as_str(), shop.errors().await), ("running", "healthy", 0));
}

#[tokio::test]
async fn a_password_of_odoo_is_forgotten_when_it_is_set() {
    let shop = Shop::running().await;
    let path = format!("/api/instances/{}/admin-password", shop.id);
    let short = shop.ada.post(&path, json!({"password": "short"})).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(short.body["error"]["details"]["field"], "password");
    let kept = async || -> i64 {
        let count = "select count(*) from secrets where purpose = 'admin_password'";
        sqlx::query_scalar(count).fetch_one(shop.test.app.db.system()).await.unwrap()
    };
    let before = kept().await;
    for status in [JobStatus::Succeeded, JobStatus::Failed] {
        let asked = shop.ada.post(&path, json!({"password": "a quiet shop 8"})).await.is(StatusCode::ACCEPTED);
        assert_eq!((kept().await, &shop.get().await["status"]), (before + 1, &json!("running")));
        let job: JobId = asked.text("job_id").parse().unwrap();
        shop.says([AgentEvent::Job(shop.snapshot(job, status))]).await;
        assert_eq!(kept().await, before);
    }
    assert_eq!(shop.told("instance.admin_password_set").await, 1);
    assert_eq!(shop.state().await.0, "running");
}
