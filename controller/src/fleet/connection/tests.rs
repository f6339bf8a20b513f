//! What a round of housekeeping finds and mends.

use super::ingest::events_follow;
use super::service::{housekeep, journal_is_known, session_open, sessions_reassert};
use super::store::{SessionStart, session_end};
use crate::fleet::servers::model::ServerStatus;
use crate::identity::authentication::tests::{Visitor, run};
use crate::testing::{TestApp, agent, tunnel_to};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use ocore_shared::ids::{JournalId, OrganizationId, ServerId};
use ocore_shared::protocol::events::{AgentEvent, EventEnvelope};
use ocore_shared::protocol::session::{SessionOpen, SessionOpened};
use serde_json::json;

/// A server whose session of this epoch counts.
struct Connected {
    test: TestApp,
    ada: Visitor,
    organization: OrganizationId,
    server: ServerId,
}

impl Connected {
    async fn new(epoch: i64) -> Self {
        let test = TestApp::start().await;
        let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
        let organization = answer.organization().parse().unwrap();
        let made = ada.post("/api/servers", json!({"name": "first"})).await.is(StatusCode::CREATED);
        let server: ServerId = made.body["server"]["id"].as_str().unwrap().parse().unwrap();
        sqlx::query("update servers set status = 'offline', status_reason = 'The controller has restarted.', session_epoch = $1")
            .bind(epoch)
            .execute(test.app.db.system())
            .await
            .unwrap();
        // Its certificate is known, else its tunnel is ended.
        sqlx::query("insert into server_identities (serial, organization_id, server_id, not_after) values ($1::text, $2, $1, now())")
            .bind(server.0)
            .bind(organization)
            .execute(test.app.db.system())
            .await
            .unwrap();
        Self { test, ada, organization, server }
    }

    async fn status(&self) -> String {
        self.ada.get(&format!("/api/servers/{}", self.server)).await.is(StatusCode::OK).text("status")
    }

