//! Jobs: `PUT /jobs/{id}` is idempotent by HTTP's own meaning.

use crate::ids::{InstanceId, JobId, OrganizationId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Secrets whose names begin so are never written to the server's disk, not even sealed. After a restart of the agent
/// they are there again once the controller offers the job again, which it does at each connect.
pub const MEMORY_ONLY: &str = "memory.";

/// Body of `PUT /jobs/{id}`.
#[derive(Clone, Serialize, Deserialize)]
pub struct JobRequest {
    /// The function's name, e.g. `instance_provision`.
    pub kind: String,
    pub organization_id: OrganizationId,
    /// Set when the job works on an instance: the agent runs one such job at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<InstanceId>,
    pub input: Value,
    /// Values of the secrets that `input` refers to. Sealed in the journal but for those of [`MEMORY_ONLY`], wiped when the job ends, not part of the
    /// comparison that decides between 200 and 409.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// Seconds that the job may take, counted from its acceptance on monotonic time. None: no limit.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(type_name = "text", rename_all = "snake_case"))]
pub enum JobStatus {
    /// Stored, not yet given to its executor.
    Queued,
    /// Being handed to its executor.
    Dispatched,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl JobStatus {
    /// Whether nothing will change any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(type_name = "text", rename_all = "snake_case"))]
pub enum StepStatus {
    Pending,
    Running,
    Succeeded,
    Failed,
    Skipped,
    /// Its effects were taken back after a later step failed.
    Undone,
}

/// How far a step is, in `unit` (`bytes`, `layers`, `modules`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Progress {
    pub done: u64,
    /// None while the whole is unknown.
    pub total: Option<u64>,
    pub unit: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct StepSnapshot {
    /// Stable word, e.g. `pull_image`.
    pub name: String,
    /// For people, e.g. "Pull the image".
    pub title: String,
    pub status: StepStatus,
    #[serde(default)]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub finished_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub progress: Option<Progress>,
    /// What it did or why it failed, in a sentence.
    #[serde(default)]
    pub message: Option<String>,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct JobFailure {
    /// Stable word, e.g. `image_not_found`.
    pub code: String,
    /// A sentence that says what to do.
    pub message: String,
    /// Whether the same job may succeed when tried again unchanged.
    pub retryable: bool,
}

/// The whole state of a job on its agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSnapshot {
    pub id: JobId,
    pub kind: String,
    pub status: JobStatus,
    pub steps: Vec<StepSnapshot>,
    #[serde(default)]
    pub result: Option<Value>,
    #[serde(default)]
    pub failure: Option<JobFailure>,
    /// Sequence number of the newest log line; 0 when there is none.
    pub last_log_seq: u64,
    pub accepted_at: DateTime<Utc>,
    #[serde(default)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// One line of a job's log. `seq` starts at 1 and has no gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct JobLogLine {
    pub seq: u64,
    pub at: DateTime<Utc>,
    /// Name of the step that wrote it.
    #[serde(default)]
    pub step: Option<String>,
    pub text: String,
}
