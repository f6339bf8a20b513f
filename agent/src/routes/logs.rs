//! Logs of instances: followed as NDJSON, in pages, as one file; and cleared.

use super::{ApiError, ApiResult, Json, Path, Query};
use crate::logs::{DownloadForm, From, HistoryQuery};
use crate::state::AgentState;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::{Cursor, InvalidCursor, LogFilter};
use ocore_shared::protocol::logs::{LogPage, LogsCleared};
use serde::Deserialize;

const DEFAULT_TAIL: usize = 200;
const MAX_TAIL: usize = 5000;
const DEFAULT_LIMIT: usize = 200;

pub fn router() -> Router<AgentState> {
    Router::new()
        .route("/instances/{id}/logs", get(log_follow).delete(log_clear))
        .route("/instances/{id}/logs/history", get(log_history))
        .route("/instances/{id}/logs/download", get(log_download))
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

/// Which entries; everything left out is not asked for.
#[derive(Deserialize)]
struct FilterQuery {
    q: Option<String>,
    level: Option<String>,
    logger: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

impl FilterQuery {
    fn filter(self) -> LogFilter {
        LogFilter {
            text: given(self.q).map(|text| text.to_lowercase()),
            level: given(self.level),
            logger: given(self.logger),
            from: self.from,
            to: self.to,
        }
    }
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
}

#[derive(Deserialize)]
struct PageQuery {
    before: Option<String>,
    limit: Option<usize>,
}

async fn log_history(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(page): Query<PageQuery>,
    Query(filter): Query<FilterQuery>,
) -> ApiResult<Json<LogPage>> {
    let query = HistoryQuery {
        before: given(page.before).map(|b| cursor(&b)).transpose()?,
        limit: page.limit.unwrap_or(DEFAULT_LIMIT),
        filter: filter.filter(),
    };
    Ok(Json(state.host.logs.history(id, &query).await?))
}

#[derive(Deserialize)]
struct FormQuery {
    format: Option<String>,
}

async fn log_download(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(form): Query<FormQuery>,
    Query(filter): Query<FilterQuery>,
) -> ApiResult<Response> {
    let (form, kind) = match form.format.as_deref().unwrap_or("text") {
        "text" => (DownloadForm::Text, "text/plain; charset=utf-8"),
        "gzip" => (DownloadForm::Gzip, "application/gzip"),
        _ => return Err(ApiError::invalid("The format is text or gzip.")),
    };
    let chunks = state.host.logs.download(id, filter.filter(), form).await?;
    Ok(([("content-type", kind)], Body::from_stream(chunks)).into_response())
}

#[derive(Deserialize)]
struct ClearQuery {
    #[serde(default)]
    dry_run: bool,
}

async fn log_clear(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<ClearQuery>,
) -> ApiResult<Json<LogsCleared>> {
    Ok(Json(state.host.logs.clear(id, query.dry_run)?))
}

fn cursor(text: &str) -> Result<Cursor, ApiError> {
    text.parse().map_err(|e: InvalidCursor| ApiError::invalid(e.to_string()))
}
