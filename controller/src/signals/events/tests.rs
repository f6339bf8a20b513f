//! Whose stream it is, as long as it lasts.

use crate::identity::authentication::tests::{Visitor, run, sign_in};
use crate::testing::TestApp;
use axum::http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn a_stream_ends_with_the_access_that_it_was_opened_with() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let (leaving, staying) = (sign_in(&test.app, "ada@example.com").await, sign_in(&test.app, "ada@example.com").await);
    let robot = anyone.bearer(&ada.key("robot", &["view:org"]).await);
    let robots = ada.get("/api/api-keys?name=robot").await.is(StatusCode::OK);
    let robots = format!("/api/api-keys/{}", robots.body["data"][0]["id"].as_str().unwrap());

    let out = async { leaving.post("/api/auth/logout", json!({})).await.is(StatusCode::NO_CONTENT) };
    let revoked = async { ada.delete(&robots).await.is(StatusCode::NO_CONTENT) };
    // Two rounds: what is as it was is not ended.
    let lowered = async {
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        run(&test.app, "update grants set role_id = (select id from roles where name = 'viewer')").await;
    };
    tokio::join!(
        leaving.follow("/api/events", out),
        robot.follow("/api/events", revoked),
        staying.follow("/api/events", lowered),
    );
}
