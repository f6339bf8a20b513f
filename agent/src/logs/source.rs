//! Where the lines of an instance are, oldest first, and how they are read.

use super::archive::Archive;
use super::cursor::{Numbers, short};
use super::level::Levels;
use crate::engine::OpError;
use crate::host::docker::lines::{Line, LinesOptions};
use crate::host::docker::{DockerHost, labels};
use chrono::{DateTime, TimeDelta};
use futures::{Stream, StreamExt};
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::{Cursor, mark};
use ocore_shared::protocol::logs::LogRecord;
use std::pin::Pin;

pub type Records = Pin<Box<dyn Stream<Item = Result<LogRecord, OpError>> + Send>>;

#[derive(Clone, Debug)]
pub enum Source {
    Archived(Archive),
    /// Full id.
    Live(String),
}

impl Source {
    pub fn container(&self) -> String {
        match self {
            Self::Archived(archive) => archive.container.clone(),
            Self::Live(id) => short(id),
        }
    }

    pub async fn read(&self, docker: &DockerHost, options: LinesOptions) -> Result<Records, OpError> {
        match self {
            Self::Archived(archive) => Ok(archive.read()),
            Self::Live(id) => live(docker, id, options).await,
        }
    }
}

/// The instance's Odoo container, running or not.
pub async fn live_container(docker: &DockerHost, instance: InstanceId) -> Result<Option<String>, OpError> {
    let wanted = [labels::managed(), labels::filter(labels::INSTANCE, instance), labels::filter(labels::ROLE, "odoo")];
    Ok(docker.list(&wanted).await?.into_iter().next().and_then(|c| c.id))
}

pub async fn live(docker: &DockerHost, id: &str, options: LinesOptions) -> Result<Records, OpError> {
    let container = short(id);
    let (mut numbers, mut levels) = (Numbers::default(), Levels::default());
    let lines = docker.lines(id, options).await?;
    Ok(Box::pin(lines.map(move |line| line.map(|line| record(&container, line, &mut numbers, &mut levels)))))
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
    }
}

/// The mark between a container's last line and the first of the one that replaced it. Its cursor is just before that.
pub fn recreated(first: &LogRecord) -> LogRecord {
    let at = first.at - TimeDelta::nanoseconds(1);
    let container = first.cursor.split(':').next().unwrap_or_default().to_owned();
    mark(Cursor { container, at, nth: 0 }, "The container was made anew.".into(), None)
}
