//! Counts how often Docker had to start Odoo again.

use super::Seen;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::protocol::health::Crashes;
use std::collections::VecDeque;

/// So many restarts within the window are a loop. Docker's pauses grow to a minute, so a real one stays above that.
const LOOP: usize = 3;
const WINDOW: TimeDelta = TimeDelta::minutes(10);
/// A loop is over when there was no restart for so long.
const QUIET: TimeDelta = TimeDelta::minutes(5);
/// More are not remembered one by one.
const MOST: u32 = 100;

#[derive(Default)]
pub struct CrashCount {
    container: Option<String>,
    restarts: u32,
    recent: VecDeque<DateTime<Utc>>,
    last: Crashes,
}

impl CrashCount {
    pub fn take(&mut self, seen: &Seen, now: DateTime<Utc>) -> Crashes {
        let Some(container) = &seen.container else {
            *self = Self::default();
            return Crashes::default();
        };
        if self.container.as_ref() != Some(container) {
            // A container whose count is high right after a start was looping before this agent began to look.
            let is_fresh = seen.started_at.is_none_or(|at| now - at < TimeDelta::minutes(2));
            let counted = if is_fresh { 0 } else { seen.restarts };
            *self = Self { container: Some(container.clone()), restarts: counted, ..Self::default() };
        }
        // Whoever starts it on purpose begins anew.
        if seen.restarts < self.restarts {
            (self.restarts, self.last.is_looping) = (0, false);
            self.recent.clear();
        }
        for _ in 0..(seen.restarts - self.restarts).min(MOST) {
            self.recent.push_back(now);
        }
        if seen.restarts > self.restarts {
            self.last.last_at = Some(now);
            if let Some(death) = seen.death {
                self.last.exit_code = death.exit_code;
                self.last.out_of_memory = death.out_of_memory;
            }
        }
        self.restarts = seen.restarts;
        while self.recent.front().is_some_and(|at| now - *at > WINDOW) {
            self.recent.pop_front();
        }
        let is_quiet = self.recent.back().is_none_or(|at| now - *at > QUIET);
        self.last.is_looping = (self.last.is_looping || self.recent.len() >= LOOP) && !is_quiet;
        self.last.total = seen.restarts;
        self.last.recent = self.recent.len() as u32;
        self.last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::docker::watch::Death;

    fn seen(restarts: u32, minutes_up: i64, now: DateTime<Utc>) -> Seen {
        let death = Some(Death { exit_code: Some(137), out_of_memory: true });
        let started_at = Some(now - TimeDelta::minutes(minutes_up));
        Seen { container: Some("a".into()), restarts, started_at, death, ..Seen::default() }
    }

    #[test]
    fn a_loop_begins_with_three_restarts_and_ends_with_quiet() {
        let at = |minutes: i64| DateTime::from_timestamp(minutes * 60, 0).unwrap();
        let mut count = CrashCount::default();
        let mut take = |restarts, minute| count.take(&seen(restarts, 100, at(minute)), at(minute));
        let first = take(7, 0);
        assert_eq!((first.recent, first.is_looping), (0, false), "those of long ago do not count");
        assert!(!take(9, 1).is_looping);
        let looping = take(10, 2);
        assert_eq!((looping.recent, looping.total, looping.is_looping), (3, 10, true));
        assert_eq!((looping.exit_code, looping.out_of_memory, looping.last_at), (Some(137), true, Some(at(2))));
        assert!(take(10, 6).is_looping);
        assert!(!take(10, 8).is_looping);
        assert_eq!(take(10, 20).recent, 0);
        // Started by hand: Docker counts from 0.
        assert!(!take(1, 21).is_looping);
    }

    #[test]
    fn a_loop_is_seen_by_an_agent_that_comes_into_it() {
        let now = DateTime::from_timestamp(6000, 0).unwrap();
        assert!(CrashCount::default().take(&seen(5, 0, now), now).is_looping);
        assert!(!CrashCount::default().take(&seen(5, 60, now), now).is_looping);
    }
}
