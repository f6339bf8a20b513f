//! `/jobs`: hand over, ask, cancel, read the log. The work itself is the engine's.

use super::events::ndjson;
use super::{ApiError, ApiResult, Json, Path, Query};
use crate::engine::{AcceptError, Accepted};
use crate::journal::JournalError;
use crate::state::AgentState;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use futures::{StreamExt, stream};
use http::StatusCode;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::jobs::{JobLogLine, JobRequest, JobSnapshot};
use serde::Deserialize;

pub fn router() -> Router<AgentState> {
    Router::new()
        .route("/jobs", get(jobs_list))
        .route("/jobs/{id}", get(job_get).put(job_put).delete(job_cancel))
        .route("/jobs/{id}/log", get(job_log))
}

async fn jobs_list(State(agent): State<AgentState>) -> ApiResult<Json<Vec<JobSnapshot>>> {
    Ok(Json(agent.engine.jobs()?))
}

async fn job_put(
    State(agent): State<AgentState>, Path(id): Path<JobId>, Json(request): Json<JobRequest>,
) -> ApiResult<(StatusCode, Json<JobSnapshot>)> {
    match agent.engine.accept(id, request).await? {
        Accepted::New(job) => Ok((StatusCode::CREATED, Json(job))),
        Accepted::Known(job) => Ok((StatusCode::OK, Json(job))),
    }
}

async fn job_get(State(agent): State<AgentState>, Path(id): Path<JobId>) -> ApiResult<Json<JobSnapshot>> {
    agent.engine.job(id)?.map(Json).ok_or_else(|| unknown(id))
}

async fn job_cancel(
    State(agent): State<AgentState>, Path(id): Path<JobId>,
) -> ApiResult<(StatusCode, Json<JobSnapshot>)> {
    let job = agent.engine.cancel(id).await?.ok_or_else(|| unknown(id))?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

#[derive(Deserialize)]
struct LogQuery {
    #[serde(default)]
    after: u64,
    /// `1` goes on until the job ends.
    #[serde(default)]
    follow: u8,
}

async fn job_log(
    State(agent): State<AgentState>, Path(id): Path<JobId>, Query(query): Query<LogQuery>,
) -> ApiResult<Response> {
    agent.engine.job(id)?.ok_or_else(|| unknown(id))?;
    let stop = agent.stop.clone().cancelled_owned();
    let pages = stream::unfold((agent, query.after), move |(agent, after)| async move {
        let page = next_page(&agent, id, after, query.follow != 0).await;
        let last = page.last()?.seq;
        Some((stream::iter(page), (agent, last)))
    });
    Ok(ndjson(pages.flatten().take_until(stop)))
}

/// Lines beyond `after`; none when there will be no more.
async fn next_page(agent: &AgentState, id: JobId, after: u64, follow: bool) -> Vec<JobLogLine> {
    loop {
        match agent.engine.log_page(id, after) {
            Ok(Some((lines, ended))) if !lines.is_empty() || ended || !follow => return lines,
            Ok(Some(_)) => agent.engine.log_changed(id, after).await,
            Ok(None) => return Vec::new(),
            Err(error) => {
                tracing::error!(job = %id, %error, "a job's log cannot be read");
                return Vec::new();
            }
        }
    }
}

fn unknown(id: JobId) -> ApiError {
    ApiError::not_found(format!("This agent does not know the job {id}."))
}

impl From<JournalError> for ApiError {
    fn from(error: JournalError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "journal", error.to_string())
    }
}

impl From<AcceptError> for ApiError {
    fn from(error: AcceptError) -> Self {
        let (status, code) = match error {
            AcceptError::OtherBody(_) => (StatusCode::CONFLICT, "other_job"),
            AcceptError::Cancelled(_) => (StatusCode::CONFLICT, "job_cancelled"),
            AcceptError::Journal(_) | AcceptError::Seal(_) => (StatusCode::SERVICE_UNAVAILABLE, "journal"),
        };
        Self::new(status, code, error.to_string())
    }
}
