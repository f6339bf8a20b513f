//! [`JournalStore`] in one redb file.

use super::open::{self, OpenError};
use super::tables::{self, Index};
use super::writer::{Request, Writer};
use super::{Commit, JobRecord, JournalError, JournalStore, StoredSession, Urgency, Write};
use ocore_shared::clock::Clock;
use ocore_shared::ids::{JobId, JournalId};
use ocore_shared::protocol::events::EventEnvelope;
use ocore_shared::protocol::jobs::JobLogLine;
use redb::Database;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

pub struct RedbJournal {
    shared: Arc<Shared>,
    /// None once closed.
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<std::thread::JoinHandle<()>>,
}

/// What readers and the writer share.
pub struct Shared {
    pub id: JournalId,
    pub last_seq: watch::Sender<u64>,
    /// Too much is in it to take new jobs.
    pub full: AtomicBool,
    path: PathBuf,
    /// None while it cannot be opened again after an I/O error.
    database: RwLock<Option<Arc<Database>>>,
}

impl Shared {
    pub fn database(&self) -> Result<Arc<Database>, Box<redb::Error>> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        guard.clone().ok_or(Box::new(redb::Error::DatabaseClosed))
    }

    pub fn reopen(&self) -> Result<Index, Box<redb::Error>> {
        let old = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        // Readers hold it for the time of one read.
        while old.as_ref().is_some_and(|old| Arc::strong_count(old) > 1) {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(old);
        let (database, id, index) = tables::open(&self.path)?;
        if id != self.id {
            return Err(Box::new(redb::Error::Corrupted("another journal lies in its place".into())));
        }
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(database));
        Ok(index)
    }
}

impl RedbJournal {
    /// Open the journal, or begin one.
    pub fn open(path: &Path, clock: &dyn Clock) -> Result<Self, OpenError> {
        let (database, id, index) = open::open(path, clock)?;
        let shared = Arc::new(Shared {
            id,
            last_seq: watch::Sender::new(index.next_seq - 1),
            full: AtomicBool::new(false),
            path: path.to_path_buf(),
            database: RwLock::new(Some(Arc::new(database))),
        });
        let (sender, queue) = mpsc::channel();
        let writer = Writer { shared: shared.clone(), index, queue };
        let writer = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
                    // Nothing would ever be written again, and every job would hang: start anew, from what is on disk.
                    tracing::error!("the journal's writer met a defect of its own; the agent ends");
                    std::process::abort();
                }
            })
            .map_err(|e| OpenError::Failed(path.to_path_buf(), e.to_string()))?;
        Ok(Self { shared, queue: Some(sender), writer: Some(writer) })
    }

    fn read<T>(&self, read: impl FnOnce(&Database) -> tables::Result<T>) -> Result<T, JournalError> {
        let failed = |e: &redb::Error| JournalError::Read(e.to_string());
        let database = self.shared.database().map_err(|e| failed(&e))?;
        read(&database).map_err(|e| failed(&e))
    }
}

impl Drop for RedbJournal {
    fn drop(&mut self) {
        drop(self.queue.take());
        // What was queued is written before the file is closed.
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl JournalStore for RedbJournal {
    fn id(&self) -> JournalId {
        self.shared.id
    }

    fn submit(&self, writes: Vec<Write>, urgency: Urgency) -> Commit {
        let (done, waiting) = oneshot::channel();
        let new_job = writes.iter().any(|w| matches!(w, Write::Job(r) if r.snapshot.steps.is_empty()));
        if urgency == Urgency::NowOrFail && new_job && self.shared.full.load(Ordering::Relaxed) {
            let full = "it is full of results that the controller has not acknowledged";
            let _ = done.send(Err(JournalError::Write(full.into())));
        } else if let Some(queue) = &self.queue {
            // A closed queue drops `done`, which the waiter sees as `Closed`.
            let _ = queue.send(Request { writes, urgency, done });
        }
        Commit::new(waiting)
    }

    fn last_seq(&self) -> watch::Receiver<u64> {
        self.shared.last_seq.subscribe()
    }

    fn session(&self) -> Result<StoredSession, JournalError> {
        self.read(tables::read_session)
    }

    fn job(&self, id: JobId) -> Result<Option<JobRecord>, JournalError> {
        self.read(|db| tables::read_job(db, id))
    }

    fn jobs(&self) -> Result<Vec<JobRecord>, JournalError> {
        self.read(tables::read_jobs)
    }

    fn secrets(&self, job: JobId) -> Result<Option<Vec<u8>>, JournalError> {
        self.read(|db| tables::read_secrets(db, job))
    }

    fn log(&self, job: JobId, after: u64, limit: usize) -> Result<Vec<JobLogLine>, JournalError> {
        self.read(|db| tables::read_log(db, job, after, limit))
    }

    fn last_log_seq(&self, job: JobId) -> Result<u64, JournalError> {
        self.read(|db| tables::read_last_log_seq(db, job))
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<EventEnvelope>, JournalError> {
        self.read(|db| tables::read_events(db, after, limit))
    }
}
