//! Liveness, readiness and metrics, for whoever watches the controller.

use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::http::listener::Peer;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};
use std::time::Duration;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/health", get(live))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
}

/// The process answers.
async fn live() -> Json<Value> {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

/// Requests can be served: the database answers.
async fn ready(State(app): State<App>) -> Result<Json<Value>> {
    let answered = tokio::time::timeout(Duration::from_secs(2), app.db.ping()).await;
    if !matches!(answered, Ok(Ok(()))) || app.stop.is_cancelled() {
        return Err(Error::Unavailable { message: "The database does not answer.".into(), retry_after: 2 });
    }
    Ok(Json(json!({"status": "ready", "agents_connected": app.tunnels.len()})))
}

/// Prometheus' text format; from loopback only, as it tells how the installation is used.
async fn metrics(State(app): State<App>, peer: Option<Extension<Peer>>) -> Result<impl IntoResponse> {
    if !peer.is_some_and(|p| p.address.ip().to_canonical().is_loopback()) {
        return Err(Error::forbidden("loopback_only", "Metrics are answered on loopback only; scrape through it."));
    }
    let handle = app.metrics.as_ref().ok_or(Error::NotFound("metrics recorder"))?;
    Ok(handle.render())
}
