//! Codes, and every way around them.

use super::model::TotpKey;
use super::service::totp_remove_by_host;
use crate::app::App;
use crate::identity::auth::service::password_reset_by_host;
use crate::identity::authentication::tests::{Answer, PASSWORD, Visitor, run, sign_in, stranger};
use crate::testing::TestApp;
use axum::http::StatusCode;
use chrono::TimeDelta;
use futures::future::join_all;
use ocore_shared::secret::Secret;
use serde_json::{Value, json};

/// An authenticator app.
pub struct Authenticator {
    key: TotpKey,
}

impl Authenticator {
    pub fn new(secret: &str) -> Self {
        let bytes = totp_rs::Secret::try_from_base32(secret).unwrap();
        Self { key: TotpKey::new(bytes.as_bytes(), "x@example.com").unwrap() }
    }

    pub fn code(&self, app: &App) -> String {
        self.key.code_at(app.clock.now())
    }

    /// A code that is none of those that count now.
    fn wrong(&self, app: &App) -> String {
        let now = app.clock.now();
        let near: Vec<_> = (-2..=2).map(|step| self.key.code_at(now + TimeDelta::seconds(30 * step))).collect();
        (0..).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
    }
}

pub async fn enroll(visitor: &Visitor) -> Authenticator {
    let answer = visitor.post("/api/user/totp/enroll", json!({})).await.is(StatusCode::OK);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(answer.text("otpauth_uri").contains(&answer.text("secret")));
    Authenticator::new(&answer.text("secret"))
}

/// Switches the second factor on; its app, and the recovery codes. The present time step is spent by that.
pub async fn totp_on(test: &TestApp, visitor: &Visitor) -> (Authenticator, Vec<String>) {
    let phone = enroll(visitor).await;
    let answer = visitor.post("/api/user/totp/verify", json!({ "code": phone.code(&test.app) })).await;
    (phone, codes(&answer.is(StatusCode::OK)))
}

fn codes(answer: &Answer) -> Vec<String> {
    serde_json::from_value(answer.body["recovery_codes"].clone()).unwrap()
}

pub async fn login(visitor: &Visitor, email: &str) -> Answer {
    visitor.post("/api/auth/login", json!({ "email": email, "password": PASSWORD })).await.is(StatusCode::OK)
}

/// The token of a sign-in that waits for its second factor.
pub async fn mfa_token(visitor: &Visitor, email: &str) -> String {
    login(visitor, email).await.text("mfa_token")
}

pub async fn show(visitor: &Visitor, token: &str, code: &str) -> Answer {
    visitor.post("/api/auth/login/totp", json!({ "mfa_token": token, "code": code })).await
}

async fn count(app: &App, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(app.db.system()).await.unwrap()
}

/// On to the next time step.
pub fn later(test: &TestApp) {
    test.clock.shift(TimeDelta::seconds(30));
}

