//! Pages of the log, newest page first.

use super::hub::LogHub;
use super::level;
use super::source::{Source, recreated};
use crate::engine::OpError;
use crate::host::docker::lines::LinesOptions;
use futures::StreamExt;
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::Cursor;
use ocore_shared::protocol::logs::{LogPage, LogRecord};
use std::collections::VecDeque;

const MAX_LIMIT: usize = 5000;

#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    pub before: Option<Cursor>,
    pub limit: usize,
    /// Only lines that contain this, in whatever case.
    pub text: Option<String>,
    /// Only lines of this level or a worse one.
    pub level: Option<String>,
}

impl HistoryQuery {
    fn filters(&self) -> bool {
        self.text.is_some() || self.level.is_some()
    }

    fn wants(&self, record: &LogRecord) -> bool {
        let contains = |text: &String| record.text.to_lowercase().contains(&text.to_lowercase());
        self.text.as_ref().is_none_or(contains)
            && self.level.as_ref().is_none_or(|least| level::at_least(record.level.as_deref(), least))
    }
}

impl LogHub {
    pub async fn history(&self, instance: InstanceId, query: &HistoryQuery) -> Result<LogPage, OpError> {
        let limit = query.limit.clamp(1, MAX_LIMIT);
        let mut sources = self.sources(instance).await?;
        if let Some(before) = &query.before
            && let Some(place) = sources.iter().position(|s| s.container() == before.container)
        {
            sources.truncate(place + 1);
        }
        // One more than wanted shows that there is more.
        let mut lines: VecDeque<LogRecord> = VecDeque::new();
        for (index, source) in sources.iter().enumerate().rev() {
            let wanted = limit + 1 - lines.len();
            let mut page = self.last_of(source, index > 0, query, wanted).await?;
            page.append(&mut lines);
            lines = page;
            if lines.len() > limit {
                break;
            }
        }
        let has_more = lines.len() > limit;
        if has_more {
            lines.pop_front();
        }
        let previous_cursor = lines.front().filter(|_| has_more).map(|l| l.cursor.clone());
        Ok(LogPage { lines: lines.into(), previous_cursor, has_more })
    }

    /// The last `wanted` matching lines of one container before the cursor.
    async fn last_of(
        &self, source: &Source, has_older: bool, query: &HistoryQuery, wanted: usize,
    ) -> Result<VecDeque<LogRecord>, OpError> {
        let tail = (query.before.is_none() && !query.filters()).then_some(wanted);
        let mut records = source.read(self.docker(), LinesOptions { tail, ..LinesOptions::default() }).await?;
        let mut page = VecDeque::new();
        let mut first = true;
        let keep = |page: &mut VecDeque<LogRecord>, record| {
            page.push_back(record);
            if page.len() > wanted {
                page.pop_front();
            }
        };
        let whole = tail.is_none();
        let mut count = 0;
        let mut opening = None;
        while let Some(record) = records.next().await {
            let record = record?;
            if let Some(before) = &query.before
                && (record.cursor == before.to_string() || record.at > before.at)
            {
                break;
            }
            count += 1;
            if std::mem::take(&mut first) && has_older && !query.filters() {
                opening = Some(recreated(&record));
                if whole {
                    keep(&mut page, recreated(&record));
                }
            }
            if query.wants(&record) {
                keep(&mut page, record);
            }
        }
        // With a tail, the first line read is the container's first only when there were fewer than asked for.
        if let Some(opening) = opening.filter(|_| !whole && count < wanted) {
            page.push_front(opening);
        }
        Ok(page)
    }
}
