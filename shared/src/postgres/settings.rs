//! The settings of PostgreSQL that a person may change, with their types and ranges. What is not in the list is either
//! oCore's (addresses, files, logs to where they are read from) or too dangerous to be offered (`fsync`).

use std::collections::BTreeMap;

/// What a value looks like, and between what it has to be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `64MB`; in kB.
    Memory {
        least: u64,
        most: u64,
    },
    /// `30s`; in milliseconds. `off` is the number that switches it off, where there is one.
    Time {
        least: i64,
        most: i64,
        off: Option<i64>,
    },
    Integer {
        least: i64,
        most: i64,
    },
    Real {
        least: f64,
        most: f64,
    },
    /// `on` or `off`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// When PostgreSQL takes it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// At once.
    Reload,
    /// When it starts.
    Restart,
}

#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    pub applies: Applies,
    /// What it does, in a sentence.
    pub about: &'static str,
}

const MB: u64 = 1024;
const GB: u64 = 1024 * MB;
const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

const fn at_once(name: &'static str, kind: Kind, about: &'static str) -> Setting {
    Setting { name, kind, applies: Applies::Reload, about }
}

const fn at_start(name: &'static str, kind: Kind, about: &'static str) -> Setting {
    Setting { name, kind, applies: Applies::Restart, about }
}

const fn memory(least: u64, most: u64) -> Kind {
    Kind::Memory { least, most }
}

const fn time(least: i64, most: i64) -> Kind {
    Kind::Time { least, most, off: None }
}

const fn time_or(off: i64, most: i64) -> Kind {
    Kind::Time { least: 1, most, off: Some(off) }
}

const fn integer(least: i64, most: i64) -> Kind {
    Kind::Integer { least, most }
}

const fn real(least: f64, most: f64) -> Kind {
    Kind::Real { least, most }
}

/// All of them, by name.
pub const SETTINGS: &[Setting] = &[
    at_once("autovacuum", Kind::Switch, "Clean up after changed and deleted rows in the background."),
    at_once(
        "autovacuum_analyze_scale_factor",
        real(0.0, 1.0),
        "Share of a table that changes before its statistics are made anew.",
    ),
    at_start("autovacuum_max_workers", integer(1, 20), "Tables that are cleaned up at the same time."),
    at_once("autovacuum_naptime", time(SECOND, DAY), "Pause between two looks for tables to clean up."),
    at_once(
        "autovacuum_vacuum_cost_delay",
        Kind::Time { least: 1, most: 100, off: Some(0) },
        "Pause with which cleaning up spares the disk.",
    ),
    at_once("autovacuum_vacuum_cost_limit", integer(1, 10_000), "Work between two such pauses."),
    at_once("autovacuum_vacuum_scale_factor", real(0.0, 1.0), "Share of a table that changes before it is cleaned up."),
    at_once(
        "checkpoint_completion_target",
        real(0.1, 1.0),
        "Share of the time between checkpoints over which one spreads its writing.",
    ),
    at_once("checkpoint_timeout", time(30 * SECOND, DAY), "Longest time between two checkpoints."),
    at_once(
        "deadlock_timeout",
        time(100, 10 * MINUTE),
        "How long a lock is waited for before a deadlock is looked for.",
    ),
    at_once(
        "default_statistics_target",
        integer(1, 10_000),
        "How closely the contents of columns are known to the planner.",
    ),
    at_once("effective_cache_size", memory(8 * MB, 4096 * GB), "What the planner believes to be in memory already."),
    at_once("effective_io_concurrency", integer(0, 1000), "Reads that the disk takes at the same time."),
    at_start("huge_pages", Kind::Choice(&["try", "on", "off"]), "Ask the kernel for large pages of memory."),
    at_once(
        "idle_in_transaction_session_timeout",
        time_or(0, DAY),
        "End who keeps a transaction open without doing anything. Odoo's long imports count, too.",
    ),
    at_once("jit", Kind::Switch, "Compile long queries before they run; Odoo's are seldom worth it."),
    at_once("log_autovacuum_min_duration", time_or(-1, DAY), "Write cleanings into the log that take longer; -1 none."),
    at_once("log_lock_waits", Kind::Switch, "Write into the log who waits for a lock longer than deadlock_timeout."),
    at_once("log_min_duration_statement", time_or(-1, DAY), "Write statements into the log that take longer; -1 none."),
    at_once("maintenance_work_mem", memory(MB, 64 * GB), "Memory for cleaning up and for making an index."),
    at_start(
        "max_connections",
        integer(20, 2000),
        "Connections at the same time. Never fewer than the workers of Odoo need.",
    ),
    at_start(
        "max_locks_per_transaction",
        integer(64, 4096),
        "Objects that a transaction locks on average; more for a dump of very many tables.",
    ),
    at_once("max_parallel_maintenance_workers", integer(0, 16), "Helpers for making an index."),
    at_once("max_parallel_workers", integer(0, 64), "Helpers for all queries together."),
    at_once("max_parallel_workers_per_gather", integer(0, 16), "Helpers for one query."),
    at_once("max_wal_size", memory(64 * MB, 256 * GB), "Log of changes between two checkpoints."),
    at_start("max_worker_processes", integer(1, 64), "Background processes of all kinds."),
    at_once("min_wal_size", memory(32 * MB, 64 * GB), "Log of changes whose files are kept for use again."),
    at_once(
        "random_page_cost",
        real(0.1, 100.0),
        "What a page costs that is read out of order; 1.1 for solid-state disks.",
    ),
    at_start("shared_buffers", memory(16 * MB, 1024 * GB), "Memory for pages of tables, shared by all connections."),
    at_start(
        "shared_preload_libraries",
        Kind::Choice(&["", "pg_stat_statements", "auto_explain", "pg_stat_statements,auto_explain"]),
        "Libraries that are loaded at the start: pg_stat_statements counts what statements cost, auto_explain logs the plans of slow ones.",
    ),
    at_once(
        "statement_timeout",
        time_or(0, DAY),
        "End statements that take longer; 0 none. Odoo's updates of modules count, too.",
    ),
    at_once(
        "synchronous_commit",
        Kind::Choice(&["on", "local", "off"]),
        "Off: a commit does not wait for the disk; a crash may lose the last half second.",
    ),
    at_once("temp_buffers", memory(MB, 4 * GB), "Memory for the temporary tables of a connection."),
    at_once("track_io_timing", Kind::Switch, "Measure how long the disk takes."),
    at_start("wal_buffers", memory(64, 256 * MB), "Memory for changes that are not yet in their log."),
    at_once("wal_compression", Kind::Switch, "Compress whole pages in the log of changes."),
    at_once("work_mem", memory(64, 16 * GB), "Memory for one sort or join; a query may use it several times."),
];

