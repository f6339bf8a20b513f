//! Health is more than a container that runs: what fails is named, and an Odoo that ends again and again is told.

use ocore_tests::client::{Client, text};
use ocore_tests::docker;
use ocore_tests::processes::Controller;
use ocore_tests::provisioning::{PROVISION, Provisioning};
use ocore_tests::wait_for;
use serde_json::{Value, json};
use std::time::Duration;

/// Looks are 15 seconds apart, and three of them make a failure.
const TOLD: Duration = Duration::from_secs(120);

async fn health_is(ada: &Client, id: &str, state: &str) -> Value {
    let path = format!("/api/instances/{id}/health");
    wait_for(&format!("an instance that is {state}"), TOLD, || async {
        let health = ada.get(&path).await.is(200);
        (health["state"] == state).then_some(health)
    })
    .await
}

fn check(health: &Value, name: &str) -> String {
    let checks = health["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {health}"));
    text(found, "state")
}

/// End Odoo's first process as a crash would, and wait until Docker has started another one.
async fn crash(container: &str) {
    let pid = async || docker::inspect(container).await.state.and_then(|state| state.pid).filter(|pid| *pid > 0);
    let before = wait_for("an Odoo that runs", TOLD, &pid).await;
    let before_pid = nix::unistd::Pid::from_raw(i32::try_from(before).expect("a process"));
    nix::sys::signal::kill(before_pid, nix::sys::signal::Signal::SIGKILL).expect("it can be killed");
    wait_for("another Odoo", TOLD, async || pid().await.filter(|pid| *pid != before)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_and_a_crash_loop_are_told() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let made = Provisioning::begin(&ada, &text(&server, "id"), "Well").await;
    assert_eq!(ada.job_end(&made.job, PROVISION).await["status"], "succeeded");
    let odoo = docker::odoo_container(&made.id).await;
    let well = health_is(&ada, &made.id, "healthy").await;
    assert_eq!((&well["score"], &well["grade"]), (&json!(100), &json!("A")), "{well:#}");
    assert_eq!(check(&well, "realtime"), "not_applicable", "without workers");

    // Odoo's container runs all along: it is the database that is named.
    let postgres = odoo.replace("-odoo", "-postgres");
    docker::pause(&postgres, true).await;
    let unwell = health_is(&ada, &made.id, "unhealthy").await;
    assert_eq!(
        (check(&unwell, "container"), check(&unwell, "database")),
        ("ok".into(), "failing".into()),
        "{unwell:#}"
    );
    docker::pause(&postgres, false).await;
    health_is(&ada, &made.id, "healthy").await;

    let (watcher, path) = (ada.clone(), "/api/events");
    let told =
        tokio::spawn(
            async move { watcher.events(path, 2 * TOLD, |event, _, _| event == "instance.crash_looping").await },
        );
    for _ in 0..3 {
        crash(&odoo).await;
    }
    let looping = health_is(&ada, &made.id, "crash_looping").await;
    assert_eq!((&looping["crashes"]["is_looping"], &looping["crashes"]["exit_code"]), (&json!(true), &json!(137)));
    assert!(looping["score"].as_i64().is_some_and(|score| score <= 50), "{looping:#}");
    assert!(told.await.expect("no panic"), "an event tells it, too");
    let accepted = ada.delete(&format!("/api/instances/{}?purge=true", made.id)).await.is(202);
    assert_eq!(ada.job_end(&text(&accepted, "job_id"), TOLD).await["status"], "succeeded");
}
