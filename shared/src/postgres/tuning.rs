//! Which values fit a machine, and why: the rules of pgtune for "mixed" work on a solid-state disk, with what Odoo adds.

use super::settings::{self, Applies};
use crate::odoo::{conf, sizing};
use crate::protocol::odoo::InstanceSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// PostgreSQL's own default.
const LEAST_CONNECTIONS: u32 = 100;
/// No container has less.
const LEAST_MEMORY_MB: u32 = 256;
/// Memory that all connections share in parallel queries (`/dev/shm`), in MB. Docker's own 64 let them fail.
pub const SHARED_MEMORY_MB: u32 = 256;
/// What oCore sets by itself; the rest of its advice is left to a person.
const KEPT: [&str; 7] = [
    "effective_cache_size",
    "jit",
    "maintenance_work_mem",
    "max_connections",
    "random_page_cost",
    "shared_buffers",
    "work_mem",
];

/// What PostgreSQL has to work with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Machine {
    pub memory_mb: u32,
    pub cpus: f64,
    /// Connections that Odoo's processes open.
    pub connections: u32,
}

impl Machine {
    /// Of an instance: its share of the server, and the connections that follow from its workers.
    pub fn of(spec: &InstanceSpec) -> Self {
        let connections = conf::sizing(spec).connections();
        Self { memory_mb: spec.limits.memory_mb, cpus: spec.limits.cpus, connections }
    }

    /// The same with another share of the server.
    pub fn with(spec: &InstanceSpec, memory_mb: Option<u32>, cpus: Option<f64>) -> Self {
        let memory_mb = memory_mb.unwrap_or(spec.limits.memory_mb);
        let cpus = cpus.unwrap_or(spec.limits.cpus);
        let sized = sizing::size(cpus, memory_mb, &spec.settings, spec.has_proxy);
        Self { memory_mb, cpus, connections: sized.connections() }
    }
}

/// A value that fits, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Recommendation {
    pub name: String,
    pub value: String,
    pub reason: String,
}

/// Every value that is worth setting on that machine, by name.
pub fn recommended(machine: &Machine) -> Vec<Recommendation> {
    let memory = machine.memory_mb.max(LEAST_MEMORY_MB);
    let connections = machine.connections.max(LEAST_CONNECTIONS);
    let cores = machine.cpus.floor().clamp(1.0, 64.0) as u32;
    let buffers = memory / 4;
    let work = (memory / 4 * 3 / (3 * connections)).clamp(4, 64);
    let mut advice = Vec::with_capacity(20);
    let mut say = |name: &str, value: String, reason: String| {
        // As PostgreSQL shows it, so that it can be held against what is in force.
        let value = settings::find(name).and_then(|setting| setting.read(&value).ok()).unwrap_or(value);
        advice.push(Recommendation { name: name.into(), value, reason });
    };
    say("checkpoint_completion_target", "0.9".into(), "Spreads the writing, so that it is not felt in bursts.".into());
    say(
        "effective_cache_size",
        format!("{}MB", buffers * 3),
        format!("Three quarters of {memory} MB: what the system caches as well."),
    );
    say(
        "effective_io_concurrency",
        "200".into(),
        "Solid-state disks take many reads at once; use 2 for a spinning one.".into(),
    );
    if buffers >= 2048 {
        say(
            "huge_pages",
            "try".into(),
            "With 2 GB of buffers or more, large pages save time where the server has some.".into(),
        );
    }
    say("jit", "off".into(), "Odoo's queries are many and short; compiling them costs more than it gains.".into());
    say(
        "log_min_duration_statement",
        "1s".into(),
        "Statements that take a second show up in the log of PostgreSQL.".into(),
    );
    say(
        "maintenance_work_mem",
        format!("{}MB", (memory / 16).clamp(16, 2048)),
        format!("A sixteenth of {memory} MB: one cleaning or one index at a time."),
    );
    say(
        "max_connections",
        connections.to_string(),
        format!(
            "Odoo's processes open {}; PostgreSQL's own default of {LEAST_CONNECTIONS} is the least.",
            machine.connections
        ),
    );
    if cores >= 4 {
        let share = (cores / 2).min(4);
        let of = format!("{cores} cores");
        say("max_parallel_maintenance_workers", share.to_string(), format!("Half of {of}, at most 4."));
        say("max_parallel_workers", cores.to_string(), format!("As many as there are: {of}."));
        say("max_parallel_workers_per_gather", share.to_string(), format!("Half of {of}, at most 4."));
        say("max_worker_processes", cores.max(8).to_string(), format!("For {of}; 8 is PostgreSQL's own default."));
    }
    say("max_wal_size", "4GB".into(), "Fewer checkpoints while much is written, such as an import.".into());
    say("min_wal_size", "1GB".into(), "Files of the log of changes are used again instead of made anew.".into());
    say("random_page_cost", "1.1".into(), "Solid-state disks read out of order nearly as fast as in order.".into());
    say("shared_buffers", format!("{buffers}MB"), format!("A quarter of {memory} MB."));
    say(
        "shared_preload_libraries",
        "pg_stat_statements".into(),
        "Counts what statements cost, for the list of slow ones; takes some percent of one core at most.".into(),
    );
    say("track_io_timing", "on".into(), "Tells waiting for the disk from working.".into());
    say(
        "work_mem",
        format!("{work}MB"),
        format!("What is left of {memory} MB, over {connections} connections with three sorts each; 4 MB to 64 MB."),
    );
    advice.sort_by(|a: &Recommendation, b| a.name.cmp(&b.name));
    advice
}

