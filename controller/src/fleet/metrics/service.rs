//! Samples: taken in, kept, shown.

use super::store::{self, Arrived, Period, Resolution};
use crate::app::App;
use crate::apps::instances::metrics::store as of_instances;
use crate::error::{Error, Result};
use crate::fleet::servers::model::Server;
use crate::fleet::servers::service::server_get;
use crate::platform::bus::Signal;
use crate::platform::http::Ctx;
use crate::platform::tunnel::Tunnel;
use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::inventory::{MetricsSample, MetricsWatch};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use utoipa::ToSchema;

const FLUSH: Duration = Duration::from_secs(1);
const MAINTAIN: Duration = Duration::from_secs(60);
/// Beyond this the database has been away for long; the oldest samples give way.
const MOST_BUFFERED: usize = 200_000;
const INSERT_BATCH: usize = 5_000;
/// A watch is asked for longer than the pause between two asks.
const WATCH_SECONDS: u32 = 45;

/// Samples that wait for the next flush, and how far back those reach that wait to be averaged.
pub struct MetricsBuffer<T> {
    samples: Mutex<Vec<T>>,
    /// An agent that was away brings hours with it.
    oldest: Mutex<Option<DateTime<Utc>>>,
}

impl<T> Default for MetricsBuffer<T> {
    fn default() -> Self {
        Self { samples: Mutex::default(), oldest: Mutex::default() }
    }
}

