//! P8, P9, P10 and L2: log lines, keystrokes and files of a real Odoo container, beside `docker logs -f`,
//! `docker exec -it` and scp.

use super::{files, flood, history};
use crate::keys::{DockerShell, keystrokes};
use crate::lines::{docker_lines, our_lines};
use crate::report::Row;
use crate::stats::percentile;
use ocore_tests::client::{Client, text};
use ocore_tests::docker;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const PROVISION: Duration = Duration::from_secs(300);

/// Make an instance, measure, and remove it whatever happened meanwhile.
pub async fn run(client: &Client, server: &str, rounds: usize, directory: &Path) -> Vec<Row> {
    let wish = json!({"name": format!("Bench {}", std::process::id()), "server_id": server, "odoo_version": "14.0",
        "admin_email": "bench@example.com", "admin_password": "a bench only 3", "limits": {"cpus": 1, "memory_mb": 1024}});
    let accepted = client.post("/api/instances", wish).await.is(202);
    let (id, job) = (text(&accepted, "id"), text(&accepted, "job_id"));
    let job = client.job_end(&job, PROVISION).await;
    let measured = if job["status"] == "succeeded" {
        let (client, id, server) = (client.clone(), id.clone(), server.to_owned());
        let directory = directory.to_owned();
        tokio::spawn(async move { measure(&client, &id, &server, rounds, &directory).await })
            .await
            .map_err(|e| e.to_string())
    } else {
        Err(format!("the instance was not made: {}", job["failure"]))
    };
    let accepted = client.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
    client.job_end(&text(&accepted, "job_id"), PROVISION).await;
    measured.unwrap_or_else(|error| {
        println!("P8, P9, P10 and L2 are left out: {error}");
        Vec::new()
    })
}

async fn measure(client: &Client, id: &str, server: &str, rounds: usize, directory: &Path) -> Vec<Row> {
    let mut rows = history::run(client, id, rounds).await;
    let container = docker::odoo_container(id).await;
    rows.extend(log_lines(client, id, &container, rounds).await);
    rows.extend(flood::run(client, id, &container, rounds).await);
    rows.extend(typing(client, id, server, &container, rounds).await);
    rows.extend(files::run(client, id, rounds, directory).await);
    rows
}

/// Percentile of each round, in the order of the rounds.
fn each(rounds: &[Vec<f64>], share: f64) -> Vec<f64> {
    rounds.iter().map(|round| percentile(round, share)).collect()
}

async fn log_lines(client: &Client, id: &str, container: &str, rounds: usize) -> Vec<Row> {
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        theirs.push(docker_lines(container, &format!("docker-{round}")).await);
        ours.push(our_lines(client, id, container, &format!("ours-{round}")).await);
        let (a, b) = (percentile(&theirs[round - 1], 0.5), percentile(&ours[round - 1], 0.5));
        println!("round {round}: a log line p50 {b:.2} ms, docker logs -f {a:.2} ms");
    }
    [("p50", 0.5), ("p99", 0.99)]
        .map(|(name, share)| {
            Row::of(
                "P8",
                format!("log line, written in the container to seen in the stream, {name}"),
                "ms",
                &each(&ours, share),
            )
            .against(format!("docker logs -f, {name}"), &each(&theirs, share))
        })
        .into()
}

async fn typing(client: &Client, id: &str, server: &str, container: &str, rounds: usize) -> Vec<Row> {
    let mut shell = DockerShell::open(container);
    let mut console = client.websocket(&format!("/api/instances/{id}/console?mode=shell&cols=80&rows=24")).await;
    let mut host = client.websocket(&format!("/api/servers/{server}/terminal?cols=80&rows=24")).await;
    let (mut theirs, mut ours, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        theirs.push(keystrokes(&mut shell).await);
        ours.push(keystrokes(&mut console).await);
        hosts.push(keystrokes(&mut host).await);
        let p50 = |values: &[Vec<f64>]| percentile(&values[round - 1], 0.5);
        println!(
            "round {round}: a key p50 {:.2} ms, docker exec {:.2} ms, the server's shell {:.2} ms",
            p50(&ours),
            p50(&theirs),
            p50(&hosts)
        );
    }
    let row = |what: &str, values: &[Vec<f64>], name: &str, share: f64| {
        Row::of("P9", format!("{what}, key to echo, {name}"), "ms", &each(values, share))
            .against(format!("docker exec -it, {name}"), &each(&theirs, share))
    };
    vec![
        row("shell of an instance", &ours, "p50", 0.5),
        row("shell of an instance", &ours, "p99", 0.99),
        row("shell of a server", &hosts, "p50", 0.5),
        row("shell of a server", &hosts, "p99", 0.99),
    ]
}
