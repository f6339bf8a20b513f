//! Signed heads outside the database: who cuts a chain off at its end, and sets its head back, cannot cut them off too.

use super::chain::Head;
use anyhow::Context;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;
use uuid::Uuid;

/// Bytes from which on a file is thinned out.
const LARGE: u64 = 64 * 1024 * 1024;

/// A place that keeps heads. Its calls block.
pub trait HeadSink: Send + Sync {
    /// For messages.
    fn name(&self) -> String;
    /// Add heads; they are durable when it returns.
    fn append(&self, heads: &[Head]) -> anyhow::Result<()>;
    /// Give up heads that newer ones have made needless, where they have become many.
    fn tidy(&self) -> anyhow::Result<()>;
    /// Hand every kept head to `look`, oldest first. What cannot be read is passed over.
    fn each(&self, look: &mut dyn FnMut(Head)) -> anyhow::Result<()>;
}

/// All places, with what each still lacks.
pub struct HeadSinks(Vec<Kept>);

struct Kept {
    sink: Arc<dyn HeadSink>,
    /// Newest head of each chain that it could not take yet.
    owed: Mutex<HashMap<Uuid, Head>>,
}

impl HeadSinks {
    pub fn new(sinks: Vec<Arc<dyn HeadSink>>) -> Self {
        Self(sinks.into_iter().map(|sink| Kept { sink, owed: Mutex::default() }).collect())
    }

    /// Add heads everywhere. What a place does not take now it gets with the next ones, or when there are none.
    pub async fn append(&self, heads: &[Head]) {
        for kept in &self.0 {
            let mut owed = kept.owed.lock().await;
            owed.extend(heads.iter().map(|head| (head.organization_id, head.clone())));
            if owed.is_empty() {
                continue;
            }
            let (sink, list) = (kept.sink.clone(), owed.values().cloned().collect::<Vec<_>>());
            match blocking(move || sink.append(&list)).await {
                Ok(()) => owed.clear(),
                Err(error) => {
                    let place = kept.sink.name();
                    tracing::error!(%place, ?error, "heads of the audit log could not be kept; it is tried again");
                }
            }
        }
    }

    /// Give each place what it has missed: heads of another replica, or of one that was killed right after sealing.
    pub async fn catch_up(&self, newest: &[Head]) -> anyhow::Result<()> {
        for kept in &self.0 {
            let sink = kept.sink.clone();
            let known = blocking(move || {
                let mut known: HashMap<Uuid, i64> = HashMap::new();
                sink.each(&mut |head| {
                    let seq = known.entry(head.organization_id).or_default();
                    *seq = head.seq.max(*seq);
                })?;
                Ok(known)
            })
            .await?;
            let missed =
                newest.iter().filter(|head| known.get(&head.organization_id).is_none_or(|seq| *seq < head.seq));
            let mut owed = kept.owed.lock().await;
            owed.extend(missed.map(|head| (head.organization_id, head.clone())));
        }
        self.append(&[]).await;
        Ok(())
    }

    /// Have every place give up what it needs no more.
    pub async fn tidy(&self) -> anyhow::Result<()> {
        for kept in &self.0 {
            let sink = kept.sink.clone();
            blocking(move || sink.tidy()).await?;
        }
        Ok(())
    }

    /// The heads of one chain that are kept anywhere, by number.
    pub async fn of(&self, organization: Uuid) -> anyhow::Result<Vec<Head>> {
        let mut all = Vec::new();
        for kept in &self.0 {
            let sink = kept.sink.clone();
            let found = blocking(move || {
                let mut found = Vec::new();
                sink.each(&mut |head| {
                    if head.organization_id == organization {
                        found.push(head);
                    }
                })?;
                Ok(found)
            });
            all.extend(found.await?);
        }
        all.sort_by_key(|head| head.seq);
        Ok(all)
    }

    /// The chains that heads are kept of anywhere.
    pub async fn chains(&self) -> anyhow::Result<Vec<Uuid>> {
        let mut all = Vec::new();
        for kept in &self.0 {
            let sink = kept.sink.clone();
            let found = blocking(move || {
                let mut found = std::collections::BTreeSet::new();
                sink.each(&mut |head| {
                    found.insert(head.organization_id);
                })?;
                Ok(found)
            });
            all.extend(found.await?);
        }
        Ok(all)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// A file of one JSON object a line. Only when it has become large it is thinned out, to one head of each chain an hour:
/// each proves all that came before it.
pub struct HeadFile {
    path: PathBuf,
    large: u64,
    /// Whoever appends or thins out.
    writing: std::sync::Mutex<()>,
}

impl HeadFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path, large: LARGE, writing: std::sync::Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> anyhow::Result<File> {
        let directory = self.path.parent().context("the file of heads lies in no directory")?;
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let is_new = !self.path.exists();
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        if is_new {
            for path in [Some(directory), directory.parent()].into_iter().flatten() {
                sync_directory(path)?;
            }
        }
        Ok(file)
    }
}

fn sync_directory(path: &Path) -> anyhow::Result<()> {
    File::open(path)?.sync_all().with_context(|| format!("{} cannot be made durable", path.display()))
}

/// Whether a write was cut short: then the next line begins on one of its own.
fn is_torn(file: &mut File) -> anyhow::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

impl HeadSink for HeadFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn append(&self, heads: &[Head]) -> anyhow::Result<()> {
        let _writing = self.lock();
        let mut file = self.open().with_context(|| self.name())?;
        let mut text = Vec::new();
        if is_torn(&mut file)? {
            text.push(b'\n');
        }
        for head in heads {
            serde_json::to_writer(&mut text, head)?;
            text.push(b'\n');
        }
        file.write_all(&text)?;
        file.sync_data()?;
        Ok(())
    }

