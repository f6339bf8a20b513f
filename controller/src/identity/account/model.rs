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
    /// Language of the console, e.g. `de-AT`; null: as the browser says.
    pub locale: Option<String>,
    /// Time zone of the console, e.g. `Europe/Vienna`; null: as the browser says.
    pub timezone: Option<String>,
    /// Where the console begins, and what `/v1` takes where none is named.
    pub default_organization_id: Option<OrganizationId>,
    /// There is a password to sign in with.
    pub has_password: bool,
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

/// What an account becomes; what is None stays, `Some(None)` empties.
#[derive(Default)]
pub struct AccountChange {
    pub name: Option<String>,
    pub locale: Option<Option<String>>,
    pub timezone: Option<Option<String>>,
    pub default_organization_id: Option<Option<OrganizationId>>,
}

/// An organization that somebody owns, as leaving needs it.
pub struct Owned {
    pub id: OrganizationId,
    pub name: String,
    /// There are other members.
    pub shared: bool,
}
