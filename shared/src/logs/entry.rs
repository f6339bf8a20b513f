//! Odoo's log format: `2026-11-22 01:06:19,123 PID LEVEL db logger: message`. Every other line, of a traceback for
//! example, belongs to the entry before it.

use crate::protocol::logs::{LogHead, LogRecord};
use chrono::{DateTime, Utc};

/// From harmless to grave.
pub const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
const SHAPE: &[u8] = b"dddd-dd-dd dd:dd:dd,ddd ";
/// What Odoo writes for work that belongs to no database.
const NO_DATABASE: &str = "?";
/// An entry with more lines than these is looked at in pieces.
const MOST_LINES: usize = 2_000;

/// The parts of a line that starts an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head<'a> {
    /// As Odoo wrote it.
    pub written_at: &'a str,
    pub pid: u32,
    pub level: &'static str,
    pub database: Option<&'a str>,
    pub logger: &'a str,
    pub message: &'a str,
}

impl<'a> Head<'a> {
    /// None for a line that starts no entry.
    pub fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_stamped = bytes.len() > SHAPE.len()
            && SHAPE.iter().zip(bytes).all(|(s, b)| if *s == b'd' { b.is_ascii_digit() } else { s == b });
        if !is_stamped {
            return None;
        }
        let (written_at, rest) = text.split_at(SHAPE.len());
        let mut words = rest.splitn(4, ' ');
        let pid = words.next()?.parse().ok()?;
        let word = words.next()?;
        let level = LEVELS.into_iter().find(|level| *level == word)?;
        let database = words.next().unwrap_or_default();
        let rest = words.next().unwrap_or_default();
        // A message without a logger is still an entry.
        let (logger, message) =
            rest.split_once(": ").or_else(|| Some((rest.strip_suffix(':')?, ""))).unwrap_or(("", rest));
        let database = Some(database).filter(|name| !name.is_empty() && *name != NO_DATABASE);
        Some(Self { written_at: written_at.trim_end(), pid, level, database, logger, message })
    }

    /// As it is told; `text` is the line that it was found in.
    pub fn told(&self, text: &str) -> LogHead {
        LogHead {
            written_at: self.written_at.into(),
            pid: self.pid,
            database: self.database.map(Into::into),
            logger: self.logger.into(),
            message_at: text[..text.len() - self.message.len()].chars().count() as u32,
        }
    }
}

/// Whether `level` is `least` or worse. Lines without a level are not.
pub fn at_least(level: Option<&str>, least: &str) -> bool {
    let rank = |l: &str| LEVELS.iter().position(|known| known.eq_ignore_ascii_case(l));
    match (level.and_then(rank), rank(least)) {
        (Some(level), Some(least)) => level >= least,
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

/// Gives every line a level: its own, or that of the entry that it goes on.
#[derive(Default)]
pub struct Levels(Option<&'static str>);

impl Levels {
    pub fn of(&mut self, text: &str) -> Option<&'static str> {
        if let Some(head) = Head::parse(text) {
            self.0 = Some(head.level);
        }
        self.0
    }
}

/// Which entries of a log are wanted. An entry comes whole or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFilter {
    /// In lower case: some line of the entry contains it, in whatever case.
    pub text: Option<String>,
    /// This level or a worse one.
    pub level: Option<String>,
    /// This logger or one below it: `odoo.addons` has `odoo.addons.sale`.
    pub logger: Option<String>,
    /// Entries that begin then or later …
    pub from: Option<DateTime<Utc>>,
    /// … and before that.
    pub to: Option<DateTime<Utc>>,
}

impl LogFilter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What the first line of an entry says of it. The text is looked for in all of them.
    fn wants_head(&self, record: &LogRecord, head: Option<&Head<'_>>) -> bool {
        self.from.is_none_or(|from| record.at >= from)
            && self.to.is_none_or(|to| record.at < to)
            && self.level.as_ref().is_none_or(|least| at_least(head.map(|h| h.level), least))
            && self.logger.as_ref().is_none_or(|wanted| head.is_some_and(|h| is_below(h.logger, wanted)))
    }

    fn wants_text(&self, text: &str) -> bool {
        self.text.as_ref().is_none_or(|wanted| text.to_lowercase().contains(wanted.as_str()))
    }
}

fn is_below(logger: &str, wanted: &str) -> bool {
    logger.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Puts the lines of one container together into entries, and gives out those that are wanted.
pub struct Entries<'a> {
    filter: &'a LogFilter,
    /// Lines of the entry that is being read, while it is not known whether it is wanted.
    pending: Vec<LogRecord>,
    state: State,
    /// Whether what comes may belong to an entry: not so before the first head.
    in_entry: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Wanted,
    Unknown,
    Unwanted,
}

impl<'a> Entries<'a> {
    pub fn new(filter: &'a LogFilter) -> Self {
        Self { filter, pending: Vec::new(), state: State::Unknown, in_entry: false }
    }

    /// Take a line. `give` gets lines of wanted entries, in their order, parsed where they start one.
    pub fn push(&mut self, mut record: LogRecord, give: &mut impl FnMut(LogRecord)) {
        let head = Head::parse(&record.text);
        if head.is_some() || !self.in_entry || record.stream == "mark" {
            self.pending.clear();
            self.in_entry = head.is_some();
            let wanted = self.filter.wants_head(&record, head.as_ref());
            self.state = if wanted { State::Unknown } else { State::Unwanted };
            record.head = head.map(|h| h.told(&record.text));
        }
        if self.state == State::Unknown && self.filter.wants_text(&record.text) {
            self.state = State::Wanted;
            self.pending.drain(..).for_each(&mut *give);
        }
        match self.state {
            State::Wanted => give(record),
            State::Unwanted => {}
            State::Unknown => {
                if self.pending.len() >= MOST_LINES {
                    self.pending.clear();
                }
                self.pending.push(record);
            }
        }
    }