impl<T> MetricsBuffer<T> {
    pub fn add(&self, samples: impl IntoIterator<Item = T>) {
        let mut buffer = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.extend(samples);
        let surplus = buffer.len().saturating_sub(MOST_BUFFERED);
        buffer.drain(..surplus);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Samples since then were stored and are to be averaged.
    fn stored(&self, since: Option<DateTime<Utc>>) {
        let mut oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        *oldest = [*oldest, since].into_iter().flatten().min();
    }

    fn take_oldest(&self) -> Option<DateTime<Utc>> {
        self.oldest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Samples of an agent: shown at once, stored with the next flush.
pub fn samples_arrived(app: &App, tunnel: &Tunnel, samples: &[MetricsSample]) {
    if let Some(newest) = samples.last() {
        app.bus.send(Signal::Metrics {
            organization: tunnel.organization,
            server: tunnel.server,
            sample: Box::new(newest.clone()),
        });
    }
    let now = app.clock.now();
    let kept = samples.iter().filter(|sample| is_near(sample.at, now));
    app.metrics_buffer.add(kept.map(|sample| (tunnel.organization, tunnel.server, sample.clone())));
}

/// A clock that is far off would write into days that have no partition.
pub fn is_near(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at > now - TimeDelta::hours(12) && at < now + TimeDelta::hours(12)
}

/// Write what has arrived, once a second, in batches.
pub async fn flush_task(app: App) {
    loop {
        tokio::time::sleep(FLUSH).await;
        flush(&app).await;
    }
}

/// Something that is written in batches.
pub trait Sample: Clone + Send + Sync {
    fn insert(system: &PgPool, batch: &[Self]) -> impl Future<Output = Result<()>> + Send;
    fn at(&self) -> DateTime<Utc>;
}

impl Sample for Arrived {
    async fn insert(system: &PgPool, batch: &[Self]) -> Result<()> {
        store::sample_insert(system, batch).await
    }

    fn at(&self) -> DateTime<Utc> {
        self.2.at
    }
}

impl Sample for of_instances::Arrived {
    async fn insert(system: &PgPool, batch: &[Self]) -> Result<()> {
        of_instances::sample_insert(system, batch).await
    }

    fn at(&self) -> DateTime<Utc> {
        self.sample.at
    }
}

/// Write what has arrived. What cannot be written waits for the next time.
pub async fn flush(app: &App) {
    buffer_flush(app.db.fleet(), &app.metrics_buffer).await;
    buffer_flush(app.db.fleet(), &app.instance_metrics_buffer).await;
}

async fn buffer_flush<T: Sample>(system: &PgPool, buffer: &MetricsBuffer<T>) {
    let samples = buffer.take();
    for (number, batch) in samples.chunks(INSERT_BATCH).enumerate() {
        if let Err(error) = T::insert(system, batch).await {
            tracing::warn!(%error, "samples could not be stored; they wait");
            buffer.add(samples[number * INSERT_BATCH..].iter().cloned());
            return;
        }
        buffer.stored(batch.iter().map(T::at).min());
    }
}

/// Partitions and averages, once a minute.
pub async fn maintain_task(app: App) {
    loop {
        tokio::time::sleep(MAINTAIN).await;
        if let Err(error) = maintain(&app).await {
            tracing::warn!(%error, "metrics could not be maintained; it is tried again");
        }
    }
}

/// Partitions and averages, now.
pub async fn maintain(app: &App) -> Result<()> {
    store::partition_maintain(app.db.fleet(), app.clock.now().date_naive()).await?;
    let oldest = app.metrics_buffer.take_oldest();
    store::SERVERS.roll_up(app.db.fleet(), oldest).await.inspect_err(|_| app.metrics_buffer.stored(oldest))?;
    let buffer = &app.instance_metrics_buffer;
    let oldest = buffer.take_oldest();
    of_instances::INSTANCES.roll_up(app.db.fleet(), oldest).await.inspect_err(|_| buffer.stored(oldest))
}

/// Fill in the newest sample of each server.
pub async fn usage_fill(
    connection: &mut PgConnection, organization: OrganizationId, servers: &mut [Server],
) -> Result<()> {
    let ids: Vec<_> = servers.iter().map(|s| s.id.0).collect();
    let mut latest = store::sample_list_latest(connection, organization, &ids).await?;
    for server in servers {
        server.usage = latest.remove(&server.id.0);
    }
    Ok(())
}

/// The newest sample of a server.
pub async fn sample_latest(ctx: &Ctx, app: &App, id: ServerId) -> Result<MetricsSample> {
    server_get(ctx, app, id).await?.usage.ok_or(Error::NotFound("sample"))
}

/// Samples over a period.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MetricsSeries {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Seconds from one point to the next.
    pub step_seconds: i64,
    /// Oldest first; steps without a sample are left out.
    pub data: Vec<MetricsSample>,
}

/// Which samples are asked for.
pub struct SeriesRequest {
    pub period: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    pub step: Option<i64>,
}

impl SeriesRequest {
    /// The period, the step and the table that has both.
    pub fn plan(self, now: DateTime<Utc>) -> Result<Period> {
        let to = self.to.unwrap_or(now);
        let from = match (self.from, self.period.as_deref().unwrap_or("1h")) {
            (Some(from), _) => from,
            (None, "1h") => to - TimeDelta::hours(1),
            (None, "6h") => to - TimeDelta::hours(6),
            (None, "24h") => to - TimeDelta::hours(24),
            (None, "7d") => to - TimeDelta::days(7),
            (None, "30d") => to - TimeDelta::days(30),
            (None, _) => return Err(Error::field("period", "enum", "The period is one of 1h, 6h, 24h, 7d, 30d.")),
        };
        let span = (to - from).num_seconds();
        if span <= 0 || span > 400 * 86400 {
            return Err(Error::field("from", "range", "'from' lies before 'to', at most 400 days."));
        }
        let step_seconds = self.step.unwrap_or_else(|| (span / 360).max(10));
        if step_seconds < 1 || span / step_seconds > 5000 {
            return Err(Error::field("step", "range", "Choose a larger step: at most 5000 points are answered."));
        }
        let resolution = match (now - from).num_hours() {
            _ if step_seconds < 60 && now - from < TimeDelta::days(7) => Resolution::Raw,
            hours if hours < 24 * 31 && step_seconds < 3600 => Resolution::Minute,
            _ => Resolution::Hour,
        };
        Ok(Period { from, to, step_seconds, resolution })
    }
}

/// Samples of a server over a period, at most about 400 points.
pub async fn sample_series(ctx: &Ctx, app: &App, id: ServerId, request: SeriesRequest) -> Result<MetricsSeries> {
    server_get(ctx, app, id).await?;
    let period = request.plan(app.clock.now())?;
    let mut connection = app.db.org(ctx.organization).await?;
    let data = store::sample_list(&mut connection, ctx.organization, id, &period).await?;
    Ok(MetricsSeries { from: period.from, to: period.to, step_seconds: period.step_seconds, data })
}

/// Somebody looks at this server: ask for a sample every 10 s. Call it again every 30 s.
pub async fn metrics_watch(app: &App, server: ServerId) {
    let Ok(tunnel) = app.tunnels.get(server) else { return };
    let watch = MetricsWatch { seconds: WATCH_SECONDS };
    let asked: Result<(_, Option<()>), _> =
        tunnel.client.call(Method::POST, "/metrics/watch", &watch, Duration::from_secs(5)).await;
    if let Err(error) = asked {
        tracing::debug!(%server, %error, "a watch was not taken");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::testing::TestApp;

    fn sample(at: DateTime<Utc>) -> Arrived {
        let sample = serde_json::from_value(serde_json::json!({
            "at": at, "cpu_percent": 40.0, "load_1m": 0.0, "load_5m": 0.0, "load_15m": 0.0, "memory_total_bytes": 0,
            "memory_used_bytes": 0, "memory_available_bytes": 0, "swap_used_bytes": 0, "disk_total_bytes": 0,
            "disk_used_bytes": 0, "disk_read_bytes_per_second": 0, "disk_write_bytes_per_second": 0,
            "network_rx_bytes_per_second": 0, "network_tx_bytes_per_second": 0, "containers_running": 0,
            "containers_total": 0, "processes": 0, "uptime_seconds": 0, "agent_memory_bytes": 0,
        }));
        (OrganizationId::new(), ServerId::new(), sample.unwrap())
    }

    async fn averaged(app: &App) -> (i64, i64) {
        let counts = "select (select count(*) from metrics_1m), (select count(*) from metrics_1h)";
        sqlx::query_as(counts).fetch_one(app.db.fleet()).await.unwrap()
    }

    #[tokio::test]
    async fn samples_that_come_late_are_averaged_too() {
        let test = TestApp::start().await;
        let app = &test.app;
        let now = app.clock.now();
        app.metrics_buffer.add([sample(now), sample(now - TimeDelta::hours(5)), sample(now - TimeDelta::hours(1))]);
        flush(app).await;
        maintain(app).await.unwrap();
        assert_eq!(averaged(app).await, (3, 3));

        // Averaged once, and again only when more of that time has come.
        sqlx::query("delete from metrics_1m").execute(app.db.fleet()).await.unwrap();
        maintain(app).await.unwrap();
        assert_eq!(averaged(app).await, (1, 3));
    }

    #[tokio::test]
    async fn what_could_not_be_averaged_is_later() {
        let test = TestApp::start().await;
        let app = &test.app;
        let old = app.clock.now() - TimeDelta::hours(5);
        app.metrics_buffer.add([sample(old)]);
        flush(app).await;
        sqlx::query("revoke insert on metrics_1m from ocore_system").execute(&mut owner(&test).await).await.unwrap();
        maintain(app).await.unwrap_err();
        sqlx::query("grant insert on metrics_1m to ocore_system").execute(&mut owner(&test).await).await.unwrap();
        maintain(app).await.unwrap();
        assert_eq!(averaged(app).await, (1, 1));
    }

    async fn owner(test: &TestApp) -> PgConnection {
        use sqlx::ConnectOptions;
        test.options.connect().await.unwrap()
    }
}