    fn tidy(&self) -> anyhow::Result<()> {
        let _writing = self.lock();
        if fs::metadata(&self.path).map_or(0, |file| file.len()) < self.large {
            return Ok(());
        }
        let mut ends: HashMap<Uuid, i64> = HashMap::new();
        let mut doubtful = HashSet::new();
        self.each(&mut |head| {
            let end = ends.entry(head.organization_id).or_default();
            if head.seq <= *end {
                doubtful.insert(head.organization_id);
            }
            *end = head.seq.max(*end);
        })?;
        let mut kept: BTreeMap<(Uuid, i64), Head> = BTreeMap::new();
        let mut number = 0;
        self.each(&mut |head| {
            // A chain that went back was cut off: every head of it is evidence.
            number += 1;
            let is_doubtful = doubtful.contains(&head.organization_id);
            let place = if is_doubtful { number } else { head.sealed_at.timestamp() / 3600 };
            kept.insert((head.organization_id, place), head);
        })?;
        // Whole or not at all: there is no other copy.
        let thin = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&thin)?;
        let mut text = Vec::new();
        for head in kept.values() {
            serde_json::to_writer(&mut text, head)?;
            text.push(b'\n');
        }
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&thin, &self.path)?;
        self.path.parent().map_or(Ok(()), sync_directory)
    }

    fn each(&self, look: &mut dyn FnMut(Head)) -> anyhow::Result<()> {
        let file = match fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| self.name()),
        };
        for line in BufReader::new(file).split(b'\n') {
            if let Ok(head) = serde_json::from_slice(&line?) {
                look(head);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::Hash;
    use super::*;
    use chrono::{DateTime, TimeDelta};

    fn head(seq: i64) -> Head {
        let (hash, signature) = (Hash([seq as u8; 32]), vec![1, 2]);
        Head { organization_id: Uuid::nil(), seq, hash, sealed_at: DateTime::UNIX_EPOCH, signature }
    }

    fn seqs(file: &HeadFile) -> Vec<i64> {
        let mut seen = Vec::new();
        file.each(&mut |head| seen.push(head.seq)).unwrap();
        seen
    }

    #[test]
    fn a_line_that_was_cut_short_spoils_no_other() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let file = HeadFile::new(directory.path().join("audit/heads.jsonl"));
        assert!(seqs(&file).is_empty());
        file.append(&[head(1), head(2)]).unwrap();
        let length = fs::metadata(&file.path).unwrap().len();
        OpenOptions::new().write(true).open(&file.path).unwrap().set_len(length - 9).unwrap();
        file.append(&[head(3)]).unwrap();
        assert_eq!(seqs(&file), [1, 3]);
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_large_file_keeps_the_newest_of_each_hour() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = HeadFile::new(directory.path().join("audit/heads.jsonl"));
        let at =
            |seq: i64, minute: i64| Head { sealed_at: DateTime::UNIX_EPOCH + TimeDelta::minutes(minute), ..head(seq) };
        let other = |seq| Head { organization_id: Uuid::from_u128(1), ..at(seq, 1) };
        file.append(&[at(1, 0), at(2, 30), other(9), at(3, 59), at(4, 61), other(8), at(5, 70)]).unwrap();
        file.tidy().unwrap();
        assert_eq!(seqs(&file).len(), 7, "as long as it is small, all stay");
        file.large = 1;
        file.tidy().unwrap();
        assert_eq!(seqs(&file), [3, 5, 9, 8], "a chain that went back keeps them all");
        file.append(&[at(6, 80)]).unwrap();
        assert_eq!(seqs(&file), [3, 5, 9, 8, 6]);
    }

    #[tokio::test]
    async fn what_a_place_could_not_take_it_gets_later() {
        let directory = tempfile::tempdir().unwrap();
        let blocked = directory.path().join("audit");
        fs::write(&blocked, "a file where the directory should be").unwrap();
        let file = || HeadFile::new(blocked.join("heads.jsonl"));
        let sinks = HeadSinks::new(vec![Arc::new(file())]);
        sinks.append(&[head(1)]).await;
        sinks.append(&[head(2)]).await;
        fs::remove_file(&blocked).unwrap();
        sinks.append(&[]).await;
        assert_eq!(seqs(&file()), [2], "the newest says all that the one before it said");
        sinks.catch_up(&[head(2)]).await.unwrap();
        sinks.catch_up(&[head(5)]).await.unwrap();
        assert_eq!(seqs(&file()), [2, 5]);
    }
}
