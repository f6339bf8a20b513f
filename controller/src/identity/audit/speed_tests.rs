//! How fast, measured when asked for: `cargo test --release --lib -- --ignored --nocapture audit_speed`.

use super::sealer::seal_backlog;
use super::tests::seal;
use crate::identity::authentication::tests::run;
use crate::identity::members::tests::Company;
use axum::http::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
#[ignore = "a measurement, for a release build on a quiet machine"]
async fn audit_speed() {
    const ENTRIES: i64 = 200_000;
    let company = Company::new().await;
    let app = company.app();
    let sql = format!(
        "insert into audit_log (id, organization_id, action, actor, subject, before, after, address, request_id, user_agent)
         select gen_random_uuid(), o.id, 'role.updated',
                '{{\"type\": \"user\", \"id\": \"0197a5a0-0000-7000-8000-000000000002\", \"name\": \"Ada\"}}',
                jsonb_build_object('type', 'role', 'id', gen_random_uuid(), 'name', 'role ' || n),
                jsonb_build_object('description', n, 'permissions', array['view:servers']),
                jsonb_build_object('description', n + 1, 'permissions', array['view:servers', 'view:instances']),
                '192.0.2.7', gen_random_uuid()::text, 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0'
         from organizations o, generate_series(1, {ENTRIES}) n"
    );
    run(app, &sql).await;
    let started = Instant::now();
    seal_backlog(app).await.unwrap();
    println!("sealed {:.0} entries a second", ENTRIES as f64 / started.elapsed().as_secs_f64());
    seal(app).await;
    let started = Instant::now();
    let found = company.ada.get("/api/audit-logs/verify").await.is(StatusCode::OK);
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(found.body["valid"], true, "{}", found.body);
    println!("verified {:.0} entries a second", found.body["entries"].as_f64().unwrap() / seconds);
}

#[tokio::test]
#[ignore = "a measurement, for a release build on a quiet machine"]
async fn audit_cost_for_writers() {
    let company = Company::new().await;
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..10 {
        let seals = round % 2;
        let sealer = (seals == 1).then(|| {
            let app = company.app().clone();
            tokio::spawn(async move {
                loop {
                    seal_backlog(&app).await.unwrap();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            })
        });
        for n in 0..200 {
            let body = json!({ "name": format!("role {round} {n}"), "permissions": ["view:servers"] });
            let started = Instant::now();
            company.ada.post("/api/roles", body).await.is(StatusCode::CREATED);
            took[seals].push(started.elapsed());
        }
        if let Some(sealer) = sealer {
            sealer.abort();
        }
    }
    for (name, times) in ["without", "with"].iter().zip(&mut took) {
        times.sort();
        println!("{name} the sealer: p50 {:?}, p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
    }
}
