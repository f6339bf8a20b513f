//! What is looked at before anything is made: does the server have room, are names and ports free.

use super::record::{self, Record, Stage};
use super::volumes;
use crate::engine::{JobContext, OpError};
use crate::host::docker::labels;
use crate::host::{Host, ports};
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::odoo::InstanceSpec;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

const MB: u64 = 1024 * 1024;
/// A fresh Odoo with its PostgreSQL and a few people takes less than this.
const MEMORY_NEEDED_MB: u64 = 768;
const DATA_MB: u64 = 1024;
const ODOO_IMAGE_MB: u64 = 3072;
const POSTGRES_IMAGE_MB: u64 = 1024;

/// Refuse what cannot work, and write down the instance with its port.
pub async fn check(host: &Host, ctx: &JobContext, spec: &InstanceSpec) -> Result<Record, OpError> {
    values(spec)?;
    host.docker.client().await?;
    conflicts(host, ctx, spec).await?;
    memory(spec, &std::fs::read_to_string("/proc/meminfo").unwrap_or_default())?;
    disk(host, spec).await?;
    let record = reserve(host, ctx, spec, 0).await?;
    ctx.message(format!("The server has room; Odoo gets port {}.", record.http_port));
    Ok(record)
}

fn values(spec: &InstanceSpec) -> Result<(), OpError> {
    let invalid = |message: String| Err(OpError::new("invalid_input", message));
    if Series::of(&spec.odoo_version).is_none() {
        return invalid(format!("`{}` is no Odoo version; write it like 17.0.", spec.odoo_version));
    }
    if !(1..=64).contains(&spec.slug.len())
        || !spec.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        || spec.slug.starts_with('-')
    {
        return invalid(format!("`{}` is no slug: small letters, digits and dashes.", spec.slug));
    }
    for (what, name) in [("database", &spec.database_name), ("role", &spec.database_role)] {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > 63 || name.starts_with('-') || !name.bytes().all(good) {
            return invalid(format!("`{name}` is no name of a {what}: letters, digits, `_`, `-` and `.`, at most 63."));
        }
        if matches!(name.as_str(), "postgres" | "template0" | "template1") {
            return invalid(format!("`{name}` is PostgreSQL's own; choose another name for the {what}."));
        }
    }
    for name in &spec.modules {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return invalid(format!("`{name}` is no name of an Odoo module."));
        }
    }
    let language = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'@');
    if spec.language.is_empty() || !spec.language.bytes().all(language) {
        return invalid(format!("`{}` is no language; write it like en_US.", spec.language));
    }
    for key in spec.env.keys() {
        if key.is_empty() || key.contains(['=', '\0']) {
            return invalid(format!("`{key}` is no name of an environment variable."));
        }
    }
    if spec.bind_address.parse::<std::net::IpAddr>().is_err() {
        return invalid(format!("`{}` is no address to publish a port on.", spec.bind_address));
    }
    if !(0.1..=1024.0).contains(&spec.limits.cpus) || spec.limits.memory_mb < 256 {
        return invalid("An instance needs at least 0.1 cores and 256 MB of memory.".into());
    }
    Ok(())
}

async fn conflicts(host: &Host, ctx: &JobContext, spec: &InstanceSpec) -> Result<(), OpError> {
    let record = host.records.find(spec.instance_id);
    if record.as_ref().is_some_and(|r| r.job != ctx.id() && r.stage == Stage::Ready) {
        return Err(OpError::new("instance_exists", "This instance is set up on this server already."));
    }
    if record.is_some_and(|r| r.stage == Stage::Provisioning) {
        remove_left(host, ctx, spec).await?;
    }
    for name in [record::odoo_container, record::postgres_container, record::init_container].map(|f| f(&spec.slug)) {
        let Some(found) = host.docker.inspect(&name).await? else { continue };
        let found = found.config.and_then(|c| c.labels);
        labels::must_be_ours(&name, found.as_ref())?;
        if !labels::made_by(found.as_ref(), ctx) {
            return Err(OpError::new(
                "name_taken",
                format!(
                    "The container {name} exists already and belongs to another instance, or is left from an earlier attempt. Choose another slug, or remove that instance with its data first."
                ),
            ));
        }
    }
    let volumes = volumes::list(&host.docker, &of_instance(spec)).await?;
    match volumes.iter().find(|v| !labels::made_by(Some(&v.labels), ctx)) {
        Some(volume) => Err(OpError::new(
            "data_left",
            format!(
                "Data of this instance is left on the server (volume {}). Remove the instance with its data first.",
                volume.name
            ),
        )),
        None => Ok(()),
    }
}

