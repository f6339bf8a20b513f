//! From an agent's report to rows, in one transaction with what the job means for its subject.

use super::model::Reported;
use super::queue::store as queue;
use super::{logs, store};
use crate::app::App;
use crate::error::Result;
use crate::platform::bus::{Kind, Signal};
use crate::platform::tunnel::Tunnel;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use crate::work;
use bytes::BytesMut;
use http_body_util::BodyExt;
use ocore_shared::ids::{JobId, OrganizationId, ServerId};
use ocore_shared::protocol::jobs::{JobFailure, JobLogLine, JobSnapshot, JobStatus};
use ocore_shared::tunnel::{TunnelClient, TunnelError};
use serde_json::json;
use sqlx::PgConnection;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Bytes of a log that are read at once; no line is longer.
const FETCH_BYTES: usize = 1024 * 1024;
const FETCH_TIME: Duration = Duration::from_secs(10);

/// Apply a snapshot in the caller's transaction. Returns what to tell after the commit.
///
/// The log must be whole before a job is seen as ended: fetch it first with [`job_log_complete`].
pub async fn job_report_apply(
    connection: &mut PgConnection, server: ServerId, journal: Uuid, seq: i64, snapshot: &JobSnapshot,
) -> Result<Vec<Signal>> {
    let Some(job) = store::job_lock_open(connection, server, snapshot.id, journal, seq).await? else {
        return Ok(Vec::new());
    };
    store::job_report(connection, &job, snapshot, journal, seq).await?;
    let mut signals = work::job_effect(connection, &job, snapshot).await?;
    signals.extend(told(connection, &job, snapshot.status, snapshot.failure.as_ref()).await?);
    Ok(signals)
}

/// The event, the next job of the instance, and the wake-ups of a changed job.
async fn told(
    connection: &mut PgConnection, job: &Reported, status: JobStatus, failure: Option<&JobFailure>,
) -> Result<Vec<Signal>> {
    let mut signals = vec![Signal::Changed { organization: job.organization, kind: Kind::Job, id: job.id.0 }];
    if let Some(instance) = job.instance {
        signals.push(Signal::Changed { organization: job.organization, kind: Kind::Instance, id: instance.0 });
    }
    if !status.is_terminal() {
        return Ok(signals);
    }
    if let Some(instance) = job.instance {
        queue::job_release_next(connection, job.organization, instance).await?;
    }
    let word = match status {
        JobStatus::Succeeded => "job.succeeded",
        JobStatus::Cancelled => "job.cancelled",
        _ => "job.failed",
    };
    let subject = Subject::new("job", job.id.0, job.kind.clone());
    let data = json!({"kind": job.kind, "subject": job.subject, "failure": failure});
    event_append(connection, job.organization, word, &job.created_by, &subject, data).await?;
    signals.push(Signal::EventsAppended);
    Ok(signals)
}

/// Fetch the lines of a job's log that are missing here. Without it an ended job would have an incomplete log.
pub async fn job_log_complete(app: &App, tunnel: &Arc<Tunnel>, job: JobId, end: u64) -> Result<()> {
    loop {
        let mut tx = app.db.fleet().begin().await?;
        let Some(row) = store::job_lock_open(&mut tx, tunnel.server, job, Uuid::nil(), i64::MAX).await? else {
            return Ok(());
        };
        if row.log_seq as u64 >= end {
            return Ok(());
        }
        drop(tx);
        let lines = log_fetch(&tunnel.client, job, row.log_seq).await?;
        if lines.is_empty() {
            tracing::warn!(%job, have = row.log_seq, end, "the agent no longer has the rest of this log");
            return Ok(());
        }
        let mut tx = app.db.fleet().begin().await?;
        let newest = logs::store::job_log_append(&mut tx, &row, &lines).await?;
        tx.commit().await?;
        app.bus.send(Signal::JobLog { job });
        if newest == row.log_seq {
            tracing::warn!(%job, have = row.log_seq, end, "the agent's log has a gap");
            return Ok(());
        }
    }
}

