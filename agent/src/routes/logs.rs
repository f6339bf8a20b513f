//! Logs of instances: followed as NDJSON, and in pages.

use super::{ApiError, ApiResult, Json, Path, Query};
use crate::logs::{From, HistoryQuery};
use crate::state::AgentState;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures::StreamExt;
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::{Cursor, InvalidCursor};
use ocore_shared::protocol::logs::LogPage;
use serde::Deserialize;

const DEFAULT_TAIL: usize = 200;
const MAX_TAIL: usize = 5000;
const DEFAULT_LIMIT: usize = 200;

pub fn router() -> Router<AgentState> {
    Router::new().route("/instances/{id}/logs", get(log_follow)).route("/instances/{id}/logs/history", get(log_history))
}

#[derive(Deserialize)]
struct FollowQuery {
    after: Option<String>,
    tail: Option<usize>,
    #[serde(default)]
    follow: Option<String>,
}

async fn log_follow(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<FollowQuery>,
) -> ApiResult<Response> {
    let from = match query.after.filter(|a| !a.is_empty()) {
        Some(after) => From::After(cursor(&after)?),
        None => From::Tail(query.tail.unwrap_or(DEFAULT_TAIL).min(MAX_TAIL)),
    };
    let follow = query.follow.is_some_and(|f| f == "1" || f == "true");
    let lines = state.host.logs.view(id, from, follow).map(|record| match record {
        Ok(record) => serde_json::to_vec(&record).map(|mut line| {
            line.push(b'\n');
            Bytes::from(line)
        }),
        // The stream breaks off, so that the reader asks again from its last cursor.
        Err(e) => Err(serde::ser::Error::custom(e)),
    });
    Ok(([("content-type", "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

#[derive(Deserialize)]
struct PageQuery {
    before: Option<String>,
    limit: Option<usize>,
    q: Option<String>,
    level: Option<String>,
}

async fn log_history(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<PageQuery>,
) -> ApiResult<Json<LogPage>> {
    let given = |text: Option<String>| text.filter(|t| !t.is_empty());
    let query = HistoryQuery {
        before: given(query.before).map(|b| cursor(&b)).transpose()?,
        limit: query.limit.unwrap_or(DEFAULT_LIMIT),
        text: given(query.q),
        level: given(query.level),
    };
    Ok(Json(state.host.logs.history(id, &query).await?))
}

fn cursor(text: &str) -> Result<Cursor, ApiError> {
    text.parse().map_err(|e: InvalidCursor| ApiError::invalid(e.to_string()))
}
