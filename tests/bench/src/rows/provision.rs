//! P12: what provisioning adds to making and starting a container.

use crate::report::Row;
use chrono::{DateTime, Utc};
use ocore_tests::client::{Client, text};
use ocore_tests::docker;
use ocore_tests::provisioning::{CONTROL, PROVISION, Provisioning};
use serde_json::Value;

/// Milliseconds of a job's step.
fn step_milliseconds(job: &Value, name: &str) -> f64 {
    let steps = job["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let step = steps.iter().find(|step| step["name"] == name);
    let at = |field: &str| step.and_then(|s| s[field].as_str()?.parse::<DateTime<Utc>>().ok());
    let took = at("finished_at").zip(at("started_at")).map(|(end, start)| end - start);
    took.and_then(|took| took.num_microseconds()).map_or(f64::NAN, |us| us as f64 / 1000.0)
}

pub async fn run(client: &Client, server: &str, rounds: usize) -> Vec<Row> {
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let made = Provisioning::begin(client, server, "bench").await;
        let job = client.job_end(&made.job, PROVISION).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
        ours.push(step_milliseconds(&job, "start"));
        let container = docker::odoo_container(&made.id).await;
        let took = docker::create_and_start_like(&container).await;
        raw.push(took.as_secs_f64() * 1000.0);
        println!(
            "round {round}: the step that makes and starts Odoo {:.0} ms, the engine alone {:.0} ms",
            ours[round - 1],
            raw[round - 1]
        );
        let accepted = client.delete(&format!("/api/instances/{}?purge=true", made.id)).await.is(202);
        client.job_end(&text(&accepted, "job_id"), CONTROL).await;
    }
    vec![
        Row::of("P12", "provisioning's step that makes and starts Odoo's container, journal included", "ms", &ours)
            .against("the same container made and started by the engine's API", &raw),
    ]
}
