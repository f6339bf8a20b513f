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
    /// In pages of history, on lines that start an entry of Odoo's; a line without it goes on with the entry before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<LogHead>,
}

/// What Odoo's format says at the start of an entry. The level stands beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct LogHead {
    /// As Odoo wrote it, in its own time zone: `2026-11-22 01:06:19,123`.
    pub written_at: String,
    /// Of the process inside the container.
    pub pid: u32,
    /// None for work that belongs to no database.
    pub database: Option<String>,
    pub logger: String,
    /// The message is the rest of the text, from this character on.
    pub message_at: u32,
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
    /// There may be fewer lines than asked for, even none, and more before them: a search looks at so much at a time. Hand it back as `before` to page further back.
    pub previous_cursor: Option<String>,
    pub has_more: bool,
}

/// Answer of `DELETE /instances/{id}/logs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct LogsCleared {
    /// Nothing older is shown any more.
    pub cleared_at: DateTime<Utc>,
    /// Of kept logs of earlier containers. What the present container has written goes when Docker rotates it, or with
    /// the container.
    pub freed_bytes: u64,
}
