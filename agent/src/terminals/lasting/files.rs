//! What is written down of terminals that outlive the agent: one record and one scrollback each.

use super::scrollback::Scrollback;
use crate::config::{create_private_dir, write_atomically};
use crate::terminals::ring::OutputRing;
use chrono::{DateTime, Utc};
use ocore_shared::clock::Clock;
use ocore_shared::ids::TerminalId;
use ocore_shared::protocol::terminals::TerminalOpen;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What the next agent must know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// With the size as it is now.
    pub request: TerminalOpen,
    pub unit: String,
    pub opened_at: DateTime<Utc>,
    /// None while someone is attached.
    pub detached_at: Option<DateTime<Utc>>,
}

/// A directory of records.
#[derive(Clone)]
pub struct Files {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
}

impl Files {
    pub fn new(dir: PathBuf, clock: Arc<dyn Clock>) -> io::Result<Self> {
        create_private_dir(&dir)?;
        Ok(Self { dir, clock })
    }

    /// Begin to write down a terminal. An error when that was begun before.
    pub fn create(&self, request: TerminalOpen, unit: String) -> io::Result<Trace> {
        let now = self.clock.now();
        let scrollback = Scrollback::create(&self.scrollback_path(request.id))?;
        let record = Record { request, unit, opened_at: now, detached_at: Some(now) };
        self.write(&record)?;
        Ok(Trace { files: self.clone(), record, scrollback: Some(scrollback), lost: false })
    }

    /// Every terminal that was written down. What cannot be read is removed: nobody will ever understand it.
    pub fn records(&self) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let record = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Record>(&text).ok());
            match record {
                Some(record) if path == self.record_path(record.request.id) => records.push(record),
                // Looked at with its record, which comes before or after it.
                _ if path.extension().is_some_and(|e| e == SCROLLBACK) && path.with_extension(RECORD).exists() => {}
                _ => {
                    tracing::warn!(path = %path.display(), "dropped: it belongs to no terminal");
                    std::fs::remove_file(&path)?;
                }
            }
        }
        Ok(records)
    }

    /// Go on with a terminal, and what it had said last.
    pub fn resume(&self, mut record: Record) -> (Trace, OutputRing) {
        // Whoever was attached went with the agent.
        record.detached_at.get_or_insert(self.clock.now());
        let (scrollback, ring) = match Scrollback::open(&self.scrollback_path(record.request.id)) {
            Ok((scrollback, ring)) => (Some(scrollback), ring),
            Err(error) => {
                tracing::warn!(%error, terminal = %record.request.id, "a terminal's output so far is lost");
                (None, OutputRing::default())
            }
        };
        let mut trace = Trace { files: self.clone(), record, scrollback, lost: false };
        trace.update(|_| {});
        (trace, ring)
    }

    pub fn remove(&self, id: TerminalId) {
        for path in [self.record_path(id), self.scrollback_path(id)] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, path = %path.display(), "a terminal's file cannot be removed");
                }
                _ => {}
            }
        }
    }

    fn write(&self, record: &Record) -> io::Result<()> {
        write_atomically(&self.record_path(record.request.id), &serde_json::to_vec(record)?, 0o600)
    }

    fn record_path(&self, id: TerminalId) -> PathBuf {
        self.dir.join(format!("{id}.{RECORD}"))
    }

    fn scrollback_path(&self, id: TerminalId) -> PathBuf {
        self.dir.join(format!("{id}.{SCROLLBACK}"))
    }
}

const RECORD: &str = "json";
const SCROLLBACK: &str = "output";

/// One terminal's files, kept up to date. That fails only when /run is full or gone; the terminal goes on.
pub struct Trace {
    files: Files,
    record: Record,
    /// None where there is none to write to.
    scrollback: Option<Scrollback>,
    /// Whether the last output could not be written.
    lost: bool,
}

impl Trace {
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// For how long nobody has been attached.
    pub fn detached_for(&self) -> std::time::Duration {
        let since = self.record.detached_at.unwrap_or(self.files.clock.now());
        (self.files.clock.now() - since).to_std().unwrap_or_default()
    }

    pub fn append(&mut self, offset: u64, data: &[u8]) {
        let Some(scrollback) = &mut self.scrollback else { return };
        let Err(error) = scrollback.append(offset, data) else {
            self.lost = false;
            return;
        };
        if !std::mem::replace(&mut self.lost, true) {
            tracing::warn!(%error, terminal = %self.record.request.id, "the terminal's output so far is not kept");
        }
        // Output with a hole would be worse than none; but how far it was is known to whoever has seen it, and must be to
        // the next agent.
        if let Err(error) = scrollback.restart(offset + data.len() as u64) {
            tracing::warn!(%error, terminal = %self.record.request.id, "the terminal's output is not kept any more");
            self.scrollback = None;
            let _ = std::fs::remove_file(self.files.scrollback_path(self.record.request.id));
        }
    }

