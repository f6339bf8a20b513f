//! What callers do with jobs: look, wait, cancel, read the log.

use super::model::{Dispatch, Job};
use super::report;
use super::store::{self, JobFilter};
use super::{dispatch, logs};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::streams::StreamItem;
use crate::platform::http::{Ctx, List, Page, Permission};
use crate::signals::events::Subject;
use futures::Stream;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::jobs::JobStatus;
use serde_json::json;
use sqlx::Connection;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

const LOG_BATCH: i64 = 500;

/// Jobs of what the caller may see, newest first.
pub async fn job_list(ctx: &Ctx, app: &App, mut filter: JobFilter, page: &Page) -> Result<List<Job>> {
    filter.before = page.before()?;
    filter.limit = page.fetch();
    let jobs = fetch(ctx, app, &filter).await?;
    Ok(List::new(jobs, page, |job| job.id.0))
}

async fn fetch(ctx: &Ctx, app: &App, filter: &JobFilter) -> Result<Vec<Job>> {
    let (instances, servers) = (ctx.reach_of(Permission::ViewInstances), ctx.reach_of(Permission::ViewServers));
    let mut connection = app.db.org(ctx.organization).await?;
    store::job_list(&mut connection, ctx.organization, &instances, &servers, filter).await
}

/// One job.
pub async fn job_get(ctx: &Ctx, app: &App, id: JobId) -> Result<Job> {
    let filter = JobFilter { id: Some(id.0), limit: 1, ..JobFilter::default() };
    fetch(ctx, app, &filter).await?.pop().ok_or(Error::NotFound("job"))
}

/// One job, as soon as it has ended, at the latest after `wait`.
pub async fn job_wait(ctx: &Ctx, app: &App, id: JobId, wait: Duration) -> Result<Job> {
    // Subscribed before the first look, so that no end falls between the two.
    let mut signals = app.bus.subscribe();
    let deadline = Instant::now() + wait;
    loop {
        let job = job_get(ctx, app, id).await?;
        if job.status.is_terminal() || wait.is_zero() {
            return Ok(job);
        }
        let changed = async {
            loop {
                match signals.recv().await {
                    Ok(Signal::Changed { kind: Kind::Job, id: changed, .. }) if changed == id.0 => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                }
            }
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep_until(deadline) => return Ok(job),
            () = app.stop.cancelled() => return Ok(job),
        }
    }
}

/// Cancel a job: at once when it has not begun, else as soon as its agent has taken its work back.
pub async fn job_cancel(ctx: &Ctx, app: &App, id: JobId) -> Result<Job> {
    let job = job_get(ctx, app, id).await?;
    let needed = if job.instance_id.is_some() { Permission::ManageInstances } else { Permission::ManageServers };
    if !ctx.access.anywhere().contains(needed) {
        return Err(Error::forbidden("permission_denied", format!("This needs the permission {}.", needed.key())));
    }
    if job.status.is_terminal() {
        return Err(Error::conflict("job_ended", "The job has ended already; there is nothing to cancel."));
    }
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::job_request_cancel(&mut tx, ctx.organization, id).await?;
    let subject = Subject::new("job", id.0, job.kind.clone());
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "job.cancel_requested", &subject, None, None).await?;
    tx.commit().await?;
    drop(connection);
    match (job.status, job.server_id) {
        (JobStatus::Queued, _) | (_, None) => {
            report::job_end_here(app, ctx.organization, id, JobStatus::Cancelled, None).await?;
        }
        (_, Some(server)) => {
            let dispatch = Dispatch {
                id,
                kind: job.kind,
                organization: ctx.organization,
                server,
                instance: job.instance_id,
                input: json!({}),
                secrets: Default::default(),
                timeout_seconds: None,
                cancel_requested: true,
            };
            dispatch::job_cancel_dispatch(app, dispatch).await;
        }
    }
    app.bus.changed(ctx.organization, Kind::Job, id.0);
    job_get(ctx, app, id).await
}

/// The log from `after` on: what is there, then what comes, then the ended job.
pub fn job_log_stream(
    ctx: Ctx, app: App, id: JobId, after: i64, follow: bool,
) -> impl Stream<Item = StreamItem> + Send {
    async_stream::stream! {
        let mut signals = app.bus.subscribe();
        let mut after = after;
        loop {
            let Ok(job) = job_get(&ctx, &app, id).await else { return };
            loop {
                let lines = match app.db.org(ctx.organization).await {
                    Ok(mut connection) => {
                        logs::store::job_log_list(&mut connection, ctx.organization, id, after, LOG_BATCH).await
                    }
                    Err(error) => Err(error),
                };
                let Ok(lines) = lines else { return };
                let more = lines.len() as i64 == LOG_BATCH;
                for line in lines {
                    after = line.seq as i64;
                    let item = StreamItem::new("log", &line);
                    yield StreamItem { id: Some(line.seq.to_string()), text: Some(line.text), ..item };
                }
                if !more { break }
            }
            if job.status.is_terminal() {
                yield StreamItem::new("end", &job);
                return;
            }
            if !follow { return }
            let news = async {
                loop {
                    match signals.recv().await {
                        Ok(Signal::JobLog { job }) if job == id => return,
                        Ok(Signal::Changed { kind: Kind::Job, id: changed, .. }) if changed == id.0 => return,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => return,
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            tokio::select! {
                () = news => {}
                // The net below a wake-up that another replica's work never sends here.
                () = tokio::time::sleep(Duration::from_secs(5)) => {}
                () = app.stop.cancelled() => return,
            }
        }
    }
}
