//! Container logs with a cursor, so that a reconnect loses nothing and repeats nothing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One line of a followed log, or a mark in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct LogRecord {
    /// Opaque; hand it back as `after` or `before`. Text `CONTAINER12:RFC3339NANO:NTH` where NTH counts lines of the same nanosecond.
    pub cursor: String,
    pub at: DateTime<Utc>,
    /// `stdout` or `stderr`; `mark` for a line that we wrote ourselves (started, recreated, dropped).
    pub stream: String,
    pub text: String,
    /// Set on a mark: that many lines were dropped here because the reader was too slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
    /// Level found in the text (`DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL`); lines of a traceback carry that of their head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
}

impl AsRef<LogRecord> for LogRecord {
    fn as_ref(&self) -> &LogRecord {
        self
    }
}

/// A page of history, oldest line first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct LogPage {
    pub lines: Vec<LogRecord>,
    /// Hand it back as `before` to page further back.
    pub previous_cursor: Option<String>,
    pub has_more: bool,
}
