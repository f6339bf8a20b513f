//! What a registry is.

use chrono::{DateTime, Utc};
use ocore_shared::ids::RegistryId;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What came of signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum RegistryStatus {
    Unchecked,
    Ok,
    /// It does not take the credentials.
    Refused,
    /// The controller cannot reach it; servers may.
    Unreachable,
}

/// A registry. Its password is never shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Registry {
    pub id: RegistryId,
    /// `registry.example.com`, `docker.io`.
    pub address: String,
    pub description: String,
    pub username: Option<String>,
    pub has_password: bool,
    /// It is asked before that registry, for the same images.
    pub mirror_of: Option<String>,
    pub status: RegistryStatus,
    /// What is wrong and what to do.
    pub status_message: Option<String>,
    pub checked_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a registry is to be.
pub struct RegistryInput {
    pub address: String,
    pub description: String,
    pub username: Option<String>,
    pub password: NewPassword,
    pub mirror_of: Option<String>,
}

pub enum NewPassword {
    Stays,
    None,
    Is(Secret),
}

/// What a try came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegistryCheck {
    pub status: RegistryStatus,
    /// What is wrong and what to do.
    pub message: Option<String>,
    /// Some of what it holds, where it lets one list it.
    pub repositories: Vec<String>,
}
