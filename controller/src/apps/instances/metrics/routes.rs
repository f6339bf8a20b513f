//! `/api/instances/{id}/metrics`.

use super::service::{self, InstanceMetricsSeries};
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::fleet::metrics::routes::MetricsQuery;
use crate::platform::http::{Ctx, Params, Path, Permission, guard};
use axum::Json;
use axum::extract::State;
use ocore_shared::ids::InstanceId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Permission::ViewInstances, routes!(instance_metrics)))
}

/// Get an instance's samples over a period, averaged to about 360 points.
#[utoipa::path(get, path = "/api/instances/{id}/metrics", tag = "Instances", params(InstanceId, MetricsQuery),
    responses((status = 200, body = InstanceMetricsSeries), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn instance_metrics(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<MetricsQuery>,
) -> Result<Json<InstanceMetricsSeries>> {
    service::sample_series(&ctx, &app, id, query.request()).await.map(Json)
}
