//! The job engine: what `PUT /jobs/{id}` accepted is written to the journal before its first side effect, runs step by
//! step, and goes on after a kill at the step where it was.
//!
//! Handlers run as tasks of the engine, never in a request. At most one job works on an instance at a time; others of
//! the same instance wait in the order of their acceptance.

mod accept;
mod context;
mod error;
mod failpoint;
mod job;
mod registry;
mod run;
mod seal;
#[cfg(test)]
mod tests;

pub use accept::{AcceptError, Accepted};
pub use context::JobContext;
pub use error::OpError;
pub use failpoint::Failpoints;
pub use registry::{JobFuture, JobHandler, Registry};
pub use seal::{SealError, SealKey};

use crate::events::EventHub;
use crate::journal::{JournalError, JournalStore, Urgency};
use job::Job;
use ocore_shared::clock::Clock;
use ocore_shared::ids::{InstanceId, JobId};
use ocore_shared::protocol::jobs::{JobLogLine, JobSnapshot};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Jobs that run at the same time.
const MAX_RUNNING: usize = 32;
/// Ended jobs are remembered that long after they were acknowledged.
const KEEP_ENDED: chrono::TimeDelta = chrono::TimeDelta::days(7);

/// What an engine is made of.
pub struct EngineParts {
    pub journal: Arc<dyn JournalStore>,
    pub events: EventHub,
    pub clock: Arc<dyn Clock>,
    pub registry: Registry,
    pub key: SealKey,
    pub failpoints: Failpoints,
    pub tracker: TaskTracker,
    pub stop: CancellationToken,
}

/// Accepts, runs and remembers jobs. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

pub(crate) struct Inner {
    parts: EngineParts,
    limit: Semaphore,
    /// Jobs that have not ended, or whose end is not on disk yet.
    live: Mutex<HashMap<JobId, Arc<Job>>>,
    /// Jobs of one instance in the order of their acceptance; the first one runs.
    lanes: Mutex<HashMap<InstanceId, VecDeque<Arc<Job>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is changed in single steps: a panic elsewhere leaves it whole.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Engine {
    pub fn new(parts: EngineParts) -> Self {
        Self(Arc::new(Inner {
            parts,
            limit: Semaphore::new(MAX_RUNNING),
            live: Mutex::default(),
            lanes: Mutex::default(),
        }))
    }

    /// Take up what was cut: every job of the journal that has not ended. Once, before anything is accepted.
    pub fn resume(&self) -> Result<usize, JournalError> {
        let inner = &self.0;
        let mut records = inner.parts.journal.jobs()?;
        records.retain(|r| !r.snapshot.status.is_terminal());
        records.sort_by_key(|r| (r.snapshot.accepted_at, r.snapshot.id));
        let count = records.len();
        for record in records {
            let id = record.snapshot.id;
            let last_log_seq = inner.parts.journal.last_log_seq(id)?;
            let sealed = inner.parts.journal.secrets(id)?;
            // Secrets that cannot be opened fail the job where it asks for one, with that reason.
            let secrets = sealed.and_then(|s| {
                inner
                    .parts
                    .key
                    .open(id, &s)
                    .inspect_err(|error| tracing::error!(job = %id, %error, "secrets lost"))
                    .ok()
            });
            tracing::info!(job = %id, kind = record.request.kind, "resumed");
            let job = Arc::new(Job::resumed(record, secrets.unwrap_or_default(), last_log_seq));
            lock(&inner.live).insert(id, job.clone());
            inner.schedule(job);
        }
        Ok(count)
    }

    pub fn job_kinds(&self) -> Vec<String> {
        self.0.parts.registry.kinds()
    }

    pub fn job(&self, id: JobId) -> Result<Option<JobSnapshot>, JournalError> {
        if let Some(job) = self.0.live_job(id) {
            return Ok(Some(job.snapshot()));
        }
        Ok(self.0.parts.journal.job(id)?.map(|r| r.snapshot))
    }

    /// Every job that is not yet acknowledged as ended, oldest first.
    pub fn jobs(&self) -> Result<Vec<JobSnapshot>, JournalError> {
        let records = self.0.parts.journal.jobs()?;
        let mut jobs: Vec<JobSnapshot> = records
            .into_iter()
            .filter(|r| r.acknowledged_at.is_none())
            .map(|r| self.0.live_job(r.snapshot.id).map_or(r.snapshot, |job| job.snapshot()))
            .collect();
        jobs.sort_by_key(|j| (j.accepted_at, j.id));
        Ok(jobs)
    }

    /// Cancel just that job. An ended one stays as it is.
    pub async fn cancel(&self, id: JobId) -> Result<Option<JobSnapshot>, JournalError> {
        let Some(job) = self.0.live_job(id) else { return self.job(id) };
        let inner = self.0.clone();
        // On a task: the request may be dropped, the wish may not.
        let task = self.0.parts.tracker.spawn(async move {
            if let Some(commit) = job.request_cancel(&inner) {
                commit.await?;
                job.cancel.cancel();
            }
            Ok(Some(job.snapshot()))
        });
        task.await.unwrap_or(Err(JournalError::Closed))
    }

    /// A page of a job's log that is on disk, and whether the job has ended before the page was read.
    pub fn log_page(&self, id: JobId, after: u64) -> Result<Option<(Vec<JobLogLine>, bool)>, JournalError> {
        let ended = match self.job(id)? {
            None => return Ok(None),
            Some(_) => self.0.live_job(id).is_none(),
        };
        Ok(Some((self.0.parts.journal.log(id, after, 256)?, ended)))
    }

    /// Resolves when the job's log may have grown or the job has ended.
    pub async fn log_changed(&self, id: JobId, after: u64) {
        if let Some(job) = self.0.live_job(id) {
            job.log_written_beyond(after).await;
        }
    }

    /// Forget what was acknowledged long ago. Poked once an hour.
    pub fn prune(&self) {
        let acknowledged_before = self.0.parts.clock.now() - KEEP_ENDED;
        let prune = crate::journal::Write::Prune { acknowledged_before };
        drop(self.0.parts.journal.submit(vec![prune], Urgency::Soon));
    }
}

impl Inner {
    fn live_job(&self, id: JobId) -> Option<Arc<Job>> {
        lock(&self.live).get(&id).filter(|job| job.is_accepted()).cloned()
    }
}
