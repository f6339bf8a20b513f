//! P8 in bulk: a long log read whole, and readers that do not read.

use crate::lines::our_lines;
use crate::machine::{child, resident};
use crate::report::Row;
use crate::stats::percentile;
use futures::{StreamExt, stream};
use ocore_tests::client::{Client, Events};
use ocore_tests::odoo_log;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

const LINES: u64 = 200_000;
const READERS: usize = 1000;
/// Opened at once.
const PARALLEL: usize = 16;
const SETTLE: Duration = Duration::from_secs(5);
/// Until it has passed everybody who follows.
const PASSED: Duration = Duration::from_secs(30);
const MEGABYTE: f64 = 1e6;

const WRITER: &str = "\
import sys
out = open('/proc/1/fd/1', 'wb', buffering=0)
for number in range(int(sys.argv[1])):
    out.write(b'2026-01-01 00:00:00,000 1 INFO bench bench.flood: %07d %s\\n' % (number, b'.' * 60))
";

async fn write(container: &str) {
    odoo_log::run(container, WRITER, &[LINES]).await;
}

/// Bytes of the log that the engine hands out from this time on, and the seconds that it took.
async fn docker_read(container: &str, since: &str) -> (usize, f64) {
    let began = Instant::now();
    let mut command = Command::new("docker");
    command.args(["logs", "--since", since, container]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("docker runs");
    let mut output = child.stdout.take().expect("its output is piped");
    let (mut buffer, mut bytes) = (vec![0; 64 * 1024], 0);
    loop {
        match output.read(&mut buffer).await.expect("docker logs can be read") {
            0 => break,
            read => bytes += read,
        }
    }
    let _ = child.wait().await;
    (bytes, began.elapsed().as_secs_f64())
}

pub async fn run(client: &Client, id: &str, container: &str, rounds: usize) -> Vec<Row> {
    let page = client.get(&format!("/api/instances/{id}/logs/history?limit=1")).await.is(200);
    let (cursor, since) = (&page["lines"][0]["cursor"], &page["lines"][0]["at"]);
    let (cursor, since) = (cursor.as_str().expect("a cursor"), since.as_str().expect("a time"));
    write(container).await;
    tokio::time::sleep(SETTLE).await;
    let path = format!("/api/instances/{id}/logs?follow=0&after={cursor}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let began = Instant::now();
        let bytes = client.download(&path).await;
        ours.push(bytes as f64 / MEGABYTE / began.elapsed().as_secs_f64());
        let (docker_bytes, seconds) = docker_read(container, since).await;
        theirs.push(docker_bytes as f64 / MEGABYTE / seconds);
        println!(
            "round {round}: a long log {:.1} MB/s of {bytes} bytes, docker logs {:.1} MB/s",
            ours[round - 1],
            theirs[round - 1]
        );
    }
    let mut rows = vec![
        Row::of("P8", "a log of 200,000 lines read whole, as plain text", "MB/s", &ours)
            .against("docker logs", &theirs),
    ];
    rows.extend(stopped(client, id, container).await);
    rows
}

/// A thousand connections that are never read, a flood, and one person who does read.
async fn stopped(client: &Client, id: &str, container: &str) -> Vec<Row> {
    let (controller, agent) = (child("ocore-controller"), child("ocore-agent"));
    let alone = our_lines(client, id, container, "alone").await;
    let (controller_before, agent_before) = (resident(controller), resident(agent));
    let path = format!("/api/instances/{id}/logs?tail=1");
    let open = stream::iter(0..READERS).map(|_| client.events_open(&path)).buffer_unordered(PARALLEL);
    let readers: Vec<Events> = open.collect().await;
    write(container).await;
    tokio::time::sleep(PASSED).await;
    let each = |pid: u32, before: f64| (resident(pid) - before) / READERS as f64;
    let (controller_each, agent_each) = (each(controller, controller_before), each(agent, agent_before));
    let beside = our_lines(client, id, container, "beside").await;
    drop(readers);
    println!(
        "{READERS} stopped readers: {controller_each:.1} KiB each in the controller, {agent_each:.1} in the agent"
    );
    vec![
        Row::of("P8", "controller memory for each of 1,000 stopped readers, after a flood", "KiB", &[controller_each]),
        Row::of("P8", "agent memory for each of 1,000 stopped readers, after a flood", "KiB", &[agent_each]),
        Row::of("P8", "log line beside 1,000 stopped readers, p50", "ms", &[percentile(&beside, 0.5)])
            .against("the same without them", &[percentile(&alone, 0.5)]),
    ]
}
