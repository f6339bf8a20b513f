//! Rules of an instance's fields, and what reports of its agent make of it.

use super::model::{database_name_of, slug_of};
use crate::config::Config;
use crate::fleet::connection::ingest::events_follow;
use crate::identity::authentication::tests::{Answer, Visitor, run};
use crate::platform::jobs::report::job_end_here;
use crate::testing::{TestApp, agent, tunnel_of};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use ocore_shared::ids::{InstanceId, JobId, JournalId, OrganizationId, ServerId};
use ocore_shared::protocol::events::{AgentEvent, EventEnvelope};
use ocore_shared::protocol::inventory::ContainerInfo;
use ocore_shared::protocol::jobs::{JobFailure, JobSnapshot, JobStatus, StepSnapshot, StepStatus};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn slugs_come_from_names() {
    assert_eq!(slug_of("Acme ERP (prod)"), "acme-erp-prod");
    assert_eq!(slug_of("  Ärger & Co  "), "rger-co");
    assert_eq!(slug_of("ab"), "odoo-ab");
    assert_eq!(slug_of("日本"), "odoo");
    assert_eq!(database_name_of("acme-erp"), "acme_erp");
}

/// An instance that is being provisioned, and the agent of its server, which speaks when it is told to.
pub struct Shop {
    pub test: TestApp,
    pub ada: Visitor,
    pub organization: OrganizationId,
    pub server: ServerId,
    pub id: InstanceId,
    pub provision: JobId,
    said: AtomicU64,
}

impl Shop {
    pub async fn new() -> Self {
        Self::new_with(|_| {}).await
    }

    /// Where the application is configured otherwise.
    pub async fn new_with(configure: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let test = TestApp::start_with(configure).await;
        let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
        let organization = answer.organization().parse().unwrap();
        let made = ada.post("/api/servers", json!({"name": "first"})).await.is(StatusCode::CREATED);
        let server: ServerId = made.body["server"]["id"].as_str().unwrap().parse().unwrap();
        run(&test.app, "update servers set status = 'online', session_epoch = 1").await;
        let wanted =
            json!({"name": "Shop", "server_id": server, "admin_login": "admin", "admin_password": "a quiet shop 7"});
        let asked = ada.post("/api/instances", wanted).await.is(StatusCode::ACCEPTED);
        let (id, provision) = (asked.text("id").parse().unwrap(), asked.text("job_id").parse().unwrap());
        Self { test, ada, organization, server, id, provision, said: AtomicU64::new(0) }
    }

    /// Provisioned, running and healthy.
    pub async fn running() -> Self {
        Self::running_with(|_| {}).await
    }

    pub async fn running_with(configure: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let shop = Self::new_with(configure).await;
        let job = shop.succeeded(shop.provision, StepStatus::Succeeded);
        shop.says([shop.container("odoo-1", "running"), job]).await;
        assert_eq!(shop.state().await, ("running".into(), "healthy".into(), "running".into(), Value::Null));
        shop
    }

    pub async fn stopped() -> Self {
        let shop = Self::running().await;
        let job = shop.control("stop").await;
        let done = AgentEvent::Job(JobSnapshot { result: None, ..shop.snapshot(job, JobStatus::Succeeded) });
        shop.says([shop.container("odoo-1", "exited"), done]).await;
        shop
    }

    pub async fn control(&self, word: &str) -> JobId {
        let path = format!("/api/instances/{}/{word}", self.id);
        self.ada.post(&path, json!({})).await.is(StatusCode::ACCEPTED).text("job_id").parse().unwrap()
    }

    pub async fn patch(&self, body: Value) -> Answer {
        self.ada.send(axum::http::Method::PATCH, &format!("/api/instances/{}", self.id), Some(body)).await
    }

    /// The job that a change of settings has led to.
    pub async fn updated(&self, body: Value) -> JobId {
        let answer = self.patch(body).await.is(StatusCode::OK);
        assert_eq!(answer.body["status"], "updating");
        answer.text("active_job_id").parse().unwrap()
    }

    pub async fn get(&self) -> Value {
        self.ada.get(&format!("/api/instances/{}", self.id)).await.is(StatusCode::OK).body
    }

