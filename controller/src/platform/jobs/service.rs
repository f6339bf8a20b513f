//! What callers do with jobs: look, wait, cancel, read the log.

use super::model::{Dispatch, Job};
use super::report;
use super::store::{self, JobFilter};
use super::{dispatch, logs};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::while_unchanged;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::streams::StreamItem;
use crate::platform::http::{Caller, Ctx, List, Page, Permission};
use crate::signals::events::Subject;
use futures::Stream;
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, ServerId};
use ocore_shared::protocol::jobs::JobStatus;
use serde_json::json;
use sqlx::Connection;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

const LOG_BATCH: i64 = 500;
/// How often a job is looked at while somebody waits for it: another replica's work rings no bell here.
const WAIT_POLL: Duration = Duration::from_secs(2);
/// What shows a job: of an instance, of a server.
const VIEW: (Permission, Permission) = (Permission::ViewInstances, Permission::ViewServers);
const MANAGE: (Permission, Permission) = (Permission::ManageInstances, Permission::ManageServers);

/// Jobs of what the caller may see, newest first.
pub async fn job_list(ctx: &Ctx, app: &App, mut filter: JobFilter, page: &Page) -> Result<List<Job>> {
    filter.before = page.before()?;
    filter.limit = page.fetch();
    let jobs = fetch(ctx, app, VIEW, &filter).await?;
    Ok(List::new(jobs, page, |job| job.id.0))
}

/// Jobs on instances where the first permission holds, and jobs on servers where the second does.
async fn fetch(ctx: &Ctx, app: &App, by: (Permission, Permission), filter: &JobFilter) -> Result<Vec<Job>> {
    let (instances, servers) = (ctx.reach_of(by.0), ctx.reach_of(by.1));
    let mut connection = app.db.org(ctx.organization).await?;
    store::job_list(&mut connection, ctx.organization, &instances, &servers, filter).await
}

async fn fetch_one(ctx: &Ctx, app: &App, by: (Permission, Permission), id: JobId) -> Result<Option<Job>> {
    let filter = JobFilter { id: Some(id.0), limit: 1, ..JobFilter::default() };
    Ok(fetch(ctx, app, by, &filter).await?.pop())
}

/// One job.
pub async fn job_get(ctx: &Ctx, app: &App, id: JobId) -> Result<Job> {
    fetch_one(ctx, app, VIEW, id).await?.ok_or(Error::NotFound("job"))
}

/// One job, as soon as it has ended, at the latest after `wait`.
pub async fn job_wait(ctx: &Ctx, app: &App, id: JobId, wait: Duration) -> Result<Job> {
    // Subscribed before the first look, so that no end falls between the two.
    let mut signals = app.bus.subscribe();
    let deadline = Instant::now() + wait;
    loop {
        let job = job_get(ctx, app, id).await?;
        if job.status.is_terminal() || Instant::now() >= deadline || app.stop.is_cancelled() {
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
            () = tokio::time::sleep_until(deadline.min(Instant::now() + WAIT_POLL)) => {}
            () = app.stop.cancelled() => {}
        }
    }
}

/// Cancel a job: at once when its agent surely has not heard of it, else as soon as that has taken its work back.
pub async fn job_cancel(ctx: &Ctx, app: &App, id: JobId) -> Result<Job> {
    let job = job_get(ctx, app, id).await?;
    // Where jobs may be cancelled, and what this one works on may be managed.
    let here = (ctx.permission, ctx.permission);
    if fetch_one(ctx, app, here, id).await?.is_none() || fetch_one(ctx, app, MANAGE, id).await?.is_none() {
        let needed = if job.instance_id.is_some() { MANAGE.0 } else { MANAGE.1 };
        let message = format!("This needs {} and {} where the job works.", ctx.permission.key(), needed.key());
        return Err(Error::forbidden("permission_denied", message));
    }
    let Job { ref kind, server_id, instance_id, attempts, .. } = job;
    let target = JobToCancel { id, kind, server: server_id, instance: instance_id, attempts };
    job_cancel_now(&ctx.caller, app, ctx.organization, &target).await?;
    job_get(ctx, app, id).await
}

/// What cancelling needs of a job of an agent.
pub struct JobToCancel<'a> {
    pub id: JobId,
    pub kind: &'a str,
    pub server: Option<ServerId>,
    pub instance: Option<InstanceId>,
    pub attempts: i32,
}

/// Cancel an agent's job for a caller who may.
pub async fn job_cancel_now(
    caller: &Caller, app: &App, organization: OrganizationId, job: &JobToCancel<'_>,
) -> Result<()> {
    let id = job.id;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    if !store::job_request_cancel(&mut tx, organization, id).await? {
        return Err(Error::conflict("job_ended", "The job has ended already; there is nothing to cancel."));
    }
    let subject = Subject::new("job", id.0, job.kind);
    audit_append(&mut tx, Some(organization), caller, "job.cancel_requested", &subject, None, None).await?;
    tx.commit().await?;
    drop(connection);
    let ended = report::job_end_unsent(app, organization, id, JobStatus::Cancelled, None).await?;
    if let (false, Some(server)) = (ended, job.server) {
        let dispatch = Dispatch {
            id,
            kind: job.kind.to_owned(),
            organization,
            server,
            instance: job.instance,
            input: json!({}),
            secrets: Default::default(),
            timeout_seconds: None,
            attempt: job.attempts,
            cancel_requested: true,
            overdue: false,
        };
        dispatch::job_cancel_dispatch(app, dispatch).await;
    }
    app.bus.changed(organization, Kind::Job, id.0);
    Ok(())
}

/// Note that a log leaves the house.
pub async fn job_log_download_note(ctx: &Ctx, app: &App, job: &Job) -> Result<()> {
    let subject = Subject::new("job", job.id.0, job.kind.clone());
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let action = "job_log.downloaded";
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, None, None).await?;
    tx.commit().await?;
    Ok(())
}

/// The log from `after` on: what is there, then what comes, then the ended job; as long as the caller may see it.
pub fn job_log_stream(
    ctx: Ctx, app: App, id: JobId, after: i64, follow: bool,
) -> impl Stream<Item = StreamItem> + Send {
    let (app_, caller, access) = (app.clone(), ctx.caller.clone(), ctx.access.clone());
    // Several permissions say which jobs one sees.
    while_unchanged(&app_, caller, ctx.organization, access, job_log_items(ctx, app, id, after, follow))
}

fn job_log_items(ctx: Ctx, app: App, id: JobId, after: i64, follow: bool) -> impl Stream<Item = StreamItem> + Send {
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
