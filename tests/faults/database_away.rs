//! The database goes away and comes back: people are told to try again, agents stay connected, work goes on.

use http::Method;
use ocore_tests::client::{Client, text};
use ocore_tests::postgres::Cluster;
use ocore_tests::processes::Controller;
use ocore_tests::provisioning::{CONTROL, Provisioning};
use serde_json::json;
use std::time::{Duration, Instant};

const AWAY: Duration = Duration::from_secs(if cfg!(feature = "full") { 30 } else { 6 });
/// Longer than this is a hang.
const ANSWER: Duration = Duration::from_secs(10);

/// Ask for a while: every answer comes soon and is either whole or "try again".
async fn told_to_try_again(ada: &Client, during: Duration) {
    let end = Instant::now() + during;
    let mut refused = 0;
    while Instant::now() < end {
        let started = Instant::now();
        let answer = ada.get("/api/servers").await;
        assert!(started.elapsed() < ANSWER, "it hung for {:?}", started.elapsed());
        match answer.status.as_u16() {
            200 => {}
            503 => {
                refused += 1;
                assert!(answer.retry_after.is_some(), "when to try again: {}", answer.body);
            }
            other => panic!("{other}: {}", answer.body),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(refused > 0, "the database was away, but nobody noticed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_costs_no_work_and_no_tunnel() {
    let cluster = Cluster::start();
    let controller = Controller::start_on(&cluster.url()).await;
    let ada = controller.bootstrap().await;
    let (agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");
    let provisioning = Provisioning::begin(&ada, &server, "unwritten").await;
    provisioning.reaches(&ada, "initialise").await;

    cluster.stop_immediately();
    let check = format!("/api/servers/{server}/check");
    let key = [("idempotency-key", "asked in the dark")];
    let ask = || ada.try_call(Method::POST, &check, &key, Some(json!({})));
    ask().await.expect("an answer").refused(503, "unavailable");
    told_to_try_again(&ada, AWAY).await;
    cluster.run();
    ocore_tests::wait_for("an answer after the database's return", Duration::from_secs(5), || async {
        (ada.get("/api/servers").await.status == 200).then_some(())
    })
    .await;

    let job = text(&ask().await.expect("an answer").is(202), "job_id");
    assert_eq!(ada.job_end(&job, CONTROL).await["status"], "succeeded");
    let jobs = ada.get("/api/jobs?kind=noop").await.is(200);
    assert_eq!(jobs["data"].as_array().expect("jobs").len(), 1, "what was refused was not begun");
    provisioning.proven(&ada).await;
    let connected = agent.log().lines().filter(|l| l.contains("connected") && !l.contains("disconnected")).count();
    assert_eq!(connected, 1, "the tunnel stayed up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_database_is_started_again() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    controller.kill_database();
    ocore_tests::wait_for("the database's return", Duration::from_secs(30), || async {
        (ada.get("/api/servers").await.status == 200).then_some(())
    })
    .await;
    let accepted = ada.post(&format!("/api/servers/{}/check", text(&server, "id")), json!({})).await.is(202);
    assert_eq!(ada.job_end(&text(&accepted, "job_id"), CONTROL).await["status"], "succeeded");
}
