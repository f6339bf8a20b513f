//! What each organization starts with.

use crate::identity::authentication::tests::Visitor;
use crate::testing::TestApp;
use axum::http::StatusCode;
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