/// The one of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

impl Setting {
    /// A value as PostgreSQL itself would show it, or what is wrong with it.
    pub fn read(&self, text: &str) -> Result<String, String> {
        let text = text.trim();
        match self.kind {
            Kind::Memory { least, most } => {
                let kb = quantity(text, &MEMORY).ok_or("Write it as a whole number with its unit: 64MB, 2GB.")?;
                let kb = u64::try_from(kb).map_err(|_| "It cannot be negative.")?;
                within(kb, least, most, |kb| written(kb.cast_signed(), &MEMORY))?;
                Ok(written(kb.cast_signed(), &MEMORY))
            }
            Kind::Time { least, most, off } => {
                let off = off.filter(|off| text.parse() == Ok(*off));
                if let Some(off) = off {
                    return Ok(off.to_string());
                }
                let ms = quantity(text, &TIME).ok_or("Write it as a whole number with its unit: 500ms, 30s, 5min.")?;
                within(ms, least, most, |ms| written(ms, &TIME))?;
                Ok(written(ms, &TIME))
            }
            Kind::Integer { least, most } => {
                let number: i64 = text.parse().map_err(|_| "Write it as a whole number.")?;
                within(number, least, most, |n| n.to_string())?;
                Ok(number.to_string())
            }
            Kind::Real { least, most } => {
                let number: f64 =
                    text.parse().ok().filter(|n: &f64| n.is_finite()).ok_or("Write it as a number, like 0.9.")?;
                within(number, least, most, |n| n.to_string())?;
                Ok(number.to_string())
            }
            Kind::Switch => match text {
                "on" | "true" => Ok("on".into()),
                "off" | "false" => Ok("off".into()),
                _ => Err("Write on or off.".into()),
            },
            Kind::Choice(words) => {
                let text: String = text.split_whitespace().collect();
                if words.contains(&text.as_str()) {
                    return Ok(text);
                }
                let known: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                Err(format!("Write one of {}.", known.join(", ")))
            }
        }
    }

    /// A bare value of PostgreSQL's own tables, which stands in `unit` (`8kB`, `ms`), as it would show it.
    pub fn shown(&self, raw: &str, unit: Option<&str>) -> String {
        let units: &Units = match self.kind {
            Kind::Memory { .. } => &MEMORY,
            Kind::Time { .. } => &TIME,
            _ => return raw.to_owned(),
        };
        let size = unit.and_then(|unit| quantity(unit, units).or_else(|| quantity(&format!("1{unit}"), units)));
        match (raw.parse::<i64>(), size) {
            (Ok(number), Some(size)) if number > 0 => written(number * size, units),
            _ => raw.to_owned(),
        }
    }

    /// The least and the most, as they are written. None: there are words instead.
    pub fn range(&self) -> Option<(String, String)> {
        match self.kind {
            Kind::Memory { least, most } => {
                Some((written(least.cast_signed(), &MEMORY), written(most.cast_signed(), &MEMORY)))
            }
            Kind::Time { least, most, off } => {
                Some((off.map_or_else(|| written(least, &TIME), |off| off.to_string()), written(most, &TIME)))
            }
            Kind::Integer { least, most } => Some((least.to_string(), most.to_string())),
            Kind::Real { least, most } => Some((least.to_string(), most.to_string())),
            Kind::Switch | Kind::Choice(_) => None,
        }
    }

