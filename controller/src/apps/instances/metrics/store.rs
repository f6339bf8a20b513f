//! Every query on samples of instances.

use crate::error::Result;
use crate::fleet::metrics::store::{Merge, Period, SampleTables};
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

/// Of instances.
pub const INSTANCES: SampleTables = SampleTables {
    tables: "instance_metrics",
    subject: "instance_id",
    // In the order of the tables' columns.
    columns: &[
        ("cpu_percent", Merge::Average("real")),
        ("memory_used_bytes", Merge::Average("bigint")),
        ("memory_rss_bytes", Merge::Average("bigint")),
        ("memory_limit_bytes", Merge::Most),
        ("network_rx_bytes_per_second", Merge::Average("bigint")),
        ("network_tx_bytes_per_second", Merge::Average("bigint")),
        ("block_read_bytes_per_second", Merge::Average("bigint")),
        ("block_write_bytes_per_second", Merge::Average("bigint")),
        ("processes", Merge::Most),
        ("database_bytes", Merge::Most),
        ("database_connections", Merge::Most),
        ("filestore_bytes", Merge::Most),
    ],
};

/// Samples of an instance, averaged over steps of that many seconds, oldest first.
pub async fn sample_list(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, period: &Period,
) -> Result<Vec<InstanceSample>> {
    let rows: Vec<SampleRow> = INSTANCES.list(connection, organization, id.0, period).await?;
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
