//! Endpoints: who makes them, where they may lead, and that their secret is shown once.

use super::deliveries::fan_out::fan_out;
use super::model::signature;
use crate::app::App;
use crate::identity::authentication::tests::{Visitor, run, sign_in, stranger};
use crate::platform::http::Actor;
use crate::platform::mail::tests::work_off;
use crate::platform::outbound::tests::{Hit, Receiver};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use crate::testing::{TestApp, until};
use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use ocore_shared::ids::OrganizationId;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// An application that may call 127.0.0.2, with its first admin and their organization.
pub struct Lab {
    pub test: TestApp,
    pub ada: Visitor,
    pub organization: OrganizationId,
}

impl Lab {
    pub async fn start() -> Self {
        let test = TestApp::start_with(|config| {
            config.outbound_allow = vec!["127.0.0.2/32".parse().unwrap()];
            config.outbound_timeout = Duration::from_secs(1);
        })
        .await;
        let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
        let organization = answer.organization().parse().unwrap();
        Self { test, ada, organization }
    }

    /// The same with a webhook for one type of events, whose receiver answers with that status; and the webhook's id.
    pub async fn with_receiver(status: u16) -> (Self, Receiver, String) {
        let (lab, receiver) = (Self::start().await, Receiver::start("127.0.0.2").await);
        receiver.answers(status, &[], "");
        let (id, _) = lab.hook(&receiver.url("/"), &["instance.started"]).await;
        (lab, receiver, id)
    }

    pub fn app(&self) -> &App {
        &self.test.app
    }

    /// Ada, however much time has passed.
    pub async fn ada(&self) -> Visitor {
        sign_in(self.app(), "ada@example.com").await
    }

    /// Eve, who has an organization of her own.
    pub async fn neighbour(&self) -> Visitor {
        stranger(self.app(), "eve@example.com").await;
        let eve = sign_in(self.app(), "eve@example.com").await;
        eve.post("/api/orgs", json!({ "name": "Elsewhere" })).await.is(StatusCode::CREATED);
        eve
    }

    /// A webhook; its id and its secret.
    pub async fn hook(&self, url: &str, events: &[&str]) -> (String, String) {
        let body = json!({ "url": url, "events": events });
        let made = self.ada().await.post("/api/webhook-endpoints", body).await.is(StatusCode::CREATED);
        (made.text("id"), made.text("secret"))
    }

    /// Something happens.
    pub async fn tell(&self, kind: &str, subject: Uuid, number: usize) {
        let mut tx = self.app().db.system().begin().await.unwrap();
        let subject = Subject::new("instance", subject, "shop");
        let data = json!({ "number": number });
        event_append(&mut tx, self.organization, kind, &Actor::system(), &subject, data).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Until every event is written down for whoever wants it; other tests' transactions may hold them back for a while.
    pub async fn spread(&self) {
        until("all events were read", async || {
            while fan_out(self.app()).await.unwrap() {}
            let unread: i64 = sqlx::query_scalar(
                "select count(*) from events e, event_readers r where r.name = 'webhooks' and (e.xid, e.id) > (r.xid, r.id)",
            )
            .fetch_one(self.app().db.system())
            .await
            .unwrap();
            unread == 0
        })
        .await;
    }

    /// One more instance has started, and whoever wants to know is told.
    pub async fn start_told(&self, number: usize) {
        self.tell("instance.started", Uuid::now_v7(), number).await;
        self.deliver().await;
    }

    /// Spread and send all that is due.
    pub async fn deliver(&self) {
        self.spread().await;
        work_off(self.app()).await;
    }

    /// Let time pass in steps, doing at each what is due.
    pub async fn pass(&self, steps: i32, step: TimeDelta) {
        for _ in 0..steps {
            self.test.clock.shift(step);
            work_off(self.app()).await;
        }
    }

    pub async fn deliveries(&self, hook: &str) -> Vec<Value> {
        let path = format!("/api/webhook-endpoints/{hook}/deliveries?limit=200");
        let answer = self.ada().await.get(&path).await.is(StatusCode::OK);
        answer.body["data"].as_array().unwrap().clone()
    }

    pub async fn endpoint(&self, hook: &str) -> Value {
        self.ada().await.get(&format!("/api/webhook-endpoints/{hook}")).await.is(StatusCode::OK).body
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.app().db.system()).await.unwrap()
    }
}

