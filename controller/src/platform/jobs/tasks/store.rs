//! Every query on the controller's own jobs in `jobs`, through the system's pool: they belong to all organizations and
//! to none.

use super::{LANE, LEASE_SECONDS, NewTask, Task};
use crate::error::Result;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{JobId, OrganizationId, ReplicaId};
use ocore_shared::protocol::jobs::{JobFailure, JobStatus};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

/// Add a task. It begins at the next look, or when the bell is rung after the commit.
pub async fn task_enqueue(connection: &mut PgConnection, task: &NewTask) -> Result<()> {
    sqlx::query!(
        "insert into jobs (id, organization_id, kind, executor, subject, input, lane, run_at, deadline_at, created_by)
         values ($1, $2, $3, 'controller', $4, $5, $6, $7, $8, $9)",
        task.id.0,
        task.organization.map(|o| o.0),
        task.kind,
        Json(&task.subject) as _,
        task.input,
        task.lane,
        task.run_at,
        task.deadline_at,
        Json(&task.created_by) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Claim what is due, oldest first: queued tasks, and those of a replica that gives no sign of life any more. Of a lane
/// only as many as may run beside those that do.
pub async fn task_claim_due(system: &PgPool, replica: ReplicaId, now: DateTime<Utc>, limit: i64) -> Result<Vec<Task>> {
    let rows = sqlx::query!(
        r#"with busy as (
               select lane, count(*) as n from jobs
               where executor = 'controller' and status = 'running' and claimed_until >= now() and lane is not null
               group by lane),
           due as (
               select id, lane, run_at, row_number() over (partition by lane order by run_at, id) as n from jobs
               where executor = 'controller' and run_at <= $2
                 and (status = 'queued' or (status in ('dispatched', 'running') and claimed_until < now()))),
           chosen as (
               select j.id from jobs j join due d on d.id = j.id left join busy b on b.lane = d.lane
               where (d.lane is null or d.n + coalesce(b.n, 0) <= $5)
                 and (j.status = 'queued' or j.claimed_until < now())
               order by d.run_at limit $3 for update of j skip locked)
           update jobs set status = 'running', claimed_by = $1, attempts = attempts + 1,
               claimed_until = now() + make_interval(secs => $4), started_at = coalesce(started_at, $2),
               version = version + 1, updated_at = now()
           where id in (select id from chosen)
           returning id, kind, organization_id as "organization: OrganizationId", input, attempts, deadline_at"#,
        replica.0,
        now,
        limit,
        LEASE_SECONDS,
        LANE
    )
    .fetch_all(system)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Task {
            id: JobId(row.id),
            kind: row.kind,
            organization: row.organization,
            input: row.input,
            attempt: row.attempts,
            deadline_at: row.deadline_at,
        })
        .collect())
}

/// A sign of life. False: the task is somebody else's, or has ended.
pub async fn task_keep(system: &PgPool, replica: ReplicaId, task: &Task) -> Result<bool> {
    let done = sqlx::query!(
        "update jobs set claimed_until = now() + make_interval(secs => $4)
         where id = $1 and claimed_by = $2 and attempts = $3 and status = 'running' and cancel_requested_at is null",
        task.id.0,
        replica.0,
        task.attempt,
        LEASE_SECONDS
    )
    .execute(system)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// End a task, if this is still its newest attempt.
pub async fn task_end(
    system: &PgPool, replica: ReplicaId, task: &Task, status: JobStatus, result: Option<Value>,
    failure: Option<JobFailure>, now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update jobs set status = $3, result = $4, failure = $5, finished_at = $6, claimed_until = null,
             version = version + 1, updated_at = now()
         where id = $1 and attempts = $2 and claimed_by = $7 and status = 'running'",
        task.id.0,
        task.attempt,
        status as JobStatus,
        result,
        failure.map(Json) as _,
        now,
        replica.0
    )
    .execute(system)
    .await?;
    Ok(())
}

/// Back to the queue until then; without a failure the attempt does not count.
pub async fn task_again(
    system: &PgPool, replica: ReplicaId, task: &Task, at: DateTime<Utc>, failure: Option<JobFailure>,
) -> Result<()> {
    sqlx::query!(
        "update jobs set status = 'queued', run_at = $3, claimed_by = null, claimed_until = null,
             failure = coalesce($4, failure), attempts = attempts - case when $4::jsonb is null then 1 else 0 end,
             version = version + 1, updated_at = now()
         where id = $1 and attempts = $2 and claimed_by = $5 and status = 'running'",
        task.id.0,
        task.attempt,
        at,
        failure.map(Json) as _,
        replica.0,
    )
    .execute(system)
    .await?;
    Ok(())
}

/// End what was cancelled, or was not done in time, while nobody was at work on it.
pub async fn task_end_overdue(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"update jobs set status = case when cancel_requested_at is not null then 'cancelled' else 'failed' end,
               failure = case when cancel_requested_at is null
                   then coalesce(failure, '{"code": "deadline_exceeded", "message": "It could not be done in time.", "retryable": true}')
               end,
               finished_at = $1, claimed_until = null, version = version + 1, updated_at = now()
           where executor = 'controller' and (status = 'queued' or (status = 'running' and claimed_until < now()))
             and (cancel_requested_at is not null or deadline_at < $1)"#,
        now
    )
    .execute(system)
    .await?;
    Ok(())
}

/// Forget the controller's own jobs that ended a week ago.
pub async fn task_prune(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "delete from jobs where executor = 'controller' and status in ('succeeded', 'failed', 'cancelled')
         and finished_at < $1",
        now - chrono::TimeDelta::days(7)
    )
    .execute(system)
    .await?;
    Ok(())
}
