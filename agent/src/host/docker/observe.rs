//! The engine's answers in our own shape.

use super::labels::{self, PREFIX};
use bollard::models::{ContainerInspectResponse, ContainerSummary, PortMap, PortSummary};
use chrono::{DateTime, Utc};
use ocore_shared::protocol::inventory::ContainerInfo;
use std::collections::{BTreeMap, HashMap};

fn ours(all: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    let all = all.into_iter().flatten();
    all.filter(|(k, _)| k.starts_with(PREFIX)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// The engine writes year 1 for "never".
fn time(text: Option<&str>) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text?).ok()?.to_utc();
    (at.timestamp() > 0).then_some(at)
}

/// From the list: less is known, but it is one call for all.
pub fn from_summary(summary: &ContainerSummary) -> ContainerInfo {
    let labels = summary.labels.as_ref();
    let names = summary.names.iter().flatten();
    let status = summary.status.as_deref().unwrap_or_default();
    let mut ports: Vec<String> = summary.ports.iter().flatten().map(summary_port).collect();
    ports.sort();
    ports.dedup();
    ContainerInfo {
        id: summary.id.clone().unwrap_or_default(),
        // Links add more names, with more slashes.
        name: names
            .min_by_key(|n| n.matches('/').count())
            .map(|n| n.trim_start_matches('/').into())
            .unwrap_or_default(),
        image: summary.image.clone().unwrap_or_default(),
        state: summary.state.map(|s| s.to_string()).unwrap_or_default(),
        health: ["(healthy)", "(unhealthy)", "(health: starting)"]
            .into_iter()
            .find(|h| status.ends_with(h))
            .map(|h| h.trim_matches(['(', ')']).trim_start_matches("health: ").into()),
        exit_code: exit_code(status),
        created_at: summary.created.and_then(|s| DateTime::from_timestamp(s, 0)),
        started_at: None,
        finished_at: None,
        ports,
        managed: labels::is_managed(labels),
        labels: ours(labels),
    }
}

/// `Exited (137) 2 hours ago`.
fn exit_code(status: &str) -> Option<i64> {
    status.strip_prefix("Exited (")?.split(')').next()?.parse().ok()
}

fn summary_port(port: &PortSummary) -> String {
    let kind = port.typ.map(|t| t.to_string()).filter(|t| !t.is_empty()).unwrap_or_else(|| "tcp".into());
    match (&port.ip, port.public_port) {
        (ip, Some(public)) => format!("{}->{}/{kind}", host_port(ip.as_deref(), public), port.private_port),
        (_, None) => format!("{}/{kind}", port.private_port),
    }
}

fn host_port(ip: Option<&str>, port: impl std::fmt::Display) -> String {
    match ip.filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0") {
        ip if ip.contains(':') => format!("[{ip}]:{port}"),
        ip => format!("{ip}:{port}"),
    }
}

/// From a close look at one.
pub fn from_inspect(found: &ContainerInspectResponse) -> ContainerInfo {
    let config = found.config.as_ref();
    let state = found.state.as_ref();
    let labels = config.and_then(|c| c.labels.as_ref());
    let status = state.and_then(|s| s.status).map(|s| s.to_string()).unwrap_or_default();
    let ended = matches!(status.as_str(), "exited" | "dead");
    let health = state.and_then(|s| s.health.as_ref()?.status).map(|h| h.to_string());
    ContainerInfo {
        id: found.id.clone().unwrap_or_default(),
        name: found.name.as_deref().unwrap_or_default().trim_start_matches('/').into(),
        image: config.and_then(|c| c.image.clone()).unwrap_or_default(),
        health: health.filter(|h| !h.is_empty() && h != "none"),
        exit_code: state.and_then(|s| s.exit_code).filter(|_| ended),
        created_at: time(found.created.as_deref()),
        started_at: time(state.and_then(|s| s.started_at.as_deref())),
        finished_at: time(state.and_then(|s| s.finished_at.as_deref())).filter(|_| ended),
        ports: ports(found.network_settings.as_ref().and_then(|n| n.ports.as_ref())),
        managed: labels::is_managed(labels),
        labels: ours(labels),
        state: status,
    }
}

fn ports(map: Option<&PortMap>) -> Vec<String> {
    let mut ports: Vec<String> = map
        .into_iter()
        .flatten()
        .flat_map(|(inner, bindings)| match bindings {
            Some(bindings) => bindings
                .iter()
                .map(|b| {
                    let port = b.host_port.as_deref().unwrap_or_default();
                    format!("{}->{inner}", host_port(b.host_ip.as_deref(), port))
                })
                .collect(),
            None => vec![inner.clone()],
        })
        .collect();
    ports.sort();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerSummaryStateEnum, PortSummaryTypeEnum};

    #[test]
    fn a_listed_container_is_read() {
        let info = from_summary(&ContainerSummary {
            id: Some("abc".into()),
            names: Some(vec!["/other/alias".into(), "/web".into()]),
            state: Some(ContainerSummaryStateEnum::EXITED),
            status: Some("Exited (137) 2 hours ago".into()),
            labels: Some(HashMap::from([
                ("sh.ocore.managed".into(), "true".into()),
                ("maintainer".into(), "someone".into()),
            ])),
            ports: Some(vec![PortSummary {
                ip: Some("::".into()),
                private_port: 8069,
                public_port: Some(20000),
                typ: Some(PortSummaryTypeEnum::TCP),
            }]),
            ..Default::default()
        });
        assert_eq!((info.name.as_str(), info.state.as_str(), info.exit_code), ("web", "exited", Some(137)));
        assert_eq!(info.ports, ["[::]:20000->8069/tcp"]);
        assert!(info.managed);
        assert_eq!(info.labels.len(), 1);
    }

    #[test]
    fn never_is_no_time() {
        assert_eq!(time(Some("0001-01-01T00:00:00Z")), None);
        assert!(time(Some("2026-11-22T01:06:19.123456789Z")).is_some());
    }
}
