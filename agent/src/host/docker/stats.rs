//! A container's use of the machine, now.

use super::{DockerHost, absent_is_none, cgroup, failed};
use crate::engine::OpError;
use bollard::models::{ContainerCpuStats, ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::StatsOptionsBuilder;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use ocore_shared::protocol::inventory::ContainerStats;
use std::path::Path;

impl DockerHost {
    /// None when there is no such container. Takes about a second: the engine takes two samples for one answer.
    pub async fn stats(&self, id: &str, at: DateTime<Utc>) -> Result<Option<ContainerStats>, OpError> {
        let docker = self.client().await?;
        let options = StatsOptionsBuilder::default().stream(false).one_shot(false).build();
        let item = std::pin::pin!(docker.stats(id, Some(options)).take(1)).try_next().await;
        let Some(Some(sample)) = absent_is_none(item).map_err(|e| failed("measure a container", e))? else {
            return Ok(None);
        };
        let mut stats = read(&sample, at);
        if stats.memory_used_bytes.is_none()
            && let Some(pid) = self.inspect(id).await?.and_then(|c| c.state?.pid).filter(|pid| *pid > 0)
        {
            let usage = cgroup::usage(Path::new("/"), pid).await;
            stats = ContainerStats {
                cpu_percent: stats.cpu_percent.max(usage.cpu_percent),
                memory_used_bytes: usage.memory_bytes,
                memory_limit_bytes: stats.memory_limit_bytes.or(usage.memory_limit_bytes),
                network_rx_bytes: stats.network_rx_bytes.max(usage.network_rx_bytes),
                network_tx_bytes: stats.network_tx_bytes.max(usage.network_tx_bytes),
                pids: stats.pids.or(usage.pids),
                ..stats
            };
        }
        Ok(Some(stats))
    }
}

fn read(sample: &ContainerStatsResponse, at: DateTime<Utc>) -> ContainerStats {
    let networks = || sample.networks.iter().flat_map(|n| n.values());
    let block = |wanted: &str| {
        let entries = sample.blkio_stats.iter().filter_map(|b| b.io_service_bytes_recursive.as_ref()).flatten();
        entries
            .filter(|e| e.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(wanted)))
            .filter_map(|e| e.value)
            .sum()
    };
    let memory = sample.memory_stats.as_ref();
    ContainerStats {
        at,
        cpu_percent: cpu_percent(sample.precpu_stats.as_ref(), sample.cpu_stats.as_ref()),
        memory_used_bytes: memory.and_then(memory_used),
        memory_limit_bytes: memory.and_then(|m| m.limit).filter(|l| *l > 0),
        network_rx_bytes: networks().filter_map(|n| n.rx_bytes).sum(),
        network_tx_bytes: networks().filter_map(|n| n.tx_bytes).sum(),
        block_read_bytes: block("read"),
        block_write_bytes: block("write"),
        pids: sample.pids_stats.as_ref().and_then(|p| p.current),
    }
}

/// 100 is one core.
fn cpu_percent(before: Option<&ContainerCpuStats>, now: Option<&ContainerCpuStats>) -> f32 {
    let used = |s: Option<&ContainerCpuStats>| s.and_then(|s| s.cpu_usage.as_ref()?.total_usage).unwrap_or(0);
    let whole = |s: Option<&ContainerCpuStats>| s.and_then(|s| s.system_cpu_usage).unwrap_or(0);
    let used_delta = used(now).saturating_sub(used(before)) as f64;
    let whole_delta = whole(now).saturating_sub(whole(before)) as f64;
    // Without a sample before, the difference would be that since the container's start.
    if whole(before) == 0 || whole_delta <= 0.0 {
        return 0.0;
    }
    let cores = now.and_then(|s| s.online_cpus).filter(|n| *n > 0).unwrap_or(1);
    (used_delta / whole_delta * f64::from(cores) * 100.0) as f32
}

/// Without the page cache that the kernel gives back at once. The engine says 0 where it cannot know.
fn memory_used(stats: &ContainerMemoryStats) -> Option<u64> {
    let usage = stats.usage.filter(|u| *u > 0)?;
    let detail = |name| stats.stats.as_ref().and_then(|s| s.get(name)).copied();
    Some(usage.saturating_sub(detail("total_inactive_file").or(detail("inactive_file")).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ContainerCpuUsage;

    fn cpu(used: u64, whole: u64) -> ContainerCpuStats {
        ContainerCpuStats {
            cpu_usage: Some(ContainerCpuUsage { total_usage: Some(used), ..Default::default() }),
            system_cpu_usage: Some(whole),
            online_cpus: Some(2),
            ..Default::default()
        }
    }

    #[test]
    fn one_busy_core_of_two_is_100_percent() {
        assert_eq!(cpu_percent(Some(&cpu(100, 1000)), Some(&cpu(600, 2000))), 100.0);
        assert_eq!(cpu_percent(None, Some(&cpu(600, 2000))), 0.0);
    }

    #[test]
    fn zero_memory_is_unknown_memory() {
        assert_eq!(memory_used(&ContainerMemoryStats { usage: Some(0), ..Default::default() }), None);
        let detail = [("total_inactive_file".to_owned(), 30)].into();
        let stats = ContainerMemoryStats { usage: Some(100), stats: Some(detail), ..Default::default() };
        assert_eq!(memory_used(&stats), Some(70));
    }
}