/// The next lines of a log: whole ones, as many as come within [`FETCH_BYTES`] and [`FETCH_TIME`]. The rest is asked for
/// again from there.
pub(super) async fn log_fetch(client: &TunnelClient, job: JobId, after: i64) -> Result<Vec<JobLogLine>> {
    let mut text = BytesMut::new();
    let mut is_whole = false;
    let read = async {
        let response = client.get_stream(&format!("/jobs/{job}/log?after={after}")).await?;
        let mut body = response.into_body();
        while text.len() < FETCH_BYTES {
            match body.frame().await {
                Some(frame) => text.extend_from_slice(&frame?.into_data().unwrap_or_default()),
                None => {
                    is_whole = true;
                    break;
                }
            }
        }
        Ok::<_, TunnelError>(())
    };
    // What has come until then is good.
    let ended = tokio::time::timeout(FETCH_TIME, read).await.unwrap_or(Err(TunnelError::Timeout(FETCH_TIME)));
    let end = if is_whole { text.len() } else { text.iter().rposition(|b| *b == b'\n').unwrap_or_default() };
    if end == 0 && !is_whole {
        ended?;
        return Err(TunnelError::Malformed("a line of a job's log is too long".into()).into());
    }
    Ok(text[..end].split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// New lines of a running job, as they come. A gap is left for [`job_log_complete`].
pub async fn job_log_arrived(app: &App, server: ServerId, job: JobId, lines: &[JobLogLine]) -> Result<()> {
    let mut tx = app.db.fleet().begin().await?;
    if let Some(row) = store::job_lock_open(&mut tx, server, job, Uuid::nil(), i64::MAX).await? {
        logs::store::job_log_append(&mut tx, &row, lines).await?;
        tx.commit().await?;
        app.bus.send(Signal::JobLog { job });
    }
    Ok(())
}

/// A job that its agent ended earlier, told in the answer to a repeated offer.
pub async fn job_report_ended(app: &App, tunnel: &Arc<Tunnel>, snapshot: JobSnapshot) -> Result<()> {
    job_log_complete(app, tunnel, snapshot.id, snapshot.last_log_seq).await?;
    let mut tx = app.db.fleet().begin().await?;
    let signals = job_report_apply(&mut tx, tunnel.server, Uuid::nil(), i64::MAX, &snapshot).await?;
    tx.commit().await?;
    signals.into_iter().for_each(|signal| app.bus.send(signal));
    app.jobs.poke.notify_one();
    Ok(())
}

/// End a job that no agent works on: refused, removed, or cancelled before its agent heard of it.
pub async fn job_end_here(
    app: &App, organization: OrganizationId, job: JobId, status: JobStatus, failure: Option<JobFailure>,
) -> Result<()> {
    end(app, organization, job, status, failure, false).await.map(drop)
}

/// The same, but only while the job surely was not handed over. False: its agent may be at work on it, or it has ended.
pub async fn job_end_unsent(
    app: &App, organization: OrganizationId, job: JobId, status: JobStatus, failure: Option<JobFailure>,
) -> Result<bool> {
    end(app, organization, job, status, failure, true).await
}

async fn end(
    app: &App, organization: OrganizationId, job: JobId, status: JobStatus, failure: Option<JobFailure>, unsent: bool,
) -> Result<bool> {
    let mut tx = app.db.fleet().begin().await?;
    let Some(row) = store::job_lock(&mut tx, organization, job, unsent).await? else { return Ok(false) };
    store::job_end(&mut tx, job, status, failure.as_ref()).await?;
    let now = app.clock.now();
    let snapshot = JobSnapshot {
        id: job,
        kind: row.kind.clone(),
        status,
        steps: Vec::new(),
        result: None,
        failure: failure.clone(),
        last_log_seq: row.log_seq as u64,
        accepted_at: now,
        finished_at: Some(now),
    };
    let mut signals = work::job_effect(&mut tx, &row, &snapshot).await?;
    signals.extend(told(&mut tx, &row, status, failure.as_ref()).await?);
    tx.commit().await?;
    signals.into_iter().for_each(|signal| app.bus.send(signal));
    app.jobs.poke.notify_one();
    Ok(true)
}
