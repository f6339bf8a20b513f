//! Whose the files of an instance are. Images differ in the number of their user, and one that is changed leaves files
//! that the new one's user cannot write.

use super::containers::{self, STOP_SECONDS};
use super::record::{self, Records};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::failed;
use bollard::models::{ContainerCreateBody, HostConfig};
use futures::StreamExt;
use ocore_shared::protocol::odoo::InstanceSpec;
use std::time::Duration;

/// A filestore of some millions of files takes its time.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Number of user and group.
pub type User = (u32, u32);

/// Who the image's user is.
pub async fn user_of(host: &Host, ctx: &JobContext, spec: &InstanceSpec, step: &str) -> Result<User, OpError> {
    let probe = containers::owner(spec, ctx.id()).labels("probe", step);
    host.docker.image_user(spec.effective_image(), None, probe).await
}

/// Give the instance's files to that user. Nobody may write them meanwhile.
pub async fn hand_over(host: &Host, ctx: &JobContext, spec: &InstanceSpec, to: User) -> Result<(), OpError> {
    let name = record::task_container(&spec.slug);
    host.docker.remove(&name).await?;
    containers::create(&host.docker, &name, body(ctx, spec, &host.records, to)).await?;
    host.docker.start(&name).await.map_err(|e| failed("hand the files over", e))?;
    let done = tokio::time::timeout(PATIENCE, ended(host, &name)).await;
    let code = match done {
        Ok(code) => code?,
        Err(_) => {
            host.docker.stop(&name, STOP_SECONDS).await?;
            -1
        }
    };
    host.docker.remove(&name).await?;
    if code == 0 {
        return Ok(());
    }
    Err(OpError::new(
        "handover_failed",
        format!("The instance's files could not be given to the image's user (exit code {code})."),
    ))
}

/// `chown` of the image itself, as its root.
fn body(ctx: &JobContext, spec: &InstanceSpec, records: &Records, (uid, gid): User) -> ContainerCreateBody {
    let argv = ["-R", &format!("{uid}:{gid}"), "/var/lib/odoo"].map(str::to_owned).to_vec();
    let conf = records.conf_path(spec.instance_id);
    let body = containers::program(spec, ctx.id(), "ownership", &conf, records, argv, &[]);
    ContainerCreateBody {
        entrypoint: Some(vec!["chown".into()]),
        user: Some("0:0".into()),
        host_config: body.host_config.map(|host| HostConfig {
            cap_add: Some(["CHOWN", "DAC_OVERRIDE", "FOWNER"].map(str::to_owned).into()),
            ..host
        }),
        ..body
    }
}

async fn ended(host: &Host, name: &str) -> Result<i64, OpError> {
    let docker = host.docker.client().await?;
    let mut waiting =
        std::pin::pin!(docker.wait_container(name, None::<bollard::query_parameters::WaitContainerOptions>));
    match waiting.next().await {
        Some(Ok(end)) => Ok(end.status_code),
        Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
        Some(Err(e)) => Err(failed("wait for a container", e)),
        None => Ok(-1),
    }
}
