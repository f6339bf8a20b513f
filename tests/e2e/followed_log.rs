//! Many people follow one log: a flood, a cut wire and a reader that stops. Every line is seen or counted.

use ocore_tests::client::{Client, Events, text};
use ocore_tests::processes::Controller;
use ocore_tests::provisioning::{PROVISION, Provisioning};
use ocore_tests::{docker, odoo_log};
use serde_json::Value;
use std::time::Duration;

const READERS: usize = 8;
/// More than every ring and every socket's buffer on the way holds.
const LINES: u64 = 40_000;
const SEEN: Duration = Duration::from_secs(60);
/// Lines that Odoo itself may say in one gap, since it is asked for its health all the time.
const OTHERS: u64 = 20;

/// Writes numbered lines to the output of the container's first process.
const WRITER: &str = "\
import sys
out = open('/proc/1/fd/1', 'wb', buffering=0)
first, count = int(sys.argv[1]), int(sys.argv[2])
for number in range(first, first + count):
    out.write(b'2026-01-01 00:00:00,000 1 INFO flood flood.line: %d .........................................\\n' % number)
";

async fn write(container: &str, first: u64, count: u64) {
    odoo_log::run(container, WRITER, &[first, count]).await;
}

/// Follow from the newest line on, which is seen at once: from then on no line may be lost.
async fn follow(ada: &Client, id: &str) -> Events {
    let mut events = ada.events_open(&format!("/api/instances/{id}/logs?tail=1")).await;
    tokio::time::timeout(SEEN, events.next()).await.expect("in time").expect("the newest line");
    events
}

fn number(record: &Value) -> Option<u64> {
    record["text"].as_str()?.split_once("flood.line: ")?.1.split(' ').next()?.parse().ok()
}

/// Read up to line `last`. Every number that is missing must be counted by a mark right there.
async fn read_to(events: &mut Events, last: u64) -> u64 {
    let (mut expected, mut dropped, mut all_dropped) = (1, 0_u64, 0);
    let work = async {
        loop {
            let (_, _, record) = events.next().await.expect("the log goes on");
            dropped += record["dropped"].as_u64().unwrap_or(0);
            let Some(number) = number(&record) else { continue };
            // A mark counts Odoo's own lines, too; without one, nothing is missing.
            let possible = expected + dropped.saturating_sub(OTHERS)..=expected + dropped;
            let before = expected - 1;
            assert!(possible.contains(&number), "line {number} after {before}, {dropped} counted as left out");
            all_dropped += dropped;
            (expected, dropped) = (number + 1, 0);
            if number == last {
                return all_dropped;
            }
        }
    };
    tokio::time::timeout(SEEN, work).await.expect("the last line is seen")
}

async fn remove(ada: &Client, id: &str) {
    let accepted = ada.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
    assert_eq!(ada.job_end(&text(&accepted, "job_id"), PROVISION).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_is_seen_or_counted() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (wire, _agent, server) = controller.add_server_by_wire(&ada, "first").await;
    let Provisioning { id, job } = Provisioning::begin(&ada, &text(&server, "id"), "followed").await;
    assert_eq!(ada.job_end(&job, PROVISION).await["status"], "succeeded");
    let container = docker::odoo_container(&id).await;

    let mut stopped = follow(&ada, &id).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut events = follow(&ada, &id).await;
        readers.push(tokio::spawn(async move { read_to(&mut events, LINES).await }));
    }
    write(&container, 1, 1000).await;
    wire.cut();
    write(&container, 1001, LINES - 1000).await;
    for reader in readers {
        reader.await.expect("a reader that sees or counts every line");
    }
    let left_out = read_to(&mut stopped, LINES).await;
    assert!(left_out > 0, "who does not read does not make others keep it all");

    // Who comes later reads the past whole.
    let mut later = ada.events_open(&format!("/api/instances/{id}/logs?tail=5000")).await;
    let (_, _, first) = later.next().await.expect("the past");
    // Odoo may have said something in between.
    assert!(number(&first).is_some_and(|n| (LINES - 4999..LINES - 4900).contains(&n)), "{first}");
    remove(&ada, &id).await;
}
