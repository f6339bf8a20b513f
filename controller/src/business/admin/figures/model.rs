//! What the dashboard shows.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How the platform is now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdminMetrics {
    pub version: String,
    pub at: DateTime<Utc>,
    pub users: UserFigures,
    pub organizations: i64,
    /// Servers by status.
    #[schema(example = json!({ "online": 12, "offline": 1 }))]
    pub servers: BTreeMap<String, i64>,
    /// Instances by status.
    #[schema(example = json!({ "running": 40, "stopped": 2 }))]
    pub instances: BTreeMap<String, i64>,
    pub jobs: JobFigures,
    pub mails: MailFigures,
    pub audit: AuditFigures,
    pub replicas: Vec<ReplicaFigures>,
    pub database_bytes: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserFigures {
    pub total: i64,
    pub admins: i64,
    pub suspended: i64,
    /// Signed in within the last 24 hours.
    pub signed_in_24h: i64,
    /// With an authenticator app or a passkey.
    pub with_second_factor: i64,
    pub open_sessions: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobFigures {
    pub queued: i64,
    pub running: i64,
    pub succeeded_24h: i64,
    pub failed_24h: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MailFigures {
    pub queued: i64,
    /// Kept for an administrator because no mail is configured.
    pub kept: i64,
    pub failed_24h: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditFigures {
    pub entries_24h: i64,
    /// Not sealed yet; more than a few for long means that something is wrong.
    pub unsealed: i64,
}

/// One process of the controller that gave a sign of life in the last 30 seconds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReplicaFigures {
    pub id: uuid::Uuid,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub agents: i64,
}

/// What one look at the rows counts.
pub struct Counts {
    pub users: i64,
    pub admins: i64,
    pub suspended: i64,
    pub signed_in_24h: i64,
    pub with_second_factor: i64,
    pub open_sessions: i64,
    pub organizations: i64,
    pub jobs_queued: i64,
    pub jobs_running: i64,
    pub jobs_succeeded_24h: i64,
    pub jobs_failed_24h: i64,
    pub mails_queued: i64,
    pub mails_kept: i64,
    pub mails_failed_24h: i64,
    pub audit_entries_24h: i64,
    pub audit_unsealed: i64,
    pub database_bytes: i64,
}
