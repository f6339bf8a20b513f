//! The rules of sources and upgrades: what is wished is looked at here as far as that can be done without the server;
//! the job does the rest, and says what came of it.

use super::model::{AddonsInput, GitCredentialInput, InstanceAddons, name_of, problems, transport_of};
use super::routes::UpgradeInput;
use crate::app::App;
use crate::apps::instances::model::{Instance, InstanceStatus};
use crate::apps::instances::service::{accepted, idle, instance_get, job_of, stays, told};
use crate::apps::instances::store as instances;
use crate::apps::registries::service::registries_of;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Accepted, Changed, Ctx, IfMatch, Patch};
use crate::platform::jobs::{NewJob, store as jobs};
use crate::platform::secrets::store::secret_add;
use crate::signals::events::Subject;
use ocore_shared::ids::{InstanceId, JobId, SecretId};
use ocore_shared::protocol::addons::{AddonSource, InstanceUpgrade};
use ocore_shared::protocol::odoo::InstanceSpec;
use ocore_shared::secret::Secret;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;

/// Updating all modules of a large database takes its time.
const UPGRADE_SECONDS: i64 = 4 * 3600;
/// What a git credential is stored as.
const PURPOSE: &str = "git";

/// The sources that are in force.
pub async fn addons_get(ctx: &Ctx, app: &App, id: InstanceId) -> Result<InstanceAddons> {
    let instance = instance_get(ctx, app, id).await?;
    Ok(InstanceAddons::new(spec_of(&instance)?, instance.version))
}

fn spec_of(instance: &Instance) -> Result<&InstanceSpec> {
    instance.spec.as_ref().ok_or(Error::NotFound("instance"))
}

/// Bring an instance to other sources, or to what the references of the present ones stand for now.
pub async fn addons_replace(
    ctx: &Ctx, app: &App, id: InstanceId, patch: Patch<AddonsInput>, if_match: IfMatch, dry_run: bool,
) -> Result<Changed<InstanceAddons>> {
    let present = instance_get(ctx, app, id).await?;
    if_match.check(present.version)?;
    let spec = spec_of(&present)?;
    let input = patch.read(&InstanceAddons::new(spec, present.version))?;
    let found = problems(&input);
    if !found.is_empty() {
        return Err(Error::Invalid(found));
    }
    let (update, safety_copy) = (input.update, input.safety_copy);
    let wished = wished(spec, input)?;
    let is_nothing = wished.is_empty() && spec.addons.is_empty();
    if dry_run || is_nothing {
        let addons = wished.into_iter().map(|(source, _)| source).collect();
        let spec = InstanceSpec { addons, ..spec.clone() };
        return Ok(Changed::Settled(Box::new(InstanceAddons::new(&spec, present.version))));
    }
    ready(&present)?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let stored = instances::instance_secrets(&mut tx, ctx.organization, id).await?;
    let mut secrets = BTreeMap::new();
    let mut addons = Vec::with_capacity(wished.len());
    for (source, value) in wished {
        let secret = match value {
            Some(value) => Some(secret_add(&mut tx, ctx.organization, &app.keyring, PURPOSE, &value).await?),
            None => stored.get(&source.stored_secret_name()).copied(),
        };
        secrets.extend(secret.filter(|_| source.credential.is_some()).map(|secret| (source.secret_name(), secret)));
        addons.push(source);
    }
    let job = InstanceUpgrade {
        instance_id: id,
        image: None,
        addons: Some(addons),
        update,
        safety_copy,
        registries: Vec::new(),
    };
    let after = json!({"sources": job.addons, "update": update, "safety_copy": safety_copy});
    let what = Asked { kind: "instance_addons", action: "instance.addons_requested", after, secrets };
    let (job, enqueued) = ask(ctx, app, &mut tx, &present, job, what).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, id, enqueued);
    let message = "The sources are fetched and looked at, then put in place.";
    Ok(Changed::Accepted(accepted(id, InstanceStatus::Updating.word(), message, job)))
}

fn ready(present: &Instance) -> Result<()> {
    stays(present)?;
    idle(present)?;
    if present.container_id.is_none() {
        return Err(Error::conflict("not_provisioned", "The instance was never provisioned; start it first."));
    }
    Ok(())
}