/// What an earlier attempt left because it could not take it back. Nobody has ever used it: with the first good answer
/// the record would say so.
async fn remove_left(host: &Host, ctx: &JobContext, spec: &InstanceSpec) -> Result<(), OpError> {
    let left = of_instance(spec);
    for container in host.docker.list(&left).await? {
        ctx.log(format!("An earlier attempt left {}; it is removed.", container.names.unwrap_or_default().join(", ")));
        host.docker.remove(container.id.as_deref().unwrap_or_default()).await?;
    }
    volumes::remove(&host.docker, &left, volumes::PATIENCE).await
}

fn of_instance(spec: &InstanceSpec) -> [String; 2] {
    [labels::managed(), labels::filter(labels::INSTANCE, spec.instance_id)]
}

fn memory(spec: &InstanceSpec, meminfo: &str) -> Result<(), OpError> {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).map(|kb| kb / 1024)
    };
    let (Some(total), Some(available)) = (field("MemTotal"), field("MemAvailable")) else { return Ok(()) };
    let wanted = u64::from(spec.limits.memory_mb);
    if wanted > total {
        return Err(OpError::new(
            "memory_limit_too_high",
            format!(
                "The instance may use {wanted} MB of memory, but the server has only {total} MB in all. Lower the limit or choose a larger server."
            ),
        ));
    }
    let needed = MEMORY_NEEDED_MB.min(wanted.max(512));
    if available < needed {
        return Err(OpError::retryable(
            "not_enough_memory",
            format!(
                "The server has {available} MB of memory free; setting up this instance needs {needed} MB. Stop something or choose another server."
            ),
        ));
    }
    Ok(())
}

async fn disk(host: &Host, spec: &InstanceSpec) -> Result<(), OpError> {
    let mut needed = DATA_MB;
    for (image, size) in [(&spec.image, ODOO_IMAGE_MB), (&spec.postgres_image, POSTGRES_IMAGE_MB)] {
        let present = host.docker.image(&crate::host::docker::image::with_tag(image)).await?;
        needed += if present.is_some() { 0 } else { size };
    }
    let root = host.docker.root();
    let Ok(stat) = nix::sys::statvfs::statvfs(&root) else { return Ok(()) };
    let free = stat.blocks_available() * stat.fragment_size() / MB;
    if free < needed {
        return Err(OpError::retryable(
            "not_enough_disk",
            format!(
                "The disk of {} has {free} MB free; the images and the data need about {needed} MB. Free some space or choose another server.",
                root.display()
            ),
        ));
    }
    Ok(())
}

/// Choose the instance's port, the wished one or the first free one from `at_least` on, and write it down, so that no
/// other job chooses it too.
pub async fn reserve(host: &Host, ctx: &JobContext, spec: &InstanceSpec, at_least: u16) -> Result<Record, OpError> {
    let _ports = host.records.ports.lock().await;
    let before = host.records.find(spec.instance_id).filter(|r| r.job == ctx.id());
    if let Some(before) = &before
        && at_least == 0
    {
        return Ok(before.clone());
    }
    let http_port = match spec.http_port {
        Some(port) => wished(host, spec, port).await?,
        None => first_free(host, spec, at_least).await?,
    };
    let realtime_port = match record::publishes_realtime(spec) {
        true => Some(first_free(host, spec, http_port.saturating_add(1)).await?),
        false => None,
    };
    let record = Record {
        http_port,
        realtime_port,
        ..before.unwrap_or_else(|| Record {
            spec: spec.clone(),
            stage: Stage::Provisioning,
            job: ctx.id(),
            http_port,
            realtime_port,
            image_digest: String::new(),
            postgres_digest: String::new(),
            running: false,
        })
    };
    host.records.write(&record)?;
    Ok(record)
}

/// Ports that are taken now, or that a stopped instance will want back.
async fn taken(host: &Host, spec: &InstanceSpec) -> Result<BTreeSet<u16>, OpError> {
    let mut taken: BTreeSet<u16> = ports::listening(Path::new("/proc")).into_keys().collect();
    let others = host.records.all().into_iter().filter(|r| r.spec.instance_id != spec.instance_id);
    taken.extend(others.filter(|r| r.stage != Stage::Removed).flat_map(|r| r.ports()));
    taken.extend(published(host).await?.into_keys());
    Ok(taken)
}

