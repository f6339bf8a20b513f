//! What is really there: containers, volumes and networks by our labels.

use bollard::Docker;
use bollard::models::{ContainerCreateBody, ContainerInspectResponse};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, ListContainersOptions, ListNetworksOptions, ListVolumesOptions,
    RemoveContainerOptions, StartContainerOptions,
};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Names of everything in Docker that carries this label.
pub async fn objects(label: &str) -> Vec<String> {
    let docker = Docker::connect_with_local_defaults().expect("Docker's socket");
    let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
    let containers = ListContainersOptions { all: true, filters: Some(filters.clone()), ..Default::default() };
    let containers = docker.list_containers(Some(containers)).await.expect("a list of containers");
    let volumes = ListVolumesOptions { filters: Some(filters.clone()) };
    let volumes = docker.list_volumes(Some(volumes)).await.expect("a list of volumes");
    let networks = docker.list_networks(Some(ListNetworksOptions { filters: Some(filters) })).await.expect("networks");
    let mut names: Vec<String> = containers.into_iter().flat_map(|c| c.names.unwrap_or_default()).collect();
    names.extend(volumes.volumes.unwrap_or_default().into_iter().map(|v| format!("volume {}", v.name)));
    names.extend(networks.into_iter().filter_map(|n| n.name).map(|n| format!("network {n}")));
    names.sort();
    names
}

/// Name of the instance's Odoo container.
pub async fn odoo_container(instance: &str) -> String {
    let names = objects(&format!("sh.ocore.instance={instance}")).await;
    let found = names.iter().find_map(|name| name.strip_prefix('/').filter(|n| n.ends_with("-odoo")));
    found.unwrap_or_else(|| panic!("no Odoo container among {names:?}")).to_owned()
}

/// What Docker says of a container that must be there.
pub async fn inspect(container: &str) -> ContainerInspectResponse {
    let docker = Docker::connect_with_local_defaults().expect("Docker's socket");
    let found = docker.inspect_container(container, None::<InspectContainerOptions>).await;
    found.unwrap_or_else(|e| panic!("{container}: {e}"))
}

/// Make and start one more container like this one, on another port, and remove it; how long the first two took.
pub async fn create_and_start_like(container: &str) -> Duration {
    let docker = Docker::connect_with_local_defaults().expect("Docker's socket");
    let found = docker.inspect_container(container, None::<InspectContainerOptions>).await.expect("the container");
    let mut host = found.host_config.expect("its host's part");
    for bindings in host.port_bindings.iter_mut().flat_map(|ports| ports.values_mut()).flatten() {
        bindings.iter_mut().for_each(|binding| binding.host_port = None);
    }
    let mut body = serde_json::to_value(found.config).expect("its configuration");
    body["HostConfig"] = serde_json::to_value(host).expect("its host's part");
    let body: ContainerCreateBody = serde_json::from_value(body).expect("what makes another");
    let began = Instant::now();
    let made = docker.create_container(None::<CreateContainerOptions>, body).await.expect("it is made");
    docker.start_container(&made.id, None::<StartContainerOptions>).await.expect("it starts");
    let took = began.elapsed();
    let force = RemoveContainerOptions { force: true, ..Default::default() };
    docker.remove_container(&made.id, Some(force)).await.expect("it goes away");
    took
}

/// Stop the processes of a container where they are, or let them go on.
pub async fn pause(container: &str, paused: bool) {
    let docker = Docker::connect_with_local_defaults().expect("Docker's socket");
    let done = if paused { docker.pause_container(container).await } else { docker.unpause_container(container).await };
    done.unwrap_or_else(|e| panic!("{container}: {e}"));
}
