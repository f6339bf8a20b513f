//! Caddy's container, its network and its volume.

use super::files::{CONFIG, ProxyFiles, inside};
use super::{CONTAINER, NETWORK, VOLUME, alias};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::{absent_is_none, failed, labels, status_of, words};
use crate::host::ports;
use crate::ops::odoo::preflight;
use crate::ops::odoo::record::Record;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType, NetworkConnectRequest,
    NetworkCreateRequest, PortBinding, RestartPolicy, RestartPolicyNameEnum, VolumeCreateRequest,
};
use bollard::query_parameters::InspectNetworkOptions;
use ocore_shared::protocol::proxy::ProxyApply;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// With each new configuration Caddy opens new listening sockets and closes the old ones. Connections that wait to be
/// accepted there would be reset; since Linux 5.14 the kernel can hand them over.
fn migration(sys: &Path) -> Option<HashMap<String, String>> {
    let known = sys.join("net/ipv4/tcp_migrate_req").exists();
    known.then(|| HashMap::from([("net.ipv4.tcp_migrate_req".into(), "1".into())]))
}

/// Where the proxy finds the controller's socket.
pub const CONSOLE_DIRECTORY: &str = "/run/ocore-console";

/// Labels of what the proxy is made of. It is every organization's, so it names none.
fn labels_of(ctx: &JobContext, role: &str, hash: &str) -> HashMap<String, String> {
    HashMap::from([
        (labels::MANAGED.into(), "true".into()),
        (labels::ROLE.into(), role.into()),
        (labels::JOB.into(), ctx.id().to_string()),
        (labels::STEP.into(), "container".into()),
        (labels::SPEC_HASH.into(), hash.into()),
    ])
}

/// The same for wishes that take the same container.
fn hash(wish: &ProxyApply) -> String {
    let mut text = format!("migrating {} {} {}", wish.image, wish.http_port, wish.https_port);
    if let Some(console) = &wish.console {
        text += &format!(" {}", console.directory);
    }
    Sha256::digest(text)[..8].iter().map(|b| format!("{b:02x}")).collect()
}

/// Have the network, for the proxy or for an instance that is to be behind it.
pub async fn network(host: &Host, labels: HashMap<String, String>) -> Result<(), OpError> {
    let _naming = host.naming.lock().await;
    let docker = host.docker.client().await?;
    let found = absent_is_none(docker.inspect_network(NETWORK, None::<InspectNetworkOptions>).await);
    if let Some(found) = found.map_err(|e| failed("look at a network", e))? {
        return labels::must_be_ours(NETWORK, found.labels.as_ref());
    }
    let request = NetworkCreateRequest {
        name: NETWORK.into(),
        driver: Some("bridge".into()),
        labels: Some(labels),
        ..Default::default()
    };
    docker.create_network(request).await.map(drop).map_err(|e| failed("make a network", e))
}

/// Have an instance's Odoo in the proxy's network, where its container is to be reached by the proxy.
pub async fn join(host: &Host, ctx: &JobContext, record: &Record) -> Result<(), OpError> {
    if !record.spec.has_proxy {
        return Ok(());
    }
    network(host, labels_of(ctx, "network", "")).await?;
    let request = NetworkConnectRequest {
        container: record.odoo_container(),
        endpoint_config: Some(EndpointSettings {
            aliases: Some(vec![alias(record.spec.instance_id)]),
            ..Default::default()
        }),
    };
    match host.docker.client().await?.connect_network(NETWORK, request).await {
        Err(e) if words(&e).contains("already exists in network") => Ok(()),
        other => other.map_err(|e| failed("join the proxy's network", e)),
    }
}

/// Whether a container is there that fits, running or not; one that does not fit is no hindrance to it.
async fn fits(host: &Host, wish: &ProxyApply) -> Result<bool, OpError> {
    let Some(found) = host.docker.inspect(CONTAINER).await? else { return Ok(false) };
    let found = found.config.and_then(|c| c.labels);
    labels::must_be_ours(CONTAINER, found.as_ref())?;
    Ok(found.is_some_and(|found| found.get(labels::SPEC_HASH) == Some(&hash(wish))))
}

/// Refuse ports that somebody else holds, and say who.
pub async fn ports_are_free(host: &Host, wish: &ProxyApply) -> Result<(), OpError> {
    let ours = host.docker.inspect(CONTAINER).await?;
    let running = ours.as_ref().and_then(|c| c.state.as_ref()).and_then(|s| s.running) == Some(true);
    let published = |port: u16| {
        let bindings = ours.as_ref().and_then(|c| c.host_config.as_ref()?.port_bindings.as_ref());
        let text = port.to_string();
        running
            && bindings.is_some_and(|b| b.values().flatten().flatten().any(|b| b.host_port.as_deref() == Some(&text)))
    };
    for port in [wish.http_port, wish.https_port] {
        if published(port) || ports::is_free("0.0.0.0", port) {
            continue;
        }
        let holder = match container_on(host, port).await? {
            Some(name) => format!("the container {name}"),
            None => {
                let proc = Path::new("/proc");
                let inode = ports::listening(proc).get(&port).copied();
                inode.and_then(|inode| ports::process_of(proc, inode)).unwrap_or_else(|| "another program".into())
            }
        };
        return Err(OpError::new(
            "port_taken",
            format!(
                "Port {port} is used by {holder}. Stop that, give the proxy other ports, or let it be the proxy (mode external)."
            ),
        ));
    }
    Ok(())
}

