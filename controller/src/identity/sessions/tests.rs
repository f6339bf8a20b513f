//! Each sees their own sessions and sign-ins, and ends them.

use super::store::login_history_prune;
use crate::identity::authentication::tests::{PASSWORD, Visitor, sign_in, stranger};
use crate::testing::{TestApp, until};
use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::json;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn sessions_are_seen_and_ended_by_their_person_only() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let browser = Visitor::new(&test.app).from("192.0.2.7:1").with("user-agent", FIREFOX);
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    let browser = browser.bearer(&browser.post("/api/auth/login", body).await.is(StatusCode::OK).text("access_token"));
    let list = ada.get("/api/user/sessions").await.is(StatusCode::OK);
    let sessions = list.body["data"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!((&sessions[0]["device"], &sessions[0]["current"]), (&json!("Firefox on Linux"), &json!(false)));
    assert_eq!((&sessions[0]["address"], &sessions[0]["method"]), (&json!("192.0.2.7"), &json!("password")));
    assert_eq!((&sessions[1]["current"], &sessions[1]["method"]), (&json!(true), &json!("bootstrap")));
    let path = format!("/api/user/sessions/{}", sessions[0]["id"].as_str().unwrap());

    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    eve.delete(&path).await.is(StatusCode::NOT_FOUND);
    assert_eq!(eve.get("/api/user/sessions").await.body["data"].as_array().unwrap().len(), 1);
    let robot = Visitor::new(&test.app).bearer(&ada.key("robot", &["view:org"]).await);
    robot.get("/api/user/sessions").await.refused(StatusCode::FORBIDDEN, "person_required");
    robot.get("/api/user/login-history").await.refused(StatusCode::FORBIDDEN, "person_required");

    browser.get("/api/user").await.is(StatusCode::OK);
    ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    browser.get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
    ada.delete(&path).await.is(StatusCode::NOT_FOUND);
    ada.get("/api/user").await.is(StatusCode::OK);
}

#[tokio::test]
async fn the_last_use_is_written_in_batches() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    test.clock.shift(chrono::TimeDelta::minutes(30));
    ada.clone().from("192.0.2.9:1").get("/api/user").await.is(StatusCode::OK);
    test.app.spawn(crate::identity::authentication::flush_task(test.app.clone()));
    until("the last use", async || {
        let list = ada.clone().from("192.0.2.9:1").get("/api/user/sessions").await.is(StatusCode::OK);
        let session = &list.body["data"][0];
        let used: chrono::DateTime<chrono::Utc> = session["last_used_at"].as_str().unwrap().parse().unwrap();
        let began: chrono::DateTime<chrono::Utc> = session["created_at"].as_str().unwrap().parse().unwrap();
        session["address"] == "192.0.2.9" && used - began > chrono::TimeDelta::minutes(29)
    })
    .await;
    test.app.stop.cancel();
}

#[tokio::test]
async fn sign_ins_and_failed_ones_are_remembered_for_ninety_days() {
    let test = TestApp::start().await;
    let nobody = Visitor::new(&test.app);
    nobody.bootstrap().await;
    let login = |password: &'static str| {
        let body = json!({ "email": "ADA@example.com", "password": password });
        let visitor = nobody.clone().from("192.0.2.7:1").with("user-agent", "curl/8.15.0");
        async move { visitor.post("/api/auth/login", body).await }
    };
    join_all((0..3).map(|_| login("wrong 1 password"))).await;
    login(PASSWORD).await.is(StatusCode::OK);
    let ada = sign_in(&test.app, "ada@example.com").await;
    let list = ada.get("/api/user/login-history?limit=4").await.is(StatusCode::OK);
    let seen: Vec<_> =
        list.body["data"].as_array().unwrap().iter().map(|l| l["succeeded"].as_bool().unwrap()).collect();
    assert_eq!(seen, [true, true, false, false]);
    assert_eq!(list.body["has_more"], true);
    let failed = &list.body["data"][2];
    assert_eq!((&failed["reason"], &failed["device"]), (&json!("wrong_password"), &json!("curl")));
    assert_eq!(failed["address"], "192.0.2.7");
    assert!(!list.body.to_string().contains("wrong 1"));
    test.clock.shift(chrono::TimeDelta::days(91));
    login_history_prune(test.app.db.system(), test.app.clock.now()).await.unwrap();
    let left: i64 =
        sqlx::query_scalar("select count(*) from login_history").fetch_one(test.app.db.system()).await.unwrap();
    assert_eq!(left, 0);
}
