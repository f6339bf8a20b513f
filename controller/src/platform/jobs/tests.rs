//! What the queue, a cancel and a removal leave behind.

use super::dispatch::sweep_once;
use super::model::NewJob;
use super::report::job_end_here;
use super::store::job_enqueue;
use crate::app::App;
use crate::identity::authentication::tests::{PASSWORD, Visitor, run, sign_in, stranger};
use crate::platform::http::Actor;
use crate::signals::events::Subject;
use crate::testing::{TestApp, until};
use axum::http::StatusCode;
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, ServerId};
use ocore_shared::protocol::jobs::JobStatus;
use serde_json::{Value, json};
use sqlx::{Connection, PgPool};
use std::time::Duration;
use uuid::Uuid;

/// A controller with a server that counts as online though no agent is connected.
pub struct Rig {
    pub test: TestApp,
    pub ada: Visitor,
    pub organization: OrganizationId,
    pub server: ServerId,
}

impl Rig {
    pub async fn start() -> Self {
        let test = TestApp::start().await;
        let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
        let organization = answer.organization().parse().unwrap();
        let made = ada.post("/api/servers", json!({"name": "first"})).await.is(StatusCode::CREATED);
        let server = made.body["server"]["id"].as_str().unwrap().parse().unwrap();
        run(&test.app, "update servers set status = 'online'").await;
        Self { test, ada, organization, server }
    }

    pub fn app(&self) -> &App {
        &self.test.app
    }

    /// An instance, and the job that provisions it, which no agent takes.
    async fn instance(&self, name: &str, environment: Option<Uuid>) -> (String, JobId) {
        let body = json!({"name": name, "server_id": self.server, "environment_id": environment,
            "admin_login": "ada@example.com", "admin_password": PASSWORD});
        let made = self.ada.post("/api/instances", body).await.is(StatusCode::ACCEPTED);
        let job = made.text("job_id").parse().unwrap();
        self.untaken(job).await;
        (made.text("id"), job)
    }

    /// A job that changes nothing, which no agent has taken.
    pub async fn check(&self) -> JobId {
        let path = format!("/api/servers/{}/check", self.server);
        let job = self.ada.post(&path, json!({})).await.is(StatusCode::ACCEPTED).text("job_id").parse().unwrap();
        self.untaken(job).await;
        job
    }

    async fn untaken(&self, job: JobId) {
        until("the job's return to the queue", async || self.job(job).await["status"] == "queued").await;
        assert_eq!(self.job(job).await["attempts"], 0, "it was never handed over");
    }

    /// A job behind the one that is at work.
    async fn queued(&self, instance: &str) -> JobId {
        let path = format!("/api/instances/{instance}/start?queue=true");
        let job = self.ada.post(&path, json!({})).await.is(StatusCode::ACCEPTED).text("job_id").parse().unwrap();
        assert_eq!(self.job(job).await["waiting"], true);
        job
    }

    pub async fn job(&self, job: JobId) -> Value {
        self.ada.get(&format!("/api/jobs/{job}")).await.is(StatusCode::OK).body
    }

    pub async fn cancel(&self, job: JobId) -> Value {
        self.ada.post(&format!("/api/jobs/{job}/cancel"), json!({})).await.is(StatusCode::ACCEPTED).body
    }
}

#[tokio::test]
async fn what_ends_in_the_queue_lets_nothing_past_what_is_at_work() {
    let rig = Rig::start().await;
    let (instance, at_work) = rig.instance("queue", None).await;
    let (first, second) = (rig.queued(&instance).await, rig.queued(&instance).await);

    assert_eq!(rig.cancel(first).await["status"], "cancelled");
    assert_eq!(rig.job(second).await["waiting"], true);
    assert_eq!(rig.job(at_work).await["status"], "queued");

    // Those whose time is over, one of them with others behind it, are ended; the rest of the sweep goes on.
    let third = rig.queued(&instance).await;
    let late = rig.check().await;
    sqlx::query("update jobs set deadline_at = now() - interval '1 second' where id = any($1)")
        .bind(&[second.0, late.0][..])
        .execute(rig.app().db.system())
        .await
        .unwrap();
    sweep_once(rig.app()).await.unwrap();
    for job in [second, late] {
        assert_eq!(rig.job(job).await["failure"]["code"], "deadline_exceeded");
    }
    assert_eq!(rig.job(third).await["waiting"], true);

    rig.cancel(at_work).await;
    let third = rig.job(third).await;
    assert_eq!((&third["waiting"], &third["status"]), (&json!(false), &json!("queued")));
}

#[tokio::test]
async fn a_job_that_is_queued_while_the_one_before_ends_is_let_go() {
    let rig = Rig::start().await;
    let (instance, at_work) = rig.instance("race", None).await;
    let instance: InstanceId = instance.parse().unwrap();
    let (app, organization) = (rig.app().clone(), rig.organization);
    let new = NewJob {
        id: JobId::new(),
        kind: "instance_restart",
        organization,
        server: rig.server,
        instance: Some(instance),
        subject: Subject::new("instance", instance, "race"),
        input: json!({}),
        secrets: Default::default(),
        timeout_seconds: None,
        deadline_seconds: None,
        created_by: Actor::system(),
        idempotency_claim: None,
        queue: true,
    };
    let mut connection = app.db.org(organization).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    let _waiting = job_enqueue(&mut tx, app.replica, &new).await.unwrap();
    let ending = tokio::spawn({
        let app = app.clone();
        async move { job_end_here(&app, organization, at_work, JobStatus::Failed, None).await }
    });
    // Either the end is through before the other's commit, or it waits for it.
    let observer = PgPool::connect_lazy_with(rig.test.options.clone());
    until("the end", async || {
        let waits: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')",
        )
        .fetch_one(&observer)
        .await
        .unwrap();
        waits || ending.is_finished()
    })
    .await;
    tx.commit().await.unwrap();
    ending.await.unwrap().unwrap();
    assert_eq!(rig.job(new.id).await["waiting"], false);
}

