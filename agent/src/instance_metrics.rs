//! One sample of each running instance a minute, every 10 s while someone looks: from the kernel's own files, since the
//! engine takes a second for each answer. Sizes of database and files are measured every few minutes only.

use crate::events::EventHub;
use crate::host::Host;
use crate::host::docker::ExecSpec;
use crate::host::docker::cgroup::{self, Reading};
use crate::metrics::MetricsWatcher;
use crate::ops::odoo::record::{Record, Stage};
use crate::ops::{postgres, sql};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::health::InstanceSample;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two measurements of sizes.
const SLOW_INTERVAL: Duration = Duration::from_secs(300);
/// Instances whose sizes are measured at once; each costs a process or two in their containers.
const PARALLEL: usize = 2;
const SLOW_PATIENCE: Duration = Duration::from_secs(60);

/// Sample until `stop`.
pub async fn run(host: Host, events: EventHub, watcher: MetricsWatcher, stop: CancellationToken) {
    let mut known: HashMap<InstanceId, Known> = HashMap::new();
    let mut changes = watcher.changes();
    let mut last = Instant::now();
    loop {
        changes.borrow_and_update();
        tokio::select! {
            () = stop.cancelled() => return,
            _ = changes.changed() => continue,
            () = tokio::time::sleep_until(last + watcher.interval()) => {}
        }
        last = Instant::now();
        let records = running(&host);
        known.retain(|id, _| records.iter().any(|r| r.spec.instance_id == *id));
        let Some(sizes) = stop.run_until_cancelled(sizes_measure(&host, &records, &known)).await else { return };
        for (id, sizes) in sizes {
            known.entry(id).or_default().sizes = Some((Instant::now(), sizes));
        }
        let mut samples = Vec::new();
        for record in records {
            let known = known.entry(record.spec.instance_id).or_default();
            samples.extend(sample(&host, &record, known, host.clock.now()).await);
        }
        events.instance_metrics(samples);
    }
}

fn running(host: &Host) -> Vec<Record> {
    host.records.all().into_iter().filter(|r| r.stage == Stage::Ready && r.running).collect()
}

