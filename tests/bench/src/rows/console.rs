//! P15: the console on a fleet of 10,000 servers, in Chromium.

use crate::report::Row;
use crate::swarm::facts;
use ocore_tests::processes::{Controller, PASSWORD};
use serde::Deserialize;
use sqlx::{Connection, PgConnection};
use std::process::Command;

const SERVERS: i32 = 10_000;

#[derive(Deserialize)]
struct Measured {
    /// Milliseconds from the navigation to the first server.
    paint: Vec<f64>,
    /// Milliseconds from the last key of a search to its result alone.
    found: Vec<f64>,
    /// The longest time for which the page did not answer while it was searched and paged through.
    stall: Vec<f64>,
    /// KiB of JavaScript, compressed as it is sent.
    scripts: Vec<f64>,
}

pub async fn run(rounds: usize) -> Vec<Row> {
    let controller = Controller::start().await;
    controller.bootstrap().await;
    let mut connection = PgConnection::connect(&controller.database_url()).await.expect("the database answers");
    sqlx::query(
        r#"insert into servers (id, organization_id, name, status, labels, facts, last_seen_at)
           select ('01970000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, o.id, 'server ' || n, 'offline',
                  '{"site": "north"}', $2, now()
           from organizations o, generate_series(1, $1) n"#,
    )
    .bind(SERVERS)
    .bind(serde_json::to_value(facts("h")).expect("facts are JSON"))
    .execute(&mut connection)
    .await
    .expect("the rows are taken");
    sqlx::raw_sql("analyze servers").execute(&mut connection).await.expect("the table can be read");
    let base = format!("https://127.0.0.1:{}", controller.port);
    let mut command = Command::new("node");
    command.arg("tests/bench/console.mjs").args([&base, &rounds.to_string()]);
    command.env("OCORE_EMAIL", "ada@example.com").env("OCORE_PASSWORD", PASSWORD);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it runs").expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let measured: Measured = serde_json::from_slice(&output.stdout).expect("what console.mjs prints");
    let of = |what: &str, unit: &str, values: &[f64]| Row::of("P15", what, unit, values);
    vec![
        of("list of 10,000 servers, from opening the console to its first rows", "ms", &measured.paint),
        of("a search in it, from the last key to its result", "ms", &measured.found),
        of("the longest stall while it is searched and paged through", "ms", &measured.stall),
        of("JavaScript that it needs, compressed", "KiB", &measured.scripts),
    ]
}