#[tokio::test]
async fn a_key_counts_once_its_code_was_shown() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let verify = |code: String| ada.post("/api/user/totp/verify", json!({ "code": code }));
    verify("123456".into()).await.refused(StatusCode::CONFLICT, "totp_not_enrolled");

    let first = enroll(&ada).await;
    let status = ada.get("/api/user/totp").await.is(StatusCode::OK).body;
    assert_eq!(status, json!({ "enabled": false, "enabled_at": null, "pending": true, "recovery_codes_left": 0 }));
    assert!(login(&anyone, "ada@example.com").await.body["access_token"].is_string(), "nothing is asked for yet");

    // Enrolling again replaces the key; the one before is gone, its sealed secret too.
    let phone = enroll(&ada).await;
    assert_eq!(count(&test.app, "select count(*) from secrets where purpose = 'totp'").await, 1);
    let old = first.code(&test.app);
    assert_ne!(old, phone.code(&test.app), "one in a million: run it again");
    verify(old).await.refused(StatusCode::FORBIDDEN, "wrong_code");
    ada.post("/api/user/totp/verify", json!({ "code": "abcd-efgh-jkmn" })).await.is(StatusCode::BAD_REQUEST);
    ada.post("/api/user/totp/verify", json!({ "code": "12" })).await.is(StatusCode::BAD_REQUEST);

    assert_eq!(count(&test.app, "select count(*) from sessions where second_factor").await, 0);
    let shown = codes(&verify(phone.code(&test.app)).await.is(StatusCode::OK));
    assert_eq!(shown.len(), 8);
    assert_eq!(count(&test.app, "select count(*) from sessions where second_factor").await, 1);
    let status = ada.get("/api/user/totp").await.body;
    assert_eq!((&status["enabled"], &status["recovery_codes_left"]), (&json!(true), &json!(8)));
    ada.post("/api/user/totp/enroll", json!({})).await.refused(StatusCode::CONFLICT, "totp_enabled");
    verify(phone.code(&test.app)).await.refused(StatusCode::CONFLICT, "totp_enabled");
    assert_eq!(count(&test.app, "select count(*) from audit_log where action = 'auth.totp_enabled'").await, 1);

    // A person's own business: no key reaches it.
    let robot = anyone.bearer(&ada.key("robot", &["view:org"]).await);
    robot.get("/api/user/totp").await.refused(StatusCode::FORBIDDEN, "person_required");
    robot.post("/api/user/totp/enroll", json!({})).await.refused(StatusCode::FORBIDDEN, "person_required");
    robot
        .post("/api/user/totp/disable", json!({ "code": "123456" }))
        .await
        .refused(StatusCode::FORBIDDEN, "person_required");

    // Nothing that was shown is stored as it was shown.
    let everything: String = sqlx::query_scalar(
        "select concat((select json_agg(t) from totp_secrets t), (select json_agg(s) from secrets s),
                       (select json_agg(r) from recovery_codes r), (select json_agg(a) from audit_log a),
                       (select json_agg(c) from login_challenges c))",
    )
    .fetch_one(test.app.db.system())
    .await
    .unwrap();
    let hidden = phone.key.enrollment().unwrap().secret;
    for secret in shown.iter().chain([&hidden]) {
        assert!(!everything.contains(secret.as_str()) && !everything.contains(&secret.replace('-', "")));
    }
    // The secret goes with its person.
    run(&test.app, "delete from totp_secrets").await;
    assert_eq!(count(&test.app, "select count(*) from secrets where purpose = 'totp'").await, 0);
}

#[tokio::test]
async fn signing_in_takes_a_code_and_each_counts_once() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app).with("x-session", "cookie");
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let (phone, _) = totp_on(&test, &ada).await;
    let spent = phone.code(&test.app);

    let owed = login(&anyone, "ada@example.com").await;
    assert!(owed.cookies().is_empty() && owed.body.get("access_token").is_none() && owed.body.get("user").is_none());
    assert_eq!((&owed.body["mfa_required"], &owed.body["methods"]), (&json!(true), &json!(["totp", "recovery_code"])));
    let token = owed.text("mfa_token");
    let programs = Visitor::new(&test.app);
    programs.bearer(&token).get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "unauthenticated");

    // The code that switched it on is spent.
    show(&programs, &token, &spent).await.refused(StatusCode::UNAUTHORIZED, "wrong_code");
    show(&programs, &token, &phone.wrong(&test.app)).await.refused(StatusCode::UNAUTHORIZED, "wrong_code");
    show(&programs, "made up", &spent).await.refused(StatusCode::UNAUTHORIZED, "mfa_token_invalid");
    show(&programs, &token, "12345").await.is(StatusCode::BAD_REQUEST);
    later(&test);
    let code = phone.code(&test.app);
    let done = show(&programs, &token, &code).await.is(StatusCode::OK);
    programs.bearer(&done.text("access_token")).get("/api/user").await.is(StatusCode::OK);
    show(&programs, &token, &code).await.refused(StatusCode::UNAUTHORIZED, "mfa_token_invalid");

    // Over somebody's shoulder, with the password: the code was used. And no older one counts after it.
    let again = mfa_token(&programs, "ada@example.com").await;
    show(&programs, &again, &code).await.refused(StatusCode::UNAUTHORIZED, "wrong_code");
    show(&programs, &again, &spent).await.refused(StatusCode::UNAUTHORIZED, "wrong_code");
    later(&test);
    let done = anyone.post("/api/auth/login/totp", json!({ "mfa_token": again, "code": phone.code(&test.app) })).await;
    let done = done.is(StatusCode::OK);
    assert_eq!(done.cookies().len(), 2);
    assert!(done.body.get("access_token").is_none() && done.body["user"]["email"] == "ada@example.com");

    let noted = "select count(*) from audit_log where action = 'auth.login' and after->>'method' = 'password+totp'";
    assert_eq!(count(&test.app, noted).await, 2);
    let history = "select count(*) from login_history where method = 'password+totp'";
    assert_eq!(
        count(&test.app, "select count(*) from login_history where method = 'password+totp' and succeeded").await,
        2
    );
    assert_eq!(count(&test.app, history).await, 6);
    let failed =
        "select count(*) from audit_log where action = 'auth.login_failed' and after->>'reason' = 'wrong_code'";
    assert_eq!(count(&test.app, failed).await, 4);
}

