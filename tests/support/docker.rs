//! What is really there: containers, volumes and networks by our labels.

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use std::collections::HashMap;

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
