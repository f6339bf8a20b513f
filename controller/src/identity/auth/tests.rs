//! The usual attack list against signing in.

use super::service;
use crate::app::App;
use crate::identity::authentication::tests::{Answer, PASSWORD, Visitor, first_admin, run, sign_in};
use crate::platform::http::surface::Surface;
use crate::testing::TestApp;
use axum::http::StatusCode;
use chrono::TimeDelta;
use futures::future::join_all;
use ocore_shared::secret::Secret;
use serde_json::json;

async fn count(app: &App, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(app.db.system()).await.unwrap()
}

#[tokio::test]
async fn of_fifty_first_admins_one_is_made() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let status = anyone.get("/api/auth/bootstrap/status").await.is(StatusCode::OK);
    assert_eq!((&status.body["needed"], &status.body["token_required"]), (&json!(true), &json!(false)));

    let tries = join_all((0..50).map(|i| {
        let mut body = first_admin();
        body["email"] = json!(format!("ada{i}@example.com"));
        let anyone = anyone.clone();
        async move { anyone.post("/api/auth/bootstrap", body).await }
    }))
    .await;
    let won: Vec<_> = tries.iter().filter(|a| a.status == StatusCode::CREATED).collect();
    assert_eq!(won.len(), 1);
    // A machine that is busy turns some away, before they change anything.
    let expected = |a: &&Answer| ["already_bootstrapped", "unavailable"].contains(&a.code());
    assert!(tries.iter().filter(|a| a.status != StatusCode::CREATED).all(|a| expected(&a)), "{tries:?}");
    assert_eq!(count(&test.app, "select count(*) from users").await, 1);
    assert_eq!(count(&test.app, "select count(*) from organizations").await, 1);
    assert_eq!(count(&test.app, "select count(*) from roles where is_system").await, 4);
    assert_eq!(count(&test.app, "select count(*) from audit_log where action = 'user.created'").await, 1);

    let account = &won[0].body["user"];
    assert_eq!(account["is_admin"], true);
    assert_eq!(account["organizations"][0]["role"], "owner");
    let ada = anyone.bearer(&won[0].text("access_token"));
    let environments = ada.get("/api/environments").await.is(StatusCode::OK);
    let types: Vec<_> = environments.body["data"].as_array().unwrap().iter().map(|e| e["type"].clone()).collect();
    assert_eq!(types, ["development", "staging", "production"]);
    assert_eq!(anyone.get("/api/auth/bootstrap/status").await.body["needed"], false);
}

#[tokio::test]
async fn from_elsewhere_the_newest_token_makes_the_first_admin() {
    let test = TestApp::start().await;
    let away = Visitor::new(&test.app).from("192.0.2.7:1");
    assert_eq!(away.get("/api/auth/bootstrap/status").await.body["token_required"], true);
    away.post("/api/auth/bootstrap", first_admin()).await.refused(StatusCode::FORBIDDEN, "bootstrap_token_required");

    // Not even on this machine when a proxy, or a page of another site, is behind it.
    let here = Visitor::new(&test.app);
    for behind in [here.with("x-forwarded-for", "127.0.0.1"), here.with("origin", "https://evil.test")] {
        let answer = behind.post("/api/auth/bootstrap", first_admin()).await;
        answer.refused(StatusCode::FORBIDDEN, "bootstrap_token_required");
    }

    let older = service::bootstrap_token_make(&test.app).await.unwrap();
    let newest = service::bootstrap_token_make(&test.app).await.unwrap();
    let with = |token: &str| {
        let mut body = first_admin();
        body["token"] = json!(token);
        body
    };
    for wrong in ["", "guess", older.expose()] {
        let answer = away.post("/api/auth/bootstrap", with(wrong)).await;
        answer.refused(StatusCode::FORBIDDEN, "bootstrap_token_invalid");
    }
    let stored = count(&test.app, "select count(*) from settings where key = 'bootstrap_token'").await;
    assert_eq!(stored, 1);
    away.post("/api/auth/bootstrap", with(newest.expose())).await.is(StatusCode::CREATED);
    let again = away.post("/api/auth/bootstrap", with(newest.expose())).await;
    again.refused(StatusCode::CONFLICT, "already_bootstrapped");
    assert!(service::bootstrap_token_make(&test.app).await.is_err());
    assert_eq!(count(&test.app, "select count(*) from settings where key = 'bootstrap_token'").await, 0);
}

