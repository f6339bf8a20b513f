//! A link for a new password works once, for an hour, for whoever reads the mailbox.

use crate::identity::authentication::tests::{PASSWORD, Visitor, run, sign_in};
use crate::platform::mail::tests::{Sink, link_token, with_sink, work_off};
use crate::testing::TestApp;
use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::{Value, json};

const OTHER: &str = "another place 8";

async fn ask(nobody: &Visitor, email: &str) -> Value {
    nobody.post("/api/auth/forgot-password", json!({ "email": email })).await.is(StatusCode::ACCEPTED).body
}

async fn house(sink: &Sink) -> (TestApp, Visitor, Visitor) {
    let test = with_sink(sink).await;
    let nobody = Visitor::new(&test.app);
    let (ada, _) = nobody.bootstrap().await;
    (test, nobody, ada)
}

#[tokio::test]
async fn of_fifty_who_show_a_link_one_sets_the_password() {
    let sink = Sink::start().await;
    let (test, nobody, ada) = house(&sink).await;
    assert_eq!(ask(&nobody, "Ada@example.com").await, ask(&nobody, "nobody@example.com").await);
    ask(&nobody, "ada@example.com").await;
    work_off(&test.app).await;
    assert_eq!(sink.mails().len(), 2, "and none to who has no account");
    let (first, second) = (link_token(&sink.mails()[0]), link_token(&sink.mails()[1]));
    let reset = |token: &str, password: String| {
        let (nobody, body) = (nobody.clone(), json!({ "token": token, "password": password }));
        async move { nobody.post("/api/auth/reset-password", body).await }
    };
    // A weak password does not use the link up.
    reset(&first, "password1".into()).await.is(StatusCode::BAD_REQUEST);
    ada.get("/api/user").await.is(StatusCode::OK);
    let answers = join_all((0..50).map(|i| reset(&first, format!("a new place {i}")))).await;
    let won: Vec<usize> = (0..50).filter(|i| answers[*i].status == StatusCode::NO_CONTENT).collect();
    assert_eq!(won.len(), 1);
    let won = format!("a new place {}", won[0]);
    ada.get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
    let login = |password: String| {
        let (nobody, body) = (nobody.clone(), json!({ "email": "ada@example.com", "password": password }));
        async move { nobody.post("/api/auth/login", body).await }
    };
    login(PASSWORD.into()).await.refused(StatusCode::UNAUTHORIZED, "invalid_credentials");
    login(won).await.is(StatusCode::OK);
    // The other link is void with it, and the mailbox is told.
    let refused = reset(&second, OTHER.into()).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(refused.body["error"]["details"]["field"], "token");
    work_off(&test.app).await;
    assert!(sink.mails().last().unwrap().contains("Your password was changed"));
}

#[tokio::test]
async fn a_link_ends_with_its_hour_and_with_its_account() {
    let sink = Sink::start().await;
    let (test, nobody, _) = house(&sink).await;
    let reset = |token: String| {
        let (nobody, body) = (nobody.clone(), json!({ "token": token, "password": OTHER }));
        async move { nobody.post("/api/auth/reset-password", body).await }
    };
    ask(&nobody, "ada@example.com").await;
    work_off(&test.app).await;
    let late = link_token(&sink.mails()[0]);
    test.clock.shift(chrono::TimeDelta::minutes(61));
    reset(late).await.is(StatusCode::BAD_REQUEST);
    ask(&nobody, "ada@example.com").await;
    work_off(&test.app).await;
    let token = link_token(&sink.mails()[1]);
    run(&test.app, "update users set suspended_at = now()").await;
    reset(token.clone()).await.is(StatusCode::BAD_REQUEST);
    ask(&nobody, "ada@example.com").await;
    work_off(&test.app).await;
    assert_eq!(sink.mails().len(), 2, "who is suspended gets none");
    run(&test.app, "update users set suspended_at = null, email = 'other@example.com'").await;
    reset(token.clone()).await.is(StatusCode::BAD_REQUEST);
    run(&test.app, "update users set email = 'ada@example.com'").await;
    reset(token).await.is(StatusCode::NO_CONTENT);
    for made_up in ["", "x", "ünicode", &"x".repeat(10_000)] {
        reset(made_up.into()).await.is(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_reset_lifts_the_lock_and_no_link_is_stored_or_told() {
    let sink = Sink::start().await;
    let (test, nobody, _) = house(&sink).await;
    let wrong = json!({ "email": "ada@example.com", "password": "wrong 1 password" });
    join_all((0..12).map(|_| nobody.post("/api/auth/login", wrong.clone()))).await;
    ask(&nobody, "ada@example.com").await;
    work_off(&test.app).await;
    let token = link_token(&sink.mails()[0]);
    let dump: String = sqlx::query_scalar(
        "select concat((select json_agg(t) from mailed_tokens t), (select json_agg(m) from mails m),
                       (select json_agg(j) from jobs j), (select json_agg(a) from audit_log a))",
    )
    .fetch_one(test.app.db.system())
    .await
    .unwrap();
    assert!(!dump.contains(&token));
    nobody
        .post("/api/auth/reset-password", json!({ "token": token, "password": PASSWORD }))
        .await
        .is(StatusCode::NO_CONTENT);
    sign_in(&test.app, "ada@example.com").await;
    let dump: String =
        sqlx::query_scalar("select json_agg(a)::text from audit_log a").fetch_one(test.app.db.system()).await.unwrap();
    assert!(dump.contains("auth.password_reset") && !dump.contains(PASSWORD));
}
