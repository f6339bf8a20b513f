//! A place in a log: `CONTAINER12:RFC3339NANO:NTH`, and going on behind it.

use crate::protocol::logs::LogRecord;
use chrono::{DateTime, SecondsFormat, Utc};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The first 12 characters of the container's id.
    pub container: String,
    pub at: DateTime<Utc>,
    /// Counts lines of the same nanosecond, from 0.
    pub nth: u32,
}

/// A text that is no cursor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no cursor of a log; leave it out to start anew.")]
pub struct InvalidCursor(String);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.container, self.at.to_rfc3339_opts(SecondsFormat::Nanos, true), self.nth)
    }
}

impl std::str::FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let parse = || {
            let (container, rest) = text.split_once(':')?;
            let (at, nth) = rest.rsplit_once(':')?;
            let at = DateTime::parse_from_rfc3339(at).ok()?.to_utc();
            let plain = !container.is_empty() && container.bytes().all(|b| b.is_ascii_alphanumeric());
            plain.then_some(Self { container: container.into(), at, nth: nth.parse().ok()? })
        };
        parse().ok_or_else(|| InvalidCursor(text.into()))
    }
}

/// Leaves out what was read before. The engine gives whole seconds only, so the exact line is looked for, and one that
/// is gone is passed by time. Two streams of one container may be written slightly out of order: then a line may be
/// told twice, but never be lost.
pub struct Resume(Option<Cursor>);

impl Resume {
    pub fn after(cursor: Option<Cursor>) -> Self {
        Self(cursor)
    }

    pub fn wants(&mut self, record: &LogRecord) -> bool {
        let Some(cursor) = &self.0 else { return true };
        if record.cursor == cursor.to_string() {
            self.0 = None;
            return false;
        }
        if record.at > cursor.at {
            self.0 = None;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(cursor: &str) -> LogRecord {
        let parsed: Cursor = cursor.parse().unwrap();
        LogRecord {
            cursor: parsed.to_string(),
            at: parsed.at,
            stream: "stdout".into(),
            text: String::new(),
            dropped: None,
            level: None,
            head: None,
        }
    }

    #[test]
    fn text_and_back() {
        let text = "0123456789ab:2026-11-22T01:06:19.123456789Z:2";
        let cursor: Cursor = text.parse().unwrap();
        assert_eq!((cursor.container.as_str(), cursor.nth), ("0123456789ab", 2));
        assert_eq!(cursor.to_string(), text);
        for bad in ["", "a", "a:b:c", "../x:2026-11-22T01:06:19Z:0", "a:2026-11-22T01:06:19Z:-1"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_resumed_read_loses_nothing() {
        // The fourth was written after the third, with an earlier time.
        let all: Vec<_> = [
            "a:2026-01-01T00:00:01.5Z:0",
            "a:2026-01-01T00:00:01.7Z:0",
            "a:2026-01-01T00:00:01.7Z:1",
            "a:2026-01-01T00:00:01.6Z:0",
            "a:2026-01-01T00:00:02Z:0",
        ]
        .map(record)
        .into();
        for cut in 0..all.len() {
            let mut resume = Resume::after(Some(all[cut].cursor.parse().unwrap()));
            let rest: Vec<_> = all.iter().filter(|r| resume.wants(r)).collect();
            assert!(rest.ends_with(&all[cut + 1..].iter().collect::<Vec<_>>()), "after {cut}");
            // Only behind a line that was out of order is something repeated.
            assert_eq!(rest.len() == all.len() - cut - 1, cut != 3);
        }
        let gone = "a:2026-01-01T00:00:01.65Z:0".parse().unwrap();
        let mut resume = Resume::after(Some(gone));
        assert_eq!(all.iter().filter(|r| resume.wants(r)).count(), 4);
    }
}
