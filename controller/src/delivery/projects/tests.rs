//! What each organization starts with.

use crate::identity::authentication::tests::Visitor;
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn an_organization_starts_with_a_project_and_three_environments() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let projects = ada.get("/api/projects").await.is(StatusCode::OK);
    assert_eq!(projects.body["data"][0]["environments_count"], 3);
    let first = ada.get("/api/environments?limit=2").await.is(StatusCode::OK);
    assert_eq!((first.body["data"].as_array().unwrap().len(), &first.body["has_more"]), (2, &json!(true)));
    let cursor = first.text("next_cursor");
    let second = ada.get(&format!("/api/environments?limit=2&cursor={cursor}")).await.is(StatusCode::OK);
    assert_eq!((&second.body["data"][0]["type"], &second.body["has_more"]), (&json!("production"), &json!(false)));
    let production = ada.get("/api/environments?type=production&name=Production").await.is(StatusCode::OK);
    assert_eq!(production.body["data"].as_array().unwrap().len(), 1);
    let archived = ada.get("/api/projects?include_archived=true&name=Default").await.is(StatusCode::OK);
    assert_eq!(archived.body["data"].as_array().unwrap().len(), 1);
    ada.get("/api/environments?limit=0").await.refused(StatusCode::BAD_REQUEST, "validation_error");
    ada.get("/api/environments?type=other").await.refused(StatusCode::BAD_REQUEST, "validation_error");
}

#[tokio::test]
async fn a_project_is_made_changed_put_away_and_removed() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let body = json!({"name": "Acme GmbH", "odoo_version": "14.0", "environments": ["staging", "production"]});
    let made = ada.post("/api/projects", body.clone()).await.is(StatusCode::CREATED);
    assert_eq!(made.body["slug"], "acme-gmbh");
    assert_eq!((&made.body["environments_count"], &made.body["odoo_version"]), (&json!(2), &json!("14.0")));
    ada.post("/api/projects", body).await.refused(StatusCode::CONFLICT, "name_taken");
    ada.post("/api/projects", json!({"name": "Acme two", "odoo_version": "13.0"}))
        .await
        .refused(StatusCode::BAD_REQUEST, "validation_error");

    let names = async |q: &str| {
        let found = ada.get(&format!("/api/projects?q={q}")).await.is(StatusCode::OK);
        found.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("ACME-g").await, ["Acme GmbH"]);
    assert_eq!(names("nobody").await, [""; 0]);

    let path = format!("/api/projects/{}", made.text("id"));
    let changed = ada.send(Method::PATCH, &path, Some(json!({"odoo_version": null, "archived": true}))).await;
    let changed = changed.is(StatusCode::OK);
    assert!(changed.body["odoo_version"].is_null() && changed.body["archived_at"].is_string(), "{}", changed.body);
    let back = ada.send(Method::PATCH, &path, Some(changed.body.clone())).await.is(StatusCode::OK);
    assert_eq!(back.body["archived_at"], changed.body["archived_at"]);
    assert_eq!(ada.get("/api/projects").await.body["data"].as_array().unwrap().len(), 1);
    let environments = format!("{path}/environments");
    ada.post(&environments, json!({"name": "Training", "type": "staging"}))
        .await
        .refused(StatusCode::CONFLICT, "project_archived");
    ada.send(Method::PATCH, &path, Some(json!({"archived": false}))).await.is(StatusCode::OK);

    ada.post(&environments, json!({"name": "Live", "type": "production"}))
        .await
        .refused(StatusCode::CONFLICT, "production_exists");
    ada.post(&environments, json!({"name": "Training", "type": "staging"})).await.is(StatusCode::CREATED);
    ada.post("/api/environments", json!({"project_id": made.text("id"), "name": "Training", "type": "staging"}))
        .await
        .refused(StatusCode::CONFLICT, "name_taken");

    ada.delete(&path).await.refused(StatusCode::CONFLICT, "project_in_use");
    let all = ada.get(&environments).await.is(StatusCode::OK);
    assert_eq!(all.body["data"].as_array().unwrap().len(), 3);
    for environment in all.body["data"].as_array().unwrap() {
        let (id, name) = (environment["id"].as_str().unwrap(), environment["name"].as_str().unwrap());
        let gone = ada.delete(&format!("/api/environments/{id}?confirm={name}")).await.is(StatusCode::ACCEPTED);
        assert_eq!(gone.body["status"], "deleted");
    }
    ada.delete(&path).await.is(StatusCode::ACCEPTED);
    ada.get(&path).await.refused(StatusCode::NOT_FOUND, "not_found");
}
