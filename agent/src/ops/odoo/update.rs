//! `instance_update`: another share of the cores is set on the containers that run; other settings take a new Odoo
//! container on the same data, other memory a new PostgreSQL container too. Settings of Odoo are tried first, in a
//! container beside the one that serves. When the new one does not come up, the old settings are put back.

use super::containers::{self, STOP_SECONDS};
use super::init_log::TRY_SETTINGS;
use super::record::{self, Record};
use super::{admin, control, health, oneshot, preflight, provision, result};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::image::with_tag;
use crate::host::docker::labels::made_by;
use crate::host::docker::{absent_is_none, failed};
use bollard::models::ContainerUpdateBody;
use ocore_shared::ids::InstanceId;
use ocore_shared::odoo::conf::{self, Passwords};
use ocore_shared::protocol::odoo::{InstanceRunning, InstanceSpec, InstanceUpdate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long a stop may take of an Odoo that was never handed over.
const STOP_UNUSED_SECONDS: i32 = 10;

/// Before and after, stored as the output of the first step, so that a resumed job knows what was.
#[derive(Clone, Serialize, Deserialize)]
struct Change {
    before: Record,
    after: Record,
}

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let input: InstanceUpdate = ctx.input()?;
    ctx.plan(&[
        ("check", "Compare the settings"),
        ("try", "Try the settings beside the running Odoo"),
        ("limits", "Set the limits"),
        ("recreate", "Make the container anew"),
        ("health", "Wait until Odoo answers"),
    ])
    .await?;
    let change: Change = ctx.step("check", compare(&host, &ctx, &input.spec)).await?;
    let mut restored = false;
    let outcome = ctx.attempt(apply(&host, &ctx, &change), async { restored = back(&host, &ctx, &change).await }).await;
    if let Err(error) = tidy(&host, &change.after) {
        ctx.log(error.message);
    }
    match outcome {
        Ok(running) => result(running),
        Err(error) if restored => Err(error.and("The settings before are in force again.")),
        Err(error) => Err(error),
    }
}

async fn apply(host: &Host, ctx: &JobContext, change: &Change) -> Result<InstanceRunning, OpError> {
    let Change { before, after } = change;
    if before.spec.settings == after.spec.settings && before.spec.has_proxy == after.spec.has_proxy {
        ctx.skip("try", "Odoo's own settings stay.").await?;
    } else if !before.running {
        ctx.skip("try", "The instance is stopped; they are tried when it starts.").await?;
    } else {
        ctx.step("try", try_settings(host, ctx, after)).await?;
    }
    ctx.step("limits", async {
        if ctx.has_effects("try") {
            host.docker.remove(&record::task_container(&after.spec.slug)).await?;
        }
        keep_conf(host, before)?;
        set_limits(host, before, after).await
    })
    .await?;
    if !needs_container(&before.spec, &after.spec) {
        ctx.skip("recreate", "Only the share of the cores differs.").await?;
        ctx.skip("health", "Nothing was restarted.").await?;
        return provision::running(host, after, 0).await;
    }
    let started = Instant::now();
    ctx.step("recreate", async {
        let passwords = passwords_after(host, ctx, after)?;
        let path = host.records.conf_path(after.spec.instance_id);
        write_conf(host, ctx, after, &passwords, &path).await?;
        recreate(host, ctx, before, after).await
    })
    .await?;
    if !after.running {
        ctx.skip("health", "The instance is stopped.").await?;
        return provision::running(host, after, 0).await;
    }
    ctx.step("health", async {
        health::wait(host, ctx, after).await?;
        provision::running(host, after, started.elapsed().as_millis() as u64).await
    })
    .await
}

/// Take back what was begun; a container that was not touched yet runs on. Says whether all is as before.
async fn back(host: &Host, ctx: &JobContext, Change { before, after }: &Change) -> bool {
    let mut restored = true;
    if ctx.has_effects("recreate") {
        restored &= ctx
            .undo("recreate", || async {
                put_conf_back(host, ctx, before).await?;
                recreate(host, ctx, after, before).await
            })
            .await;
    }
    if ctx.has_effects("limits") {
        restored &= ctx.undo("limits", || set_limits(host, after, before)).await;
    }
    if ctx.has_effects("try") {
        let name = record::task_container(&after.spec.slug);
        restored &= ctx.undo("try", || host.docker.remove(&name)).await;
    }
    restored
}

