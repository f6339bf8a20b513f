//! Logs of containers that are gone: `spool/<instance>/<time>-<container>-<part>-<first>-<last>.ndjson.gz`, compressed and
//! in parts, so that the oldest can be dropped when there is too much and a search reads no more than it must.
//! `first` and `last` are the milliseconds that a part's lines span. A part ends where an entry does.

use super::cursor::short;
use super::source::Records;
use crate::engine::OpError;
use crate::ops::odoo::record::disk;
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use futures::StreamExt;
use ocore_shared::logs::{Head, LogFilter};
use ocore_shared::protocol::logs::LogRecord;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Of one instance, compressed: about ten times as much text.
const MAX_BYTES: u64 = 50 * 1024 * 1024;
/// Text of a part; it is unpacked as a whole.
const PART_BYTES: usize = 2 * 1024 * 1024;
/// However long an entry is.
const LONGEST_PART: usize = PART_BYTES + 2 * 1024 * 1024;
const SUFFIX: &str = ".ndjson.gz";
const CLEARED: &str = "cleared";

/// A stretch of one container's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub container: String,
    /// Milliseconds since 1970.
    pub first: i64,
    pub last: i64,
    path: PathBuf,
}

impl Part {
    fn parse(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
        let mut words = name.split('-').skip(1);
        let container = words.next()?.to_owned();
        words.next()?;
        let (first, last) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { container, first, last, path })
    }

    /// All of its lines, or none where it can have none that the filter wants. None either when it was dropped since it
    /// was listed.
    pub async fn read(&self, filter: &LogFilter) -> Result<Vec<LogRecord>, OpError> {
        let (path, words) = (self.path.clone(), words(filter));
        let read = tokio::task::spawn_blocking(move || {
            let Ok(file) = std::fs::File::open(&path) else { return Ok(Vec::new()) };
            let mut text = String::with_capacity(PART_BYTES);
            MultiGzDecoder::new(file).read_to_string(&mut text).map_err(|e| disk(&path, &e))?;
            // Most parts are passed over so, without a look at their lines.
            let lower = if words.is_empty() { String::new() } else { text.to_lowercase() };
            if !words.iter().all(|word| lower.contains(word)) {
                return Ok(Vec::new());
            }
            Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
        });
        read.await.unwrap_or_else(|e| Err(disk(&self.path, &e)))
    }
}

/// What the text of a part must contain, in lower case and as JSON writes it.
fn words(filter: &LogFilter) -> Vec<String> {
    let wanted = [filter.text.as_deref(), filter.logger.as_deref()];
    let as_json = |word: &str| serde_json::to_string(word).ok().map(|json| json.trim_matches('"').to_lowercase());
    // What begins or ends with a quotation mark would be trimmed too much; the lines themselves decide then.
    wanted.into_iter().flatten().filter(|word| !word.contains('"')).filter_map(as_json).collect()
}

/// All parts of an instance, oldest first.
pub fn list(dir: &Path) -> Vec<Part> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut parts: Vec<Part> = entries.flatten().filter_map(|e| Part::parse(e.path())).collect();
    parts.sort_by(|a, b| a.path.cmp(&b.path));
    parts
}

/// Copy the whole log of a container that is about to go. Run again, it replaces what it wrote before.
pub async fn write(dir: &Path, container: &str, mut records: Records, now: DateTime<Utc>) -> Result<(), OpError> {
    let id = short(container);
    tokio::fs::create_dir_all(dir).await.map_err(|e| disk(dir, &e))?;
    for part in list(dir).into_iter().filter(|p| p.container == id) {
        remove(&part.path)?;
    }
    let prefix = format!("{}-{id}", now.format("%Y%m%dT%H%M%S%3fZ"));
    let mut part = Packing::default();
    let mut number = 0;
    while let Some(record) = records.next().await {
        let record = record?;
        let ends_entry = part.bytes >= PART_BYTES && Head::parse(&record.text).is_some();
        if ends_entry || part.bytes >= LONGEST_PART {
            std::mem::take(&mut part).store(dir, &format!("{prefix}-{number:05}")).await?;
            number += 1;
            trim(dir, MAX_BYTES)?;
        }
        part.add(&record).map_err(|e| disk(dir, &e))?;
    }
    part.store(dir, &format!("{prefix}-{number:05}")).await?;
    trim(dir, MAX_BYTES)
}

/// A part while it is made, compressed as it comes.
struct Packing {
    packer: GzEncoder<Vec<u8>>,
    bytes: usize,
    span: Option<(i64, i64)>,
}

impl Default for Packing {
    fn default() -> Self {
        Self { packer: GzEncoder::new(Vec::new(), Compression::fast()), bytes: 0, span: None }
    }
}

