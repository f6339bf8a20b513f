//! What an invitation is.

use crate::platform::http::Actor;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{InvitationId, RoleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// For so long an invitation can be accepted.
pub const LIFE: TimeDelta = TimeDelta::days(7);

/// Whether an invitation can still be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    Pending,
    Accepted,
    Expired,
    Cancelled,
}

impl InvitationStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn from_word(word: &str) -> Self {
        let all = [Self::Pending, Self::Accepted, Self::Expired];
        all.into_iter().find(|status| status.word() == word).unwrap_or(Self::Cancelled)
    }
}

/// Somebody was asked to join.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    pub id: InvitationId,
    pub email: String,
    pub role_id: RoleId,
    /// Name of the role.
    pub role: String,
    pub status: InvitationStatus,
    pub invited_by: Actor,
    pub expires_at: DateTime<Utc>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// An invitation that was just sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InvitationSent {
    #[serde(flatten)]
    pub invitation: Invitation,
    /// To be passed on by whoever invites; only where no SMTP server is configured, else it was mailed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What the holder of an invitation's link sees before accepting it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InvitationView {
    pub organization: String,
    pub role: String,
    pub invited_by: String,
    /// The address that was invited; it is accepted by an account of this address.
    pub email: String,
    /// Whether there is an account of this address.
    pub has_account: bool,
    pub expires_at: DateTime<Utc>,
}
