//! What this server is: read from `/proc`, `/sys` and `/etc`. Nothing here asks NSS, which a static binary cannot.

use super::{Host, systemd};
use chrono::DateTime;
use ocore_shared::machine::{MACHINE_ID, machine_key};
use ocore_shared::protocol::inventory::{DockerStatus, Facts};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, Networks, RefreshKind, System};

pub const AGENT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Everything about this server as of now.
pub async fn collect(host: &Host) -> Facts {
    let (docker, root) = (host.docker_status().await, host.docker_root());
    let read = tokio::task::spawn_blocking(move || read(docker, &root));
    read.await.unwrap_or_default()
}

/// The same, with what is known of Docker already. Blocks for some milliseconds.
pub fn read(docker: DockerStatus, docker_root: &Path) -> Facts {
    let refresh = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram().with_swap());
    let system = System::new_with_specifics(refresh).ok();
    let system = system.as_ref();
    let release = os_release(&std::fs::read_to_string("/etc/os-release").unwrap_or_default());
    let of_release = |key: &str| release.get(key).cloned().unwrap_or_default();
    Facts {
        hostname: hostname(),
        machine: std::fs::read_to_string(MACHINE_ID).ok().and_then(|id| machine_key(&id)),
        os_name: of_release("NAME"),
        os_version: of_release("VERSION_ID"),
        kernel: System::kernel_version().unwrap_or_default(),
        arch: std::env::consts::ARCH.into(),
        cpu_model: system.and_then(|s| s.cpus().first()).map(|c| c.brand().trim().to_string()).unwrap_or_default(),
        cpu_cores: system.map_or(0, |s| s.cpus().len()) as u32,
        memory_total_bytes: system.map_or(0, System::total_memory),
        swap_total_bytes: system.map_or(0, System::total_swap),
        disk_total_bytes: disk_space(docker_root).map_or(0, |space| space.total),
        boot_time: System::boot_time().ok().and_then(|at| DateTime::from_timestamp(at as i64, 0)),
        timezone: timezone(),
        addresses: addresses(),
        systemd: systemd::is_pid_1(),
        agent_version: AGENT_VERSION.into(),
        docker,
    }
}

pub fn hostname() -> String {
    System::host_name().unwrap_or_default()
}

/// `NAME VERSION_ID` of the operating system, for people.
pub fn os_name() -> String {
    let release = os_release(&std::fs::read_to_string("/etc/os-release").unwrap_or_default());
    ["NAME", "VERSION_ID"].iter().filter_map(|key| release.get(*key).cloned()).collect::<Vec<_>>().join(" ")
}

/// `KEY=value` and `KEY="value"` lines.
fn os_release(text: &str) -> HashMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
    pairs
        .map(|(key, value)| {
            let quoted = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q));
            (key.to_string(), quoted.unwrap_or(value).replace("\\\"", "\""))
        })
        .collect()
}

fn timezone() -> String {
    let link = std::fs::read_link("/etc/localtime").unwrap_or_default().to_string_lossy().into_owned();
    if let Some((_, name)) = link.split_once("zoneinfo/") {
        return name.into();
    }
    let file = std::fs::read_to_string("/etc/timezone").unwrap_or_default();
    if file.trim().is_empty() { "UTC".into() } else { file.trim().into() }
}

/// Interfaces that say nothing about this server to others.
pub fn is_internal_interface(name: &str) -> bool {
    name == "lo" || ["docker", "veth", "br-", "virbr"].iter().any(|prefix| name.starts_with(prefix))
}

fn addresses() -> Vec<String> {
    let Ok(networks) = Networks::new_with_refreshed_list() else { return Vec::new() };
    let mut found: Vec<String> = networks
        .iter()
        .filter(|(name, _)| !is_internal_interface(&name.to_string_lossy()))
        .flat_map(|(_, data)| data.ip_networks())
        .filter(|network| match network.addr {
            std::net::IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_loopback(),
            std::net::IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_loopback(),
        })
        .map(|network| network.addr.to_string())
        .collect();
    found.sort();
    found.dedup();
    found
}

pub struct DiskSpace {
    pub total: u64,
    pub used: u64,
}

/// Of the file system that holds `path`, or of the root where `path` does not exist.
pub fn disk_space(path: &Path) -> Option<DiskSpace> {
    let path = if path.exists() { path.to_path_buf() } else { PathBuf::from("/") };
    let stat = nix::sys::statvfs::statvfs(&path).ok()?;
    let unit = stat.fragment_size();
    let (blocks, free) = (stat.blocks(), stat.blocks_free());
    Some(DiskSpace { total: blocks * unit, used: blocks.saturating_sub(free) * unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_read_with_and_without_quotes() {
        let release = os_release("NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n# comment\n");
        assert_eq!(release["NAME"], "Debian GNU/Linux");
        assert_eq!(release["VERSION_ID"], "12");
        assert_eq!(release["ID"], "debian");
    }

    #[test]
    fn this_machine_has_facts() {
        let facts = read(DockerStatus::default(), Path::new("/does/not/exist"));
        assert!(facts.cpu_cores > 0);
        assert!(facts.memory_total_bytes > 0);
        assert!(facts.disk_total_bytes > 0);
        assert!(facts.boot_time.is_some());
        assert!(!facts.kernel.is_empty());
    }
}