impl Packing {
    fn add(&mut self, record: &LogRecord) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.bytes += line.len();
        let at = record.at.timestamp_millis();
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
        self.packer.write_all(&line)
    }

    /// Under its name only when it is whole.
    async fn store(self, dir: &Path, name: &str) -> Result<(), OpError> {
        let Some((first, last)) = self.span else { return Ok(()) };
        let path = dir.join(format!("{name}-{first}-{last}{SUFFIX}"));
        let failed = |e: std::io::Error| disk(&path, &e);
        let bytes = self.packer.finish().map_err(failed)?;
        let target = path.clone();
        let written = tokio::task::spawn_blocking(move || crate::config::write_atomically(&target, &bytes, 0o600));
        written.await.map_err(|e| disk(&path, &e))?.map_err(|e| disk(&path, &e))
    }
}

fn remove(path: &Path) -> Result<(), OpError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(disk(path, &e)),
        _ => Ok(()),
    }
}

fn size(part: &Part) -> u64 {
    std::fs::metadata(&part.path).map_or(0, |m| m.len())
}

/// Bytes that the parts take.
pub fn bytes(dir: &Path) -> u64 {
    list(dir).iter().map(size).sum()
}

/// Drop the oldest parts beyond the limit.
fn trim(dir: &Path, most: u64) -> Result<(), OpError> {
    let mut sum = 0;
    for part in list(dir).into_iter().rev() {
        sum += size(&part);
        if sum > most {
            remove(&part.path)?;
        }
    }
    Ok(())
}

/// Drop all parts, and remember that nothing up to `now` is to be shown.
pub fn clear(dir: &Path, now: DateTime<Utc>) -> Result<(), OpError> {
    std::fs::create_dir_all(dir).map_err(|e| disk(dir, &e))?;
    let path = dir.join(CLEARED);
    crate::config::write_atomically(&path, now.to_rfc3339().as_bytes(), 0o600).map_err(|e| disk(&path, &e))?;
    trim(dir, 0)
}

/// Up to when the log was cleared.
pub fn cleared(dir: &Path) -> Option<DateTime<Utc>> {
    let text = std::fs::read_to_string(dir.join(CLEARED)).ok()?;
    DateTime::parse_from_rfc3339(text.trim()).ok().map(|t| t.to_utc())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use ocore_shared::logs::{Cursor, mark};

    /// One line a second, from that second on.
    pub fn records(container: &str, start: i64, texts: &[&str]) -> Records {
        let all: Vec<_> = texts
            .iter()
            .zip(start..)
            .map(|(text, second)| {
                let at = DateTime::from_timestamp(second, 0).unwrap();
                let cursor = Cursor { container: short(container), at, nth: 0 };
                Ok(LogRecord { stream: "stderr".into(), ..mark(cursor, text.to_string(), None) })
            })
            .collect();
        Box::pin(futures::stream::iter(all))
    }

    #[tokio::test]
    async fn what_is_kept_is_read_again_and_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |n| DateTime::from_timestamp(n, 0).unwrap();
        for now in [10, 20] {
            write(dir.path(), "aaaaaaaaaaaabbb", records("aaaaaaaaaaaabbb", 1, &["one", "two"]), at(now))
                .await
                .unwrap();
        }
        write(dir.path(), "bbb", records("bbb", 5, &["three"]), at(30)).await.unwrap();
        std::fs::write(dir.path().join("other.txt"), "").unwrap();
        let parts = list(dir.path());
        assert_eq!(parts.iter().map(|p| p.container.as_str()).collect::<Vec<_>>(), ["aaaaaaaaaaaa", "bbb"]);
        assert_eq!((parts[0].first, parts[0].last), (1000, 2000));
        let texts: Vec<_> = parts[0].read(&LogFilter::default()).await.unwrap().into_iter().map(|r| r.text).collect();
        assert_eq!(texts, ["one", "two"]);
        let by = |text: &str| LogFilter { text: Some(text.into()), ..LogFilter::default() };
        assert_eq!(parts[0].read(&by("wo")).await.unwrap().len(), 2);
        assert_eq!(parts[0].read(&by("three")).await.unwrap().len(), 0);

        clear(dir.path(), at(40)).unwrap();
        assert_eq!((list(dir.path()), cleared(dir.path())), (vec![], Some(at(40))));
    }

    #[tokio::test]
    async fn parts_end_where_entries_do_and_the_oldest_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let long = "x".repeat(PART_BYTES / 2);
        let head = format!("2026-11-22 01:06:19,123 7 ERROR shop odoo: {long}");
        let lines = [head.as_str(), &long, "the end of a traceback", &head, &long];
        write(dir.path(), "aaa", records("aaa", 0, &lines), DateTime::UNIX_EPOCH).await.unwrap();
        let parts = list(dir.path());
        let mut counts = Vec::new();
        for part in &parts {
            counts.push(part.read(&LogFilter::default()).await.unwrap().len());
        }
        assert_eq!(counts, [3, 2]);
        trim(dir.path(), size(&parts[1])).unwrap();
        assert_eq!(list(dir.path()), parts[1..]);
    }
}
