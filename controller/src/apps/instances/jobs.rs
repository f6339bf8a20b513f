//! What jobs on instances mean for them.

use super::model::{InstanceHealth, InstanceStatus};
use super::store::{self, Outcome};
use crate::error::Result;
use crate::platform::bus::{Kind, Signal};
use crate::platform::jobs::model::Reported;
use crate::signals::events::store::event_append;
use ocore_shared::protocol::jobs::{JobSnapshot, JobStatus};
use ocore_shared::protocol::odoo::InstanceRunning;
use serde_json::json;
use sqlx::PgConnection;

/// Apply a report of any job whose subject is an instance.
pub async fn instance_effect(
    connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot,
) -> Result<Vec<Signal>> {
    let Some(instance) = job.instance else { return Ok(Vec::new()) };
    let kind = job.kind.as_str();
    if !snapshot.status.is_terminal() {
        if kind == "instance_provision" {
            store::instance_provisioning(connection, job.organization, instance).await?;
        }
        return Ok(Vec::new());
    }
    let event = match (kind, snapshot.status) {
        ("instance_provision", JobStatus::Succeeded) => "instance.created",
        ("instance_start", JobStatus::Succeeded) => "instance.started",
        ("instance_stop" | "instance_kill", JobStatus::Succeeded) => "instance.stopped",
        ("instance_restart", JobStatus::Succeeded) => "instance.restarted",
        ("instance_update", JobStatus::Succeeded) => "instance.updated",
        ("instance_remove", JobStatus::Succeeded) => "instance.deleted",
        _ => "instance.error",
    };
    let data = json!({"job_id": job.id, "kind": kind, "failure": snapshot.failure});
    event_append(connection, job.organization, event, &job.created_by, &job.subject, data).await?;
    let signals = vec![
        Signal::EventsAppended,
        Signal::Changed { organization: job.organization, kind: Kind::Instance, id: instance.0 },
    ];
    if event == "instance.deleted" {
        store::instance_delete(connection, job.organization, instance).await?;
        return Ok(signals);
    }
    let running: Option<InstanceRunning> =
        snapshot.result.clone().and_then(|result| serde_json::from_value(result).ok());
    let reason = snapshot.failure.as_ref().map(|f| f.message.as_str());
    let outcome = match (event, &running) {
        ("instance.error", _) => Outcome {
            status: Some(InstanceStatus::Error),
            reason: Some(reason.unwrap_or(match snapshot.status {
                JobStatus::Cancelled => "The operation was cancelled.",
                _ => "The operation failed; see its job.",
            })),
            health: Some(InstanceHealth::Unknown),
            ..Outcome::default()
        },
        ("instance.stopped", _) => Outcome {
            status: Some(InstanceStatus::Stopped),
            health: Some(InstanceHealth::Unknown),
            ..Outcome::default()
        },
        (_, Some(running)) => Outcome {
            status: Some(InstanceStatus::Running),
            health: Some(InstanceHealth::Healthy),
            container: Some(&running.container_id),
            image_digest: Some(&running.image_digest),
            http_port: Some(i32::from(running.http_port)),
            ..Outcome::default()
        },
        (_, None) => Outcome { status: Some(InstanceStatus::Stopped), ..Outcome::default() },
    };
    store::instance_outcome(connection, job.organization, instance, &outcome).await?;
    Ok(signals)
}