#[tokio::test]
async fn weak_fields_are_refused_by_name() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    for (field, value) in [
        ("password", json!("password1")),
        ("password", json!("short1")),
        ("email", json!("not an address")),
        ("name", json!("")),
        ("organization_name", json!("x")),
        ("colour", json!("red")),
    ] {
        let mut body = first_admin();
        body[field] = value;
        let answer = anyone.post("/api/auth/bootstrap", body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{}", answer.body);
        assert!(!answer.body.to_string().contains("password1"));
    }
}

#[tokio::test]
async fn ten_failures_lock_and_a_restart_does_not_unlock() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    anyone.bootstrap().await;
    let login = |email: &'static str, password: &'static str| {
        let body = json!({ "email": email, "password": password });
        let anyone = anyone.clone();
        async move { anyone.post("/api/auth/login", body).await }
    };
    // Known and unknown accounts, all at once: the same ten answers, then the same lock.
    for email in ["ada@example.com", "nobody@example.com"] {
        let answers = join_all((0..30).map(|_| login(email, "wrong password 1"))).await;
        let wrong = answers.iter().filter(|a| a.code() == "invalid_credentials").count();
        let locked: Vec<_> = answers.iter().filter(|a| a.status == StatusCode::TOO_MANY_REQUESTS).collect();
        assert_eq!((wrong, locked.len()), (10, 20), "{email}");
        let wait: u64 = locked[0].headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=901).contains(&wait), "{wait}");
    }
    login("ADA@example.com", PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);

    // From another address the account is open, and a process that has just started knows the lock.
    let away = anyone.clone().from("192.0.2.7:1");
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    away.post("/api/auth/login", body.clone()).await.is(StatusCode::OK);
    let restarted = test.restart().await;
    Visitor::new(&restarted).post("/api/auth/login", body.clone()).await.is(StatusCode::TOO_MANY_REQUESTS);

    run(&test.app, "update attempt_buckets set locked_until = now() - interval '1 second'").await;
    anyone.post("/api/auth/login", body).await.is(StatusCode::OK);
}

#[tokio::test]
async fn the_host_is_the_way_back_in() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    for _ in 0..11 {
        anyone.post("/api/auth/login", json!({ "email": "ada@example.com", "password": "wrong 1" })).await;
    }
    let weak = service::password_reset_by_host(&test.app, "ada@example.com", Secret::new("password1")).await;
    assert!(weak.is_err());
    let unknown = service::password_reset_by_host(&test.app, "bob@example.com", Secret::new("another place 8")).await;
    assert!(unknown.is_err());
    service::password_reset_by_host(&test.app, "Ada@example.com", Secret::new("another place 8")).await.unwrap();
    ada.get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
    let login = |password| anyone.post("/api/auth/login", json!({ "email": "ada@example.com", "password": password }));
    login(PASSWORD).await.refused(StatusCode::UNAUTHORIZED, "invalid_credentials");
    login("another place 8").await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_copy_ends_the_session() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, first) = anyone.bootstrap().await;
    let refresh = |token: String| anyone.post("/api/auth/refresh", json!({ "refresh_token": token }));
    let first = first.text("refresh_token");

    // Twice at once, as two tabs do: the same successor for both, and it works.
    let both = tokio::join!(refresh(first.clone()), refresh(first.clone()));
    let second = both.0.is(StatusCode::OK).text("refresh_token");
    assert_eq!(second, both.1.is(StatusCode::OK).text("refresh_token"));
    assert_ne!(first, second);
    let third = refresh(second.clone()).await.is(StatusCode::OK);
    anyone.bearer(&third.text("access_token")).get("/api/user").await.is(StatusCode::OK);
    let third = third.text("refresh_token");

    // Ten seconds later the second is a copy that somebody kept: all ends, the newest token and the access too.
    run(&test.app, "update sessions set rotated_at = now() - interval '11 seconds'").await;
    refresh(second).await.refused(StatusCode::UNAUTHORIZED, "refresh_reused");
    refresh(third).await.refused(StatusCode::UNAUTHORIZED, "invalid_refresh_token");
    ada.get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
    let noted = count(&test.app, "select count(*) from audit_log where action = 'auth.refresh_reused'").await;
    assert_eq!(noted, 1);
}

