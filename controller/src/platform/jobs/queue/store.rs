//! Every query that moves a job through the queue.

use crate::error::{Error, Result};
use crate::platform::jobs::model::Dispatch;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, ReplicaId, ServerId};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Seconds after which a dispatch that was not answered is tried again.
pub const CLAIM_SECONDS: f64 = 15.0;
/// Seconds after which a wish to cancel that its agent may not have got is told again.
const CANCEL_AGAIN_SECONDS: f64 = 15.0;

struct DispatchRow {
    id: Uuid,
    kind: String,
    organization_id: Uuid,
    server_id: Option<Uuid>,
    instance_id: Option<Uuid>,
    input: Value,
    secret_ids: Json<BTreeMap<String, Uuid>>,
    timeout_seconds: Option<i64>,
    attempts: i32,
    cancel_requested_at: Option<DateTime<Utc>>,
    overdue: bool,
}

fn dispatches(rows: Vec<DispatchRow>) -> Vec<Dispatch> {
    rows.into_iter()
        .filter_map(|row| {
            Some(Dispatch {
                id: JobId(row.id),
                kind: row.kind,
                organization: OrganizationId(row.organization_id),
                server: ServerId(row.server_id?),
                instance: row.instance_id.map(InstanceId),
                input: row.input,
                secrets: row.secret_ids.0,
                timeout_seconds: row.timeout_seconds,
                attempt: row.attempts,
                cancel_requested: row.cancel_requested_at.is_some(),
                overdue: row.overdue,
            })
        })
        .collect()
}

/// Claim what is due on servers whose tunnels are here: queued jobs, and dispatches that were never answered.
pub async fn job_claim_due(system: &PgPool, replica: ReplicaId, servers: &[Uuid], limit: i64) -> Result<Vec<Dispatch>> {
    let mut tx = system.begin().await?;
    // Losing a claim in a crash costs one more idempotent dispatch; waiting for the disk costs every job.
    sqlx::query!("set local synchronous_commit = off").execute(&mut *tx).await?;
    let rows = sqlx::query_as!(
        DispatchRow,
        r#"update jobs set status = 'dispatched', claimed_by = $1, attempts = attempts + 1,
               claimed_until = now() + make_interval(secs => $2), updated_at = now()
           where id in (
               select id from jobs
               where not waiting and server_id = any($3) and run_at <= now()
                 and (status = 'queued' or (status = 'dispatched' and claimed_until < now()))
               order by run_at limit $4 for update skip locked)
           returning id, kind, organization_id as "organization_id!", server_id, instance_id, input,
               secret_ids as "secret_ids: Json<BTreeMap<String, Uuid>>", timeout_seconds, attempts, cancel_requested_at,
               coalesce(deadline_at < now(), false) as "overdue!""#,
        replica.0,
        CLAIM_SECONDS,
        servers,
        limit
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(dispatches(rows))
}

/// Claim every job that is on its way to, or at work on, one server: offered again when its agent connects. One that is
/// locked is being reported by that agent, or handed over, at this moment.
pub async fn job_claim_open_of_server(system: &PgPool, replica: ReplicaId, server: ServerId) -> Result<Vec<Dispatch>> {
    let rows = sqlx::query_as!(
        DispatchRow,
        r#"update jobs set status = case status when 'running' then status else 'dispatched' end, claimed_by = $1,
               attempts = attempts + 1, claimed_until = now() + make_interval(secs => $2), updated_at = now()
           where id in (
               select id from jobs
               where server_id = $3 and not waiting and status in ('queued', 'dispatched', 'running')
               for update skip locked)
           returning id, kind, organization_id as "organization_id!", server_id, instance_id, input,
               secret_ids as "secret_ids: Json<BTreeMap<String, Uuid>>", timeout_seconds, attempts, cancel_requested_at,
               coalesce(deadline_at < now() and status <> 'running', false) as "overdue!""#,
        replica.0,
        CLAIM_SECONDS,
        server.0
    )
    .fetch_all(system)
    .await?;
    Ok(dispatches(rows))
}

/// Claim running jobs of servers whose tunnels are here that were to be cancelled a while ago: the agent may never have
/// heard of it. What is not running yet comes by [`job_claim_due`].
pub async fn job_claim_cancelled(
    system: &PgPool, replica: ReplicaId, servers: &[Uuid], limit: i64,
) -> Result<Vec<Dispatch>> {
    let rows = sqlx::query_as!(
        DispatchRow,
        r#"update jobs set claimed_by = $1, claimed_until = now() + make_interval(secs => $2), updated_at = now()
           where id in (
               select id from jobs
               where server_id = any($3) and status = 'running' and (claimed_until is null or claimed_until < now())
                 and cancel_requested_at < now() - make_interval(secs => $4)
               limit $5 for update skip locked)
           returning id, kind, organization_id as "organization_id!", server_id, instance_id, input,
               secret_ids as "secret_ids: Json<BTreeMap<String, Uuid>>", timeout_seconds, attempts, cancel_requested_at,
               false as "overdue!""#,
        replica.0,
        CLAIM_SECONDS,
        servers,
        CANCEL_AGAIN_SECONDS,
        limit
    )
    .fetch_all(system)
    .await?;
    Ok(dispatches(rows))
}

/// The agent could not be reached: back to the queue, for its next connect or the sweeper. With `untold` nothing was
/// sent, so that the attempt does not count. A dispatch that somebody else has claimed meanwhile stays theirs.
pub async fn job_requeue(system: &PgPool, job: &Dispatch, seconds: f64, untold: bool) -> Result<()> {
    sqlx::query!(
        "update jobs set status = 'queued', claimed_by = null, claimed_until = null,
             attempts = attempts - case when $3 then 1 else 0 end, run_at = now() + make_interval(secs => $2)
         where id = $1 and status = 'dispatched' and attempts = $4",
        job.id.0,
        seconds,
        untold,
        job.attempt
    )
    .execute(system)
    .await?;
    Ok(())
}

/// The agent has it. Not durable by itself: what the agent reports later is. False: nothing has changed.
pub async fn job_mark_running(system: &PgPool, job: JobId) -> Result<bool> {
    let mut tx = system.begin().await?;
    sqlx::query!("set local synchronous_commit = off").execute(&mut *tx).await?;
    let done = sqlx::query!(
        "update jobs set status = 'running', claimed_until = null, started_at = coalesce(started_at, now()),
             version = version + 1, updated_at = now() where id = $1 and status in ('queued', 'dispatched')",
        job.0
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() > 0)
}

/// Whether a job was ended here and not by its agent's report.
pub async fn job_is_ended_here(system: &PgPool, job: JobId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from jobs where id = $1 and journal_id is null
               and status in ('succeeded', 'failed', 'cancelled')) as "ended!""#,
        job.0
    )
    .fetch_one(system)
    .await?)
}

