//! What both ends need to let many people follow one log: a place in it, and a bounded ring from which each reader takes
//! at its own pace.

mod cursor;
pub mod entry;
mod ring;

pub use cursor::{Cursor, InvalidCursor, Resume};
pub use entry::{Entries, Head, LogFilter};
pub use ring::{Joined, LogRing, Taken};

use crate::protocol::logs::LogRecord;
use chrono::TimeDelta;

/// A line of our own between others.
pub fn mark(cursor: Cursor, text: String, dropped: Option<u64>) -> LogRecord {
    LogRecord {
        at: cursor.at,
        cursor: cursor.to_string(),
        stream: "mark".into(),
        text,
        dropped,
        level: None,
        head: None,
    }
}

/// The mark where a reader was too slow, just before the first line that it gets again.
pub fn mark_dropped(first: &LogRecord, dropped: u64) -> Option<LogRecord> {
    let cursor: Cursor = first.cursor.parse().ok()?;
    let at = Cursor { at: first.at - TimeDelta::nanoseconds(1), nth: 0, ..cursor };
    Some(mark(at, format!("{dropped} lines were left out, because the reader was too slow."), Some(dropped)))
}
