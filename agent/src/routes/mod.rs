//! The agent's HTTP API, one file per noun. Only the controller reaches it, through the tunnel.

mod containers;
mod error;
mod events;
mod files;
mod instances;
mod inventory;
mod jobs;
mod logs;
mod session;
mod storage;
mod terminals;
#[cfg(test)]
mod tests;

pub use error::{ApiError, ApiResult, Json, Path, Query};
pub use session::Link;

use crate::state::AgentState;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use http::StatusCode;

/// A job's input carries no bulk.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// All routes, for one tunnel: nothing but `POST /session` is answered before that one has succeeded in it.
pub fn router(state: AgentState, link: Link) -> Router {
    Router::new()
        .merge(events::router())
        .merge(jobs::router())
        .merge(inventory::router())
        .merge(containers::router())
        .merge(instances::router())
        .merge(files::router())
        .merge(logs::router())
        .merge(storage::router())
        .merge(terminals::router())
        .layer(axum::middleware::from_fn_with_state(link.clone(), session::require))
        .merge(session::router(link))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .fallback(|| async { ApiError::not_found("This agent does not have that route; it may be too old.") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This route does not have that method.")
        })
        .with_state(state)
}
