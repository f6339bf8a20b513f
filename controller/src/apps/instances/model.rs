//! An instance as the API shows it, its states, and the rules of its fields.

use crate::platform::http::Place;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{EnvironmentId, InstanceId, JobId, ProjectId, ServerId};
use ocore_shared::protocol::odoo::{InstanceSpec, Limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum InstanceStatus {
    Pending,
    Provisioning,
    Running,
    Stopped,
    Starting,
    Stopping,
    Restarting,
    Updating,
    Restoring,
    Migrating,
    Error,
    Removing,
}

impl InstanceStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Provisioning => "provisioning",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Restarting => "restarting",
            Self::Updating => "updating",
            Self::Restoring => "restoring",
            Self::Migrating => "migrating",
            Self::Error => "error",
            Self::Removing => "removing",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum InstanceHealth {
    Unknown,
    Starting,
    Healthy,
    Unhealthy,
}

/// An Odoo with its database on a server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Instance {
    pub id: InstanceId,
    pub name: String,
    pub slug: String,
    pub project_id: ProjectId,
    pub environment_id: EnvironmentId,
    /// `production`, `staging`, `development`.
    pub environment_type: String,
    pub server_id: ServerId,
    pub server_name: String,
    pub odoo_version: String,
    pub image: String,
    /// `sha256:…` of the image in use.
    pub image_digest: Option<String>,
    pub status: InstanceStatus,
    /// Why it is in error, in a sentence.
    pub status_reason: Option<String>,
    /// `running` or `stopped`.
    pub desired_state: String,
    pub health: InstanceHealth,
    /// Where Odoo answers, once it runs.
    pub url: Option<String>,
    pub http_port: Option<u16>,
    /// Where the live bus (chat, notifications) is published for a proxy of your own, where it has a port of its own.
    pub realtime_port: Option<u16>,
    pub bind_address: String,
    pub admin_login: String,
    pub language: String,
    pub country: Option<String>,
    pub demo_data: bool,
    pub modules: Vec<String>,
    pub limits: Limits,
    pub env: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub database_name: String,
    /// The job that works on it now.
    pub active_job_id: Option<JobId>,
    pub last_job_id: Option<JobId>,
    pub container_id: Option<String>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    #[serde(skip)]
    #[schema(ignore)]
    pub spec: Option<InstanceSpec>,
    /// The newest generation of `spec` that was brought about.
    #[serde(skip)]
    #[schema(ignore)]
    pub observed_generation: i64,
}

impl Instance {
    /// Where it is, for scopes.
    pub fn place(&self) -> Place {
        Place {
            project: Some(self.project_id.0),
            environment: Some(self.environment_id.0),
            server: Some(self.server_id.0),
        }
    }
}

/// Series that can be asked for, newest first.
pub const ODOO_VERSIONS: [&str; 6] = ["19.0", "18.0", "17.0", "16.0", "15.0", "14.0"];

/// Whether oCore runs that series.
pub fn known_version(version: &str, (): &()) -> garde::Result {
    if ODOO_VERSIONS.contains(&version) {
        return Ok(());
    }
    Err(garde::Error::new(format!("must be one of {}", ODOO_VERSIONS.join(", "))))
}

/// A slug from a name: `Acme ERP (prod)` → `acme-erp-prod`.
pub fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(50);
    let slug = slug.trim_end_matches('-').to_owned();
    if slug.len() >= 3 { slug } else { format!("odoo-{slug}").trim_end_matches('-').to_owned() }
}

/// PostgreSQL's name of an instance's database and role.
pub fn database_name_of(slug: &str) -> String {
    slug.replace('-', "_")
}

/// Environment variables that the agent owns or that would defeat it.
pub const RESERVED_ENV: [&str; 8] =
    ["HOST", "PORT", "USER", "PASSWORD", "PASSWORD_FILE", "ODOO_RC", "PGPASSWORD", "PATH"];
