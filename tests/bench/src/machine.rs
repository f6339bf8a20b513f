//! What the machine says of processes and disks.

use crate::stats::{milliseconds, percentile};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Linux counts CPU time in these.
const TICKS_PER_SECOND: f64 = 100.0;

/// Thousands of connections need thousands of files; children inherit the limit.
pub fn raise_open_files() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Resident memory in KiB.
pub fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(f64::NAN)
}

/// How many files and sockets it has open.
pub fn open_files(pid: u32) -> f64 {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(f64::NAN, |files| files.count() as f64)
}

/// Seconds of CPU used so far, in user and kernel mode.
pub fn cpu_seconds(pid: u32) -> f64 {
    let fields = stat(pid);
    let ticks = |index: usize| fields.get(index).and_then(|f| f.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// Fields of `/proc/PID/stat` after the name: state, parent, …
fn stat(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = text.rsplit_once(") ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    after.split_whitespace().map(str::to_owned).collect()
}

/// The newest process of that program that this one has started.
pub fn child(program: &str) -> u32 {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").expect("/proc can be listed");
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    let ours = pids.filter(|pid| {
        let path = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        stat(*pid).get(1) == Some(&own) && path.file_name().is_some_and(|name| name == program)
    });
    ours.max().unwrap_or_else(|| panic!("no {program} was started by this bench"))
}

/// Milliseconds that one small write and its fdatasync take, where the bench keeps its data: median and 99 %.
pub fn disk_sync(directory: &Path, count: usize) -> (f64, f64) {
    let path = directory.join("sync");
    let mut file = File::create(&path).expect("a file beside the bench's data");
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        file.write_all(&[7u8; 512]).and_then(|()| file.sync_data()).expect("the disk takes a write");
        times.push(milliseconds(began.elapsed()));
    }
    let _ = std::fs::remove_file(path);
    (percentile(&times, 0.5), percentile(&times, 0.99))
}

/// Load average of the last minute: what else the shared machine did.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|l| l.parse().ok()).unwrap_or(f64::NAN)
}