/// The sources that are wished, each with a new value of its credential where one was given.
fn wished(spec: &InstanceSpec, input: AddonsInput) -> Result<Vec<(AddonSource, Option<Secret>)>> {
    let mut wished = Vec::with_capacity(input.sources.len());
    for (number, source) in input.sources.into_iter().enumerate() {
        let name = source.name.unwrap_or_else(|| name_of(&source.url));
        let present = spec.addons.iter().find(|present| present.name == name);
        let read_only = [
            ("commit", source.commit.is_some() && source.commit != present.and_then(|p| p.commit.clone())),
            ("paths", source.paths.is_some() && source.paths.as_ref() != present.map(|p| &p.paths)),
        ];
        if let Some((field, _)) = read_only.iter().find(|(_, differs)| *differs) {
            let message = format!("The field '{field}' is what the server found; ask for a commit as `reference`.");
            return Err(Error::field(&format!("sources[{number}].{field}"), "read_only", message));
        }
        let kind = source.credential.as_ref().map(GitCredentialInput::kind);
        let value = source.credential.and_then(GitCredentialInput::value);
        // A stored value is never sent to another server or as another user than it was given for.
        let same = present.is_some_and(|present| {
            present.credential == kind && transport_of(&present.url) == transport_of(&source.url)
        });
        if kind.is_some() && value.is_none() && !same {
            let message = "Give the token or key: none is stored for this server and user.";
            return Err(Error::field(&format!("sources[{number}].credential.value"), "required", message));
        }
        let source = AddonSource {
            name,
            url: source.url,
            reference: source.reference,
            enterprise: source.enterprise,
            credential: kind,
            ca_certificate: source.ca_certificate,
            known_hosts: source.known_hosts,
            commit: present.and_then(|present| present.commit.clone()),
            paths: present.map(|present| present.paths.clone()).unwrap_or_default(),
        };
        wished.push((source, value));
    }
    Ok(wished)
}

struct Asked {
    kind: &'static str,
    action: &'static str,
    after: Value,
    secrets: BTreeMap<String, SecretId>,
}

async fn ask(
    ctx: &Ctx, app: &App, connection: &mut PgConnection, present: &Instance, input: InstanceUpgrade, what: Asked,
) -> Result<(JobId, crate::platform::jobs::model::Enqueued)> {
    let (organization, id) = (ctx.organization, present.id);
    let subject = Subject::new("instance", id, &present.name);
    let job = NewJob {
        timeout_seconds: Some(UPGRADE_SECONDS),
        secrets: what.secrets,
        ..job_of(ctx, JobId::new(), what.kind, present.server_id, id, &subject, json!(input))
    };
    let enqueued = jobs::job_enqueue(connection, app.replica, &job).await?;
    instances::instance_intend(connection, organization, id, job.id, None, InstanceStatus::Updating).await?;
    audit_append(connection, Some(organization), &ctx.caller, what.action, &subject, None, Some(what.after)).await?;
    Ok((job.id, enqueued))
}

/// Bring an instance to another image of its series, or to what its image's tag stands for now.
pub async fn instance_upgrade(
    ctx: &Ctx, app: &App, id: InstanceId, input: UpgradeInput, if_match: IfMatch,
) -> Result<Accepted> {
    let present = instance_get(ctx, app, id).await?;
    if_match.check(present.version)?;
    let spec = spec_of(&present)?;
    ready(&present)?;
    let image = input.image.unwrap_or_else(|| spec.image.clone());
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let stored = instances::instance_secrets(&mut tx, ctx.organization, id).await?;
    let (registries, mut secrets) = registries_of(&mut tx, ctx.organization, &[&image]).await?;
    // The packages that its addons ask for go into the new image too.
    for source in &spec.addons {
        secrets.extend(stored.get(&source.stored_secret_name()).map(|secret| (source.secret_name(), *secret)));
    }
    let after = json!({"image": image, "update": input.update, "safety_copy": input.safety_copy});
    let job = InstanceUpgrade {
        instance_id: id,
        image: Some(image),
        addons: None,
        update: input.update,
        safety_copy: input.safety_copy,
        registries,
    };
    let what = Asked { kind: "instance_upgrade", action: "instance.upgrade_requested", after, secrets };
    let (job, enqueued) = ask(ctx, app, &mut tx, &present, job, what).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, id, enqueued);
    let message = "The image is fetched and looked at, then put in place.";
    Ok(accepted(id, InstanceStatus::Updating.word(), message, job))
}
