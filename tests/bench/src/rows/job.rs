//! P6: a no-op job to a real agent, from the call's first byte until the event of its success is seen. The agent has it
//! on disk before it starts, and the controller before it tells.

use crate::events;
use crate::machine::disk_sync;
use crate::report::Row;
use crate::stats::{milliseconds, percentile};
use ocore_tests::client::{Client, text};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

const JOBS: usize = 40;
const SYNCS: usize = 20;
const WARM: usize = 10;
const LIMIT: Duration = Duration::from_secs(30);

pub async fn run(client: &Client, server: &str, rounds: usize, directory: &Path) -> Vec<Row> {
    let mut succeeded = events::succeeded(client).await;
    let (mut all, mut medians, mut worst) = (Vec::new(), Vec::new(), Vec::new());
    let (mut syncs, mut worst_syncs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let count = if round == 0 { WARM } else { JOBS };
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            let accepted = client.post(&format!("/api/servers/{server}/check"), json!({})).await.is(202);
            let job = text(&accepted, "job_id");
            let end = async {
                loop {
                    let (id, at) = succeeded.recv().await.expect("the stream of events goes on");
                    if id == job {
                        return at;
                    }
                }
            };
            let at = tokio::time::timeout(LIMIT, end).await.expect("a no-op ends in time");
            times.push(milliseconds(at - began));
        }
        if round == 0 {
            continue;
        }
        let (sync, worst_sync) = disk_sync(directory, SYNCS);
        let (p50, p99) = (percentile(&times, 0.5), percentile(&times, 0.99));
        println!(
            "round {round}: no-op p50 {p50:.1} ms, p99 {p99:.1} ms; one sync {sync:.1} ms, p99 {worst_sync:.1} ms"
        );
        medians.push(p50);
        worst.push(p99);
        syncs.push(sync);
        worst_syncs.push(worst_sync);
        all.extend(times);
    }
    let peer = "one write + fdatasync of this disk";
    let p99 =
        Row { value: percentile(&all, 0.99), ..Row::of("P6", format!("the same, p99 of {}", all.len()), "ms", &worst) };
    vec![
        Row::of("P6", "no-op job, API call to success seen, durable on both sides, p50", "ms", &medians)
            .against(format!("{peer}, p50"), &syncs),
        p99.against(format!("{peer}, p99"), &worst_syncs),
    ]
}