    pub fn attached(&mut self, attached: bool) {
        let now = (!attached).then(|| self.files.clock.now());
        self.update(|record| record.detached_at = now);
    }

    pub fn resized(&mut self, cols: u16, rows: u16) {
        self.update(|record| (record.request.cols, record.request.rows) = (cols, rows));
    }

    /// The terminal has ended.
    pub fn remove(self) {
        self.files.remove(self.record.request.id);
    }

    fn update(&mut self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record);
        if let Err(error) = self.files.write(&self.record) {
            tracing::warn!(%error, terminal = %self.record.request.id, "the terminal's record cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use ocore_shared::clock::ShiftedClock;
    use ocore_shared::protocol::terminals::TerminalTarget;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    fn request() -> TerminalOpen {
        TerminalOpen { id: TerminalId::new(), target: TerminalTarget::Host, cols: 80, rows: 24, actor: "ada".into() }
    }

    fn names(dir: &std::path::Path) -> usize {
        std::fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn a_terminal_is_found_as_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("terminals");
        let clock = ShiftedClock::default();
        let files = Files::new(path.clone(), Arc::new(clock.clone())).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let request = request();
        let mut trace = files.create(request.clone(), "one.service".into()).unwrap();
        assert!(files.create(request.clone(), "one.service".into()).is_err(), "it exists");
        trace.append(0, b"hello");
        trace.resized(100, 30);
        trace.attached(true);
        drop(trace);

        clock.shift(TimeDelta::minutes(10));
        let [record] = files.records().unwrap().try_into().unwrap();
        assert_eq!((record.request.cols, record.request.rows, record.detached_at), (100, 30, None));
        let (trace, ring) = files.resume(record);
        assert_eq!(ring.read(1, 9), (1, "ello".into()));
        assert!(trace.detached_for() < Duration::from_secs(60), "it was in use until now");
        drop(trace);
        // Restarts do not make it younger.
        clock.shift(TimeDelta::minutes(20));
        let [record] = files.records().unwrap().try_into().unwrap();
        let (trace, _) = files.resume(record);
        assert!(trace.detached_for() >= Duration::from_secs(20 * 60));
        trace.remove();
        assert_eq!(names(&path), 0);
    }

    #[test]
    fn what_belongs_to_no_terminal_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().into(), Arc::new(ShiftedClock::default())).unwrap();
        let request = request();
        drop(files.create(request.clone(), "one.service".into()).unwrap());
        for name in ["half.json", "alone.output", ".half.json.0190"] {
            std::fs::write(dir.path().join(name), b"{").unwrap();
        }
        assert_eq!(files.records().unwrap().len(), 1);
        assert_eq!(names(dir.path()), 2);
        std::fs::remove_file(files.scrollback_path(request.id)).unwrap();
        let [record] = files.records().unwrap().try_into().unwrap();
        assert_eq!(files.resume(record).1.end(), 0, "its output is lost, the shell is not");
    }

    #[test]
    fn a_full_disk_costs_output_but_no_offset() {
        use rustix::fs::{MemfdFlags, SealFlags};
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().into(), Arc::new(ShiftedClock::default())).unwrap();
        let mut trace = files.create(request(), "one.service".into()).unwrap();
        // What has a place can be written, and nothing else.
        let full = rustix::fs::memfd_create("full", MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&full, 4096).unwrap();
        rustix::fs::fcntl_add_seals(&full, SealFlags::GROW).unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", full.as_raw_fd()));
        trace.scrollback = Some(Scrollback::open(&path).unwrap().0);
        let found = |at| {
            let (_, ring) = Scrollback::open(&path).unwrap();
            (ring.end(), ring.read(at, 9).1)
        };

        trace.append(0, b"hello");
        assert_eq!(found(0), (5, "hello".into()));
        trace.append(5, &[b'x'; 100_000]);
        assert_eq!(found(0), (100_005, "".into()));
        trace.append(100_005, b"no place for this either");
        assert_eq!(found(0), (100_029, "".into()));
        // Where there is a place again, here because the ring begins anew, it goes on.
        let around = 272 * 1024;
        trace.append(100_029, &vec![b'x'; around - 100_029]);
        trace.append(around as u64, b"again");
        assert_eq!(found(around as u64), (around as u64 + 5, "again".into()));
        assert_eq!(found(0), (around as u64 + 5, "again".into()), "nothing of what came before");
    }
}
