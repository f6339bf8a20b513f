//! One sample of the machine a minute, every 10 s while someone looks. Reads a handful of files of `/proc` per sample,
//! so that an idle agent costs next to nothing.

use crate::host::Host;
use crate::host::facts::{disk_space, is_internal_interface};
use chrono::{DateTime, Utc};
use ocore_shared::protocol::inventory::MetricsSample;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use sysinfo::{MemoryRefreshKind, System};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::events::EventHub;
use ocore_shared::clock::Clock;

const INTERVAL: Duration = Duration::from_secs(60);
/// Long enough for a rate.
const FIRST: Duration = Duration::from_secs(2);
const WATCHED_INTERVAL: Duration = Duration::from_secs(10);
/// Nobody looks longer than that without saying so again.
const MAX_WATCH: Duration = Duration::from_secs(3600);
const SECTOR: u64 = 512;

/// Until when someone looks. Cheap to clone.
#[derive(Clone)]
pub struct MetricsWatcher(Arc<watch::Sender<Option<Instant>>>);

impl Default for MetricsWatcher {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl MetricsWatcher {
    /// Sample more often for that long.
    pub fn watch(&self, time: Duration) {
        let until = Instant::now() + time.min(MAX_WATCH);
        self.0.send_modify(|at| *at = Some(at.map_or(until, |at| at.max(until))));
    }

    pub fn changes(&self) -> watch::Receiver<Option<Instant>> {
        self.0.subscribe()
    }

    /// Until the next sample.
    pub fn interval(&self) -> Duration {
        let watched = self.0.borrow().is_some_and(|until| Instant::now() < until);
        if watched { WATCHED_INTERVAL } else { INTERVAL }
    }
}

/// Sample until `stop`.
pub async fn run(
    host: Host, events: EventHub, clock: Arc<dyn Clock>, watcher: MetricsWatcher, stop: CancellationToken,
) {
    let mut sampler = Sampler::new();
    let mut changes = watcher.0.subscribe();
    // The first one soon, so that nobody waits a minute for what a new server does.
    let mut last = Instant::now().checked_sub(INTERVAL - FIRST).unwrap_or_else(Instant::now);
    loop {
        changes.borrow_and_update();
        tokio::select! {
            () = stop.cancelled() => return,
            // A watch that begins asks for a sample soon.
            _ = changes.changed() => continue,
            () = tokio::time::sleep_until(last + watcher.interval()) => {}
        }
        last = Instant::now();
        let (at, counts, root) = (clock.now(), host.container_counts(), host.docker_root());
        let sampled = tokio::task::spawn_blocking(move || {
            let sample = sampler.sample(at, counts, &root);
            (sampler, sample)
        });
        let Ok((back, sample)) = sampled.await else { return };
        sampler = back;
        events.metrics(sample);
    }
}

/// One sample without a before: rates are those of an instant. Blocks for some milliseconds.
pub fn sample_once(at: DateTime<Utc>, counts: (i32, i32), docker_root: &Path) -> MetricsSample {
    Sampler::new().sample(at, counts, docker_root)
}

/// Counters that only grow.
#[derive(Clone, Copy, Default)]
struct Counters {
    disk_read: u64,
    disk_written: u64,
    received: u64,
    sent: u64,
}

struct Sampler {
    system: Option<System>,
    disks: Vec<String>,
    before: Counters,
    at: Instant,
}

impl Sampler {
    fn new() -> Self {
        let mut system =
            System::new().inspect_err(|error| tracing::warn!(%error, "the system cannot be measured")).ok();
        system.iter_mut().for_each(System::refresh_cpu_usage);
        let disks = whole_disks();
        let before = Counters::read(&disks);
        Self { system, disks, before, at: Instant::now() }
    }

