use super::model::AdminMetrics;
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::platform::http::admin;
use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(admin(routes!(admin_metrics_get)))
}

/// Get the figures of the dashboard.
///
/// People, organizations, servers, instances, jobs, mail, audit log, replicas and the database, as they are now.
#[utoipa::path(get, path = "/api/admin/metrics", tag = "Admin",
    responses((status = 200, description = "The figures", body = AdminMetrics)))]
async fn admin_metrics_get(State(app): State<App>) -> Result<Json<AdminMetrics>> {
    service::metrics_get(&app).await.map(Json)
}
