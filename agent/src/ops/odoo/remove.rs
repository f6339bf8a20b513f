//! `instance_remove`. Works from labels, so it also clears up what no record knows about; run again it is well.

use super::containers::STOP_SECONDS;
use super::record::{Record, Stage, odoo_container};
use super::{network, volumes};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::labels;
use ocore_shared::protocol::odoo::InstanceRemove;
use serde_json::Value;

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let input: InstanceRemove = ctx.input()?;
    ctx.plan(&[
        ("stop", "Stop Odoo and PostgreSQL"),
        ("containers", "Remove the containers"),
        ("volumes", "Remove the data"),
        ("network", "Remove the network"),
        ("files", "Remove the configuration"),
    ])
    .await?;
    let record = host.records.find(input.instance_id);
    if let Some(record) = &record {
        host.records.write(&Record { running: false, ..record.clone() })?;
    }
    let ours = vec![labels::managed(), labels::filter(labels::INSTANCE, input.instance_id)];

    ctx.step("stop", async {
        // Odoo before its database.
        let mut found = host.docker.list(&ours).await?;
        found.sort_by_key(|c| c.labels.as_ref().and_then(|l| l.get(labels::ROLE)).is_some_and(|r| r == "postgres"));
        for container in found {
            host.docker.stop(container.id.as_deref().unwrap_or_default(), STOP_SECONDS).await?;
        }
        Ok(())
    })
    .await?;

    ctx.step("containers", async {
        if !input.purge {
            host.logs.archive(input.instance_id, &odoo_container(&input.slug)).await?;
        }
        for container in host.docker.list(&ours).await? {
            host.docker.remove(container.id.as_deref().unwrap_or_default()).await?;
        }
        Ok(())
    })
    .await?;

    if !input.purge {
        if let Some(record) = record {
            host.records.write(&Record { stage: Stage::Removed, running: false, ..record })?;
        }
        ctx.skip("volumes", "The data is kept for a later purge.").await?;
        ctx.skip("files", "The configuration is kept for a later purge.").await?;
    } else {
        ctx.step("volumes", volumes::remove(&host.docker, &ours, volumes::PATIENCE)).await?;
    }
    ctx.step("network", network::remove_if_empty(&host, input.environment_id)).await?;
    if input.purge {
        ctx.step("files", async {
            host.logs.forget(input.instance_id)?;
            host.docker.built_forget(&ours).await?;
            host.records.remove(input.instance_id)
        })
        .await?;
    }
    Ok(Value::Null)
}
