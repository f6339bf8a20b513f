//! `/api/instances/{id}/health`.

use super::model::InstanceHealthDetail;
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{Ctx, Params, Path, Permission, guard};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use ocore_shared::ids::InstanceId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Permission::ViewInstances, routes!(instance_health)))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct HealthQuery {
    /// Days of uptime, 1 to 90 (default 30).
    #[garde(inner(range(min = 1, max = 90)))]
    days: Option<u32>,
}

/// Get an instance's checks, its score with the reasons, and its uptime.
#[utoipa::path(get, path = "/api/instances/{id}/health", tag = "Instances", params(InstanceId, HealthQuery),
    responses((status = 200, body = InstanceHealthDetail), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn instance_health(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<HealthQuery>,
) -> Result<Json<InstanceHealthDetail>> {
    service::instance_health(&ctx, &app, id, query.days.unwrap_or(30)).await.map(Json)
}
