//! What the kernel itself says about a container, for engines that cannot: under cgroup v1 with a controller missing
//! Docker reports nothing but zeroes.

use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

const BETWEEN_SAMPLES: Duration = Duration::from_secs(1);

#[derive(Debug, Default, PartialEq)]
pub struct Usage {
    /// 100 is one core.
    pub cpu_percent: f32,
    pub memory_bytes: Option<u64>,
    pub memory_limit_bytes: Option<u64>,
    pub pids: Option<u64>,
    pub network_rx_bytes: u64,
    pub network_tx_bytes: u64,
}

/// Takes a second, for two samples of the processor's time. `pid` is the container's first process.
pub async fn usage(root: &Path, pid: i64) -> Usage {
    let kernel = Kernel { root, pid };
    let (before, started) = (kernel.cpu_nanoseconds(), Instant::now());
    tokio::time::sleep(BETWEEN_SAMPLES).await;
    let used = kernel.cpu_nanoseconds().zip(before).map_or(0, |(now, before)| now.saturating_sub(before));
    let (network_rx_bytes, network_tx_bytes) = kernel.network().unwrap_or_default();
    Usage {
        cpu_percent: (used as f64 / started.elapsed().as_nanos() as f64 * 100.0) as f32,
        memory_bytes: kernel.memory(),
        memory_limit_bytes: kernel.memory_limit(),
        pids: kernel.number("pids", "pids.current", "pids.current"),
        network_rx_bytes,
        network_tx_bytes,
    }
}

/// Counters that only grow, and what is used now. None: the kernel does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    pub cpu_nanoseconds: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub memory_rss_bytes: Option<u64>,
    pub memory_limit_bytes: Option<u64>,
    pub pids: Option<u64>,
    /// Received and sent.
    pub network: Option<(u64, u64)>,
    /// Read and written.
    pub block: Option<(u64, u64)>,
}

/// Reads a handful of small files.
pub fn read(root: &Path, pid: i64) -> Reading {
    let kernel = Kernel { root, pid };
    Reading {
        cpu_nanoseconds: kernel.cpu_nanoseconds(),
        memory_bytes: kernel.memory(),
        memory_rss_bytes: kernel.memory_rss(),
        memory_limit_bytes: kernel.memory_limit(),
        pids: kernel.number("pids", "pids.current", "pids.current"),
        network: kernel.network(),
        block: kernel.block(),
    }
}

struct Kernel<'a> {
    root: &'a Path,
    pid: i64,
}

impl Kernel<'_> {
    fn cpu_nanoseconds(&self) -> Option<u64> {
        self.number("cpuacct", "cpuacct.usage", "").or_else(|| {
            let stat = self.text("", "cpu.stat")?;
            field(&stat, "usage_usec").map(|micros| micros * 1000)
        })
    }

    /// Without the page cache that the kernel gives back at once.
    fn memory(&self) -> Option<u64> {
        let used = self.number("memory", "memory.usage_in_bytes", "memory.current").filter(|n| *n > 0)?;
        let cache = self.text("memory", "memory.stat").and_then(|stat| field(&stat, "total_inactive_file"));
        let cache = cache.or_else(|| field(&self.text("", "memory.stat")?, "inactive_file"));
        Some(used.saturating_sub(cache.unwrap_or(0)))
    }

    fn memory_rss(&self) -> Option<u64> {
        let first = self.text("memory", "memory.stat").and_then(|stat| field(&stat, "total_rss"));
        first.or_else(|| field(&self.text("", "memory.stat")?, "anon ")).filter(|n| *n > 0)
    }

    fn block(&self) -> Option<(u64, u64)> {
        let sum = |text: &str, read: &str, written: &str| {
            let of = |line: &str, name: &str| {
                let mut words = line.split([' ', '=']);
                words.find(|word| *word == name)?;
                words.next()?.parse::<u64>().ok()
            };
            text.lines()
                .fold((0, 0), |sum, line| (sum.0 + of(line, read).unwrap_or(0), sum.1 + of(line, written).unwrap_or(0)))
        };
        if let Some(text) = self.text("blkio", "blkio.throttle.io_service_bytes") {
            return Some(sum(&text, "Read", "Write"));
        }
        self.text("", "io.stat").map(|text| sum(&text, "rbytes", "wbytes"))
    }

    fn memory_limit(&self) -> Option<u64> {
        // Without a limit version 1 says the largest number that there is, version 2 `max`.
        self.number("memory", "memory.limit_in_bytes", "memory.max").filter(|n| *n < 1 << 60)
    }

    /// A file of one number, by its name in version 1 or 2.
    fn number(&self, controller: &str, v1: &str, v2: &str) -> Option<u64> {
        let text = self.text(controller, v1).or_else(|| self.text("", v2))?;
        text.trim().parse().ok()
    }

    /// No controller means version 2.
    fn text(&self, controller: &str, file: &str) -> Option<String> {
        let table = std::fs::read_to_string(self.root.join(format!("proc/{}/cgroup", self.pid))).ok()?;
        let dir = table.lines().find_map(|line| cgroup_dir(line, controller))?;
        std::fs::read_to_string(self.root.join(dir).join(file)).ok()
    }

    /// Received and sent, loopback left out.
    fn network(&self) -> Option<(u64, u64)> {
        let table = std::fs::read_to_string(self.root.join(format!("proc/{}/net/dev", self.pid))).ok()?;
        let devices = table.lines().filter_map(|line| {
            let (name, counts) = line.split_once(':')?;
            let counts: Vec<u64> = counts.split_whitespace().filter_map(|n| n.parse().ok()).collect();
            (name.trim() != "lo").then_some((*counts.first()?, *counts.get(8)?))
        });
        Some(devices.fold((0, 0), |sum, device| (sum.0 + device.0, sum.1 + device.1)))
    }
}

