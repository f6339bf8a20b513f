//! Asks every running instance for its health, lightly, and reports only changes.

use super::health;
use super::record::{Record, Stage};
use crate::host::Host;
use chrono::DateTime;
use futures::StreamExt;
use ocore_shared::ids::InstanceId;
use std::collections::HashMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(15);
/// So many in a row make an instance unhealthy …
const FAILURES: u32 = 3;
/// … unless it was started so few seconds ago.
const GRACE_SECONDS: i64 = 180;
/// Instances asked at once.
const PARALLEL: usize = 8;

pub async fn run(host: Host, stop: CancellationToken) {
    let mut failures: HashMap<InstanceId, u32> = HashMap::new();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let records: Vec<Record> =
            host.records.all().into_iter().filter(|r| r.stage == Stage::Ready && r.running).collect();
        failures.retain(|id, _| records.iter().any(|r| r.spec.instance_id == *id));
        let asked = futures::stream::iter(records).map(|record| ask(&host, record)).buffer_unordered(PARALLEL);
        let Some(answers) = stop.run_until_cancelled(asked.collect::<Vec<_>>()).await else { return };
        for (id, seen) in answers {
            let Some(seen) = seen else { continue };
            let count = failures.entry(id).or_default();
            *count = if seen.healthy { 0 } else { *count + 1 };
            if let Some(health) = judge(seen.healthy, *count, seen.age_seconds) {
                host.watched.set_health(&seen.container, health);
            }
        }
    }
}

struct Seen {
    container: String,
    healthy: bool,
    age_seconds: i64,
}

/// None when its container does not run: that is another kind of news.
async fn ask(host: &Host, record: Record) -> (InstanceId, Option<Seen>) {
    let id = record.spec.instance_id;
    let Ok(Some(found)) = host.docker.inspect(&record.odoo_container()).await else { return (id, None) };
    let state = found.state.unwrap_or_default();
    if state.running != Some(true) {
        return (id, None);
    }
    let started = state.started_at.and_then(|t| DateTime::parse_from_rfc3339(&t).ok());
    let age_seconds = started.map_or(i64::MAX, |t| (host.clock.now() - t.to_utc()).num_seconds());
    let healthy = health::check(&record).await.is_ok();
    (id, Some(Seen { container: found.id.unwrap_or_default(), healthy, age_seconds }))
}

/// What to say now; None leaves it at what was said before.
fn judge(healthy: bool, failures: u32, age_seconds: i64) -> Option<&'static str> {
    match (healthy, failures) {
        (true, _) => Some("healthy"),
        (false, _) if age_seconds < GRACE_SECONDS => Some("starting"),
        (false, n) if n >= FAILURES => Some("unhealthy"),
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn three_failures_after_the_grace_are_unhealthy() {
        assert_eq!(judge(true, 0, 1), Some("healthy"));
        assert_eq!(judge(false, 5, 10), Some("starting"));
        assert_eq!(judge(false, 2, 1000), None);
        assert_eq!(judge(false, 3, 1000), Some("unhealthy"));
    }
}
