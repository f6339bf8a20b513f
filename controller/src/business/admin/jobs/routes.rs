use super::model::{AdminJob, AdminJobs, Executor, JobFilter};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{Caller, Page, Params, Path, admin};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::{JobId, OrganizationId};
use ocore_shared::protocol::jobs::JobStatus;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(admin(routes!(admin_job_list)))
        .routes(admin(routes!(admin_job_retry)))
        .routes(admin(routes!(admin_job_cancel)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct JobListParams {
    /// Only jobs of this status.
    #[garde(skip)]
    #[param(inline)]
    status: Option<JobStatus>,
    /// Only jobs of this kind, e.g. `mail_send`.
    #[garde(inner(length(chars, max = 100)))]
    kind: Option<String>,
    /// `agent` or `controller`.
    #[garde(skip)]
    #[param(inline)]
    executor: Option<Executor>,
    /// Only jobs of this organization.
    #[garde(skip)]
    #[param(value_type = Option<Uuid>)]
    organization_id: Option<OrganizationId>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List all jobs and queues.
///
/// Jobs of every organization and of the controller itself, newest first; and for each kind how deep its queue is and
/// how it went in the last 24 hours.
#[utoipa::path(get, path = "/api/admin/jobs", tag = "Admin", params(JobListParams, Page),
    responses((status = 200, description = "Queues, and jobs, newest first", body = AdminJobs),
        (status = 400, description = "A filter cannot be read", body = ErrorBody)))]
async fn admin_job_list(State(app): State<App>, Params(params): Params<JobListParams>) -> Result<Json<AdminJobs>> {
    let filter = JobFilter {
        id: None,
        status: params.status,
        kind: params.kind.as_deref(),
        executor: params.executor,
        organization: params.organization_id,
    };
    service::job_list(&app, &filter, &params.page).await.map(Json)
}

/// Do a job of the controller's own again.
///
/// One that failed or was cancelled, with as much time as it had. What an agent did is asked for anew where it began.
#[utoipa::path(post, path = "/api/admin/jobs/{id}/retry", tag = "Admin", params(JobId),
    responses((status = 202, description = "It is queued", body = AdminJob),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It did not fail (`job_not_failed`), or an agent's (`not_retryable`)", body = ErrorBody)))]
async fn admin_job_retry(
    caller: Caller, State(app): State<App>, Path(id): Path<JobId>,
) -> Result<(StatusCode, Json<AdminJob>)> {
    service::job_retry(&caller, &app, id).await.map(|job| (StatusCode::ACCEPTED, Json(job)))
}

/// Cancel any job.
#[utoipa::path(post, path = "/api/admin/jobs/{id}/cancel", tag = "Admin", params(JobId),
    responses((status = 202, description = "It ends, or has ended", body = AdminJob),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It has ended already (`job_ended`)", body = ErrorBody)))]
async fn admin_job_cancel(
    caller: Caller, State(app): State<App>, Path(id): Path<JobId>,
) -> Result<(StatusCode, Json<AdminJob>)> {
    service::job_cancel(&caller, &app, id).await.map(|job| (StatusCode::ACCEPTED, Json(job)))
}
