//! Every type of event that there is, with a sample: what webhooks choose from. A test holds it against the sources.

use super::model::{Event, Subject};
use crate::platform::http::Actor;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{EventId, OrganizationId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Stands for all types in a choice of them.
pub const ALL: &str = "*";
/// What a webhook is tried out with; it is in no stream, since nothing has happened.
pub const PING: &str = "webhook_endpoint.tested";

/// One type.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    pub kind: &'static str,
    pub description: &'static str,
    /// Name of the sample's subject.
    subject: &'static str,
    /// JSON of the sample's data.
    data: &'static str,
}

/// A type as the API shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventTypeView {
    /// `noun.past`; never renamed.
    #[serde(rename = "type")]
    #[schema(example = "instance.started")]
    pub kind: &'static str,
    /// When it happens.
    pub description: &'static str,
    /// The body of a delivery, with made-up values.
    pub sample: Event,
}

const fn on(kind: &'static str, subject: &'static str, description: &'static str, data: &'static str) -> EventType {
    EventType { kind, subject, description, data }
}

const NONE: &str = "{}";
const JOB: &str = r#"{"kind": "instance_provision",
    "subject": {"type": "instance", "id": "0193f1a2-7c00-7000-8000-000000000005", "name": "shop"}, "failure": null}"#;
const JOB_FAILED: &str = r#"{"kind": "instance_provision",
    "subject": {"type": "instance", "id": "0193f1a2-7c00-7000-8000-000000000005", "name": "shop"},
    "failure": {"code": "image_pull", "message": "The image cannot be pulled.", "retryable": true}}"#;
const INSTANCE: &str =
    r#"{"job_id": "0193f1a2-7c00-7000-8000-000000000006", "kind": "instance_provision", "failure": null}"#;
const DATABASE: &str =
    r#"{"job_id": "0193f1a2-7c00-7000-8000-000000000006", "kind": "database_settings", "failure": null}"#;
const UNWELL: &str = r#"{"reason": "Odoo does not answer: Connection refused (os error 111).", "since": "2026-01-02T03:04:05Z",
    "crashes": {"recent": 4, "exit_code": 137, "out_of_memory": true}}"#;
const WELL: &str = r#"{"reason": null, "since": "2026-01-02T03:09:20Z",
    "crashes": {"recent": 0, "exit_code": null, "out_of_memory": false}}"#;
const BACKUP: &str = r#"{"job_id": "0193f1a2-7c00-7000-8000-000000000006",
    "instance_id": "0193f1a2-7c00-7000-8000-000000000005", "failure": null}"#;
const BACKUP_FAILED: &str = r#"{"job_id": "0193f1a2-7c00-7000-8000-000000000006",
    "instance_id": "0193f1a2-7c00-7000-8000-000000000005",
    "failure": {"code": "destination_full", "message": "There is no room left at the destination.", "retryable": false}}"#;
const REQUESTED: &str = r#"{"job_id": "0193f1a2-7c00-7000-8000-000000000006"}"#;
const DOMAIN: &str = r#"{"instance_id": "0193f1a2-7c00-7000-8000-000000000005"}"#;
const CERTIFICATE: &str = r#"{"instance_id": "0193f1a2-7c00-7000-8000-000000000005",
    "not_after": "2031-01-01T00:00:00Z", "issuer": "R11"}"#;
const NOTICE: &str = r#"{"notice_id": "0193f1a2-7c00-7000-8000-000000000007", "kind": "disk_full",
    "message": "The disk of web-1 is 93 % full."}"#;

