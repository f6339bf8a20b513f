//! Accounts are made as far as the settings allow it, and nobody learns whose address has one.

use crate::app::App;
use crate::identity::authentication::tests::{Answer, PASSWORD, Visitor, run, sign_in};
use crate::identity::members::tests::Company;
use crate::platform::mail::tests::{Sink, link_token, with_sink, work_off};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use futures::future::join_all;
use serde_json::{Value, json};

async fn mode(ada: &Visitor, mode: &str) {
    ada.send(Method::PUT, "/api/admin/settings", Some(json!({ "signup": mode }))).await.is(StatusCode::OK);
}

fn wish(email: &str) -> Value {
    json!({ "email": email, "name": "Vic", "password": PASSWORD })
}

async fn count(app: &App, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(app.db.system()).await.unwrap()
}

async fn login(visitor: &Visitor, email: &str, password: &str) -> Answer {
    visitor.post("/api/auth/login", json!({ "email": email, "password": password })).await
}

/// Open to everybody, with mail; Ada is the administrator.
async fn open_house(sink: &Sink) -> (TestApp, Visitor) {
    let test = with_sink(sink).await;
    let nobody = Visitor::new(&test.app);
    let (ada, _) = nobody.bootstrap().await;
    mode(&ada, "open").await;
    (test, nobody)
}

#[tokio::test]
async fn nobody_signs_up_unless_the_settings_say_so() {
    let test = TestApp::start().await;
    let nobody = Visitor::new(&test.app);
    nobody.post("/api/auth/signup", wish("vic@example.com")).await.refused(StatusCode::FORBIDDEN, "signup_closed");
    let (ada, _) = nobody.bootstrap().await;
    nobody.post("/api/auth/signup", wish("vic@example.com")).await.refused(StatusCode::FORBIDDEN, "signup_closed");
    assert_eq!(nobody.get("/api/auth/bootstrap/status").await.body["signup"], "closed");
    mode(&ada, "invitation").await;
    let refused = nobody.post("/api/auth/signup", wish("vic@example.com")).await;
    refused.refused(StatusCode::FORBIDDEN, "invitation_required");
    let mut made_up = wish("vic@example.com");
    made_up["invitation_token"] = json!("made up");
    nobody.post("/api/auth/signup", made_up).await.is(StatusCode::NOT_FOUND);
    assert_eq!(count(&test.app, "select count(*) from users").await, 1);
}

#[tokio::test]
async fn without_mail_the_account_is_there_at_once_and_once() {
    let test = TestApp::start().await;
    let nobody = Visitor::new(&test.app);
    let (ada, _) = nobody.bootstrap().await;
    mode(&ada, "open").await;
    let answers = join_all((0..50).map(|i| {
        let visitor = nobody.clone().from(&format!("10.0.0.{i}:1"));
        async move { visitor.post("/api/auth/signup", wish("Vic@example.com")).await }
    }))
    .await;
    // A machine that is busy turns some away, before they change anything.
    let (done, busy): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::CREATED);
    assert!(done.len() > 3 && busy.iter().all(|answer| answer.code() == "unavailable"), "{answers:?}");
    assert!(done.iter().all(|answer| answer.body == json!({ "verification_required": false })));
    assert_eq!(count(&test.app, "select count(*) from users").await, 2);
    assert_eq!(count(&test.app, "select count(*) from organizations").await, 2);
    let vic = sign_in(&test.app, "vic@example.com").await;
    let account = vic.get("/api/user").await.is(StatusCode::OK);
    assert_eq!(account.body["organizations"][0]["role"], "owner");
    assert_eq!(account.body["organizations"][0]["name"], "Vic's organization");
    assert_eq!(account.body["default_organization_id"], account.body["organizations"][0]["id"]);
    assert_eq!(account.body["is_admin"], false);
    vic.get("/api/environments").await.is(StatusCode::OK);
    // Whoever came too late was written to, and not fifty times.
    let kept = count(&test.app, "select count(*) from mails where template = 'signup_again'").await;
    assert_eq!(kept, 3);
}

