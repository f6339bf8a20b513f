//! The journal: what the agent must not forget over a kill or a power cut.
//!
//! Writes are queued and committed in groups by one writer, so that many waiters share one fsync; reads see what is
//! committed. A trait, so that a bench can give many agents one shared journal.

mod open;
mod redb_store;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

pub use open::OpenError;
pub use redb_store::RedbJournal;

use crate::engine::OpError;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{JobId, JournalId};
use ocore_shared::protocol::events::{AgentEvent, EventEnvelope};
use ocore_shared::protocol::jobs::{JobLogLine, JobRequest, JobSnapshot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::{oneshot, watch};

/// A job as it is stored. Its secrets lie beside it, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct JobRecord {
    /// Without the secrets' values.
    pub request: JobRequest,
    pub snapshot: JobSnapshot,
    /// What finished steps gave back, by name.
    #[serde(default)]
    pub outputs: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub cancel_requested: bool,
    /// Why the job takes back what it did. Once this is set it never goes forward again.
    #[serde(default)]
    pub failing: Option<OpError>,
    /// When the controller acknowledged the job's end.
    #[serde(default)]
    pub acknowledged_at: Option<DateTime<Utc>>,
}

/// Who fences whom; see [`ocore_shared::protocol::session`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredSession {
    pub epoch: i64,
    pub join_state: String,
}

/// One change of the journal.
#[derive(Clone)]
pub enum Write {
    Job(Box<JobRecord>),
    Secrets {
        job: JobId,
        sealed: Vec<u8>,
    },
    WipeSecrets(JobId),
    Log {
        job: JobId,
        lines: Vec<JobLogLine>,
    },
    /// A durable event: gets the next sequence number and replaces an older one about the same thing.
    Event {
        at: DateTime<Utc>,
        event: Box<AgentEvent>,
    },
    /// The controller has all events up to `seq`.
    Acknowledge {
        seq: u64,
        at: DateTime<Utc>,
    },
    Session(StoredSession),
    /// Forget ended jobs that were acknowledged before `acknowledged_before`.
    Prune {
        acknowledged_before: DateTime<Utc>,
    },
}

/// When a batch is committed, and what happens when that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Within a moment, together with others. Tried again until it succeeds.
    Soon,
    /// At once, with all that is queued before it. Tried again until it succeeds.
    Now,
    /// At once, or given up with an error.
    NowOrFail,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal cannot be written: {0}")]
    Write(String),
    #[error("the journal cannot be read: {0}")]
    Read(String),
    #[error("the journal is closed because the agent stops")]
    Closed,
}

/// Resolves when the batch is on disk. May be dropped: the batch is written all the same.
pub struct Commit(oneshot::Receiver<Result<(), JournalError>>);

impl Commit {
    pub fn new(receiver: oneshot::Receiver<Result<(), JournalError>>) -> Self {
        Self(receiver)
    }
}

impl Future for Commit {
    type Output = Result<(), JournalError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|r| r.unwrap_or(Err(JournalError::Closed)))
    }
}

/// Keeps jobs, their logs, durable events and the session.
pub trait JournalStore: Send + Sync + 'static {
    fn id(&self) -> JournalId;
    /// Queue `writes` as one atomic batch. Batches are committed in the order of their submission.
    fn submit(&self, writes: Vec<Write>, urgency: Urgency) -> Commit;
    /// The highest committed sequence number, now and whenever it changes.
    fn last_seq(&self) -> watch::Receiver<u64>;

    fn session(&self) -> Result<StoredSession, JournalError>;
    fn job(&self, id: JobId) -> Result<Option<JobRecord>, JournalError>;
    /// All jobs that are known.
    fn jobs(&self) -> Result<Vec<JobRecord>, JournalError>;
    fn secrets(&self, job: JobId) -> Result<Option<Vec<u8>>, JournalError>;
    /// Log lines with a number above `after`, oldest first.
    fn log(&self, job: JobId, after: u64, limit: usize) -> Result<Vec<JobLogLine>, JournalError>;
    /// Number of the newest committed log line, 0 when there is none.
    fn last_log_seq(&self, job: JobId) -> Result<u64, JournalError>;
    /// Durable events with a number above `after`, oldest first.
    fn events(&self, after: u64, limit: usize) -> Result<Vec<EventEnvelope>, JournalError>;
}