/// All of them, by name.
pub const EVENT_TYPES: &[EventType] = &[
    on("api_key.created", "robot", "An API key was made.", NONE),
    on("api_key.revoked", "robot", "An API key was revoked.", NONE),
    on("api_key.rotated", "robot", "An API key was given another secret.", NONE),
    on("api_key.updated", "robot", "An API key was renamed, or may be used from other addresses.", NONE),
    on("backup.created", "shop", "A backup is whole at its destination.", BACKUP),
    on("backup.deleted", "shop", "A backup was deleted at its destination.", BACKUP),
    on("backup.failed", "shop", "A backup was not made; nothing of it is left.", BACKUP_FAILED),
    on("backup.restored", "shop", "An instance holds what a backup held.", INSTANCE),
    on("backup_destination.activated", "Off-site", "New backups go to this destination from now on.", NONE),
    on("backup_destination.created", "Off-site", "A destination of backups was added.", NONE),
    on("backup_destination.deleted", "Off-site", "A destination of backups was removed.", NONE),
    on("backup_destination.updated", "Off-site", "A destination of backups was changed.", NONE),
    on(
        "certificate.expiring",
        "shop.example.com",
        "The certificate of a domain ends within 14, 7 or 3 days and was not renewed.",
        r#"{"instance_id": "0193f1a2-7c00-7000-8000-000000000005", "not_after": "2031-01-01T00:00:00Z", "days": 7}"#,
    ),
    on(
        "certificate.failed",
        "shop.example.com",
        "A domain has got no certificate; the data tells why.",
        r#"{"instance_id": "0193f1a2-7c00-7000-8000-000000000005", "job_id": "0193f1a2-7c00-7000-8000-000000000006",
            "reason": "The authority cannot reach the server on port 80.", "retry_at": null}"#,
    ),
    on("certificate.issued", "shop.example.com", "A domain has a certificate.", CERTIFICATE),
    on("certificate.renewed", "shop.example.com", "A domain has a newer certificate.", CERTIFICATE),
    on("database.created", "shop", "A database was made beside an instance's own.", DATABASE),
    on("database.dropped", "shop", "A database beside an instance's own was dropped.", DATABASE),
    on("database.duplicated", "shop", "A database of an instance's PostgreSQL was copied.", DATABASE),
    on("database.maintained", "shop", "An instance's database was vacuumed, analyzed or reindexed.", DATABASE),
    on("database.password_rotated", "shop", "The role of an instance's database has another password.", DATABASE),
    on("database.renamed", "shop", "A database beside an instance's own has another name.", DATABASE),
    on("database.tuned", "shop", "An instance's PostgreSQL has other settings.", DATABASE),
    on("domain.access_changed", "shop.example.com", "Others may come in by a domain.", DOMAIN),
    on("domain.added", "shop.example.com", "A domain was added to an instance.", DOMAIN),
    on("domain.primary_changed", "shop.example.com", "A domain is the primary one of its instance now.", DOMAIN),
    on("domain.removed", "shop.example.com", "A domain was removed from an instance.", DOMAIN),
    on("environment.created", "Staging", "An environment was made.", NONE),
    on("environment.deleted", "Staging", "An environment is gone, with its instances.", NONE),
    on(
        "environment.deleting",
        "Staging",
        "An environment is being deleted; it goes with the last of its instances.",
        NONE,
    ),
    on("environment.kept", "Staging", "An environment stays: one of its instances could not be deleted.", NONE),
    on("environment.updated", "Staging", "An environment has another name or description.", NONE),
    on("instance.addons_changed", "shop", "An instance's Odoo has other addons, or other commits of them.", INSTANCE),
    on("instance.admin_password_set", "shop", "The password of a user of an instance's Odoo was set.", INSTANCE),
    on("instance.crash_looping", "shop", "Odoo ends again and again right after its start.", UNWELL),
    on("instance.created", "shop", "An instance runs for the first time.", INSTANCE),
    on("instance.deleted", "shop", "An instance is gone.", INSTANCE),
    on(
        "instance.error",
        "shop",
        "An instance is in trouble: its container has ended, or an operation on it has failed.",
        r#"{"reason": "The container ended with code 1."}"#,
    ),
    on("instance.healthy", "shop", "An instance that was unhealthy answers again.", WELL),
    on(
        "instance.modules_changed",
        "shop",
        "Modules of an instance's Odoo were installed, updated or removed.",
        INSTANCE,
    ),
    on("instance.requested", "shop", "An instance was asked for; it is being made.", REQUESTED),
    on("instance.restarted", "shop", "An instance was restarted.", INSTANCE),
    on("instance.started", "shop", "An instance was started.", INSTANCE),
    on("instance.stopped", "shop", "An instance was stopped.", INSTANCE),
    on("instance.unhealthy", "shop", "An instance that should run does not answer any more.", UNWELL),
    on("instance.updated", "shop", "An instance runs with new settings.", INSTANCE),
    on("instance.upgraded", "shop", "An instance runs another image of Odoo.", INSTANCE),
    on("invitation.cancelled", "vic@example.com", "An invitation was cancelled.", NONE),
    on("job.cancelled", "instance_provision", "A job was cancelled.", JOB),
    on("job.failed", "instance_provision", "A job has failed; the data tells why.", JOB_FAILED),
    on("job.succeeded", "instance_provision", "A job has ended well.", JOB),
    on("member.grants_changed", "Vic", "A member has other roles in parts of the organization.", NONE),
    on("member.invited", "vic@example.com", "Somebody was invited, or invited again.", NONE),
    on("member.joined", "Vic", "Somebody has accepted an invitation.", NONE),
    on("member.left", "Vic", "A member has left.", NONE),
    on("member.permission_changed", "Vic", "A member was given or denied one permission.", NONE),
    on("member.removed", "Vic", "A member was removed.", NONE),
    on("member.role_changed", "Vic", "A member has another role.", NONE),
    on("notice.cleared", "web-1", "What a notice told of does not hold any more.", NOTICE),
    on("notice.raised", "web-1", "Something needs a look; `kind` says what.", NOTICE),
    on("organization.created", "Example", "The organization was made.", NONE),
    on("organization.settings_updated", "settings", "The organization's settings were changed.", NONE),
    on(
        "organization.transferred",
        "ownership",
        "The organization has another owner.",
        r#"{"owner_id": "0193f1a2-7c00-7000-8000-000000000008"}"#,
    ),
    on("organization.updated", "Example", "The organization has another name or slug.", NONE),
    on("project.archived", "Acme", "A project was put away.", NONE),
    on("project.created", "Acme", "A project was made.", NONE),
    on("project.deleted", "Acme", "A project was removed.", NONE),
    on("project.restored", "Acme", "A project that was put away was taken back.", NONE),
    on("project.updated", "Acme", "A project has another name, description or version of Odoo.", NONE),
    on("proxy.updated", "web-1", "A server's proxy was changed.", r#"{"mode": "managed"}"#),
    on("registry.created", "registry.example.com", "A registry was added.", NONE),
    on("registry.deleted", "registry.example.com", "A registry was removed.", NONE),
    on("registry.updated", "registry.example.com", "A registry was changed.", NONE),
    on("role.created", "release manager", "A role was made.", NONE),
    on("role.deleted", "release manager", "A role was removed.", NONE),
    on("role.updated", "release manager", "A role allows other things.", NONE),
    on("server.created", "web-1", "A server was added; it waits for its agent.", NONE),
    on("server.deleted", "web-1", "A server was removed.", r#"{"agent": "succeeded"}"#),
    on(
        "server.enrolled",
        "web-1",
        "A server's agent was installed.",
        r#"{"hostname": "web-1", "os": "Debian GNU/Linux 13", "arch": "x86_64"}"#,
    ),
    on("server.offline", "web-1", "A server's agent has lost its connection.", NONE),
    on(
        "server.online",
        "web-1",
        "A server's agent is connected.",
        r#"{"agent_version": "0.1.0", "address": "198.51.100.7"}"#,
    ),
    on("server.removing", "web-1", "A server is being removed.", NONE),
    on("server.updated", "web-1", "A server has another name, description or labels.", NONE),
    on("service_account.created", "ci", "A service account was made.", NONE),
    on("service_account.deleted", "ci", "A service account was removed.", NONE),
    on("service_account.updated", "ci", "A service account has another name or other roles.", NONE),
    on("user.created", "Ada", "The account of the first administrator was made.", NONE),
    on("webhook_endpoint.created", "https://example.com/hook", "A webhook was made.", NONE),
    on("webhook_endpoint.deleted", "https://example.com/hook", "A webhook was removed.", NONE),
    on(
        "webhook_endpoint.disabled",
        "https://example.com/hook",
        "A webhook was switched off because nothing came through.",
        r#"{"reason": "Nothing came through for 3 days."}"#,
    ),
    on("webhook_endpoint.secret_rotated", "https://example.com/hook", "A webhook was given another secret.", NONE),
    on(PING, "https://example.com/hook", "Sent to a webhook when it is tried out, and to nobody else.", NONE),
    on("webhook_endpoint.updated", "https://example.com/hook", "A webhook was changed.", NONE),
];

impl EventType {
    pub fn find(kind: &str) -> Option<&'static Self> {
        EVENT_TYPES.iter().find(|event| event.kind == kind)
    }

    /// An event of this type with made-up values.
    pub fn sample(&self) -> Event {
        let id = |last: u8| Uuid::from_u128(0x0193_f1a2_7c00_7000_8000_0000_0000_0000 | u128::from(last));
        let noun = self.kind.split('.').next().unwrap_or_default();
        // A notice is told about its subject, an invitation's mails about the invitation.
        let noun = match self.kind {
            "notice.raised" | "notice.cleared" => "server",
            "member.invited" => "invitation",
            _ if noun == "certificate" => "domain",
            "proxy.updated" => "server",
            _ => noun,
        };
        Event {
            id: EventId(id(1)),
            kind: self.kind.to_owned(),
            created_at: DateTime::<Utc>::from_timestamp(1_735_689_600, 0).unwrap_or_default(),
            organization_id: OrganizationId(id(2)),
            actor: Actor { kind: "user".into(), id: id(3), name: "Ada".into() },
            subject: Subject::new(noun, id(4), self.subject),
            data: serde_json::from_str(self.data).unwrap_or(Value::Null),
        }
    }

    pub fn view(&self) -> EventTypeView {
        EventTypeView { kind: self.kind, description: self.description, sample: self.sample() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    /// First words of texts of that shape that are no events: fields, and what only the audit log tells, since accounts
    /// belong to no organization.
    const NO_EVENT_NOUNS: &[&str] = &["auth", "limits", "scope", "user"];
    /// What else only the audit log tells.
    const NO_EVENTS: &[&str] = &[
        "backup_destination.bucket_created",
        "backup_destination.tested",
        "certificate.renew_requested",
        "certificate.upload_removed",
        "certificate.uploaded",
        "domain.verified",
        "job.cancel_requested",
        "organization.deleted",
        "registry.tested",
        "server.checked",
        "server.install_command_made",
        "webhook_delivery.replayed",
    ];

    #[test]
    fn the_table_is_in_order_and_its_samples_are_whole() {
        assert!(EVENT_TYPES.is_sorted_by(|a, b| a.kind < b.kind), "in order, none twice");
        for event in EVENT_TYPES {
            let sample = event.sample();
            assert!(sample.data.is_object(), "{}: its data is no JSON object", event.kind);
            assert!(event.description.ends_with('.'), "{}", event.kind);
        }
    }

    fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("catalogue.rs") {
                found.push(path);
            }
        }
    }

    /// `"noun.past"` in a text of code.
    fn words(code: &str) -> BTreeSet<String> {
        let is_word = |text: &str| {
            let fits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            text.split_once('.').is_some_and(|(noun, past)| fits(noun) && fits(past))
        };
        code.split('"').filter(|text| is_word(text)).map(str::to_owned).collect()
    }

    #[test]
    fn every_event_that_the_code_appends_is_in_the_table() {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
        let mut appended = BTreeSet::new();
        for path in files.iter().filter(|path| !path.to_string_lossy().ends_with("tests.rs")) {
            let text = std::fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            if !code.contains("event_append(") {
                continue;
            }
            for word in words(code) {
                if EventType::find(&word).is_some() {
                    appended.insert(word);
                    continue;
                }
                let noun = word.split('.').next().unwrap_or_default();
                assert!(
                    NO_EVENTS.contains(&word.as_str()) || NO_EVENT_NOUNS.contains(&noun),
                    "{}: \"{word}\" is missing in signals/events/catalogue.rs (or in NO_EVENTS, if it is no event)",
                    path.display()
                );
            }
        }
        let unused: Vec<_> =
            EVENT_TYPES.iter().filter(|e| e.kind != PING && !appended.contains(e.kind)).map(|e| e.kind).collect();
        assert!(unused.is_empty(), "nothing appends these any more: {unused:?}");
    }
}
