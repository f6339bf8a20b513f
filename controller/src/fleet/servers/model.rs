//! A server as the API shows it.

use chrono::{DateTime, Utc};
use ocore_shared::ids::ServerId;
use ocore_shared::protocol::enrollment::InstallStage;
use ocore_shared::protocol::inventory::{ContainerInfo, DockerStatus, Facts, MetricsSample};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ServerStatus {
    /// Made; its install command has not been used.
    Pending,
    /// Enrolled; its tunnel has not come up yet.
    Provisioning,
    Online,
    /// Connected, but Docker does not answer.
    Degraded,
    Offline,
    Maintenance,
    /// The database is older than what the agent has seen: nothing is destroyed until a person agrees.
    Reconcile,
    Locked,
    Removing,
}

/// One stage of an installation and when it was reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageReached {
    pub stage: InstallStage,
    pub at: DateTime<Utc>,
}

/// A managed machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Server {
    pub id: ServerId,
    pub name: String,
    pub description: String,
    pub labels: BTreeMap<String, String>,
    /// Whether new instances may be put here.
    pub schedulable: bool,
    pub status: ServerStatus,
    /// Why it is not online, in a sentence.
    pub status_reason: Option<String>,
    /// The newest stage that the installation has reached.
    pub install_stage: Option<InstallStage>,
    pub install_stages: Vec<StageReached>,
    /// What went wrong in the installation and what to do.
    pub install_problem: Option<String>,
    pub facts: Option<Facts>,
    pub agent_version: Option<String>,
    pub last_seen_at: Option<DateTime<Utc>>,
    /// The newest sample.
    pub usage: Option<MetricsSample>,
    pub instances_count: i64,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// How to install the agent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InstallCommand {
    /// One line for a root shell (or sudo) on the server.
    pub command: String,
    pub uninstall_command: String,
    pub token_expires_at: DateTime<Utc>,
    /// Addresses of the agents' port that the server must reach.
    pub addresses: Vec<String>,
    /// Public key of the agents' port that the command pins.
    pub pin: String,
}

/// Answer of making a server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerCreated {
    pub server: Server,
    pub install: InstallCommand,
}

/// Everything that a server has.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    pub system: Option<Facts>,
    pub containers: Vec<ContainerInfo>,
}

/// The status that facts and connection add up to.
pub fn status_of(connected: bool, docker: Option<&DockerStatus>) -> (ServerStatus, Option<String>) {
    match (connected, docker) {
        (false, _) => (ServerStatus::Offline, Some("The agent is not connected.".into())),
        (true, Some(docker)) if !docker.available => {
            let problem = docker.problem.clone().unwrap_or_else(|| "Docker does not answer.".into());
            (ServerStatus::Degraded, Some(problem))
        }
        (true, _) => (ServerStatus::Online, None),
    }
}
