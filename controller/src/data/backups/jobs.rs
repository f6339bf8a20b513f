//! What jobs on backups mean.

use super::store;
use crate::error::Result;
use crate::platform::bus::Signal;
use crate::platform::jobs::model::Reported;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::protocol::backups::BackupCreated;
use ocore_shared::protocol::jobs::{JobFailure, JobSnapshot, JobStatus};
use serde_json::json;
use sqlx::PgConnection;

/// Keep what an ended job has brought about.
pub async fn backup_effect(
    connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot,
) -> Result<Vec<Signal>> {
    if !snapshot.status.is_terminal() {
        return Ok(Vec::new());
    }
    let organization = job.organization;
    if job.kind == "backup_restore" {
        store::identity_forget(connection, organization, job.id).await?;
        return Ok(Vec::new());
    }
    let Some((id, name)) = store::backup_of_job(connection, organization, job.id).await? else {
        return Ok(Vec::new());
    };
    let succeeded = snapshot.status == JobStatus::Succeeded;
    let at = snapshot.finished_at.unwrap_or(snapshot.accepted_at);
    let failure = snapshot.failure.clone().unwrap_or_else(|| JobFailure {
        code: "cancelled".into(),
        message: "The backup was cancelled.".into(),
        retryable: false,
    });
    let event = match job.kind.as_str() {
        "backup_create" => {
            let created = snapshot.result.clone().map(serde_json::from_value::<BackupCreated>);
            match created {
                Some(Ok(created)) if succeeded => {
                    store::backup_succeed(connection, organization, id, &created, at).await?;
                    "backup.created"
                }
                _ => {
                    store::backup_fail(connection, organization, id, Some(&failure), at).await?;
                    "backup.failed"
                }
            }
        }
        _ if succeeded => {
            store::backup_delete(connection, organization, id).await?;
            "backup.deleted"
        }
        _ => {
            store::backup_not_deleted(connection, organization, id, Some(&failure)).await?;
            return Ok(Vec::new());
        }
    };
    let subject = Subject::new("backup", id.0, name);
    let data = json!({"job_id": job.id, "instance_id": job.instance, "failure": snapshot.failure});
    event_append(connection, organization, event, &job.created_by, &subject, data).await?;
    Ok(vec![Signal::EventsAppended])
}
