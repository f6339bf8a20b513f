//! An organization with what it uses.

use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An organization in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "id": "0197a5a0-0000-7000-8000-000000000001", "name": "Example", "slug": "example",
    "owner_id": "0197a5a0-0000-7000-8000-000000000002", "owner_name": "Ada", "owner_email": "ada@example.com",
    "member_count": 7, "server_count": 3, "instance_count": 12, "version": 2, "created_at": "2025-11-01T08:00:00Z",
    "updated_at": "2026-01-05T10:00:00Z"
}))]
pub struct AdminOrganization {
    pub id: OrganizationId,
    pub name: String,
    pub slug: String,
    pub owner_id: Option<UserId>,
    pub owner_name: Option<String>,
    pub owner_email: Option<String>,
    pub member_count: i64,
    pub server_count: i64,
    pub instance_count: i64,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What an organization uses now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OrganizationUsage {
    pub members: i64,
    /// Invitations that can still be accepted.
    pub invitations: i64,
    pub service_accounts: i64,
    /// Keys that still work.
    pub api_keys: i64,
    pub projects: i64,
    pub environments: i64,
    pub servers: i64,
    pub servers_online: i64,
    pub instances: i64,
    pub instances_running: i64,
    /// Jobs that were asked for in the last 24 hours.
    pub jobs_24h: i64,
    /// Jobs that failed in the last 24 hours.
    pub jobs_failed_24h: i64,
    pub audit_entries: i64,
    pub audit_retention_days: i32,
    pub require_second_factor: bool,
}

/// An organization in full.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdminOrganizationDetail {
    #[serde(flatten)]
    pub organization: AdminOrganization,
    pub usage: OrganizationUsage,
}

/// Which organizations a list shows.
#[derive(Default)]
pub struct OrganizationFilter<'a> {
    pub id: Option<OrganizationId>,
    pub name: Option<&'a str>,
    /// Part of name or slug.
    pub q: Option<&'a str>,
}
