//! Every query on the metrics tables.

use crate::error::Result;
use chrono::{DateTime, NaiveDate, Utc};
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::inventory::MetricsSample;
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;
use uuid::Uuid;

/// A sample on its way into the database.
pub type Arrived = (OrganizationId, ServerId, MetricsSample);

/// Store samples in one statement; a sample that came twice is stored once.
pub async fn sample_insert(system: &PgPool, samples: &[Arrived]) -> Result<()> {
    macro_rules! column {
        ($field:ident) => {
            &samples.iter().map(|(_, _, s)| s.$field).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "insert into metrics_raw select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::real[], $5::real[],
             $6::real[], $7::real[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
             $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::int[], $19::int[],
             $20::int[], $21::bigint[], $22::bigint[]) on conflict do nothing",
        &samples.iter().map(|(_, server, _)| server.0).collect::<Vec<_>>(),
        &samples.iter().map(|(organization, ..)| organization.0).collect::<Vec<_>>(),
        column!(at),
        column!(cpu_percent),
        column!(load_1m),
        column!(load_5m),
        column!(load_15m),
        column!(memory_total_bytes),
        column!(memory_used_bytes),
        column!(memory_available_bytes),
        column!(swap_used_bytes),
        column!(disk_total_bytes),
        column!(disk_used_bytes),
        column!(disk_read_bytes_per_second),
        column!(disk_write_bytes_per_second),
        column!(network_rx_bytes_per_second),
        column!(network_tx_bytes_per_second),
        column!(containers_running),
        column!(containers_total),
        column!(processes),
        column!(uptime_seconds),
        column!(agent_memory_bytes),
    )
    .execute(system)
    .await?;
    Ok(())
}

/// How finely a period is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    Raw,
    Minute,
    Hour,
}

impl Resolution {
    fn table(self) -> &'static str {
        match self {
            Self::Raw => "metrics_raw",
            Self::Minute => "metrics_1m",
            Self::Hour => "metrics_1h",
        }
    }
}

const COLUMNS: &str =
    "avg(cpu_percent)::real as cpu_percent, avg(load_1m)::real as load_1m, avg(load_5m)::real as load_5m,
    avg(load_15m)::real as load_15m, max(memory_total_bytes) as memory_total_bytes,
    avg(memory_used_bytes)::bigint as memory_used_bytes, avg(memory_available_bytes)::bigint as memory_available_bytes,
    avg(swap_used_bytes)::bigint as swap_used_bytes, max(disk_total_bytes) as disk_total_bytes,
    avg(disk_used_bytes)::bigint as disk_used_bytes,
    avg(disk_read_bytes_per_second)::bigint as disk_read_bytes_per_second,
    avg(disk_write_bytes_per_second)::bigint as disk_write_bytes_per_second,
    avg(network_rx_bytes_per_second)::bigint as network_rx_bytes_per_second,
    avg(network_tx_bytes_per_second)::bigint as network_tx_bytes_per_second,
    max(containers_running) as containers_running, max(containers_total) as containers_total,
    max(processes) as processes, max(uptime_seconds) as uptime_seconds, max(agent_memory_bytes) as agent_memory_bytes";

/// Samples of a server, averaged over steps of that many seconds, oldest first.
pub async fn sample_list(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, from: DateTime<Utc>,
    to: DateTime<Utc>, step_seconds: i64, resolution: Resolution,
) -> Result<Vec<MetricsSample>> {
    let sql = format!(
        "select date_bin(make_interval(secs => $5), at, 'epoch') as at, {COLUMNS} from {}
         where organization_id = $1 and server_id = $2 and at >= $3 and at < $4 group by 1 order by 1",
        resolution.table()
    );
    let rows: Vec<SampleRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(organization.0)
        .bind(server.0)
        .bind(from)
        .bind(to)
        .bind(step_seconds as f64)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(MetricsSample::from).collect())
}

/// The newest sample of each of these servers, not older than a day.
pub async fn sample_list_latest(
    connection: &mut PgConnection, organization: OrganizationId, servers: &[Uuid],
) -> Result<HashMap<Uuid, MetricsSample>> {
    let rows: Vec<(Uuid, SampleRow)> = sqlx::query_as::<_, LatestRow>(
        "select wanted.id as server_id, m.* from unnest($2::uuid[]) wanted(id) cross join lateral (
             select at, cpu_percent, load_1m, load_5m, load_15m, memory_total_bytes, memory_used_bytes,
                 memory_available_bytes, swap_used_bytes, disk_total_bytes, disk_used_bytes, disk_read_bytes_per_second,
                 disk_write_bytes_per_second, network_rx_bytes_per_second, network_tx_bytes_per_second,
                 containers_running, containers_total, processes, uptime_seconds, agent_memory_bytes
             from metrics_raw where organization_id = $1 and server_id = wanted.id and at > now() - interval '1 day'
             order by at desc limit 1) m",
    )
    .bind(organization.0)
    .bind(servers)
    .fetch_all(connection)
    .await?
    .into_iter()
    .map(|row| (row.server_id, row.sample))
    .collect();
    Ok(rows.into_iter().map(|(id, row)| (id, row.into())).collect())
}

