//! What an agent observes of an instance's Odoo container, told beside any job.

pub mod store;

use super::model::{InstanceHealth, InstanceStatus};
use crate::error::Result;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::Actor;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::inventory::ContainerInfo;
use serde_json::json;
use sqlx::PgConnection;
use store::Outcome;
use uuid::Uuid;

const GONE: &str = "Odoo's container is gone; start the instance to make it anew.";

/// Take an observation in. While a job works on the instance only the job speaks.
pub async fn container_observed(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, container: &ContainerInfo,
) -> Result<Vec<Signal>> {
    let label = |name: &str| container.labels.get(name).map(String::as_str);
    if !container.managed || label("sh.ocore.role") != Some("odoo") {
        return Ok(Vec::new());
    }
    let Some(id) = label("sh.ocore.instance").and_then(|id| id.parse::<Uuid>().ok()) else { return Ok(Vec::new()) };
    let found = store::instance_lock(connection, organization, Some(server), id).await?;
    let Some(present) = found else { return Ok(Vec::new()) };
    let settled = matches!(present.status, InstanceStatus::Running | InstanceStatus::Stopped | InstanceStatus::Error);
    if present.busy || !settled {
        return Ok(Vec::new());
    }
    let now = observe(Some(container), &present.desired, present.status);
    let same = now.container.is_none_or(|id| present.container.as_deref() == Some(id));
    if same && now.status == Some(present.status) && now.health == Some(present.health) {
        return Ok(Vec::new());
    }
    store::instance_outcome(connection, organization, id.into(), &now).await?;
    let mut signals = vec![Signal::Changed { organization, kind: Kind::Instance, id }];
    if now.status == Some(InstanceStatus::Error) && present.status == InstanceStatus::Running {
        error_tell(connection, organization, id, present.name, now.reason).await?;
        signals.push(Signal::EventsAppended);
    }
    Ok(signals)
}

/// Containers were removed: `container`, or whatever a whole list left out. An instance without one does not run.
pub async fn containers_lost(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, container: Option<&str>,
) -> Result<Vec<Signal>> {
    let mut signals = Vec::new();
    for (id, name) in store::instance_mark_lost(connection, organization, server, container, GONE).await? {
        error_tell(connection, organization, id.0, name, Some(GONE)).await?;
        signals.extend([Signal::Changed { organization, kind: Kind::Instance, id: id.0 }, Signal::EventsAppended]);
    }
    Ok(signals)
}

async fn error_tell(
    connection: &mut PgConnection, organization: OrganizationId, id: Uuid, name: String, reason: Option<&str>,
) -> Result<()> {
    let subject = Subject::new("instance", id, name);
    let data = json!({"reason": reason});
    event_append(connection, organization, "instance.error", &Actor::system(), &subject, data).await
}

/// Whether Docker has it running, or is about to.
pub(super) fn runs(container: &ContainerInfo) -> bool {
    matches!(container.state.as_str(), "running" | "restarting")
}

/// What a container's state means for an instance that nobody works on.
pub(super) fn observe<'a>(container: Option<&'a ContainerInfo>, desired: &str, status: InstanceStatus) -> Outcome<'a> {
    let ended = |status, reason| Outcome {
        status: Some(status),
        reason,
        health: Some(InstanceHealth::Unknown),
        ..Outcome::default()
    };
    match container {
        Some(container) if runs(container) => Outcome {
            status: Some(InstanceStatus::Running),
            health: Some(match container.health.as_deref() {
                Some("healthy") => InstanceHealth::Healthy,
                Some("unhealthy") => InstanceHealth::Unhealthy,
                Some("starting") => InstanceHealth::Starting,
                _ => InstanceHealth::Unknown,
            }),
            container: Some(&container.id),
            ..Outcome::default()
        },
        _ if desired == "stopped" => ended(InstanceStatus::Stopped, None),
        None => ended(InstanceStatus::Error, Some(GONE)),
        Some(_) if status == InstanceStatus::Error => {
            let reason = "Odoo's container does not run; start the instance, or look at its log.";
            ended(InstanceStatus::Error, Some(reason))
        }
        Some(_) => {
            let reason = "Odoo's container ended by itself; look at its log, then start the instance.";
            ended(InstanceStatus::Error, Some(reason))
        }
    }
}
