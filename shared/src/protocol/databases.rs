//! PostgreSQL of an instance: what is to be seen of it, and the jobs that change it. Bytes and milliseconds throughout.

use crate::ids::InstanceId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An instance's database, and the PostgreSQL that it is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct DatabaseInfo {
    pub name: String,
    pub size_bytes: u64,
    /// The role that it belongs to.
    pub owner: String,
    pub encoding: String,
    pub collation: String,
    pub extensions: Vec<Extension>,
    /// Of PostgreSQL, e.g. `13.21`.
    pub version: String,
    pub image: String,
    pub started_at: DateTime<Utc>,
    /// To all databases.
    pub connections: ConnectionCount,
    /// What the container may use.
    pub memory_mb: u32,
    /// Memory that parallel queries share (`/dev/shm` of the container).
    pub shared_memory_mb: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Extension {
    pub name: String,
    pub version: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ConnectionCount {
    pub used: u32,
    /// `max_connections`.
    pub most: u32,
}

/// Answer of `GET /instances/{id}/database/settings`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingList {
    /// Of PostgreSQL, e.g. `13.21`.
    pub version: String,
    pub settings: Vec<SettingNow>,
}

/// A setting as it is in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingNow {
    pub name: String,
    /// With its unit, as PostgreSQL shows it.
    pub value: String,
    /// Where PostgreSQL has it from, in its own words: `default`, `command line`, `configuration file`.
    pub source: String,
    /// Written down, and not in force before a restart.
    pub pending_restart: bool,
    /// What it is when nobody sets it.
    pub default: String,
}

/// What PostgreSQL counts. Counters only grow; between two answers they tell a rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct DatabaseMetrics {
    pub at: DateTime<Utc>,
    pub size_bytes: u64,
    pub connections: ConnectionStates,
    /// Since the counters were last set back.
    pub counters: DatabaseCounters,
    /// Share of pages that were in memory already, 0 to 1; null before anything was read.
    pub cache_hit_ratio: Option<f64>,
    /// How long the oldest open transaction takes.
    pub longest_transaction_ms: Option<u64>,
    /// How long the oldest transaction is open in which nothing is done.
    pub longest_idle_in_transaction_ms: Option<u64>,
    /// Locks that are waited for.
    pub waiting_locks: u32,
    /// Transactions since rows were last frozen; near 2,000,000,000 PostgreSQL stops writing.
    pub frozen_xid_age: u64,
    pub checkpoints: Checkpoints,
    /// By total time, the most expensive first. Null: `pg_stat_statements` is not loaded.
    pub slow_statements: Option<Vec<StatementCost>>,
    /// Replicas that are connected.
    pub replicas: Vec<ReplicaLag>,
}

/// Connections to all databases of the cluster, by state.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ConnectionStates {
    pub active: u32,
    pub idle: u32,
    pub idle_in_transaction: u32,
    pub other: u32,
    pub used: u32,
    /// `max_connections`.
    pub most: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct DatabaseCounters {
    /// Null: never.
    pub since: Option<DateTime<Utc>>,
    pub commits: u64,
    pub rollbacks: u64,
    pub blocks_read: u64,
    pub blocks_hit: u64,
    pub rows_returned: u64,
    pub rows_fetched: u64,
    pub rows_inserted: u64,
    pub rows_updated: u64,
    pub rows_deleted: u64,
    pub deadlocks: u64,
    pub conflicts: u64,
    pub temp_files: u64,
    pub temp_bytes: u64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Checkpoints {
    /// Because it was time.
    pub timed: u64,
    /// Because `max_wal_size` was reached; many of them ask for more of it.
    pub requested: u64,
    pub write_ms: u64,
    pub sync_ms: u64,
}

/// What statements of one shape cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct StatementCost {
    /// With `$1` for its values, cut after 500 characters.
    pub statement: String,
    pub calls: u64,
    pub total_ms: f64,
    pub mean_ms: f64,
    pub max_ms: f64,
    pub rows: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ReplicaLag {
    pub name: String,
    pub state: String,
    pub lag_bytes: Option<u64>,
    pub replay_lag_ms: Option<u64>,
}

/// What a list of tables goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum TableSort {
    /// The largest first, with its indexes.
    #[default]
    Size,
    /// The one with the most dead rows first.
    DeadRows,
    /// The one with the most rows first.
    Rows,
    /// The one that was vacuumed longest ago first.
    LastVacuum,
    Name,
}