/// Why a job is ended here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Doom {
    /// Its server was removed while it was open.
    ServerRemoved,
    /// Its instance was removed while it waited for its turn.
    InstanceRemoved,
    /// It was to be cancelled.
    Cancelled,
    /// Its agent did not come in time.
    DeadlineExceeded,
}

/// A job that nobody can carry out any more.
pub struct Doomed {
    pub organization: OrganizationId,
    pub job: JobId,
    pub why: Doom,
    /// End it only while it surely was not handed over.
    pub unsent: bool,
}

/// Jobs to be ended here. What an agent may have is not among them but where nobody waits for that agent: it is
/// cancelled there.
pub async fn job_list_doomed(system: &PgPool, limit: i64) -> Result<Vec<Doomed>> {
    let rows = sqlx::query!(
        r#"select organization_id as "organization_id!", id as "id!", 'server_removed' as "why!: Doom", false as "unsent!"
           from jobs
           where server_id is null and executor = 'agent' and status in ('queued', 'dispatched', 'running')
           union all
           select organization_id, id, 'instance_removed', false from jobs
           where waiting and status = 'queued' and instance_id is null and server_id is not null
             -- These wait for one of their own kind.
             and kind <> 'proxy_apply'
           union all
           select organization_id, id, 'cancelled', true from jobs
           where cancel_requested_at is not null and status = 'queued' and attempts = 0 and server_id is not null
           union all
           select j.organization_id, j.id, 'deadline_exceeded', s.removing_at is null
           from jobs j join servers s on s.id = j.server_id
           where j.deadline_at < now() and j.status in ('queued', 'dispatched')
             and (s.removing_at is not null or (j.status = 'queued' and j.attempts = 0))
           limit $1"#,
        limit
    )
    .fetch_all(system)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Doomed {
            organization: OrganizationId(r.organization_id),
            job: JobId(r.id),
            why: r.why,
            unsent: r.unsent,
        })
        .collect())
}

/// The open job of an instance that others wait for. Enqueuing and ending lock the instance first, so that one of the
/// two sees what the other has done.
pub async fn job_of_busy_instance(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId,
) -> Result<Option<(JobId, String)>> {
    if !instance_lock(connection, organization, instance).await? {
        return Err(Error::NotFound("instance"));
    }
    let row = sqlx::query!(
        "select id, kind from jobs where organization_id = $1 and instance_id = $2 and not waiting
         and status in ('queued', 'dispatched', 'running')",
        organization.0,
        instance.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| (JobId(r.id), r.kind)))
}

/// A job of an instance has ended: let the next one go that waits, if none is at work. One that is locked is being
/// ended itself, and its end lets the one after it go.
pub async fn job_release_next(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId,
) -> Result<()> {
    if !instance_lock(connection, organization, instance).await? {
        return Ok(());
    }
    sqlx::query!(
        "update jobs set waiting = false, run_at = now() where id = (
             select id from jobs where instance_id = $1 and waiting and status = 'queued' order by id limit 1
             for update skip locked)
           and not exists (select from jobs r where r.instance_id = $1 and not r.waiting
             and r.status in ('queued', 'dispatched', 'running'))",
        instance.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// False: there is no such instance any more.
async fn instance_lock(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId,
) -> Result<bool> {
    let row = sqlx::query!(
        "select id from instances where id = $1 and organization_id = $2 for no key update",
        instance.0,
        organization.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}
