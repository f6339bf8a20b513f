//! What an environment is.

use chrono::{DateTime, Utc};
use ocore_shared::ids::{EnvironmentId, ProjectId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an environment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EnvironmentType {
    Production,
    Staging,
    Development,
}

impl EnvironmentType {
    pub const ALL: [Self; 3] = [Self::Production, Self::Staging, Self::Development];

    pub fn word(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Production => "Production",
            Self::Staging => "Staging",
            Self::Development => "Development",
        }
    }
}

/// Whether an environment stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EnvironmentStatus {
    Active,
    /// Its instances are being deleted; it goes with the last of them.
    Deleting,
}

/// An environment to make.
pub struct NewEnvironment {
    pub name: String,
    pub description: String,
    pub kind: EnvironmentType,
}

/// What an environment becomes; its type stays.
pub struct EnvironmentInput {
    pub name: String,
    pub description: String,
}

/// An environment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Environment {
    pub id: EnvironmentId,
    pub project_id: ProjectId,
    pub project_name: String,
    pub name: String,
    pub slug: String,
    #[serde(rename = "type")]
    pub kind: EnvironmentType,
    pub description: String,
    pub status: EnvironmentStatus,
    pub instances_count: i64,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}
