//! What a role is.

use crate::platform::http::PermissionSet;
use crate::platform::http::permissions::SystemRole;
use chrono::{DateTime, Utc};
use ocore_shared::ids::RoleId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A role of an organization.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Role {
    pub id: RoleId,
    pub name: String,
    pub description: String,
    /// One of the four that every organization has and nobody edits.
    pub is_system: bool,
    pub permissions: Vec<String>,
    /// How many people hold it, in any scope.
    pub member_count: i64,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The permissions of a stored role. Those of a system role are this version's, whatever was stored when it was made.
pub fn role_permissions(name: &str, is_system: bool, stored: &[String]) -> PermissionSet {
    match SystemRole::ALL.into_iter().find(|role| is_system && role.name() == name) {
        Some(role) => role.permissions(),
        None => PermissionSet::from_keys(stored.iter().map(String::as_str)),
    }
}

/// System roles from the strongest on, then the others.
pub fn role_rank(name: &str, is_system: bool) -> usize {
    SystemRole::ALL.iter().position(|role| is_system && role.name() == name).unwrap_or(SystemRole::ALL.len())
}
