//! Organizations that ask a second factor of everybody.

use super::tests::{later, mfa_token, show, totp_on};
use crate::identity::authentication::tests::{Visitor, member, sign_in};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn an_organization_lets_in_only_who_showed_one() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, answer) = anyone.bootstrap().await;
    let organization = answer.organization();
    member(&test.app, &organization, "vic@example.com", "viewer", ("organization", &organization)).await;
    let key = anyone.bearer(&ada.key("robot", &["view:projects"]).await);
    let ask = |on: bool| {
        let body = Some(json!({ "require_second_factor": on }));
        let ada = ada.clone();
        async move { ada.send(Method::PUT, "/api/org/settings", body).await }
    };
    // Not by who would be locked out.
    ask(true).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "second_factor_missing");
    totp_on(&test, &ada).await;
    ask(true).await.is(StatusCode::OK);
    ada.get("/api/projects").await.is(StatusCode::OK);
    key.get("/api/projects").await.is(StatusCode::OK);

    // Whoever has none is refused there, and can set one up; from then on this session is let in.
    let vic = sign_in(&test.app, "vic@example.com").await;
    vic.get("/api/projects").await.refused(StatusCode::FORBIDDEN, "second_factor_required");
    vic.get("/api/org").await.refused(StatusCode::FORBIDDEN, "second_factor_required");
    vic.get("/api/user").await.is(StatusCode::OK);
    vic.get("/api/user/passkeys").await.is(StatusCode::OK);
    let another = sign_in(&test.app, "vic@example.com").await;
    let (vics_phone, _) = totp_on(&test, &vic).await;
    vic.get("/api/projects").await.is(StatusCode::OK);
    another.get("/api/projects").await.refused(StatusCode::FORBIDDEN, "second_factor_required");

    // A session without it adds no other way in, now that there is one.
    let begin = another.post("/api/user/passkeys/register/begin", json!({ "device_name": "laptop" })).await;
    begin.refused(StatusCode::FORBIDDEN, "second_factor_required");

    // Signed in with it: let in. Switched off: out again.
    later(&test);
    let token = mfa_token(&anyone, "vic@example.com").await;
    let fresh = show(&anyone, &token, &vics_phone.code(&test.app)).await.is(StatusCode::OK);
    let fresh = anyone.bearer(&fresh.text("access_token"));
    fresh.get("/api/projects").await.is(StatusCode::OK);
    later(&test);
    fresh
        .post("/api/user/totp/disable", json!({ "code": vics_phone.code(&test.app) }))
        .await
        .is(StatusCode::NO_CONTENT);
    fresh.get("/api/projects").await.refused(StatusCode::FORBIDDEN, "second_factor_required");
    ask(false).await.is(StatusCode::OK);
    fresh.get("/api/projects").await.is(StatusCode::OK);
}
