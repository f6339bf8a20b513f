//! The containers of this server, ours or not, and what they use.

use super::{ApiError, ApiResult, Json, Path};
use crate::state::AgentState;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use ocore_shared::protocol::inventory::{ContainerInfo, ContainerStats};

pub fn router() -> Router<AgentState> {
    Router::new()
        .route("/inventory/containers", get(container_list))
        .route("/containers/{id}/stats", get(container_stats))
}

async fn container_list(State(state): State<AgentState>) -> ApiResult<Json<Vec<ContainerInfo>>> {
    Ok(Json(state.host.containers().await?))
}

async fn container_stats(State(state): State<AgentState>, Path(id): Path<String>) -> ApiResult<Json<ContainerStats>> {
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
        return Err(ApiError::invalid("That is no name or id of a container."));
    }
    let stats = state.host.docker.stats(&id, state.clock.now()).await?;
    stats.map(Json).ok_or_else(|| ApiError::not_found("This server has no such container."))
}
