//! What is to be seen of a PostgreSQL. Every question is one statement or a few, put together to JSON by PostgreSQL
//! itself, and given up before the one who asks gives up.

use super::{json, parsed, running};
use crate::engine::OpError;
use crate::host::Host;
use crate::ops::odoo::record::Record;
use crate::ops::postgres;
use crate::ops::sql::literal;
use ocore_shared::ids::InstanceId;
use ocore_shared::postgres::settings::{self, SETTINGS};
use ocore_shared::postgres::tuning;
use ocore_shared::protocol::databases::{
    Checkpoints, DatabaseEntry, DatabaseInfo, DatabaseList, DatabaseMetrics, SettingList, SettingNow, StatementCost,
    TableList, TableQuery, TableSort, is_reserved_database,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// A table that is locked is not waited for long.
const PATIENCE: &str = "SET statement_timeout = '8s'; SET lock_timeout = '2s';\n";

pub async fn database_info(host: &Host, instance: InstanceId) -> Result<DatabaseInfo, OpError> {
    let record = running(host, instance)?;
    let mut info: Value = json(host, &record, &record.spec.database_name, &format!("{PATIENCE}{INFO}")).await?;
    info["version"] = short(info["version"].as_str().unwrap_or_default()).into();
    info["image"] = record.spec.postgres_image.clone().into();
    info["memory_mb"] = record.spec.limits.memory_mb.into();
    info["shared_memory_mb"] = tuning::SHARED_MEMORY_MB.into();
    parsed(&info.to_string())
}

const INFO: &str = "\
SELECT jsonb_build_object('name', d.datname, 'size_bytes', pg_database_size(d.oid), 'owner', pg_get_userbyid(d.datdba),
    'encoding', pg_encoding_to_char(d.encoding), 'collation', d.datcollate, 'version', current_setting('server_version'),
    'started_at', pg_postmaster_start_time(),
    'extensions', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion) ORDER BY extname), '[]')
        FROM pg_extension),
    'connections', jsonb_build_object('most', current_setting('max_connections')::int,
        'used', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')))
FROM pg_database d WHERE d.datname = current_database();
";

/// `13.21` of `13.21 (Debian 13.21-1)`.
fn short(version: &str) -> &str {
    version.split_whitespace().next().unwrap_or_default()
}

#[derive(Deserialize)]
struct SettingRow {
    name: String,
    value: String,
    source: String,
    pending_restart: bool,
    boot: Option<String>,
    unit: Option<String>,
}

/// Those settings that a person may change, as far as this PostgreSQL knows them.
pub async fn setting_list(host: &Host, instance: InstanceId) -> Result<SettingList, OpError> {
    settings_of(host, &running(host, instance)?).await
}

pub async fn settings_of(host: &Host, record: &Record) -> Result<SettingList, OpError> {
    let names = SETTINGS.iter().map(|setting| literal(setting.name)).collect::<Result<Vec<_>, _>>()?.join(",");
    let script = format!(
        "{PATIENCE}SELECT jsonb_build_object('version', current_setting('server_version'), 'settings',
             (SELECT jsonb_agg(jsonb_build_object('name', name, 'value', current_setting(name), 'source', source,
                 -- It says so too of what stands in the file and is decided by the command line.
                 'pending_restart', pending_restart AND source <> 'command line', 'unit', unit,
                 -- What the image's own file says comes before what is built in.
                 'boot', coalesce((SELECT setting FROM pg_file_settings f WHERE lower(f.name) = s.name
                     AND sourcefile NOT LIKE '%/postgresql.auto.conf' ORDER BY seqno DESC LIMIT 1), boot_val)) ORDER BY name)
              FROM pg_settings s WHERE name IN ({names})));\n"
    );
    #[derive(Deserialize)]
    struct Answer {
        version: String,
        settings: Vec<SettingRow>,
    }
    let answer: Answer = json(host, record, "postgres", &script).await?;
    let now = |row: SettingRow| {
        let known = settings::find(&row.name)?;
        Some(SettingNow {
            default: known.shown(row.boot.as_deref().unwrap_or_default(), row.unit.as_deref()),
            name: row.name,
            value: row.value,
            source: row.source,
            pending_restart: row.pending_restart,
        })
    };
    Ok(SettingList {
        version: short(&answer.version).to_owned(),
        settings: answer.settings.into_iter().filter_map(now).collect(),
    })
}

