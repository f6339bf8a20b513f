//! Liveness, readiness and metrics, for whoever watches the controller.

use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::platform::http::listener::Peer;
use crate::platform::http::public;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Serialize;
use std::time::{Duration, Instant};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const DATABASE_DEADLINE: Duration = Duration::from_secs(2);

/// They have no limits and no credentials: whoever watches must not be refused.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(public(routes!(health_get)))
        .routes(public(routes!(health_live)))
        .routes(public(routes!(health_ready)))
        .routes(public(routes!(ready_get)))
        .routes(public(routes!(health_detailed)))
}

/// Prometheus' figures, which are no part of the API.
pub fn metrics_route() -> Router<App> {
    Router::new().route("/metrics", get(metrics))
}

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Liveness {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// Version of the controller.
    version: &'static str,
}

/// Requests can be served.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// Agents that are connected to this replica.
    agents_connected: usize,
}

/// Each part that answering needs, by itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthReport {
    /// `ok`, or `degraded` when a part is not.
    status: &'static str,
    version: &'static str,
    /// Seconds since this replica started.
    uptime_seconds: i64,
    checks: Vec<HealthCheck>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct HealthCheck {
    /// `database`; `staying`: this replica is not about to stop.
    name: &'static str,
    /// `ok` or `failed`.
    status: &'static str,
    /// How long the check took.
    milliseconds: u64,
}

/// Liveness.
///
/// Whether the process answers, and nothing else: a database that is away does not make it dead.
#[utoipa::path(get, path = "/health", tag = "Health",
    responses((status = 200, description = "It answers", body = Liveness)))]
async fn health_get() -> Json<Liveness> {
    Json(alive())
}

/// Liveness, under the name that probes expect.
#[utoipa::path(get, path = "/health/live", tag = "Health",
    responses((status = 200, description = "It answers", body = Liveness)))]
async fn health_live() -> Json<Liveness> {
    Json(alive())
}

/// Readiness.
///
/// Whether requests can be served: the database answers, and this replica is not about to stop.
#[utoipa::path(get, path = "/health/ready", tag = "Health",
    responses((status = 200, description = "Requests can be served", body = Readiness),
        (status = 503, description = "Not now; Retry-After says when to ask again", body = ErrorBody)))]
async fn health_ready(State(app): State<App>) -> Result<Json<Readiness>> {
    ready(&app).await
}

/// Readiness, under another name.
#[utoipa::path(get, path = "/ready", tag = "Health",
    responses((status = 200, description = "Requests can be served", body = Readiness),
        (status = 503, description = "Not now; Retry-After says when to ask again", body = ErrorBody)))]
async fn ready_get(State(app): State<App>) -> Result<Json<Readiness>> {
    ready(&app).await
}

/// Each part by itself.
///
/// What readiness needs, part by part. It tells no names, addresses or counts, so anybody may ask.
#[utoipa::path(get, path = "/health/detailed", tag = "Health",
    responses((status = 200, description = "Every part is well", body = HealthReport),
        (status = 503, description = "A part is not; the report says which", body = HealthReport)))]
async fn health_detailed(State(app): State<App>) -> (StatusCode, Json<HealthReport>) {
    let asked = Instant::now();
    let database = database_answers(&app).await;
    let milliseconds = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
    let check =
        |name, well: bool, milliseconds| HealthCheck { name, status: if well { "ok" } else { "failed" }, milliseconds };
    let stays = !app.stop.is_cancelled();
    let checks = vec![check("database", database, milliseconds), check("staying", stays, 0)];
    let (code, status) = match database && stays {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
    };
    let uptime_seconds = (app.clock.now() - app.started_at).num_seconds().max(0);
    (code, Json(HealthReport { status, version: env!("CARGO_PKG_VERSION"), uptime_seconds, checks }))
}

fn alive() -> Liveness {
    Liveness { status: "ok", version: env!("CARGO_PKG_VERSION") }
}

async fn database_answers(app: &App) -> bool {
    matches!(tokio::time::timeout(DATABASE_DEADLINE, app.db.ping()).await, Ok(Ok(())))
}

async fn ready(app: &App) -> Result<Json<Readiness>> {
    if !database_answers(app).await || app.stop.is_cancelled() {
        return Err(Error::Unavailable { message: "The database does not answer.".into(), retry_after: 2 });
    }
    Ok(Json(Readiness { status: "ready", agents_connected: app.tunnels.len() }))
}

/// Prometheus' text format; from loopback only, as it tells how the installation is used.
async fn metrics(State(app): State<App>, peer: Option<Extension<Peer>>) -> Result<impl IntoResponse> {
    if !peer.is_some_and(|p| p.is_here()) {
        return Err(Error::forbidden("loopback_only", "Metrics are answered on loopback only; scrape through it."));
    }
    let handle = app.metrics.as_ref().ok_or(Error::NotFound("metrics recorder"))?;
    Ok(handle.render())
}
