//! Facts, containers and metrics of a server.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a server is. Changes seldom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Facts {
    pub hostname: String,
    /// The same for whatever runs on the same machine; none where the machine has no identity of its own.
    #[serde(default)]
    pub machine: Option<String>,
    pub os_name: String,
    pub os_version: String,
    pub kernel: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    pub cpu_model: String,
    pub cpu_cores: u32,
    pub memory_total_bytes: u64,
    pub swap_total_bytes: u64,
    /// Of the file system that holds Docker's data.
    pub disk_total_bytes: u64,
    pub boot_time: Option<DateTime<Utc>>,
    pub timezone: String,
    /// Addresses of all interfaces that are up, loopback and Docker's bridges left out.
    pub addresses: Vec<String>,
    /// Whether systemd is PID 1: host terminals outlive the agent only then.
    pub systemd: bool,
    pub agent_version: String,
    pub docker: DockerStatus,
}

/// Docker as the agent sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct DockerStatus {
    pub available: bool,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub api_version: Option<String>,
    #[serde(default)]
    pub storage_driver: Option<String>,
    /// Why it is not available and what to do.
    #[serde(default)]
    pub problem: Option<String>,
}

/// A container, ours or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ContainerInfo {
    pub id: String,
    pub name: String,
    pub image: String,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    pub state: String,
    /// `healthy`, `unhealthy`, `starting` or none.
    #[serde(default)]
    pub health: Option<String>,
    #[serde(default)]
    pub exit_code: Option<i64>,
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub finished_at: Option<DateTime<Utc>>,
    /// `0.0.0.0:20000->8069/tcp`.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Whether it carries our label; nothing else is ever changed.
    pub managed: bool,
    /// Only `sh.ocore.*` labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// One sample of a server. Rates are per second since the sample before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct MetricsSample {
    pub at: DateTime<Utc>,
    /// 0-100 over all cores.
    pub cpu_percent: f32,
    pub load_1m: f32,
    pub load_5m: f32,
    pub load_15m: f32,
    pub memory_total_bytes: i64,
    pub memory_used_bytes: i64,
    pub memory_available_bytes: i64,
    pub swap_used_bytes: i64,
    /// Of the file system that holds Docker's data.
    pub disk_total_bytes: i64,
    pub disk_used_bytes: i64,
    pub disk_read_bytes_per_second: i64,
    pub disk_write_bytes_per_second: i64,
    pub network_rx_bytes_per_second: i64,
    pub network_tx_bytes_per_second: i64,
    pub containers_running: i32,
    pub containers_total: i32,
    pub processes: i32,
    pub uptime_seconds: i64,
    /// Resident memory of the agent itself.
    pub agent_memory_bytes: i64,
}

/// A container's use of the machine, now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ContainerStats {
    pub at: DateTime<Utc>,
    /// 100 is one core.
    pub cpu_percent: f32,
    /// None where the engine does not say (cgroup v1 without accounting).
    pub memory_used_bytes: Option<u64>,
    pub memory_limit_bytes: Option<u64>,
    pub network_rx_bytes: u64,
    pub network_tx_bytes: u64,
    pub block_read_bytes: u64,
    pub block_write_bytes: u64,
    pub pids: Option<u64>,
}

/// Body of `POST /metrics/watch`: someone looks, so sample every 10 s for that long.
#[derive(Debug, Serialize, Deserialize)]
pub struct MetricsWatch {
    pub seconds: u32,
}
