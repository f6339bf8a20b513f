//! `/api/jobs`.

use super::model::Job;
use super::service;
use super::store::JobFilter;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::streams::{self, StreamForm};
use crate::platform::http::{AnyOf, Ctx, List, Page, Params, Path, Permission, Versioned, guard};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use garde::Validate;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::jobs::JobStatus;
use serde::Deserialize;
use std::time::Duration;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewJobs, routes!(job_list)))
        .routes(guard(Permission::ViewJobs, routes!(job_get)))
        .routes(guard(Permission::ViewJobs, routes!(job_logs)))
        .routes(guard(Permission::ManageJobs, routes!(job_cancel)))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct JobsQuery {
    /// Only those in one of these states.
    #[garde(skip)]
    #[param(value_type = Option<Vec<JobStatus>>, inline, style = Form, explode = false)]
    status: Option<AnyOf<JobStatus>>,
    #[garde(skip)]
    kind: Option<String>,
    #[garde(skip)]
    server_id: Option<Uuid>,
    #[garde(skip)]
    instance_id: Option<Uuid>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List jobs, newest first.
#[utoipa::path(get, path = "/api/jobs", tag = "Jobs", params(JobsQuery, Page),
    responses((status = 200, body = List<Job>), (status = 400, body = ErrorBody)))]
async fn job_list(ctx: Ctx, State(app): State<App>, Params(query): Params<JobsQuery>) -> Result<Json<List<Job>>> {
    let filter = JobFilter {
        status: query.status.map(|any| any.0),
        kind: query.kind,
        server: query.server_id,
        instance: query.instance_id,
        ..JobFilter::default()
    };
    service::job_list(&ctx, &app, filter, &query.page).await.map(Json)
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct WaitQuery {
    /// Answer when the job has ended, at the latest after that many seconds (at most 60).
    #[garde(inner(range(max = 60)))]
    wait: Option<u64>,
}

/// Get a job with its steps; `?wait=60` waits for its end.
#[utoipa::path(get, path = "/api/jobs/{id}", tag = "Jobs", params(JobId, WaitQuery),
    responses((status = 200, body = Job), (status = 404, body = ErrorBody)))]
async fn job_get(
    ctx: Ctx, State(app): State<App>, Path(id): Path<JobId>, Params(query): Params<WaitQuery>,
) -> Result<Versioned<Job>> {
    let wait = Duration::from_secs(query.wait.unwrap_or(0));
    let job = service::job_wait(&ctx, &app, id, wait).await?;
    let version = job.version;
    Ok(Versioned(StatusCode::OK, job, version))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogsQuery {
    /// Go on after this line's number (or send Last-Event-ID).
    #[garde(skip)]
    after: Option<i64>,
    /// `0`: end with what is there instead of waiting for the job's end.
    #[garde(skip)]
    follow: Option<u8>,
}

/// Read a job's log, past and live: server-sent events, WebSocket or plain text, as the request asks.
#[utoipa::path(get, path = "/api/jobs/{id}/logs", tag = "Jobs", params(JobId, LogsQuery),
    responses((status = 200, description = "Events `log` (a line) and `end` (the job)", content_type = "text/event-stream", body = String),
        (status = 404, body = ErrorBody)))]
async fn job_logs(
    ctx: Ctx, State(app): State<App>, Path(id): Path<JobId>, Params(query): Params<LogsQuery>, headers: HeaderMap,
    form: StreamForm,
) -> Result<Response> {
    let job = service::job_get(&ctx, &app, id).await?;
    if matches!(form, StreamForm::Text) {
        // As plain text it is a file to keep.
        service::job_log_download_note(&ctx, &app, &job).await?;
    }
    let resumed = streams::last_event_id(&headers).and_then(|id| id.parse().ok());
    let after = resumed.or(query.after).unwrap_or(0);
    Ok(streams::respond(form, service::job_log_stream(ctx, app, id, after, query.follow != Some(0))))
}

/// Cancel a job.
#[utoipa::path(post, path = "/api/jobs/{id}/cancel", tag = "Jobs", params(JobId),
    responses((status = 202, body = Job), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn job_cancel(ctx: Ctx, State(app): State<App>, Path(id): Path<JobId>) -> Result<(StatusCode, Json<Job>)> {
    service::job_cancel(&ctx, &app, id).await.map(|job| (StatusCode::ACCEPTED, Json(job)))
}