    /// Status, health, what is wished, and why.
    pub async fn state(&self) -> (String, String, String, Value) {
        let now = self.get().await;
        let text = |name: &str| now[name].as_str().unwrap().to_owned();
        (text("status"), text("health"), text("desired_state"), now["status_reason"].clone())
    }

    pub async fn errors(&self) -> i64 {
        self.told("instance.error").await
    }

    /// How many events of a type there are.
    pub async fn told(&self, kind: &str) -> i64 {
        let count = "select count(*) from events where type = $1";
        sqlx::query_scalar(count).bind(kind).fetch_one(self.test.app.db.system()).await.unwrap()
    }

    /// The agent's stream of events, taken in to its end.
    pub async fn says(&self, events: impl IntoIterator<Item = AgentEvent>) {
        let journal_id = JournalId::new();
        let lines: String = events
            .into_iter()
            .map(|event| {
                let seq = match event {
                    AgentEvent::Containers(_) => None,
                    _ => Some(self.said.fetch_add(1, Ordering::SeqCst) + 1),
                };
                let at = self.test.app.clock.now();
                serde_json::to_string(&EventEnvelope { seq, journal_id, at, event }).unwrap() + "\n"
            })
            .collect();
        let routes = Router::new()
            .route("/events", get(|| async { lines }))
            .route("/events/ack", post(|| async { StatusCode::NO_CONTENT }));
        // Not known to the application, which would hand jobs over.
        let tunnel = tunnel_of(self.organization, self.server, 1, routes).await;
        events_follow(&self.test.app, &tunnel, journal_id, 0).await.unwrap();
    }

    pub fn container(&self, id: &str, state: &str) -> AgentEvent {
        AgentEvent::Container(self.listed(id, state))
    }

    pub fn listed(&self, id: &str, state: &str) -> ContainerInfo {
        let label = |key: &str, value: String| (format!("sh.ocore.{key}"), value);
        serde_json::from_value(json!({
            "id": id, "name": id, "image": "odoo", "state": state, "managed": true,
            "health": (state == "running").then_some("healthy"), "created_at": self.test.app.clock.now(),
            "labels": BTreeMap::from([label("instance", self.id.to_string()), label("role", "odoo".into())]),
        }))
        .unwrap()
    }

    /// A job as its agent tells it, begun.
    pub fn snapshot(&self, id: JobId, status: JobStatus) -> JobSnapshot {
        let now = self.test.app.clock.now();
        JobSnapshot {
            id,
            kind: String::new(),
            status,
            steps: vec![step("check", StepStatus::Succeeded)],
            result: None,
            failure: None,
            last_log_seq: 0,
            accepted_at: now,
            finished_at: Some(now),
        }
    }

    pub fn succeeded(&self, id: JobId, health: StepStatus) -> AgentEvent {
        let snapshot = self.snapshot(id, JobStatus::Succeeded);
        let result = json!({"container_id": "odoo-1", "container_name": "odoo-1", "image_digest": "sha256:1",
            "http_port": 20000, "start_milliseconds": 1});
        let steps = vec![step("check", StepStatus::Succeeded), step("health", health)];
        AgentEvent::Job(JobSnapshot { steps, result: Some(result), ..snapshot })
    }

    pub fn failed(&self, id: JobId, message: &str) -> AgentEvent {
        let failure = JobFailure { code: "failed".into(), message: message.into(), retryable: false };
        AgentEvent::Job(JobSnapshot { failure: Some(failure), ..self.snapshot(id, JobStatus::Failed) })
    }

    /// Ended before its agent heard of it.
    pub async fn cancelled(&self, job: JobId) {
        job_end_here(&self.test.app, self.organization, job, JobStatus::Cancelled, None).await.unwrap();
    }
}

fn step(name: &str, status: StepStatus) -> StepSnapshot {
    let (name, title) = (name.to_owned(), name.to_owned());
    StepSnapshot { name, title, status, started_at: None, finished_at: None, progress: None, message: None }
}

fn state(status: &str, health: &str, desired: &str) -> (String, String, String, Value) {
    (status.into(), health.into(), desired.into(), Value::Null)
}

