//! Every query on samples of instances.

use crate::error::Result;
use crate::fleet::metrics::store::Resolution;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{InstanceId, OrganizationId, ServerId};
use ocore_shared::protocol::health::InstanceSample;
use sqlx::{PgConnection, PgPool};

/// A sample on its way into the database.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub organization: OrganizationId,
    pub server: ServerId,
    pub sample: InstanceSample,
}

/// Store samples in one statement; a sample that came twice is stored once, and one of an instance that is not on that
/// server not at all.
pub async fn sample_insert(system: &PgPool, samples: &[Arrived]) -> Result<()> {
    macro_rules! column {
        ($field:ident) => {
            &samples.iter().map(|s| s.sample.$field).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "insert into instance_metrics_raw
         select s.instance_id, s.organization_id, s.at, s.cpu, s.used, s.rss, s.lim, s.rx, s.tx, s.rd, s.wr, s.procs,
             s.db, s.conns, s.files
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::real[], $6::bigint[], $7::bigint[],
             $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::int[], $14::bigint[],
             $15::int[], $16::bigint[])
             as s (instance_id, organization_id, server_id, at, cpu, used, rss, lim, rx, tx, rd, wr, procs, db, conns, files)
         join instances i on i.id = s.instance_id and i.organization_id = s.organization_id and i.server_id = s.server_id
         on conflict do nothing",
        &samples.iter().map(|s| s.sample.instance_id.0).collect::<Vec<_>>(),
        &samples.iter().map(|s| s.organization.0).collect::<Vec<_>>(),
        &samples.iter().map(|s| s.server.0).collect::<Vec<_>>(),
        &samples.iter().map(|s| s.sample.at).collect::<Vec<_>>(),
        column!(cpu_percent) as _,
        column!(memory_used_bytes) as _,
        column!(memory_rss_bytes) as _,
        column!(memory_limit_bytes) as _,
        column!(network_rx_bytes_per_second) as _,
        column!(network_tx_bytes_per_second) as _,
        column!(block_read_bytes_per_second) as _,
        column!(block_write_bytes_per_second) as _,
        column!(processes) as _,
        column!(database_bytes) as _,
        column!(database_connections) as _,
        column!(filestore_bytes) as _,
    )
    .execute(system)
    .await?;
    Ok(())
}

fn table(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Raw => "instance_metrics_raw",
        Resolution::Minute => "instance_metrics_1m",
        Resolution::Hour => "instance_metrics_1h",
    }
}

/// What is unknown has no part in an average.
const COLUMNS: &str = "avg(cpu_percent)::real as cpu_percent, avg(memory_used_bytes)::bigint as memory_used_bytes,
    avg(memory_rss_bytes)::bigint as memory_rss_bytes, max(memory_limit_bytes) as memory_limit_bytes,
    avg(network_rx_bytes_per_second)::bigint as network_rx_bytes_per_second,
    avg(network_tx_bytes_per_second)::bigint as network_tx_bytes_per_second,
    avg(block_read_bytes_per_second)::bigint as block_read_bytes_per_second,
    avg(block_write_bytes_per_second)::bigint as block_write_bytes_per_second, max(processes) as processes,
    max(database_bytes) as database_bytes, max(database_connections) as database_connections,
    max(filestore_bytes) as filestore_bytes";

/// Samples of an instance, averaged over steps of that many seconds, oldest first.
pub async fn sample_list(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, from: DateTime<Utc>,
    to: DateTime<Utc>, step_seconds: i64, resolution: Resolution,
) -> Result<Vec<InstanceSample>> {
    let sql = format!(
        "select date_bin(make_interval(secs => $5), at, 'epoch') as at, {COLUMNS} from {}
         where organization_id = $1 and instance_id = $2 and at >= $3 and at < $4 group by 1 order by 1",
        table(resolution)
    );
    let rows: Vec<SampleRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(organization.0)
        .bind(id.0)
        .bind(from)
        .bind(to)
        .bind(step_seconds as f64)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.sample(id)).collect())
}