/// The container that publishes that port.
async fn container_on(host: &Host, port: u16) -> Result<Option<String>, OpError> {
    let all = host.docker.list(&[]).await?;
    let publishes = |c: &bollard::models::ContainerSummary| {
        c.ports.as_ref().is_some_and(|ports| ports.iter().any(|p| p.public_port == Some(port)))
    };
    let found = all.into_iter().find(publishes).and_then(|c| c.names?.into_iter().next());
    Ok(found.map(|name| name.trim_start_matches('/').to_owned()))
}

/// Have the container, running on the configuration that is in its file. Says its id, and whether it was started now.
pub async fn ensure(
    host: &Host, files: &ProxyFiles, labels: Labels<'_>, wish: &ProxyApply,
) -> Result<(String, bool), OpError> {
    let labels = |role: &str, hash: &str| match labels {
        Labels::Job(ctx) => labels_of(ctx, role, hash),
        Labels::None => HashMap::from([
            (labels::MANAGED.into(), "true".into()),
            (labels::ROLE.into(), role.to_owned()),
            (labels::SPEC_HASH.into(), hash.to_owned()),
        ]),
    };
    let is_new = !fits(host, wish).await?;
    if is_new {
        host.docker.remove(CONTAINER).await?;
        network(host, labels("network", "")).await?;
        let docker = host.docker.client().await?;
        let volume =
            VolumeCreateRequest { name: Some(VOLUME.into()), labels: Some(labels("proxy", "")), ..Default::default() };
        docker.create_volume(volume).await.map_err(|e| failed("make a volume", e))?;
        let body = body(files, labels("proxy", &hash(wish)), wish);
        crate::ops::odoo::containers::create(&host.docker, CONTAINER, body).await?;
    }
    let found = host.docker.inspect(CONTAINER).await?;
    let running = found.as_ref().and_then(|c| c.state.as_ref()).and_then(|s| s.running) == Some(true);
    if !running {
        host.docker.start(CONTAINER).await.map_err(|e| match status_of(&e) {
            Some(500) if words(&e).contains("address already in use") || words(&e).contains("already allocated") => {
                preflight::port_taken(wish.https_port, "another program")
            }
            _ => failed("start the proxy", e),
        })?;
    }
    Ok((found.and_then(|c| c.id).unwrap_or_default(), !running))
}

/// Whose work it is.
#[derive(Clone, Copy)]
pub enum Labels<'a> {
    Job(&'a JobContext),
    None,
}

fn body(files: &ProxyFiles, labels: HashMap<String, String>, wish: &ProxyApply) -> ContainerCreateBody {
    let publish = |port: u16| Some(vec![PortBinding { host_ip: None, host_port: Some(port.to_string()) }]);
    let mount = |kind, source: String, target: &str, read_only| Mount {
        typ: Some(kind),
        source: Some(source),
        target: Some(target.into()),
        read_only: Some(read_only),
        ..Default::default()
    };
    let conf = files.conf_dir().to_string_lossy().into_owned();
    let mut mounts = vec![
        mount(MountType::VOLUME, VOLUME.into(), "/data", false),
        mount(MountType::BIND, conf, "/etc/ocore-proxy", true),
    ];
    if let Some(console) = &wish.console {
        mounts.push(mount(MountType::BIND, console.directory.clone(), CONSOLE_DIRECTORY, true));
    }
    ContainerCreateBody {
        image: Some(wish.image.clone()),
        entrypoint: Some(vec!["caddy".into()]),
        cmd: Some(vec!["run".into(), "--config".into(), inside(CONFIG)]),
        env: Some(vec!["XDG_DATA_HOME=/data".into(), "XDG_CONFIG_HOME=/config".into()]),
        user: Some("0:0".into()),
        labels: Some(labels),
        exposed_ports: Some(vec!["80/tcp".into(), "443/tcp".into()]),
        host_config: Some(HostConfig {
            network_mode: Some(NETWORK.into()),
            mounts: Some(mounts),
            port_bindings: Some(HashMap::from([
                ("80/tcp".into(), publish(wish.http_port)),
                ("443/tcp".into(), publish(wish.https_port)),
            ])),
            cap_drop: Some(vec!["ALL".into()]),
            cap_add: Some(vec!["NET_BIND_SERVICE".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            pids_limit: Some(512),
            sysctls: migration(Path::new("/proc/sys")),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".into()),
                config: Some(HashMap::from([("max-size".into(), "20m".into()), ("max-file".into(), "3".into())])),
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_handed_over_where_the_kernel_can() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(migration(sys.path()), None);
        let directory = sys.path().join("net/ipv4");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("tcp_migrate_req"), "0\n").unwrap();
        let wanted = HashMap::from([("net.ipv4.tcp_migrate_req".to_owned(), "1".to_owned())]);
        assert_eq!(migration(sys.path()), Some(wanted));
    }
}
