//! Start, stop, restart and kill. Needs no secret: everything is in the agent's own record. PostgreSQL goes along,
//! except that it is never killed.

use super::containers::{self, STOP_SECONDS};
use super::databases::settings_keep;
use super::record::{self, Record};
use super::{health, network, preflight, provision, result};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::{absent_is_none, failed, status_of, words};
use crate::ops::{postgres, proxy};
use bollard::query_parameters::KillContainerOptionsBuilder;
use ocore_shared::protocol::odoo::{InstanceControl, InstanceSpec};
use serde_json::Value;
use tokio::time::Instant;

pub async fn start(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let record = record(&host, &ctx)?;
    ctx.plan(&[("postgres", "Start PostgreSQL"), ("start", "Start Odoo"), ("health", "Wait until Odoo answers")])
        .await?;
    up(&host, &ctx, &record).await
}

pub async fn stop(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let record = record(&host, &ctx)?;
    ctx.plan(&[("stop", "Stop Odoo"), ("postgres", "Stop PostgreSQL")]).await?;
    ctx.step("stop", async {
        host.records.write(&Record { running: false, ..record.clone() })?;
        host.docker.stop(&record.odoo_container(), STOP_SECONDS).await
    })
    .await?;
    ctx.step("postgres", host.docker.stop(&record.postgres_container(), STOP_SECONDS)).await?;
    Ok(Value::Null)
}

pub async fn restart(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let record = record(&host, &ctx)?;
    ctx.plan(&[
        ("stop", "Stop Odoo"),
        ("postgres", "Start PostgreSQL"),
        ("start", "Start Odoo"),
        ("health", "Wait until Odoo answers"),
    ])
    .await?;
    ctx.step("stop", host.docker.stop(&record.odoo_container(), STOP_SECONDS)).await?;
    up(&host, &ctx, &record).await
}

pub async fn kill(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let record = record(&host, &ctx)?;
    ctx.plan(&[("kill", "Kill Odoo"), ("postgres", "Stop PostgreSQL")]).await?;
    ctx.step("kill", async {
        host.records.write(&Record { running: false, ..record.clone() })?;
        let options = KillContainerOptionsBuilder::default().signal("KILL").build();
        let killed = host.docker.client().await?.kill_container(&record.odoo_container(), Some(options)).await;
        match absent_is_none(killed) {
            // Not running.
            Err(e) if status_of(&e) != Some(409) => Err(failed("kill Odoo", e)),
            _ => Ok(()),
        }
    })
    .await?;
    ctx.step("postgres", host.docker.stop(&record.postgres_container(), STOP_SECONDS)).await?;
    Ok(Value::Null)
}

fn record(host: &Host, ctx: &JobContext) -> Result<Record, OpError> {
    let input: InstanceControl = ctx.input()?;
    host.records.get(input.instance_id)
}

/// The steps `postgres`, `start` and `health`.
async fn up(host: &Host, ctx: &JobContext, record: &Record) -> Result<Value, OpError> {
    ctx.step("postgres", start_postgres(host, ctx, record)).await?;
    let started = Instant::now();
    ctx.step("start", async {
        host.records.write(&Record { running: true, ..record.clone() })?;
        start_odoo(host, ctx, record, "start").await
    })
    .await?;
    let running = ctx.step("health", async {
        health::wait(host, ctx, record).await?;
        provision::running(host, record, started.elapsed().as_millis() as u64).await
    });
    result(running.await?)
}

/// Have PostgreSQL running; its container is made anew when there is none, its data is in the volume.
pub async fn start_postgres(host: &Host, ctx: &JobContext, record: &Record) -> Result<(), OpError> {
    let name = record.postgres_container();
    if host.docker.inspect(&name).await?.is_none() {
        ctx.log("PostgreSQL's container is made anew on its data.");
    }
    have_postgres(host, ctx, &record.spec).await?;
    host.docker.start(&name).await.map_err(|e| failed("start PostgreSQL", e))?;
    postgres::ready(&host.docker, &name, &record::database_host(record.spec.instance_id)).await?;
    settings_keep(host, &record.spec).await
}

/// Have PostgreSQL's container, in the network of the environment. Under one lock: until there is a container in it,
/// the removal of another instance takes the network away.
pub async fn have_postgres(host: &Host, ctx: &JobContext, spec: &InstanceSpec) -> Result<(), OpError> {
    let data = provision::data_directory(host, spec).await?;
    let naming = host.naming.lock().await;
    network::ensure(host, &naming, spec, ctx.id()).await?;
    let body = containers::postgres(spec, ctx.id(), &host.records, &data);
    containers::create(&host.docker, &record::postgres_container(&spec.slug), body).await.map(drop)
}

/// Have Odoo's container, and started.
pub async fn start_odoo(host: &Host, ctx: &JobContext, record: &Record, step: &str) -> Result<(), OpError> {
    let name = record.odoo_container();
    containers::create(&host.docker, &name, containers::odoo(record, ctx.id(), step, &host.records)).await?;
    proxy::join(host, ctx, record).await?;
    host.docker.start(&name).await.map_err(|e| match provision::is_port_conflict(&words(&e)) {
        true => preflight::port_taken(record.http_port, "another program on this server"),
        false => failed("start Odoo", e),
    })
}
