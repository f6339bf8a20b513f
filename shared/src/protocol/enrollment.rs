//! `POST /agent/enroll` and `POST /agent/renew`: plain HTTPS requests of the agent to the agents' port.

use crate::ids::{OrganizationId, ServerId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Body of `POST /agent/enroll`, with no client certificate.
#[derive(Debug, Serialize, Deserialize)]
pub struct EnrollRequest {
    /// The single-use join token of the install command.
    pub token: String,
    /// PEM of the certificate signing request; the private key never leaves the server.
    pub csr_pem: String,
    pub hostname: String,
    pub agent_version: String,
    pub arch: String,
    pub os: String,
    /// The agent's clock, so that skew is named.
    pub clock: DateTime<Utc>,
}

/// Body of `POST /agent/renew`, authenticated by the certificate that is to be replaced.
#[derive(Debug, Serialize, Deserialize)]
pub struct RenewRequest {
    pub csr_pem: String,
}

/// Answer of both: the identity to store.
#[derive(Debug, Serialize, Deserialize)]
pub struct Identity {
    pub server_id: ServerId,
    pub organization_id: OrganizationId,
    /// PEM chain of the client certificate.
    pub certificate_pem: String,
    /// PEM of every authority that may sign the agents' port (two during a rotation).
    pub ca_pem: String,
    pub not_after: DateTime<Utc>,
    /// `host:port` addresses of the agents' port, in the order to try.
    pub controllers: Vec<String>,
}

/// Stages that the installer reports with the join token, so that the page can follow: `POST /agent/progress`
/// is not a route; they travel as the query of `/agent/download` and `/agent/enroll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum InstallStage {
    /// The install script was fetched with this token's command.
    Fetched,
    /// The binary was downloaded and its checksum verified.
    Verified,
    /// A certificate was issued.
    Enrolled,
    /// The tunnel is up.
    Tunnel,
    /// Docker answers on the server.
    Docker,
}
