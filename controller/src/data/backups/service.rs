//! The rules of backups: what is made is written down first, what is good is never given up by a failure, and what is put
//! back is what was made.

use super::model::{Backup, BackupDetail, BackupStatus, Kept, NewBackup, RestoreMode, prefix};
use super::store::{self, BackupFilter};
use crate::app::App;
use crate::apps::instances::model::{Instance, InstanceStatus};
use crate::apps::instances::service::{accepted, instance_get, job_of, stays, told};
use crate::apps::instances::store::{self as instances, InstanceFilter};
use crate::data::destinations::model::{Destination, Encryption, is_off_site};
use crate::data::destinations::store::{self as destinations, DestinationFilter};
use crate::delivery::environments::service::environment_get;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::Signal;
use crate::platform::http::{Accepted, Ctx, IfMatch, List, Page};
use crate::platform::jobs::{NewJob, dispatch, store as jobs};
use crate::platform::secrets::store::secret_add;
use crate::signals::events::Subject;
use age::secrecy::ExposeSecret;
use ocore_shared::ids::{BackupId, DestinationId, EnvironmentId, InstanceId, JobId, SecretId, ServerId};
use ocore_shared::protocol::backups::{
    BackupCreate, BackupDelete, BackupKind, BackupManifest, BackupPlace, BackupRestore, DESTINATION_SECRET,
    IDENTITY_SECRET,
};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;

/// A large database, and a slow way to its destination.
const LONG_SECONDS: i64 = 24 * 3600;
const DELETE_SECONDS: i64 = 3600;
/// What a key that a person brings for one job is stored as.
const IDENTITY_PURPOSE: &str = "backup_identity";
const KEY_PURPOSE: &str = "backup_key";

pub async fn backup_list(ctx: &Ctx, app: &App, filter: &BackupFilter, page: &Page) -> Result<List<Backup>> {
    let mut connection = app.db.org(ctx.organization).await?;
    let list = store::backup_list(&mut connection, ctx.organization, &ctx.reach(), filter, page).await?;
    Ok(List::new(list, page, |backup| backup.id.0))
}

/// The backups of an environment that is in reach.
pub async fn environment_backups(
    ctx: &Ctx, app: &App, id: EnvironmentId, filter: BackupFilter, page: &Page,
) -> Result<List<Backup>> {
    environment_get(ctx, app, id).await?;
    backup_list(ctx, app, &BackupFilter { environment: Some(id), ..filter }, page).await
}

/// The backups of an instance that is in reach.
pub async fn instance_backups(
    ctx: &Ctx, app: &App, id: InstanceId, filter: BackupFilter, page: &Page,
) -> Result<List<Backup>> {
    let instance = instance_get(ctx, app, id).await?;
    backup_list(ctx, app, &BackupFilter { instance: Some(instance.id), ..filter }, page).await
}

/// What a path says that a backup belongs to.
#[derive(Clone, Copy, Default)]
pub struct Within {
    pub environment: Option<EnvironmentId>,
    pub instance: Option<InstanceId>,
}

impl From<EnvironmentId> for Within {
    fn from(id: EnvironmentId) -> Self {
        Self { environment: Some(id), instance: None }
    }
}

impl From<InstanceId> for Within {
    fn from(id: InstanceId) -> Self {
        Self { environment: None, instance: Some(id) }
    }
}

async fn found(ctx: &Ctx, connection: &mut PgConnection, within: Within, id: BackupId) -> Result<Backup> {
    let Within { environment, instance } = within;
    let filter = BackupFilter { id: Some(id), environment, instance, ..BackupFilter::default() };
    let list = store::backup_list(connection, ctx.organization, &ctx.reach(), &filter, &Page::default()).await?;
    list.into_iter().next().ok_or(Error::NotFound("backup"))
}

async fn locked(ctx: &Ctx, connection: &mut PgConnection, id: BackupId) -> Result<Kept> {
    store::backup_lock(connection, ctx.organization, id).await?.ok_or(Error::NotFound("backup"))
}

