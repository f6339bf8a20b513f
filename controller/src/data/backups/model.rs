//! What a backup is, as the API shows it.

use crate::data::destinations::model::Encryption;
use crate::platform::http::Actor;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{
    BackupId, DestinationId, EnvironmentId, InstanceId, JobId, OrganizationId, ProjectId, SecretId, ServerId,
};
use ocore_shared::protocol::backups::{Attachments, BackupKind, BackupManifest, BackupPlace};
use ocore_shared::protocol::jobs::JobFailure;
use ocore_shared::protocol::storage;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum BackupStatus {
    /// It waits for its server, or is being made.
    Running,
    /// It is whole at its destination.
    Succeeded,
    /// There is nothing of it.
    Failed,
    Deleting,
}

/// A backup: a database and its attachments as one unit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Backup {
    pub id: BackupId,
    /// None: it was deleted since.
    pub environment_id: Option<EnvironmentId>,
    /// None: it was deleted since.
    pub instance_id: Option<InstanceId>,
    pub instance_name: String,
    pub server_id: Option<ServerId>,
    pub kind: BackupKind,
    pub status: BackupStatus,
    pub destination_id: DestinationId,
    pub destination_name: String,
    /// It outlives the server.
    pub is_off_site: bool,
    pub encryption: Encryption,
    /// Series, e.g. `14.0`.
    pub odoo_version: String,
    pub postgres_version: Option<String>,
    /// Bytes at the destination.
    pub size_bytes: Option<u64>,
    /// Bytes that the database took on its server, with its indexes.
    pub database_bytes: Option<u64>,
    pub attachments: Option<Attachments>,
    /// The moment whose state it holds.
    pub snapshot_at: Option<DateTime<Utc>>,
    /// From its beginning to its manifest.
    pub duration_seconds: Option<f64>,
    pub failure: Option<JobFailure>,
    /// It is not deleted by any schedule.
    pub is_pinned: bool,
    pub note: String,
    /// The job that makes it, or deletes it.
    pub job_id: JobId,
    pub created_by: Actor,
    pub finished_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A backup with all that is known of what is in it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BackupDetail {
    #[serde(flatten)]
    pub backup: Backup,
    /// The document beside it at its destination. None: it is not whole.
    pub manifest: Option<BackupManifest>,
    /// Of that document, in hexadecimal.
    pub manifest_sha256: Option<String>,
}

/// What a backup becomes in another instance than the one that it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoreMode {
    /// The same Odoo in another place: with its identity, its mail servers and its scheduled actions.
    Move,
}

/// What is needed to do something with a backup.
#[derive(Clone)]
pub struct Kept {
    pub status: BackupStatus,
    pub place: storage::Place,
    pub prefix: String,
    pub destination_secret: Option<SecretId>,
    pub encryption: Encryption,
    pub manifest: Option<BackupManifest>,
    pub manifest_sha256: Option<String>,
    pub job: JobId,
}

impl Kept {
    pub fn at(&self) -> BackupPlace {
        BackupPlace {
            place: self.place.clone(),
            has_secret: self.destination_secret.is_some(),
            prefix: self.prefix.clone(),
        }
    }
}

/// A backup that is to be made.
pub struct NewBackup<'a> {
    pub id: BackupId,
    pub project: ProjectId,
    pub environment: EnvironmentId,
    pub instance: InstanceId,
    pub server: ServerId,
    pub instance_name: &'a str,
    pub odoo_version: &'a str,
    pub kind: BackupKind,
    pub destination: DestinationId,
    pub at: &'a BackupPlace,
    pub encryption: Encryption,
    pub job: JobId,
    pub note: &'a str,
    pub is_pinned: bool,
    pub created_by: &'a Actor,
}

/// What the keys of a backup begin with.
pub fn prefix(organization: OrganizationId, environment: EnvironmentId, id: BackupId) -> String {
    format!("{organization}/{environment}/{id}/")
}