async fn compare(host: &Host, ctx: &JobContext, wanted: &InstanceSpec) -> Result<Change, OpError> {
    let before = host.records.get(wanted.instance_id)?;
    // Of a job that nobody remembers.
    tidy(host, &before)?;
    let old = &before.spec;
    // What is in the database, or names what exists, is not changed by this job.
    let spec = InstanceSpec {
        limits: wanted.limits.clone(),
        env: wanted.env.clone(),
        settings: wanted.settings.clone(),
        has_proxy: wanted.has_proxy,
        public_host: wanted.public_host.clone(),
        bind_address: wanted.bind_address.clone(),
        http_port: wanted.http_port,
        generation: wanted.generation,
        ..old.clone()
    };
    if with_tag(&wanted.image) != old.image || wanted.odoo_version != old.odoo_version {
        return Err(OpError::new(
            "image_change_refused",
            "Another version of Odoo takes an upgrade of the database; this job only changes settings.",
        ));
    }
    let moved = spec.http_port.filter(|port| *port != before.http_port);
    let http_port = match moved {
        Some(port) => preflight::wished(host, &spec, port).await?,
        None => before.http_port,
    };
    let before = preflight::reserve_realtime(host, before, &spec).await?;
    let after = Record { spec, http_port, ..before.clone() };
    // A file that cannot be written is refused before anything is touched.
    conf::render(&after.spec, "", &passwords_after(host, ctx, &after)?)?;
    Ok(Change { before, after })
}

fn needs_container(before: &InstanceSpec, after: &InstanceSpec) -> bool {
    before.env != after.env
        || before.settings != after.settings
        || before.has_proxy != after.has_proxy
        || before.public_host != after.public_host
        || before.bind_address != after.bind_address
        || before.limits.memory_mb != after.limits.memory_mb
        || after.http_port.is_some() && before.http_port != after.http_port
}

/// Start Odoo once with the new file on the live database, beside the one that serves, and end it: what it does not
/// start with is found before anybody notices.
async fn try_settings(host: &Host, ctx: &JobContext, after: &Record) -> Result<(), OpError> {
    let spec = &after.spec;
    let path = host.records.conf_next_path(spec.instance_id);
    write_conf(host, ctx, after, &passwords_after(host, ctx, after)?, &path).await?;
    let name = record::task_container(&spec.slug);
    let body = containers::task(spec, ctx.id(), "try", &path, &host.records, &[]);
    oneshot::run(host, ctx, &name, body, TRY_SETTINGS, async { Ok(()) }).await
}

/// The passwords that are there already, and the mail server's as the job brings it.
fn passwords_after(host: &Host, ctx: &JobContext, after: &Record) -> Result<Passwords, OpError> {
    let smtp = provision::smtp_password(ctx, &after.spec)?;
    Ok(Passwords { smtp, ..passwords_known(host, after.spec.instance_id)? })
}

/// The passwords as they were before the job that works on the instance.
pub fn passwords_known(host: &Host, instance: InstanceId) -> Result<Passwords, OpError> {
    let (now, before) = (host.records.conf_path(instance), host.records.conf_before_path(instance));
    let text = read(if before.exists() { &before } else { &now })?;
    conf::read_passwords(&text)
        .ok_or_else(|| OpError::new("conf_damaged", "odoo.conf on the server has lost its passwords."))
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, OpError> {
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|e| record::disk(path, &e))
}

pub async fn write_conf(
    host: &Host, ctx: &JobContext, record: &Record, passwords: &Passwords, path: &Path,
) -> Result<(), OpError> {
    let probe = containers::owner(&record.spec, ctx.id()).labels("probe", "recreate");
    provision::write_conf(host, &record.spec, passwords, path, probe).await
}

