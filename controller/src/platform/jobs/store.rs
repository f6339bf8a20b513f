//! Every query on `jobs` and `job_steps`, but those of the queue.

use super::logs;
use super::model::{Dispatch, Enqueued, Job, NewJob, Reported};
use super::queue::store as queue;
use crate::error::{Error, Result};
use crate::platform::http::idempotency::store::idempotency_job_store;
use crate::platform::http::{Accepted, Actor, Reach};
use crate::signals::events::Subject;
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, ReplicaId, ServerId};
use ocore_shared::protocol::jobs::{JobFailure, JobSnapshot, JobStatus, Progress, StepSnapshot, StepStatus};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::HashMap;
use uuid::Uuid;

/// Add a job, claimed by this replica already: it dispatches right after the commit. 409 when the instance is busy.
pub async fn job_enqueue(connection: &mut PgConnection, replica: ReplicaId, job: &NewJob) -> Result<Enqueued> {
    if let Some(claim) = job.idempotency_claim {
        idempotency_job_store(connection, job.organization, claim, job.id).await?;
    }
    let busy = match job.instance {
        Some(instance) => queue::job_of_busy_instance(connection, job.organization, instance).await?,
        None => None,
    };
    if let (Some((running, kind)), false) = (&busy, job.queue) {
        return Err(Error::conflict(
            "operation_in_progress",
            format!("{kind} is under way for this instance (job {running}); wait for it, or add ?queue=true."),
        ));
    }
    let waiting = busy.is_some();
    let done = sqlx::query!(
        r#"insert into jobs (id, organization_id, kind, executor, server_id, instance_id, subject, input, secret_ids,
               status, waiting, attempts, claimed_by, claimed_until, timeout_seconds, deadline_at, created_by)
           values ($1, $2, $3, 'agent', $4, $5, $6, $7, $8, case when $9 then 'queued' else 'dispatched' end, $9,
               case when $9 then 0 else 1 end, $10, now() + make_interval(secs => $11), $12,
               now() + make_interval(secs => $13), $14)"#,
        job.id.0,
        job.organization.0,
        job.kind,
        job.server.0,
        job.instance.map(|i| i.0),
        Json(&job.subject) as _,
        job.input,
        Json(&job.secrets) as _,
        waiting,
        replica.0,
        queue::CLAIM_SECONDS,
        job.timeout_seconds,
        job.deadline_seconds.map(|s| s as f64),
        Json(&job.created_by) as _,
    )
    .execute(connection)
    .await;
    match done {
        Ok(_) if waiting => Ok(Enqueued::Waiting),
        Ok(_) => Ok(Enqueued::Claimed(Box::new(Dispatch {
            id: job.id,
            kind: job.kind.into(),
            organization: job.organization,
            server: job.server,
            instance: job.instance,
            input: job.input.clone(),
            secrets: job.secrets.iter().map(|(name, id)| (name.clone(), id.0)).collect(),
            timeout_seconds: job.timeout_seconds,
            attempt: 1,
            cancel_requested: false,
            overdue: false,
        }))),
        Err(sqlx::Error::Database(e)) if e.constraint() == Some("jobs_one_per_instance") => Err(Error::conflict(
            "operation_in_progress",
            "Another operation has just begun for this instance; wait for it, or add ?queue=true.",
        )),
        Err(e) => Err(e.into()),
    }
}

/// Add a job for the sweeper to hand over, who is rung after the commit: what follows from something else is enqueued by no
/// replica in particular. With `waiting` it is let go by whatever it waits for.
pub async fn job_enqueue_later(connection: &mut PgConnection, job: &NewJob, waiting: bool) -> Result<()> {
    if let Some(claim) = job.idempotency_claim {
        idempotency_job_store(connection, job.organization, claim, job.id).await?;
    }
    sqlx::query!(
        "insert into jobs (id, organization_id, kind, executor, server_id, instance_id, subject, input, secret_ids,
             status, waiting, timeout_seconds, deadline_at, created_by)
         values ($1, $2, $3, 'agent', $4, $5, $6, $7, $8, 'queued', $9, $10, now() + make_interval(secs => $11), $12)",
        job.id.0,
        job.organization.0,
        job.kind,
        job.server.0,
        job.instance.map(|i| i.0),
        Json(&job.subject) as _,
        job.input,
        Json(&job.secrets) as _,
        waiting,
        job.timeout_seconds,
        job.deadline_seconds.map(|s| s as f64),
        Json(&job.created_by) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What a retry of the request that enqueued this job is answered.
pub async fn job_accepted(
    connection: &mut PgConnection, organization: OrganizationId, job: JobId,
) -> Result<Option<Accepted>> {
    let row = sqlx::query!(
        r#"select j.subject as "subject: Json<Subject>",
               coalesce(case j.subject ->> 'type' when 'instance' then i.status else s.status end, 'removed') as "status!"
           from jobs j left join instances i on i.id = j.instance_id left join servers s on s.id = j.server_id
           where j.organization_id = $1 and j.id = $2"#,
        organization.0,
        job.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| Accepted {
        id: r.subject.id,
        status: r.status,
        message: "This was asked for already.".into(),
        job_id: job,
        location: match r.subject.kind.as_str() {
            // Its own path takes its instance's id too.
            "domain" => format!("/api/jobs/{job}"),
            kind => format!("/api/{kind}s/{}", r.subject.id),
        },
    }))
}

