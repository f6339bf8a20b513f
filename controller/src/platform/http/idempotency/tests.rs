//! A request that is repeated is done once, whatever was lost in between.

use crate::identity::authentication::tests::{Answer, Visitor, run};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode, header};
use serde_json::json;

struct Rig {
    test: TestApp,
    /// Signed in, with a key.
    ada: Visitor,
    without_key: Visitor,
    check: String,
}

impl Rig {
    async fn start() -> Self {
        let test = TestApp::start().await;
        let (without_key, _) = Visitor::new(&test.app).bootstrap().await;
        let mut rig =
            Self { test, ada: without_key.with("idempotency-key", "nightly"), without_key, check: String::new() };
        rig.check = rig.server("first").await;
        rig
    }

    /// The path that checks a new server.
    async fn server(&self, name: &str) -> String {
        let made = self.without_key.post("/api/servers", json!({"name": name})).await.is(StatusCode::CREATED);
        format!("/api/servers/{}/check", made.body["server"]["id"].as_str().unwrap())
    }

    async fn ask(&self) -> Answer {
        self.ada.post(&self.check, json!({})).await
    }

    async fn jobs(&self) -> usize {
        self.ada.get("/api/jobs").await.is(StatusCode::OK).body["data"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn a_crash_before_the_answer_was_stored_is_repaired_by_the_retry() {
    let rig = Rig::start().await;
    let first = rig.ask().await.is(StatusCode::ACCEPTED);
    let again = rig.ask().await.is(StatusCode::ACCEPTED);
    assert_eq!((&again.body, &again.headers["idempotency-replayed"]), (&first.body, &"true".parse().unwrap()));

    // What is left when the controller dies between its commit and the storing of the answer.
    run(&rig.test.app, "update idempotency_keys set status = null, sealed_response = null").await;
    let again = rig.ask().await.is(StatusCode::ACCEPTED);
    for name in ["id", "job_id"] {
        assert_eq!(again.text(name), first.text(name), "{name}");
    }
    for name in [header::LOCATION, header::LINK] {
        assert_eq!(again.headers[&name], first.headers[&name], "{name}");
    }
    assert_eq!(again.text("status"), "pending", "the server's status");
    assert_eq!(rig.jobs().await, 1);
}

#[tokio::test]
async fn a_request_that_died_before_its_commit_is_taken_over_soon() {
    let rig = Rig::start().await;
    rig.ask().await.is(StatusCode::ACCEPTED);
    run(&rig.test.app, "update idempotency_keys set status = null, sealed_response = null, job_id = null").await;
    let early = rig.ask().await;
    assert!(early.headers.contains_key(header::RETRY_AFTER), "when to ask again");
    early.refused(StatusCode::CONFLICT, "request_in_progress");
    run(&rig.test.app, "update idempotency_keys set created_at = now() - interval '16 seconds'").await;
    rig.ask().await.is(StatusCode::ACCEPTED);
    assert_eq!(rig.jobs().await, 2, "it is carried out");
}

#[tokio::test]
async fn a_key_means_one_request_and_ends_after_a_day() {
    let rig = Rig::start().await;
    let first = rig.ask().await.is(StatusCode::ACCEPTED).text("job_id");
    let other = rig.server("second").await;
    rig.ada.post(&other, json!({})).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
    run(&rig.test.app, "update idempotency_keys set created_at = now() - interval '25 hours'").await;
    assert_ne!(rig.ask().await.is(StatusCode::ACCEPTED).text("job_id"), first);
    run(&rig.test.app, "update idempotency_keys set created_at = now() - interval '25 hours'").await;
    let second = rig.ada.post(&other, json!({})).await.is(StatusCode::ACCEPTED);
    assert!(other.contains(&second.text("id")), "the key is free for another request");
}

#[tokio::test]
async fn a_claim_that_was_taken_over_enqueues_nothing() {
    use super::store::{Claim, idempotency_claim, idempotency_job_store, idempotency_release};
    use ocore_shared::ids::JobId;
    use uuid::Uuid;

    let rig = Rig::start().await;
    let organization = rig.test.app.db.system();
    let organization: Uuid = sqlx::query_scalar("select id from organizations").fetch_one(organization).await.unwrap();
    let (organization, nobody) = (organization.into(), Uuid::now_v7());
    let mut connection = rig.test.app.db.org(organization).await.unwrap();
    let claim = async |connection: &mut _| idempotency_claim(connection, organization, nobody, "k", b"asked").await;
    let Claim::Mine(slow) = claim(&mut connection).await.unwrap() else { panic!("a fresh key") };
    run(&rig.test.app, "update idempotency_keys set created_at = now() - interval '16 seconds'").await;
    let Claim::Mine(fast) = claim(&mut connection).await.unwrap() else { panic!("it is taken over") };

    let job = JobId::new();
    let refused = idempotency_job_store(&mut connection, organization, slow, JobId::new()).await.unwrap_err();
    assert_eq!(refused.code(), "request_in_progress");
    idempotency_job_store(&mut connection, organization, fast, job).await.unwrap();
    // Whoever fails after its commit, or has lost the key, takes the job from nobody.
    idempotency_release(&mut connection, organization, slow).await.unwrap();
    idempotency_release(&mut connection, organization, fast).await.unwrap();
    assert_eq!(claim(&mut connection).await.unwrap(), Claim::Enqueued(job));
}

#[tokio::test]
async fn only_a_post_carries_a_key() {
    let rig = Rig::start().await;
    let server = rig.check.strip_suffix("/check").unwrap().to_owned();
    rig.ask().await.is(StatusCode::ACCEPTED);
    let asked = |method| rig.ada.send(method, &server, Some(json!({})));
    asked(Method::DELETE).await.is(StatusCode::ACCEPTED);
    asked(Method::DELETE).await.is(StatusCode::ACCEPTED);
    asked(Method::PATCH).await.is(StatusCode::OK);
    rig.ask().await.is(StatusCode::ACCEPTED);
}
