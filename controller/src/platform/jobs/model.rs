//! A job as the API shows it, and as it is asked for.

use crate::platform::http::Actor;
use crate::signals::events::Subject;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, SecretId, ServerId};
use ocore_shared::protocol::jobs::{JobFailure, JobStatus, StepSnapshot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Work, from the wish to its end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Job {
    pub id: JobId,
    /// The function's name, e.g. `instance_provision`.
    pub kind: String,
    pub status: JobStatus,
    pub organization_id: OrganizationId,
    pub server_id: Option<ServerId>,
    pub instance_id: Option<InstanceId>,
    pub parent_id: Option<JobId>,
    pub subject: Subject,
    pub steps: Vec<StepSnapshot>,
    /// How often it was handed to its executor.
    pub attempts: i32,
    /// Behind another job of the same instance.
    pub waiting: bool,
    #[schema(value_type = Option<Object>)]
    pub result: Option<serde_json::Value>,
    pub failure: Option<JobFailure>,
    pub cancel_requested: bool,
    pub created_by: Actor,
    pub deadline_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub version: i64,
}

/// Work for an agent, to be enqueued.
pub struct NewJob {
    pub id: JobId,
    pub kind: &'static str,
    pub organization: OrganizationId,
    pub server: ServerId,
    pub instance: Option<InstanceId>,
    pub subject: Subject,
    pub input: serde_json::Value,
    /// Name in the job's secrets → where its value is.
    pub secrets: BTreeMap<String, SecretId>,
    /// Seconds that the agent may take.
    pub timeout_seconds: Option<i64>,
    /// Seconds until it is given up when its agent does not come.
    pub deadline_seconds: Option<i64>,
    pub created_by: Actor,
    /// The request's claim on its Idempotency-Key: a retry is answered with this job.
    pub idempotency_claim: Option<Uuid>,
    /// Wait behind a job of the same instance instead of being refused.
    pub queue: bool,
}

/// What dispatching needs of a job.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub id: JobId,
    pub kind: String,
    pub organization: OrganizationId,
    pub server: ServerId,
    pub instance: Option<InstanceId>,
    pub input: serde_json::Value,
    pub secrets: BTreeMap<String, Uuid>,
    pub timeout_seconds: Option<i64>,
    /// Which claim of the job this is.
    pub attempt: i32,
    pub cancel_requested: bool,
    /// Too late to begin it; whether its agent has it is not known.
    pub overdue: bool,
}

/// What the effects of a report need of a job.
#[derive(Clone, Debug)]
pub struct Reported {
    pub id: JobId,
    pub kind: String,
    pub organization: OrganizationId,
    pub server: Option<ServerId>,
    pub instance: Option<InstanceId>,
    pub subject: Subject,
    pub created_by: Actor,
    pub status: JobStatus,
    pub log_seq: i64,
}

/// What became of a new job.
#[must_use = "a claimed job is dispatched right after the commit"]
pub enum Enqueued {
    /// Claimed by this replica: hand it to [`super::dispatch::job_dispatch_soon`] after the commit.
    Claimed(Box<Dispatch>),
    /// Behind another job of its instance, whose end lets it go.
    Waiting,
}
