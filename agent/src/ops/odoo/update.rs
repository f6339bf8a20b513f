//! `instance_update`: other limits are set on the containers that run; other settings take a new Odoo container on the
//! same data. When that one does not come up, the old settings are put back.

use super::conf;
use super::containers::{self, STOP_SECONDS};
use super::record::Record;
use super::{admin, control, health, preflight, provision, result};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::image::with_tag;
use crate::host::docker::{absent_is_none, failed};
use bollard::models::ContainerUpdateBody;
use ocore_shared::protocol::odoo::{InstanceRunning, InstanceSpec, InstanceUpdate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

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
    let Change { before, after } = &change;
    match apply(&host, &ctx, before, after).await {
        Ok(running) => result(running),
        Err(error) => {
            ctx.undo("recreate", async {
                host.records.write(before)?;
                set_limits(&host, before).await?;
                match needs_container(&before.spec, &after.spec) {
                    true => recreate(&host, &ctx, before).await,
                    false => Ok(()),
                }
            })
            .await;
            Err(OpError { message: format!("{} The settings before are in force again.", error.message), ..error })
        }
    }
}

async fn apply(host: &Host, ctx: &JobContext, before: &Record, after: &Record) -> Result<InstanceRunning, OpError> {
    ctx.step("limits", async {
        host.records.write(after)?;
        set_limits(host, after).await
    })
    .await?;
    if !needs_container(&before.spec, &after.spec) {
        ctx.skip("recreate", "Only the limits differ.").await?;
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
        || after.http_port.is_some() && before.http_port != after.http_port
}

async fn set_limits(host: &Host, record: &Record) -> Result<(), OpError> {
    let (memory, nano_cpus) = containers::limits(&record.spec.limits);
    let docker = host.docker.client().await?;
    for name in [record.odoo_container(), record.postgres_container()] {
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

/// A new Odoo container on the old data; the old one's log is kept.
async fn recreate(host: &Host, ctx: &JobContext, record: &Record) -> Result<(), OpError> {
    let spec = &record.spec;
    let path = host.records.conf_path(spec.instance_id);
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(&path).map_err(|e| super::record::disk(&path, &e))?);
    let labels = containers::owner(spec, ctx.id()).labels("probe", "recreate");
    provision::write_conf(host, spec, &conf::read_passwords(&text)?, labels).await?;
    let name = record.odoo_container();
    host.docker.stop(&name, STOP_SECONDS).await?;
    host.logs.archive(spec.instance_id, &name).await?;
    host.docker.remove(&name).await?;
    if !record.running {
        return containers::create(&host.docker, &name, containers::odoo(record, ctx.id(), "recreate", &host.records))
            .await
            .map(drop);
    }
    control::start_postgres(host, ctx, record).await?;
    let url = admin::url(&spec.bind_address, record.http_port);
    admin::move_base_url(host, &record.postgres_container(), spec, &url).await?;
    control::start_odoo(host, ctx, record, "recreate").await
}
