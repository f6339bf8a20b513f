//! Service accounts: never more than who makes them, and their keys outlive people.

use crate::identity::authentication::tests::Visitor;
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn an_account_acts_by_its_keys_within_its_roles() {
    let test = TestApp::start().await;
    let nobody = Visitor::new(&test.app);
    let (ada, _) = nobody.bootstrap().await;
    let role = |name: &str| {
        let (ada, path) = (ada.clone(), format!("/api/roles?name={name}"));
        async move { ada.get(&path).await.body["data"][0]["id"].as_str().unwrap().to_owned() }
    };
    let (viewer, admin, owner) = (role("viewer").await, role("admin").await, role("owner").await);
    let body = json!({ "name": "Deployer", "grants": [{ "role_id": viewer }] });
    let account = ada.post("/api/service-accounts", body.clone()).await.is(StatusCode::CREATED);
    ada.post("/api/service-accounts", body).await.refused(StatusCode::CONFLICT, "name_taken");
    let id = account.text("id");
    let wish = json!({ "name": "pipeline", "permissions": ["manage:servers"], "service_account_id": id });
    let key = ada.post("/api/api-keys", wish).await.is(StatusCode::CREATED);
    assert_eq!(key.body["service_account_id"], json!(id));
    let ci = nobody.bearer(&key.text("key"));
    ci.get("/api/servers").await.is(StatusCode::OK);
    ci.post("/api/servers", json!({ "name": "mine" })).await.refused(StatusCode::FORBIDDEN, "permission_denied");

    let path = format!("/api/service-accounts/{id}");
    let change = |visitor: &Visitor, body| {
        let (visitor, path) = (visitor.clone(), path.clone());
        async move { visitor.send(Method::PATCH, &path, Some(body)).await }
    };
    change(&ada, json!({ "grants": [{ "role_id": owner }] })).await.refused(StatusCode::FORBIDDEN, "owner_fixed");
    change(&ada, json!({ "grants": [{ "role_id": admin, "role": "admin" }] })).await.is(StatusCode::OK);
    ci.post("/api/servers", json!({ "name": "mine" })).await.is(StatusCode::CREATED);
    assert_eq!(ada.get(&path).await.body["key_count"], 1);

    // Who holds less than the account neither changes nor removes it.
    let keeper = nobody.bearer(&ada.key("keeper", &["manage:api-keys", "view:servers"]).await);
    change(&keeper, json!({ "grants": [] })).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    keeper.delete(&path).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    let wider = json!({ "name": "Wider", "grants": [{ "role_id": viewer }] });
    keeper.post("/api/service-accounts", wider).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");

    ada.delete(&format!("{path}?dry_run=true")).await.is(StatusCode::NO_CONTENT);
    ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    ci.get("/api/servers").await.is(StatusCode::UNAUTHORIZED);
    ada.get(&path).await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_is_rotated_with_grace_and_renamed_by_who_could_make_it() {
    let test = TestApp::start().await;
    let nobody = Visitor::new(&test.app);
    let (ada, _) = nobody.bootstrap().await;
    let wish = json!({ "name": "robot", "permissions": ["view:servers"] });
    let made = ada.post("/api/api-keys", wish).await.is(StatusCode::CREATED);
    let path = format!("/api/api-keys/{}", made.text("id"));
    let old = nobody.bearer(&made.text("key"));
    let rotated = ada.post(&format!("{path}/rotate"), json!({ "grace_seconds": 60 })).await.is(StatusCode::OK);
    let new = nobody.bearer(&rotated.text("key"));
    for key in [&old, &new] {
        key.get("/api/servers").await.is(StatusCode::OK);
    }
    test.clock.shift(chrono::TimeDelta::seconds(61));
    let ada = crate::identity::authentication::tests::sign_in(&test.app, "ada@example.com").await;
    test.app.auth.forget_keys();
    old.get("/api/servers").await.is(StatusCode::UNAUTHORIZED);
    new.get("/api/servers").await.is(StatusCode::OK);
    ada.post(&format!("{path}/rotate"), json!({ "grace_seconds": 0 })).await.is(StatusCode::OK);
    new.get("/api/servers").await.is(StatusCode::UNAUTHORIZED);
    ada.post(&format!("{path}/rotate"), json!({ "grace_seconds": 604_801 })).await.is(StatusCode::BAD_REQUEST);

    let narrow = nobody.bearer(&ada.key("narrow", &["manage:api-keys"]).await);
    let rename = json!({ "name": "droid" });
    let by = |visitor: &Visitor| {
        let (visitor, path, body) = (visitor.clone(), path.clone(), rename.clone());
        async move { visitor.send(Method::PATCH, &path, Some(body)).await }
    };
    by(&narrow).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    narrow.post(&format!("{path}/rotate"), json!({})).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    assert_eq!(by(&ada).await.is(StatusCode::OK).text("name"), "droid");
    ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    by(&ada).await.refused(StatusCode::CONFLICT, "key_ended");
    ada.post(&format!("{path}/rotate"), json!({})).await.refused(StatusCode::CONFLICT, "key_ended");
}
