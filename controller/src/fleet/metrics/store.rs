//! Every query on the metrics tables.

use crate::error::Result;
use chrono::{DateTime, NaiveDate, Utc};
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::inventory::MetricsSample;
use sqlx::postgres::PgRow;
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

/// A period that is answered.
pub struct Period {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub step_seconds: i64,
    pub resolution: Resolution,
}

/// How several samples become one. What is unknown has no part in it.
pub enum Merge {
    /// Their average, as that type.
    Average(&'static str),
    Most,
}

/// Samples of one kind of thing, in three tables that differ in how finely they are kept.
pub struct SampleTables {
    /// What their names begin with.
    pub tables: &'static str,
    /// The column that says of which thing a sample is.
    pub subject: &'static str,
    pub columns: &'static [(&'static str, Merge)],
}

impl SampleTables {
    fn table(&self, resolution: Resolution) -> String {
        let kept = match resolution {
            Resolution::Raw => "raw",
            Resolution::Minute => "1m",
            Resolution::Hour => "1h",
        };
        format!("{}_{kept}", self.tables)
    }

    fn columns(&self, one: impl Fn(&str, &Merge) -> String) -> String {
        self.columns.iter().map(|(name, merge)| one(name, merge)).collect::<Vec<_>>().join(", ")
    }

    fn merged(&self) -> String {
        self.columns(|name, merge| match merge {
            Merge::Average(kind) => format!("avg({name})::{kind} as {name}"),
            Merge::Most => format!("max({name}) as {name}"),
        })
    }

    /// Samples averaged over steps of that many seconds, oldest first.
    pub async fn list<R>(
        &self, connection: &mut PgConnection, organization: OrganizationId, subject: Uuid, period: &Period,
    ) -> Result<Vec<R>>
    where
        R: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let sql = format!(
            "select date_bin(make_interval(secs => $5), at, 'epoch') as at, {} from {}
             where organization_id = $1 and {} = $2 and at >= $3 and at < $4 group by 1 order by 1",
            self.merged(),
            self.table(period.resolution),
            self.subject
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(organization.0)
            .bind(subject)
            .bind(period.from)
            .bind(period.to)
            .bind(period.step_seconds as f64)
            .fetch_all(connection)
            .await?;
        Ok(rows)
    }

    /// Merge the newest samples, and those that came since then, into the coarser tables; running it again changes
    /// nothing.
    pub async fn roll_up(&self, system: &PgPool, since: Option<DateTime<Utc>>) -> Result<()> {
        for (from, into, step, span) in [
            (Resolution::Raw, Resolution::Minute, "1 minute", "10 minutes"),
            (Resolution::Minute, Resolution::Hour, "1 hour", "3 hours"),
        ] {
            let (from, into, subject) = (self.table(from), self.table(into), self.subject);
            let (merged, again) = (self.merged(), self.columns(|name, _| format!("{name} = excluded.{name}")));
            let sql = format!(
                "insert into {into} select {subject}, organization_id, date_bin('{step}', at, 'epoch') as bin, {merged}
                 from {from} where at >= date_bin('{step}', least(now() - interval '{span}', $1), 'epoch')
                 group by {subject}, organization_id, bin on conflict ({subject}, at) do update set {again}"
            );
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(since).execute(system).await?;
        }
        Ok(())
    }
}

/// Of servers.
pub const SERVERS: SampleTables = SampleTables {
    tables: "metrics",
    subject: "server_id",
    // In the order of the tables' columns.
    columns: &[
        ("cpu_percent", Merge::Average("real")),
        ("load_1m", Merge::Average("real")),
        ("load_5m", Merge::Average("real")),
        ("load_15m", Merge::Average("real")),
        ("memory_total_bytes", Merge::Most),
        ("memory_used_bytes", Merge::Average("bigint")),
        ("memory_available_bytes", Merge::Average("bigint")),
        ("swap_used_bytes", Merge::Average("bigint")),
        ("disk_total_bytes", Merge::Most),
        ("disk_used_bytes", Merge::Average("bigint")),
        ("disk_read_bytes_per_second", Merge::Average("bigint")),
        ("disk_write_bytes_per_second", Merge::Average("bigint")),
        ("network_rx_bytes_per_second", Merge::Average("bigint")),
        ("network_tx_bytes_per_second", Merge::Average("bigint")),
        ("containers_running", Merge::Most),
        ("containers_total", Merge::Most),
        ("processes", Merge::Most),
        ("uptime_seconds", Merge::Most),
        ("agent_memory_bytes", Merge::Most),
    ],
};

/// Samples of a server, averaged over steps of that many seconds, oldest first.
pub async fn sample_list(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, period: &Period,
) -> Result<Vec<MetricsSample>> {
    let rows: Vec<SampleRow> = SERVERS.list(connection, organization, server.0, period).await?;
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
