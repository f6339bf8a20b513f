//! The containers of an instance, as one would write them in a compose file: limits, mounts, labels, hardening.

use super::record::{self, Record, Records};
use crate::engine::OpError;
use crate::host::docker::labels::Owner;
use crate::host::docker::{DockerHost, absent_is_none, failed, status_of};
use crate::ops::postgres;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions, NetworkingConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum, VolumeCreateRequest,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use ocore_shared::ids::{InstanceId, JobId};
use ocore_shared::postgres::settings::Applies;
use ocore_shared::postgres::tuning;
use ocore_shared::protocol::addons;
use ocore_shared::protocol::odoo::{InstanceSpec, Limits};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

pub const CONF: &str = "/etc/odoo/odoo.conf";
/// How long a stop may take before it becomes a kill.
pub const STOP_SECONDS: i32 = 60;
const HTTP: &str = "8069/tcp";
const REALTIME: &str = "8072/tcp";
/// Whatever the instance's own log level is: the line that says how it ended is one of these.
pub const TOLD: [&str; 2] = ["--log-level=info", "--log-handler=:INFO"];

/// Labels of what this job makes for the instance.
pub fn owner(spec: &InstanceSpec, job: JobId) -> Owner {
    Owner {
        organization: spec.organization_id,
        environment: spec.environment_id,
        instance: Some(spec.instance_id),
        job,
        spec_hash: spec_hash(spec),
    }
}

/// The same for specifications that lead to the same containers.
fn spec_hash(spec: &InstanceSpec) -> String {
    let spec = InstanceSpec { generation: 0, http_port: None, ..spec.clone() };
    let text = serde_json::to_vec(&spec).unwrap_or_default();
    Sha256::digest(text)[..8].iter().map(|b| format!("{b:02x}")).collect()
}

pub fn network_name(spec: &InstanceSpec) -> String {
    format!("ocore-{}", spec.environment_id)
}

pub async fn volume_ensure(
    docker: &DockerHost, spec: &InstanceSpec, job: JobId, role: &str, step: &str,
) -> Result<(), OpError> {
    let request = VolumeCreateRequest {
        name: Some(record::volume(spec.instance_id, role)),
        labels: Some(owner(spec, job).labels(role, step)),
        ..Default::default()
    };
    docker.client().await?.create_volume(request).await.map(drop).map_err(|e| failed("make a volume", e))
}

/// Make a container of that name, or find the one that this or an earlier run made.
pub async fn create(docker: &DockerHost, name: &str, body: ContainerCreateBody) -> Result<String, OpError> {
    if let Some(found) = docker.inspect(name).await? {
        crate::host::docker::labels::must_be_ours(name, found.config.as_ref().and_then(|c| c.labels.as_ref()))?;
        return Ok(found.id.unwrap_or_default());
    }
    let image = body.image.clone().unwrap_or_default();
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    match absent_is_none(docker.client().await?.create_container(Some(options), body).await) {
        Ok(Some(made)) => Ok(made.id),
        Ok(None) => Err(OpError::retryable(
            "image_vanished",
            format!("The image {image} was removed from the server meanwhile."),
        )),
        Err(e) if status_of(&e) == Some(409) => {
            Err(OpError::new("name_taken", format!("A container named {name} exists already on this server.")))
        }
        Err(e) => Err(failed("make a container", e)),
    }
}

/// What the PostgreSQL container runs: what it takes in only when it starts is on the command line, where nothing in its
/// data can keep it from starting; the rest is set in it while it runs.
fn postgres_command(spec: &InstanceSpec) -> Vec<String> {
    std::iter::once("postgres".to_owned()).chain(arguments(tuning::wanted_when(spec, Applies::Restart))).collect()
}

fn arguments(settings: BTreeMap<String, String>) -> impl Iterator<Item = String> {
    settings.into_iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")])
}

/// Whether a PostgreSQL container has the memory and the connections that this instance needs, and was told so.
pub fn fits_postgres(found: &ContainerInspectResponse, spec: &InstanceSpec) -> bool {
    let limit = found.host_config.as_ref().and_then(|h| h.memory);
    let command = found.config.as_ref().and_then(|c| c.cmd.as_ref());
    limit == Some(limits(&spec.limits).0) && command == Some(&postgres_command(spec))
}

/// The PostgreSQL container.
pub fn postgres(spec: &InstanceSpec, job: JobId, records: &Records, data: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(spec.postgres_image.clone()),
        cmd: Some(postgres_command(spec)),
        env: Some(vec![format!("POSTGRES_PASSWORD_FILE={}", postgres::PASSWORD_FILE)]),
        labels: Some(owner(spec, job).labels("postgres", "postgres")),
        stop_timeout: Some(STOP_SECONDS.into()),
        host_config: Some(HostConfig {
            mounts: Some(vec![
                volume(spec, job, ("postgres", "postgres"), data),
                bind(records.password_path(spec.instance_id), postgres::PASSWORD_FILE),
            ]),
            shm_size: Some(postgres::SHARED_MEMORY),
            // The image starts as root, gives itself its directory and becomes another user.
            cap_add: Some(["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"].map(str::to_owned).into()),
            pids_limit: Some(1024),
            ..common(spec, network_name(spec), Some(RestartPolicyNameEnum::UNLESS_STOPPED))
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                network_name(spec),
                EndpointSettings { aliases: Some(vec![record::database_host(spec.instance_id)]), ..Default::default() },
            )])),
        }),
        ..Default::default()
    }
}

