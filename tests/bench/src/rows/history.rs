//! L2: a long log searched, in the container that runs and in one that is gone.

use crate::report::Row;
use ocore_tests::client::Client;
use ocore_tests::provisioning::{CONTROL, begin_change};
use ocore_tests::{docker, odoo_log};
use serde_json::json;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// With their tracebacks 100,800 lines.
const ENTRIES: u64 = 72_000;
const SETTLE: Duration = Duration::from_secs(5);
/// Nobody says it: nothing may end the search early.
const NOWHERE: &str = "nobody-has-said-this";

/// Seconds for all pages of a search.
async fn search(client: &Client, id: &str, query: &str) -> f64 {
    let began = Instant::now();
    let mut before = String::new();
    loop {
        let path = format!("/api/instances/{id}/logs/history?limit=200&{query}{before}");
        let page = client.get(&path).await.is(200);
        match page["previous_cursor"].as_str().filter(|_| query.contains(NOWHERE)) {
            Some(cursor) => before = format!("&before={cursor}"),
            None => return began.elapsed().as_secs_f64(),
        }
    }
}

/// The same by the engine's own program and grep.
async fn docker_search(container: &str) -> f64 {
    let began = Instant::now();
    let mut docker = Command::new("docker");
    let mut docker =
        docker.args(["logs", container]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("docker runs");
    let lines: Stdio = docker.stdout.take().and_then(|out| out.try_into().ok()).expect("its output is piped");
    let grep = Command::new("grep").args(["--ignore-case", NOWHERE]).stdin(lines).stdout(Stdio::null()).status();
    assert!(!grep.await.expect("grep runs").success(), "it is found nowhere");
    drop(docker.wait().await);
    began.elapsed().as_secs_f64()
}

pub async fn run(client: &Client, id: &str, rounds: usize) -> Vec<Row> {
    let container = docker::odoo_container(id).await;
    odoo_log::write(&container, 0, ENTRIES).await;
    tokio::time::sleep(SETTLE).await;
    let (nowhere, errors) = (format!("q={NOWHERE}"), "level=ERROR");
    let (mut ours, mut theirs, mut levels) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        ours.push(search(client, id, &nowhere).await);
        theirs.push(docker_search(&container).await);
        levels.push(search(client, id, errors).await);
        let (ours, theirs, errors) = (ours[round - 1], theirs[round - 1], levels[round - 1]);
        println!("round {round}: a search {ours:.2} s, docker logs | grep {theirs:.2} s; errors {errors:.2} s");
    }
    let job = begin_change(client, id, json!({"env": {"COLOUR": "blue"}})).await;
    client.job_end(&job, CONTROL).await;
    let mut gone = Vec::new();
    for round in 1..=rounds {
        gone.push(search(client, id, &nowhere).await);
        println!("round {round}: a search in a container that is gone {:.2} s", gone[round - 1]);
    }
    let row = |what: &str, rounds: &[f64]| Row::of("L2", format!("100,000 lines with tracebacks: {what}"), "s", rounds);
    vec![
        row("what nobody has said, of the container that runs", &ours).against("docker logs | grep", &theirs),
        row("the newest errors, of the container that runs", &levels),
        row("what nobody has said, of a container that is gone", &gone),
    ]
}