#[tokio::test]
async fn of_fifty_with_one_code_one_gets_in() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let (phone, recovery) = totp_on(&test, &ada).await;
    later(&test);
    let tokens: Vec<String> = join_all((0..5).map(|_| mfa_token(&anyone, "ada@example.com"))).await;
    for code in [phone.code(&test.app), recovery[0].clone()] {
        let before = count(&test.app, "select count(*) from sessions").await;
        let answers = join_all((0..50).map(|n| show(&anyone, &tokens[n % 5], &code))).await;
        let won = answers.iter().filter(|a| a.status == StatusCode::OK).count();
        assert_eq!(won, 1, "{:?}", answers.iter().map(Answer::code).collect::<Vec<_>>());
        let lost = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS];
        assert!(answers.iter().all(|a| a.status == StatusCode::OK || lost.contains(&a.status)), "{answers:?}");
        assert_eq!(count(&test.app, "select count(*) from sessions").await, before + 1);
        test.clock.shift(TimeDelta::seconds(61));
    }
    assert_eq!(count(&test.app, "select count(*) from recovery_codes where used_at is not null").await, 1);
}

#[tokio::test]
async fn five_tries_a_minute_also_over_a_restart() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let (phone, _) = totp_on(&test, &ada).await;
    later(&test);
    let token = mfa_token(&anyone, "ada@example.com").await;
    let wrong = phone.wrong(&test.app);
    let answers = join_all((0..50).map(|_| show(&anyone, &token, &wrong))).await;
    assert_eq!(answers.iter().filter(|a| a.code() == "wrong_code").count(), 5);
    let limited: Vec<_> = answers.iter().filter(|a| a.status == StatusCode::TOO_MANY_REQUESTS).collect();
    assert_eq!(limited.len(), 45);
    let wait: u64 = limited[0].headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");

    // The right code comes too late, with another token, from another address, in another process, in one's account.
    let code = phone.code(&test.app);
    let other = mfa_token(&anyone, "ada@example.com").await;
    show(&anyone.clone().from("192.0.2.7:1"), &other, &code).await.is(StatusCode::TOO_MANY_REQUESTS);
    let restarted = test.restart().await;
    show(&Visitor::new(&restarted), &token, &code).await.is(StatusCode::TOO_MANY_REQUESTS);
    ada.post("/api/user/totp/disable", json!({ "code": code })).await.is(StatusCode::TOO_MANY_REQUESTS);

    test.clock.shift(TimeDelta::seconds(61));
    show(&anyone, &token, &phone.code(&test.app)).await.is(StatusCode::OK);
}

#[tokio::test]
async fn recovery_codes_stand_in_once_each() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let (phone, recovery) = totp_on(&test, &ada).await;
    let typed = recovery[0].to_uppercase().replace('-', " ");
    let token = mfa_token(&anyone, "ada@example.com").await;
    show(&anyone, &token, &typed).await.is(StatusCode::OK);
    let token = mfa_token(&anyone, "ada@example.com").await;
    show(&anyone, &token, &recovery[0]).await.refused(StatusCode::UNAUTHORIZED, "wrong_code");
    assert_eq!(ada.get("/api/user/totp").await.body["recovery_codes_left"], 7);

    let new = |code: String| ada.post("/api/user/totp/recovery-codes", json!({ "code": code }));
    new(phone.wrong(&test.app)).await.refused(StatusCode::FORBIDDEN, "wrong_code");
    new(recovery[0].clone()).await.refused(StatusCode::FORBIDDEN, "wrong_code");
    later(&test);
    let code = phone.code(&test.app);
    let fresh = codes(&new(code.clone()).await.is(StatusCode::OK));
    assert_eq!(fresh.len(), 8);
    new(code).await.refused(StatusCode::FORBIDDEN, "wrong_code");
    test.clock.shift(TimeDelta::seconds(61));
    show(&anyone, &token, &recovery[1]).await.refused(StatusCode::UNAUTHORIZED, "wrong_code");
    show(&anyone, &token, &fresh[1]).await.is(StatusCode::OK);

    // Another person's codes are nothing.
    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    totp_on(&test, &eve).await;
    let token = mfa_token(&anyone, "eve@example.com").await;
    show(&anyone, &token, &fresh[2]).await.refused(StatusCode::UNAUTHORIZED, "wrong_code");
}

