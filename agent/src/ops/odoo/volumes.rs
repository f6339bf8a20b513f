//! The volumes of an instance, found by their labels. They hold people's data: one that stays is never passed over.

use crate::engine::OpError;
use crate::host::docker::{DockerHost, absent_is_none, failed, status_of, words};
use bollard::models::Volume;
use bollard::query_parameters::{ListContainersOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptions};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// A container that was just removed lets go of its volumes a moment later.
pub const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(300);
/// Code of the failure when something uses a volume.
pub const IN_USE: &str = "volume_in_use";

/// The volumes with all these labels (`key=value`).
pub async fn list(docker: &DockerHost, labels: &[String]) -> Result<Vec<Volume>, OpError> {
    let filters = HashMap::from([("label", labels.iter().map(String::as_str).collect::<Vec<_>>())]);
    let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
    let found = docker.client().await?.list_volumes(Some(options)).await;
    Ok(found.map_err(|e| failed("list the volumes", e))?.volumes.unwrap_or_default())
}

/// Remove the volumes with all these labels, waiting a while for those that are in use.
pub async fn remove(docker: &DockerHost, labels: &[String], patience: Duration) -> Result<(), OpError> {
    let give_up_at = Instant::now() + patience;
    loop {
        let mut used = None;
        for volume in list(docker, labels).await? {
            let removed = docker.client().await?.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await;
            match absent_is_none(removed) {
                Err(e) if status_of(&e) == Some(409) => used = Some((volume.name, words(&e))),
                other => drop(other.map_err(|e| failed("remove a volume", e))?),
            }
        }
        match used {
            None => return Ok(()),
            Some((name, words)) if Instant::now() >= give_up_at => return Err(in_use(docker, &name, &words).await),
            Some(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn in_use(docker: &DockerHost, volume: &str, words: &str) -> OpError {
    let users = users(docker, volume).await.unwrap_or_default();
    let users = if users.is_empty() { "no container that Docker lists".into() } else { users.join(", ") };
    OpError::retryable(
        IN_USE,
        format!(
            "The volume {volume} holds data and could not be removed: Docker says \"{}\". It is used by {users}; remove that, then try again.",
            words.trim_end_matches('.')
        ),
    )
}

/// Names of the containers that mount it.
async fn users(docker: &DockerHost, volume: &str) -> Result<Vec<String>, OpError> {
    let filters = HashMap::from([("volume", vec![volume])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let found = docker.client().await?.list_containers(Some(options)).await;
    let found = found.map_err(|e| failed("list the containers", e))?;
    let names = found.into_iter().filter_map(|c| c.names?.into_iter().next());
    Ok(names.map(|n| n.trim_start_matches('/').to_owned()).collect())
}
