//! `/api/servers/{id}/metrics`.

use super::service::{self, MetricsSeries, SeriesRequest};
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{Ctx, Params, Path, Permission, guard};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use garde::Validate;
use ocore_shared::ids::ServerId;
use ocore_shared::protocol::inventory::MetricsSample;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewServers, routes!(server_metrics)))
        .routes(guard(Permission::ViewServers, routes!(server_metrics_latest)))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MetricsQuery {
    /// `1h` (default), `6h`, `24h`, `7d`, `30d`; or give `from` and `to`.
    #[garde(skip)]
    period: Option<String>,
    #[garde(skip)]
    from: Option<DateTime<Utc>>,
    #[garde(skip)]
    to: Option<DateTime<Utc>>,
    /// Seconds from one point to the next.
    #[garde(skip)]
    step: Option<i64>,
}

impl MetricsQuery {
    pub fn request(self) -> SeriesRequest {
        SeriesRequest { period: self.period, from: self.from, to: self.to, step: self.step }
    }
}

/// Get a server's samples over a period, averaged to about 360 points.
#[utoipa::path(get, path = "/api/servers/{id}/metrics", tag = "Servers", params(ServerId, MetricsQuery),
    responses((status = 200, body = MetricsSeries), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn server_metrics(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>, Params(query): Params<MetricsQuery>,
) -> Result<Json<MetricsSeries>> {
    service::sample_series(&ctx, &app, id, query.request()).await.map(Json)
}

/// Get a server's newest sample.
#[utoipa::path(get, path = "/api/servers/{id}/metrics/latest", tag = "Servers", params(ServerId),
    responses((status = 200, body = MetricsSample), (status = 404, body = ErrorBody)))]
async fn server_metrics_latest(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>,
) -> Result<Json<MetricsSample>> {
    service::sample_latest(&ctx, &app, id).await.map(Json)
}
