//! Work survives the death of either side, and runs once.

use ocore_tests::client::{Client, text};
use ocore_tests::docker;
use ocore_tests::processes::{Agent, Controller};
use serde_json::{Value, json};
use std::time::Duration;

const PROVISION: Duration = Duration::from_secs(300);
const CONTROL: Duration = Duration::from_secs(120);

/// Steps of provisioning, in order.
const STEPS: [&str; 10] = [
    "pull_image",
    "pull_postgres_image",
    "network",
    "postgres",
    "database",
    "config",
    "initialise",
    "admin",
    "start",
    "health",
];

async fn provision(ada: &Client, server: &str, name: &str) -> (String, String) {
    let name = format!("{name} {}", uuid::Uuid::now_v7().simple());
    let wish = json!({"name": name, "server_id": server, "odoo_version": "14.0", "admin_login": "admin",
        "admin_password": "long enough 1"});
    let accepted = ada.post("/api/instances", wish).await.is(202);
    (text(&accepted, "id"), text(&accepted, "job_id"))
}

/// The job ended well, once, with one set of containers and a whole log; then everything is removed.
async fn proven(ada: &Client, id: &str, job: &str) {
    let job: Value = ada.job_end(job, PROVISION).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    let label = format!("sh.ocore.instance={id}");
    let containers: Vec<String> = docker::objects(&label).await.into_iter().filter(|n| n.starts_with('/')).collect();
    assert_eq!(containers.len(), 2, "one Odoo and one PostgreSQL: {containers:?}");
    let log = ada.get(&format!("/api/instances/{id}/install-logs")).await.is(200);
    let lines = log["data"].as_array().expect("lines");
    assert!(lines.iter().enumerate().all(|(i, line)| line["seq"] == i + 1), "no line is missing or doubled");
    let loaded = |l: &&Value| l["text"].as_str().unwrap_or_default().contains("Modules loaded.");
    assert_eq!(lines.iter().filter(loaded).count(), 1, "Odoo was initialised once");
    let events = ada.get(&format!("/api/jobs?instance_id={id}&kind=instance_provision")).await.is(200);
    assert_eq!(events["data"].as_array().expect("jobs").len(), 1);

    let accepted = ada.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
    assert_eq!(ada.job_end(&text(&accepted, "job_id"), CONTROL).await["status"], "succeeded");
    assert_eq!(docker::objects(&label).await, Vec::<String>::new());
}

async fn killed_at(controller: &Controller, ada: &Client, agent: &mut Agent, server: &str, step: &str) {
    agent.kill();
    ada.server_is(server, "offline").await;
    agent.run_with_failpoint(&format!("instance_provision.{step}.after=kill"));
    ada.server_online(server).await;
    let (id, job) = provision(ada, server, &format!("killed at {step}")).await;
    agent.run_again_after_its_end(PROVISION).await;
    proven(ada, &id, &job).await;
    assert!(controller.log().contains("agent connected"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_goes_on_where_it_was() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (mut agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");
    let steps: &[&str] = if cfg!(feature = "full") { &STEPS } else { &["postgres", "initialise"] };
    for step in steps {
        killed_at(&controller, &ada, &mut agent, &server, step).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_is_killed_finds_everything_done() {
    let mut controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");

    // A terminal that is typed into across the death.
    let mut terminal = ada.websocket(&format!("/api/servers/{server}/terminal")).await;
    terminal.type_text("echo before-$((1+1))\r").await;
    terminal.expect("before-2", Duration::from_secs(15)).await;

    let (id, job) = provision(&ada, &server, "orphan").await;
    let steps: &[&str] = if cfg!(feature = "full") { &STEPS } else { &["postgres"] };
    for step in steps {
        let path = format!("/api/jobs/{job}");
        ocore_tests::wait_for(&format!("step {step}"), PROVISION, || async {
            let job = ada.try_call(http::Method::GET, &path, &[], None).await.ok()?.body;
            let steps = job["steps"].as_array()?.clone();
            steps.iter().any(|s| s["name"] == *step && s["status"] != "pending").then_some(())
        })
        .await;
        controller.kill();
        controller.run().await;
    }

    ada.server_online(&server).await;
    let again = format!(
        "/api/servers/{server}/terminal?terminal_id={}&after={}",
        terminal.id.as_deref().expect("an id"),
        terminal.received
    );
    let mut terminal = ada.websocket(&again).await;
    terminal.type_text("echo after-$((2+2))\r").await;
    terminal.expect("after-4", Duration::from_secs(15)).await;
    assert!(!terminal.seen.contains("before-2"), "what was seen is not shown twice");
    proven(&ada, &id, &job).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_repeated_is_carried_out_once() {
    let mut controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let path = format!("/api/servers/{}/check", text(&server, "id"));
    let headers = [("idempotency-key", "once-and-only-once")];
    let call = || ada.try_call(http::Method::POST, &path, &headers, Some(json!({})));
    let first = text(&call().await.expect("an answer").is(202), "job_id");
    assert_eq!(text(&call().await.expect("an answer").is(202), "job_id"), first);
    assert_eq!(ada.job_end(&first, CONTROL).await["status"], "succeeded");
    controller.kill();
    controller.run().await;
    assert_eq!(text(&call().await.expect("an answer").is(202), "job_id"), first);
    let jobs = ada.get("/api/jobs?kind=noop").await.is(200);
    assert_eq!(jobs["data"].as_array().expect("jobs").len(), 1);
    let other = ada.try_call(http::Method::POST, &path, &headers, Some(json!({"other": 1}))).await;
    other.expect("an answer").refused(422, "idempotency_key_reused");
}
