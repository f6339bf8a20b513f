//! Odoo's log format: `2026-11-22 01:06:19,123 PID LEVEL db logger: message`. Every other line belongs to the one before.

const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/// Level and message of a line that starts a log entry.
pub fn parse(text: &str) -> Option<(&'static str, &str)> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-dd dd:dd:dd,ddd ";
    let stamped = bytes.len() > shape.len()
        && shape.iter().zip(bytes).all(|(s, b)| if *s == b'd' { b.is_ascii_digit() } else { s == b });
    if !stamped {
        return None;
    }
    let rest = &text[shape.len()..];
    let mut words = rest.splitn(3, ' ');
    words.next()?.parse::<u32>().ok()?;
    let level = words.next()?;
    let level = LEVELS.into_iter().find(|l| *l == level)?;
    let rest = words.next().unwrap_or_default();
    Some((level, rest.split_once(": ").map_or(rest, |(_, message)| message)))
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
        if let Some((level, _)) = parse(text) {
            self.0 = Some(level);
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn lookalikes_are_not_heads() {
        assert_eq!(parse("2026-11-22 01:06:19 INFO x"), None);
        assert_eq!(parse("2026-11-22 01:06:19,123 7 NOTICE x y: z"), None);
        assert_eq!(parse("2026-11-22 01:06:19,123 żółw ERROR x"), None);
    }
}
