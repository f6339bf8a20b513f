//! The kinds of notices, who may see them and what they say.

use crate::platform::http::{Permission, Place};
use crate::signals::events::Subject;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{NoticeId, OrganizationId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Subjects that one mail names.
const NAMED: usize = 10;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum NoticeKind {
    ServerOffline,
    JobFailed,
    CertificateExpiring,
    DiskFull,
    ApiKeyExpiring,
    WebhookDisabled,
}

impl NoticeKind {
    pub const ALL: [Self; 6] = [
        Self::ServerOffline,
        Self::JobFailed,
        Self::CertificateExpiring,
        Self::DiskFull,
        Self::ApiKeyExpiring,
        Self::WebhookDisabled,
    ];

    pub fn key(self) -> &'static str {
        match self {
            Self::ServerOffline => "server_offline",
            Self::JobFailed => "job_failed",
            Self::CertificateExpiring => "certificate_expiring",
            Self::DiskFull => "disk_full",
            Self::ApiKeyExpiring => "api_key_expiring",
            Self::WebhookDisabled => "webhook_disabled",
        }
    }

    /// When it is raised, for whoever chooses what to be told of.
    pub fn description(self) -> &'static str {
        match self {
            Self::ServerOffline => "A server has not been connected for a minute.",
            Self::JobFailed => "A job that you have started has failed.",
            Self::CertificateExpiring => "A certificate ends soon and was not renewed.",
            Self::DiskFull => "A server's disk is more than 90 % full.",
            Self::ApiKeyExpiring => "An API key ends within a week.",
            Self::WebhookDisabled => "A webhook was switched off because nothing came through.",
        }
    }

    /// What one must hold at the subject's place to see it.
    pub fn permissions(self, place: &Place) -> &'static [Permission] {
        match self {
            Self::CertificateExpiring if place.project.is_some() => &[Permission::ViewDomains],
            Self::ServerOffline | Self::CertificateExpiring | Self::DiskFull => &[Permission::ViewServers],
            // The jobs of what one may see.
            Self::JobFailed if place.project.is_some() => &[Permission::ViewJobs, Permission::ViewInstances],
            Self::JobFailed => &[Permission::ViewJobs, Permission::ViewServers],
            Self::ApiKeyExpiring => &[Permission::ViewApiKeys],
            Self::WebhookDisabled => &[Permission::ViewWebhooks],
        }
    }

    fn title(self, names: &[&str]) -> String {
        match (self, names) {
            (Self::ServerOffline, [name]) => format!("{name} is offline"),
            (Self::ServerOffline, names) => format!("{} servers are offline", names.len()),
            (Self::JobFailed, [name]) => format!("{name} has failed"),
            (Self::JobFailed, names) => format!("{} jobs have failed", names.len()),
            (Self::CertificateExpiring, [name]) => format!("The certificate of {name} ends soon"),
            (Self::CertificateExpiring, names) => format!("{} certificates end soon", names.len()),
            (Self::DiskFull, [name]) => format!("The disk of {name} is nearly full"),
            (Self::DiskFull, names) => format!("The disks of {} servers are nearly full", names.len()),
            (Self::ApiKeyExpiring, [name]) => format!("The API key {name} ends soon"),
            (Self::ApiKeyExpiring, names) => format!("{} API keys end soon", names.len()),
            (Self::WebhookDisabled, [_]) => "A webhook was switched off".into(),
            (Self::WebhookDisabled, names) => format!("{} webhooks were switched off", names.len()),
        }
    }

    /// Page of the console where one of its subjects is looked at.
    pub fn page(self, subject: &Subject) -> String {
        match subject.kind.as_str() {
            "server" => format!("/servers/{}", subject.id),
            "domain" => "/instances".into(),
            "job" => format!("/jobs/{}", subject.id),
            "api_key" => "/api-keys".into(),
            "webhook_endpoint" => "/webhooks".into(),
            _ => "/".into(),
        }
    }

    /// Page of the console where all of its subjects are looked at.
    fn list_page(self) -> &'static str {
        match self {
            Self::ServerOffline | Self::DiskFull | Self::CertificateExpiring => "/servers",
            Self::JobFailed => "/jobs",
            Self::ApiKeyExpiring => "/api-keys",
            Self::WebhookDisabled => "/webhooks",
        }
    }
}

/// Who is told by mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every member who may see the subject.
    Everybody,
    /// Only this one, or nobody where no person stands behind it.
    Person(Option<UserId>),
}

/// Something that holds and was not told yet.
#[derive(Clone, Debug)]
pub struct Finding {
    /// None: the platform's.
    pub organization: Option<OrganizationId>,
    pub subject: Subject,
    pub message: String,
    pub place: Place,
    pub audience: Audience,
}

/// Title, text and page of a mail that tells of these at once.
pub fn told_at_once(kind: NoticeKind, findings: &[&Finding]) -> (String, String, String) {
    let names: Vec<&str> = findings.iter().map(|finding| finding.subject.name.as_str()).collect();
    let mut text: Vec<String> = findings.iter().take(NAMED).map(|finding| finding.message.clone()).collect();
    if findings.len() > NAMED {
        text.push(format!("And {} more.", findings.len() - NAMED));
    }
    let page = match findings {
        [only] => kind.page(&only.subject),
        _ => kind.list_page().to_owned(),
    };
    (kind.title(&names), text.join(" "), page)
}

/// A notice that holds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    pub id: NoticeId,
    pub kind: NoticeKind,
    /// Null for what concerns the platform itself, which its administrators see.
    pub organization_id: Option<OrganizationId>,
    pub subject: Subject,
    /// What is the matter and what to do, in a sentence or two.
    #[schema(example = "The disk of web-1 is 93 % full.")]
    pub message: String,
    /// Page of the console where it is looked at.
    #[schema(example = "/servers/0193f1a2-7c00-7000-8000-000000000004")]
    pub page: String,
    pub raised_at: DateTime<Utc>,
    #[serde(skip)]
    pub place: Place,
}

/// A kind, for whoever chooses.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoticeKindView {
    pub kind: NoticeKind,
    pub description: &'static str,
}

/// What a person wants to be told of by mail.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoticeChoice {
    /// Kinds that no mail comes of.
    pub muted: Vec<NoticeKind>,
    /// Every kind that there is.
    pub kinds: Vec<NoticeKindView>,
    pub version: i64,
}
