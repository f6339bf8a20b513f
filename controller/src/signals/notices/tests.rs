//! Each notice is raised once while it holds, told to who may see it, and cleared when it is over.

use super::conditions::CERTIFICATE_WARNING;
use super::watch::notices_reconcile;
use crate::app::App;
use crate::fleet::metrics::store::sample_insert;
use crate::identity::authentication::tests::{Visitor, member, run, sign_in, stranger};
use crate::platform::http::Actor;
use crate::platform::pki::PeopleCertificate;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use crate::testing::{TestApp, until};
use axum::http::{Method, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::inventory::MetricsSample;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

struct Lab {
    test: TestApp,
    ada: Visitor,
    ada_id: String,
    organization: OrganizationId,
    /// The controller has run for long.
    up_since: DateTime<Utc>,
}

impl Lab {
    async fn start() -> Self {
        let test = TestApp::start().await;
        let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
        let organization = answer.organization().parse().unwrap();
        let ada_id = answer.body["user"]["id"].as_str().unwrap().to_owned();
        let up_since = test.app.clock.now() - TimeDelta::days(1);
        Self { test, ada, ada_id, organization, up_since }
    }

    fn app(&self) -> &App {
        &self.test.app
    }

    async fn look(&self) {
        notices_reconcile(self.app(), self.up_since).await.unwrap();
    }

    /// A server of that name and status, last seen now.
    async fn server(&self, name: &str, status: &str) -> Uuid {
        let id = Uuid::now_v7();
        sqlx::query(
            "insert into servers (id, organization_id, name, status, last_seen_at) values ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(self.organization.0)
        .bind(name)
        .bind(status)
        .bind(self.app().clock.now())
        .execute(self.app().db.system())
        .await
        .unwrap();
        id
    }

    /// A member with the viewer's role in the whole organization, or on one server.
    async fn viewer(&self, email: &str, server: Option<Uuid>) {
        let organization = self.organization.to_string();
        let server = server.map(|server| server.to_string());
        let scope = server.as_deref().map_or(("organization", organization.as_str()), |server| ("server", server));
        member(self.app(), &organization, email, "viewer", scope).await;
    }

    async fn disk(&self, server: Uuid, percent: i64) {
        let sample: MetricsSample = serde_json::from_value(json!({
            "at": self.app().clock.now(), "cpu_percent": 1.0, "load_1m": 0.0, "load_5m": 0.0, "load_15m": 0.0,
            "memory_total_bytes": 1, "memory_used_bytes": 1, "memory_available_bytes": 0, "swap_used_bytes": 0,
            "disk_total_bytes": 1000, "disk_used_bytes": percent * 10, "disk_read_bytes_per_second": 0,
            "disk_write_bytes_per_second": 0, "network_rx_bytes_per_second": 0, "network_tx_bytes_per_second": 0,
            "containers_running": 0, "containers_total": 0, "processes": 1, "uptime_seconds": 1, "agent_memory_bytes": 1
        }))
        .unwrap();
        sample_insert(self.app().db.system(), &[(self.organization, ServerId(server), sample)]).await.unwrap();
    }

    /// (kind, message) of what is shown, newest first.
    async fn open(&self, visitor: &Visitor) -> Vec<(String, String)> {
        let answer = visitor.get("/api/notices").await.is(StatusCode::OK);
        let text = |notice: &Value, name: &str| notice[name].as_str().unwrap().to_owned();
        let list = answer.body["data"].as_array().unwrap();
        list.iter().map(|notice| (text(notice, "kind"), text(notice, "message"))).collect()
    }

    /// (recipient, subject) of every notice that was mailed so far.
    async fn mails(&self) -> Vec<(String, String)> {
        sqlx::query_as("select recipient, subject from mails where template = 'notice' order by id")
            .fetch_all(self.app().db.system())
            .await
            .unwrap()
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.app().db.system()).await.unwrap()
    }
}

fn mail(to: &str, subject: &str) -> (String, String) {
    (to.to_owned(), subject.to_owned())
}

const RAISED: &str = "select count(*) from events where type = 'notice.raised'";
const CLEARED: &str = "select count(*) from events where type = 'notice.cleared'";

#[tokio::test]
async fn a_server_that_is_away_for_a_minute_is_told_once_to_who_may_see_it() {
    let lab = Lab::start().await;
    let (gone, here) = (lab.server("gone", "offline").await, lab.server("here", "online").await);
    lab.viewer("all@example.com", None).await;
    lab.viewer("gone@example.com", Some(gone)).await;
    lab.viewer("here@example.com", Some(here)).await;
    lab.viewer("muted@example.com", None).await;
    lab.viewer("suspended@example.com", None).await;
    run(lab.app(), "update users set suspended_at = now() where email = 'suspended@example.com'").await;
    run(lab.app(), "update users set muted_notices = '{server_offline}' where email = 'muted@example.com'").await;

    lab.test.clock.shift(TimeDelta::seconds(30));
    lab.look().await;
    assert!(lab.open(&lab.ada).await.is_empty(), "not before a minute has passed");
    lab.test.clock.shift(TimeDelta::seconds(40));
    notices_reconcile(lab.app(), lab.app().clock.now()).await.unwrap();
    assert!(
        lab.open(&lab.ada).await.is_empty(),
        "a controller that was away itself waits for the servers to come back"
    );
    lab.look().await;
    lab.look().await;
    let open = lab.open(&lab.ada).await;
    assert_eq!((open.len(), open[0].0.as_str()), (1, "server_offline"));
    assert!(open[0].1.contains("gone"));
    let mut mails = lab.mails().await;
    mails.sort();
    let title = "gone is offline";
    let told = ["ada@example.com", "all@example.com", "gone@example.com"].map(|to| mail(to, title));
    assert_eq!(mails, told);
    assert_eq!(lab.count(RAISED).await, 1);

    // In the console, too, each sees what is theirs.
    for (email, count) in
        [("all@example.com", 1), ("gone@example.com", 1), ("here@example.com", 0), ("muted@example.com", 1)]
    {
        assert_eq!(lab.open(&sign_in(lab.app(), email).await).await.len(), count, "{email}");
    }
    stranger(lab.app(), "eve@example.com").await;
    let eve = sign_in(lab.app(), "eve@example.com").await;
    eve.post("/api/orgs", json!({ "name": "Elsewhere" })).await.is(StatusCode::CREATED);
    assert!(lab.open(&eve).await.is_empty());

    run(lab.app(), "update servers set status = 'online' where name = 'gone'").await;
    lab.look().await;
    lab.look().await;
    assert!(lab.open(&lab.ada).await.is_empty());
    assert_eq!((lab.count(CLEARED).await, lab.mails().await.len()), (1, 3), "that it is over is mailed to nobody");
    run(lab.app(), "update servers set status = 'offline' where name = 'gone'").await;
    lab.look().await;
    assert_eq!((lab.count(RAISED).await, lab.mails().await.len()), (2, 6), "what holds anew is told anew");
}

#[tokio::test]
async fn however_many_look_at_once_it_is_told_once_in_one_letter() {
    let lab = Lab::start().await;
    for number in 0..12 {
        lab.server(&format!("server-{number:02}"), "offline").await;
    }
    lab.test.clock.shift(TimeDelta::minutes(2));
    let looks = (0..50).map(|_| notices_reconcile(lab.app(), lab.up_since));
    for look in futures::future::join_all(looks).await {
        look.unwrap();
    }
    assert_eq!(lab.count(RAISED).await, 12);
    let list = lab.ada.get("/api/notices?limit=5").await.is(StatusCode::OK);
    let next = format!("/api/notices?limit=10&cursor={}", list.text("next_cursor"));
    assert_eq!(lab.ada.get(&next).await.body["data"].as_array().unwrap().len(), 7);
    assert_eq!(lab.ada.get("/api/notices?kind=disk_full").await.body["data"], json!([]));
    let mails = lab.mails().await;
    assert_eq!(mails, [mail("ada@example.com", "12 servers are offline")]);
}

#[tokio::test]
async fn a_full_disk_is_over_only_well_below() {
    let lab = Lab::start().await;
    let server = lab.server("web-1", "online").await;
    let mut steps = Vec::new();
    for percent in [89, 90, 91, 95, 88, 86, 84, 89, 93] {
        lab.disk(server, percent).await;
        lab.look().await;
        steps.push(lab.open(&lab.ada).await.len());
        lab.test.clock.shift(TimeDelta::seconds(10));
    }
    assert_eq!(steps, [0, 0, 1, 1, 1, 1, 0, 0, 1]);
    assert_eq!(lab.open(&lab.ada).await[0].1, "The disk of web-1 is 93 % full.");
    lab.test.clock.shift(TimeDelta::minutes(20));
    lab.look().await;
    assert_eq!(lab.open(&lab.ada).await.len(), 1, "without samples nothing is known");
    run(lab.app(), "delete from servers").await;
    lab.look().await;
    assert!(lab.open(&lab.ada).await.is_empty());
}

#[tokio::test]
async fn certificates_are_told_of_before_they_end() {
    let lab = Lab::start().await;
    let server = lab.server("web-1", "online").await;
    let now = lab.app().clock.now();
    let certificate = async |serial: &str, not_after: DateTime<Utc>| {
        sqlx::query(
            "insert into server_identities (serial, organization_id, server_id, not_after) values ($1, $2, $3, $4)",
        )
        .bind(serial)
        .bind(lab.organization.0)
        .bind(server)
        .bind(not_after)
        .execute(lab.app().db.system())
        .await
        .unwrap();
    };
    certificate("1", now + TimeDelta::days(7)).await;
    lab.look().await;
    assert!(lab.open(&lab.ada).await.is_empty());
    lab.test.clock.shift(TimeDelta::days(6));
    lab.look().await;
    let ada = sign_in(lab.app(), "ada@example.com").await;
    let open = lab.open(&ada).await;
    assert_eq!((open.len(), open[0].0.as_str()), (1, "certificate_expiring"));
    certificate("2", now + TimeDelta::days(13)).await;
    lab.look().await;
    assert!(lab.open(&ada).await.is_empty(), "it was renewed");

    // What people see is the platform's: its administrators are told, nobody else.
    lab.viewer("vic@example.com", None).await;
    let serve = |not_after| {
        let served = PeopleCertificate { id: Uuid::now_v7(), not_after };
        lab.app().people_certificate.store(Some(Arc::new(served)));
    };
    let now = lab.app().clock.now();
    serve(now + CERTIFICATE_WARNING + TimeDelta::days(1));
    lab.look().await;
    assert!(lab.open(&ada).await.is_empty());
    serve(now + CERTIFICATE_WARNING - TimeDelta::days(1));
    lab.look().await;
    lab.look().await;
    let open = lab.open(&ada).await;
    assert!(open.len() == 1 && open[0].1.contains("Restart the controller"), "{open:?}");
    assert!(lab.open(&sign_in(lab.app(), "vic@example.com").await).await.is_empty());
    assert_eq!(lab.mails().await.last().unwrap(), &mail("ada@example.com", "The certificate of the console ends soon"));
    serve(now + TimeDelta::days(700));
    lab.look().await;
    assert!(lab.open(&ada).await.is_empty());
}

#[tokio::test]
async fn the_maker_of_a_key_is_told_a_week_before_its_end() {
    let lab = Lab::start().await;
    lab.viewer("vic@example.com", None).await;
    let now = lab.app().clock.now();
    for (name, days) in [("month", 30), ("short", 3), ("year", 365)] {
        let body = json!({ "name": name, "permissions": ["view:org"], "expires_at": now + TimeDelta::days(days) });
        lab.ada.post("/api/api-keys", body).await.is(StatusCode::CREATED);
    }
    lab.look().await;
    lab.test.clock.shift(TimeDelta::days(22));
    lab.look().await;
    assert!(lab.mails().await.is_empty());
    lab.test.clock.shift(TimeDelta::days(2));
    lab.look().await;
    lab.look().await;
    assert_eq!(lab.mails().await, [mail("ada@example.com", "The API key month ends soon")]);
    let ada = sign_in(lab.app(), "ada@example.com").await;
    assert_eq!(lab.open(&ada).await[0].0, "api_key_expiring");
    lab.test.clock.shift(TimeDelta::days(7));
    lab.look().await;
    assert_eq!(lab.count("select count(*) from notices where cleared_at is null").await, 0, "it has ended");
}

#[tokio::test]
async fn who_started_a_job_is_told_that_it_has_failed() {
    let lab = Lab::start().await;
    lab.viewer("vic@example.com", None).await;
    let server = lab.server("web-1", "online").await;
    let job = Uuid::now_v7();
    let about = Subject::new("server", server, "web-1");
    let insert = async |id: Uuid, status: &str| {
        sqlx::query(
            "insert into jobs (id, organization_id, kind, executor, server_id, subject, input, status, created_by)
             values ($1, $2, 'noop', 'agent', $3, $4, '{}', $5, '{}')",
        )
        .bind(id)
        .bind(lab.organization.0)
        .bind(server)
        .bind(serde_json::to_value(&about).unwrap())
        .bind(status)
        .execute(lab.app().db.system())
        .await
        .unwrap();
    };
    insert(job, "failed").await;
    let ended = async |kind: &str, actor: Actor| {
        let mut tx = lab.app().db.system().begin().await.unwrap();
        let failure = json!({ "code": "away", "message": "Nobody answers.", "retryable": true });
        let data = json!({ "kind": "noop", "subject": about, "failure": failure });
        let subject = Subject::new("job", job, "noop");
        event_append(&mut tx, lab.organization, kind, &actor, &subject, data).await.unwrap();
        tx.commit().await.unwrap();
    };
    let person = || Actor { kind: "user".into(), id: lab.ada_id.parse().unwrap(), name: "Ada".into() };
    ended("job.succeeded", person()).await;
    ended("job.failed", person()).await;
    until("the event to be read", async || {
        lab.look().await;
        !lab.mails().await.is_empty()
    })
    .await;
    assert_eq!(lab.mails().await, [mail("ada@example.com", "noop has failed")]);
    let open = lab.open(&lab.ada).await;
    assert_eq!(open, [("job_failed".into(), "The job noop for the server web-1 has failed. Nobody answers.".into())]);
    // Everybody who sees the server's jobs sees it in the console.
    assert_eq!(lab.open(&sign_in(lab.app(), "vic@example.com").await).await.len(), 1);
    insert(Uuid::now_v7(), "succeeded").await;
    lab.look().await;
    assert!(lab.open(&lab.ada).await.is_empty(), "a later one has ended well");

    // Behind what the controller did by itself there is nobody.
    ended("job.failed", Actor::system()).await;
    until("the event to be read", async || {
        lab.look().await;
        lab.count(RAISED).await == 2
    })
    .await;
    assert_eq!(lab.mails().await.len(), 1);
}

#[tokio::test]
async fn a_webhook_that_was_switched_off_is_told_of() {
    let lab = Lab::start().await;
    let body = json!({ "url": "https://example.com/hook", "events": ["*"] });
    let id = lab.ada.post("/api/webhook-endpoints", body).await.is(StatusCode::CREATED).text("id");
    let path = format!("/api/webhook-endpoints/{id}");
    lab.ada.send(Method::PATCH, &path, Some(json!({ "active": false }))).await.is(StatusCode::OK);
    lab.look().await;
    assert!(lab.open(&lab.ada).await.is_empty(), "who does it by hand knows");
    run(lab.app(), "update webhook_endpoints set disabled_reason = 'Nothing came through for 3 days.'").await;
    lab.look().await;
    assert!(lab.open(&lab.ada).await[0].1.contains("https://example.com/hook"));
    assert_eq!(lab.mails().await, [mail("ada@example.com", "A webhook was switched off")]);
    lab.ada.send(Method::PATCH, &path, Some(json!({ "active": true }))).await.is(StatusCode::OK);
    lab.look().await;
    assert!(lab.open(&lab.ada).await.is_empty());
}

#[tokio::test]
async fn everybody_chooses_for_themself() {
    let lab = Lab::start().await;
    let path = "/api/user/notices";
    let first = lab.ada.get(path).await.is(StatusCode::OK);
    assert_eq!((&first.body["muted"], first.body["kinds"].as_array().unwrap().len()), (&json!([]), 6));
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let put = async |body: Value| lab.ada.send(Method::PUT, path, Some(body)).await;
    let body = json!({ "muted": ["disk_full", "job_failed", "disk_full"] });
    let set = put(body).await.is(StatusCode::OK);
    assert_eq!(set.body["muted"], json!(["job_failed", "disk_full"]));
    assert_eq!(lab.ada.get(path).await.body, set.body);
    put(set.body.clone()).await.is(StatusCode::OK);
    for wrong in [json!({}), json!({ "muted": ["weather"] }), json!({ "muted": [], "loud": [] }), json!({ "muted": 1 })]
    {
        put(wrong).await.is(StatusCode::BAD_REQUEST);
    }
    let stale = lab.ada.with("if-match", tag);
    stale.send(Method::PUT, path, Some(json!({ "muted": [] }))).await.is(StatusCode::PRECONDITION_FAILED);
    let key = Visitor::new(lab.app()).bearer(&lab.ada.key("robot", &["view:org"]).await);
    key.get(path).await.refused(StatusCode::FORBIDDEN, "person_required");
    key.send(Method::PUT, path, Some(json!({ "muted": [] }))).await.refused(StatusCode::FORBIDDEN, "person_required");
    assert!(lab.open(&key).await.is_empty());

    let server = lab.server("web-1", "online").await;
    lab.disk(server, 99).await;
    lab.look().await;
    assert!(lab.mails().await.is_empty());
    assert_eq!(lab.open(&lab.ada).await.len(), 1, "the console shows it all the same");
    assert_eq!(lab.count("select count(*) from audit_log where action = 'user.notices_changed'").await, 1);
}