pub async fn backup_get(ctx: &Ctx, app: &App, within: Within, id: BackupId) -> Result<BackupDetail> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let backup = found(ctx, &mut tx, within, id).await?;
    let kept = locked(ctx, &mut tx, id).await?;
    Ok(BackupDetail { backup, manifest: kept.manifest, manifest_sha256: kept.manifest_sha256 })
}

/// What a backup that is asked for is to be.
#[derive(Default)]
pub struct Asked {
    /// None: the organization's default.
    pub destination: Option<DestinationId>,
    pub note: String,
    pub is_pinned: bool,
    pub queue: bool,
}

/// The one instance of an environment, or the one that is named.
pub async fn environment_instance(
    ctx: &Ctx, app: &App, id: EnvironmentId, named: Option<InstanceId>,
) -> Result<InstanceId> {
    environment_get(ctx, app, id).await?;
    if let Some(named) = named {
        let instance = match instance_get(ctx, app, named).await {
            Err(Error::NotFound(_)) => None,
            found => Some(found?),
        };
        return match instance {
            Some(instance) if instance.environment_id == id => Ok(named),
            _ => Err(Error::field("instance_id", "exists", "The environment has no such instance.")),
        };
    }
    let mut connection = app.db.org(ctx.organization).await?;
    let filter = InstanceFilter { environment: Some(id.0), limit: 2, ..InstanceFilter::default() };
    let list = instances::instance_list(&mut connection, ctx.organization, &ctx.reach(), &filter).await?;
    match list.as_slice() {
        [only] => Ok(only.id),
        [] => Err(Error::conflict("environment_empty", "The environment has no instance to back up.")),
        _ => Err(Error::field("instance_id", "required", "The environment has several instances; name one.")),
    }
}

/// Back an instance up now.
pub async fn backup_create(ctx: &Ctx, app: &App, id: InstanceId, asked: Asked) -> Result<Accepted> {
    let present = instance_get(ctx, app, id).await?;
    provisioned(&present)?;
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    let destination = destination_of(ctx, &mut tx, asked.destination).await?;
    let opened = destinations::destination_lock(&mut tx, organization, destination.id).await?;
    let opened = opened.ok_or(Error::NotFound("backup destination"))?;
    let recipients = match destination.encryption {
        Encryption::None => Vec::new(),
        Encryption::Recipients => destination.recipients.clone(),
        Encryption::Managed => vec![key_ensure(ctx, app, &mut tx).await?],
    };
    let backup = BackupId::new();
    let at = BackupPlace {
        place: opened.place,
        has_secret: opened.secret.is_some(),
        prefix: prefix(organization, present.environment_id, backup),
    };
    let input =
        BackupCreate { backup_id: backup, instance_id: id, kind: BackupKind::Manual, at: at.clone(), recipients };
    let subject = Subject::new("instance", id, &present.name);
    let job = NewJob {
        secrets: opened.secret.map(|secret| (DESTINATION_SECRET.to_owned(), secret)).into_iter().collect(),
        timeout_seconds: Some(LONG_SECONDS),
        queue: asked.queue,
        ..job_of(ctx, JobId::new(), "backup_create", present.server_id, id, &subject, json!(input))
    };
    let enqueued = jobs::job_enqueue(&mut tx, app.replica, &job).await?;
    let new = NewBackup {
        id: backup,
        project: present.project_id,
        environment: present.environment_id,
        instance: id,
        server: present.server_id,
        instance_name: &present.name,
        odoo_version: &present.odoo_version,
        kind: BackupKind::Manual,
        destination: destination.id,
        at: &at,
        encryption: destination.encryption,
        job: job.id,
        note: &asked.note,
        is_pinned: asked.is_pinned,
        created_by: ctx.actor(),
    };
    store::backup_insert(&mut tx, organization, &new).await?;
    instances::instance_intend(&mut tx, organization, id, job.id, None, present.status).await?;
    let after = json!({"backup_id": backup, "destination_id": destination.id, "kind": BackupKind::Manual});
    audit_append(&mut tx, Some(organization), &ctx.caller, "backup.create_requested", &subject, None, Some(after))
        .await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, id, enqueued);
    Ok(Accepted {
        id: backup.0,
        status: "running".into(),
        message: "The backup is being made; the instance goes on serving.".into(),
        job_id: job.id,
        location: format!("/api/environments/{}/backups/{backup}", present.environment_id),
    })
}

