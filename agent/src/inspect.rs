//! What this agent sees of its server, read once and shown to a person: for a look when something is odd, and for
//! proof that a binary works on a distribution.

use crate::config::Config;
use crate::host::docker::{DockerHost, observe};
use crate::host::{facts, ports};
use crate::{metrics, tls};
use ocore_shared::clock::Clock;
use ocore_shared::protocol::inventory::{ContainerInfo, Facts, MetricsSample};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

/// Everything that an agent reports of its server, and what the names given to it stand for.
#[derive(Serialize)]
pub struct Inspection {
    pub facts: Facts,
    pub metrics: MetricsSample,
    pub containers: Vec<ContainerInfo>,
    /// TCP ports that somebody listens on, and who, as far as that can be seen.
    pub ports: BTreeMap<u16, String>,
    /// Addresses of each name, or why there are none.
    pub names: BTreeMap<String, Result<Vec<IpAddr>, String>>,
}

/// Look once. Needs no enrolment and changes nothing.
pub async fn inspect(config: &Config, clock: &dyn Clock, names: Vec<String>) -> anyhow::Result<Inspection> {
    let docker = DockerHost::new(&config.docker_socket());
    let status = docker.probe().await;
    let listed = if status.available { docker.list(&[]).await? } else { Vec::new() };
    let containers: Vec<ContainerInfo> = listed.iter().map(observe::from_summary).collect();
    let running = containers.iter().filter(|c| c.state == "running").count() as i32;
    let counts = (running, containers.len() as i32);
    let (root, at) = (docker.root(), clock.now());
    let read = tokio::task::spawn_blocking(move || {
        let facts = facts::read(status, &root);
        let metrics = metrics::sample_once(at, counts, &root);
        let proc = Path::new("/proc");
        let holder = |inode| ports::process_of(proc, inode).unwrap_or_else(|| "unknown".into());
        let ports = ports::listening(proc).into_iter().map(|(port, inode)| (port, holder(inode))).collect();
        (facts, metrics, ports)
    });
    let (facts, metrics, ports) = read.await?;
    let mut resolved = BTreeMap::new();
    for name in names {
        let addresses = tls::resolve(&name).await.map_err(|error| error.to_string());
        resolved.insert(name, addresses);
    }
    Ok(Inspection { facts, metrics, containers, ports, names: resolved })
}
