//! Asks every instance for its health, lightly, and reports only changes.
//!
//! Docker's own policy restarts what crashes, with a pause that doubles up to a minute, also while the agent is away or
//! is being updated; an agent that restarted by itself could leave an Odoo down. So here crashes are counted and told.

mod crashes;
mod settle;

use super::health::{self, Answer};
use super::record::{Record, Stage};
use crate::events::EventHub;
use crate::host::Host;
use bollard::models::ContainerInspectResponse;
use chrono::{DateTime, Utc};
use crashes::CrashCount;
use futures::StreamExt;
use ocore_shared::ids::InstanceId;
use ocore_shared::odoo::conf;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::health::{CheckName, HealthState, InstanceHealthReport};
use settle::Settled;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(15);
/// Instances asked at once.
const PARALLEL: usize = 8;

/// The newest report of each instance.
#[derive(Clone)]
pub struct HealthBoard {
    events: EventHub,
    reports: Arc<Mutex<HashMap<InstanceId, InstanceHealthReport>>>,
}

impl HealthBoard {
    pub fn new(events: EventHub) -> Self {
        Self { events, reports: Arc::default() }
    }

    pub fn reports(&self) -> Vec<InstanceHealthReport> {
        self.lock(|reports| reports.values().cloned().collect())
    }

    fn publish(&self, report: InstanceHealthReport) {
        let is_news = self.lock(|reports| reports.insert(report.instance_id, report.clone()).as_ref() != Some(&report));
        if is_news {
            self.events.durable(AgentEvent::InstanceHealth(report));
        }
    }

    fn retain(&self, known: impl Fn(&InstanceId) -> bool) {
        self.lock(|reports| reports.retain(|id, _| known(id)));
    }

