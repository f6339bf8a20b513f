//! Provisioning under faults: begun, disturbed, and proven to have happened once.

use crate::client::{Client, text};
use crate::docker;
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest time for a provisioning with everything that happens to it.
pub const PROVISION: Duration = Duration::from_secs(300);
pub const CONTROL: Duration = Duration::from_secs(120);

/// What is provisioned where the faults are ours and not Odoo's: real Odoo with all tests, else a stand-in for another
/// series, which is set up in a tenth of the time.
pub const VERSION: &str = if cfg!(feature = "full") { "14.0" } else { "16.0" };

/// The series of real Odoo that a test of its own manners goes through.
pub const REAL: &[&str] = if cfg!(feature = "full") { &["14.0", "19.0"] } else { &["14.0"] };

/// Steps of provisioning, in order.
pub const STEPS: [&str; 10] = [
    "pull_image",
    "pull_postgres_image",
    "network",
    "postgres",
    "database",
    "config",
    "initialise",
    "admin",
    "start",
    "health",
];

/// Ask for other settings of an instance; the job that brings them about.
pub async fn begin_change(ada: &Client, instance: &str, change: Value) -> String {
    let path = format!("/api/instances/{instance}");
    let answer = ada.try_call(Method::PATCH, &path, &[], Some(change)).await.expect("an answer");
    text(&answer.is(200), "active_job_id")
}

/// Odoo answers, in a container with exactly these variables of `COLOUR` and of what breaks it, and both containers have
/// this memory and know it.
pub async fn is_as_wished(ada: &Client, instance: &str, memory_mb: i64, env: &[(&str, &str)]) {
    let odoo = docker::odoo_container(instance).await;
    for container in [odoo.clone(), odoo.replace("-odoo", "-postgres")] {
        let found = docker::inspect(&container).await;
        assert_eq!(found.state.and_then(|s| s.running), Some(true), "{container} runs");
        let host = found.host_config.expect("its host's part");
        assert_eq!(host.memory, Some(memory_mb * 1024 * 1024), "{container}");
        let config = found.config.expect("its configuration");
        if container == odoo {
            let names = ["COLOUR", "PYTHONHOME", "PGOPTIONS"];
            let pairs = config.env.iter().flatten().filter_map(|line| line.split_once('='));
            let there: Vec<_> = pairs.filter(|(name, _)| names.contains(name)).collect();
            assert_eq!(there, env);
        } else {
            let buffers = format!("shared_buffers={}MB", memory_mb / 4);
            assert!(config.cmd.iter().flatten().any(|word| *word == buffers), "{:?}", config.cmd);
        }
    }
    let known = ada.get(&format!("/api/instances/{instance}")).await.is(200);
    let port = known["http_port"].as_u64().and_then(|p| u16::try_from(p).ok()).expect("its port");
    crate::wait_for("Odoo's answer", CONTROL, || async {
        let odoo = Client { port, token: None };
        (odoo.try_call(Method::GET, "/web/login", &[], None).await.ok()?.status == 200).then_some(())
    })
    .await;
}

/// An instance that is being made.
pub struct Provisioning {
    pub id: String,
    pub job: String,
}

impl Provisioning {
    pub async fn begin(ada: &Client, server: &str, name: &str) -> Self {
        let name = format!("{name} {}", uuid::Uuid::now_v7().simple());
        let wish = json!({"name": name, "server_id": server, "odoo_version": VERSION, "admin_login": "admin",
            "admin_password": "long enough 1"});
        let accepted = ada.post("/api/instances", wish).await.is(202);
        Self { id: text(&accepted, "id"), job: text(&accepted, "job_id") }
    }

    /// Wait until the controller knows that this step has begun. The controller may be away meanwhile.
    pub async fn reaches(&self, ada: &Client, step: &str) {
        let path = format!("/api/jobs/{}", self.job);
        crate::wait_for(&format!("step {step}"), PROVISION, || async {
            let job = ada.try_call(Method::GET, &path, &[], None).await.ok()?.body;
            let steps = job["steps"].as_array()?.clone();
            steps.iter().any(|s| s["name"] == step && s["status"] != "pending").then_some(())
        })
        .await;
    }

    /// The job ended well, once, with one set of containers and a whole log; then everything is removed.
    pub async fn proven(self, ada: &Client) {
        let Self { id, job } = self;
        let job: Value = ada.job_end(&job, PROVISION).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
        let label = format!("sh.ocore.instance={id}");
        let containers: Vec<String> =
            docker::objects(&label).await.into_iter().filter(|n| n.starts_with('/')).collect();
        assert_eq!(containers.len(), 2, "one Odoo and one PostgreSQL: {containers:?}");
        let log = ada.get(&format!("/api/instances/{id}/install-logs")).await.is(200);
        let lines = log["data"].as_array().expect("lines");
        assert!(lines.iter().enumerate().all(|(i, line)| line["seq"] == i + 1), "no line is missing or doubled");
        let loaded = |l: &&Value| l["text"].as_str().unwrap_or_default().contains("Modules loaded.");
        assert_eq!(lines.iter().filter(loaded).count(), 1, "Odoo was initialised once");
        let events = ada.get(&format!("/api/jobs?instance_id={id}&kind=instance_provision")).await.is(200);
        assert_eq!(events["data"].as_array().expect("jobs").len(), 1);

        let accepted = ada.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
        assert_eq!(ada.job_end(&text(&accepted, "job_id"), CONTROL).await["status"], "succeeded");
        assert_eq!(docker::objects(&label).await, Vec::<String>::new());
    }
}
