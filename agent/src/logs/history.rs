//! Pages of the log, newest page first.

use super::hub::LogHub;
use super::source::{Source, recreated};
use crate::engine::OpError;
use crate::host::docker::lines::LinesOptions;
use futures::StreamExt;
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::{Cursor, Entries, LogFilter};
use ocore_shared::protocol::logs::{LogPage, LogRecord};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MAX_LIMIT: usize = 5000;
/// Text of one page. Were every byte of it escaped, the page would still fit into one answer of the tunnel.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// So long is looked further back for what is seldom; then the page ends, and the next one goes on there.
const SEARCH_TIME: Duration = Duration::from_secs(4);
/// Lines behind the page that may belong to its last entry.
const LOOK_AHEAD: usize = 1000;

#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    pub before: Option<Cursor>,
    pub limit: usize,
    pub filter: LogFilter,
}

/// What is left of a page.
#[derive(Clone, Copy)]
struct Room {
    lines: usize,
    bytes: usize,
}

/// The newest lines that there is room for.
struct Newest {
    room: Room,
    lines: VecDeque<LogRecord>,
    bytes: usize,
    /// Whether older ones were left out for their size.
    cut: bool,
    /// Cursor of the first line that was looked at.
    first: Option<String>,
}

impl Newest {
    fn new(room: Room) -> Self {
        Self { room, lines: VecDeque::new(), bytes: 0, cut: false, first: None }
    }

    fn keep(&mut self, record: LogRecord) {
        self.bytes += record.text.len();
        self.lines.push_back(record);
        // One in any case, or a page would lead nowhere.
        while self.lines.len() > self.room.lines || (self.bytes > self.room.bytes && self.lines.len() > 1) {
            self.cut |= self.lines.len() <= self.room.lines;
            if let Some(oldest) = self.lines.pop_front() {
                self.bytes -= oldest.text.len();
            }
        }
    }
}

impl LogHub {
    /// The newest lines before the cursor that the filter wants.
    pub async fn history(&self, instance: InstanceId, query: &HistoryQuery) -> Result<LogPage, OpError> {
        let limit = query.limit.clamp(1, MAX_LIMIT);
        let mut sources = self.sources(instance).await?;
        if let Some(before) = &query.before {
            if let Some(place) = sources.iter().rposition(|s| s.container() == before.container) {
                sources.truncate(place + 1);
            }
            while sources.last().is_some_and(|s| s.container() == before.container && s.is_after(before.at)) {
                sources.pop();
            }
        }
        let started = Instant::now();
        let mut lines: VecDeque<LogRecord> = VecDeque::new();
        let (mut bytes, mut cut, mut stopped_at) = (0, false, None);
        for (index, source) in sources.iter().enumerate().rev().filter(|(_, s)| !s.is_outside(&query.filter)) {
            // One more than wanted shows that there is more.
            let room = Room { lines: limit + 1 - lines.len(), bytes: MAX_BYTES.saturating_sub(bytes) };
            let has_older = index > 0 && sources[index - 1].container() != source.container();
            let mut page = self.last_of(source, has_older, query, room).await?;
            page.lines.append(&mut lines);
            lines = page.lines;
            (bytes, cut) = (bytes + page.bytes, page.cut);
            if cut || lines.len() > limit {
                break;
            }
            // Of a part that was passed over there is no line to go on before.
            if started.elapsed() > SEARCH_TIME && index > 0 && page.first.is_some() {
                stopped_at = page.first;
                break;
            }
        }
        let beyond = lines.len() > limit;
        if beyond {
            lines.pop_front();
        }
        let has_more = beyond || cut || stopped_at.is_some();
        let previous_cursor = stopped_at.or_else(|| lines.front().map(|l| l.cursor.clone())).filter(|_| has_more);
        Ok(LogPage { lines: lines.into(), previous_cursor, has_more })
    }

    /// The last matching lines of one source before the cursor, as many as there is room for.
    async fn last_of(
        &self, source: &Source, has_older: bool, query: &HistoryQuery, room: Room,
    ) -> Result<Newest, OpError> {
        if matches!(source, Source::Live { .. }) && query.before.is_none() && query.filter.is_empty() {
            let options = LinesOptions { tail: Some(room.lines), ..LinesOptions::default() };
            let page = self.newest(source, options, false, query, room).await?;
            // The engine counts the parts of long lines: fewer than asked for need not be all.
            if page.cut || page.lines.len() == room.lines {
                return Ok(page);
            }
        }
        self.newest(source, LinesOptions::default(), has_older, query, room).await
    }