    async fn sessions(&self) -> Vec<(i64, String)> {
        sqlx::query_as("select session_epoch, host(address) from agent_sessions")
            .fetch_all(self.test.app.db.system())
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_live_session_that_was_taken_for_dead_counts_again() {
    let server = Connected::new(7).await;
    let app = &server.test.app;
    let tunnel = agent(app, server.organization, server.server, 7, Router::new()).await;
    housekeep(app).await.unwrap();
    assert_eq!((server.status().await, server.sessions().await), ("online".into(), vec![(7, "192.0.2.8".into())]));
    assert!(!tunnel.end.is_cancelled());

    // As its Docker was.
    run(app, "delete from agent_sessions").await;
    run(app, r#"update servers set status = 'offline', docker = '{"available": false, "problem": "It is stopped."}'"#)
        .await;
    housekeep(app).await.unwrap();
    let shown = server.ada.get(&format!("/api/servers/{}", server.server)).await.body;
    assert_eq!((&shown["status"], &shown["status_reason"]), (&json!("degraded"), &json!("It is stopped.")));

    // What a person or a removal has decided stays.
    run(app, "update servers set status = 'removing'").await;
    housekeep(app).await.unwrap();
    assert_eq!(server.status().await, "removing");
}

#[tokio::test]
async fn a_session_that_ended_or_was_fenced_does_not_count_again() {
    let server = Connected::new(7).await;
    let app = &server.test.app;
    let tunnel = agent(app, server.organization, server.server, 7, Router::new()).await;
    housekeep(app).await.unwrap();
    app.tunnels.remove(&tunnel);
    let mut tx = app.db.fleet().begin().await.unwrap();
    session_end(&mut tx, server.server, 7).await.unwrap();
    tx.commit().await.unwrap();
    housekeep(app).await.unwrap();
    assert_eq!((server.status().await, server.sessions().await), ("offline".into(), vec![]));
    // Nor when it ends after it was looked for.
    sessions_reassert(app, &[tunnel]).await.unwrap();
    assert_eq!((server.status().await, server.sessions().await), ("offline".into(), vec![]));

    agent(app, server.organization, server.server, 6, Router::new()).await;
    housekeep(app).await.unwrap();
    assert_eq!((server.status().await, server.sessions().await), ("offline".into(), vec![]));
}

#[tokio::test]
async fn an_uninstall_whose_end_was_never_told_ends_with_its_time() {
    let server = Connected::new(7).await;
    let app = &server.test.app;
    run(app, "update servers set status = 'online'").await;
    let wanted =
        json!({"name": "Shop", "server_id": server.server, "admin_login": "admin", "admin_password": "a quiet shop 7"});
    server.ada.post("/api/instances", wanted).await.is(StatusCode::ACCEPTED);
    let path = format!("/api/servers/{}", server.server);
    let removal = server.ada.delete(&format!("{path}?force=true")).await.is(StatusCode::ACCEPTED).text("job_id");
    run(app, "update jobs set status = 'running', started_at = now() where kind = 'agent_uninstall'").await;
    housekeep(app).await.unwrap();
    assert_eq!(server.status().await, "removing");

    run(app, "update jobs set started_at = now() - interval '121 seconds' where kind = 'agent_uninstall'").await;
    let busy = Router::new().fallback(|| async { StatusCode::SERVICE_UNAVAILABLE });
    agent(app, server.organization, server.server, 7, busy).await;
    housekeep(app).await.unwrap();
    assert_eq!(server.status().await, "removing", "a connected agent tells it itself");

    let tunnel = app.tunnels.get(server.server).unwrap();
    app.tunnels.remove(&tunnel);
    run(app, "delete from agent_sessions").await;
    housekeep(app).await.unwrap();
    server.ada.get(&path).await.refused(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(server.ada.get(&format!("/api/jobs/{removal}")).await.body["status"], "succeeded");
    // Neither a certificate nor a password is left.
    let left = "select (select count(*) from server_identities), (select count(*) from secrets where organization_id is not null)";
    let left: (i64, i64) = sqlx::query_as(left).fetch_one(app.db.system()).await.unwrap();
    assert_eq!(left, (0, 0));
}

#[tokio::test]
async fn a_session_that_another_replica_has_taken_over_says_nothing_more() {
    let server = Connected::new(7).await;
    let app = &server.test.app;
    let journal = JournalId::new();
    let event = AgentEvent::ContainerRemoved { id: "gone".into() };
    let envelope = EventEnvelope { seq: Some(3), journal_id: journal, at: app.clock.now(), event };
    let line = format!("{}\n", serde_json::to_string(&envelope).unwrap());
    let routes = Router::new()
        .route("/events", get(async move || line.clone()))
        .route("/events/ack", post(async || StatusCode::NO_CONTENT));
    let tunnel = agent(app, server.organization, server.server, 7, routes).await;
    sqlx::query("update servers set journal_id = $1").bind(journal.0).execute(app.db.system()).await.unwrap();
    let taken_in = || sqlx::query_scalar::<_, i64>("select journal_seq from servers").fetch_one(app.db.system());

    run(app, "update servers set session_epoch = 8").await;
    let refused = events_follow(app, &tunnel, journal, 0).await.unwrap_err();
    assert_eq!((refused.code(), taken_in().await.unwrap()), ("fenced", 0));
    housekeep(app).await.unwrap();
    assert!(tunnel.end.is_cancelled());

    run(app, "update servers set session_epoch = 7").await;
    events_follow(app, &tunnel, journal, 0).await.unwrap();
    assert_eq!(taken_in().await.unwrap(), 3);
}

#[test]
fn a_journal_that_is_new_or_went_back_is_not_known() {
    let journal = JournalId::new();
    let known = |journal: JournalId, last_seq: u64, previous_epoch: i64, stored: JournalId| {
        let start = SessionStart {
            epoch: 10,
            confirmed_epoch: 9,
            journal: Some(stored.0),
            journal_seq: 5000,
            server_name: "first".into(),
            status: ServerStatus::Offline,
        };
        let opened = SessionOpened {
            previous_epoch,
            previous_join_state: String::new(),
            journal_id: journal,
            last_seq,
            agent_version: String::new(),
            features: Vec::new(),
            job_kinds: Vec::new(),
        };
        journal_is_known(&start, &opened)
    };
    assert!(known(journal, 5000, 9, journal) && known(journal, 6000, 9, journal));
    // The answer to a session may be lost after the agent has stored its epoch.
    assert!(known(journal, 5000, 10, journal));
    assert!(!known(journal, 5000, 9, JournalId::new()));
    assert!(!known(journal, 1000, 9, journal), "a snapshot of this session");
    assert!(!known(journal, 5100, 6, journal), "a snapshot of an earlier session, which has gone on since");
}

#[tokio::test]
async fn an_agent_that_has_seen_more_than_this_database_says_so_on_its_page() {
    let connected = Connected::new(3).await;
    let refusal = json!({"code": "session_epoch_old", "message": "Another controller has taken over."});
    let routes = Router::new().route("/session", post(async move || (StatusCode::CONFLICT, axum::Json(refusal))));
    let open = SessionOpen {
        session_epoch: 4,
        offered_join_state: "state".into(),
        controllers: Vec::new(),
        controller_version: "0".into(),
    };
    let opened = session_open(&connected.test.app, connected.server, &tunnel_to(routes).await, &open).await;
    assert!(opened.is_err());
    let shown = connected.ada.get(&format!("/api/servers/{}", connected.server)).await.is(StatusCode::OK);
    assert!(shown.body["status_reason"].as_str().is_some_and(|reason| reason.contains("older backup")), "{shown:?}");
}