/// The newest sample since then.
pub async fn sample_latest(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, since: DateTime<Utc>,
) -> Result<Option<InstanceSample>> {
    let row: Option<SampleRow> = sqlx::query_as(
        "select at, cpu_percent, memory_used_bytes, memory_rss_bytes, memory_limit_bytes, network_rx_bytes_per_second,
             network_tx_bytes_per_second, block_read_bytes_per_second, block_write_bytes_per_second, processes,
             database_bytes, database_connections, filestore_bytes
         from instance_metrics_raw where organization_id = $1 and instance_id = $2 and at > $3 order by at desc limit 1",
    )
    .bind(organization.0)
    .bind(id.0)
    .bind(since)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.sample(id)))
}

#[derive(sqlx::FromRow)]
struct SampleRow {
    at: DateTime<Utc>,
    cpu_percent: Option<f32>,
    memory_used_bytes: Option<i64>,
    memory_rss_bytes: Option<i64>,
    memory_limit_bytes: Option<i64>,
    network_rx_bytes_per_second: Option<i64>,
    network_tx_bytes_per_second: Option<i64>,
    block_read_bytes_per_second: Option<i64>,
    block_write_bytes_per_second: Option<i64>,
    processes: Option<i32>,
    database_bytes: Option<i64>,
    database_connections: Option<i32>,
    filestore_bytes: Option<i64>,
}

impl SampleRow {
    fn sample(self, instance_id: InstanceId) -> InstanceSample {
        InstanceSample {
            instance_id,
            at: self.at,
            cpu_percent: self.cpu_percent,
            memory_used_bytes: self.memory_used_bytes,
            memory_rss_bytes: self.memory_rss_bytes,
            memory_limit_bytes: self.memory_limit_bytes,
            network_rx_bytes_per_second: self.network_rx_bytes_per_second,
            network_tx_bytes_per_second: self.network_tx_bytes_per_second,
            block_read_bytes_per_second: self.block_read_bytes_per_second,
            block_write_bytes_per_second: self.block_write_bytes_per_second,
            processes: self.processes,
            database_bytes: self.database_bytes,
            database_connections: self.database_connections,
            filestore_bytes: self.filestore_bytes,
        }
    }
}

/// Average the newest samples, and those that came since then, into the coarser tables; running it again changes
/// nothing.
pub async fn sample_roll_up(system: &PgPool, since: Option<DateTime<Utc>>) -> Result<()> {
    for (from, into, step, span) in [
        ("instance_metrics_raw", "instance_metrics_1m", "1 minute", "10 minutes"),
        ("instance_metrics_1m", "instance_metrics_1h", "1 hour", "3 hours"),
    ] {
        let sql = format!(
            "insert into {into} select instance_id, organization_id, date_bin('{step}', at, 'epoch') as bin, {COLUMNS}
             from {from} where at >= date_bin('{step}', least(now() - interval '{span}', $1), 'epoch')
             group by instance_id, organization_id, bin
             on conflict (instance_id, at) do update set cpu_percent = excluded.cpu_percent,
                 memory_used_bytes = excluded.memory_used_bytes, memory_rss_bytes = excluded.memory_rss_bytes,
                 memory_limit_bytes = excluded.memory_limit_bytes,
                 network_rx_bytes_per_second = excluded.network_rx_bytes_per_second,
                 network_tx_bytes_per_second = excluded.network_tx_bytes_per_second,
                 block_read_bytes_per_second = excluded.block_read_bytes_per_second,
                 block_write_bytes_per_second = excluded.block_write_bytes_per_second, processes = excluded.processes,
                 database_bytes = excluded.database_bytes, database_connections = excluded.database_connections,
                 filestore_bytes = excluded.filestore_bytes"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(since).execute(system).await?;
    }
    Ok(())
}