#[tokio::test]
async fn switching_it_off_takes_a_code() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let off = |code: String| ada.post("/api/user/totp/disable", json!({ "code": code }));
    off("123456".into()).await.refused(StatusCode::CONFLICT, "totp_not_enabled");
    let (phone, _) = totp_on(&test, &ada).await;
    off(phone.code(&test.app)).await.refused(StatusCode::FORBIDDEN, "wrong_code");
    off(phone.wrong(&test.app)).await.refused(StatusCode::FORBIDDEN, "wrong_code");
    later(&test);
    off(phone.code(&test.app)).await.is(StatusCode::NO_CONTENT);
    for table in [
        "select count(*) from recovery_codes",
        "select count(*) from totp_secrets",
        "select count(*) from secrets where purpose = 'totp'",
        "select count(*) from sessions where second_factor",
    ] {
        assert_eq!(count(&test.app, table).await, 0, "{table}");
    }
    assert!(login(&anyone, "ada@example.com").await.body["access_token"].is_string());
    assert_eq!(count(&test.app, "select count(*) from audit_log where action = 'auth.totp_disabled'").await, 1);

    // Off by a recovery code as well, by one of fifty at once.
    let (_, recovery) = totp_on(&test, &ada).await;
    let answers = join_all((0..50).map(|_| off(recovery[3].clone()))).await;
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::NO_CONTENT).count(), 1);
}

#[tokio::test]
async fn a_sign_in_that_waits_ends_with_its_time_and_its_password() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let (phone, _) = totp_on(&test, &ada).await;

    let token = mfa_token(&anyone, "ada@example.com").await;
    test.clock.shift(TimeDelta::seconds(301));
    show(&anyone, &token, &phone.code(&test.app)).await.refused(StatusCode::UNAUTHORIZED, "mfa_token_invalid");

    let token = mfa_token(&anyone, "ada@example.com").await;
    password_reset_by_host(&test.app, "ada@example.com", Secret::new("another place 8")).await.unwrap();
    later(&test);
    show(&anyone, &token, &phone.code(&test.app)).await.refused(StatusCode::UNAUTHORIZED, "mfa_token_invalid");
    password_reset_by_host(&test.app, "ada@example.com", Secret::new(PASSWORD)).await.unwrap();

    let token = mfa_token(&anyone, "ada@example.com").await;
    run(&test.app, "update users set suspended_at = now()").await;
    test.clock.shift(TimeDelta::seconds(61));
    show(&anyone, &token, &phone.code(&test.app)).await.refused(StatusCode::UNAUTHORIZED, "mfa_token_invalid");
    run(&test.app, "update users set suspended_at = null").await;
    show(&anyone, &token, &phone.code(&test.app)).await.is(StatusCode::OK);
}

#[tokio::test]
async fn the_host_is_the_way_back_in_without_a_phone() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    totp_on(&test, &ada).await;
    assert_eq!(login(&anyone, "ada@example.com").await.body["mfa_required"], true);
    assert!(totp_remove_by_host(&test.app, "nobody@example.com").await.is_err());
    totp_remove_by_host(&test.app, "ADA@example.com").await.unwrap();
    assert!(login(&anyone, "ada@example.com").await.body["access_token"].is_string());
    let by = "select count(*) from audit_log where action = 'auth.totp_disabled' and actor->>'type' = 'system'";
    assert_eq!(count(&test.app, by).await, 1);
    assert_eq!(count(&test.app, "select count(*) from sessions where second_factor").await, 0);
}

#[tokio::test]
async fn unknown_fields_are_refused() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let answer = anyone.post("/api/auth/login/totp", json!({ "mfa_token": "x", "code": "123456", "remember": true }));
    let answer = answer.await.is(StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"]["details"]["field"], "remember");
    let answer = anyone.post("/api/auth/login/totp", Value::Null).await.is(StatusCode::BAD_REQUEST);
    assert!(!answer.body.to_string().contains("panicked"));
}