/// Lock a job of a server for a report. None: unknown, another server's, or already ended.
pub async fn job_lock_open(
    connection: &mut PgConnection, server: ServerId, job: JobId, journal: Uuid, seq: i64,
) -> Result<Option<Reported>> {
    let row = sqlx::query!(
        r#"select id, kind, organization_id as "organization_id!", server_id, instance_id, subject as "subject: Json<Subject>",
               created_by as "created_by: Json<Actor>", status as "status: JobStatus", log_seq
           from jobs
           where id = $1 and server_id = $2 and status in ('queued', 'dispatched', 'running')
             and (journal_id is distinct from $3 or journal_seq < $4)
           for update"#,
        job.0,
        server.0,
        journal,
        seq
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| Reported {
        id: JobId(r.id),
        kind: r.kind,
        organization: OrganizationId(r.organization_id),
        server: r.server_id.map(ServerId),
        instance: r.instance_id.map(InstanceId),
        subject: r.subject.0,
        created_by: r.created_by.0,
        status: r.status,
        log_seq: r.log_seq,
    }))
}

/// Lock a job that has not ended, whoever executes it; with `unsent` only one that surely was not handed over.
pub async fn job_lock(
    connection: &mut PgConnection, organization: OrganizationId, job: JobId, unsent: bool,
) -> Result<Option<Reported>> {
    let row = sqlx::query!(
        r#"select id, kind, server_id, instance_id, subject as "subject: Json<Subject>",
               created_by as "created_by: Json<Actor>", status as "status: JobStatus", log_seq
           from jobs where id = $1 and organization_id = $2 and status in ('queued', 'dispatched', 'running')
             and (not $3 or (status = 'queued' and attempts = 0))
           for update"#,
        job.0,
        organization.0,
        unsent
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| Reported {
        id: JobId(r.id),
        kind: r.kind,
        organization,
        server: r.server_id.map(ServerId),
        instance: r.instance_id.map(InstanceId),
        subject: r.subject.0,
        created_by: r.created_by.0,
        status: r.status,
        log_seq: r.log_seq,
    }))
}

