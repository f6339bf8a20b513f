//! The rules of settings.

use super::model::{ConfigRevision, ConfigState, InstanceConfig, changes, problems};
use super::routes::{ConfigInput, SmtpInput};
use super::store::{self, NewRevision};
use crate::app::App;
use crate::apps::instances::model::{Instance, InstanceStatus};
use crate::apps::instances::service::{accepted, idle, instance_get, job_of, stays, told};
use crate::apps::instances::store as instances;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::Kind;
use crate::platform::http::{Actor, Changed, Ctx, IfMatch, List, Page, Patch};
use crate::platform::jobs::{NewJob, store as jobs};
use crate::platform::secrets::store as secret_store;
use crate::signals::events::Subject;
use ocore_shared::ids::{InstanceId, JobId, SecretId};
use ocore_shared::odoo::settings::{OdooSettings, Smtp};
use ocore_shared::protocol::odoo::{InstanceSpec, secret_names};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::Connection;
use std::collections::BTreeMap;

pub async fn config_get(ctx: &Ctx, app: &App, id: InstanceId) -> Result<InstanceConfig> {
    let instance = instance_get(ctx, app, id).await?;
    shown(&instance, spec_of(&instance)?)
}

fn spec_of(instance: &Instance) -> Result<&InstanceSpec> {
    instance.spec.as_ref().ok_or(Error::NotFound("instance"))
}

fn shown(instance: &Instance, spec: &InstanceSpec) -> Result<InstanceConfig> {
    let state = ConfigState {
        applied_generation: instance.observed_generation,
        active_job_id: instance.active_job_id,
        version: instance.version,
    };
    InstanceConfig::new(spec, state).map_err(Error::internal)
}

pub async fn config_history(ctx: &Ctx, app: &App, id: InstanceId, page: &Page) -> Result<List<ConfigRevision>> {
    instance_get(ctx, app, id).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let revisions = store::revision_list(&mut connection, ctx.organization, id, page).await?;
    Ok(List::new(revisions, page, |revision| revision.id))
}

/// Settings that are wished, and the password that goes with them.
struct Wish {
    settings: OdooSettings,
    password: Password,
    note: String,
}

enum Password {
    Stays,
    /// The one of a revision, or none.
    Is(Option<SecretId>),
    New(Secret),
}

/// Change the settings. What is wrong is refused at once; what only Odoo itself can tell is tried by the job.
pub async fn config_update(
    ctx: &Ctx, app: &App, id: InstanceId, patch: Patch<ConfigInput>, if_match: IfMatch, dry_run: bool,
) -> Result<Changed<InstanceConfig>> {
    let present = instance_get(ctx, app, id).await?;
    if_match.check(present.version)?;
    let spec = spec_of(&present)?;
    let input = patch.read(&shown(&present, spec)?)?;
    let wish = wished(spec.settings.clone(), input)?;
    apply(ctx, app, &present, wish, dry_run).await
}

/// Set everything as it was at a revision.
pub async fn config_revert(
    ctx: &Ctx, app: &App, id: InstanceId, revision: i64, note: Option<String>, if_match: IfMatch,
) -> Result<Changed<InstanceConfig>> {
    let present = instance_get(ctx, app, id).await?;
    if_match.check(present.version)?;
    let mut connection = app.db.org(ctx.organization).await?;
    let past = store::revision_get(&mut connection, ctx.organization, id, revision)
        .await?
        .ok_or_else(|| Error::field("revision", "exists", "There is no such revision; the history lists them."))?;
    drop(connection);
    let note = note.unwrap_or_else(|| format!("Back to revision {revision}"));
    let wish = Wish { settings: past.settings, password: Password::Is(past.smtp_secret), note };
    apply(ctx, app, &present, wish, false).await
}

fn wished(present: OdooSettings, input: ConfigInput) -> Result<Wish> {
    let (smtp, password) = match input.smtp {
        None => (present.smtp, Password::Stays),
        Some(None) => (None, Password::Is(None)),
        Some(Some(smtp)) => smtp_wished(present.smtp.as_ref(), smtp)?,
    };
    let settings = OdooSettings {
        workers: input.workers.unwrap_or(present.workers),
        users: input.users.unwrap_or(present.users),
        max_cron_threads: input.max_cron_threads.unwrap_or(present.max_cron_threads),
        limit_memory_soft_mb: input.limit_memory_soft_mb.unwrap_or(present.limit_memory_soft_mb),
        limit_memory_hard_mb: input.limit_memory_hard_mb.unwrap_or(present.limit_memory_hard_mb),
        limit_time_cpu: input.limit_time_cpu.unwrap_or(present.limit_time_cpu),
        limit_time_real: input.limit_time_real.unwrap_or(present.limit_time_real),
        limit_time_real_cron: input.limit_time_real_cron.unwrap_or(present.limit_time_real_cron),
        limit_request: input.limit_request.unwrap_or(present.limit_request),
        db_maxconn: input.db_maxconn.unwrap_or(present.db_maxconn),
        log_level: input.log_level.unwrap_or(present.log_level),
        log_handler: input.log_handler.unwrap_or(present.log_handler),
        server_wide_modules: input.server_wide_modules.unwrap_or(present.server_wide_modules),
        unaccent: input.unaccent.unwrap_or(present.unaccent),
        proxy_mode: input.proxy_mode.unwrap_or(present.proxy_mode),
        timezone: input.timezone.unwrap_or(present.timezone),
        extra_conf: input.extra_conf.unwrap_or(present.extra_conf),
        smtp,
    };
    Ok(Wish { settings, password, note: input.note.unwrap_or_default() })
}