/// From a line `ID:CONTROLLERS:PATH` of `/proc/PID/cgroup`.
fn cgroup_dir(line: &str, controller: &str) -> Option<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
    if !controllers.split(',').any(|c| c == controller) {
        return None;
    }
    Some(Path::new("sys/fs/cgroup").join(controller).join(path))
}

/// `name value` in a file of such lines.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        root
    }

    #[tokio::test(start_paused = true)]
    async fn both_versions_are_read() {
        let devices = "Inter-| Receive\n face |bytes\n  lo: 9 0 0 0 0 0 0 0 9 0\n eth0: 100 1 0 0 0 0 0 0 50 1\n";
        let first = tree(&[
            (
                "proc/1/cgroup",
                "10:blkio:/docker/a\n9:memory:/docker/a\n8:pids:/docker/a\n2:cpu,cpuacct:/docker/a\n0::/docker/a\n",
            ),
            ("proc/1/net/dev", devices),
            ("sys/fs/cgroup/memory/docker/a/memory.usage_in_bytes", "4096\n"),
            ("sys/fs/cgroup/memory/docker/a/memory.stat", "cache 1\ntotal_rss 90\ntotal_inactive_file 96\n"),
            (
                "sys/fs/cgroup/blkio/docker/a/blkio.throttle.io_service_bytes",
                "8:0 Read 10\n8:0 Write 5\n8:16 Read 20\nTotal 35\n",
            ),
            ("sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/pids/docker/a/pids.current", "7\n"),
            ("sys/fs/cgroup/cpuacct/docker/a/cpuacct.usage", "5\n"),
        ]);
        let second = tree(&[
            ("proc/1/cgroup", "0::/system.slice/docker-a.scope\n"),
            ("proc/1/net/dev", devices),
            ("sys/fs/cgroup/system.slice/docker-a.scope/memory.current", "4096\n"),
            ("sys/fs/cgroup/system.slice/docker-a.scope/memory.stat", "anon 80\nanon_thp 7\ninactive_file 96\n"),
            ("sys/fs/cgroup/system.slice/docker-a.scope/io.stat", "8:0 rbytes=40 wbytes=7 rios=1 wios=1\n"),
            ("sys/fs/cgroup/system.slice/docker-a.scope/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/docker-a.scope/pids.current", "7\n"),
            ("sys/fs/cgroup/system.slice/docker-a.scope/cpu.stat", "usage_usec 5\n"),
        ]);
        let expected = Usage {
            cpu_percent: 0.0,
            memory_bytes: Some(4000),
            memory_limit_bytes: None,
            pids: Some(7),
            network_rx_bytes: 100,
            network_tx_bytes: 50,
        };
        assert_eq!(usage(first.path(), 1).await, expected);
        assert_eq!(usage(second.path(), 1).await, expected);
        assert_eq!(usage(second.path(), 2).await, Usage::default());
        let (one, two) = (read(first.path(), 1), read(second.path(), 1));
        assert_eq!((one.memory_rss_bytes, one.block), (Some(90), Some((30, 5))));
        assert_eq!((two.memory_rss_bytes, two.block), (Some(80), Some((40, 7))));
        assert_eq!(read(second.path(), 2), Reading::default(), "unknown is not 0");
    }
}