fn provisioned(present: &Instance) -> Result<()> {
    stays(present)?;
    match present.container_id {
        Some(_) => Ok(()),
        None => Err(Error::conflict("not_provisioned", "The instance was never provisioned; start it first.")),
    }
}

/// Whoever may make backups may send them wherever the organization keeps them.
async fn destination_of(ctx: &Ctx, connection: &mut PgConnection, id: Option<DestinationId>) -> Result<Destination> {
    let filter = DestinationFilter { id, is_default: id.is_none() };
    let list = destinations::destination_list(connection, ctx.organization, &filter, &Page::default()).await?;
    match list.into_iter().next() {
        Some(destination) => Ok(destination),
        None if id.is_some() => Err(Error::field("destination_id", "exists", "There is no such destination.")),
        None => Err(Error::conflict("no_destination", "No destination is the default; name one as destination_id.")),
    }
}

/// The organization's key, made when it is first needed.
async fn key_ensure(ctx: &Ctx, app: &App, connection: &mut PgConnection) -> Result<String> {
    if let Some(recipient) = store::key_get(connection, ctx.organization).await? {
        return Ok(recipient);
    }
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let value = Secret::new(identity.to_string().expose_secret());
    let secret = secret_add(connection, ctx.organization, &app.keyring, KEY_PURPOSE, &value).await?;
    store::key_insert(connection, ctx.organization, &recipient, secret).await?;
    Ok(recipient)
}

/// Change what people say of a backup.
pub async fn backup_update(
    ctx: &Ctx, app: &App, within: Within, id: BackupId, if_match: IfMatch,
    change: impl FnOnce(&BackupDetail) -> Result<(bool, String)>,
) -> Result<Backup> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let kept = locked(ctx, &mut tx, id).await?;
    let backup = found(ctx, &mut tx, within, id).await?;
    if_match.check(backup.version)?;
    let shown = BackupDetail { backup, manifest: kept.manifest, manifest_sha256: kept.manifest_sha256 };
    let (is_pinned, note) = change(&shown)?;
    let before = shown.backup;
    if (is_pinned, &note) == (before.is_pinned, &before.note) {
        return Ok(before);
    }
    store::backup_update(&mut tx, ctx.organization, id, is_pinned, &note).await?;
    let after = found(ctx, &mut tx, within, id).await?;
    let subject = Subject::new("backup", id.0, &after.instance_name);
    let said = |backup: &Backup| json!({"is_pinned": backup.is_pinned, "note": backup.note});
    let (was, is) = (Some(said(&before)), Some(said(&after)));
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "backup.updated", &subject, was, is).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

/// Who can get at what is at that place.
fn server_for(ctx: &Ctx, app: &App, kept: &Kept, made_by: Option<ServerId>) -> Result<ServerId> {
    let own = |server: ServerId| app.tunnels.get(server).is_ok_and(|tunnel| tunnel.organization == ctx.organization);
    match (is_off_site(&kept.place), made_by) {
        (false, Some(server)) => Ok(server),
        (true, Some(server)) if own(server) => Ok(server),
        (true, made_by) => {
            let other = app.tunnels.all().into_iter().find(|tunnel| tunnel.organization == ctx.organization);
            other.map(|tunnel| tunnel.server).or(made_by).ok_or_else(|| {
                Error::conflict("no_server", "No server is there to reach the destination; register one, or forget it.")
            })
        }
        (false, None) => Err(Error::conflict(
            "server_gone",
            "The server on whose disk it is was removed; what is left here can only be forgotten (forget=true).",
        )),
    }
}

