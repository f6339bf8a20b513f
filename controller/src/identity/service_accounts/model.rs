//! What a service account is.

use crate::identity::roles::model::{Grant, WantedGrant};
use chrono::{DateTime, Utc};
use ocore_shared::ids::ServiceAccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A principal that is no person. It acts by its API keys, which never may more than it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServiceAccount {
    pub id: ServiceAccountId,
    pub name: String,
    pub description: String,
    pub grants: Vec<Grant>,
    /// Live API keys of its own.
    pub key_count: i64,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A service account to make, or what it becomes.
pub struct ServiceAccountInput {
    pub name: String,
    pub description: String,
    pub grants: Vec<WantedGrant>,
}