/// A stored password is never sent to another server or as another user than it was given for.
fn smtp_wished(present: Option<&Smtp>, input: SmtpInput) -> Result<(Option<Smtp>, Password)> {
    let stored = present.is_some_and(|smtp| smtp.has_password) && input.has_password != Some(false);
    let same = present.is_some_and(|smtp| smtp.host == input.host && smtp.user == input.user);
    let password = match input.password {
        Some(new) => Password::New(new),
        None if stored && same => Password::Stays,
        None if stored => {
            let message = "Give the password again: the stored one is for another host or user.";
            return Err(Error::field("smtp.password", "required", message));
        }
        None if input.has_password == Some(true) => {
            let message = "No password is stored; give it as smtp.password, or leave has_password out.";
            return Err(Error::field("smtp.has_password", "read_only", message));
        }
        None => Password::Is(None),
    };
    let smtp = Smtp {
        host: input.host,
        port: input.port,
        encryption: input.encryption,
        user: input.user,
        has_password: !matches!(password, Password::Is(None)),
        from: input.from,
        from_filter: input.from_filter,
    };
    Ok((Some(smtp), password))
}

async fn apply(ctx: &Ctx, app: &App, present: &Instance, wish: Wish, dry_run: bool) -> Result<Changed<InstanceConfig>> {
    let before = spec_of(present)?;
    let mut spec = InstanceSpec { settings: wish.settings, ..before.clone() };
    let problems = problems(&spec);
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    if dry_run {
        return shown(present, &spec).map(|config| Changed::Settled(Box::new(config)));
    }
    stays(present)?;
    let changes = changes(&before.settings, &spec.settings);
    let changed = !changes.is_empty() || matches!(wish.password, Password::New(_));
    let is_there = present.container_id.is_some();
    // What a failed job did not bring about is asked for again with the same words.
    let applies = is_there && (changed || before.generation > present.observed_generation);
    if !changed && !applies {
        return shown(present, before).map(|config| Changed::Settled(Box::new(config)));
    }
    idle(present)?;
    if changed {
        spec.generation += 1;
    }
    let (organization, id) = (ctx.organization, present.id);
    let subject = Subject::new("instance", id, &present.name);
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    let mut secrets = instances::instance_secrets(&mut tx, organization, id).await?;
    let stored = secrets.get(secret_names::SMTP_PASSWORD).copied();
    let password = match wish.password {
        Password::Stays => stored,
        Password::Is(secret) => secret,
        Password::New(value) => {
            let purpose = secret_names::SMTP_PASSWORD;
            Some(secret_store::secret_add(&mut tx, organization, &app.keyring, purpose, &value).await?)
        }
    };
    match password {
        Some(secret) => drop(secrets.insert(secret_names::SMTP_PASSWORD.into(), secret)),
        None => drop(secrets.remove(secret_names::SMTP_PASSWORD)),
    }
    if !store::config_store(&mut tx, organization, &spec, &secrets, present.version).await? {
        let message = "The instance has just been changed; read its settings again, then retry.";
        return Err(Error::conflict("changed_meanwhile", message));
    }
    let job = applies.then(JobId::new);
    if changed {
        // What was before the first change is worth going back to as well.
        let first = NewRevision {
            instance: id,
            revision: before.generation,
            settings: &before.settings,
            smtp_secret: stored,
            changes: &[],
            note: "",
            actor: &Actor::system(),
            job: None,
        };
        store::revision_insert(&mut tx, organization, &first).await?;
    }
    let mut enqueued = None;
    if let Some(job) = job {
        let new = NewJob { secrets: update_secrets(&secrets), ..update_job(ctx, present, job, &subject, &spec) };
        enqueued = Some(jobs::job_enqueue(&mut tx, app.replica, &new).await?);
        instances::instance_intend(&mut tx, organization, id, job, None, InstanceStatus::Updating).await?;
    }
    if changed {
        let new = NewRevision {
            instance: id,
            revision: spec.generation,
            settings: &spec.settings,
            smtp_secret: password,
            changes: &changes,
            note: &wish.note,
            actor: ctx.actor(),
            job,
        };
        store::revision_insert(&mut tx, organization, &new).await?;
        store::revisions_prune(&mut tx, organization, id).await?;
    }
    let after = json!({"revision": spec.generation, "changes": changes, "note": wish.note});
    let action = "instance.config_updated";
    audit_append(&mut tx, Some(organization), &ctx.caller, action, &subject, None, Some(after)).await?;
    tx.commit().await?;
    drop(connection);
    match (job, enqueued) {
        (Some(job), Some(enqueued)) => {
            told(ctx, app, id, enqueued);
            let message = "The settings are tried, then applied.";
            Ok(Changed::Accepted(accepted(id, InstanceStatus::Updating.word(), message, job)))
        }
        _ => {
            app.bus.changed(organization, Kind::Instance, id);
            config_get(ctx, app, id).await.map(|config| Changed::Settled(Box::new(config)))
        }
    }
}

fn update_job(ctx: &Ctx, instance: &Instance, job: JobId, subject: &Subject, spec: &InstanceSpec) -> NewJob {
    job_of(ctx, job, "instance_update", instance.server_id, instance.id, subject, json!({"spec": spec}))
}

/// Those of an instance's secrets that an update needs: the rest is on the server already.
pub fn update_secrets(secrets: &BTreeMap<String, SecretId>) -> BTreeMap<String, SecretId> {
    secrets.iter().filter(|(name, _)| *name == secret_names::SMTP_PASSWORD).map(|(n, s)| (n.clone(), *s)).collect()
}
