//! From outside nobody learns who has an account: not by the status, the body, the headers or the time.

use crate::identity::authentication::tests::{Answer, PASSWORD, Visitor, run, stranger};
use crate::testing::TestApp;
use axum::http::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};

/// Everything of an answer but what is another one's each time.
fn told(answer: &Answer) -> (StatusCode, String, Vec<(String, String)>) {
    let headers =
        answer.headers.iter().filter(|(name, _)| !["x-request-id", "date", "retry-after"].contains(&name.as_str()));
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned())).collect();
    (answer.status, answer.body.to_string(), headers)
}

#[tokio::test]
async fn signing_in_tells_nobody_who_is_there() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    anyone.bootstrap().await;
    for email in ["gone@example.com", "locked@example.com", "without@example.com"] {
        stranger(&test.app, email).await;
    }
    run(&test.app, "update users set deactivated_at = now() where email = 'gone@example.com'").await;
    run(&test.app, "update users set suspended_at = now() where email = 'locked@example.com'").await;
    run(&test.app, "update users set password_hash = null where email = 'without@example.com'").await;

    // The right password of an account that is closed says no more than a wrong one.
    let cases = [
        ("nobody@example.com", PASSWORD),
        ("ada@example.com", "wrong password 1"),
        ("ADA@EXAMPLE.COM", "wrong password 1"),
        ("ada@example.com", ""),
        ("ada@example.com", &"long 1 ".repeat(1000)),
        ("gone@example.com", PASSWORD),
        ("gone@example.com", "wrong password 1"),
        ("locked@example.com", PASSWORD),
        ("without@example.com", PASSWORD),
        ("without@example.com", ""),
    ];
    let mut first = None;
    let mut times: Vec<Vec<Duration>> = vec![vec![]; cases.len()];
    for round in 0..9 {
        for (case, (email, password)) in cases.iter().enumerate() {
            // An address of its own each time: the lock has its own test.
            let visitor = anyone.clone().from(&format!("192.0.2.{}:1", round * cases.len() + case + 1));
            let began = Instant::now();
            let answer = visitor.post("/api/auth/login", json!({"email": email, "password": password})).await;
            times[case].push(began.elapsed());
            let told = told(&answer);
            assert_eq!(told.0, StatusCode::UNAUTHORIZED);
            assert_eq!(*first.get_or_insert_with(|| told.clone()), told, "{email}");
        }
    }
    // The fastest of several is what is left when the machine's other work is taken away, most of it. Without the same
    // hashing for everybody the answers are ten and more times apart.
    let fastest: Vec<Duration> = times.iter().map(|all| *all.iter().min().unwrap()).collect();
    let (low, high) = (fastest.iter().min().unwrap(), fastest.iter().max().unwrap());
    assert!(*high < *low * 4, "who is there can be timed: {fastest:?}");
}
