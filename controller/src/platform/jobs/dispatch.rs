//! From a row to its agent: `PUT /jobs/{id}`, again and again until the agent has it.

use super::model::{Dispatch, Enqueued};
use super::{report, store};
use crate::app::App;
use crate::error::Result;
use crate::platform::bus::Kind;
use crate::platform::secrets::store as secrets;
use crate::platform::tunnel::Tunnel;
use http::{Method, StatusCode};
use ocore_shared::ids::ServerId;
use ocore_shared::protocol::jobs::{JobFailure, JobRequest, JobSnapshot, JobStatus};
use ocore_shared::tunnel::TunnelError;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const PUT_TIMEOUT: Duration = Duration::from_secs(10);
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
const SWEEP_BATCH: i64 = 100;
/// A job of an absent agent is offered when the agent connects; this is only the net below that.
const OFFLINE_RETRY_SECONDS: f64 = 5.0;

/// Dispatch a job that was claimed when it was enqueued. Call it after the commit.
pub fn job_dispatch_soon(app: &App, enqueued: Enqueued) {
    let Enqueued::Claimed(job) = enqueued else { return };
    app.bus.changed(job.organization, Kind::Job, job.id.0);
    let app_ = app.clone();
    app.spawn(async move { job_dispatch(&app_, *job).await });
}

/// Offer one job to its agent.
pub async fn job_dispatch(app: &App, job: Dispatch) {
    if let Err(error) = offer(app, &job).await {
        tracing::warn!(job = %job.id, kind = %job.kind, %error, "a job could not be handed over; it will be tried again");
    }
}

async fn offer(app: &App, job: &Dispatch) -> Result<()> {
    let Ok(tunnel) = app.tunnels.get(job.server) else {
        return store::job_requeue(app.db.fleet(), job.id, OFFLINE_RETRY_SECONDS).await;
    };
    if job.cancel_requested {
        return cancel_on_agent(app, &tunnel, job).await;
    }
    let request = JobRequest {
        kind: job.kind.clone(),
        organization_id: job.organization,
        instance_id: job.instance,
        input: job.input.clone(),
        secrets: secrets_open(app, job).await?,
        timeout_seconds: job.timeout_seconds.map(|s| s as u64),
    };
    let path = format!("/jobs/{}", job.id);
    match tunnel.client.call::<_, JobSnapshot>(Method::PUT, &path, &request, PUT_TIMEOUT).await {
        Ok((_, snapshot)) => accepted(app, &tunnel, job, snapshot).await,
        Err(TunnelError::Agent { status, error }) if status == StatusCode::CONFLICT => {
            give_up(app, job, "job_refused", error.message).await
        }
        Err(TunnelError::Agent { status, error }) if status.is_client_error() => {
            give_up(app, job, "job_refused", error.message).await
        }
        // The agent cannot write, or the link broke: whether it has the job is unknown, and asking again is harmless.
        Err(error) => {
            tracing::debug!(job = %job.id, %error, "hand-over unanswered");
            store::job_requeue(app.db.fleet(), job.id, 1.0).await
        }
    }
}

async fn accepted(app: &App, tunnel: &Arc<Tunnel>, job: &Dispatch, snapshot: JobSnapshot) -> Result<()> {
    if snapshot.status.is_terminal() {
        // It ended while nobody listened. Its event may have been acknowledged before the database lost it.
        return report::job_report_ended(app, tunnel, snapshot).await;
    }
    if store::job_mark_running(app.db.fleet(), job.id).await? {
        app.bus.changed(job.organization, Kind::Job, job.id.0);
    }
    Ok(())
}

async fn cancel_on_agent(app: &App, tunnel: &Arc<Tunnel>, job: &Dispatch) -> Result<()> {
    let path = format!("/jobs/{}", job.id);
    match tunnel.client.call::<_, JobSnapshot>(Method::DELETE, &path, &(), PUT_TIMEOUT).await {
        Ok((_, snapshot)) => accepted(app, tunnel, job, snapshot).await,
        // The agent never heard of it, so nothing has to be taken back.
        Err(TunnelError::Agent { status, .. }) if status == StatusCode::NOT_FOUND => {
            report::job_end_here(app, job.organization, job.id, JobStatus::Cancelled, None).await
        }
        Err(error) => {
            tracing::debug!(job = %job.id, %error, "cancel unanswered");
            Ok(())
        }
    }
}

/// Tell the agent to cancel, now if it is there; else its next connect does.
pub async fn job_cancel_dispatch(app: &App, mut job: Dispatch) {
    job.cancel_requested = true;
    if let Ok(tunnel) = app.tunnels.get(job.server)
        && let Err(error) = cancel_on_agent(app, &tunnel, &job).await
    {
        tracing::warn!(job = %job.id, %error, "a cancel could not be handed over");
    }
}

async fn give_up(app: &App, job: &Dispatch, code: &str, message: String) -> Result<()> {
    let failure = JobFailure { code: code.into(), message, retryable: false };
    report::job_end_here(app, job.organization, job.id, JobStatus::Failed, Some(failure)).await
}

/// Values of the job's secrets, opened for the one body that carries them.
async fn secrets_open(app: &App, job: &Dispatch) -> Result<BTreeMap<String, String>> {
    if job.secrets.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<Uuid> = job.secrets.values().copied().collect();
    let sealed = secrets::secret_list_sealed(app.db.fleet(), job.organization, &ids).await?;
    let mut values = BTreeMap::new();
    for (name, id) in &job.secrets {
        let Some(sealed) = sealed.get(id) else { continue };
        let plain = app.keyring.unseal(&format!("secrets {id}"), sealed).map_err(crate::error::Error::Internal)?;
        values.insert(name.clone(), String::from_utf8_lossy(&plain).into_owned());
    }
    Ok(values)
}

/// Offer every open job of a server whose agent has just connected: known ones answer with their state.
pub async fn job_offer_all(app: &App, server: ServerId) {
    match store::job_list_open_of_server(app.db.fleet(), server).await {
        Ok(jobs) => {
            for job in jobs {
                job_dispatch(app, job).await;
            }
        }
        Err(error) => tracing::warn!(%server, %error, "open jobs could not be read; the sweeper will"),
    }
}

/// The sweeper: whatever was enqueued and not handed over, once a second and whenever somebody rings.
pub async fn job_sweep(app: App) {
    loop {
        if let Err(error) = sweep_once(&app).await {
            tracing::warn!(%error, "the job sweeper could not read the queue");
        }
        tokio::select! {
            () = app.jobs.poke.notified() => {}
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
        }
    }
}

async fn sweep_once(app: &App) -> Result<()> {
    for (organization, job) in store::job_list_overdue(app.db.fleet(), SWEEP_BATCH).await? {
        let failure = JobFailure {
            code: "deadline_exceeded".into(),
            message: "The server did not come online in time; bring it back and try again.".into(),
            retryable: true,
        };
        report::job_end_here(app, organization, job, JobStatus::Failed, Some(failure)).await?;
    }
    let servers = app.tunnels.servers();
    if servers.is_empty() {
        return Ok(());
    }
    for job in store::job_claim_due(app.db.fleet(), app.replica, &servers, SWEEP_BATCH).await? {
        let app_ = app.clone();
        app.spawn(async move { job_dispatch(&app_, job).await });
    }
    Ok(())
}
