//! What domains mean for instances: made for a proxy, and known by their primary name. And what a zone means for domains.

pub mod store;

use self::store::Followed;
use super::jobs::subject_of;
use super::store as domains;
use crate::apps::instances::model::InstanceStatus;
use crate::apps::instances::store as instances;
use crate::apps::odoo::config::model::changes;
use crate::apps::odoo::config::service::update_secrets;
use crate::apps::odoo::config::store::{self as revisions, NewRevision, config_store};
use crate::error::Result;
use crate::network::proxies::model::ProxyMode;
use crate::network::proxies::wish::By;
use crate::platform::http::Actor;
use crate::platform::jobs::{NewJob, store as jobs};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{DomainId, InstanceId, JobId, OrganizationId, ServerId};
use ocore_shared::protocol::odoo::{InstanceSpec, secret_names};
use serde_json::json;
use sqlx::PgConnection;

const UPDATE_SECONDS: i64 = 600;
/// A server that stays away longer fails the job.
const WAIT_SECONDS: i64 = 24 * 3600;

/// Give instances of a server their names in its zone, and take those of another zone away. A name that is somebody's
/// stays theirs.
pub async fn zone_follow(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, instance: Option<InstanceId>,
    zone: Option<&str>, by: &By,
) -> Result<()> {
    if instance.is_none() {
        for (instance, id) in store::domain_list_outside(connection, organization, server, zone).await? {
            let Some(gone) = domains::domain_lock(connection, organization, id).await? else { continue };
            domains::domain_delete(connection, organization, instance, id).await?;
            let data = json!({"instance_id": instance});
            event_append(connection, organization, "domain.removed", &by.actor, &subject_of(&gone), data).await?;
        }
    }
    let Some(zone) = zone else { return Ok(()) };
    for (instance, slug) in store::instance_list_slugs(connection, organization, server, instance).await? {
        let (id, host) = (DomainId::new(), format!("{slug}.{zone}"));
        if domains::domain_insert(connection, organization, id, instance, &host, true).await? {
            let data = json!({"instance_id": instance});
            let subject = Subject::new("domain", id.0, host);
            event_append(connection, organization, "domain.added", &by.actor, &subject, data).await?;
        }
    }
    Ok(())
}

/// Bring an instance to what its domains want: made for a proxy, and its primary name in links. While a job works on it
/// nothing is done: that job's end comes here again.
pub async fn instance_follow(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, by: &By,
) -> Result<Option<JobId>> {
    let Some(mut present) = store::instance_followed(connection, organization, id).await? else { return Ok(None) };
    let has_proxy = present.mode == ProxyMode::Managed && present.is_reached;
    let public_host = present.primary_host.take().filter(|_| present.mode != ProxyMode::None);
    let same = present.spec.has_proxy == has_proxy && present.spec.public_host == public_host;
    if same || present.busy || present.is_removed {
        return Ok(None);
    }
    let generation = present.spec.generation + 1;
    settings_give_up(connection, organization, &mut present, generation).await?;
    let spec = InstanceSpec { has_proxy, public_host, generation, ..present.spec };
    // It is locked, so nobody is faster.
    config_store(connection, organization, &spec, &present.secrets, present.version).await?;
    if !present.has_container {
        return Ok(None);
    }
    let job = NewJob {
        id: JobId::new(),
        kind: "instance_update",
        organization,
        server: present.server,
        instance: Some(id),
        subject: Subject::new("instance", id, present.name),
        input: json!({"spec": spec}),
        secrets: update_secrets(&present.secrets),
        timeout_seconds: Some(UPDATE_SECONDS),
        deadline_seconds: Some(WAIT_SECONDS),
        created_by: by.actor.clone(),
        idempotency_claim: None,
        queue: false,
    };
    jobs::job_enqueue_later(connection, &job, false).await?;
    instances::instance_intend(connection, organization, id, job.id, None, InstanceStatus::Updating).await?;
    Ok(Some(job.id))
}

/// Settings that could not be applied would keep this from being applied, too: those in force take their place, as a change
/// of the history from which one can go back again.
async fn settings_give_up(
    connection: &mut PgConnection, organization: OrganizationId, present: &mut Followed, generation: i64,
) -> Result<()> {
    let (id, at) = (present.spec.instance_id, present.observed_generation);
    if present.spec.generation <= at {
        return Ok(());
    }
    let Some((revision, past)) = revisions::revision_in_force(connection, organization, id, at).await? else {
        return Ok(());
    };
    let changes = changes(&present.spec.settings, &past.settings);
    if changes.is_empty() {
        return Ok(());
    }
    present.spec.settings = past.settings;
    match past.smtp_secret {
        Some(secret) => drop(present.secrets.insert(secret_names::SMTP_PASSWORD.into(), secret)),
        None => drop(present.secrets.remove(secret_names::SMTP_PASSWORD)),
    }
    let new = NewRevision {
        instance: id,
        revision: generation,
        settings: &present.spec.settings,
        smtp_secret: past.smtp_secret,
        changes: &changes,
        note: &format!("Back to revision {revision}: what was wished after it could not be applied"),
        actor: &Actor::system(),
        job: None,
    };
    revisions::revision_insert(connection, organization, &new).await
}
