//! From a row to its agent: `PUT /jobs/{id}`, again and again until the agent has it.

use super::model::{Dispatch, Enqueued};
use super::queue::store::{self as queue, Doom};
use super::report;
use crate::app::App;
use crate::error::Result;
use crate::platform::bus::Kind;
use crate::platform::secrets::store as secrets;
use crate::platform::tunnel::Tunnel;
use futures::{StreamExt, stream};
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
/// Jobs that a connected agent is offered at the same time.
const OFFERS: usize = 8;
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
        return queue::job_requeue(app.db.fleet(), job, OFFLINE_RETRY_SECONDS, true).await;
    };
    if job.cancel_requested || job.overdue {
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
        // Its cancellation was faster.
        Err(TunnelError::Agent { error, .. }) if error.code == "job_cancelled" => {
            report::job_end_here(app, job.organization, job.id, JobStatus::Cancelled, None).await
        }
        Err(TunnelError::Agent { status, error }) if status.is_client_error() => {
            let failure = JobFailure { code: "job_refused".into(), message: error.message, retryable: false };
            report::job_end_here(app, job.organization, job.id, JobStatus::Failed, Some(failure)).await
        }
        // The agent cannot write, or the link broke: whether it has the job is unknown, and asking again is harmless.
        Err(error) => {
            tracing::debug!(job = %job.id, %error, "hand-over unanswered");
            queue::job_requeue(app.db.fleet(), job, 1.0, false).await
        }
    }
}

async fn accepted(app: &App, tunnel: &Arc<Tunnel>, job: &Dispatch, snapshot: JobSnapshot) -> Result<()> {
    if snapshot.status.is_terminal() {
        // It ended while nobody listened. Its event may have been acknowledged before the database lost it.
        return report::job_report_ended(app, tunnel, snapshot).await;
    }
    if queue::job_mark_running(app.db.fleet(), job.id).await? {
        app.bus.changed(job.organization, Kind::Job, job.id.0);
    } else if queue::job_is_ended_here(app.db.fleet(), job.id).await? {
        // Nobody waits for it any more. Its answer changes nothing here.
        let path = format!("/jobs/{}", job.id);
        tunnel.client.call::<_, JobSnapshot>(Method::DELETE, &path, &(), PUT_TIMEOUT).await?;
    }
    Ok(())
}

async fn cancel_on_agent(app: &App, tunnel: &Arc<Tunnel>, job: &Dispatch) -> Result<()> {
    let path = format!("/jobs/{}", job.id);
    match tunnel.client.call::<_, JobSnapshot>(Method::DELETE, &path, &(), PUT_TIMEOUT).await {
        Ok((_, snapshot)) => accepted(app, tunnel, job, snapshot).await,
        // The agent never heard of it, and refuses it from now on: nothing has to be taken back.
        Err(TunnelError::Agent { status, .. }) if status == StatusCode::NOT_FOUND => {
            let (status, failure) =
                if job.cancel_requested { ending(Doom::Cancelled) } else { ending(Doom::DeadlineExceeded) };
            report::job_end_here(app, job.organization, job.id, status, failure).await
        }
        Err(error) => {
            tracing::debug!(job = %job.id, %error, "cancel unanswered; it is told again");
            Ok(())
        }
    }
}

/// Tell the agent to cancel, now if it is there; else its next connect or the sweeper does.
pub async fn job_cancel_dispatch(app: &App, mut job: Dispatch) {
    job.cancel_requested = true;
    if let Ok(tunnel) = app.tunnels.get(job.server)
        && let Err(error) = cancel_on_agent(app, &tunnel, &job).await
    {
        tracing::warn!(job = %job.id, %error, "a cancel could not be handed over");
    }
}

/// How a job ends that is ended here.
fn ending(why: Doom) -> (JobStatus, Option<JobFailure>) {
    let (code, message, retryable) = match why {
        Doom::Cancelled => return (JobStatus::Cancelled, None),
        Doom::ServerRemoved => ("server_removed", "The server was removed before the job ended.", false),
        Doom::InstanceRemoved => ("instance_removed", "The instance was removed before the job's turn came.", false),
        Doom::DeadlineExceeded => {
            ("deadline_exceeded", "The server did not come online in time; bring it back and try again.", true)
        }
    };
    (JobStatus::Failed, Some(JobFailure { code: code.into(), message: message.into(), retryable }))
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
    match queue::job_claim_open_of_server(app.db.fleet(), app.replica, server).await {
        // Some at a time: the last one is to be offered while its claim is fresh.
        Ok(jobs) => stream::iter(jobs).for_each_concurrent(OFFERS, |job| job_dispatch(app, job)).await,
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

pub(super) async fn sweep_once(app: &App) -> Result<()> {
    let fleet = app.db.fleet();
    for doomed in queue::job_list_doomed(fleet, SWEEP_BATCH).await? {
        let (status, failure) = ending(doomed.why);
        let ended = match doomed.unsent {
            true => report::job_end_unsent(app, doomed.organization, doomed.job, status, failure).await.map(drop),
            false => report::job_end_here(app, doomed.organization, doomed.job, status, failure).await,
        };
        // One that cannot be ended now holds up no other.
        if let Err(error) = ended {
            tracing::warn!(job = %doomed.job, why = ?doomed.why, %error, "a job could not be ended; it is tried again");
        }
    }
    let servers = app.tunnels.servers();
    if servers.is_empty() {
        return Ok(());
    }
    let mut jobs = queue::job_claim_due(fleet, app.replica, &servers, SWEEP_BATCH).await?;
    jobs.extend(queue::job_claim_cancelled(fleet, app.replica, &servers, SWEEP_BATCH).await?);
    for job in jobs {
        let app_ = app.clone();
        app.spawn(async move { job_dispatch(&app_, job).await });
    }
    Ok(())
}
