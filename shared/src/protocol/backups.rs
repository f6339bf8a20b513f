//! Backups: a database and the attachments in it as one unit. Below a prefix of its own at its destination, one
//! consists of the database (`pg_dump -Fc`, zstd), the attachments (tar, zstd) and, written last, a manifest that names
//! both with their checksums: what has no manifest is no backup. Encrypted parts end with `.age`.

use crate::ids::{BackupId, EnvironmentId, InstanceId, OrganizationId};
use crate::protocol::addons::AddonSource;
use crate::protocol::storage::Place;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the destination is opened with; in the agent's memory only.
pub const DESTINATION_SECRET: &str = "memory.destination";
/// `AGE-SECRET-KEY-1…`, by which an encrypted backup is read; in the agent's memory only.
pub const IDENTITY_SECRET: &str = "memory.identity";
/// Present format of manifests.
pub const FORMAT: u32 = 1;
pub const MANIFEST: &str = "manifest.json";
pub const DATABASE: &str = "database.dump.zst";
pub const FILESTORE: &str = "filestore.tar.zst";
/// What encrypted parts end with.
pub const ENCRYPTED: &str = ".age";
/// No manifest is larger.
pub const MOST_MANIFEST: usize = 4 << 20;

/// Why a backup was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(type_name = "text", rename_all = "snake_case"))]
pub enum BackupKind {
    Manual,
    Scheduled,
    BeforeUpgrade,
    BeforeRestore,
    BeforeDelete,
}

/// Where a backup is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupPlace {
    pub place: Place,
    /// It is opened with the secret [`DESTINATION_SECRET`].
    pub has_secret: bool,
    /// What its keys begin with; ends with a slash.
    pub prefix: String,
}

/// Input of `backup_create`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupCreate {
    pub backup_id: BackupId,
    pub instance_id: InstanceId,
    pub kind: BackupKind,
    #[serde(flatten)]
    pub at: BackupPlace,
    /// `age1…`, each of whom can read it. Empty: it is not encrypted.
    #[serde(default)]
    pub recipients: Vec<String>,
}

/// Result of `backup_create`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupCreated {
    pub manifest: BackupManifest,
    /// Of the manifest as it is at the destination, in hexadecimal.
    pub manifest_sha256: String,
}

/// Input of `backup_delete`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupDelete {
    pub backup_id: BackupId,
    #[serde(flatten)]
    pub at: BackupPlace,
}

/// Input of `backup_restore`: put a backup into an instance that is there, in place of what it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupRestore {
    pub backup_id: BackupId,
    /// Into which it goes.
    pub instance_id: InstanceId,
    #[serde(flatten)]
    pub at: BackupPlace,
    /// Of the manifest, as it was when the backup was made: another one is not trusted.
    pub manifest_sha256: String,
    /// The parts are encrypted, and read with the secret [`IDENTITY_SECRET`].
    pub is_encrypted: bool,
}

/// Result of `backup_restore`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupRestored {
    pub container_id: String,
    pub container_name: String,
    pub image_digest: String,
    pub http_port: u16,
    #[serde(default)]
    pub realtime_port: Option<u16>,
    /// The database that was in its place, as far as it is still there.
    pub kept_database: Option<String>,
    /// How long nobody was served.
    pub down_milliseconds: u64,
    pub start_milliseconds: u64,
}

/// How a backup was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(type_name = "text", rename_all = "snake_case"))]
pub enum VerifyMethod {
    /// It was put back beside everything else, and Odoo was started on it.
    Restore,
    /// Its files were read and compared with their checksums: nobody here can read what is in them, or there is no
    /// Odoo to start.
    Checksum,
}

/// Input of `backup_verify`: see whether a backup can be restored, where nothing else notices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupVerify {
    pub backup_id: BackupId,
    /// Whose image and addons Odoo is started with. None: the checksums are compared, and that is all.
    pub instance_id: Option<InstanceId>,
    #[serde(flatten)]
    pub at: BackupPlace,
    /// Of the manifest, as it was when the backup was made.
    pub manifest_sha256: String,
    /// The parts are encrypted; where they are put back, they are read with the secret [`IDENTITY_SECRET`].
    pub is_encrypted: bool,
}

/// Result of `backup_verify`: it is good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupVerified {
    pub method: VerifyMethod,
    /// Bytes that were read at the destination.
    pub bytes: u64,
    /// Tables that had as many rows as then.
    pub tables: Option<u64>,
    pub rows: Option<u64>,
    /// Attachments whose content is what their name says, but for those that were damaged already.
    pub files: Option<u64>,
    /// Odoo was started on it and showed its sign-in page.
    pub odoo_answered: bool,
    /// From the beginning until it did: how long a restore takes on this server.
    pub restore_milliseconds: Option<u64>,
}

/// What a backup is of and what is in it. The document at the destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct BackupManifest {
    pub format: u32,
    pub backup_id: BackupId,
    pub kind: BackupKind,
    pub organization_id: OrganizationId,
    pub environment_id: EnvironmentId,
    pub instance_id: InstanceId,
    pub slug: String,
    /// Series, e.g. `14.0`.
    pub odoo_version: String,
    pub image: String,
    pub image_digest: String,
    /// Addons from git, each at its commit.
    pub addons: Vec<AddonSource>,
    /// Installed modules with their versions.
    pub modules: BTreeMap<String, String>,
    /// As PostgreSQL says it: `13.16`.
    pub postgres_version: String,
    pub database_name: String,
    /// Whose it is.
    pub database_role: String,
    /// `database.uuid` of Odoo.
    pub database_uuid: Option<String>,
    /// Bytes that the database took, with its indexes.
    pub database_bytes: u64,
    /// Rows of each table at `snapshot_at`.
    pub tables: BTreeMap<String, u64>,
    /// Roles that own something in it, or may do something with it.
    pub roles: Vec<String>,
    pub attachments: Attachments,
    /// `age1…`, for whom its parts are encrypted.
    pub recipients: Vec<String>,
    pub database: BackupPart,
    pub filestore: BackupPart,
    /// The moment whose state it holds.
    pub snapshot_at: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub agent_version: String,
}

/// Files that the database refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Attachments {
    /// In the backup.
    pub files: u64,
    pub bytes: u64,
    /// That were not there when the backup was made.
    pub missing: u64,
    /// Whose content was not what their name says.
    pub damaged: u64,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct BackupPart {
    /// Below the backup's prefix.
    pub name: String,
    /// Bytes as it is kept.
    pub size: u64,
    /// Of what is kept, in hexadecimal.
    pub sha256: String,
    /// Bytes before they were compressed and encrypted.
    pub plain_bytes: u64,
}

impl BackupManifest {
    /// Bytes that it takes at its destination, but for the manifest.
    pub fn size(&self) -> u64 {
        self.database.size + self.filestore.size
    }
}