    /// With `opens`, the first line read is the container's first, and another container came before it.
    async fn newest(
        &self, source: &Source, options: LinesOptions, opens: bool, query: &HistoryQuery, room: Room,
    ) -> Result<Newest, OpError> {
        let mut page = Newest::new(room);
        let mut records = source.read(self.docker(), options, &query.filter).await?;
        let mut opens = opens && query.filter.is_empty();
        let mut entries = Entries::new(&query.filter);
        let mut ahead = 0;
        while let Some(record) = records.next().await {
            let record = record?;
            if ahead > 0 || query.before.as_ref().is_some_and(|b| record.cursor == b.to_string() || record.at > b.at) {
                ahead += 1;
                // The page before began with the container's first line: the mark above it belongs to this one.
                if std::mem::take(&mut opens) && query.before.as_ref().is_some_and(|b| record.cursor == b.to_string()) {
                    page.keep(recreated(&record));
                }
                if !entries.look_ahead(&record, &mut |wanted| page.keep(wanted)) || ahead >= LOOK_AHEAD {
                    break;
                }
                continue;
            }
            page.first.get_or_insert_with(|| record.cursor.clone());
            if std::mem::take(&mut opens) {
                page.keep(recreated(&record));
            }
            entries.push(record, &mut |wanted| page.keep(wanted));
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::docker::fake::FakeDocker;
    use crate::logs::archive::{self, tests::records};
    use axum::extract::Query;
    use axum::routing::get;
    use axum::{Json, Router};
    use chrono::{DateTime, SecondsFormat};
    use ocore_shared::clock::SystemClock;
    use serde_json::json;
    use std::collections::HashMap;
    use std::sync::Arc;
    use tokio::sync::watch;

    const PART: usize = 16 * 1024;

    /// An instance whose first container has said `old`, and whose present one `lines`, a line each second.
    async fn hub(dir: &tempfile::TempDir, old: &str, lines: Vec<String>) -> (FakeDocker, LogHub, InstanceId) {
        let instance = InstanceId::new();
        let spool = dir.path().join(instance.to_string());
        archive::write(&spool, "old", records("old", 0, &[old]), DateTime::UNIX_EPOCH).await.unwrap();

        // As the engine keeps them: in parts, of which only a line's last one ends with a line break.
        let parts = lines.into_iter().enumerate().flat_map(|(second, line)| {
            let at = DateTime::from_timestamp(1 + second as i64, 0).unwrap();
            let at = at.to_rfc3339_opts(SecondsFormat::Nanos, true);
            let bytes = [line.as_bytes(), b"\n"].concat();
            bytes.chunks(PART).map(|part| [at.as_bytes(), b" ", part].concat()).collect::<Vec<_>>()
        });
        let parts: Arc<Vec<Vec<u8>>> = Arc::new(parts.collect());
        let logs = get(move |Query(query): Query<HashMap<String, String>>| async move {
            let tail = query["tail"].parse().unwrap_or(usize::MAX);
            let frames = parts[parts.len().saturating_sub(tail)..].iter().map(|part| {
                let length = u32::try_from(part.len()).unwrap();
                [&[1, 0, 0, 0], &length.to_be_bytes()[..], part].concat()
            });
            frames.collect::<Vec<_>>().concat()
        });
        let router = Router::new()
            .route("/containers/json", get(|| async { Json(json!([{ "Id": "new" }])) }))
            .route("/containers/new/logs", logs);
        let docker = FakeDocker::start(router);
        let changes = watch::Sender::new(0).subscribe();
        let hub = LogHub::new(docker.host.clone(), dir.path().into(), changes, Arc::new(SystemClock));
        (docker, hub, instance)
    }

    fn texts(page: &LogPage) -> Vec<&str> {
        page.lines.iter().map(|line| line.text.trim_end()).collect()
    }

    #[tokio::test]
    async fn a_page_is_full_although_the_engine_counts_parts_of_lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut lines: Vec<_> = (0..6).map(|n| format!("line {n}")).collect();
        lines[5].push_str(&" ".repeat(3 * PART));
        let (_docker, hub, instance) = hub(&dir, "past", lines).await;
        let page = hub.history(instance, &HistoryQuery { limit: 4, ..HistoryQuery::default() }).await.unwrap();
        assert_eq!(texts(&page), ["line 2", "line 3", "line 4", "line 5"]);
        assert!(page.has_more);
        assert_eq!(page.previous_cursor.as_ref(), Some(&page.lines[0].cursor));
        // Fewer than asked for are all, and it is told where they begin.
        let page = hub.history(instance, &HistoryQuery { limit: 100, ..HistoryQuery::default() }).await.unwrap();
        assert_eq!(texts(&page)[..3], ["past", "The container was made anew.", "line 0"]);
        assert_eq!((page.lines.len(), page.has_more), (8, false));
    }

    #[tokio::test]
    async fn pages_of_long_lines_are_short_and_lead_to_the_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let count = 3 * MAX_BYTES / (50 * 1024);
        let lines: Vec<_> = (0..count).map(|n| format!("{n:05}{}", "x".repeat(50 * 1024))).collect();
        let (_docker, hub, instance) = hub(&dir, "past", lines).await;
        let (mut seen, mut before, mut pages) = (Vec::new(), None, 0);
        loop {
            let query = HistoryQuery { before, limit: MAX_LIMIT, ..HistoryQuery::default() };
            let page = hub.history(instance, &query).await.unwrap();
            assert!(page.lines.iter().map(|line| line.text.len()).sum::<usize>() <= MAX_BYTES);
            pages += 1;
            seen.splice(0..0, page.lines.iter().map(|line| line.text.chars().take(5).collect::<String>()));
            assert_eq!(page.has_more, page.previous_cursor.is_some());
            let Some(cursor) = page.previous_cursor else { break };
            before = Some(cursor.parse().unwrap());
        }
        assert!(pages > 3, "{pages}");
        let wanted = ["past".to_owned(), "The c".into()].into_iter().chain((0..count).map(|n| format!("{n:05}")));
        assert_eq!(seen, wanted.collect::<Vec<_>>());
    }
}