/// Have a backup deleted at its destination.
pub async fn backup_delete(ctx: &Ctx, app: &App, within: Within, id: BackupId, if_match: IfMatch) -> Result<Accepted> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let kept = locked(ctx, &mut tx, id).await?;
    let backup = found(ctx, &mut tx, within, id).await?;
    if_match.check(backup.version)?;
    may_go(&backup)?;
    let server = server_for(ctx, app, &kept, backup.server_id)?;
    let subject = Subject::new("backup", id.0, &backup.instance_name);
    let job = NewJob {
        id: JobId::new(),
        kind: "backup_delete",
        organization: ctx.organization,
        server,
        instance: None,
        subject: subject.clone(),
        input: json!(BackupDelete { backup_id: id, at: kept.at() }),
        secrets: destination_secret(&kept).into_iter().collect(),
        timeout_seconds: Some(DELETE_SECONDS),
        deadline_seconds: Some(LONG_SECONDS),
        created_by: ctx.actor().clone(),
        idempotency_claim: ctx.caller.idempotency_claim,
        queue: false,
    };
    let enqueued = jobs::job_enqueue(&mut tx, app.replica, &job).await?;
    store::backup_deleting(&mut tx, ctx.organization, id, job.id).await?;
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "backup.delete_requested", &subject, None, None).await?;
    tx.commit().await?;
    drop(connection);
    dispatch::job_dispatch_soon(app, enqueued);
    app.bus.send(Signal::EventsAppended);
    Ok(Accepted {
        id: id.0,
        status: "deleting".into(),
        message: "The backup is being deleted at its destination.".into(),
        job_id: job.id,
        location: format!("/api/jobs/{}", job.id),
    })
}

fn may_go(backup: &Backup) -> Result<()> {
    if backup.is_pinned {
        return Err(Error::conflict("backup_pinned", "The backup is pinned; take the pin off first."));
    }
    match backup.status {
        BackupStatus::Running => {
            let message = format!("The backup is being made; cancel its job {} instead.", backup.job_id);
            Err(Error::conflict("operation_in_progress", message))
        }
        BackupStatus::Deleting => Err(Error::conflict(
            "operation_in_progress",
            format!("The backup is being deleted already (job {}).", backup.job_id),
        )),
        BackupStatus::Succeeded | BackupStatus::Failed => Ok(()),
    }
}

/// Forget a backup. What is at its destination stays there.
pub async fn backup_forget(ctx: &Ctx, app: &App, within: Within, id: BackupId, if_match: IfMatch) -> Result<()> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    locked(ctx, &mut tx, id).await?;
    let backup = found(ctx, &mut tx, within, id).await?;
    if_match.check(backup.version)?;
    may_go(&backup)?;
    store::backup_delete(&mut tx, ctx.organization, id).await?;
    let subject = Subject::new("backup", id.0, &backup.instance_name);
    let before = Some(json!({"destination_id": backup.destination_id, "size_bytes": backup.size_bytes}));
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "backup.forgotten", &subject, before, None).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

fn destination_secret(kept: &Kept) -> Option<(String, SecretId)> {
    kept.destination_secret.map(|secret| (DESTINATION_SECRET.to_owned(), secret))
}

/// What is to be done with a backup.
pub struct RestoreAsked {
    /// None: the one that it was made of.
    pub instance: Option<InstanceId>,
    /// Needed for any other than that.
    pub mode: Option<RestoreMode>,
    /// `AGE-SECRET-KEY-1…`, where we do not have it.
    pub identity: Option<Secret>,
    pub queue: bool,
}

