//! How many processes an Odoo gets. The rules are those of Odoo's deployment guide: about six people a worker, twice the
//! cores and one, and 325 MB for each process (four in five requests are light, one in five is heavy).

use super::settings::OdooSettings;
use serde::{Deserialize, Serialize};

/// MB that a worker takes: 0.8 × 150 + 0.2 × 1024.
const WORKER_MB: f64 = 325.0;
/// MB of the master and of the process for the live bus.
const BASE_MB: f64 = 350.0;
/// People that one worker serves at the same time.
const PEOPLE: u32 = 6;
/// More than that are better spread over several instances.
pub const MOST_WORKERS: u16 = 64;
/// From that much memory on, two scheduled actions run at a time.
const TWO_CRONS_MB: u32 = 4096;

/// How an Odoo is sized, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Sizing {
    /// HTTP workers in force; 0 is one process with threads.
    pub workers: u16,
    pub max_cron_threads: u16,
    /// Workers that the cores allow.
    pub by_cpu: u16,
    /// Workers that the memory allows.
    pub by_memory: u16,
    /// Workers that the people need, where their number is given.
    pub by_users: Option<u16>,
    /// What decided, in a sentence.
    pub reason: String,
}

impl Sizing {
    /// Connections to PostgreSQL that these processes open, with some to spare: about three each.
    pub fn connections(&self) -> u32 {
        3 * (u32::from(self.workers) + u32::from(self.max_cron_threads) + 2) + 20
    }
}

/// Size an Odoo with so much of the machine. `has_realtime_route`: something leads browsers to the real-time port, so
/// that workers can be had without losing the live bus.
pub fn size(cpus: f64, memory_mb: u32, settings: &OdooSettings, has_realtime_route: bool) -> Sizing {
    let max_cron_threads = settings.max_cron_threads.unwrap_or(if memory_mb < TWO_CRONS_MB { 1 } else { 2 });
    let cron = f64::from(max_cron_threads);
    let whole = |workers: f64| workers.floor().clamp(0.0, f64::from(MOST_WORKERS)) as u16;
    let by_cpu = whole(2.0 * cpus + 1.0 - cron);
    let by_memory = whole((f64::from(memory_mb) - BASE_MB) / WORKER_MB - cron);
    let by_users = settings.users.map(|users| whole(f64::from(users.div_ceil(PEOPLE))));
    let least = by_cpu.min(by_memory).min(by_users.unwrap_or(MOST_WORKERS));
    let (workers, reason) = match settings.workers {
        Some(asked) => (asked, format!("{} asked for.", counted(asked))),
        None if !has_realtime_route => (
            0,
            "One process with threads: the server's own proxy does not lead to this instance, and another one has to be told of the live bus of several workers. Ask for workers to have them.".into(),
        ),
        None if least < 2 => (
            0,
            format!(
                "One process with threads: {cpus} cores allow {by_cpu} and {memory_mb} MB of memory allow {by_memory}{}; fewer than two are no gain.",
                people(by_users, settings.users)
            ),
        ),
        None => (
            least,
            format!(
                "{}: {cpus} cores allow {by_cpu} and {memory_mb} MB of memory allow {by_memory}{}.",
                counted(least),
                people(by_users, settings.users)
            ),
        ),
    };
    Sizing { workers, max_cron_threads, by_cpu, by_memory, by_users, reason }
}

/// MB that so many workers take at their usual mix of work.
pub fn memory_needed_mb(workers: u16, max_cron_threads: u16) -> u32 {
    (BASE_MB + WORKER_MB * f64::from(workers.saturating_add(max_cron_threads))).ceil() as u32
}

fn counted(workers: u16) -> String {
    match workers {
        0 => "One process with threads".into(),
        1 => "1 worker".into(),
        n => format!("{n} workers"),
    }
}

fn people(by_users: Option<u16>, users: Option<u32>) -> String {
    match (by_users, users) {
        (Some(workers), Some(users)) => format!(", and {users} people need {workers}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(cpus: f64, memory_mb: u32, users: Option<u32>) -> Sizing {
        size(cpus, memory_mb, &OdooSettings { users, ..OdooSettings::default() }, true)
    }

    #[test]
    fn the_smallest_of_cores_memory_and_people_decides() {
        assert_eq!(sized(1.0, 1024, None).workers, 0, "memory for one worker");
        let two = sized(2.0, 4096, None);
        assert_eq!(two.connections(), 41);
        assert_eq!((two.workers, two.max_cron_threads, two.by_cpu, two.by_memory), (3, 2, 3, 9));
        assert!(two.reason.contains("2 cores allow 3"), "{}", two.reason);
        assert_eq!(sized(8.0, 4096, None).workers, 9, "memory");
        let few = sized(8.0, 16384, Some(13));
        assert_eq!((few.workers, few.by_users), (3, Some(3)));
        assert!(few.reason.contains("13 people need 3"), "{}", few.reason);
        assert_eq!(sized(8.0, 16384, Some(1)).workers, 0, "one worker is no gain");
        assert_eq!(sized(64.0, 262144, None).workers, MOST_WORKERS);
    }

    #[test]
    fn without_a_route_to_the_live_bus_there_is_one_process() {
        let settings = OdooSettings::default();
        assert_eq!(size(8.0, 16384, &settings, false).workers, 0);
        let asked = OdooSettings { workers: Some(4), ..settings };
        assert_eq!(size(8.0, 16384, &asked, false).workers, 4, "who asks for them gets them");
    }

    #[test]
    fn memory_grows_with_the_processes() {
        assert_eq!(memory_needed_mb(0, 1), 675);
        assert_eq!(memory_needed_mb(4, 2), 2300);
    }
}
