//! What the server is, and how often it is measured.

use super::Json;
use crate::host::facts;
use crate::state::AgentState;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use http::StatusCode;
use ocore_shared::protocol::inventory::{Facts, MetricsWatch};
use std::time::Duration;

pub fn router() -> Router<AgentState> {
    Router::new().route("/inventory/system", get(system_get)).route("/metrics/watch", post(metrics_watch))
}

async fn system_get(State(agent): State<AgentState>) -> Json<Facts> {
    Json(facts::collect(&agent.host).await)
}

async fn metrics_watch(State(agent): State<AgentState>, Json(watch): Json<MetricsWatch>) -> StatusCode {
    agent.metrics.watch(Duration::from_secs(watch.seconds.into()));
    StatusCode::NO_CONTENT
}