/// Write what an agent said of a job.
pub async fn job_report(
    connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot, journal: Uuid, seq: i64,
) -> Result<()> {
    let status = if snapshot.status.is_terminal() { snapshot.status } else { JobStatus::Running };
    sqlx::query!(
        r#"update jobs set status = $2, result = $3, failure = $4, journal_id = $5, journal_seq = $6, log_end = $7,
               started_at = coalesce(started_at, $8), finished_at = $9, claimed_until = null,
               version = version + 1, updated_at = now()
           where id = $1"#,
        job.id.0,
        status as JobStatus,
        snapshot.result,
        snapshot.failure.as_ref().map(Json) as _,
        journal,
        seq,
        snapshot.last_log_seq as i64,
        snapshot.accepted_at,
        snapshot.finished_at,
    )
    .execute(&mut *connection)
    .await?;
    for (position, step) in snapshot.steps.iter().enumerate() {
        sqlx::query!(
            r#"insert into job_steps (job_id, organization_id, position, name, title, status, started_at, finished_at, progress, message)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
               on conflict (job_id, position) do update set name = $4, title = $5, status = $6, started_at = $7,
                   finished_at = $8, progress = $9, message = $10"#,
            job.id.0,
            job.organization.0,
            position as i32,
            step.name,
            step.title,
            step.status as StepStatus,
            step.started_at,
            step.finished_at,
            step.progress.as_ref().map(Json) as _,
            step.message,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// A server's journal begins anew: reports on its open jobs are taken in whatever their numbers are, and their logs
/// are read again from the first line.
pub async fn job_reports_forget(connection: &mut PgConnection, server: ServerId) -> Result<()> {
    let jobs = sqlx::query_scalar!(
        "update jobs set journal_seq = 0, log_seq = 0, log_end = 0
         where server_id = $1 and status in ('queued', 'dispatched', 'running') returning id",
        server.0
    )
    .fetch_all(&mut *connection)
    .await?;
    logs::store::job_log_forget(connection, &jobs).await
}

/// End a job from here: cancelled before it began, or given up.
pub async fn job_end(
    connection: &mut PgConnection, job: JobId, status: JobStatus, failure: Option<&JobFailure>,
) -> Result<()> {
    sqlx::query!(
        "update jobs set status = $2, failure = $3, finished_at = now(), claimed_until = null, waiting = false,
             version = version + 1, updated_at = now() where id = $1",
        job.0,
        status as JobStatus,
        failure.map(Json) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ask for a cancel. False: it has ended already.
pub async fn job_request_cancel(
    connection: &mut PgConnection, organization: OrganizationId, job: JobId,
) -> Result<bool> {
    let done = sqlx::query!(
        "update jobs set cancel_requested_at = coalesce(cancel_requested_at, now()), version = version + 1, updated_at = now()
         where id = $1 and organization_id = $2 and status in ('queued', 'dispatched', 'running')",
        job.0,
        organization.0
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What a list of jobs is filtered by.
#[derive(Debug, Default)]
pub struct JobFilter {
    pub id: Option<Uuid>,
    pub status: Option<Vec<JobStatus>>,
    pub kind: Option<String>,
    pub server: Option<Uuid>,
    pub instance: Option<Uuid>,
    pub before: Option<Uuid>,
    pub limit: i64,
}

/// Jobs, newest first, of what the caller may see: those on instances and those on servers.
pub async fn job_list(
    connection: &mut PgConnection, organization: OrganizationId, instances: &Reach, servers: &Reach, filter: &JobFilter,
) -> Result<Vec<Job>> {
    let rows = sqlx::query!(
        r#"select j.id, j.kind, j.status as "status: JobStatus", j.server_id, j.instance_id, j.parent_id,
               j.subject as "subject: Json<Subject>", j.attempts, j.waiting, j.result,
               j.failure as "failure: Json<JobFailure>", j.cancel_requested_at,
               j.created_by as "created_by: Json<Actor>", j.deadline_at, j.created_at, j.started_at, j.finished_at, j.version
           from jobs j left join instances i on i.id = j.instance_id
           where j.organization_id = $1
             -- What the controller does for itself, such as mail, is for its administrators.
             and (j.executor = 'agent' or j.instance_id is not null or j.server_id is not null)
             and ($2::uuid is null or j.id = $2)
             and ($3::text[] is null or j.status = any($3))
             and ($4::text is null or j.kind = $4)
             and ($5::uuid is null or j.server_id = $5)
             and ($6::uuid is null or j.instance_id = $6)
             and ($7::uuid is null or j.id < $7)
             and case when j.instance_id is not null
                 then $9 or i.project_id = any($10) or i.environment_id = any($11) or i.server_id = any($12)
                 else $13 or j.server_id = any($14) end
           order by j.id desc limit $8"#,
        organization.0,
        filter.id,
        filter.status.as_deref() as Option<&[JobStatus]>,
        filter.kind,
        filter.server,
        filter.instance,
        filter.before,
        filter.limit,
        instances.all,
        &instances.projects,
        &instances.environments,
        &instances.servers,
        servers.all,
        &servers.servers
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|r| r.id).collect();
    let mut steps = job_steps(connection, organization, &ids).await?;
    Ok(rows
        .into_iter()
        .map(|r| Job {
            steps: steps.remove(&r.id).unwrap_or_default(),
            id: JobId(r.id),
            kind: r.kind,
            status: r.status,
            organization_id: organization,
            server_id: r.server_id.map(ServerId),
            instance_id: r.instance_id.map(InstanceId),
            parent_id: r.parent_id.map(JobId),
            subject: r.subject.0,
            attempts: r.attempts,
            waiting: r.waiting,
            result: r.result,
            failure: r.failure.map(|f| f.0),
            cancel_requested: r.cancel_requested_at.is_some(),
            created_by: r.created_by.0,
            deadline_at: r.deadline_at,
            created_at: r.created_at,
            started_at: r.started_at,
            finished_at: r.finished_at,
            version: r.version,
        })
        .collect())
}

async fn job_steps(
    connection: &mut PgConnection, organization: OrganizationId, jobs: &[Uuid],
) -> Result<HashMap<Uuid, Vec<StepSnapshot>>> {
    let rows = sqlx::query!(
        r#"select job_id, name, title, status as "status: StepStatus", started_at, finished_at,
               progress as "progress: Json<Progress>", message
           from job_steps where organization_id = $1 and job_id = any($2) order by job_id, position"#,
        organization.0,
        jobs
    )
    .fetch_all(connection)
    .await?;
    let mut steps: HashMap<Uuid, Vec<StepSnapshot>> = HashMap::new();
    for row in rows {
        steps.entry(row.job_id).or_default().push(StepSnapshot {
            name: row.name,
            title: row.title,
            status: row.status,
            started_at: row.started_at,
            finished_at: row.finished_at,
            progress: row.progress.map(|p| p.0),
            message: row.message,
        });
    }
    Ok(steps)
}
