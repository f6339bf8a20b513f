//! Looking into the queue, and putting right what is stuck there.

use super::model::{AdminJob, AdminJobs, Executor, JobFilter};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::Kind;
use crate::platform::http::{Caller, List, Page};
use crate::platform::jobs::service::{JobToCancel, job_cancel_now};
use crate::platform::jobs::tasks::task_poke;
use crate::signals::events::Subject;
use ocore_shared::ids::JobId;
use sqlx::PgConnection;

/// All queues, and one page of the jobs that match.
pub async fn job_list(app: &App, filter: &JobFilter<'_>, page: &Page) -> Result<AdminJobs> {
    let queues = store::job_queues(app.db.system(), app.clock.now()).await?;
    let mut connection = app.db.system().acquire().await?;
    let jobs = store::job_list(&mut connection, filter, page).await?;
    let List { data, next_cursor, has_more } = List::new(jobs, page, |job| job.id.0);
    Ok(AdminJobs { queues, data, next_cursor, has_more })
}

async fn found(connection: &mut PgConnection, id: JobId) -> Result<AdminJob> {
    let filter = JobFilter { id: Some(id), ..JobFilter::default() };
    store::job_list(connection, &filter, &Page::default()).await?.pop().ok_or(Error::NotFound("job"))
}

/// Do a failed or cancelled job of the controller's own again. What an agent did is asked for anew where it began: its
/// server may have moved on since.
pub async fn job_retry(caller: &Caller, app: &App, id: JobId) -> Result<AdminJob> {
    let mut tx = app.db.system().begin().await?;
    let job = found(&mut tx, id).await?;
    if job.executor == Executor::Agent {
        let (kind, name) = (&job.subject.kind, &job.subject.name);
        let message = format!("Work on a server is not repeated from here; ask for it anew at the {kind} {name}.");
        return Err(Error::conflict("not_retryable", message));
    }
    if !store::task_retry(&mut tx, id, app.clock.now()).await? {
        return Err(Error::conflict("job_not_failed", "Only a job that failed or was cancelled is done again."));
    }
    note(&mut tx, caller, &job, "job.retried").await?;
    let job = found(&mut tx, id).await?;
    tx.commit().await?;
    task_poke(app);
    told(app, &job);
    Ok(job)
}

/// Cancel any job: at once where nobody is at work on it, else as soon as its executor has let go of it.
pub async fn job_cancel(caller: &Caller, app: &App, id: JobId) -> Result<AdminJob> {
    let mut connection = app.db.system().acquire().await?;
    let job = found(&mut connection, id).await?;
    drop(connection);
    match (job.executor, job.organization_id) {
        (Executor::Agent, Some(organization)) => {
            let AdminJob { ref kind, server_id, instance_id, attempts, .. } = job;
            let target = JobToCancel { id, kind, server: server_id, instance: instance_id, attempts };
            job_cancel_now(caller, app, organization, &target).await?;
        }
        _ => {
            let mut tx = app.db.system().begin().await?;
            if !store::task_request_cancel(&mut tx, id, app.clock.now()).await? {
                return Err(Error::conflict("job_ended", "The job has ended already; there is nothing to cancel."));
            }
            note(&mut tx, caller, &job, "job.cancel_requested").await?;
            tx.commit().await?;
            task_poke(app);
            told(app, &job);
        }
    }
    let mut connection = app.db.system().acquire().await?;
    found(&mut connection, id).await
}

/// In the log of the job's organization: its people should see who has interfered.
async fn note(connection: &mut PgConnection, caller: &Caller, job: &AdminJob, action: &str) -> Result<()> {
    let subject = Subject::new("job", job.id.0, job.kind.clone());
    audit_append(connection, job.organization_id, caller, action, &subject, None, None).await
}

fn told(app: &App, job: &AdminJob) {
    if let Some(organization) = job.organization_id {
        app.bus.changed(organization, Kind::Job, job.id.0);
    }
}