#[tokio::test]
async fn a_removal_ends_what_can_no_longer_be_done() {
    let rig = Rig::start().await;
    let (instance, at_work) = rig.instance("forgotten", None).await;
    let behind = rig.queued(&instance).await;
    let (other, first) = rig.instance("deleted", None).await;
    let waiting = rig.queued(&other).await;
    run(rig.app(), "update jobs set status = 'running', attempts = 1 where not waiting").await;

    sqlx::query("update jobs set status = 'succeeded' where id = $1")
        .bind(first.0)
        .execute(rig.app().db.system())
        .await
        .unwrap();
    sqlx::query("delete from instances where id = $1::uuid")
        .bind(other.parse::<Uuid>().unwrap())
        .execute(rig.app().db.system())
        .await
        .unwrap();
    sweep_once(rig.app()).await.unwrap();
    assert_eq!(rig.job(waiting).await["failure"]["code"], "instance_removed");

    let path = format!("/api/servers/{}?force=true", rig.server);
    let removal = rig.ada.delete(&path).await.is(StatusCode::ACCEPTED).text("job_id").parse().unwrap();
    rig.untaken(removal).await;
    // An attempt that nobody answered does not keep a server that is being removed.
    run(rig.app(), "update jobs set attempts = 1, deadline_at = now() where kind = 'agent_uninstall'").await;
    sweep_once(rig.app()).await.unwrap();
    rig.ada.get(&format!("/api/servers/{}", rig.server)).await.is(StatusCode::NOT_FOUND);
    sweep_once(rig.app()).await.unwrap();
    for job in [at_work, behind] {
        let job = rig.job(job).await;
        assert_eq!((&job["status"], &job["failure"]["code"]), (&json!("failed"), &json!("server_removed")));
    }
    let open: i64 = sqlx::query_scalar("select count(*) from jobs where finished_at is null and id <> $1")
        .bind(first.0)
        .fetch_one(rig.app().db.system())
        .await
        .unwrap();
    assert_eq!(open, 0);
}

#[tokio::test]
async fn jobs_are_cancelled_by_those_who_manage_what_they_work_on() {
    let rig = Rig::start().await;
    let elsewhere = Uuid::now_v7();
    sqlx::query(
        "with p as (insert into projects (id, organization_id, name, slug)
             select gen_random_uuid(), id, 'Elsewhere', 'elsewhere' from organizations returning id, organization_id)
         insert into environments (id, organization_id, project_id, name, slug, type)
         select $1, organization_id, id, 'Production', 'production', 'production' from p",
    )
    .bind(elsewhere)
    .execute(rig.app().db.system())
    .await
    .unwrap();
    let (_, own) = rig.instance("own", None).await;
    let (_, foreign) = rig.instance("foreign", Some(elsewhere)).await;
    let server = rig.check().await;

    for email in ["dev@example.com", "guest@example.com"] {
        stranger(rig.app(), email).await;
    }
    // Both develop in one project; one of them sees the whole organization.
    run(
        rig.app(),
        "with m as (insert into memberships (organization_id, user_id)
             select o.id, u.id from organizations o, users u where u.name = 'Stranger' returning organization_id, user_id)
         insert into grants (id, organization_id, principal_type, principal_id, role_id, scope_type, scope_id)
         select gen_random_uuid(), m.organization_id, 'user', m.user_id, r.id, s.type, s.id
         from m join roles r on r.organization_id = m.organization_id join users u on u.id = m.user_id,
             lateral (select 'project' as type, p.id from projects p where r.name = 'developer' and p.name = 'Default'
                 union all select 'organization', r.organization_id where r.name = 'viewer' and u.email like 'dev%') s",
    )
    .await;
    let dev = sign_in(rig.app(), "dev@example.com").await;
    let guest = sign_in(rig.app(), "guest@example.com").await;
    for job in [foreign, server] {
        let path = format!("/api/jobs/{job}/cancel");
        dev.post(&path, json!({})).await.refused(StatusCode::FORBIDDEN, "permission_denied");
        guest.post(&path, json!({})).await.refused(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(rig.job(job).await["cancel_requested"], false);
    }
    let path = format!("/api/jobs/{own}/cancel");
    assert_eq!(guest.post(&path, json!({})).await.is(StatusCode::ACCEPTED).body["status"], "cancelled");
}

#[tokio::test]
async fn who_waits_for_a_job_hears_of_an_end_that_another_replica_has_seen() {
    let rig = Rig::start().await;
    let job = rig.check().await;
    let path = format!("/api/jobs/{job}?wait=60");
    let mut answer = std::pin::pin!(rig.ada.get(&path));
    let early = tokio::time::timeout(Duration::from_millis(500), &mut answer).await;
    assert!(early.is_err(), "the job has not ended");
    // Nobody rings a bell here.
    run(rig.app(), "update jobs set status = 'succeeded', finished_at = now()").await;
    let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("long before its 60 seconds");
    assert_eq!(answer.is(StatusCode::OK).body["status"], "succeeded");
}