#[tokio::test]
async fn other_limits_do_not_start_what_is_stopped() {
    let shop = Shop::stopped().await;
    assert_eq!(shop.state().await, state("stopped", "unknown", "stopped"));
    let job = shop.updated(json!({"limits": {"cpus": 0.5, "memory_mb": 2048}})).await;
    shop.says([shop.succeeded(job, StepStatus::Skipped)]).await;
    assert_eq!(shop.state().await, state("stopped", "unknown", "stopped"));
    assert_eq!(shop.get().await["limits"]["memory_mb"], 2048);
}

#[tokio::test]
async fn a_job_that_never_began_leaves_things_as_they_are() {
    let shop = Shop::running().await;
    for word in ["stop", "kill", "restart"] {
        let job = shop.control(word).await;
        shop.cancelled(job).await;
        assert_eq!(shop.state().await, state("running", "healthy", "running"), "{word}");
    }
    let job = shop.updated(json!({"env": {"A": "1"}})).await;
    shop.cancelled(job).await;
    assert_eq!(shop.state().await, state("running", "healthy", "running"));
    let removal = shop.ada.delete(&format!("/api/instances/{}", shop.id)).await.is(StatusCode::ACCEPTED);
    shop.cancelled(removal.text("job_id").parse().unwrap()).await;
    assert_eq!(shop.state().await, state("running", "healthy", "running"));

    let shop_stopped = Shop::stopped().await;
    let job = shop_stopped.control("start").await;
    shop_stopped.cancelled(job).await;
    assert_eq!(shop_stopped.state().await, state("stopped", "unknown", "stopped"));
    assert_eq!((shop.errors().await, shop_stopped.errors().await), (0, 0));

    // But there is none after a provisioning that never began.
    let shop = Shop::new().await;
    shop.cancelled(shop.provision).await;
    assert_eq!(shop.get().await["status"], "error");
    assert_eq!(shop.errors().await, 1);
}

#[tokio::test]
async fn what_ends_while_it_waits_is_not_heard() {
    let shop = Shop::running().await;
    let restart = shop.control("restart").await;
    let stop = shop.control("stop?queue=true").await;
    let before = shop.get().await;
    shop.cancelled(stop).await;
    assert_eq!(shop.get().await, before);
    shop.says([shop.succeeded(restart, StepStatus::Succeeded)]).await;
    assert_eq!(shop.state().await, state("running", "healthy", "running"));
}

#[tokio::test]
async fn a_change_that_was_taken_back_can_be_asked_for_again() {
    let shop = Shop::running().await;
    let wanted = json!({"env": {"A": "1"}});
    let job = shop.updated(wanted.clone()).await;
    shop.says([shop.container("odoo-2", "running"), shop.failed(job, "It did not come up.")]).await;
    assert_eq!(shop.state().await, state("running", "healthy", "running"));
    assert_eq!((shop.get().await["container_id"].as_str(), shop.errors().await), (Some("odoo-2"), 0));

    // Another name asks for nothing of the kind; the same words do, until it has worked.
    assert_eq!(shop.patch(json!({"name": "Shop 2"})).await.is(StatusCode::OK).body["status"], "running");
    let again = shop.updated(wanted.clone()).await;
    shop.says([shop.succeeded(again, StepStatus::Succeeded)]).await;
    let unchanged = shop.patch(wanted).await.is(StatusCode::OK);
    assert_eq!((&unchanged.body["status"], unchanged.text("last_job_id")), (&json!("running"), again.to_string()));

    // When it does not run afterwards, the job says why.
    let job = shop.updated(json!({"env": {"A": "2"}})).await;
    shop.says([shop.container("odoo-2", "exited"), shop.failed(job, "The disk is full.")]).await;
    let reason = json!("The disk is full.");
    assert_eq!(shop.state().await, ("error".into(), "unknown".into(), "running".into(), reason));
    assert_eq!(shop.errors().await, 1);
}

