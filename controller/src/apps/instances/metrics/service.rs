//! Samples of instances: taken in and shown.

use super::store;
use crate::app::App;
use crate::apps::instances::service::instance_get;
use crate::error::Result;
use crate::fleet::metrics::service::{SeriesRequest, is_near};
use crate::platform::http::Ctx;
use crate::platform::tunnel::Tunnel;
use chrono::{DateTime, Utc};
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::health::InstanceSample;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Samples over a period.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct InstanceMetricsSeries {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Seconds from one point to the next.
    pub step_seconds: i64,
    /// Oldest first; steps without a sample are left out.
    pub data: Vec<InstanceSample>,
}

/// Samples of an agent's instances: stored with the next flush.
pub fn samples_arrived(app: &App, tunnel: &Tunnel, samples: &[InstanceSample]) {
    let now = app.clock.now();
    let kept = samples.iter().filter(|sample| is_near(sample.at, now));
    app.instance_metrics_buffer.add(kept.map(|sample| store::Arrived {
        organization: tunnel.organization,
        server: tunnel.server,
        sample: sample.clone(),
    }));
}

/// Samples of an instance over a period, at most about 400 points.
pub async fn sample_series(
    ctx: &Ctx, app: &App, id: InstanceId, request: SeriesRequest,
) -> Result<InstanceMetricsSeries> {
    instance_get(ctx, app, id).await?;
    let period = request.plan(app.clock.now())?;
    let mut connection = app.db.org(ctx.organization).await?;
    let data = store::sample_list(&mut connection, ctx.organization, id, &period).await?;
    Ok(InstanceMetricsSeries { from: period.from, to: period.to, step_seconds: period.step_seconds, data })
}