/// Host ports of running containers.
async fn published(host: &Host) -> Result<HashMap<u16, String>, OpError> {
    let mut published = HashMap::new();
    for container in host.docker.list(&[]).await? {
        let name = container.names.iter().flatten().next().map(|n| n.trim_start_matches('/').to_owned());
        for port in container.ports.iter().flatten().filter_map(|p| p.public_port) {
            published.insert(port, name.clone().unwrap_or_default());
        }
    }
    Ok(published)
}

/// The record with a port for the live bus, if its specification wants one and it has none yet: chosen and written down.
pub async fn reserve_realtime(host: &Host, record: Record, spec: &InstanceSpec) -> Result<Record, OpError> {
    if record.realtime_port.is_some() || !record::publishes_realtime(spec) {
        return Ok(record);
    }
    let _ports = host.records.ports.lock().await;
    let port = first_free(host, spec, record.http_port.saturating_add(1)).await?;
    let record = Record { realtime_port: Some(port), ..record };
    host.records.write(&record)?;
    Ok(record)
}

async fn first_free(host: &Host, spec: &InstanceSpec, at_least: u16) -> Result<u16, OpError> {
    let taken = taken(host, spec).await?;
    let range = &host.instance_ports;
    let mut candidates = range.clone().filter(|p| *p >= at_least && !taken.contains(p));
    candidates.find(|p| ports::is_free(&spec.bind_address, *p)).ok_or_else(|| {
        OpError::new(
            "no_free_port",
            format!("All ports from {} to {} are taken on this server.", range.start(), range.end()),
        )
    })
}

pub async fn wished(host: &Host, spec: &InstanceSpec, port: u16) -> Result<u16, OpError> {
    let others = host.records.all().into_iter().filter(|r| r.spec.instance_id != spec.instance_id);
    let reserved = others.filter(|r| r.stage != Stage::Removed).find(|r| r.ports().any(|own| own == port));
    let holder = if let Some(container) = published(host).await?.get(&port) {
        Some(format!("the container {container}"))
    } else if let Some(record) = reserved {
        Some(format!("the instance {}", record.spec.slug))
    } else if let Some(inode) = ports::listening(Path::new("/proc")).get(&port) {
        Some(ports::process_of(Path::new("/proc"), *inode).unwrap_or_else(|| "another program".into()))
    } else if !ports::is_free(&spec.bind_address, port) {
        Some("another program, or the address is not one of this server's".into())
    } else {
        None
    };
    match holder {
        Some(holder) => Err(port_taken(port, &holder)),
        None => Ok(port),
    }
}

pub fn port_taken(port: u16, holder: &str) -> OpError {
    OpError::new(
        "port_taken",
        format!("Port {port} is used by {holder}. Choose another port, or none to get a free one."),
    )
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::spec;
    use super::*;

    #[test]
    fn memory_is_named_in_both_directions() {
        let meminfo = "MemTotal:        2048000 kB\nMemFree: 1 kB\nMemAvailable:     300000 kB\n";
        let error = memory(&spec(), meminfo).unwrap_err();
        assert_eq!(error.code, "not_enough_memory");
        assert!(error.message.contains("292 MB") && error.message.contains("768 MB"), "{error}");
        let mut large = spec();
        large.limits.memory_mb = 4096;
        assert_eq!(memory(&large, meminfo).unwrap_err().code, "memory_limit_too_high");
        assert!(memory(&spec(), "").is_ok());
    }

    #[test]
    fn values_that_could_be_something_else_are_refused() {
        assert!(values(&spec()).is_ok());
        let bad: [fn(&mut InstanceSpec); 6] = [
            |s| s.slug = "../x".into(),
            |s| s.database_name = "-x".into(),
            |s| s.database_role = "postgres".into(),
            |s| s.modules = vec!["sale,--addons-path".into()],
            |s| s.language = "en_US --x".into(),
            |s| s.bind_address = "everywhere".into(),
        ];
        for change in bad {
            let mut spec = spec();
            change(&mut spec);
            assert_eq!(values(&spec).unwrap_err().code, "invalid_input");
        }
    }
}
