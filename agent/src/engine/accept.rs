//! `PUT /jobs/{id}`: the job is on disk before the answer, and the same id never means two jobs.

use super::job::{Acceptance, Job};
use super::{Engine, Inner, SealError, lock};
use crate::journal::{JobRecord, JournalError, Urgency, Write};
use ocore_shared::ids::JobId;
use ocore_shared::protocol::jobs::{JobRequest, JobSnapshot};
use std::sync::Arc;

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
}

impl Inner {
    async fn accept(self: Arc<Self>, id: JobId, request: JobRequest) -> Result<Accepted, AcceptError> {
        if self.parts.stop.is_cancelled() {
            return Err(JournalError::Closed.into());
        }
        let sealed = match request.secrets.is_empty() {
            true => None,
            false => Some(self.parts.key.seal(id, &request.secrets)?),
        };
        let fresh = Arc::new(Job::new(id, request, self.parts.clock.now()));
        loop {
            let Some(other) = self.claim(id, &fresh)? else { break };
            match other {
                Claim::Stored(record) => return known(id, &fresh, &record.request, record.snapshot),
                Claim::Live(job) => {
                    let mut acceptance = job.acceptance.subscribe();
                    // Its sender lives in `job`, so that it cannot be closed.
                    let decided = acceptance.wait_for(|a| *a != Acceptance::Pending).await.map(|a| *a);
                    if decided.is_ok_and(|a| a == Acceptance::Accepted) {
                        return known(id, &fresh, &job.request, job.snapshot());
                    }
                }
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
    fn claim(&self, id: JobId, job: &Arc<Job>) -> Result<Option<Claim>, JournalError> {
        let mut live = lock(&self.live);
        if let Some(job) = live.get(&id) {
            return Ok(Some(Claim::Live(job.clone())));
        }
        // Under the lock: a job leaves the map only after its end is in the journal.
        if let Some(record) = self.parts.journal.job(id)? {
            return Ok(Some(Claim::Stored(Box::new(record))));
        }
        live.insert(id, job.clone());
        Ok(None)
    }
}

enum Claim {
    Live(Arc<Job>),
    Stored(Box<JobRecord>),
}

fn known(id: JobId, fresh: &Job, stored: &JobRequest, snapshot: JobSnapshot) -> Result<Accepted, AcceptError> {
    let asked = &fresh.request;
    let same = asked.kind == stored.kind && asked.instance_id == stored.instance_id && asked.input == stored.input;
    if same { Ok(Accepted::Known(snapshot)) } else { Err(AcceptError::OtherBody(id)) }
}
