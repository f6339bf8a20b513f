//! The one shape of an event.

use crate::platform::http::Actor;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{EventId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What an event, a job or an audit entry is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    /// `server`, `instance`, `organization`, …
    #[serde(rename = "type")]
    pub kind: String,
    pub id: Uuid,
    pub name: String,
}

impl Subject {
    pub fn new(kind: &str, id: impl Into<Uuid>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into(), name: name.into() }
    }
}

/// Something that happened in an organization.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    pub id: EventId,
    /// `noun.past`, e.g. `instance.started`; never renamed.
    #[serde(rename = "type")]
    pub kind: String,
    pub created_at: DateTime<Utc>,
    pub organization_id: OrganizationId,
    pub actor: Actor,
    pub subject: Subject,
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}
