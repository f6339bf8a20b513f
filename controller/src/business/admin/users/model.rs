//! A person with all that an administrator needs to know.

use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, UserId};
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What may be done with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum UserStatus {
    Active,
    /// Locked out by an administrator.
    Suspended,
    /// Closed by its person.
    Deactivated,
}

/// A person.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "id": "0197a5a0-0000-7000-8000-000000000002", "email": "vic@example.com", "name": "Vic", "is_admin": false,
    "status": "suspended", "suspended_at": "2026-01-05T10:00:00Z", "suspended_reason": "Left the company",
    "email_verified_at": "2025-11-01T08:00:00Z", "totp_enabled": true, "passkey_count": 0, "organization_count": 2,
    "last_login_at": "2026-01-02T07:30:00Z", "version": 4, "created_at": "2025-11-01T08:00:00Z",
    "updated_at": "2026-01-05T10:00:00Z"
}))]
pub struct AdminUser {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// Administrator of the platform.
    pub is_admin: bool,
    pub status: UserStatus,
    pub suspended_at: Option<DateTime<Utc>>,
    pub suspended_reason: Option<String>,
    /// Since when the address is known to be theirs.
    pub email_verified_at: Option<DateTime<Utc>>,
    pub totp_enabled: bool,
    pub passkey_count: i64,
    pub organization_count: i64,
    pub last_login_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// An organization that somebody belongs to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserOrganization {
    pub id: OrganizationId,
    pub name: String,
    pub slug: String,
    pub is_owner: bool,
    pub joined_at: DateTime<Utc>,
}

/// A person in full.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdminUserDetail {
    #[serde(flatten)]
    pub user: AdminUser,
    pub organizations: Vec<UserOrganization>,
    /// Where they are signed in now.
    pub session_count: i64,
    /// Keys that they made for themselves and that still work.
    pub api_key_count: i64,
}

/// A person to be made.
pub struct NewUser {
    pub email: String,
    pub name: String,
    /// None: they choose one by a link.
    pub password: Option<Secret>,
    pub is_admin: bool,
}

/// A link by which somebody chooses a password.
#[derive(Serialize, ToSchema)]
pub struct PasswordLink {
    /// It is on its way by mail; then it is not shown here.
    pub mailed: bool,
    /// Where no mail is configured: pass it on by other means. It works once and is not shown again.
    pub link: Option<String>,
    pub expires_at: DateTime<Utc>,
}

/// Which people a list shows.
#[derive(Default)]
pub struct UserFilter<'a> {
    pub id: Option<UserId>,
    pub name: Option<&'a str>,
    /// Part of name or address.
    pub q: Option<&'a str>,
    pub status: Option<UserStatus>,
    pub is_admin: Option<bool>,
}

/// A key that ended with its person.
pub struct EndedKey {
    pub organization: Uuid,
    pub name: String,
}
