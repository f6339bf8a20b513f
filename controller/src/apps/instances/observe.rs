//! What an agent observes of an instance's Odoo container, told beside any job.

use super::model::{InstanceHealth, InstanceStatus};
use super::store::{self, Outcome};
use crate::error::Result;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::Actor;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::inventory::ContainerInfo;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

/// Take an observation in. While a job works on the instance only the job speaks.
pub async fn container_observed(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, container: &ContainerInfo,
) -> Result<Vec<Signal>> {
    let label = |name: &str| container.labels.get(name).map(String::as_str);
    if !container.managed || label("sh.ocore.role") != Some("odoo") {
        return Ok(Vec::new());
    }
    let Some(id) = label("sh.ocore.instance").and_then(|id| id.parse::<Uuid>().ok()) else { return Ok(Vec::new()) };
    let found = store::instance_lock_observed(connection, organization, server, id).await?;
    let Some((name, status, health, desired, busy)) = found else { return Ok(Vec::new()) };
    let settled = matches!(status, InstanceStatus::Running | InstanceStatus::Stopped | InstanceStatus::Error);
    if busy || !settled {
        return Ok(Vec::new());
    }
    let now = observe(container, &desired, status);
    if now.status == Some(status) && now.health == Some(health) {
        return Ok(Vec::new());
    }
    store::instance_outcome(connection, organization, id.into(), &now).await?;
    let mut signals = vec![Signal::Changed { organization, kind: Kind::Instance, id }];
    if now.status == Some(InstanceStatus::Error) && status == InstanceStatus::Running {
        let subject = Subject::new("instance", id, name);
        let data = json!({"reason": now.reason});
        event_append(connection, organization, "instance.error", &Actor::system(), &subject, data).await?;
        signals.push(Signal::EventsAppended);
    }
    Ok(signals)
}

/// What a container's state means for an instance that nobody works on.
fn observe<'a>(container: &ContainerInfo, desired: &str, status: InstanceStatus) -> Outcome<'a> {
    let health = match container.health.as_deref() {
        Some("healthy") => InstanceHealth::Healthy,
        Some("unhealthy") => InstanceHealth::Unhealthy,
        Some("starting") => InstanceHealth::Starting,
        _ => InstanceHealth::Unknown,
    };
    match container.state.as_str() {
        "running" | "restarting" => {
            Outcome { status: Some(InstanceStatus::Running), health: Some(health), ..Outcome::default() }
        }
        _ if desired == "stopped" => Outcome {
            status: Some(InstanceStatus::Stopped),
            health: Some(InstanceHealth::Unknown),
            ..Outcome::default()
        },
        _ if status == InstanceStatus::Error => Outcome {
            status: Some(status),
            reason: Some("Odoo's container does not run; start the instance, or look at its log."),
            health: Some(InstanceHealth::Unknown),
            ..Outcome::default()
        },
        _ => Outcome {
            status: Some(InstanceStatus::Error),
            reason: Some("Odoo's container ended by itself; look at its log, then start the instance."),
            health: Some(InstanceHealth::Unknown),
            ..Outcome::default()
        },
    }
}