#[tokio::test]
async fn with_mail_the_account_is_made_by_the_link() {
    let sink = Sink::start().await;
    let (test, nobody) = open_house(&sink).await;
    let asked = nobody.post("/api/auth/signup", wish("vic@example.com")).await.is(StatusCode::CREATED);
    assert_eq!(asked.body, json!({ "verification_required": true }));
    assert_eq!(count(&test.app, "select count(*) from users").await, 1);
    login(&nobody, "vic@example.com", PASSWORD).await.refused(StatusCode::FORBIDDEN, "email_unverified");
    login(&nobody, "vic@example.com", "wrong 1 password")
        .await
        .refused(StatusCode::UNAUTHORIZED, "invalid_credentials");
    work_off(&test.app).await;
    let first = link_token(&sink.mails()[0]);

    nobody.post("/api/auth/verify-email/resend", json!({ "email": "VIC@example.com" })).await.is(StatusCode::ACCEPTED);
    work_off(&test.app).await;
    let second = link_token(&sink.mails()[1]);
    let verify = |token: &str| {
        let (nobody, body) = (nobody.clone(), json!({ "token": token }));
        async move { nobody.post("/api/auth/verify-email", body).await }
    };
    verify(&first).await.is(StatusCode::BAD_REQUEST);
    let answers = join_all((0..50).map(|_| verify(&second))).await;
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::OK).count(), 1);
    assert!(answers.iter().all(|a| [StatusCode::OK, StatusCode::BAD_REQUEST].contains(&a.status)), "{answers:?}");
    login(&nobody, "vic@example.com", PASSWORD).await.is(StatusCode::OK);
    assert_eq!(count(&test.app, "select count(*) from signups").await, 0);
    assert_eq!(count(&test.app, "select count(*) from organizations").await, 2);
}

#[tokio::test]
async fn nobody_learns_whose_address_has_an_account() {
    let sink = Sink::start().await;
    let (test, nobody) = open_house(&sink).await;
    let mut answers = Vec::new();
    for email in ["ada@example.com", "nobody@example.com"] {
        let mut body = wish(email);
        body["password"] = json!("another place 8");
        let up = nobody.post("/api/auth/signup", body).await;
        let waiting = login(&nobody, email, "another place 8").await;
        let wrong = login(&nobody, email, "wrong 1 password").await;
        let again = nobody.post("/api/auth/verify-email/resend", json!({ "email": email })).await;
        let forgot = nobody.post("/api/auth/forgot-password", json!({ "email": email })).await;
        answers.push([up, waiting, wrong, again, forgot].map(|a| (a.status, a.body)));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][1].0, StatusCode::FORBIDDEN);
    work_off(&test.app).await;
    let to = |address: &str| {
        let mails = sink.mails().into_iter().filter(|mail| mail.contains(&format!("To: {address}")));
        mails.collect::<Vec<String>>()
    };
    let (known, unknown) = (to("ada@example.com"), to("nobody@example.com"));
    assert!(known.iter().any(|mail| mail.contains("There is an account already")), "{known:?}");
    assert!(known.iter().all(|mail| !mail.contains("/verify-email")));
    assert!(unknown.iter().all(|mail| !mail.contains("/reset-password")), "{unknown:?}");
    // The link that Ada got is hers alone, and her own password goes on working meanwhile.
    sign_in(&test.app, "ada@example.com").await;
}

#[tokio::test]
async fn an_address_is_not_flooded_and_a_client_does_not_flood() {
    let sink = Sink::start().await;
    let (test, nobody) = open_house(&sink).await;
    for i in 0..8 {
        let visitor = nobody.clone().from(&format!("10.0.0.{i}:1"));
        visitor.post("/api/auth/signup", wish("vic@example.com")).await.is(StatusCode::CREATED);
        visitor.post("/api/auth/forgot-password", json!({ "email": "ada@example.com" })).await.is(StatusCode::ACCEPTED);
    }
    work_off(&test.app).await;
    assert_eq!(sink.mails().len(), 6, "three for each");
    let one = nobody.clone().from("10.9.9.9:1");
    let tries = join_all((0..50).map(|i| {
        let one = one.clone();
        async move { one.post("/api/auth/forgot-password", json!({ "email": format!("x{i}@example.com") })).await }
    }))
    .await;
    let taken = tries.iter().filter(|answer| answer.status == StatusCode::ACCEPTED).count();
    let refused = tries.iter().filter(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS).count();
    assert_eq!((taken, refused), (10, 40));
    // After a while it goes on.
    test.clock.shift(chrono::TimeDelta::minutes(16));
    one.post("/api/auth/forgot-password", json!({ "email": "ada@example.com" })).await.is(StatusCode::ACCEPTED);
    work_off(&test.app).await;
    assert_eq!(sink.mails().len(), 7);
}