    /// The words to choose from, where it has some.
    pub fn words(&self) -> Vec<String> {
        match self.kind {
            Kind::Switch => ["on", "off"].map(str::to_owned).into(),
            Kind::Choice(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            _ => Vec::new(),
        }
    }
}

/// kB of a value that [`Setting::read`] has read.
pub fn kilobytes(text: &str) -> Option<u64> {
    quantity(text, &MEMORY).and_then(|kb| u64::try_from(kb).ok())
}

/// What is asked for with what was set before: null takes a setting back.
pub fn merged(
    before: &BTreeMap<String, String>, change: &BTreeMap<String, Option<String>>,
) -> BTreeMap<String, String> {
    let mut after = before.clone();
    for (name, value) in change {
        match value {
            Some(value) => drop(after.insert(name.clone(), value.clone())),
            None => drop(after.remove(name)),
        }
    }
    after
}

fn within<T: PartialOrd + Copy>(value: T, least: T, most: T, show: impl Fn(T) -> String) -> Result<(), String> {
    if value < least || value > most {
        return Err(format!("It has to be between {} and {}.", show(least), show(most)));
    }
    Ok(())
}

/// Units as PostgreSQL writes them, the greatest first, and how many of the smallest they are.
type Units = [(&'static str, i64)];
const MEMORY: [(&str, i64); 4] = [("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)];
const TIME: [(&str, i64); 5] = [("d", DAY), ("h", 60 * MINUTE), ("min", MINUTE), ("s", SECOND), ("ms", 1)];

fn quantity(text: &str, units: &Units) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let (_, size) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<i64>().ok()?.checked_mul(*size)
}

fn written(value: i64, units: &Units) -> String {
    let fits = |(_, size): &&(&str, i64)| value != 0 && value % size == 0;
    match units.iter().find(fits) {
        Some((unit, size)) => format!("{}{unit}", value / size),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<String, String> {
        find(name).unwrap().read(text)
    }

    #[test]
    fn values_are_written_as_postgresql_writes_them() {
        for (name, text, shown) in [
            ("work_mem", "65536kB", "64MB"),
            ("work_mem", "1536 MB", "1536MB"),
            ("shared_buffers", "1024MB", "1GB"),
            ("checkpoint_timeout", "300s", "5min"),
            ("log_min_duration_statement", "-1", "-1"),
            ("log_min_duration_statement", "1000ms", "1s"),
            ("idle_in_transaction_session_timeout", "0", "0"),
            ("random_page_cost", "1.10", "1.1"),
            ("jit", "true", "on"),
            ("max_connections", "200", "200"),
            ("shared_preload_libraries", "pg_stat_statements, auto_explain", "pg_stat_statements,auto_explain"),
        ] {
            assert_eq!(read(name, text).as_deref(), Ok(shown), "{name}");
        }
    }

    #[test]
    fn bare_values_get_their_unit() {
        let shown = |name: &str, raw: &str, unit: Option<&str>| find(name).unwrap().shown(raw, unit);
        assert_eq!(shown("shared_buffers", "16384", Some("8kB")), "128MB");
        assert_eq!(shown("work_mem", "4096", Some("kB")), "4MB");
        assert_eq!(shown("max_wal_size", "1024", Some("MB")), "1GB");
        assert_eq!(shown("checkpoint_timeout", "300", Some("s")), "5min");
        assert_eq!(shown("wal_buffers", "-1", Some("8kB")), "-1");
        assert_eq!(shown("max_connections", "100", None), "100");
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for (name, text) in [
            ("work_mem", "64"),
            ("work_mem", "64mb"),
            ("work_mem", "-1MB"),
            ("work_mem", "63kB"),
            ("work_mem", "99999999999999999TB"),
            ("checkpoint_timeout", "1s"),
            ("checkpoint_timeout", "-1"),
            ("random_page_cost", "NaN"),
            ("random_page_cost", "inf"),
            ("max_connections", "1e3"),
            ("jit", "maybe"),
            ("synchronous_commit", "off; DROP TABLE x"),
            ("shared_preload_libraries", "evil"),
        ] {
            assert!(read(name, text).is_err(), "{name} = {text}");
        }
        assert!(find("fsync").is_none() && find("listen_addresses").is_none());
    }

    #[test]
    fn the_list_is_by_name_and_ranges_are_shown() {
        assert!(SETTINGS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(find("work_mem").unwrap().range(), Some(("64kB".into(), "16GB".into())));
        assert_eq!(find("statement_timeout").unwrap().range(), Some(("0".into(), "1d".into())));
        let before = BTreeMap::from([("jit".to_owned(), "on".to_owned()), ("work_mem".to_owned(), "8MB".to_owned())]);
        let change = BTreeMap::from([("jit".to_owned(), None), ("work_mem".to_owned(), Some("16MB".to_owned()))]);
        assert_eq!(merged(&before, &change), BTreeMap::from([("work_mem".to_owned(), "16MB".to_owned())]));
    }
}
