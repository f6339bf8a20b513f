//! The newest lines of one log, in bounded memory.

use super::cursor::Cursor;
use crate::protocol::logs::LogRecord;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// One writer, any number of readers that each remember their own place.
pub struct LogRing<T = LogRecord> {
    limit: usize,
    ring: Mutex<Ring<T>>,
    pushed: watch::Sender<u64>,
}

struct Ring<T> {
    records: VecDeque<Arc<T>>,
    bytes: usize,
    /// Number of the ring's first record.
    first: u64,
}

/// What a viewer gets from its place on.
pub struct Taken<T> {
    pub records: Vec<Arc<T>>,
    pub dropped: u64,
    pub next: u64,
}

/// Where a reader of the past goes on in a ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Joined {
    pub place: u64,
    /// Right behind the last line that was read. Otherwise that line has yet to come, and what is older is left out.
    pub exact: bool,
}

impl<T: AsRef<LogRecord>> LogRing<T> {
    /// An empty ring of so many bytes.
    pub fn new(limit: usize) -> Self {
        let ring = Ring { records: VecDeque::new(), bytes: 0, first: 0 };
        Self { limit, ring: Mutex::new(ring), pushed: watch::Sender::new(0) }
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.pushed.subscribe()
    }

    pub fn push(&self, record: T) {
        self.ring(|ring| {
            ring.bytes += size(record.as_ref());
            ring.records.push_back(Arc::new(record));
            while ring.bytes > self.limit && ring.records.len() > 1 {
                if let Some(oldest) = ring.records.pop_front() {
                    ring.bytes -= size(T::as_ref(&oldest));
                    ring.first += 1;
                }
            }
        });
        self.pushed.send_modify(|n| *n += 1);
    }

    /// At most `count` records from number `place` on.
    pub fn take(&self, place: u64, count: usize) -> Taken<T> {
        self.ring(|ring| {
            let start = place.max(ring.first);
            let from = ((start - ring.first) as usize).min(ring.records.len());
            let records: Vec<_> = ring.records.range(from..).take(count).cloned().collect();
            Taken { next: start + records.len() as u64, dropped: start - place, records }
        })
    }

    /// Where the newest `count` records begin. None: the ring does not hold so many.
    pub fn tail(&self, count: usize) -> Option<u64> {
        self.ring(|ring| {
            let skipped = ring.records.len().checked_sub(count.max(1))?;
            let shown_from = if count == 0 { skipped + 1 } else { skipped };
            Some(ring.first + shown_from as u64)
        })
    }

    /// Where a viewer that has read up to `last` goes on. None when the ring has moved past it: then the past has to be
    /// read again.
    pub fn join(&self, last: Option<&Cursor>) -> Option<Joined> {
        self.ring(|ring| {
            let start = Joined { place: ring.first, exact: false };
            let Some(last) = last else { return Some(start) };
            let text = last.to_string();
            if let Some(index) = ring.records.iter().position(|r| T::as_ref(r).cursor == text) {
                return Some(Joined { place: ring.first + index as u64 + 1, exact: true });
            }
            let moved_past = ring.first > 0 && ring.records.front().is_some_and(|r| T::as_ref(r).at > last.at);
            (!moved_past).then_some(start)
        })
    }

    fn ring<R>(&self, f: impl FnOnce(&mut Ring<T>) -> R) -> R {
        f(&mut self.ring.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn size(record: &LogRecord) -> usize {
    record.text.len() + record.cursor.len() + 96
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn record(second: i64, text: &str) -> LogRecord {
        let at = DateTime::from_timestamp(second, 0).unwrap();
        let cursor = Cursor { container: "aaaaaaaaaaaa".into(), at, nth: 0 };
        LogRecord {
            cursor: cursor.to_string(),
            at,
            stream: "stderr".into(),
            text: text.into(),
            dropped: None,
            level: None,
            head: None,
        }
    }

    #[test]
    fn each_viewer_has_its_own_place_and_a_slow_one_learns_what_it_missed() {
        let upstream = LogRing::new(2 * 1024 * 1024);
        (0..10).for_each(|n| upstream.push(record(n, "short")));
        let taken = upstream.take(0, 4);
        assert_eq!((taken.records.len(), taken.dropped, taken.next), (4, 0, 4));
        // Far more than the ring holds.
        let long = "x".repeat(64 * 1024);
        (10..110).for_each(|n| upstream.push(record(n, &long)));
        let taken = upstream.take(taken.next, 1000);
        assert!(taken.dropped > 0);
        assert_eq!(taken.dropped + taken.records.len() as u64, 106);
        assert_eq!(taken.next, 110);
        assert_eq!(upstream.take(110, 10).records.len(), 0);
    }

    #[test]
    fn the_newest_lines_are_found_when_they_are_there() {
        let ring = LogRing::new(2 * 1024 * 1024);
        assert_eq!(ring.tail(0), None, "an empty ring says nothing of what came before it");
        (0..5).for_each(|n| ring.push(record(n, "short")));
        assert_eq!([0, 1, 5, 6].map(|count| ring.tail(count)), [Some(5), Some(4), Some(0), None]);
        assert_eq!(ring.take(4, 10).records[0].cursor, record(4, "").cursor);
    }

    #[test]
    fn a_reader_of_the_past_joins_behind_its_last_line() {
        let upstream = LogRing::new(2 * 1024 * 1024);
        (5..10).for_each(|n| upstream.push(record(n, "short")));
        let cursor = |n| Some(record(n, "").cursor.parse::<Cursor>().unwrap());
        let joined = |place, exact| Some(Joined { place, exact });
        assert_eq!(upstream.join(cursor(7).as_ref()), joined(3, true));
        // The ring has not come so far yet: from its start, leaving out what is older.
        assert_eq!(upstream.join(cursor(20).as_ref()), joined(0, false));
        assert_eq!(upstream.join(None), joined(0, false));
        let long = "x".repeat(64 * 1024);
        (10..110).for_each(|n| upstream.push(record(n, &long)));
        assert_eq!(upstream.join(cursor(7).as_ref()), None);
        // The same when it has dropped lines already.
        let first = upstream.take(0, 0).next;
        assert!(first > 0);
        assert_eq!(upstream.join(cursor(200).as_ref()), joined(first, false));
        assert_eq!(upstream.join(cursor(109).as_ref()), joined(105, true));
    }
}