/// What an instance's PostgreSQL is to be set to: what oCore keeps, with a person's own values over it.
pub fn wanted(spec: &InstanceSpec) -> BTreeMap<String, String> {
    let machine = Machine::of(spec);
    let mut all: BTreeMap<String, String> = recommended(&machine)
        .into_iter()
        .filter(|advice| KEPT.contains(&advice.name.as_str()))
        .map(|advice| (advice.name, advice.value))
        .collect();
    all.extend(spec.database_settings.clone());
    // More workers came after the wish for fewer connections: Odoo must be able to connect.
    if let Some(value) = all.get_mut("max_connections")
        && value.parse::<u32>().is_ok_and(|wish| wish < machine.connections)
    {
        *value = machine.connections.to_string();
    }
    all
}

/// Whether oCore sets it by itself.
pub fn is_kept(name: &str) -> bool {
    KEPT.contains(&name)
}

/// Those of [`wanted`] that PostgreSQL takes in only at its start, or only those that it takes in at once.
pub fn wanted_when(spec: &InstanceSpec, applies: Applies) -> BTreeMap<String, String> {
    let fits = |name: &str| settings::find(name).is_some_and(|setting| setting.applies == applies);
    wanted(spec).into_iter().filter(|(name, _)| fits(name)).collect()
}

/// What such settings come to that no PostgreSQL could tell: (setting, what is wrong).
pub fn problems(spec: &InstanceSpec) -> Vec<(String, String)> {
    let machine = Machine::of(spec);
    let memory = u64::from(machine.memory_mb) * 1024;
    let of = |name: &str| spec.database_settings.get(name);
    let mut problems = Vec::new();
    for (name, quarters) in [("shared_buffers", 2), ("work_mem", 1), ("maintenance_work_mem", 2), ("wal_buffers", 1)] {
        let most = memory / 4 * quarters;
        if of(name).and_then(|value| settings::kilobytes(value)).is_some_and(|kb| kb > most) {
            problems.push((
                name.to_owned(),
                format!(
                    "At most {} MB fit the {} MB of the instance; raise limits.memory_mb first.",
                    most / 1024,
                    machine.memory_mb
                ),
            ));
        }
    }
    let number = |name: &str| of(name).and_then(|value| value.parse::<u32>().ok());
    if let Some(wish) = number("max_connections").filter(|wish| *wish < machine.connections) {
        let message = format!("Odoo's processes need {} connections; {wish} would lock it out.", machine.connections);
        problems.push(("max_connections".into(), message));
    }
    let size = |name: &str| of(name).and_then(|value| settings::kilobytes(value));
    if let (Some(least), Some(most)) = (size("min_wal_size"), size("max_wal_size"))
        && least > most
    {
        problems.push(("min_wal_size".into(), "Must not be above max_wal_size.".into()));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo::conf::tests::spec;
    use crate::protocol::odoo::Limits;

    fn value(machine: Machine, name: &str) -> Option<String> {
        recommended(&machine).into_iter().find(|advice| advice.name == name).map(|advice| advice.value)
    }

    #[test]
    fn advice_follows_the_machine_and_can_be_set() {
        let small = Machine { memory_mb: 1024, cpus: 1.0, connections: 29 };
        assert_eq!(value(small, "shared_buffers").as_deref(), Some("256MB"));
        assert_eq!(value(small, "effective_cache_size").as_deref(), Some("768MB"));
        assert_eq!(value(small, "work_mem").as_deref(), Some("4MB"));
        assert_eq!(value(small, "max_connections").as_deref(), Some("100"));
        assert_eq!(value(small, "max_parallel_workers"), None);
        let large = Machine { memory_mb: 65536, cpus: 16.0, connections: 218 };
        assert_eq!(value(large, "shared_buffers").as_deref(), Some("16GB"));
        assert_eq!(value(large, "max_connections").as_deref(), Some("218"));
        assert_eq!(value(large, "max_parallel_workers_per_gather").as_deref(), Some("4"));
        assert_eq!(value(Machine { memory_mb: 0, ..small }, "shared_buffers").as_deref(), Some("64MB"));
        for machine in [small, large] {
            let all = recommended(&machine);
            assert!(all.is_sorted_by(|a, b| a.name < b.name), "{all:?}");
            for advice in all {
                let setting = settings::find(&advice.name).expect(&advice.name);
                assert_eq!(setting.read(&advice.value).as_ref(), Ok(&advice.value), "{}", advice.name);
            }
        }
    }

    #[test]
    fn a_person_decides_but_never_locks_odoo_out() {
        let mut spec = spec();
        spec.limits = Limits { cpus: 8.0, memory_mb: 16384 };
        spec.has_proxy = true;
        let needed = Machine::of(&spec).connections;
        spec.settings.workers = Some(40);
        assert!(Machine::of(&spec).connections > needed.max(LEAST_CONNECTIONS));
        spec.database_settings =
            [("max_connections", "110"), ("work_mem", "32MB"), ("jit", "on")].map(|(k, v)| (k.into(), v.into())).into();
        let all = wanted(&spec);
        assert_eq!((all["work_mem"].as_str(), all["jit"].as_str()), ("32MB", "on"));
        assert_eq!(all["max_connections"], Machine::of(&spec).connections.to_string());
        assert_eq!(problems(&spec)[0].0, "max_connections");
        assert!(wanted_when(&spec, Applies::Restart).keys().eq(["max_connections", "shared_buffers"]));
        spec.database_settings = [("shared_buffers".to_owned(), "9GB".to_owned())].into();
        assert!(problems(&spec)[0].1.starts_with("At most 8192 MB"), "{:?}", problems(&spec));
    }
}
