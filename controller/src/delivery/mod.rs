//! How work is grouped: projects and their environments.

pub mod environments;
pub mod projects;

use crate::app::App;
use ocore_shared::ids::JobId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(projects::routes::routes()).merge(environments::routes::routes())
}

/// `1 instance`, `2 instances`.
fn counted(count: i64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Something that is deleted, with what hangs on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Removed {
    /// Id of what is deleted.
    pub id: Uuid,
    /// `deleting` until its instances are gone, then `deleted`; `kept` after a dry run.
    #[schema(example = "deleting")]
    pub status: &'static str,
    pub message: String,
    /// The first of the jobs; null where nothing was left to do.
    pub job_id: Option<JobId>,
    /// One for each instance.
    pub job_ids: Vec<JobId>,
}

impl Removed {
    /// Of what had nothing hanging on it.
    pub fn at_once(id: Uuid, dry_run: bool) -> Self {
        let (status, message) =
            if dry_run { ("kept", "It would be deleted.") } else { ("deleted", "It has been deleted.") };
        Self { id, status, message: message.into(), job_id: None, job_ids: Vec::new() }
    }

    /// Of what goes with the last of these jobs.
    pub fn by_jobs(id: Uuid, job_ids: Vec<JobId>) -> Self {
        let message = match job_ids.len() {
            1 => "It goes with its instance.".into(),
            count => format!("It goes with the last of its {count} instances."),
        };
        Self { id, status: "deleting", message, job_id: job_ids.first().copied(), job_ids }
    }
}
