//! What jobs on instances mean for them.

use super::model::{InstanceHealth, InstanceStatus};
use super::observe::store::{self as reports, Outcome, Present};
use super::observe::{observe, runs};
use super::store;
use crate::apps::odoo::addons::store as addons;
use crate::data::databases::jobs::{KINDS, database_effect};
use crate::delivery::environments::service::{environment_emptied, environment_kept};
use crate::error::Result;
use crate::platform::bus::{Kind, Signal};
use crate::platform::jobs::model::Reported;
use crate::signals::events::store::event_append;
use ocore_shared::protocol::addons::InstanceUpgraded;
use ocore_shared::protocol::inventory::ContainerInfo;
use ocore_shared::protocol::jobs::{JobSnapshot, JobStatus, StepStatus};
use ocore_shared::protocol::odoo::InstanceRunning;
use serde_json::json;
use sqlx::PgConnection;

/// Apply a report of any job whose subject is an instance.
pub async fn instance_effect(
    connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot,
) -> Result<Vec<Signal>> {
    let Some(instance) = job.instance else { return Ok(Vec::new()) };
    let (organization, kind) = (job.organization, job.kind.as_str());
    if !snapshot.status.is_terminal() {
        if kind == "instance_provision" {
            reports::instance_provisioning(connection, organization, instance).await?;
        }
        return Ok(Vec::new());
    }
    // Also of one that ended while it waited: what it was given is forgotten.
    database_effect(connection, job, instance, snapshot).await?;
    let found = reports::instance_lock(connection, organization, None, instance.0).await?;
    // One that ended while it waited has changed nothing, and the job before it speaks.
    let Some(present) = found.filter(|present| !present.busy) else { return Ok(Vec::new()) };
    if matches!(kind, "instance_upgrade" | "instance_addons") {
        let done: Option<InstanceUpgraded> = snapshot.result.clone().and_then(|r| serde_json::from_value(r).ok());
        if let Some(done) = done.filter(|_| snapshot.status == JobStatus::Succeeded) {
            let secrets = kind == "instance_addons";
            addons::instance_upgraded(connection, organization, instance, job.id, &done, secrets).await?;
        }
        addons::git_secrets_prune(connection, organization, instance).await?;
    }
    if kind == "instance_admin_password" {
        store::job_secrets_delete(connection, organization, job.id).await?;
    }
    let container = reports::instance_container(connection, organization, instance).await?;
    let running: Option<InstanceRunning> =
        snapshot.result.clone().and_then(|result| serde_json::from_value(result).ok());
    let (event, outcome) = match snapshot.status {
        JobStatus::Succeeded => succeeded(kind, snapshot, &present, running.as_ref(), container.as_ref()),
        _ => failed(kind, snapshot, &present, container.as_ref()),
    };
    let mut signals = vec![Signal::Changed { organization, kind: Kind::Instance, id: instance.0 }];
    if let Some(event) = event {
        let data = json!({"job_id": job.id, "kind": kind, "failure": snapshot.failure});
        event_append(connection, organization, event, &job.created_by, &job.subject, data).await?;
        signals.push(Signal::EventsAppended);
    }
    if event == Some("instance.deleted") {
        store::instance_delete(connection, organization, instance).await?;
        environment_emptied(connection, organization, present.environment, &job.created_by).await?;
        return Ok(signals);
    }
    if kind == "instance_remove" {
        environment_kept(connection, organization, present.environment, &job.created_by).await?;
    }
    reports::instance_outcome(connection, organization, instance, &outcome).await?;
    if matches!(event, Some("instance.created" | "instance.updated")) {
        reports::instance_applied(connection, organization, instance, job.id).await?;
    }
    Ok(signals)
}

