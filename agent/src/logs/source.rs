//! Where the lines of an instance are, oldest first, and how they are read.

use super::archive::Part;
use super::cursor::{Numbers, short};
use crate::engine::OpError;
use crate::host::docker::lines::{Line, LinesOptions};
use crate::host::docker::{DockerHost, labels};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, StreamExt};
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::entry::Levels;
use ocore_shared::logs::{Cursor, LogFilter, mark};
use ocore_shared::protocol::logs::LogRecord;
use std::pin::Pin;

pub type Records = Pin<Box<dyn Stream<Item = Result<LogRecord, OpError>> + Send>>;

#[derive(Clone, Debug)]
pub enum Source {
    Archived(Part),
    Live {
        /// Full.
        id: String,
        /// What is not younger is left out.
        cleared: Option<DateTime<Utc>>,
    },
}

impl Source {
    pub fn container(&self) -> String {
        match self {
            Self::Archived(part) => part.container.clone(),
            Self::Live { id, .. } => short(id),
        }
    }

    /// Its lines; of what can have none that the filter wants, perhaps none.
    pub async fn read(
        &self, docker: &DockerHost, options: LinesOptions, filter: &LogFilter,
    ) -> Result<Records, OpError> {
        match self {
            Self::Archived(part) => {
                let records = part.read(filter).await?;
                Ok(Box::pin(futures::stream::iter(records.into_iter().map(Ok))))
            }
            Self::Live { id, cleared } => live(docker, id, *cleared, options).await,
        }
    }

    /// Whether there can be nothing in it that the filter wants.
    pub fn is_outside(&self, filter: &LogFilter) -> bool {
        let Self::Archived(part) = self else { return false };
        filter.from.is_some_and(|from| part.last < from.timestamp_millis())
            || filter.to.is_some_and(|to| part.first > to.timestamp_millis())
    }

    /// Whether all of it was written after that.
    pub fn is_after(&self, at: DateTime<Utc>) -> bool {
        matches!(self, Self::Archived(part) if part.first > at.timestamp_millis())
    }
}

/// The instance's Odoo container, running or not.
pub async fn live_container(docker: &DockerHost, instance: InstanceId) -> Result<Option<String>, OpError> {
    let wanted = [labels::managed(), labels::filter(labels::INSTANCE, instance), labels::filter(labels::ROLE, "odoo")];
    Ok(docker.list(&wanted).await?.into_iter().next().and_then(|c| c.id))
}

/// A container's own log, as far as it was not cleared.
pub async fn live(
    docker: &DockerHost, id: &str, cleared: Option<DateTime<Utc>>, options: LinesOptions,
) -> Result<Records, OpError> {
    let container = short(id);
    let (mut numbers, mut levels) = (Numbers::default(), Levels::default());
    let since = options.since.max(cleared.map(|at| at.timestamp()));
    let lines = docker.lines(id, LinesOptions { since, ..options }).await?;
    let records = lines.map(move |line| line.map(|line| record(&container, line, &mut numbers, &mut levels)));
    let Some(cleared) = cleared else { return Ok(Box::pin(records)) };
    Ok(Box::pin(records.filter(move |record| {
        let shown = record.as_ref().map_or(true, |record| record.at > cleared);
        std::future::ready(shown)
    })))
}

fn record(container: &str, line: Line, numbers: &mut Numbers, levels: &mut Levels) -> LogRecord {
    let at = DateTime::parse_from_rfc3339(&line.at).map(|t| t.to_utc()).unwrap_or_default();
    let cursor = Cursor { container: container.into(), at, nth: numbers.next(at) };
    LogRecord {
        cursor: cursor.to_string(),
        at,
        stream: if line.stderr { "stderr" } else { "stdout" }.into(),
        level: levels.of(&line.text).map(Into::into),
        text: line.text,
        dropped: None,
        head: None,
    }
}

/// The mark between a container's last line and the first of the one that replaced it. Its cursor is just before that.
pub fn recreated(first: &LogRecord) -> LogRecord {
    let at = first.at - TimeDelta::nanoseconds(1);
    let container = first.cursor.split(':').next().unwrap_or_default().to_owned();
    mark(Cursor { container, at, nth: 0 }, "The container was made anew.".into(), None)
}
