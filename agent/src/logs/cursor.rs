//! A place in an instance's log: `CONTAINER12:RFC3339NANO:NTH`.

use crate::engine::OpError;
use chrono::{DateTime, SecondsFormat, Utc};
use ocore_shared::protocol::logs::LogRecord;
use std::collections::HashMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The first 12 characters of the container's id.
    pub container: String,
    pub at: DateTime<Utc>,
    /// Counts lines of the same nanosecond, from 0.
    pub nth: u32,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.container, self.at.to_rfc3339_opts(SecondsFormat::Nanos, true), self.nth)
    }
}

impl std::str::FromStr for Cursor {
    type Err = OpError;

    fn from_str(text: &str) -> Result<Self, OpError> {
        let parse = || {
            let (container, rest) = text.split_once(':')?;
            let (at, nth) = rest.rsplit_once(':')?;
            let at = DateTime::parse_from_rfc3339(at).ok()?.to_utc();
            let plain = !container.is_empty() && container.bytes().all(|b| b.is_ascii_alphanumeric());
            plain.then_some(Self { container: container.into(), at, nth: nth.parse().ok()? })
        };
        parse().ok_or_else(|| {
            OpError::new("invalid_cursor", format!("`{text}` is no cursor of a log; leave it out to start anew."))
        })
    }
}

/// The name of a container inside cursors and files.
pub fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// Numbers lines of the same nanosecond. Reading from the start of a second gives the same numbers as reading all.
#[derive(Default)]
pub struct Numbers {
    second: i64,
    seen: HashMap<i64, u32>,
}

impl Numbers {
    pub fn next(&mut self, at: DateTime<Utc>) -> u32 {
        if at.timestamp() > self.second {
            self.second = at.timestamp();
            self.seen.clear();
        }
        let count = self.seen.entry(at.timestamp_nanos_opt().unwrap_or_default()).or_default();
        *count += 1;
        *count - 1
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
        }
    }

    #[test]
    fn text_and_back() {
        let text = "0123456789ab:2026-11-22T01:06:19.123456789Z:2";
        let cursor: Cursor = text.parse().unwrap();
        assert_eq!((cursor.container.as_str(), cursor.nth), ("0123456789ab", 2));
        assert_eq!(cursor.to_string(), text);
        for bad in ["", "a", "a:b:c", "../x:2026-11-22T01:06:19Z:0", "a:2026-11-22T01:06:19Z:-1"] {
            assert_eq!(bad.parse::<Cursor>().unwrap_err().code, "invalid_cursor", "{bad}");
        }
    }

    #[test]
    fn lines_of_one_nanosecond_are_told_apart() {
        let mut numbers = Numbers::default();
        let at = |n| DateTime::from_timestamp(10, n).unwrap();
        assert_eq!([at(1), at(1), at(2), at(1)].map(|t| numbers.next(t)), [0, 1, 0, 2]);
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
