//! Every query on jobs for the administrator, through the system's pool: they belong to all organizations and to none.

use super::model::{AdminJob, Executor, JobFilter, JobQueue};
use crate::error::Result;
use crate::platform::http::{Actor, Page};
use crate::signals::events::Subject;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, ServerId};
use ocore_shared::protocol::jobs::{JobFailure, JobStatus};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

/// Jobs, newest first.
pub async fn job_list(connection: &mut PgConnection, filter: &JobFilter<'_>, page: &Page) -> Result<Vec<AdminJob>> {
    let rows = sqlx::query!(
        r#"select j.id as "id: JobId", j.kind, j.executor as "executor: Executor", j.status as "status: JobStatus",
                  j.organization_id as "organization_id: OrganizationId", o.name as "organization_name?",
                  j.server_id as "server_id: ServerId", j.instance_id as "instance_id: InstanceId",
                  j.subject as "subject: Json<Subject>", j.lane, j.attempts, j.waiting, j.run_at, j.deadline_at,
                  j.failure as "failure: Json<JobFailure>", j.cancel_requested_at,
                  j.created_by as "created_by: Json<Actor>", j.created_at, j.started_at, j.finished_at, j.version
           from jobs j left join organizations o on o.id = j.organization_id
           where ($1::uuid is null or j.id = $1) and ($2::text is null or j.status = $2)
             and ($3::text is null or j.kind = $3) and ($4::text is null or j.executor = $4)
             and ($5::uuid is null or j.organization_id = $5) and ($6::uuid is null or j.id < $6)
           order by j.id desc limit $7"#,
        filter.id.map(|id| id.0),
        filter.status as Option<JobStatus>,
        filter.kind,
        filter.executor as Option<Executor>,
        filter.organization.map(|organization| organization.0),
        page.before()?,
        page.fetch()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| AdminJob {
            id: row.id,
            kind: row.kind,
            executor: row.executor,
            status: row.status,
            organization_id: row.organization_id,
            organization_name: row.organization_name,
            server_id: row.server_id,
            instance_id: row.instance_id,
            subject: row.subject.0,
            lane: row.lane,
            attempts: row.attempts,
            waiting: row.waiting,
            run_at: row.run_at,
            deadline_at: row.deadline_at,
            failure: row.failure.map(|failure| failure.0),
            cancel_requested: row.cancel_requested_at.is_some(),
            created_by: row.created_by.0,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            version: row.version,
        })
        .collect())
}

pub async fn job_queues(system: &PgPool, now: DateTime<Utc>) -> Result<Vec<JobQueue>> {
    let queues = sqlx::query_as!(
        JobQueue,
        r#"select kind, executor as "executor: Executor", count(*) filter (where status = 'queued') as "queued!",
               count(*) filter (where status in ('dispatched', 'running')) as "running!",
               min(run_at) filter (where status = 'queued' and not waiting) as oldest_due_at,
               count(*) filter (where status = 'succeeded') as "succeeded_24h!",
               count(*) filter (where status = 'failed') as "failed_24h!"
           from jobs where status in ('queued', 'dispatched', 'running') or finished_at > $1
           group by kind, executor order by kind, executor"#,
        now - TimeDelta::hours(24)
    )
    .fetch_all(system)
    .await?;
    Ok(queues)
}

/// Do one of the controller's own jobs again, with as much time as it had. False: it has not ended, or came through.
pub async fn task_retry(connection: &mut PgConnection, job: JobId, now: DateTime<Utc>) -> Result<bool> {
    let done = sqlx::query!(
        "update jobs set status = 'queued', run_at = $2, result = null, failure = null, finished_at = null,
             claimed_by = null, claimed_until = null, cancel_requested_at = null,
             deadline_at = $2::timestamptz + (deadline_at - created_at), version = version + 1, updated_at = now()
         where id = $1 and executor = 'controller' and status in ('failed', 'cancelled')",
        job.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ask one of the controller's own jobs to end. False: it has ended already.
pub async fn task_request_cancel(connection: &mut PgConnection, job: JobId, now: DateTime<Utc>) -> Result<bool> {
    let done = sqlx::query!(
        "update jobs set cancel_requested_at = coalesce(cancel_requested_at, $2), version = version + 1, updated_at = now()
         where id = $1 and executor = 'controller' and status in ('queued', 'dispatched', 'running')",
        job.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}
