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
use crate::journal::{JobRecord, JournalError, JournalStore, Urgency};
use job::Job;
use ocore_shared::clock::Clock;
use ocore_shared::ids::{InstanceId, JobId};
use ocore_shared::protocol::jobs::{JobLogLine, JobSnapshot};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Semaphore;
use tokio::time::Instant;
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

type LiveJobs = HashMap<JobId, Arc<Job>>;

pub(crate) struct Inner {
    parts: EngineParts,
    limit: Semaphore,
    /// Jobs that have not ended, or whose end is not on disk yet.
    live: Mutex<LiveJobs>,
    /// Jobs that were cancelled before they came, and when: the request that carries one may be the slower one. Changed
    /// under the lock of `live` only. A request does not outlive this process, so that memory is enough.
    cancelled_early: Mutex<HashMap<JobId, Instant>>,
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
            cancelled_early: Mutex::default(),
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
        let mut live = lock(&inner.live);
        for record in records {
            tracing::info!(job = %record.snapshot.id, kind = record.request.kind, "resumed");
            inner.take_up(&mut live, record)?;
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
    /// Go on with a job of the journal.
    fn take_up(self: &Arc<Self>, live: &mut LiveJobs, record: JobRecord) -> Result<Arc<Job>, JournalError> {
        let id = record.snapshot.id;
        let last_log_seq = self.parts.journal.last_log_seq(id)?;
        let sealed = self.parts.journal.secrets(id)?;
        // Secrets that cannot be opened fail the job where it asks for one, with that reason.
        let secrets = sealed.and_then(|s| {
            self.parts.key.open(id, &s).inspect_err(|error| tracing::error!(job = %id, %error, "secrets lost")).ok()
        });
        let job = Arc::new(Job::resumed(record, secrets.unwrap_or_default(), last_log_seq));
        live.insert(id, job.clone());
        self.schedule(job.clone());
        Ok(job)
    }

    fn live_job(&self, id: JobId) -> Option<Arc<Job>> {
        lock(&self.live).get(&id).filter(|job| job.is_accepted()).cloned()
    }
}
