//! Destinations of backups, as this server sees them.

use super::{ApiResult, Json};
use crate::policy;
use crate::state::AgentState;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use ocore_shared::protocol::storage::{Place, StorageAnswer, StorageRequest};
use ocore_shared::storage::{SystemResolve, storage_work};
use std::sync::Arc;

pub fn router() -> Router<AgentState> {
    Router::new().route("/storage", post(work))
}

/// What is wrong with the destination is in the answer.
async fn work(State(agent): State<AgentState>, Json(request): Json<StorageRequest>) -> ApiResult<Json<StorageAnswer>> {
    if let Place::Local(local) = &request.place
        && let Err(error) = policy::backup_directory_allowed(&agent.config.config_dir, local)
    {
        return Ok(Json(StorageAnswer { problem: Some(error.into()), ..StorageAnswer::default() }));
    }
    Ok(Json(storage_work(request, Arc::new(SystemResolve)).await))
}
