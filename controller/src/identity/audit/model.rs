//! Entries as the API shows them, and what lists are filtered by.

use crate::platform::http::Actor;
use crate::signals::events::Subject;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{AuditId, OrganizationId};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use sqlx::types::ipnetwork::IpNetwork;
use utoipa::ToSchema;
use uuid::Uuid;

/// What somebody did, or looked at.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "id": "0197a5a0-0000-7000-8000-00000000000a", "organization_id": "0197a5a0-0000-7000-8000-000000000001", "seq": 42,
    "action": "role.updated",
    "actor": { "type": "user", "id": "0197a5a0-0000-7000-8000-000000000002", "name": "Ada" },
    "subject": { "type": "role", "id": "0197a5a0-0000-7000-8000-000000000003", "name": "support" },
    "before": { "permissions": ["view:servers"] }, "after": { "permissions": ["view:servers", "view:instances"] },
    "address": "192.0.2.7", "user_agent": "curl/8.5.0", "request_id": "0197a5a0-0000-7000-8000-00000000000b",
    "created_at": "2026-01-05T10:00:00Z"
}))]
pub struct AuditEntry {
    #[schema(value_type = Uuid)]
    pub id: AuditId,
    /// Null for what belongs to no organization, such as signing in.
    pub organization_id: Option<OrganizationId>,
    /// Its number in the organization's chain; null until it is sealed, about a second later.
    pub seq: Option<i64>,
    /// `noun.past`; never renamed.
    pub action: String,
    pub actor: Actor,
    pub subject: Subject,
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// Where the request came from; null for the controller itself.
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// Which entries are wanted; what is left out does not matter.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AuditFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<Uuid>,
    /// At or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// An address or a network that it lies in.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub address: Option<IpNetwork>,
    /// Part of the action, or of the name of actor or resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
}

fn as_text<S: Serializer>(network: &Option<IpNetwork>, serializer: S) -> Result<S::Ok, S::Error> {
    network.map(|network| network.to_string()).serialize(serializer)
}

/// Whose entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    One(OrganizationId),
    /// Every organization's and the platform's own: for the administrator only.
    All,
}

impl Whose {
    pub fn organization(self) -> Option<OrganizationId> {
        match self {
            Self::One(organization) => Some(organization),
            Self::All => None,
        }
    }
}

/// The forms of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// One JSON object a line.
    #[default]
    Json,
    Csv,
}