    /// Look at a line that shall not be given out itself, only to know whether the lines before it are wanted. False:
    /// no more of them is needed.
    pub fn look_ahead(&mut self, record: &LogRecord, give: &mut impl FnMut(LogRecord)) -> bool {
        if self.state != State::Unknown || self.pending.is_empty() || Head::parse(&record.text).is_some() {
            return false;
        }
        if self.filter.wants_text(&record.text) {
            self.state = State::Wanted;
            self.pending.drain(..).for_each(give);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{Cursor, mark};

    #[test]
    fn a_head_is_taken_apart() {
        let text = "2026-11-22 01:06:19,123 7 WARNING shop odoo.addons.sale.models: Order: late";
        let head = Head::parse(text).unwrap();
        assert_eq!((head.written_at, head.pid, head.level), ("2026-11-22 01:06:19,123", 7, "WARNING"));
        assert_eq!(
            (head.database, head.logger, head.message),
            (Some("shop"), "odoo.addons.sale.models", "Order: late")
        );
        assert_eq!(&text[head.told(text).message_at as usize..], "Order: late");
        assert_eq!(Head::parse("2026-11-22 01:06:19,123 7 INFO ? odoo: started").unwrap().database, None);
        let bare = Head::parse("2026-11-22 01:06:19,123 7 INFO shop werkzeug:").unwrap();
        assert_eq!((bare.logger, bare.message), ("werkzeug", ""));
    }

    #[test]
    fn lookalikes_are_not_heads() {
        for text in [
            "2026-11-22 01:06:19 INFO x",
            "2026-11-22 01:06:19,123 7 NOTICE x y: z",
            "2026-11-22 01:06:19,123 żółw ERROR x",
            "",
            "Traceback (most recent call last):",
        ] {
            assert_eq!(Head::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_traceback_has_the_level_of_its_head() {
        let mut levels = Levels::default();
        assert_eq!(levels.of("starting up"), None);
        assert_eq!(levels.of("2026-11-22 01:06:19,123 7 INFO shop odoo.http: GET /"), Some("INFO"));
        assert_eq!(levels.of("2026-11-22 01:06:19,124 7 ERROR shop odoo.http: Exception"), Some("ERROR"));
        assert_eq!(levels.of("Traceback (most recent call last):"), Some("ERROR"));
        assert_eq!(levels.of("  File \"x.py\", line 1"), Some("ERROR"));
        assert_eq!(levels.of("2026-11-22 01:06:20,000 7 WARNING ? odoo: INFO is only a word"), Some("WARNING"));
    }

    #[test]
    fn levels_have_an_order() {
        assert!(at_least(Some("CRITICAL"), "error"));
        assert!(!at_least(Some("INFO"), "WARNING"));
        assert!(!at_least(None, "DEBUG"));
    }

    const LINES: [&str; 7] = [
        "no format yet",
        "2026-11-22 01:06:19,123 7 INFO shop odoo.http: GET /",
        "2026-11-22 01:06:19,124 7 ERROR shop odoo.http: Exception",
        "Traceback (most recent call last):",
        "ValueError: Late Order",
        "2026-11-22 01:06:20,000 7 WARNING shop odoo.httpd: slow",
        "2026-11-22 01:06:20,001 7 ERROR ? odoo.addons.sale: late order",
    ];

    fn record(number: usize) -> LogRecord {
        let at = DateTime::from_timestamp(number as i64, 0).unwrap();
        let cursor = Cursor { container: "a".into(), at, nth: 0 };
        LogRecord { stream: "stderr".into(), ..mark(cursor, LINES[number].into(), None) }
    }

    /// Numbers of the lines that are given.
    fn given(filter: &LogFilter) -> Vec<usize> {
        let mut entries = Entries::new(filter);
        let mut numbers = Vec::new();
        (0..LINES.len()).for_each(|n| entries.push(record(n), &mut |r| numbers.push(r.at.timestamp() as usize)));
        numbers
    }

    #[test]
    fn entries_come_whole() {
        let by = |text: &str| LogFilter { text: Some(text.into()), ..LogFilter::default() };
        assert_eq!(given(&LogFilter::default()), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(given(&by("late order")), [2, 3, 4, 6], "found in the last line of a traceback");
        assert_eq!(given(&by("format")), [0], "what has no head stands alone");
        assert_eq!(given(&LogFilter { level: Some("error".into()), ..by("late") }), [2, 3, 4, 6]);
        assert_eq!(given(&LogFilter { logger: Some("odoo.http".into()), ..LogFilter::default() }), [1, 2, 3, 4]);
        assert_eq!(given(&LogFilter { logger: Some("odoo.addons".into()), ..LogFilter::default() }), [6]);
        let at = |n| DateTime::from_timestamp(n, 0);
        let between = LogFilter { from: at(2), to: at(4), ..LogFilter::default() };
        assert_eq!(given(&between), [2, 3, 4], "by when it begins");
    }

    #[test]
    fn what_comes_after_a_page_decides_about_its_last_entry() {
        let filter = LogFilter { text: Some("late".into()), ..LogFilter::default() };
        let mut entries = Entries::new(&filter);
        let mut numbers = Vec::new();
        let mut give = |r: LogRecord| numbers.push(r.at.timestamp());
        (0..4).for_each(|n| entries.push(record(n), &mut give));
        assert!(!entries.look_ahead(&record(4), &mut give));
        assert_eq!(numbers, [2, 3]);
    }
}