#[tokio::test]
async fn settings_are_not_changed_under_a_job() {
    let shop = Shop::new().await;
    for body in [json!({"env": {"A": "1"}}), json!({"limits": {"cpus": 0.5, "memory_mb": 2048}})] {
        shop.patch(body).await.refused(StatusCode::CONFLICT, "operation_in_progress");
    }
    shop.patch(json!({"name": "Shop 2", "env": {}})).await.is(StatusCode::OK);
    shop.cancelled(shop.provision).await;
    // For the next provisioning.
    shop.patch(json!({"env": {"A": "1"}})).await.is(StatusCode::OK);
    let job = shop.control("start").await;
    let applied = |generation: i64| {
        let of = "select observed_generation from instances";
        let app = shop.test.app.clone();
        async move {
            let now: i64 = sqlx::query_scalar(of).fetch_one(app.db.system()).await.unwrap();
            assert_eq!(now, generation);
        }
    };
    applied(0).await;
    shop.says([shop.succeeded(job, StepStatus::Succeeded)]).await;
    applied(2).await;
}

#[tokio::test]
async fn an_instance_without_its_container_is_in_error() {
    let shop = Shop::running().await;
    let gone = |id: &str| AgentEvent::ContainerRemoved { id: id.into() };
    let running = || shop.container("odoo-1", "running");

    // Another one of its containers; its own while a job works on it; one that the job has replaced, told before the
    // new one is.
    shop.says([gone("postgres-1")]).await;
    assert_eq!((shop.state().await, shop.errors().await), (state("running", "healthy", "running"), 0));
    let job = shop.control("restart").await;
    shop.says([gone("odoo-1"), shop.succeeded(job, StepStatus::Succeeded), gone("odoo-0"), running()]).await;
    assert_eq!((shop.state().await, shop.errors().await), (state("running", "healthy", "running"), 0));

    let reason = json!("Odoo's container is gone; start the instance to make it anew.");
    let lost = ("error".into(), "unknown".into(), "running".into(), reason);
    shop.says([gone("odoo-1")]).await;
    assert_eq!((shop.state().await, shop.errors().await), (lost.clone(), 1));
    shop.says([running()]).await;
    assert_eq!(shop.state().await, state("running", "healthy", "running"));

    // Whatever a list of all leaves out.
    shop.says([AgentEvent::Containers(vec![shop.listed("odoo-1", "running")])]).await;
    assert_eq!(shop.state().await, state("running", "healthy", "running"));
    shop.says([AgentEvent::Containers(Vec::new())]).await;
    assert_eq!((shop.state().await, shop.errors().await), (lost, 2));
}

#[tokio::test]
async fn logs_end_with_the_permission_to_read_them() {
    let shop = Shop::running().await;
    let job = shop.control("restart").await;
    let busy = || async { StatusCode::SERVICE_UNAVAILABLE };
    let routes = Router::new().route("/instances/{id}/logs", get(|| async {})).fallback(busy);
    agent(&shop.test.app, shop.organization, shop.server, 2, routes).await;
    let events = shop.ada.with("accept", "text/event-stream");
    let (instance, job) = (format!("/api/instances/{}/logs", shop.id), format!("/api/jobs/{job}/logs"));
    // One may still see jobs, but not of servers and instances.
    let lowered = async || {
        run(&shop.test.app, "with r as (update roles set permissions = '{view:jobs}', is_system = false where name = 'viewer' returning id) update grants set role_id = (select id from r)").await
    };
    tokio::join!(events.follow(&instance, lowered()), events.follow(&job, lowered()));
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let shop = Shop::running().await;
    let copies =
        "insert into instances (id, organization_id, project_id, environment_id, server_id, name, slug, labels,
            spec, status)
        select gen_random_uuid(), organization_id, project_id, environment_id, server_id, 'Copy ' || n, 'copy-' || n,
            '{\"tier\": \"gold\"}', spec, case when n = 1 then 'error' else 'stopped' end
        from instances, generate_series(1, 4) n";
    run(&shop.test.app, copies).await;
    let names = async |query: &str| -> Vec<String> {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shop.ada.get(&format!("/api/instances?limit=2&{query}{cursor}")).await.is(StatusCode::OK);
            let data = page.body["data"].as_array().unwrap();
            assert!(data.len() <= 2);
            names.extend(data.iter().map(|instance| instance["name"].as_str().unwrap().to_owned()));
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        names
    };
    let sorted = async |query: &str| {
        let mut names = names(query).await;
        names.sort();
        names
    };
    // With and without a filter it is the same list in the same order.
    assert_eq!(names("").await, names(&format!("server_id={}", shop.server)).await);
    assert_eq!(sorted("").await, ["Copy 1", "Copy 2", "Copy 3", "Copy 4", "Shop"]);
    assert_eq!(sorted("status=error").await, ["Copy 1"]);
    assert_eq!(sorted("status=error,running").await, ["Copy 1", "Shop"]);
    assert_eq!(sorted("label=tier=gold&status=stopped").await, ["Copy 2", "Copy 3", "Copy 4"]);
    assert_eq!(sorted("q=copy").await.len(), 4);
    assert_eq!(sorted("name=Shop").await, ["Shop"]);
    assert!(names(&format!("server_id={}", ServerId::new())).await.is_empty());
    let project = shop.get().await["project_id"].as_str().unwrap().to_owned();
    assert_eq!(names(&format!("project_id={project}")).await.len(), 5);
    assert!(names(&format!("project_id={}", ServerId::new())).await.is_empty());
    for wrong in ["status=asleep", "status=error,asleep", "status="] {
        let refused = shop.ada.get(&format!("/api/instances?{wrong}")).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(refused.body["error"]["details"]["field"], "status", "{wrong}: {}", refused.body);
    }
}