/// Query of `GET /instances/{id}/database/tables`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableQuery {
    pub sort: TableSort,
    /// Part of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    pub limit: u32,
    pub offset: u32,
}

/// Answer of `GET /instances/{id}/database/tables`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableList {
    pub tables: Vec<TableInfo>,
}

/// A table of an instance's database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct TableInfo {
    pub schema: String,
    pub name: String,
    /// With its indexes and what does not fit into rows.
    pub total_bytes: u64,
    pub index_bytes: u64,
    /// Estimates, as of the last look of the statistics.
    pub live_rows: u64,
    /// Changed or deleted, and not cleaned up yet.
    pub dead_rows: u64,
    pub sequential_scans: u64,
    pub index_scans: u64,
    pub last_vacuum: Option<DateTime<Utc>>,
    pub last_autovacuum: Option<DateTime<Utc>>,
    pub last_analyze: Option<DateTime<Utc>>,
    pub last_autoanalyze: Option<DateTime<Utc>>,
}

/// Answer of `GET /instances/{id}/database/databases`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatabaseList {
    pub databases: Vec<DatabaseEntry>,
}

/// A database beside an instance's own, or that one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct DatabaseEntry {
    pub name: String,
    pub owner: String,
    pub size_bytes: u64,
    pub connections: u32,
    /// The one that the instance serves: neither renamed nor dropped here.
    pub is_own: bool,
    /// PostgreSQL's own, or of a job that is under way.
    pub is_reserved: bool,
}

/// Names that nobody gives a database: PostgreSQL's own, and those under which jobs keep theirs.
pub fn is_reserved_database(name: &str) -> bool {
    ["postgres", "template0", "template1"].contains(&name) || name.starts_with("before_") || name.starts_with("ocore_")
}

/// Input of `database_settings`: null takes one back to what oCore or PostgreSQL decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseSettings {
    pub instance_id: InstanceId,
    pub settings: BTreeMap<String, Option<String>>,
}

/// Result of `database_settings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatabaseSettingsSet {
    /// All that a person has set, as they are now.
    pub settings: BTreeMap<String, String>,
    /// Names of those that changed.
    pub changed: Vec<String>,
    pub restarted: bool,
    /// How long PostgreSQL answered nobody.
    pub down_milliseconds: u64,
}

/// What can be done for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum MaintenanceAction {
    /// Make the room of dead rows usable again, and the statistics anew. Nobody waits.
    Vacuum,
    /// Write tables anew without the room of dead rows. Nobody reads or writes a table meanwhile.
    VacuumFull,
    /// Make the statistics of the planner anew. Nobody waits.
    Analyze,
    /// Make indexes anew beside those that serve. Nobody waits.
    Reindex,
}

/// Input of `database_maintain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseMaintain {
    pub instance_id: InstanceId,
    pub action: MaintenanceAction,
    /// `name` or `schema.name`; none: all of the instance's database.
    #[serde(default)]
    pub table: Option<String>,
}

/// Result of `database_maintain`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatabaseMaintained {
    pub tables: u64,
    pub size_before_bytes: u64,
    pub size_after_bytes: u64,
}

/// Input of `database_password`; the new one is the secret [`super::odoo::secret_names::DATABASE_PASSWORD`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabasePassword {
    pub instance_id: InstanceId,
}

/// Result of `database_password`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatabasePasswordSet {
    /// How long nobody was served.
    pub down_milliseconds: u64,
}

/// Input of `database_create`, `database_duplicate`, `database_rename` and `database_drop`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseWork {
    pub instance_id: InstanceId,
    /// The one that there is; of `database_create` the new one.
    pub name: String,
    /// The new name, of `database_duplicate` and `database_rename`.
    #[serde(default)]
    pub to: Option<String>,
}

/// Result of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatabaseWorked {
    pub name: String,
    pub size_bytes: u64,
}