/// Put a backup in place of what an instance holds.
pub async fn backup_restore(
    ctx: &Ctx, app: &App, within: Within, id: BackupId, asked: RestoreAsked,
) -> Result<Accepted> {
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    let kept = locked(ctx, &mut tx, id).await?;
    let backup = found(ctx, &mut tx, within, id).await?;
    let (manifest, manifest_sha256) = whole(&backup, &kept)?;
    let Some(target) = asked.instance.or(backup.instance_id) else {
        let message = "The instance that it was made of is gone; name the one to restore it into.";
        return Err(Error::field("instance_id", "required", message));
    };
    let present = match instance_get(ctx, app, target).await {
        Err(Error::NotFound(_)) => {
            return Err(Error::field("instance_id", "exists", "There is no such instance."));
        }
        found => found?,
    };
    // Two Odoos with the same mail servers and scheduled actions do everything twice.
    if backup.instance_id != Some(target) && asked.mode != Some(RestoreMode::Move) {
        let message = "In another instance it goes on as the same Odoo: it sends mails and does what is scheduled. If the one that it was made of is gone, or stands, say mode=move.";
        return Err(Error::field("mode", "required", message));
    }
    provisioned(&present)?;
    if present.odoo_version != manifest.odoo_version {
        return Err(Error::conflict(
            "series_differs",
            format!(
                "The backup is of Odoo {}, and {} of {}. Restore it into one of {}.",
                manifest.odoo_version, present.name, present.odoo_version, manifest.odoo_version
            ),
        ));
    }
    if !is_off_site(&kept.place) && backup.server_id != Some(present.server_id) {
        return Err(Error::conflict(
            "backup_elsewhere",
            "The backup is on the disk of another server, which this instance's server does not see. Make one at an off-site destination.",
        ));
    }
    let mut secrets: BTreeMap<String, SecretId> = destination_secret(&kept).into_iter().collect();
    if !manifest.recipients.is_empty() {
        let secret = identity_of(ctx, app, &mut tx, &kept, &manifest, asked.identity).await?;
        secrets.insert(IDENTITY_SECRET.into(), secret);
    }
    let input = BackupRestore {
        backup_id: id,
        instance_id: target,
        at: kept.at(),
        manifest_sha256,
        is_encrypted: !manifest.recipients.is_empty(),
    };
    let subject = Subject::new("instance", target, &present.name);
    let job = NewJob {
        secrets,
        timeout_seconds: Some(LONG_SECONDS),
        queue: asked.queue,
        ..job_of(ctx, JobId::new(), "backup_restore", present.server_id, target, &subject, json!(input))
    };
    let enqueued = jobs::job_enqueue(&mut tx, app.replica, &job).await?;
    let status = InstanceStatus::Restoring;
    instances::instance_intend(&mut tx, organization, target, job.id, None, status).await?;
    let after = Some(json!({"backup_id": id, "snapshot_at": manifest.snapshot_at}));
    audit_append(&mut tx, Some(organization), &ctx.caller, "backup.restore_requested", &subject, None, after).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, target, enqueued);
    let message = "The backup is put beside what is there and looked at; then they change places.";
    Ok(accepted(target, status.word(), message, job.id))
}

/// Only what is whole is used.
fn whole(backup: &Backup, kept: &Kept) -> Result<(BackupManifest, String)> {
    match (backup.status, &kept.manifest, &kept.manifest_sha256) {
        (BackupStatus::Succeeded, Some(manifest), Some(sha256)) => Ok((manifest.clone(), sha256.clone())),
        (BackupStatus::Running, ..) => {
            Err(Error::conflict("operation_in_progress", "The backup is still being made; wait for it."))
        }
        _ => Err(Error::conflict("backup_unusable", "This backup is not whole; use another one.")),
    }
}

/// The key that the backup is read with: our own, or the one that a person brings, which is kept for this job alone.
async fn identity_of(
    ctx: &Ctx, app: &App, connection: &mut PgConnection, kept: &Kept, manifest: &BackupManifest,
    brought: Option<Secret>,
) -> Result<SecretId> {
    if kept.encryption == Encryption::Managed {
        let found = store::key_secret(connection, ctx.organization, &manifest.recipients).await?;
        return found
            .ok_or_else(|| Error::conflict("backup_key_missing", "The key of this backup is not here any more."));
    }
    let Some(brought) = brought else {
        let message = "The backup is encrypted for a key that is not kept here; give it (AGE-SECRET-KEY-1…).";
        return Err(Error::field("identity", "required", message));
    };
    let parsed: std::result::Result<age::x25519::Identity, _> = brought.expose().trim().parse();
    match parsed {
        Err(_) => {
            let message = "This is no secret key of age; it is a line that begins with AGE-SECRET-KEY-1.";
            Err(Error::field("identity", "invalid", message))
        }
        Ok(identity) if !manifest.recipients.contains(&identity.to_public().to_string()) => {
            Err(Error::field("identity", "other", "The backup is not encrypted for this key."))
        }
        Ok(_) => secret_add(connection, ctx.organization, &app.keyring, IDENTITY_PURPOSE, &brought).await,
    }
}
