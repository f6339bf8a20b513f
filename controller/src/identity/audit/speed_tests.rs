//! How fast, measured when asked for: `cargo test --release --lib -- --ignored --nocapture audit_speed`.

use super::sealer::seal_once;
use super::tests::seal;
use crate::identity::authentication::tests::run;
use crate::identity::members::tests::Company;
use axum::http::StatusCode;
use std::time::Instant;

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
    while seal_once(app).await.unwrap().sealed > 0 {}
    println!("sealed {:.0} entries a second", ENTRIES as f64 / started.elapsed().as_secs_f64());
    seal(app).await;
    let started = Instant::now();
    let found = company.ada.get("/api/audit-logs/verify").await.is(StatusCode::OK);
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(found.body["valid"], true, "{}", found.body);
    println!("verified {:.0} entries a second", found.body["entries"].as_f64().unwrap() / seconds);
}
