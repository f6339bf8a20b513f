//! Jobs and queues, as the administrator sees them.

use crate::platform::http::Actor;
use crate::signals::events::Subject;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, ServerId};
use ocore_shared::protocol::jobs::{JobFailure, JobStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who carries a job out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Executor {
    /// The agent of a server.
    Agent,
    /// The controller itself: mail, deliveries, schedules.
    Controller,
}

/// A job of any organization, or of none.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdminJob {
    pub id: JobId,
    pub kind: String,
    pub executor: Executor,
    pub status: JobStatus,
    /// Null for the platform's own work.
    pub organization_id: Option<OrganizationId>,
    pub organization_name: Option<String>,
    pub server_id: Option<ServerId>,
    pub instance_id: Option<InstanceId>,
    pub subject: Subject,
    /// Jobs of one lane run a few at a time.
    pub lane: Option<String>,
    pub attempts: i32,
    /// Behind another job of the same instance.
    pub waiting: bool,
    /// Not before that time.
    pub run_at: DateTime<Utc>,
    pub deadline_at: Option<DateTime<Utc>>,
    /// Why it failed, or why its last attempt did.
    pub failure: Option<JobFailure>,
    pub cancel_requested: bool,
    pub created_by: Actor,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub version: i64,
}

/// How one kind of job gets on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobQueue {
    pub kind: String,
    pub executor: Executor,
    /// Not handed over yet.
    pub queued: i64,
    /// Handed over or at work.
    pub running: i64,
    /// Since when the oldest queued one could run.
    pub oldest_due_at: Option<DateTime<Utc>>,
    pub succeeded_24h: i64,
    pub failed_24h: i64,
}

/// Queues and one page of jobs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "queues": [{ "kind": "mail_send", "executor": "controller", "queued": 3, "running": 1,
        "oldest_due_at": "2026-01-05T10:00:00Z", "succeeded_24h": 120, "failed_24h": 2 }],
    "data": [], "next_cursor": null, "has_more": false
}))]
pub struct AdminJobs {
    /// Every kind that has something open, or that ended something in the last 24 hours.
    pub queues: Vec<JobQueue>,
    pub data: Vec<AdminJob>,
    /// Hand it back as `cursor`; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// Which jobs a list shows.
#[derive(Default)]
pub struct JobFilter<'a> {
    pub id: Option<JobId>,
    pub status: Option<JobStatus>,
    pub kind: Option<&'a str>,
    pub executor: Option<Executor>,
    pub organization: Option<OrganizationId>,
}
