//! Logs of containers that are gone: `spool/<instance>/<time>-<container>-<part>.ndjson`, in parts, so that the oldest
//! can be dropped when there is too much.

use super::cursor::short;
use super::source::{self, Records};
use crate::engine::OpError;
use crate::host::docker::DockerHost;
use crate::host::docker::lines::LinesOptions;
use crate::ops::odoo::record::disk;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use ocore_shared::protocol::logs::LogRecord;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter};

/// Of one instance.
const MAX_BYTES: u64 = 50 * 1024 * 1024;
const PART_BYTES: u64 = 5 * 1024 * 1024;

/// One container's parts, in order.
#[derive(Clone, Debug)]
pub struct Archive {
    pub container: String,
    parts: Vec<PathBuf>,
}

impl Archive {
    pub fn read(&self) -> Records {
        let parts = futures::stream::iter(self.parts.clone()).then(read_part).try_flatten();
        Box::pin(parts)
    }
}

async fn read_part(path: PathBuf) -> Result<Records, OpError> {
    // Dropped for being too old since it was listed.
    let Ok(file) = tokio::fs::File::open(&path).await else { return Ok(Box::pin(futures::stream::empty())) };
    let lines = BufReader::new(file).lines();
    Ok(Box::pin(futures::stream::try_unfold((lines, path), async |(mut lines, path)| {
        while let Some(line) = lines.next_line().await.map_err(|e| disk(&path, &e))? {
            // A line that was cut by a crash is the last of its part; the log is archived anew then.
            if let Ok(record) = serde_json::from_str::<LogRecord>(&line) {
                return Ok(Some((record, (lines, path))));
            }
        }
        Ok(None)
    })))
}

/// All archives of an instance, oldest first.
pub fn list(dir: &Path) -> Vec<Archive> {
    let mut archives: Vec<Archive> = Vec::new();
    for path in files(dir) {
        let Some(container) = container_of(&path) else { continue };
        match archives.iter_mut().find(|a| a.container == container) {
            Some(archive) => archive.parts.push(path),
            None => archives.push(Archive { container, parts: vec![path] }),
        }
    }
    archives
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| container_of(p).is_some()).collect();
    paths.sort();
    paths
}

fn container_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".ndjson")?;
    Some(name.split('-').nth(1)?.to_owned())
}

/// Copy the whole log of a container that is about to go. Run again, it replaces what it wrote before.
pub async fn write(docker: &DockerHost, dir: &Path, container: &str, now: DateTime<Utc>) -> Result<(), OpError> {
    let id = short(container);
    tokio::fs::create_dir_all(dir).await.map_err(|e| disk(dir, &e))?;
    for path in files(dir).into_iter().filter(|p| container_of(p).as_ref() == Some(&id)) {
        tokio::fs::remove_file(&path).await.map_err(|e| disk(&path, &e))?;
    }
    let stamp = now.format("%Y%m%dT%H%M%S%3fZ");
    let mut records = source::live(docker, container, LinesOptions::default()).await?;
    for part in 0.. {
        let path = dir.join(format!("{stamp}-{id}-{part:05}.ndjson"));
        let full = write_part(&path, &mut records).await?;
        trim(dir)?;
        if !full {
            break;
        }
    }
    Ok(())
}

/// Whether there may be more.
async fn write_part(path: &Path, records: &mut Records) -> Result<bool, OpError> {
    let failed = |e: std::io::Error| disk(path, &e);
    let mut options = tokio::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path).await.map_err(failed)?;
    let mut writer = BufWriter::new(file);
    let mut written = 0;
    let mut full = false;
    while let Some(record) = records.next().await {
        let mut line = serde_json::to_vec(&record?).map_err(|e| disk(path, &e))?;
        line.push(b'\n');
        writer.write_all(&line).await.map_err(failed)?;
        written += line.len() as u64;
        if written >= PART_BYTES {
            full = true;
            break;
        }
    }
    writer.flush().await.map_err(failed)?;
    writer.get_ref().sync_all().await.map_err(failed)?;
    if written == 0 {
        tokio::fs::remove_file(path).await.map_err(failed)?;
    }
    Ok(full)
}

/// Drop the oldest parts beyond the limit.
fn trim(dir: &Path) -> Result<(), OpError> {
    let mut sum = 0;
    for path in files(dir).into_iter().rev() {
        sum += std::fs::metadata(&path).map_or(0, |m| m.len());
        if sum > MAX_BYTES {
            std::fs::remove_file(&path).map_err(|e| disk(&path, &e))?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    #[test]
    fn archives_are_grouped_and_ordered() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["20260102T000000000Z-bbb-00000", "20260101T000000000Z-aaa-00001", "20260101T000000000Z-aaa-00000"]
        {
            std::fs::write(dir.path().join(format!("{name}.ndjson")), "").unwrap();
        }
        std::fs::write(dir.path().join("other.txt"), "").unwrap();
        let archives = list(dir.path());
        assert_eq!(
            archives.iter().map(|a| (a.container.as_str(), a.parts.len())).collect::<Vec<_>>(),
            [("aaa", 2), ("bbb", 1)]
        );
        assert!(archives[0].parts[0].to_str().unwrap().ends_with("00000.ndjson"));
    }

    #[test]
    fn the_oldest_part_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        for part in 0..3 {
            let path = dir.path().join(format!("20260101T000000000Z-aaa-{part:05}.ndjson"));
            std::fs::File::create(path).unwrap().set_len(MAX_BYTES / 2).unwrap();
        }
        trim(dir.path()).unwrap();
        let left = files(dir.path());
        assert_eq!(left.len(), 2);
        assert!(left[0].to_str().unwrap().ends_with("00001.ndjson"));
    }
}