/// A PostgreSQL with all settings of the specification on a directory of its own that nobody reaches, to see whether it
/// starts with them. What it leaves behind is nameless and goes with it.
pub fn postgres_trial(spec: &InstanceSpec, job: JobId, records: &Records) -> ContainerCreateBody {
    let body = postgres(spec, job, records, postgres::DATA);
    let mut command = body.cmd.clone().unwrap_or_default();
    command.extend(arguments(tuning::wanted_when(spec, Applies::Reload)));
    let host_config = HostConfig {
        mounts: Some(vec![bind(records.password_path(spec.instance_id), postgres::PASSWORD_FILE)]),
        network_mode: Some("none".into()),
        restart_policy: None,
        ..body.host_config.unwrap_or_default()
    };
    ContainerCreateBody {
        cmd: Some(command),
        labels: Some(owner(spec, job).labels("task", "try")),
        host_config: Some(host_config),
        networking_config: None,
        ..body
    }
}

/// The long-running Odoo container.
pub fn odoo(record: &Record, job: JobId, step: &str, records: &Records) -> ContainerCreateBody {
    let spec = &record.spec;
    // Behind the proxy only the agent itself asks there.
    let address = if spec.has_proxy { "127.0.0.1".into() } else { spec.bind_address.clone() };
    let binding =
        |port: u16| Some(vec![PortBinding { host_ip: Some(address.clone()), host_port: Some(port.to_string()) }]);
    let mut ports = HashMap::from([(HTTP.to_owned(), binding(record.http_port))]);
    if let Some(port) = record.published_realtime_port() {
        ports.insert(REALTIME.into(), binding(port));
    }
    let body = odoo_like(spec, job, ("odoo", step), &records.conf_path(spec.instance_id), records, vec![]);
    let host_config = HostConfig {
        port_bindings: Some(ports.clone()),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        }),
        ..body.host_config.unwrap_or_default()
    };
    ContainerCreateBody { exposed_ports: Some(ports.into_keys().collect()), host_config: Some(host_config), ..body }
}

/// The container that fills the database and ends.
pub fn init(spec: &InstanceSpec, job: JobId, records: &Records) -> ContainerCreateBody {
    let modules = std::iter::once("base").chain(spec.modules.iter().map(String::as_str)).collect::<Vec<_>>().join(",");
    let mut args = vec!["-d".into(), spec.database_name.clone(), "-i".into(), modules];
    if spec.language != "en_US" {
        args.push(format!("--load-language={}", spec.language));
    }
    args.extend(
        ["--stop-after-init", "--no-http", "--max-cron-threads=0"].iter().chain(&TOLD).map(|&arg| arg.to_owned()),
    );
    odoo_like(spec, job, ("init", "initialise"), &records.conf_path(spec.instance_id), records, args)
}

/// A container that does one thing with Odoo's own command and ends, with that odoo.conf.
pub fn task(
    spec: &InstanceSpec, job: JobId, step: &str, conf: &Path, records: &Records, args: &[&str],
) -> ContainerCreateBody {
    let fixed = ["--stop-after-init", "--no-http", "--max-cron-threads=0", "--workers=0"];
    let args = args.iter().chain(&fixed).chain(&TOLD).map(|&arg| arg.to_owned()).collect();
    odoo_like(spec, job, ("task", step), conf, records, args)
}

/// Odoo that serves and does nothing of its own accord, with the addons of another instance. No port of it is published.
pub fn trial(
    spec: &InstanceSpec, job: JobId, step: &str, records: &Records, addons_of: InstanceId,
) -> ContainerCreateBody {
    let args = ["--max-cron-threads=0", "--workers=0"].iter().chain(&TOLD).map(|&arg| arg.to_owned()).collect();
    let conf = records.conf_path(spec.instance_id);
    let mut body = odoo_like(spec, job, ("task", step), &conf, records, args);
    let borrowed = [
        (records.addons_dir(spec.instance_id), records.addons_dir(addons_of)),
        (records.sources_dir(spec.instance_id), records.sources_dir(addons_of)),
    ];
    for mount in body.host_config.iter_mut().flat_map(|host| host.mounts.iter_mut().flatten()) {
        let found = borrowed.iter().find(|(own, _)| mount.source.as_deref() == own.to_str());
        if let Some((_, theirs)) = found {
            mount.source = Some(theirs.to_string_lossy().into_owned());
        }
    }
    body
}