#[tokio::test]
async fn an_environment_goes_with_its_last_instance() {
    let shop = Shop::running().await;
    let environment = shop.get().await["environment_id"].as_str().unwrap().to_owned();
    let path = format!("/api/environments/{environment}");
    let refused = shop.ada.delete(&path).await;
    refused.refused(StatusCode::UNPROCESSABLE_ENTITY, "confirmation_required");
    shop.ada.delete(&format!("{path}?confirm=Production&dry_run=true")).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.get().await["status"], "running");

    let asked = shop.ada.delete(&format!("{path}?confirm=Production")).await.is(StatusCode::ACCEPTED);
    assert_eq!(asked.body["status"], "deleting");
    assert_eq!(shop.get().await["status"], "removing");
    assert_eq!(shop.ada.get(&path).await.is(StatusCode::OK).body["status"], "deleting");
    let wanted = json!({"name": "Another", "server_id": shop.server, "environment_id": environment,
        "admin_login": "admin", "admin_password": "a quiet shop 7"});
    shop.ada.post("/api/instances", wanted).await.refused(StatusCode::CONFLICT, "environment_deleting");

    let job: JobId = asked.text("job_id").parse().unwrap();
    let done = AgentEvent::Job(JobSnapshot { result: None, ..shop.snapshot(job, JobStatus::Succeeded) });
    shop.says([done]).await;
    shop.ada.get(&path).await.is(StatusCode::NOT_FOUND);
    assert_eq!(shop.told("environment.deleted").await, 1);
}

#[tokio::test]
async fn an_environment_whose_instance_cannot_go_stays() {
    let shop = Shop::running().await;
    let environment = shop.get().await["environment_id"].as_str().unwrap().to_owned();
    let path = format!("/api/environments/{environment}");
    let asked = shop.ada.delete(&format!("{path}?confirm=Production")).await.is(StatusCode::ACCEPTED);
    let job: JobId = asked.text("job_id").parse().unwrap();
    shop.says([shop.failed(job, "the engine said no")]).await;
    assert_eq!(shop.ada.get(&path).await.is(StatusCode::OK).body["status"], "active");
}

#[tokio::test]
async fn a_new_instance_goes_where_it_may_stay() {
    let shop = Shop::running().await;
    let project = shop.get().await["project_id"].as_str().unwrap().to_owned();
    let other = shop.ada.post("/api/projects", json!({"name": "Another one"})).await.is(StatusCode::CREATED);
    run(&shop.test.app, &format!("update projects set archived_at = now() where id = '{project}'")).await;
    let wanted = json!({"name": "Another", "server_id": shop.server, "admin_login": "admin",
        "admin_password": "a quiet shop 7"});
    let made = shop.ada.post("/api/instances", wanted).await.is(StatusCode::ACCEPTED);
    let made = shop.ada.get(&format!("/api/instances/{}", made.text("id"))).await.is(StatusCode::OK);
    assert_eq!(made.text("project_id"), other.text("id"));
    assert_eq!(made.text("odoo_version"), "19.0");
}
