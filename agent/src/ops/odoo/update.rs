//! `instance_update`: another share of the cores is set on the containers that run; other settings take a new Odoo
//! container on the same data, other memory a new PostgreSQL container too. When that does not come up, the old settings
//! are put back.

use super::conf;
use super::containers::{self, STOP_SECONDS};
use super::record::Record;
use super::{admin, control, health, preflight, provision, result};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::image::with_tag;
use crate::host::docker::labels::made_by;
use crate::host::docker::{absent_is_none, failed};
use bollard::models::ContainerUpdateBody;
use ocore_shared::protocol::odoo::{InstanceRunning, InstanceSpec, InstanceUpdate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

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
        ("limits", "Set the limits"),
        ("recreate", "Make the container anew"),
        ("health", "Wait until Odoo answers"),
    ])
    .await?;
    let change: Change = ctx.step("check", compare(&host, &input.spec)).await?;
    let mut restored = false;
    let outcome = ctx.attempt(apply(&host, &ctx, &change), async { restored = back(&host, &ctx, &change).await }).await;
    match outcome {
        Ok(running) => result(running),
        Err(error) if restored => Err(error.and("The settings before are in force again.")),
        Err(error) => Err(error),
    }
}

async fn apply(host: &Host, ctx: &JobContext, change: &Change) -> Result<InstanceRunning, OpError> {
    let Change { before, after } = change;
    ctx.step("limits", set_limits(host, before, after)).await?;
    if !needs_container(&before.spec, &after.spec) {
        ctx.skip("recreate", "Only the share of the cores differs.").await?;
        ctx.skip("health", "Nothing was restarted.").await?;
        return provision::running(host, after, 0).await;
    }
    let started = Instant::now();
    ctx.step("recreate", recreate(host, ctx, after)).await?;
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
        restored &= ctx.undo("recreate", || recreate(host, ctx, before)).await;
    }
    if ctx.has_effects("limits") {
        restored &= ctx.undo("limits", || set_limits(host, after, before)).await;
    }
    restored
}

async fn compare(host: &Host, wanted: &InstanceSpec) -> Result<Change, OpError> {
    let before = host.records.get(wanted.instance_id)?;
    let old = &before.spec;
    // What is in the database, or names what exists, is not changed by this job.
    let spec = InstanceSpec {
        limits: wanted.limits.clone(),
        env: wanted.env.clone(),
        extra_conf: wanted.extra_conf.clone(),
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
    let after = Record { spec, http_port, ..before.clone() };
    Ok(Change { before, after })
}

fn needs_container(before: &InstanceSpec, after: &InstanceSpec) -> bool {
    before.env != after.env
        || before.extra_conf != after.extra_conf
        || before.bind_address != after.bind_address
        || before.limits.memory_mb != after.limits.memory_mb
        || after.http_port.is_some() && before.http_port != after.http_port
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
async fn recreate(host: &Host, ctx: &JobContext, record: &Record) -> Result<(), OpError> {
    let spec = &record.spec;
    let path = host.records.conf_path(spec.instance_id);
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(&path).map_err(|e| super::record::disk(&path, &e))?);
    let labels = containers::owner(spec, ctx.id()).labels("probe", "recreate");
    provision::write_conf(host, spec, &conf::read_passwords(&text)?, labels).await?;
    let name = record.odoo_container();
    let found = host.docker.inspect(&name).await?;
    // Nobody works yet in one that this very job has made.
    let is_unused = found.is_some_and(|c| made_by(c.config.as_ref().and_then(|c| c.labels.as_ref()), ctx));
    host.docker.stop(&name, if is_unused { STOP_UNUSED_SECONDS } else { STOP_SECONDS }).await?;
    host.logs.archive(spec.instance_id, &name).await?;
    host.docker.remove(&name).await?;
    let postgres = record.postgres_container();
    if host.docker.inspect(&postgres).await?.is_some_and(|found| !containers::has_memory_of(&found, spec)) {
        host.docker.stop(&postgres, STOP_SECONDS).await?;
        host.docker.remove(&postgres).await?;
    }
    if !record.running {
        control::have_postgres(host, ctx, spec).await?;
        let body = containers::odoo(record, ctx.id(), "recreate", &host.records);
        return containers::create(&host.docker, &name, body).await.map(drop);
    }
    control::start_postgres(host, ctx, record).await?;
    let url = admin::url(&spec.bind_address, record.http_port);
    admin::move_base_url(host, &postgres, spec, &url).await?;
    control::start_odoo(host, ctx, record, "recreate").await
}
