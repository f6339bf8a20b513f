//! The one writer: takes what is queued, commits it with one fsync, and answers everyone who waits.

use super::redb_store::Shared;
use super::tables::{self, Index};
use super::{JournalError, Urgency, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What is not urgent waits that long for company.
const WINDOW: Duration = Duration::from_millis(100);
/// Pause between attempts while the disk refuses.
const RETRY: Duration = Duration::from_secs(1);
/// Requests in one commit.
const MAX_GROUP: usize = 4096;
/// Above this the oldest acknowledged content goes; the file, with redb's slack, stays below 64 MiB.
const SOFT_LIMIT: u64 = 16 * 1024 * 1024;
/// Above this no new jobs are accepted.
const HARD_LIMIT: u64 = 24 * 1024 * 1024;

pub struct Request {
    pub writes: Vec<Write>,
    pub urgency: Urgency,
    pub done: oneshot::Sender<Result<(), JournalError>>,
}

pub struct Writer {
    pub shared: Arc<Shared>,
    pub index: Index,
    pub queue: Receiver<Request>,
}

impl Writer {
    /// Until the queue is closed and empty.
    pub fn run(mut self) {
        let mut group: Vec<Request> = Vec::new();
        loop {
            let open = self.gather(&mut group);
            if group.is_empty() && !open {
                return;
            }
            match self.commit(&group) {
                Ok(()) => group.drain(..).for_each(|r| drop(r.done.send(Ok(())))),
                Err(error) => {
                    tracing::error!(%error, "the journal cannot be written");
                    let failed = JournalError::Write(error.to_string());
                    let given_up = |r: &mut Request| !open || r.urgency == Urgency::NowOrFail;
                    group.extract_if(.., given_up).for_each(|r| drop(r.done.send(Err(failed.clone()))));
                    self.reopen();
                    if open {
                        std::thread::sleep(RETRY);
                    }
                }
            }
        }
    }

    /// Take what is queued; false when the queue is closed. What is left of a failed group goes first.
    fn gather(&mut self, group: &mut Vec<Request>) -> bool {
        if group.is_empty() {
            match self.queue.recv() {
                Ok(first) => group.push(first),
                Err(_) => return false,
            }
        }
        let until = Instant::now() + WINDOW;
        while group.len() < MAX_GROUP {
            let urgent = group.iter().any(|r| r.urgency != Urgency::Soon);
            let wait = if urgent { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) };
            match self.queue.recv_timeout(wait) {
                Ok(next) => group.push(next),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    fn commit(&mut self, group: &[Request]) -> Result<(), Box<redb::Error>> {
        if group.iter().all(|r| r.writes.is_empty()) {
            return Ok(());
        }
        let database = self.shared.database()?;
        let mut index = self.index.clone();
        let mut work = || -> tables::Result<()> {
            let txn = database.begin_write()?;
            for write in group.iter().flat_map(|r| &r.writes) {
                tables::apply(&txn, &mut index, self.shared.id, write)?;
            }
            if index.total() > SOFT_LIMIT {
                tables::make_room(&txn, &mut index, SOFT_LIMIT / 4 * 3)?;
            }
            txn.commit()?;
            Ok(())
        };
        work()?;
        self.index = index;
        self.shared.full.store(self.index.total() > HARD_LIMIT, std::sync::atomic::Ordering::Relaxed);
        self.shared.last_seq.send_if_modified(|last| {
            let now = self.index.next_seq - 1;
            std::mem::replace(last, now) != now
        });
        Ok(())
    }

    /// After an I/O error redb answers nothing more until it is opened anew.
    fn reopen(&mut self) {
        match self.shared.reopen() {
            Ok(index) => self.index = index,
            Err(error) => tracing::error!(%error, "the journal cannot be opened again"),
        }
    }
}