#[derive(sqlx::FromRow)]
struct LatestRow {
    server_id: Uuid,
    #[sqlx(flatten)]
    sample: SampleRow,
}

#[derive(sqlx::FromRow)]
struct SampleRow {
    at: DateTime<Utc>,
    cpu_percent: f32,
    load_1m: f32,
    load_5m: f32,
    load_15m: f32,
    memory_total_bytes: i64,
    memory_used_bytes: i64,
    memory_available_bytes: i64,
    swap_used_bytes: i64,
    disk_total_bytes: i64,
    disk_used_bytes: i64,
    disk_read_bytes_per_second: i64,
    disk_write_bytes_per_second: i64,
    network_rx_bytes_per_second: i64,
    network_tx_bytes_per_second: i64,
    containers_running: i32,
    containers_total: i32,
    processes: i32,
    uptime_seconds: i64,
    agent_memory_bytes: i64,
}

impl From<SampleRow> for MetricsSample {
    fn from(row: SampleRow) -> Self {
        let SampleRow {
            at,
            cpu_percent,
            load_1m,
            load_5m,
            load_15m,
            memory_total_bytes,
            memory_used_bytes,
            memory_available_bytes,
            swap_used_bytes,
            disk_total_bytes,
            disk_used_bytes,
            disk_read_bytes_per_second,
            disk_write_bytes_per_second,
            network_rx_bytes_per_second,
            network_tx_bytes_per_second,
            containers_running,
            containers_total,
            processes,
            uptime_seconds,
            agent_memory_bytes,
        } = row;
        Self {
            at,
            cpu_percent,
            load_1m,
            load_5m,
            load_15m,
            memory_total_bytes,
            memory_used_bytes,
            memory_available_bytes,
            swap_used_bytes,
            disk_total_bytes,
            disk_used_bytes,
            disk_read_bytes_per_second,
            disk_write_bytes_per_second,
            network_rx_bytes_per_second,
            network_tx_bytes_per_second,
            containers_running,
            containers_total,
            processes,
            uptime_seconds,
            agent_memory_bytes,
        }
    }
}

/// Average the newest samples, and those that came since then, into the coarser tables; running it again changes
/// nothing.
pub async fn sample_roll_up(system: &PgPool, since: Option<DateTime<Utc>>) -> Result<()> {
    for (from, into, step, span) in
        [("metrics_raw", "metrics_1m", "1 minute", "10 minutes"), ("metrics_1m", "metrics_1h", "1 hour", "3 hours")]
    {
        let sql = format!(
            "insert into {into} select server_id, organization_id, date_bin('{step}', at, 'epoch') as bin, {COLUMNS}
             from {from} where at >= date_bin('{step}', least(now() - interval '{span}', $1), 'epoch')
             group by server_id, organization_id, bin
             on conflict (server_id, at) do update set cpu_percent = excluded.cpu_percent, load_1m = excluded.load_1m,
                 load_5m = excluded.load_5m, load_15m = excluded.load_15m,
                 memory_used_bytes = excluded.memory_used_bytes, memory_available_bytes = excluded.memory_available_bytes,
                 swap_used_bytes = excluded.swap_used_bytes, disk_used_bytes = excluded.disk_used_bytes,
                 disk_read_bytes_per_second = excluded.disk_read_bytes_per_second,
                 disk_write_bytes_per_second = excluded.disk_write_bytes_per_second,
                 network_rx_bytes_per_second = excluded.network_rx_bytes_per_second,
                 network_tx_bytes_per_second = excluded.network_tx_bytes_per_second,
                 containers_running = excluded.containers_running, containers_total = excluded.containers_total,
                 processes = excluded.processes, uptime_seconds = excluded.uptime_seconds,
                 agent_memory_bytes = excluded.agent_memory_bytes"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(since).execute(system).await?;
    }
    Ok(())
}

/// Partitions for these days, of samples of servers and of instances, made ahead; older ones dropped.
pub async fn partition_maintain(system: &PgPool, today: NaiveDate) -> Result<()> {
    let (first, last) = (today - chrono::Days::new(1), today + chrono::Days::new(2));
    sqlx::query!("select metrics_partitions_ensure($1, $2)", first, last).execute(system).await?;
    for (base, days) in [
        ("metrics_raw", 8),
        ("metrics_1m", 32),
        ("metrics_1h", 400),
        ("instance_metrics_raw", 8),
        ("instance_metrics_1m", 32),
        ("instance_metrics_1h", 400),
    ] {
        let before = today - chrono::Days::new(days);
        sqlx::query!("select metrics_partitions_drop($1, $2)", base, before).fetch_one(system).await?;
    }
    Ok(())
}