#[tokio::test]
async fn an_address_that_got_an_account_meanwhile_gets_no_second_one() {
    let sink = Sink::start().await;
    let (test, nobody) = open_house(&sink).await;
    for _ in 0..2 {
        nobody.post("/api/auth/signup", wish("vic@example.com")).await.is(StatusCode::CREATED);
    }
    work_off(&test.app).await;
    let tokens: Vec<String> = sink.mails().iter().map(|mail| link_token(mail)).collect();
    nobody.post("/api/auth/verify-email", json!({ "token": tokens[0] })).await.is(StatusCode::OK);
    nobody.post("/api/auth/verify-email", json!({ "token": tokens[1] })).await.is(StatusCode::BAD_REQUEST);

    nobody.post("/api/auth/signup", wish("kim@example.com")).await.is(StatusCode::CREATED);
    work_off(&test.app).await;
    let late = link_token(sink.mails().last().unwrap());
    crate::identity::authentication::tests::stranger(&test.app, "Kim@example.com").await;
    let refused = nobody.post("/api/auth/verify-email", json!({ "token": late })).await;
    refused.refused(StatusCode::CONFLICT, "account_exists");
    nobody.post("/api/auth/signup", wish("joe@example.com")).await.is(StatusCode::CREATED);
    work_off(&test.app).await;
    let old = link_token(sink.mails().last().unwrap());
    test.clock.shift(chrono::TimeDelta::hours(25));
    nobody.post("/api/auth/verify-email", json!({ "token": old })).await.is(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_invitation_is_account_and_membership_in_one_go() {
    let company = Company::new().await;
    mode(&company.ada, "invitation").await;
    let role = company.role("developer").await;
    let body = json!({ "email": "vic@example.com", "role_id": role });
    let sent = company.ada.post("/api/members/invite", body).await.is(StatusCode::CREATED);
    let token = link_token(&sent.text("link"));
    let nobody = Visitor::new(company.app());
    let wish = |email: &str| {
        let mut body = wish(email);
        body["invitation_token"] = json!(token);
        body
    };
    nobody.post("/api/auth/signup", wish("eve@example.com")).await.refused(StatusCode::FORBIDDEN, "other_address");
    let answers = join_all((0..50).map(|i| {
        let visitor = nobody.clone().from(&format!("10.0.0.{i}:1"));
        let body = wish("Vic@Example.com");
        async move { visitor.post("/api/auth/signup", body).await }
    }))
    .await;
    let won: Vec<&Answer> = answers.iter().filter(|a| a.status == StatusCode::CREATED).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(won[0].body["verification_required"], false);
    let vic = sign_in(company.app(), "vic@example.com").await;
    let account = vic.get("/api/user").await.is(StatusCode::OK);
    assert_eq!(account.body["organizations"].as_array().unwrap().len(), 1);
    assert_eq!(account.body["organizations"][0]["role"], "developer");
    assert_eq!(account.body["default_organization_id"], won[0].body["organization_id"]);
    // An invited address that has an account signs in instead; a closed house lets nobody in.
    run(company.app(), "update invitations set accepted_at = null").await;
    nobody.post("/api/auth/signup", wish("vic@example.com")).await.refused(StatusCode::CONFLICT, "account_exists");
    mode(&company.ada, "closed").await;
    nobody.post("/api/auth/signup", wish("vic@example.com")).await.refused(StatusCode::FORBIDDEN, "signup_closed");
}

#[tokio::test]
async fn wrong_fields_are_told_by_name() {
    let test = TestApp::start().await;
    let nobody = Visitor::new(&test.app);
    let (ada, _) = nobody.bootstrap().await;
    mode(&ada, "open").await;
    for (field, value) in [
        ("email", json!("nonsense")),
        ("email", json!("a@example.com\r\nBcc: b@example.com")),
        ("name", json!("")),
        ("name", json!("a\u{202e}b")),
        ("name", json!("x".repeat(101))),
        ("password", json!("Password123!")),
        ("password", json!("short1")),
        ("organization_name", json!("x")),
        ("is_admin", json!(true)),
    ] {
        let mut body = wish("vic@example.com");
        body[field] = value;
        let answer = nobody.post("/api/auth/signup", body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{}", answer.body);
    }
    assert_eq!(count(&test.app, "select count(*) from users").await, 1);
}