/// Keep the present file, once, so that going back needs no secret.
pub(super) fn keep_conf(host: &Host, before: &Record) -> Result<(), OpError> {
    let id = before.spec.instance_id;
    let kept = host.records.conf_before_path(id);
    if kept.exists() {
        return Ok(());
    }
    let text = read(&host.records.conf_path(id))?;
    crate::config::write_atomically(&kept, text.as_bytes(), 0o600).map_err(|e| record::disk(&kept, &e))
}

pub(super) async fn put_conf_back(host: &Host, ctx: &JobContext, before: &Record) -> Result<(), OpError> {
    let id = before.spec.instance_id;
    let text = read(&host.records.conf_before_path(id))?;
    let probe = containers::owner(&before.spec, ctx.id()).labels("probe", "recreate");
    let (uid, gid) = host.docker.image_user(before.spec.effective_image(), None, probe).await?;
    host.records.write_for(&host.records.conf_path(id), text.as_bytes(), uid, gid)
}

/// Remove what the job kept beside the instance.
pub(super) fn tidy(host: &Host, record: &Record) -> Result<(), OpError> {
    let id = record.spec.instance_id;
    host.records.remove_file(&host.records.conf_next_path(id))?;
    host.records.remove_file(&host.records.conf_before_path(id))
}

/// Write down the settings of `to`, and give the containers that stay its limits.
async fn set_limits(host: &Host, from: &Record, to: &Record) -> Result<(), OpError> {
    host.records.write(to)?;
    if from.spec.limits.memory_mb != to.spec.limits.memory_mb {
        // Both containers are made anew, since the programs in them are told their memory when they start. The old
        // ones may use more than they may have then.
        return Ok(());
    }
    let (memory, nano_cpus) = containers::limits(&to.spec.limits);
    let docker = host.docker.client().await?;
    for name in [to.odoo_container(), to.postgres_container()] {
        let body = ContainerUpdateBody {
            memory: Some(memory),
            memory_swap: Some(memory),
            nano_cpus: Some(nano_cpus),
            ..Default::default()
        };
        absent_is_none(docker.update_container(&name, body).await).map_err(|e| failed("set the limits", e))?;
    }
    Ok(())
}

/// A new Odoo container on the old data, and a new PostgreSQL container if its memory differs; Odoo's old log is kept.
/// Goes either way, so nothing in it looks at the job's cancellation.
pub(super) async fn recreate(host: &Host, ctx: &JobContext, from: &Record, to: &Record) -> Result<(), OpError> {
    let spec = &to.spec;
    let name = to.odoo_container();
    let found = host.docker.inspect(&name).await?;
    // Nobody works yet in one that this very job has made.
    let is_unused = found.is_some_and(|c| made_by(c.config.as_ref().and_then(|c| c.labels.as_ref()), ctx));
    host.docker.stop(&name, if is_unused { STOP_UNUSED_SECONDS } else { STOP_SECONDS }).await?;
    host.logs.archive(spec.instance_id, &name).await?;
    host.docker.remove(&name).await?;
    let postgres = to.postgres_container();
    if host.docker.inspect(&postgres).await?.is_some_and(|found| !containers::fits_postgres(&found, spec)) {
        host.docker.stop(&postgres, STOP_SECONDS).await?;
        host.docker.remove(&postgres).await?;
    }
    if !to.running {
        control::have_postgres(host, ctx, spec).await?;
        let body = containers::odoo(to, ctx.id(), "recreate", &host.records);
        return containers::create(&host.docker, &name, body).await.map(drop);
    }
    control::start_postgres(host, ctx, to).await?;
    let url = admin::url(&spec.bind_address, to.http_port);
    admin::follow_base_url(host, &postgres, &from.spec, spec, &url).await?;
    let timezone = spec.settings.timezone.as_deref();
    if timezone != from.spec.settings.timezone.as_deref() {
        admin::set_timezone(host, &postgres, spec, timezone).await?;
    }
    control::start_odoo(host, ctx, to, "recreate").await
}
