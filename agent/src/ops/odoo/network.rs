//! The network of an environment: shared by its instances, removed with the last of them.

use super::containers::{network_name, owner};
use crate::engine::OpError;
use crate::host::Host;
use crate::host::docker::{absent_is_none, failed, labels};
use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::InspectNetworkOptions;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::odoo::InstanceSpec;
use tokio::sync::MutexGuard;

/// Under the host's lock of names, which the caller holds until a container is in it: the engine lets two networks have
/// one name, and an empty one is removed with another instance.
pub async fn ensure(host: &Host, naming: &MutexGuard<'_, ()>, spec: &InstanceSpec, job: JobId) -> Result<(), OpError> {
    make(host, naming, spec, job, false).await
}

/// One that leads nowhere: who is in it reaches nobody else, and is reached from this server alone.
pub async fn ensure_closed(
    host: &Host, naming: &MutexGuard<'_, ()>, spec: &InstanceSpec, job: JobId,
) -> Result<(), OpError> {
    make(host, naming, spec, job, true).await
}

async fn make(
    host: &Host, _naming: &MutexGuard<'_, ()>, spec: &InstanceSpec, job: JobId, is_closed: bool,
) -> Result<(), OpError> {
    let name = network_name(spec);
    let docker = host.docker.client().await?;
    let found = absent_is_none(docker.inspect_network(&name, None::<InspectNetworkOptions>).await);
    if let Some(found) = found.map_err(|e| failed("look at a network", e))? {
        return labels::must_be_ours(&name, found.labels.as_ref());
    }
    let mut owner = owner(spec, job);
    owner.instance = None;
    let request = NetworkCreateRequest {
        name,
        driver: Some("bridge".into()),
        internal: Some(is_closed),
        labels: Some(owner.labels("network", "network")),
        ..Default::default()
    };
    docker.create_network(request).await.map(drop).map_err(|e| {
        let error = failed("make a network", e);
        match error.message.contains("address pool") {
            true => OpError::new("network_pool_exhausted", "Docker has no addresses left for another network. Add some in /etc/docker/daemon.json (`default-address-pools`)."),
            false => error,
        }
    })
}

/// Remove it, unless another instance of the environment has containers in it, stopped ones too.
pub async fn remove_if_empty(host: &Host, environment: impl std::fmt::Display) -> Result<(), OpError> {
    let _naming = host.naming.lock().await;
    let users = host.docker.list(&[labels::managed(), labels::filter(labels::ENVIRONMENT, &environment)]).await?;
    if !users.is_empty() {
        return Ok(());
    }
    let name = format!("ocore-{environment}");
    let docker = host.docker.client().await?;
    let found = absent_is_none(docker.inspect_network(&name, None::<InspectNetworkOptions>).await);
    let Some(found) = found.map_err(|e| failed("look at a network", e))? else { return Ok(()) };
    let strangers = found.containers.is_some_and(|c| !c.is_empty());
    if strangers || !labels::is_managed(found.labels.as_ref()) {
        return Ok(());
    }
    absent_is_none(docker.remove_network(&name).await).map(drop).map_err(|e| failed("remove a network", e))
}