#[tokio::test]
async fn any_older_token_of_the_family_is_known_as_a_copy() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (_, answer) = anyone.bootstrap().await;
    let refresh = |token: String| anyone.post("/api/auth/refresh", json!({ "refresh_token": token }));
    let oldest = answer.text("refresh_token");
    let mut newest = oldest.clone();
    for _ in 0..3 {
        newest = refresh(newest).await.is(StatusCode::OK).text("refresh_token");
    }
    refresh(oldest).await.refused(StatusCode::UNAUTHORIZED, "refresh_reused");
    refresh(newest).await.refused(StatusCode::UNAUTHORIZED, "invalid_refresh_token");
    refresh("ocore_r_made-up".into()).await.refused(StatusCode::UNAUTHORIZED, "invalid_refresh_token");
    anyone.post("/api/auth/refresh", json!({})).await.refused(StatusCode::BAD_REQUEST, "validation_error");
}

#[tokio::test]
async fn tokens_end_with_their_time_and_their_session() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, answer) = anyone.bootstrap().await;
    let tokens = &test.app.auth.tokens;
    let claims = tokens.access_read(&answer.text("access_token"), test.app.clock.now()).unwrap();

    let long_ago = test.app.clock.now() - TimeDelta::hours(2);
    let expired = tokens.access_make(claims.sub, claims.sid, long_ago, Surface::Api).unwrap();
    anyone.bearer(&expired).get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "token_expired");
    let other = ocore_shared::ids::UserId::new();
    let someone_else = tokens.access_make(other, claims.sid, test.app.clock.now(), Surface::Api).unwrap();
    anyone.bearer(&someone_else).get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "unauthenticated");

    let second = sign_in(&test.app, "ada@example.com").await;
    ada.post("/api/auth/logout", json!({})).await.is(StatusCode::NO_CONTENT);
    ada.get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
    second.get("/api/user").await.is(StatusCode::OK);
    let gone = anyone.post("/api/auth/refresh", json!({ "refresh_token": answer.text("refresh_token") })).await;
    gone.refused(StatusCode::UNAUTHORIZED, "invalid_refresh_token");

    // Another replica has it cached: it sees the end within five seconds.
    run(&test.app, "update sessions set revoked_at = now()").await;
    let seen = async {
        while second.get("/api/user").await.status == StatusCode::OK {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), seen).await.expect("the end was not seen in time");
}

#[tokio::test]
async fn no_secret_is_stored_as_it_was_given() {
    let test = TestApp::start().await;
    let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
    let key = ada.key("robot", &["view:org"]).await;
    let everything: String = sqlx::query_scalar(
        "select concat((select json_agg(u) from users u), (select json_agg(s) from sessions s),
                       (select json_agg(k) from api_keys k), (select json_agg(a) from audit_log a),
                       (select json_agg(e) from events e))",
    )
    .fetch_one(test.app.db.system())
    .await
    .unwrap();
    for secret in [PASSWORD, &key, &answer.text("refresh_token"), &answer.text("access_token")] {
        assert!(!everything.contains(secret));
    }
    assert!(everything.contains("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn signing_in_unlocks_no_other_address() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    anyone.bootstrap().await;
    let login = |peer: &'static str, password: &'static str| {
        let visitor = anyone.clone().from(peer);
        let body = json!({ "email": "ada@example.com", "password": password });
        async move { visitor.post("/api/auth/login", body).await }
    };
    for _ in 0..10 {
        login("10.0.0.10:1", "wrong password 1").await.refused(StatusCode::UNAUTHORIZED, "invalid_credentials");
    }
    login("10.0.0.1:1", "wrong password 1").await.is(StatusCode::UNAUTHORIZED);
    login("10.0.0.1:1", PASSWORD).await.is(StatusCode::OK);
    login("10.0.0.10:1", PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);
    // The address that signed in begins anew.
    let buckets = count(&test.app, "select count(*) from attempt_buckets").await;
    assert_eq!(buckets, 1);
    // From the host all of them are unlocked.
    let password = Secret::new("another place 8");
    service::password_reset_by_host(&test.app, "ada@example.com", password).await.unwrap();
    login("10.0.0.10:1", "another place 8").await.is(StatusCode::OK);
}
