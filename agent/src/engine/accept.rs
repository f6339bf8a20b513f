//! `PUT /jobs/{id}` and its `DELETE`: the job is on disk before the answer, the same id never means two jobs, and a wish
//! to cancel is not lost between the two.

use super::job::{Acceptance, Job};
use super::{Engine, Inner, LiveJobs, SealError, lock};
use crate::journal::{JobRecord, JournalError, Urgency, Write};
use ocore_shared::ids::JobId;
use ocore_shared::protocol::jobs::{JobRequest, JobSnapshot, MEMORY_ONLY};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A hand-over is not on its way for longer than this.
const LONGEST_WAY: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub enum Accepted {
    New(JobSnapshot),
    /// It was accepted before, perhaps long ago.
    Known(JobSnapshot),
}

#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error("job {0} was accepted with another kind, instance or input; use a new id")]
    OtherBody(JobId),
    #[error("job {0} was cancelled before it came; it was not started")]
    Cancelled(JobId),
    #[error("the job cannot be stored, so it was not started: {0}")]
    Journal(#[from] JournalError),
    #[error("the job cannot be stored, so it was not started: {0}")]
    Seal(#[from] SealError),
}

impl Engine {
    /// Store the job and start it, once.
    pub async fn accept(&self, id: JobId, request: JobRequest) -> Result<Accepted, AcceptError> {
        let inner = self.0.clone();
        // On a task of its own: the request may be dropped at any await, an acceptance is whole or not at all.
        let task = self.0.parts.tracker.spawn(async move { inner.accept(id, request).await });
        task.await.unwrap_or(Err(AcceptError::Journal(JournalError::Closed)))
    }

    /// Cancel just that job. An ended one stays as it is; one that is not known may be on its way, and is refused then.
    pub async fn cancel(&self, id: JobId) -> Result<Option<JobSnapshot>, JournalError> {
        let inner = self.0.clone();
        // On a task: the request may be dropped, the wish may not.
        let task = self.0.parts.tracker.spawn(async move { inner.cancel(id).await });
        task.await.unwrap_or(Err(JournalError::Closed))
    }
}

impl Inner {
    async fn accept(self: Arc<Self>, id: JobId, request: JobRequest) -> Result<Accepted, AcceptError> {
        if self.parts.stop.is_cancelled() {
            return Err(JournalError::Closed.into());
        }
        let mut kept = request.secrets.clone();
        kept.retain(|name, _| !name.starts_with(MEMORY_ONLY));
        let sealed = match kept.is_empty() {
            true => None,
            false => Some(self.parts.key.seal(id, &kept)?),
        };
        let fresh = Arc::new(Job::new(id, request, self.parts.clock.now()));
        loop {
            let Some(other) = self.claim(id, &fresh)? else { break };
            match other {
                Holder::Ended(record) => return known(id, &fresh, &record.request, record.snapshot),
                Holder::Live(job) if job.accepted().await => {
                    let known = known(id, &fresh, &job.request, job.snapshot())?;
                    job.secrets_refresh(&fresh);
                    return Ok(known);
                }
                Holder::Live(_) => {}
            }
        }
        let snapshot = fresh.snapshot();
        let record = lock(&fresh.state).record.clone();
        let mut writes = vec![Write::Job(Box::new(record))];
        writes.extend(sealed.map(|sealed| Write::Secrets { job: id, sealed }));
        if let Err(error) = self.parts.journal.submit(writes, Urgency::NowOrFail).await {
            lock(&self.live).remove(&id);
            fresh.acceptance.send_replace(Acceptance::Refused);
            return Err(error.into());
        }
        fresh.acceptance.send_replace(Acceptance::Accepted);
        tracing::info!(job = %id, kind = fresh.request.kind, "job accepted");
        self.schedule(fresh);
        Ok(Accepted::New(snapshot))
    }

    /// Take the id for `job`, or say who has it.
    fn claim(self: &Arc<Self>, id: JobId, job: &Arc<Job>) -> Result<Option<Holder>, AcceptError> {
        let mut live = lock(&self.live);
        let holder = self.holder(&mut live, id)?;
        if holder.is_none() {
            if lock(&self.cancelled_early).get(&id).is_some_and(|at| at.elapsed() < LONGEST_WAY) {
                return Err(AcceptError::Cancelled(id));
            }
            live.insert(id, job.clone());
        }
        Ok(holder)
    }

    /// Who has the id. Under the lock of the live jobs: one leaves them only after its end is in the journal.
    fn holder(self: &Arc<Self>, live: &mut LiveJobs, id: JobId) -> Result<Option<Holder>, JournalError> {
        if let Some(job) = live.get(&id) {
            return Ok(Some(Holder::Live(job.clone())));
        }
        let Some(record) = self.parts.journal.job(id)? else { return Ok(None) };
        if record.snapshot.status.is_terminal() {
            return Ok(Some(Holder::Ended(Box::new(record))));
        }
        // Its acceptance was answered with an error, but had reached the disk.
        Ok(Some(Holder::Live(self.take_up(live, record)?)))
    }

    async fn cancel(self: Arc<Self>, id: JobId) -> Result<Option<JobSnapshot>, JournalError> {
        loop {
            let job = {
                let mut live = lock(&self.live);
                match self.holder(&mut live, id)? {
                    Some(Holder::Live(job)) => job,
                    Some(Holder::Ended(record)) => return Ok(Some(record.snapshot)),
                    None => {
                        let mut early = lock(&self.cancelled_early);
                        early.retain(|_, at| at.elapsed() < LONGEST_WAY);
                        early.insert(id, Instant::now());
                        return Ok(None);
                    }
                }
            };
            // Its acceptance may still be on its way to the disk.
            if job.accepted().await {
                if let Some(commit) = job.request_cancel(&self) {
                    commit.await?;
                    job.cancel.cancel();
                }
                return Ok(Some(job.snapshot()));
            }
        }
    }
}

enum Holder {
    Live(Arc<Job>),
    Ended(Box<JobRecord>),
}

fn known(id: JobId, fresh: &Job, stored: &JobRequest, snapshot: JobSnapshot) -> Result<Accepted, AcceptError> {
    let asked = &fresh.request;
    let same = asked.kind == stored.kind && asked.instance_id == stored.instance_id && asked.input == stored.input;
    if same { Ok(Accepted::Known(snapshot)) } else { Err(AcceptError::OtherBody(id)) }
}
