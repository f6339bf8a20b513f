//! Settings of an instance are changed: they reach what runs, or everything is as it was.

use http::Method;
use ocore_tests::client::{Client, text};
use ocore_tests::docker;
use ocore_tests::processes::Controller;
use ocore_tests::provisioning::{CONTROL, PROVISION, Provisioning, begin_change, is_as_wished};
use ocore_tests::wait_for;
use serde_json::json;
use std::time::Duration;

/// Python does not even start with it.
const DEADLY: (&str, &str) = ("PYTHONHOME", "/nowhere");
/// Odoo starts with it, but finds nothing in its database, so it never answers well.
const BLINDING: (&str, &str) = ("PGOPTIONS", "-c search_path=nowhere");

/// Each takes a minute, since an Odoo that finds no database does not want to end.
const CANCELLED_IN: &[(&str, &str)] =
    if cfg!(feature = "full") { &[("recreate", "blue"), ("health", "green")] } else { &[("recreate", "blue")] };

async fn provisioned(ada: &Client, server: &str, name: &str) -> String {
    let Provisioning { id, job } = Provisioning::begin(ada, server, name).await;
    let job = ada.job_end(&job, PROVISION).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    id
}

async fn remove(ada: &Client, id: &str) {
    let accepted = ada.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
    assert_eq!(ada.job_end(&text(&accepted, "job_id"), CONTROL).await["status"], "succeeded");
    assert_eq!(docker::objects(&format!("sh.ocore.instance={id}")).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_reach_odoo_and_its_database_or_are_taken_back() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let id = provisioned(&ada, &text(&server, "id"), "settings").await;

    // Memory alone: PostgreSQL is told of it, too.
    let more = json!({"limits": {"cpus": 1, "memory_mb": 1280}});
    let job = begin_change(&ada, &id, more).await;
    let job = ada.job_end(&job, PROVISION).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    is_as_wished(&ada, &id, 1280, &[]).await;

    // The share of the cores alone: nothing is restarted.
    let container = docker::inspect(&docker::odoo_container(&id).await).await.id;
    let job = begin_change(&ada, &id, json!({"limits": {"cpus": 1.5, "memory_mb": 1280}})).await;
    assert_eq!(ada.job_end(&job, PROVISION).await["status"], "succeeded");
    let found = docker::inspect(&docker::odoo_container(&id).await).await;
    assert_eq!(found.id, container);
    assert_eq!(found.host_config.and_then(|h| h.nano_cpus), Some(1_500_000_000));

    let job = begin_change(&ada, &id, json!({"env": {"COLOUR": "red"}})).await;
    assert_eq!(ada.job_end(&job, PROVISION).await["status"], "succeeded");
    is_as_wished(&ada, &id, 1280, &[("COLOUR", "red")]).await;

    let deadly = json!({"env": {"COLOUR": "blue", DEADLY.0: DEADLY.1}, "limits": {"cpus": 1.5, "memory_mb": 1536}});
    let job = begin_change(&ada, &id, deadly).await;
    let job = ada.job_end(&job, PROVISION).await;
    assert_eq!((&job["status"], &job["failure"]["code"]), (&json!("failed"), &json!("odoo_exited")), "{job:#}");
    let message = job["failure"]["message"].as_str().unwrap();
    assert!(message.ends_with("The settings before are in force again."), "{message}");
    is_as_wished(&ada, &id, 1280, &[("COLOUR", "red")]).await;

    // Cancelled while containers are made anew, and while nobody knows yet whether the new one is well.
    for (step, colour) in CANCELLED_IN {
        let job = begin_change(&ada, &id, json!({"env": {"COLOUR": colour, BLINDING.0: BLINDING.1}})).await;
        wait_for(&format!("step {step}"), CONTROL, || async {
            let job = ada.try_call(Method::GET, &format!("/api/jobs/{job}"), &[], None).await.ok()?.body;
            assert!(job["finished_at"].is_null(), "it was to run until it is cancelled: {job:#}");
            let steps = job["steps"].as_array()?.clone();
            steps.iter().any(|s| s["name"] == *step && s["status"] != "pending").then_some(())
        })
        .await;
        ada.post(&format!("/api/jobs/{job}/cancel"), json!({})).await.is(202);
        let job = ada.job_end(&job, Duration::from_secs(180)).await;
        assert_eq!(job["status"], "cancelled", "{job:#}");
        let message = job["failure"]["message"].as_str().unwrap();
        assert_eq!(message, "The job was cancelled. The settings before are in force again.", "{step}");
        is_as_wished(&ada, &id, 1280, &[("COLOUR", "red")]).await;
    }
    remove(&ada, &id).await;
}