/// The same with a program of ours in Odoo's Python.
pub fn program(
    spec: &InstanceSpec, job: JobId, step: &str, conf: &Path, records: &Records, argv: Vec<String>,
    env: &[(&str, String)],
) -> ContainerCreateBody {
    let body = odoo_like(spec, job, ("task", step), conf, records, vec![]);
    let mut variables = body.env.clone().unwrap_or_default();
    variables.extend(env.iter().map(|(name, value)| format!("{name}={value}")));
    ContainerCreateBody { entrypoint: Some(vec!["python3".into()]), cmd: Some(argv), env: Some(variables), ..body }
}

/// The image's entrypoint is left out: it would put the database password on the command line.
fn odoo_like(
    spec: &InstanceSpec, job: JobId, (role, step): (&str, &str), conf: &Path, records: &Records, args: Vec<String>,
) -> ContainerCreateBody {
    let mut command = vec!["-c".to_owned(), CONF.to_owned()];
    command.extend(args);
    let mut mounts = vec![
        volume(spec, job, ("odoo", "config"), "/var/lib/odoo"),
        bind(conf.to_owned(), CONF),
        bind(records.addons_dir(spec.instance_id), "/mnt/extra-addons"),
    ];
    if !spec.addons.is_empty() {
        mounts.push(bind(records.sources_dir(spec.instance_id), addons::MOUNT));
    }
    ContainerCreateBody {
        image: Some(spec.effective_image().to_owned()),
        entrypoint: Some(vec!["odoo".into()]),
        cmd: Some(command),
        env: Some(spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect()),
        labels: Some(owner(spec, job).labels(role, step)),
        stop_timeout: Some(STOP_SECONDS.into()),
        host_config: Some(HostConfig {
            mounts: Some(mounts),
            pids_limit: Some(512),
            ..common(spec, network_name(spec), None)
        }),
        ..Default::default()
    }
}

fn common(spec: &InstanceSpec, network: String, restart: Option<RestartPolicyNameEnum>) -> HostConfig {
    let (memory, nano_cpus) = limits(&spec.limits);
    HostConfig {
        network_mode: Some(network),
        memory: Some(memory),
        // Equal to the memory: no swap.
        memory_swap: Some(memory),
        nano_cpus: Some(nano_cpus),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges".into()]),
        restart_policy: restart.map(|name| RestartPolicy { name: Some(name), maximum_retry_count: None }),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(HashMap::from([("max-size".into(), "50m".into()), ("max-file".into(), "5".into())])),
        }),
        ..Default::default()
    }
}

/// Bytes and billionths of a core.
pub fn limits(limits: &Limits) -> (i64, i64) {
    (i64::from(limits.memory_mb) * 1024 * 1024, (limits.cpus * 1e9).round() as i64)
}

fn volume(spec: &InstanceSpec, job: JobId, (role, step): (&str, &str), target: &str) -> Mount {
    Mount {
        target: Some(target.into()),
        source: Some(record::volume(spec.instance_id, role)),
        typ: Some(MountType::VOLUME),
        // The engine makes a volume that is missing. Without our labels nothing of ours would ever remove it.
        volume_options: Some(MountVolumeOptions {
            labels: Some(owner(spec, job).labels(role, step)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn bind(path: std::path::PathBuf, target: &str) -> Mount {
    Mount {
        target: Some(target.into()),
        source: Some(path.to_string_lossy().into_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::spec;
    use super::*;

    #[test]
    fn nothing_secret_and_nothing_privileged() {
        let records = Records::new("/var/lib/ocore-agent/instances".into());
        let spec = InstanceSpec { language: "fr_FR".into(), modules: vec!["sale".into()], ..spec() };
        let body = init(&spec, JobId::new(), &records);
        let command = body.cmd.clone().unwrap().join(" ");
        assert_eq!(
            command,
            "-c /etc/odoo/odoo.conf -d shop -i base,sale --load-language=fr_FR --stop-after-init --no-http --max-cron-threads=0 --log-level=info --log-handler=:INFO"
        );
        let host = body.host_config.unwrap();
        assert_eq!(host.cap_drop, Some(vec!["ALL".into()]));
        assert!(host.port_bindings.is_none() && host.privileged.is_none());
        let job = JobId::new();
        let database = postgres(&spec, job, &records, postgres::DATA);
        assert_eq!(database.env.unwrap(), ["POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password"]);
        let host = database.host_config.unwrap();
        assert!(host.port_bindings.is_none());
        let volume = host.mounts.unwrap().remove(0);
        let labels = volume.volume_options.unwrap().labels.unwrap();
        assert_eq!(labels, owner(&spec, job).labels("postgres", "postgres"), "as if we had made the volume ourselves");
    }

    #[test]
    fn the_hash_ignores_what_changes_no_container() {
        let one = spec();
        assert_eq!(spec_hash(&one), spec_hash(&InstanceSpec { generation: 9, ..one.clone() }));
        assert_ne!(spec_hash(&one), spec_hash(&InstanceSpec { image: "odoo:15.0".into(), ..one.clone() }));
    }
}
