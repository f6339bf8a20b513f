//! What Odoo has said stays, in order and whole, though its container is made anew; and it is found.

use ocore_tests::client::text;
use ocore_tests::odoo_log::{TRACEBACK, read_whole, write};
use ocore_tests::processes::Controller;
use ocore_tests::provisioning::{CONTROL, PROVISION, Provisioning, begin_change};
use ocore_tests::{docker, wait_for};
use serde_json::{Value, json};

/// Containers, one after the other.
const CONTAINERS: u64 = 4;
/// With all tests 100,800 lines altogether.
const ENTRIES: u64 = if cfg!(feature = "full") { 18_000 } else { 2000 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_kept_over_containers_and_found() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let Provisioning { id, job } = Provisioning::begin(&ada, &text(&server, "id"), "kept").await;
    assert_eq!(ada.job_end(&job, PROVISION).await["status"], "succeeded");

    for container in 0..CONTAINERS {
        write(&docker::odoo_container(&id).await, container * ENTRIES, ENTRIES).await;
        if container + 1 < CONTAINERS {
            let job = begin_change(&ada, &id, json!({"env": {"COLOUR": container.to_string()}})).await;
            assert_eq!(ada.job_end(&job, CONTROL).await["status"], "succeeded");
        }
    }
    let all = CONTAINERS * ENTRIES;
    // The engine writes down what a container says when it comes to it.
    let last = format!("/api/instances/{id}/logs/history?limit=1&q=odoo.probe:%20entry%20{}%20", all - 1);
    wait_for("the last line", CONTROL, || async {
        let page = ada.get(&last).await.is(200);
        (!page["lines"].as_array()?.is_empty()).then_some(())
    })
    .await;
    let whole = read_whole(&ada, &id).await;
    assert_eq!(whole.entries.len() as u64, all, "{:?} to {:?}", whole.entries.first(), whole.entries.last());
    assert_eq!((whole.tracebacks, whole.recreated), (all / 10, CONTAINERS - 1));
    assert!(whole.lines >= all + all / 10 * TRACEBACK && whole.pages > 1);

    let found = async |query: &str| {
        let mut lines: Vec<Value> = Vec::new();
        let mut before = String::new();
        loop {
            let path = format!("/api/instances/{id}/logs/history?limit=1000&{query}{before}");
            let page = ada.get(&path).await.is(200);
            lines.splice(0..0, page["lines"].as_array().expect("lines").clone());
            match page["previous_cursor"].as_str() {
                Some(cursor) => before = format!("&before={cursor}"),
                None => return lines,
            }
        }
    };
    // A word of a traceback finds its entry from head to end, in a container that is long gone.
    let lines = found("q=ValueError:%20probe%2030").await;
    let wanted = [
        "2026-01-01 00:00:00,000 1 ERROR shop odoo.probe: entry 30 ........................................",
        "Traceback (most recent call last):",
        "  File \"/mnt/probe.py\", line 30, in probe",
        "    raise ValueError(number)",
        "ValueError: probe 30",
    ];
    let first = lines.iter().take(wanted.len()).map(|line| line["text"].as_str().unwrap().trim_end());
    assert!(first.eq(wanted), "{lines:#?}");
    let head = &lines[0]["head"];
    assert_eq!((&head["database"], &head["pid"], &head["logger"]), (&json!("shop"), &json!(1), &json!("odoo.probe")));
    assert_eq!(found("level=ERROR&logger=odoo.probe").await.len() as u64, all / 10 * (TRACEBACK + 1));
    assert_eq!(found("q=nobody%20has%20said%20this").await.len(), 0);

    let accepted = ada.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
    assert_eq!(ada.job_end(&text(&accepted, "job_id"), PROVISION).await["status"], "succeeded");
}
