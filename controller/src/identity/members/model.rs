//! Members and what they hold.

use crate::identity::roles::model::{Grant, ScopeRef};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{ServiceAccountId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person in an organization.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Id of the person.
    pub id: UserId,
    pub name: String,
    pub email: String,
    /// The strongest role in the whole organization, else `member`.
    pub role: String,
    pub is_owner: bool,
    pub grants: Vec<Grant>,
    /// Has set up a second factor or a passkey.
    pub second_factor: bool,
    pub last_login_at: Option<DateTime<Utc>>,
    pub joined_at: DateTime<Utc>,
    /// Counts every change of what the member may do.
    pub version: i64,
}

/// Whether a member has or lacks a permission, whatever the roles say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Effect {
    Allow,
    Deny,
}

/// An exception to the roles of one member.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Override {
    pub permission: String,
    pub effect: Effect,
    pub created_at: DateTime<Utc>,
}

/// What a member may do, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MemberPermissions {
    /// The owner may do everything; exceptions do not count.
    pub is_owner: bool,
    pub effective: Vec<EffectivePermission>,
    pub overrides: Vec<Override>,
    pub version: i64,
}

/// One permission in one scope.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EffectivePermission {
    pub permission: String,
    pub scope: ScopeRef,
    /// What gives it: `role developer`, `override`.
    pub because: Vec<String>,
}

/// What becomes of the API keys of who leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysFate {
    /// Nobody has said: refused when there are any.
    Asked,
    Revoked,
    /// Bounded from then on by what this service account may do.
    Given(ServiceAccountId),
}
