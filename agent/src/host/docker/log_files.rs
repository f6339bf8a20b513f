//! A container's log where the engine keeps it: files of JSON lines, of which the newest is written. To read them takes a
//! fraction of what it takes to ask the engine, which wraps each line once more and hands all of them through its socket.

use super::DockerHost;
use super::lines::{Joiner, Line};
use crate::engine::OpError;
use bollard::models::ContainerInspectResponse;
use chrono::DateTime;
use futures::{Stream, StreamExt};
use serde::Deserialize;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const BUFFER: usize = 256 * 1024;
/// Lines that go from the reading thread at once, and batches between it and who wants them.
const BATCH: usize = 256;
const BATCHES: usize = 4;
/// The engine may turn the files over while they are opened.
const ATTEMPTS: usize = 3;

/// One entry of such a file.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
    #[serde(borrow, default)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

impl DockerHost {
    /// The files of a container's log, oldest first. None: it is kept in another way, or out of reach; the engine has to be
    /// asked.
    pub(super) async fn log_files(&self, container: &str) -> Option<Vec<File>> {
        let (path, rotated) = place(&self.inspect(container).await.ok()??)?;
        tokio::task::spawn_blocking(move || open(&path, rotated)).await.ok()?
    }
}

/// Where the newest file is, and how many older ones there may be.
fn place(found: &ContainerInspectResponse) -> Option<(PathBuf, usize)> {
    let kept = found.host_config.as_ref()?.log_config.as_ref()?;
    let option = |name: &str| kept.config.as_ref().and_then(|config| config.get(name)).map(String::as_str);
    if kept.typ.as_deref() != Some("json-file") || option("compress") == Some("true") {
        return None;
    }
    let files: usize = option("max-file").map_or(Some(1), |count| count.parse().ok())?;
    let path = found.log_path.as_deref().filter(|path| !path.is_empty())?;
    Some((path.into(), files.saturating_sub(1)))
}

fn open(path: &Path, rotated: usize) -> Option<Vec<File>> {
    for _ in 0..ATTEMPTS {
        let newest = File::open(path).ok()?;
        let mut files = Vec::new();
        for number in (1..=rotated).rev() {
            match File::open(format!("{}.{number}", path.display())) {
                Ok(file) => files.push(file),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(_) => return None,
            }
        }
        if std::fs::metadata(path).ok()?.ino() == newest.metadata().ok()?.ino() {
            files.push(newest);
            return Some(files);
        }
    }
    None
}

/// All lines of these files, or those from a second (Unix) on.
pub(super) fn lines(files: Vec<File>, since: Option<i64>) -> impl Stream<Item = Result<Line, OpError>> + Send {
    let (sender, receiver) = mpsc::channel(BATCHES);
    tokio::task::spawn_blocking(move || {
        let mut batch = Vec::with_capacity(BATCH);
        let read = read(files, since, |line| {
            batch.push(Ok(line));
            batch.len() < BATCH
                || sender.blocking_send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_ok()
        });
        if let Err(error) = read {
            let message = format!("A log's file cannot be read: {error}.");
            batch.push(Err(OpError::retryable("log_unreadable", message)));
        }
        // Whoever has gone away wants no rest.
        drop(sender.blocking_send(batch));
    });
    ReceiverStream::new(receiver).flat_map(futures::stream::iter)
}

fn read(files: Vec<File>, since: Option<i64>, mut each: impl FnMut(Line) -> bool) -> std::io::Result<()> {
    // As the engine writes it, so that the text itself can be compared.
    let since = since.and_then(|since| DateTime::from_timestamp(since, 0));
    let since = since.map(|since| since.format("%Y-%m-%dT%H:%M:%S").to_string());
    let (mut joiner, mut text) = (Joiner::default(), Vec::new());
    for file in files {
        let mut file = BufReader::with_capacity(BUFFER, file);
        loop {
            text.clear();
            // What has no end yet is being written.
            if file.read_until(b'\n', &mut text)? == 0 || text.last() != Some(&b'\n') {
                break;
            }
            if since.as_deref().is_some_and(|since| is_before(&text, since)) {
                continue;
            }
            // After a power cut a line may be no entry.
            let Ok(entry) = serde_json::from_slice::<Entry<'_>>(&text) else { continue };
            if let Some(line) = joiner.push(&entry.time, entry.stream == "stderr", &entry.log)
                && !each(line)
            {
                return Ok(());
            }
        }
    }
    if let Some(line) = joiner.rest() {
        each(line);
    }
    Ok(())
}

/// Whether an entry, whose time stands last, is older. What looks otherwise is not.
fn is_before(text: &[u8], since: &str) -> bool {
    const KEY: &[u8] = b"\"time\":\"";
    let end = &text[text.len().saturating_sub(64)..];
    let Some(at) = end.windows(KEY.len()).rposition(|window| window == KEY) else { return false };
    let time = &end[at + KEY.len()..];
    time.get(..since.len()).is_some_and(|time| time < since.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn entry(second: u32, log: &str) -> String {
        let log = serde_json::to_string(log).unwrap();
        format!("{{\"log\":{log},\"stream\":\"stdout\",\"time\":\"2026-11-22T01:00:{second:02}.123456789Z\"}}\n")
    }

    async fn texts(files: Vec<File>, since: Option<i64>) -> Vec<String> {
        lines(files, since).map(|line| line.unwrap().text).collect().await
    }

    #[tokio::test]
    async fn files_are_read_in_order_and_cut_lines_joined() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c-json.log");
        let write = |suffix: &str, text: String| std::fs::write(format!("{}{suffix}", path.display()), text).unwrap();
        write(".2", entry(1, "one \"quoted\"\n") + &entry(2, "two, "));
        write(".1", entry(3, "and its rest\n") + "\0\0broken\n");
        write("", entry(4, "four\r\n") + "{\"log\":\"half");
        let open = || open(&path, 4).unwrap();
        assert_eq!(open().len(), 3);
        assert_eq!(texts(open(), None).await, ["one \"quoted\"", "two, and its rest", "four"]);
        let third = DateTime::parse_from_rfc3339("2026-11-22T01:00:04Z").unwrap().timestamp();
        assert_eq!(texts(open(), Some(third)).await, ["four"]);
        // More than fits between two threads, and a reader who leaves.
        let many: String = (0..5000).map(|n| entry(5, &format!("{n}\n"))).collect();
        File::options().append(true).open(&path).unwrap().write_all(format!("\"}}\n{many}").as_bytes()).unwrap();
        assert_eq!(texts(open(), Some(third)).await.len(), 5001);
        assert_eq!(lines(open(), None).take(10).count().await, 10);
    }

    #[test]
    fn only_plain_files_are_read() {
        let found = |kept: serde_json::Value| -> ContainerInspectResponse {
            serde_json::from_value(serde_json::json!({"LogPath": "/x/c-json.log", "HostConfig": {"LogConfig": kept}}))
                .unwrap()
        };
        let json = |config: serde_json::Value| serde_json::json!({"Type": "json-file", "Config": config});
        let at = |rotated| Some((PathBuf::from("/x/c-json.log"), rotated));
        assert_eq!(place(&found(json(serde_json::json!({})))), at(0));
        assert_eq!(place(&found(json(serde_json::json!({"max-size": "50m", "max-file": "5"})))), at(4));
        assert_eq!(place(&found(json(serde_json::json!({"compress": "true"})))), None);
        assert_eq!(place(&found(serde_json::json!({"Type": "journald", "Config": {}}))), None);
    }
}
