//! What an agent says by itself, in the body of a long-lived `GET /events?after=SEQ`: one JSON object per line.

use crate::ids::{JobId, JournalId};
use crate::protocol::health::{InstanceHealthReport, InstanceSample};
use crate::protocol::inventory::{ContainerInfo, DockerStatus, Facts, MetricsSample};
use crate::protocol::jobs::{JobLogLine, JobSnapshot, Progress};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One line of the stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventEnvelope {
    /// Set on durable events only: they are sent again until acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    pub journal_id: JournalId,
    pub at: DateTime<Utc>,
    #[serde(flatten)]
    pub event: AgentEvent,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum AgentEvent {
    /// Durable. A job was accepted, changed a step, or ended. Newer snapshots replace older ones.
    Job(JobSnapshot),
    /// Durable. A container appeared or changed its state; the newest report of one id wins.
    Container(ContainerInfo),
    /// Durable. A container is gone.
    ContainerRemoved { id: String },
    /// All containers, at the start of every stream, after what was not acknowledged: what is not in it does not
    /// exist.
    Containers(Vec<ContainerInfo>),
    /// How far a running step is. Not durable.
    JobProgress { job_id: JobId, step: String, progress: Progress },
    /// New log lines of a running job. Not durable: gaps are filled by `GET /jobs/{id}/log`.
    JobLog { job_id: JobId, lines: Vec<JobLogLine> },
    /// At the start of every stream and when something changes.
    Facts(Box<Facts>),
    /// Docker came, went, or changed its version.
    Docker(DockerStatus),
    /// Samples since the last line of this kind, oldest first.
    Metrics(Vec<MetricsSample>),
    /// Durable. The health of an instance has changed; the newest report of an instance wins.
    InstanceHealth(InstanceHealthReport),
    /// The health of every instance, at the start of every stream, after the containers.
    InstanceHealths(Vec<InstanceHealthReport>),
    /// Samples of instances since the last line of this kind, oldest first.
    InstanceMetrics(Vec<InstanceSample>),
    /// That many volatile events were dropped because the controller did not read.
    Gap { dropped: u64 },
}

/// Body of `POST /events/ack`, sent after the controller's commit.
#[derive(Debug, Serialize, Deserialize)]
pub struct EventAck {
    pub journal_id: JournalId,
    pub seq: u64,
}
