//! Tunnels and their sums.

use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, ReplicaId, ServerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A connected agent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "server_id": "0197a5a0-0000-7000-8000-000000000004", "server_name": "prod-1",
    "organization_id": "0197a5a0-0000-7000-8000-000000000001", "organization_name": "Example",
    "replica_id": "0197a5a0-0000-7000-8000-000000000005", "address": "192.0.2.8", "epoch": 17,
    "agent_version": "0.1.0", "connected_since": "2026-01-05T10:00:00Z", "streams": 3
}))]
pub struct ConnectedAgent {
    pub server_id: ServerId,
    pub server_name: String,
    pub organization_id: OrganizationId,
    pub organization_name: String,
    /// The process of the controller that holds the tunnel.
    #[schema(value_type = Uuid)]
    pub replica_id: ReplicaId,
    /// Where the agent connects from.
    pub address: Option<String>,
    /// A newer connection of the same server has a higher one.
    pub epoch: i64,
    pub agent_version: Option<String>,
    pub connected_since: DateTime<Utc>,
    /// Requests that are open in the tunnel now; null where another process holds it.
    pub streams: Option<u32>,
}

/// Tunnels of one process.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReplicaTunnels {
    #[schema(value_type = Uuid)]
    pub replica_id: ReplicaId,
    pub version: String,
    pub seen_at: DateTime<Utc>,
    pub agents: i64,
}

/// All tunnels in sum.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TunnelStats {
    /// Servers whose agents are connected.
    pub connected: i64,
    /// Servers that have been enrolled and whose agents are not.
    pub disconnected: i64,
    /// Requests that are open now in the tunnels of the process that answers.
    pub streams: u32,
    pub oldest_connection: Option<DateTime<Utc>>,
    pub newest_connection: Option<DateTime<Utc>>,
    pub replicas: Vec<ReplicaTunnels>,
}

/// What one look at the rows counts.
pub struct Sums {
    pub connected: i64,
    pub disconnected: i64,
    pub oldest: Option<DateTime<Utc>>,
    pub newest: Option<DateTime<Utc>>,
}

/// Which agents a list shows.
#[derive(Default)]
pub struct AgentFilter<'a> {
    /// Exact name of the server.
    pub name: Option<&'a str>,
    pub organization: Option<OrganizationId>,
    pub replica: Option<Uuid>,
}
