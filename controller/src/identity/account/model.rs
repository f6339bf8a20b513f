//! What a person sees of themself.

use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The signed-in person.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Account {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// Administrator of the platform, which is no role of an organization.
    pub is_admin: bool,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub organizations: Vec<AccountOrganization>,
}

/// An organization with what one is in it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountOrganization {
    pub id: OrganizationId,
    pub slug: String,
    pub name: String,
    /// The strongest role; `member` for who has none.
    pub role: String,
    /// What one may do there, in whatever scope.
    pub permissions: Vec<String>,
}