/// Number of the event that a receiver was told of.
pub fn number(hit: &Hit) -> i64 {
    serde_json::from_slice::<Value>(&hit.body).unwrap()["data"]["number"].as_i64().unwrap()
}

fn path_of(path: &str) -> String {
    format!("/api/webhook-endpoints/{path}")
}

fn hook_body(url: &str) -> Value {
    json!({ "url": url, "events": ["instance.started"] })
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_sealed() {
    let lab = Lab::start().await;
    let ada = &lab.ada;
    let body = json!({ "url": "https://example.com/hook", "events": ["job.failed", "*", "job.failed"], "description": "Chat" });
    let made = ada.post("/api/webhook-endpoints", body).await.is(StatusCode::CREATED);
    let (path, secret) = (path_of(&made.text("id")), made.text("secret"));
    assert!(secret.starts_with("whsec_"));
    assert_eq!((made.headers["etag"].to_str().unwrap(), &made.body["events"]), ("\"1\"", &json!(["*", "job.failed"])));

    let patched = ada.send(Method::PATCH, &path, Some(json!({ "description": "Pager" }))).await.is(StatusCode::OK);
    let rotated = ada.post(&format!("{path}/rotate-secret"), json!({})).await.is(StatusCode::OK);
    let second = rotated.text("secret");
    assert!(second != secret && rotated.body["previous_secret_until"].is_string());
    let audit: Vec<String> =
        sqlx::query_scalar("select coalesce(before::text, '') || coalesce(after::text, '') from audit_log")
            .fetch_all(lab.app().db.system())
            .await
            .unwrap();
    let shown = [patched.body, ada.get(&path).await.body, ada.get("/api/webhook-endpoints").await.body];
    for text in shown.iter().map(Value::to_string).chain(audit) {
        assert!(!text.contains(&secret) && !text.contains(&second) && !text.contains("whsec_"), "{text}");
    }
    let sealed: Vec<Vec<u8>> = sqlx::query_scalar("select sealed from secrets where purpose = 'webhook'")
        .fetch_all(lab.app().db.system())
        .await
        .unwrap();
    assert_eq!(sealed.len(), 2);
    assert!(!sealed.iter().any(|bytes| bytes.windows(6).any(|window| window == b"whsec_")));

    // A second rotation at once ends the first secret; a day ends the second.
    ada.post(&format!("{path}/rotate-secret"), json!({})).await.is(StatusCode::OK);
    let kept = "select count(*) from secrets where purpose = 'webhook'";
    assert_eq!(lab.count(kept).await, 2);
    lab.test.clock.shift(TimeDelta::hours(25));
    super::service::webhooks_prune(lab.app()).await.unwrap();
    assert_eq!(lab.count(kept).await, 1);
    let ada = lab.ada().await;
    assert!(ada.get(&path).await.body["previous_secret_until"].is_null());

    ada.with("if-match", "\"1\"").delete(&path).await.is(StatusCode::PRECONDITION_FAILED);
    ada.delete(&format!("{path}?dry_run=true")).await.is(StatusCode::NO_CONTENT);
    ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    ada.get(&path).await.refused(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(lab.count(kept).await, 0);
}

#[tokio::test]
async fn what_is_wrong_is_told_by_field() {
    let lab = Lab::start().await;
    let ada = &lab.ada;
    let wrong = [
        ("url", json!({ "url": "https://127.0.0.1/x", "events": ["*"] })),
        ("url", json!({ "url": "https://10.0.0.1", "events": ["*"] })),
        ("url", json!({ "url": "http://0x7f.1:9", "events": ["*"] })),
        ("url", json!({ "url": "http://1.1.1.1/", "events": ["*"] })),
        ("url", json!({ "url": "https://a:b@example.com", "events": ["*"] })),
        ("url", json!({ "url": "example.com", "events": ["*"] })),
        ("url", json!({ "url": "", "events": ["*"] })),
        ("events", json!({ "url": "https://example.com", "events": [] })),
        ("events[1]", json!({ "url": "https://example.com", "events": ["*", "moon.landed"] })),
        ("events[0]", json!({ "url": "https://example.com", "events": ["webhook_endpoint.tested"] })),
        ("description", json!({ "url": "https://example.com", "events": ["*"], "description": "a\u{202E}b" })),
        ("secret", json!({ "url": "https://example.com", "events": ["*"], "secret": "mine" })),
    ];
    for (field, body) in wrong {
        let answer = ada.post("/api/webhook-endpoints", body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{}", answer.body);
    }
    let both = json!({ "url": "https://[::1]/", "events": ["moon.landed"] });
    let answer = ada.post("/api/webhook-endpoints", both).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"]["errors"].as_array().unwrap().len(), 2, "all problems at once");

    let made = ada.post("/api/webhook-endpoints", hook_body("https://example.com/")).await.is(StatusCode::CREATED);
    let path = path_of(&made.text("id"));
    let inward = json!({ "url": "https://169.254.169.254/" });
    ada.send(Method::PATCH, &path, Some(inward)).await.is(StatusCode::BAD_REQUEST);
    let unchanged = ada.get(&path).await.body;
    ada.send(Method::PATCH, &path, Some(unchanged)).await.is(StatusCode::OK);
    let read_only = json!({ "failing_since": "2026-01-01T00:00:00Z" });
    ada.send(Method::PATCH, &path, Some(read_only)).await.is(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn webhooks_are_the_affair_of_who_manages_the_whole_organization() {
    let lab = Lab::start().await;
    let made = lab.ada.post("/api/webhook-endpoints", hook_body("https://example.com/")).await.is(StatusCode::CREATED);
    let path = path_of(&made.text("id"));
    let eve = lab.neighbour().await;
    eve.get(&path).await.refused(StatusCode::NOT_FOUND, "not_found");
    eve.delete(&path).await.refused(StatusCode::NOT_FOUND, "not_found");
    eve.post(&format!("{path}/test"), json!({})).await.refused(StatusCode::NOT_FOUND, "not_found");
    eve.get(&format!("{path}/deliveries")).await.refused(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(eve.get("/api/webhook-endpoints").await.body["data"], json!([]));

    // A key of one project sees nothing of what tells of all.
    let project = lab.ada.get("/api/projects").await.body["data"][0]["id"].clone();
    let body =
        json!({ "name": "project", "permissions": ["manage:webhooks"], "scope": { "type": "project", "id": project } });
    let key = lab.ada.post("/api/api-keys", body).await.is(StatusCode::CREATED).text("key");
    let inside = Visitor::new(lab.app()).bearer(&key);
    inside.get("/api/webhook-endpoints").await.refused(StatusCode::FORBIDDEN, "permission_denied");
    inside.post("/api/webhook-endpoints", hook_body("https://example.com/")).await.is(StatusCode::FORBIDDEN);
    inside.delete(&path).await.refused(StatusCode::FORBIDDEN, "permission_denied");
}

#[tokio::test]
async fn fifty_at_once_do_not_pass_the_limit() {
    let lab = Lab::start().await;
    run(
        lab.app(),
        "with s as (insert into secrets (id, organization_id, purpose, sealed)
             select gen_random_uuid(), id, 'webhook', '' from organizations returning id, organization_id)
         insert into webhook_endpoints (id, organization_id, url, events, secret_id)
         select gen_random_uuid(), organization_id, 'https://example.com/', '{*}', id from s, generate_series(1, 45)",
    )
    .await;
    let made = (0..50).map(|_| lab.ada.post("/api/webhook-endpoints", hook_body("https://example.com/")));
    let answers = futures::future::join_all(made).await;
    let created = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!((created, lab.count("select count(*) from webhook_endpoints").await), (5, 50));
    assert!(answers.iter().any(|answer| answer.code() == "too_many_webhooks"));
}

#[tokio::test]
async fn a_ping_tells_what_came_back() {
    let lab = Lab::start().await;
    let receiver = Receiver::start("127.0.0.2").await;
    let (id, secret) = lab.hook(&receiver.url("/hook"), &["*"]).await;
    let path = format!("/api/webhook-endpoints/{id}/test");
    receiver.answers(200, &[("x-answer", "42"), ("set-cookie", "a=b")], "well\u{0}come");
    let answer = lab.ada.post(&path, json!({})).await.is(StatusCode::OK);
    assert_eq!((&answer.body["delivered"], &answer.body["status"]), (&json!(true), &json!(200)));
    assert_eq!(answer.body["response_headers"]["x-answer"], "42");
    assert!(answer.body["response_headers"]["set-cookie"].is_null());
    assert_eq!(answer.body["response_body"], "well\u{FFFD}come");
    let hit = &receiver.hits()[0];
    let event: Value = serde_json::from_slice(&hit.body).unwrap();
    assert_eq!((&event["type"], &event["subject"]["id"]), (&json!("webhook_endpoint.tested"), &json!(id)));
    signed_by(hit, &[&secret]);

    receiver.answers(500, &[], &"x".repeat(10_000));
    let answer = lab.ada.post(&path, json!({})).await.is(StatusCode::OK);
    assert_eq!((&answer.body["delivered"], &answer.body["status"]), (&json!(false), &json!(500)));
    assert_eq!(answer.text("response_body").len(), 4096);
    receiver.drips();
    let answer = lab.ada.post(&path, json!({})).await.is(StatusCode::OK);
    assert_eq!((&answer.body["delivered"], &answer.body["status"]), (&json!(false), &Value::Null));
    assert!(answer.text("problem").contains("within 1 s"));
    assert!(lab.deliveries(&id).await.is_empty(), "a ping is in no log");
}

/// Signed with each of these secrets, in this order.
pub fn signed_by(hit: &Hit, secrets: &[&str]) {
    let (id, timestamp) = (hit.header("webhook-id"), hit.header("webhook-timestamp").parse().unwrap());
    let body = std::str::from_utf8(&hit.body).unwrap();
    let own: Vec<String> =
        secrets.iter().map(|secret| signature(secret, id, timestamp, body).expect("a secret of ours")).collect();
    assert_eq!(hit.header("webhook-signature"), own.join(" "));
}

#[tokio::test]
async fn the_catalogue_is_open_to_who_sees_webhooks() {
    let lab = Lab::start().await;
    let answer = lab.ada.get("/api/webhook-events").await.is(StatusCode::OK);
    let types = answer.body["data"].as_array().unwrap();
    let started = types.iter().find(|event| event["type"] == "instance.started").unwrap();
    assert_eq!(started["sample"]["subject"]["type"], "instance");
    assert!(started["description"].is_string() && types.len() > 40);
}

#[tokio::test]
async fn an_organization_with_webhooks_can_be_deleted() {
    let (lab, receiver, id) = Lab::with_receiver(500).await;
    lab.ada.post(&format!("/api/webhook-endpoints/{id}/rotate-secret"), json!({})).await.is(StatusCode::OK);
    lab.start_told(1).await;
    assert_eq!(receiver.hits().len(), 1);
    run(lab.app(), "delete from organizations").await;
    lab.pass(3, TimeDelta::minutes(1)).await;
    assert_eq!(receiver.hits().len(), 1, "nothing is sent for who is gone");
    assert_eq!(lab.count("select count(*) from jobs where status not in ('succeeded', 'failed')").await, 0);
}

#[tokio::test]
async fn switching_off_by_hand_ends_what_waits() {
    let (lab, receiver, id) = Lab::with_receiver(500).await;
    lab.start_told(1).await;
    let path = format!("/api/webhook-endpoints/{id}");
    lab.ada.send(Method::PATCH, &path, Some(json!({ "active": false }))).await.is(StatusCode::OK);
    lab.start_told(2).await;
    lab.pass(5, TimeDelta::minutes(1)).await;
    assert_eq!(receiver.hits().len(), 1);
    let list = lab.deliveries(&id).await;
    assert_eq!((list.len(), &list[0]["status"]), (1, &json!("cancelled")));
}

#[tokio::test]
async fn networks_are_opened_and_closed_by_the_settings() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let receiver = Receiver::start("127.0.0.2").await;
    let hook = json!({ "url": receiver.url("/"), "events": ["*"] });
    let open = |networks: Value| {
        let (ada, body) = (ada.clone(), json!({ "webhooks": { "allowed_networks": networks } }));
        async move { ada.send(Method::PUT, "/api/admin/settings", Some(body)).await.is(StatusCode::OK) }
    };
    let refused = ada.post("/api/webhook-endpoints", hook.clone()).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(refused.body["error"]["details"]["field"], "url");
    open(json!(["127.0.0.2/32"])).await;
    let made = ada.post("/api/webhook-endpoints", hook).await.is(StatusCode::CREATED);
    let ping = format!("/api/webhook-endpoints/{}/test", made.text("id"));
    ada.post(&ping, json!({})).await.is(StatusCode::OK);
    assert_eq!(receiver.hits().len(), 1);
    open(json!([])).await;
    ada.post(&ping, json!({})).await;
    assert_eq!(receiver.hits().len(), 1, "closed again");
}