pub async fn database_metrics(host: &Host, instance: InstanceId) -> Result<DatabaseMetrics, OpError> {
    let record = running(host, instance)?;
    let script = format!("{PATIENCE}{METRICS}");
    let name = &record.spec.database_name;
    let text = postgres::sql(&host.docker, &record.postgres_container(), name, &script).await?;
    // Three documents, one a line; the last one only where statements are counted.
    let mut lines = text.lines().filter(|line| line.starts_with(['{', '[']));
    let mut metrics: Value = parsed(lines.next().unwrap_or_default())?;
    let checkpoints: Checkpoints = parsed(lines.next().unwrap_or_default())?;
    let slow: Option<Vec<StatementCost>> = lines.next().map(parsed).transpose()?;
    let count = |name: &str| metrics["counters"][name].as_f64().unwrap_or_default();
    let (read, hit) = (count("blocks_read"), count("blocks_hit"));
    metrics["cache_hit_ratio"] = if read + hit > 0.0 { json!(hit / (read + hit)) } else { Value::Null };
    metrics["checkpoints"] = json!(checkpoints);
    metrics["slow_statements"] = json!(slow);
    parsed(&metrics.to_string())
}

const METRICS: &str = r"
SELECT jsonb_build_object('at', now(), 'size_bytes', pg_database_size(d.oid), 'frozen_xid_age', age(d.datfrozenxid),
    'connections', (SELECT jsonb_build_object('most', current_setting('max_connections')::int, 'used', count(*),
            'active', count(*) FILTER (WHERE state = 'active'), 'idle', count(*) FILTER (WHERE state = 'idle'),
            'idle_in_transaction', count(*) FILTER (WHERE state LIKE 'idle in transaction%'),
            'other', count(*) FILTER (WHERE state IS NULL OR state NOT IN ('active', 'idle') AND state NOT LIKE 'idle in transaction%'))
        FROM pg_stat_activity WHERE backend_type = 'client backend'),
    'counters', jsonb_build_object('since', s.stats_reset, 'commits', s.xact_commit, 'rollbacks', s.xact_rollback,
        'blocks_read', s.blks_read, 'blocks_hit', s.blks_hit, 'rows_returned', s.tup_returned, 'rows_fetched', s.tup_fetched,
        'rows_inserted', s.tup_inserted, 'rows_updated', s.tup_updated, 'rows_deleted', s.tup_deleted,
        'deadlocks', s.deadlocks, 'conflicts', s.conflicts, 'temp_files', s.temp_files, 'temp_bytes', s.temp_bytes),
    'longest_transaction_ms', (SELECT (extract(epoch FROM max(clock_timestamp() - xact_start)) * 1000)::bigint
        FROM pg_stat_activity WHERE datname = d.datname AND pid <> pg_backend_pid()),
    'longest_idle_in_transaction_ms', (SELECT (extract(epoch FROM max(clock_timestamp() - state_change)) * 1000)::bigint
        FROM pg_stat_activity WHERE datname = d.datname AND state LIKE 'idle in transaction%'),
    'waiting_locks', (SELECT count(*) FROM pg_locks WHERE NOT granted),
    'replicas', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', application_name, 'state', coalesce(state, ''),
            'lag_bytes', greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint,
            'replay_lag_ms', (extract(epoch FROM replay_lag) * 1000)::bigint)), '[]')
        FROM pg_stat_replication))
FROM pg_database d JOIN pg_stat_database s ON s.datid = d.oid WHERE d.datname = current_database();
SELECT current_setting('server_version_num')::int >= 170000 AS checkpointer,
    current_setting('server_version_num')::int >= 130000 AS exec_time,
    current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'
        AND EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements') AS statements \gset
