//! What is asked of an agent about addons and images, and what its answers make of the instance.

use crate::apps::instances::tests::Shop;
use axum::http::{Method, StatusCode};
use ocore_shared::ids::JobId;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::jobs::{JobSnapshot, JobStatus};
use serde_json::{Value, json};

async fn put(shop: &Shop, body: Value) -> crate::identity::authentication::tests::Answer {
    shop.ada.send(Method::PUT, &format!("/api/instances/{}/addons", shop.id), Some(body)).await
}

fn source(change: Value) -> Value {
    let mut source = json!({"url": "https://git.example.com/acme/erp_addons.git", "reference": "17.0",
        "credential": {"type": "token", "username": "deploy", "value": "t0ken"}});
    source.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    json!({"sources": [source]})
}

async fn kept(shop: &Shop) -> i64 {
    sqlx::query_scalar("select count(*) from secrets where purpose = 'git'")
        .fetch_one(shop.test.app.db.system())
        .await
        .unwrap()
}

/// What the agent says of a job that went well.
fn done(shop: &Shop, job: JobId, image: &str, addons: Value) -> AgentEvent {
    let result = json!({"container_id": "odoo-2", "container_name": "x", "image_digest": "sha256:2", "http_port": 20000,
        "image": image, "addons": addons, "updated": [], "down_milliseconds": 5000, "start_milliseconds": 5000});
    AgentEvent::Job(JobSnapshot { result: Some(result), ..shop.snapshot(job, JobStatus::Succeeded) })
}

async fn job(shop: &Shop, body: Value) -> JobId {
    put(shop, body).await.is(StatusCode::ACCEPTED).text("job_id").parse().unwrap()
}

async fn input(shop: &Shop, job: JobId) -> Value {
    sqlx::query_scalar("select input || jsonb_build_object('secrets', secret_ids) from jobs where id = $1")
        .bind(job.0)
        .fetch_one(shop.test.app.db.system())
        .await
        .unwrap()
}

#[tokio::test]
async fn sources_that_cannot_be_fetched_are_refused_by_field() {
    let shop = Shop::running().await;
    let key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----";
    for (change, field) in [
        (json!({"url": "file:///etc"}), "sources[0].url"),
        (json!({"url": "https://ada:pw@git.example.com/a"}), "sources[0].url"),
        (json!({"reference": "--upload-pack=x"}), "sources[0].reference"),
        (json!({"name": "Not A Name"}), "sources[0].name"),
        (json!({"url": "http://git.example.com/a.git"}), "sources[0].credential"),
        (json!({"url": "git@git.example.com:a.git"}), "sources[0].credential"),
        (json!({"url": "git@git.example.com:a.git", "credential": null}), "sources[0].credential"),
        (json!({"credential": {"type": "token", "username": "deploy"}}), "sources[0].credential.value"),
        (json!({"url": "git@h:a", "credential": {"type": "ssh_key", "value": key}}), "sources[0].credential.value"),
        (json!({"ca_certificate": "trust me"}), "sources[0].ca_certificate"),
        (json!({"commit": "ab"}), "sources[0].commit"),
    ] {
        let answer = put(&shop, source(change.clone())).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{change}: {}", answer.body);
    }
    let one = source(json!({}))["sources"][0].clone();
    let twice = put(&shop, json!({"sources": [one.clone(), one]})).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(twice.body["error"]["details"]["field"], "sources[1].name");
    assert_eq!(kept(&shop).await, 0);
}

#[tokio::test]
async fn what_the_agent_brought_about_is_what_is_shown() {
    let shop = Shop::running().await;
    let path = format!("/api/instances/{}/addons", shop.id);
    assert_eq!(shop.ada.get(&path).await.is(StatusCode::OK).body["addons_path"], "/mnt/extra-addons");
    let first = job(&shop, source(json!({}))).await;
    let sent = input(&shop, first).await;
    assert_eq!(sent["addons"][0]["name"], "erp-addons");
    assert!(sent["secrets"]["memory.git.erp-addons"].is_string() && !sent.to_string().contains("t0ken"));
    put(&shop, source(json!({}))).await.refused(StatusCode::CONFLICT, "operation_in_progress");
    let mut addons = sent["addons"].clone();
    (addons[0]["commit"], addons[0]["paths"]) = (json!("ab12"), json!([""]));
    shop.says([done(&shop, first, "localhost/odoo:17.0", addons)]).await;
    let seen = shop.ada.get(&path).await.is(StatusCode::OK).body;
    assert_eq!(seen["sources"][0]["credential"], json!({"type": "token", "username": "deploy", "has_value": true}));
    assert_eq!(seen["addons_path"], "/mnt/addons/erp-addons/ab12,/mnt/extra-addons");
    assert_eq!((shop.told("instance.addons_changed").await, kept(&shop).await), (1, 1));
    assert_eq!(shop.state().await.0, "running");

    // As it was read, with the stored token; for another server it has to be given again.
    let same = job(&shop, json!({"sources": seen["sources"]})).await;
    assert_eq!(input(&shop, same).await["secrets"], sent["secrets"]);
    shop.says([shop.failed(same, "The branch is gone.")]).await;
    assert_eq!(shop.ada.get(&path).await.is(StatusCode::OK).body, seen);
    let mut other = seen["sources"].clone();
    other[0]["url"] = json!("https://elsewhere.example.com/acme/erp_addons.git");
    let refused = put(&shop, json!({"sources": other})).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(refused.body["error"]["details"]["field"], "sources[0].credential.value");

    // A token that was refused is not kept, and the one before is.
    let wrong =
        job(&shop, source(json!({"credential": {"type": "token", "username": "deploy", "value": "other"}}))).await;
    assert_eq!(kept(&shop).await, 2);
    shop.says([shop.failed(wrong, "The server refuses the credential.")]).await;
    assert_eq!(kept(&shop).await, 1);
    let none = job(&shop, json!({"sources": []})).await;
    shop.says([done(&shop, none, "localhost/odoo:17.0", json!([]))]).await;
    assert_eq!((kept(&shop).await, shop.ada.get(&path).await.body["sources"].clone()), (0, json!([])));
}

#[tokio::test]
async fn an_upgrade_changes_the_image_once_it_went_well() {
    let shop = Shop::running().await;
    let path = format!("/api/instances/{}/upgrade", shop.id);
    let before = shop.get().await["image"].clone();
    let ask = async |body: Value| -> JobId {
        shop.ada.post(&path, body).await.is(StatusCode::ACCEPTED).text("job_id").parse().unwrap()
    };
    let again = ask(json!({})).await;
    assert_eq!((&input(&shop, again).await["image"], &shop.get().await["status"]), (&before, &json!("updating")));
    shop.says([shop.failed(again, "Odoo ended right after its start. The instance runs as before.")]).await;
    assert_eq!(
        (&shop.get().await["image"], shop.state().await.0.as_str(), shop.errors().await),
        (&before, "running", 0)
    );
    let other = ask(json!({"image": "acme/odoo:2", "update": "all", "safety_copy": false})).await;
    shop.says([done(&shop, other, "acme/odoo:2", json!([]))]).await;
    let seen = shop.get().await;
    assert_eq!((&seen["image"], &seen["image_digest"]), (&json!("acme/odoo:2"), &json!("sha256:2")));
    assert_eq!(shop.told("instance.upgraded").await, 1);
    shop.ada.post(&path, json!({"image": "a b"})).await.is(StatusCode::BAD_REQUEST);
}