    fn sample(&mut self, at: DateTime<Utc>, (running, total): (i32, i32), docker_root: &Path) -> MetricsSample {
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram().with_swap());
        }
        let system = self.system.as_ref();
        let bytes = |read: fn(&System) -> u64| system.map_or(0, read) as i64;
        let now = Counters::read(&self.disks);
        let seconds = self.at.elapsed().as_secs_f64().max(0.001);
        let rate = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds) as i64;
        let load = System::load_average().unwrap_or_default();
        let disk = disk_space(docker_root);
        let sample = MetricsSample {
            at,
            cpu_percent: system.map_or(0.0, System::global_cpu_usage),
            load_1m: load.one as f32,
            load_5m: load.five as f32,
            load_15m: load.fifteen as f32,
            memory_total_bytes: bytes(System::total_memory),
            memory_used_bytes: bytes(System::used_memory),
            memory_available_bytes: bytes(System::available_memory),
            swap_used_bytes: bytes(System::used_swap),
            disk_total_bytes: disk.as_ref().map_or(0, |d| d.total as i64),
            disk_used_bytes: disk.as_ref().map_or(0, |d| d.used as i64),
            disk_read_bytes_per_second: rate(now.disk_read, self.before.disk_read),
            disk_write_bytes_per_second: rate(now.disk_written, self.before.disk_written),
            network_rx_bytes_per_second: rate(now.received, self.before.received),
            network_tx_bytes_per_second: rate(now.sent, self.before.sent),
            containers_running: running,
            containers_total: total,
            processes: count_processes(),
            uptime_seconds: System::uptime().unwrap_or(0) as i64,
            agent_memory_bytes: own_memory(),
        };
        self.before = now;
        self.at = Instant::now();
        sample
    }
}

impl Counters {
    fn read(disks: &[String]) -> Self {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        let (disk_read, disk_written) = disk_bytes(&text("/proc/diskstats"), disks);
        let (received, sent) = network_bytes(&text("/proc/net/dev"));
        Self { disk_read, disk_written, received, sent }
    }
}

/// Disks that are neither partitions nor built upon others, so that no byte counts twice.
fn whole_disks() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    names.filter(|n| !["loop", "ram", "zram", "dm-", "md", "sr"].iter().any(|p| n.starts_with(p))).collect()
}

fn disk_bytes(diskstats: &str, disks: &[String]) -> (u64, u64) {
    let mut sum = (0, 0);
    for line in diskstats.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if !fields.get(2).is_some_and(|name| disks.iter().any(|d| d == name)) {
            continue;
        }
        let sectors = |index: usize| fields.get(index).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
        sum.0 += sectors(5) * SECTOR;
        sum.1 += sectors(9) * SECTOR;
    }
    sum
}

fn network_bytes(dev: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for (name, counters) in dev.lines().filter_map(|line| line.split_once(':')) {
        if is_internal_interface(name.trim()) {
            continue;
        }
        let numbers: Vec<u64> = counters.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        sum.0 += numbers.first().unwrap_or(&0);
        sum.1 += numbers.get(8).unwrap_or(&0);
    }
    sum
}

fn count_processes() -> i32 {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter(|e| e.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit)).count() as i32
}

fn own_memory() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<i64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_inner_interfaces_do_not_count() {
        let diskstats = "   8 0 sda 10 0 100 5 20 0 200 7 0 0 0\n   8 1 sda1 10 0 100 5 20 0 200 7 0 0 0\n";
        assert_eq!(disk_bytes(diskstats, &["sda".into()]), (100 * 512, 200 * 512));
        let dev = "Inter-| Receive\n face |bytes\n    lo: 5 0 0 0 0 0 0 0 5 0\n  eth0: 70 1 0 0 0 0 0 0 90 1\n\
                   veth1: 9 0 0 0 0 0 0 0 9 0\ndocker0: 9 0 0 0 0 0 0 0 9 0\n";
        assert_eq!(network_bytes(dev), (70, 90));
    }

    #[test]
    fn this_machine_can_be_sampled() {
        let sample = Sampler::new().sample(DateTime::UNIX_EPOCH, (1, 2), Path::new("/"));
        assert!(sample.memory_total_bytes > sample.memory_used_bytes);
        assert!(sample.processes > 0 && sample.agent_memory_bytes > 0 && sample.uptime_seconds > 0);
        assert_eq!((sample.containers_running, sample.containers_total), (1, 2));
    }
}