\if :checkpointer
SELECT jsonb_build_object('timed', num_timed, 'requested', num_requested, 'write_ms', write_time::bigint,
    'sync_ms', sync_time::bigint) FROM pg_stat_checkpointer;
\else
SELECT jsonb_build_object('timed', checkpoints_timed, 'requested', checkpoints_req, 'write_ms', checkpoint_write_time::bigint,
    'sync_ms', checkpoint_sync_time::bigint) FROM pg_stat_bgwriter;
\endif
\if :statements
\if :exec_time
SELECT coalesce(jsonb_agg(jsonb_build_object('statement', left(query, 500), 'calls', calls, 'rows', rows,
    'total_ms', total_exec_time, 'mean_ms', mean_exec_time, 'max_ms', max_exec_time)), '[]')
FROM (SELECT * FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      ORDER BY total_exec_time DESC LIMIT 20) top;
\else
SELECT coalesce(jsonb_agg(jsonb_build_object('statement', left(query, 500), 'calls', calls, 'rows', rows,
    'total_ms', total_time, 'mean_ms', mean_time, 'max_ms', max_time)), '[]')
FROM (SELECT * FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      ORDER BY total_time DESC LIMIT 20) top;
\endif
\endif
";

pub async fn table_list(host: &Host, instance: InstanceId, query: &TableQuery) -> Result<TableList, OpError> {
    let record = running(host, instance)?;
    let order = match query.sort {
        TableSort::Size => "total_bytes DESC",
        TableSort::DeadRows => "dead_rows DESC",
        TableSort::Rows => "live_rows DESC",
        TableSort::LastVacuum => "greatest(last_vacuum, last_autovacuum) ASC NULLS FIRST",
        TableSort::Name => "name",
    };
    let part = match &query.q {
        Some(q) => format!("AND position(lower({}) IN lower(relname)) > 0", literal(q)?),
        None => String::new(),
    };
    let script = format!(
        "{PATIENCE}SELECT jsonb_build_object('tables', coalesce(jsonb_agg(to_jsonb(t)), '[]')) FROM (
             SELECT schemaname AS schema, relname AS name, pg_total_relation_size(relid) AS total_bytes,
                 pg_indexes_size(relid) AS index_bytes, n_live_tup AS live_rows, n_dead_tup AS dead_rows,
                 coalesce(seq_scan, 0) AS sequential_scans, coalesce(idx_scan, 0) AS index_scans,
                 last_vacuum, last_autovacuum, last_analyze, last_autoanalyze
             FROM pg_stat_user_tables WHERE true {part}
             ORDER BY {order}, name, schema LIMIT {} OFFSET {}) t;\n",
        query.limit, query.offset
    );
    json(host, &record, &record.spec.database_name, &script).await
}

pub async fn database_list(host: &Host, instance: InstanceId) -> Result<DatabaseList, OpError> {
    databases_of(host, &running(host, instance)?).await
}

pub async fn databases_of(host: &Host, record: &Record) -> Result<DatabaseList, OpError> {
    let script = format!(
        "{PATIENCE}SELECT jsonb_build_object('databases', coalesce(jsonb_agg(jsonb_build_object('name', datname,
             'owner', pg_get_userbyid(datdba), 'size_bytes', pg_database_size(oid), 'is_own', datname = {},
             'is_reserved', false, 'connections', (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid))
             ORDER BY datname), '[]')) FROM pg_database d WHERE NOT datistemplate;\n",
        literal(&record.spec.database_name)?
    );
    let list: DatabaseList = json(host, record, "postgres", &script).await?;
    let told = |entry: DatabaseEntry| DatabaseEntry {
        is_reserved: !entry.is_own && is_reserved_database(&entry.name),
        ..entry
    };
    Ok(DatabaseList { databases: list.databases.into_iter().map(told).collect() })
}