    fn lock<T>(&self, f: impl FnOnce(&mut HashMap<InstanceId, InstanceHealthReport>) -> T) -> T {
        f(&mut self.reports.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub async fn run(host: Host, stop: CancellationToken) {
    let mut watches: HashMap<InstanceId, Watch> = HashMap::new();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let records: Vec<Record> = host.records.all().into_iter().filter(|r| r.stage == Stage::Ready).collect();
        let known = |id: &InstanceId| records.iter().any(|r| r.spec.instance_id == *id);
        watches.retain(|id, _| known(id));
        host.health.retain(known);
        let asked = futures::stream::iter(records).map(|record| ask(&host, record)).buffer_unordered(PARALLEL);
        let Some(answers) = stop.run_until_cancelled(asked.collect::<Vec<_>>()).await else { return };
        for (id, seen) in answers {
            // Docker itself is away: that is another kind of news.
            let Some(seen) = seen else { continue };
            let report = watches.entry(id).or_default().take(id, &seen, host.clock.now());
            let word = match report.state() {
                HealthState::Healthy => Some("healthy"),
                HealthState::Starting => Some("starting"),
                HealthState::Unhealthy | HealthState::CrashLooping => Some("unhealthy"),
                HealthState::Stopped | HealthState::Unknown => None,
            };
            if let (Some(word), Some(container), true) = (word, &seen.container, seen.is_up) {
                host.watched.set_health(container, word);
            }
            host.health.publish(report);
        }
    }
}

/// What one look at an instance has shown.
struct Seen {
    container: Option<String>,
    is_up: bool,
    started_at: Option<DateTime<Utc>>,
    restarts: u32,
    death: Option<crate::host::docker::watch::Death>,
    answers: [(CheckName, Answer); 4],
}

impl Default for Seen {
    fn default() -> Self {
        use CheckName::{Container, Database, Http, Realtime};
        let answers = [Container, Http, Database, Realtime].map(|name| (name, Answer::Unknown));
        Self { container: None, is_up: false, started_at: None, restarts: 0, death: None, answers }
    }
}

/// None when Docker does not say.
async fn ask(host: &Host, record: Record) -> (InstanceId, Option<Seen>) {
    let id = record.spec.instance_id;
    (id, look(host, &record).await)
}

async fn look(host: &Host, record: &Record) -> Option<Seen> {
    let mut seen = Seen::default();
    if !record.running {
        seen.answers.iter_mut().for_each(|(_, answer)| *answer = Answer::NotApplicable("It is stopped on purpose."));
        return Some(seen);
    }
    let found = host.docker.inspect(&record.odoo_container()).await.ok()?;
    let database = host.docker.inspect(&record.postgres_container()).await.ok()?;
    let is_proxied = conf::sizing(&record.spec).workers > 0;
    let container = container_answer(found.as_ref());
    let address = found.as_ref().and_then(ip_of);
    if let Some(found) = found {
        let state = found.state.unwrap_or_default();
        seen.is_up = state.running == Some(true) && state.restarting != Some(true);
        let started = state.started_at.and_then(|t| DateTime::parse_from_rfc3339(&t).ok());
        seen.started_at = started.map(|t| t.to_utc());
        seen.restarts = found.restart_count.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        seen.death = found.id.as_deref().and_then(|id| host.watched.take_death(id));
        seen.container = found.id;
    }
    let (http, of_odoo) = if seen.is_up { health::probe(record).await } else { (Answer::Unknown, None) };
    let database = match of_odoo {
        Some(answer) => answer,
        None => health::database(database.as_ref().and_then(ip_of)).await,
    };
    let realtime = match (is_proxied, seen.is_up) {
        (false, _) => Answer::NotApplicable("It has no workers, so Odoo's one process serves the live bus too."),
        (true, false) => Answer::Unknown,
        (true, true) => health::realtime(record, address).await,
    };
    seen.answers = [
        (CheckName::Container, container),
        (CheckName::Http, http),
        (CheckName::Database, database),
        (CheckName::Realtime, realtime),
    ];
    Some(seen)
}

fn container_answer(found: Option<&ContainerInspectResponse>) -> Answer {
    let Some(found) = found else {
        return Answer::Failed("Odoo's container is gone; start the instance to make it anew.".into());
    };
    let Some(state) = &found.state else { return Answer::Unknown };
    let code = state.exit_code.unwrap_or(-1);
    match (state.running, state.restarting, state.oom_killed) {
        (Some(true), Some(false) | None, _) => Answer::Ok,
        (_, _, Some(true)) => Answer::Failed(format!("Odoo was killed for its memory (exit code {code}).")),
        (_, Some(true), _) => Answer::Failed(format!("Odoo has ended with exit code {code}; Docker starts it again.")),
        _ => Answer::Failed(format!("Odoo's container does not run; it has ended with exit code {code}.")),
    }
}

/// Its address in the network of its environment.
pub fn ip_of(found: &ContainerInspectResponse) -> Option<IpAddr> {
    let networks = found.network_settings.as_ref()?.networks.as_ref()?;
    networks.values().find_map(|network| network.ip_address.as_deref()?.parse().ok())
}

/// What was seen of an instance so far.
#[derive(Default)]
struct Watch {
    checks: HashMap<&'static str, Settled>,
    crashes: CrashCount,
}

impl Watch {
    fn take(&mut self, id: InstanceId, seen: &Seen, now: DateTime<Utc>) -> InstanceHealthReport {
        let age = seen.started_at.map(|at| now - at);
        let mut checks = Vec::with_capacity(seen.answers.len());
        for (name, answer) in &seen.answers {
            let key = match name {
                CheckName::Container => "container",
                CheckName::Http => "http",
                CheckName::Database => "database",
                CheckName::Realtime => "realtime",
            };
            // Only what needs time after a start is given some.
            let age = age.filter(|_| matches!(name, CheckName::Http | CheckName::Realtime));
            checks.push(self.checks.entry(key).or_insert_with(|| Settled::new(now)).take(*name, answer, age, now));
        }
        let crashes = self.crashes.take(seen, now);
        InstanceHealthReport { instance_id: id, checks, crashes }
    }
}
