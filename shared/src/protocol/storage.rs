//! Where backups are kept.

use serde::{Deserialize, Serialize};

/// A place for backups, without what it is opened with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum Place {
    S3(S3Place),
    Sftp(SftpPlace),
    Local(LocalPlace),
}

/// A bucket of anything that speaks S3. Its secret is the secret access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct S3Place {
    /// `https://s3.example.com`; none: Amazon's, in that region.
    #[serde(default)]
    pub endpoint: Option<String>,
    pub region: String,
    pub bucket: String,
    /// What every key begins with; empty: nothing.
    #[serde(default)]
    pub prefix: String,
    /// The bucket is the first part of the path, not of the host's name.
    #[serde(default)]
    pub path_style: bool,
    pub access_key_id: String,
    /// PEM of the authority that signed the endpoint's certificate, besides those that the machine trusts.
    #[serde(default)]
    pub ca_certificate: Option<String>,
}

/// A directory of an SSH server. Its secret is a password or a private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SftpPlace {
    pub host: String,
    pub port: u16,
    pub username: String,
    /// Relative to where one is after signing in, unless it begins with a slash.
    pub path: String,
    /// `SHA256:…` of the host's key. None: not known yet, and taken as it is.
    #[serde(default)]
    pub host_key: Option<String>,
}

/// A directory of each managed server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct LocalPlace {
    pub path: String,
}

/// What `POST /storage` asks an agent.
#[derive(Deserialize, Serialize)]
pub struct StorageRequest {
    pub place: Place,
    #[serde(default)]
    pub secret: Option<String>,
    pub work: StorageWork,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageWork {
    /// Write something there, read it, remove it.
    Probe,
    /// List the buckets that the credential sees.
    Buckets,
    BucketCreate(String),
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageAnswer {
    pub problem: Option<StorageProblem>,
    /// `SHA256:…` of the key that an SSH server showed.
    #[serde(default)]
    pub host_key: Option<String>,
    /// Bytes that are free there, where that can be asked.
    #[serde(default)]
    pub free_bytes: Option<u64>,
    #[serde(default)]
    pub buckets: Vec<String>,
}

/// What is wrong with a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct StorageProblem {
    pub kind: StorageProblemKind,
    /// A sentence that says what to do.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum StorageProblemKind {
    /// It does not take the credentials, or does not let them do what a backup does.
    Refused,
    /// Nothing answers, or the connection broke.
    Unreachable,
    /// There is no such bucket or directory, and it cannot be made.
    Missing,
    /// There is no room left.
    Full,
    /// Another machine answers than the one that was there before.
    HostKeyChanged,
    /// Such a path is not for backups on this server.
    NotAllowed,
    /// What is asked for is not there.
    NotFound,
    /// It answers, but not as it should.
    Failed,
}

impl StorageProblemKind {
    /// Stable word of a failure.
    pub fn code(self) -> &'static str {
        match self {
            Self::Refused => "destination_refused",
            Self::Unreachable => "destination_unreachable",
            Self::Missing => "destination_missing",
            Self::Full => "destination_full",
            Self::HostKeyChanged => "host_key_changed",
            Self::NotAllowed => "destination_not_allowed",
            Self::NotFound => "backup_file_missing",
            Self::Failed => "destination_failed",
        }
    }

    /// Whether it may be otherwise a little later, with nothing changed.
    pub fn may_pass(self) -> bool {
        self == Self::Unreachable
    }
}