fn succeeded<'a>(
    kind: &str, snapshot: &JobSnapshot, present: &Present, running: Option<&'a InstanceRunning>,
    container: Option<&'a ContainerInfo>,
) -> (Option<&'static str>, Outcome<'a>) {
    let (event, desired) = match kind {
        "instance_provision" => ("instance.created", Some("running")),
        "instance_start" => ("instance.started", Some("running")),
        "instance_restart" => ("instance.restarted", Some("running")),
        "instance_stop" | "instance_kill" => ("instance.stopped", Some("stopped")),
        "instance_remove" => ("instance.deleted", None),
        "instance_upgrade" => ("instance.upgraded", None),
        "instance_addons" => ("instance.addons_changed", None),
        "instance_modules" => ("instance.modules_changed", None),
        "instance_admin_password" => ("instance.admin_password_set", None),
        "backup_restore" => ("backup.restored", None),
        "database_settings" => ("database.tuned", None),
        "database_maintain" => ("database.maintained", None),
        "database_password" => ("database.password_rotated", None),
        "database_create" => ("database.created", None),
        "database_duplicate" => ("database.duplicated", None),
        "database_rename" => ("database.renamed", None),
        "database_drop" => ("database.dropped", None),
        _ => ("instance.updated", None),
    };
    // Settings alone start nothing: then what runs is what ran before.
    let untouched = snapshot.steps.iter().any(|step| step.name == "health" && step.status == StepStatus::Skipped);
    let outcome = match running {
        // They leave the container that they found.
        _ if leaves_container(kind) => observe(container, &present.desired, present.status),
        Some(_) if untouched => observe(container, &present.desired, present.status),
        Some(_) => Outcome {
            status: Some(InstanceStatus::Running),
            health: Some(InstanceHealth::Healthy),
            ..Outcome::default()
        },
        None => Outcome {
            status: Some(InstanceStatus::Stopped),
            health: Some(InstanceHealth::Unknown),
            ..Outcome::default()
        },
    };
    let outcome = Outcome {
        desired,
        container: running.map(|r| r.container_id.as_str()).filter(|id| !id.is_empty()),
        image_digest: running.map(|r| r.image_digest.as_str()),
        http_port: running.map(|r| i32::from(r.http_port)),
        realtime_port: running.map(|r| r.realtime_port.map(i32::from)),
        ..outcome
    };
    // What became of a backup is told of the backup.
    ((kind != "backup_create").then_some(event), outcome)
}

/// Whether the instance is afterwards what its container is.
fn leaves_container(kind: &str) -> bool {
    matches!(kind, "instance_modules" | "instance_admin_password" | "backup_create") || KINDS.contains(&kind)
}

/// After a job that has done nothing, or has taken its work back, an instance is what its container is.
fn failed<'a>(
    kind: &str, snapshot: &'a JobSnapshot, present: &'a Present, container: Option<&'a ContainerInfo>,
) -> (Option<&'static str>, Outcome<'a>) {
    let said = snapshot.failure.as_ref().map(|failure| failure.message.as_str());
    let outcome = match kind {
        // One that fails puts what was before back in force.
        "instance_update" | "instance_upgrade" | "instance_addons" | "backup_restore" => {
            observe(container, &present.desired, present.status)
        }
        kind if leaves_container(kind) => observe(container, &present.desired, present.status),
        "instance_start" | "instance_stop" | "instance_restart" | "instance_kill" | "instance_remove"
            if snapshot.steps.is_empty() =>
        {
            // What it was to bring about is not wished any more.
            let desired = if container.is_none_or(runs) { "running" } else { "stopped" };
            Outcome { desired: Some(desired), ..observe(container, desired, present.status) }
        }
        _ => Outcome {
            status: Some(InstanceStatus::Error),
            reason: Some(match snapshot.status {
                JobStatus::Cancelled => "The operation was cancelled.",
                _ => "The operation failed; see its job.",
            }),
            health: Some(InstanceHealth::Unknown),
            ..Outcome::default()
        },
    };
    let event = (outcome.status == Some(InstanceStatus::Error)).then_some("instance.error");
    (event, Outcome { reason: outcome.reason.map(|own| said.unwrap_or(own)), ..outcome })
}