/// What is known of an instance from before.
#[derive(Default)]
struct Known {
    /// The container's first process, what it had used, and when.
    before: Option<(i64, Reading, Instant)>,
    sizes: Option<(Instant, Sizes)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sizes {
    database_bytes: Option<i64>,
    database_connections: Option<i32>,
    filestore_bytes: Option<i64>,
}

/// Measure those whose sizes are old.
async fn sizes_measure(
    host: &Host, records: &[Record], known: &HashMap<InstanceId, Known>,
) -> Vec<(InstanceId, Sizes)> {
    let is_due = |record: &&Record| {
        let last = known.get(&record.spec.instance_id).and_then(|k| k.sizes);
        last.is_none_or(|(at, _)| at.elapsed() >= SLOW_INTERVAL)
    };
    let due: Vec<Record> = records.iter().filter(is_due).cloned().collect();
    let measured = futures::stream::iter(due).map(|record| async move {
        let sizes = tokio::time::timeout(SLOW_PATIENCE, sizes_of(host, &record)).await.unwrap_or_default();
        (record.spec.instance_id, sizes)
    });
    measured.buffer_unordered(PARALLEL).collect().await
}

async fn sizes_of(host: &Host, record: &Record) -> Sizes {
    let mut sizes = Sizes::default();
    let name = &record.spec.database_name;
    if let Ok(literal) = sql::literal(name) {
        let text = format!(
            "SELECT pg_database_size({literal}), (SELECT count(*) FROM pg_stat_activity WHERE datname = {literal});"
        );
        let answer = postgres::sql(&host.docker, &record.postgres_container(), "postgres", &text).await;
        if let Some((bytes, connections)) = answer.ok().as_deref().and_then(|line| line.split_once('|')) {
            (sizes.database_bytes, sizes.database_connections) = (bytes.parse().ok(), connections.parse().ok());
        }
    }
    let path = format!("/var/lib/odoo/filestore/{name}");
    let older = format!("/var/lib/odoo/.local/share/Odoo/filestore/{name}");
    for path in [path, older] {
        let spec = ExecSpec::new(["du", "-sk", &path]);
        if let Ok(output) = host.docker.exec(&record.odoo_container(), spec, b"").await
            && let Some(kilobytes) = output.stdout.split_whitespace().next().and_then(|n| n.parse::<i64>().ok())
        {
            sizes.filestore_bytes = Some(kilobytes * 1024);
            break;
        }
    }
    sizes
}

/// One sample without a before: sizes and what is used now, but no rates.
#[cfg(test)]
pub async fn sample_once(host: &Host, record: &Record) -> Option<InstanceSample> {
    let sizes = Some((Instant::now(), sizes_of(host, record).await));
    sample(host, record, &mut Known { before: None, sizes }, host.clock.now()).await
}

/// None when its container does not run.
async fn sample(host: &Host, record: &Record, known: &mut Known, at: DateTime<Utc>) -> Option<InstanceSample> {
    let found = host.docker.inspect(&record.odoo_container()).await.ok()??;
    let pid = found.state?.pid.filter(|pid| *pid > 0)?;
    let now = (pid, cgroup::read(Path::new("/"), pid), Instant::now());
    let before = known.before.replace(now).filter(|(before, ..)| *before == pid);
    let sizes = known.sizes.map(|(_, sizes)| sizes).unwrap_or_default();
    let since = before.map(|(_, reading, then)| (reading, now.2.duration_since(then)));
    Some(put_together(record.spec.instance_id, at, now.1, since, sizes))
}

fn put_together(
    instance_id: InstanceId, at: DateTime<Utc>, now: Reading, before: Option<(Reading, Duration)>, sizes: Sizes,
) -> InstanceSample {
    // A counter that was set back, or a first reading, has no rate.
    let rate = |counter: fn(&Reading) -> Option<u64>| {
        let (before, time) = before.as_ref()?;
        let grown = counter(&now)?.checked_sub(counter(before)?)?;
        (!time.is_zero()).then(|| grown as f64 / time.as_secs_f64())
    };
    let bytes = |counter| rate(counter).map(|rate| rate as i64);
    InstanceSample {
        instance_id,
        at,
        cpu_percent: rate(|r| r.cpu_nanoseconds).map(|nanoseconds| (nanoseconds / 1e7) as f32),
        memory_used_bytes: now.memory_bytes.map(|n| n as i64),
        memory_rss_bytes: now.memory_rss_bytes.map(|n| n as i64),
        memory_limit_bytes: now.memory_limit_bytes.map(|n| n as i64),
        network_rx_bytes_per_second: bytes(|r| r.network.map(|(received, _)| received)),
        network_tx_bytes_per_second: bytes(|r| r.network.map(|(_, sent)| sent)),
        block_read_bytes_per_second: bytes(|r| r.block.map(|(read, _)| read)),
        block_write_bytes_per_second: bytes(|r| r.block.map(|(_, written)| written)),
        processes: now.pids.map(|n| n as i32),
        database_bytes: sizes.database_bytes,
        database_connections: sizes.database_connections,
        filestore_bytes: sizes.filestore_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_need_two_readings_and_unknown_stays_unknown() {
        let reading = |cpu, network| Reading { cpu_nanoseconds: Some(cpu), network, ..Reading::default() };
        let at = DateTime::UNIX_EPOCH;
        let told = |now, before| put_together(InstanceId::new(), at, now, before, Sizes::default());
        let two_seconds = Duration::from_secs(2);
        let busy = told(reading(3_000_000_000, None), Some((reading(1_000_000_000, Some((1, 1))), two_seconds)));
        assert_eq!(busy.cpu_percent, Some(100.0));
        assert_eq!((busy.network_rx_bytes_per_second, busy.memory_used_bytes), (None, None));
        let sent = told(reading(0, Some((500, 40))), Some((reading(0, Some((100, 40))), two_seconds)));
        assert_eq!((sent.network_rx_bytes_per_second, sent.network_tx_bytes_per_second), (Some(200), Some(0)));
        assert_eq!(told(reading(5, Some((1, 1))), None).cpu_percent, None);
        let back = told(reading(1, None), Some((reading(9, None), two_seconds)));
        assert_eq!(back.cpu_percent, None, "set back");
    }
}
