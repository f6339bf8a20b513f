//! What an install command may say about its server.

use super::service::{InstallReport, install_report};
use crate::identity::authentication::tests::Visitor;
use crate::testing::TestApp;
use ocore_shared::ids::ServerId;
use serde_json::{Value, json};

fn report(token: &str, more: Value) -> InstallReport {
    let mut body = json!({"token": token});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

#[tokio::test]
async fn a_problem_is_shown_until_the_server_is_there_and_not_after() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let made = ada.post("/api/servers", json!({"name": "first"})).await.body;
    let token = made["install"]["command"].as_str().unwrap().split("--token ").nth(1).unwrap().to_owned();
    let id: ServerId = made["server"]["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/servers/{id}");

    install_report(&test.app, report(&token, json!({"problem": "the disk\nis full"}))).await.unwrap();
    assert_eq!(ada.get(&path).await.body["install_problem"], "the diskis full");
    install_report(&test.app, report(&token, json!({"stage": "fetched"}))).await.unwrap();
    assert_eq!(ada.get(&path).await.body["install_problem"], Value::Null);

    let mut system = test.app.db.system().acquire().await.unwrap();
    sqlx::query("update servers set status = 'online' where id = $1").bind(id.0).execute(&mut *system).await.unwrap();
    install_report(&test.app, report(&token, json!({"problem": "tried elsewhere"}))).await.unwrap();
    assert_eq!(ada.get(&path).await.body["install_problem"], Value::Null);
}

#[tokio::test]
async fn a_machine_that_is_another_server_is_told_so() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let made = ada.post("/api/servers", json!({"name": "first"})).await.body;
    let token = made["install"]["command"].as_str().unwrap().split("--token ").nth(1).unwrap().to_owned();
    let enrolled_as = |id: &str| report(&token, json!({"enrolled_as": id}));
    install_report(&test.app, enrolled_as(made["server"]["id"].as_str().unwrap())).await.unwrap();
    let other = install_report(&test.app, enrolled_as(&ServerId::new().to_string())).await.unwrap_err();
    assert_eq!(other.code(), "enrolled_as_another");
}
