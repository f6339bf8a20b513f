//! What happens reaches receivers: once, in order, signed, through their bad hours, and never inward.

use super::fan_out::{batch, fan_out};
use crate::identity::authentication::tests::run;
use crate::platform::http::Actor;
use crate::platform::mail::tests::work_off;
use crate::platform::outbound::tests::Receiver;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use crate::signals::webhooks::service::webhooks_prune;
use crate::signals::webhooks::tests::{Lab, number, signed_by};
use crate::testing::until;
use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::net::TcpListener;
use uuid::Uuid;

const MINUTE: TimeDelta = TimeDelta::minutes(1);

#[tokio::test]
async fn what_was_chosen_arrives_signed_and_once() {
    let lab = Lab::start().await;
    let (some, all) = (Receiver::start("127.0.0.2").await, Receiver::start("127.0.0.2").await);
    let (id, secret) = lab.hook(&some.url("/hook?x=1"), &["instance.started", "instance.stopped"]).await;
    lab.hook(&all.url("/"), &["*"]).await;
    lab.deliver().await;
    let before = all.hits().len();
    let instance = Uuid::now_v7();
    for (number, kind) in ["instance.started", "instance.error", "instance.stopped"].iter().enumerate() {
        lab.tell(kind, instance, number).await;
    }
    lab.deliver().await;
    lab.deliver().await;
    lab.pass(2, TimeDelta::seconds(3)).await;
    let hits = some.hits();
    assert_eq!(hits.iter().map(number).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(all.hits().len() - before, 3);
    let hit = &hits[0];
    assert_eq!((hit.method.clone(), hit.path.as_str()), (Method::POST, "/hook?x=1"));
    assert_eq!(hit.header("content-type"), "application/json");
    assert!(hit.header("user-agent").starts_with("oCore-Webhooks/"));
    assert_eq!(hit.header("ocore-out-of-order"), "");
    signed_by(hit, &[&secret]);
    // The body is the event as the live stream shows it.
    let event: Value = serde_json::from_slice(&hit.body).unwrap();
    assert_eq!(event["id"], hit.header("webhook-id"));
    assert_eq!((&event["type"], &event["organization_id"]), (&json!("instance.started"), &json!(lab.organization)));
    assert_eq!(event["subject"], json!({ "type": "instance", "id": instance, "name": "shop" }));

    let list = lab.deliveries(&id).await;
    assert_eq!(list.len(), 2);
    assert_eq!((&list[1]["status"], &list[1]["attempt_count"]), (&json!("delivered"), &json!(1)));
    assert_eq!(list[1]["payload"], event);
    assert_eq!(list[1]["attempts"][0]["response_body"], "thanks");
    assert_eq!(list[1]["attempts"][0]["request_headers"]["webhook-signature"], hit.header("webhook-signature"));
    for (filter, count) in [
        ("status=delivered", 2),
        ("status=failed", 0),
        ("event_type=instance.stopped", 1),
        (&format!("subject_id={instance}"), 2),
        (&format!("event_id={}", hit.header("webhook-id")), 1),
        ("limit=1", 1),
    ] {
        let path = format!("/api/webhook-endpoints/{id}/deliveries?{filter}");
        let answer = lab.ada().await.get(&path).await.is(StatusCode::OK);
        assert_eq!(answer.body["data"].as_array().unwrap().len(), count, "{filter}");
    }

    // For a day after a rotation both secrets sign, the new one first.
    let path = format!("/api/webhook-endpoints/{id}/rotate-secret");
    let second = lab.ada().await.post(&path, json!({})).await.is(StatusCode::OK).text("secret");
    lab.tell("instance.started", instance, 3).await;
    lab.deliver().await;
    signed_by(some.hits().last().unwrap(), &[&second, &secret]);
    lab.test.clock.shift(TimeDelta::hours(25));
    lab.tell("instance.started", instance, 4).await;
    lab.deliver().await;
    signed_by(some.hits().last().unwrap(), &[&second]);
}

#[tokio::test]
async fn a_receiver_that_is_down_for_an_hour_gets_all_in_the_end() {
    let (lab, receiver, id) = Lab::with_receiver(503).await;
    let instances: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
    for (number, instance) in instances.iter().enumerate() {
        lab.tell("instance.started", *instance, number).await;
    }
    lab.deliver().await;
    lab.pass(60, MINUTE).await;
    assert!(lab.endpoint(&id).await["failing_since"].is_string());
    let tried = receiver.hits().len();
    // Pauses double: not once a minute and not just once.
    assert!((5 * 5..5 * 12).contains(&tried), "{tried} attempts in an hour");
    receiver.answers(204, &[], "");
    lab.pass(120, MINUTE).await;
    let came: BTreeSet<i64> = receiver.hits()[tried..].iter().map(number).collect();
    assert_eq!((receiver.hits().len() - tried, came.len()), (5, 5), "each comes through once");
    let list = lab.deliveries(&id).await;
    assert!(list.iter().all(|delivery| delivery["status"] == "delivered"));
    let attempts = list[0]["attempts"].as_array().unwrap();
    assert_eq!((&attempts[0]["status"], &attempts[1]["status"]), (&json!(204), &json!(503)));
    assert!(attempts[1]["problem"].as_str().unwrap().contains("503"));
    let endpoint = lab.endpoint(&id).await;
    assert!(endpoint["failing_since"].is_null() && endpoint["active"] == true);
    // The same message in every attempt, each signed for its own time.
    let hits = receiver.hits();
    let of_first: Vec<_> = hits.iter().filter(|hit| number(hit) == 0).collect();
    assert!(of_first.iter().all(|hit| hit.header("webhook-id") == of_first[0].header("webhook-id")));
    assert!(of_first.iter().all(|hit| hit.body == of_first[0].body));
    assert_ne!(of_first[0].header("webhook-timestamp"), of_first[1].header("webhook-timestamp"));
}

#[tokio::test]
async fn a_slow_receiver_ends_as_a_failure_and_holds_up_nobody() {
    let lab = Lab::start().await;
    let (slow, quick) = (Receiver::start("127.0.0.2").await, Receiver::start("127.0.0.2").await);
    slow.drips();
    let (id, _) = lab.hook(&slow.url("/"), &["instance.started"]).await;
    lab.hook(&quick.url("/"), &["instance.started"]).await;
    lab.start_told(0).await;
    assert_eq!((slow.hits().len(), quick.hits().len()), (1, 1));
    let delivery = &lab.deliveries(&id).await[0];
    assert_eq!((&delivery["status"], &delivery["attempts"][0]["status"]), (&json!("pending"), &Value::Null));
    assert!(delivery["attempts"][0]["problem"].as_str().unwrap().contains("within 1 s"));
    assert!(delivery["next_attempt_at"].is_string());
    slow.answers(200, &[], "");
    lab.pass(1, MINUTE).await;
    assert_eq!(lab.deliveries(&id).await[0]["status"], "delivered");
}

#[tokio::test]
async fn after_three_days_of_failures_it_is_given_up_switched_off_and_sent_again_by_hand() {
    let (lab, receiver, id) = Lab::with_receiver(500).await;
    lab.start_told(7).await;
    lab.pass(71, TimeDelta::hours(1)).await;
    // One that came just now waits still, when the first is given up.
    lab.start_told(8).await;
    assert_eq!(lab.endpoint(&id).await["active"], true);
    lab.pass(10, TimeDelta::minutes(10)).await;
    let endpoint = lab.endpoint(&id).await;
    assert_eq!(endpoint["active"], false);
    assert!(endpoint["disabled_reason"].as_str().unwrap().contains("3 days"));
    let list = lab.deliveries(&id).await;
    assert_eq!((&list[0]["status"], &list[1]["status"]), (&json!("cancelled"), &json!("failed")));
    let attempts = list[1]["attempt_count"].as_i64().unwrap();
    assert!((15..30).contains(&attempts), "{attempts}");
    assert_eq!(list[1]["attempts"].as_array().unwrap().len(), 10);
    let tried = receiver.hits().len();
    lab.pass(30, TimeDelta::hours(1)).await;
    assert_eq!(receiver.hits().len(), tried, "nothing is sent any more");
    assert_eq!(lab.count("select count(*) from events where type = 'webhook_endpoint.disabled'").await, 1);

    let ada = lab.ada().await;
    let replay = format!("/api/webhook-deliveries/{}/replay", list[1]["id"].as_str().unwrap());
    ada.post(&replay, json!({})).await.refused(StatusCode::CONFLICT, "webhook_disabled");
    let path = format!("/api/webhook-endpoints/{id}");
    let on = ada.send(Method::PATCH, &path, Some(json!({ "active": true }))).await.is(StatusCode::OK);
    assert!(on.body["disabled_reason"].is_null() && on.body["failing_since"].is_null());
    receiver.answers(200, &[], "at last");
    let accepted = ada.post(&replay, json!({})).await.is(StatusCode::ACCEPTED);
    let again = format!("/api/webhook-deliveries/{}", accepted.text("id"));
    assert_eq!(accepted.headers["location"].to_str().unwrap(), again);
    ada.post(&format!("{again}/replay"), json!({})).await.refused(StatusCode::CONFLICT, "delivery_pending");
    work_off(lab.app()).await;
    let delivery = ada.get(&again).await.is(StatusCode::OK).body;
    assert_eq!((&delivery["status"], &delivery["replay_of"]), (&json!("delivered"), &list[1]["id"]));
    let hits = receiver.hits();
    assert_eq!(hits.len(), tried + 1);
    let (first, last) = (&hits[0], hits.last().unwrap());
    assert_eq!((&first.body, first.header("webhook-id")), (&last.body, last.header("webhook-id")));
    // What came through can be sent once more, too; others' deliveries do not exist.
    ada.post(&format!("{again}/replay"), json!({})).await.is(StatusCode::ACCEPTED);
    work_off(lab.app()).await;
    assert_eq!(receiver.hits().len(), tried + 2);
    let eve = lab.neighbour().await;
    eve.post(&replay, json!({})).await.refused(StatusCode::NOT_FOUND, "not_found");
    eve.get(&again).await.refused(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn who_refuses_one_event_and_takes_others_stays_on() {
    let (lab, receiver, id) = Lab::with_receiver(500).await;
    lab.start_told(1).await;
    lab.pass(30, TimeDelta::hours(1)).await;
    receiver.answers(200, &[], "");
    // Far from the time of the first one's next attempt.
    run(lab.app(), "update jobs set run_at = run_at + interval '20 hours' where kind = 'webhook_deliver'").await;
    lab.start_told(2).await;
    receiver.answers(500, &[], "");
    lab.pass(50, TimeDelta::hours(1)).await;
    let list = lab.deliveries(&id).await;
    assert_eq!((&list[0]["status"], &list[1]["status"]), (&json!("delivered"), &json!("failed")));
    assert_eq!(lab.endpoint(&id).await["active"], true);
}

#[tokio::test]
async fn gone_is_gone() {
    let (lab, receiver, id) = Lab::with_receiver(410).await;
    lab.start_told(1).await;
    lab.start_told(2).await;
    lab.pass(3, TimeDelta::hours(1)).await;
    assert_eq!(receiver.hits().len(), 1);
    let endpoint = lab.endpoint(&id).await;
    assert_eq!(endpoint["active"], false);
    assert!(endpoint["disabled_reason"].as_str().unwrap().contains("410"));
    assert_eq!(lab.deliveries(&id).await.len(), 1, "what happens while it is off is not kept for it");
}

#[tokio::test]
async fn nothing_reaches_inward() {
    let lab = Lab::start().await;
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let receiver = Receiver::start("127.0.0.2").await;
    receiver.answers(307, &[("location", &format!("http://127.0.0.1:{port}/"))], "");
    let (redirected, _) = lab.hook(&receiver.url("/"), &["instance.started"]).await;
    // Its name cannot be judged before it is resolved.
    let (named, _) = lab.hook(&format!("http://localhost:{port}/"), &["instance.started"]).await;
    // One that was let in under another configuration.
    let (stored, _) = lab.hook(&receiver.url("/stored"), &["instance.started"]).await;
    let moved = format!("update webhook_endpoints set url = 'https://127.0.0.1:{port}/' where id = '{stored}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(moved)).execute(lab.app().db.system()).await.unwrap();
    lab.start_told(1).await;
    lab.pass(20, MINUTE).await;
    let ada = lab.ada().await;
    for (id, problem) in [(&redirected, "redirects are not followed"), (&named, "private"), (&stored, "private")] {
        let delivery = &lab.deliveries(id).await[0];
        assert_eq!(delivery["status"], "pending");
        let told = delivery["attempts"][0]["problem"].as_str().unwrap().to_owned();
        assert!(told.contains(problem) && !told.contains("127.0.0.1"), "{told}");
        let ping = ada.post(&format!("/api/webhook-endpoints/{id}/test"), json!({})).await.is(StatusCode::OK);
        assert_eq!(ping.body["delivered"], false);
    }
    assert!(receiver.hits().len() > 3);
    let knock = tokio::time::timeout(std::time::Duration::from_millis(200), inside.accept()).await;
    assert!(knock.is_err(), "somebody has called inward");
}

#[tokio::test]
async fn the_order_of_a_subject_is_kept_for_a_minute() {
    let lab = Lab::start().await;
    let receiver = Receiver::start("127.0.0.2").await;
    let (id, _) = lab.hook(&receiver.url("/"), &["*"]).await;
    lab.deliver().await;
    let begun = receiver.hits().len();
    let came = || receiver.hits()[begun..].to_vec();
    let (first, other) = (Uuid::now_v7(), Uuid::now_v7());
    receiver.answers(500, &[], "");
    lab.tell("instance.started", first, 1).await;
    lab.deliver().await;
    run(lab.app(), "update jobs set run_at = run_at + interval '5 minutes' where status = 'queued'").await;
    receiver.answers(200, &[], "");
    lab.tell("instance.stopped", first, 2).await;
    lab.tell("instance.started", other, 3).await;
    lab.deliver().await;
    lab.pass(10, TimeDelta::seconds(4)).await;
    // The other subject's went past; the second of the first one waits.
    assert_eq!(came().iter().map(number).collect::<Vec<_>>(), [1, 3]);
    lab.pass(3, TimeDelta::seconds(8)).await;
    let hits = came();
    assert_eq!(hits.iter().map(number).collect::<Vec<_>>(), [1, 3, 2]);
    assert_eq!(hits[1].header("ocore-out-of-order"), "");
    assert_eq!(hits[2].header("ocore-out-of-order"), "true");
    // The first comes late, and says so.
    lab.pass(6, MINUTE).await;
    let hits = came();
    assert_eq!((number(&hits[3]), hits[3].header("ocore-out-of-order")), (1, "true"));
    assert_eq!(hits[0].header("ocore-out-of-order"), "");
    let waited: Vec<_> = lab.deliveries(&id).await;
    let second = waited.iter().find(|d| d["payload"]["data"]["number"] == 2).unwrap();
    assert_eq!((&second["attempt_count"], &second["out_of_order"]), (&json!(1), &json!(true)));

    // Within the minute the order holds by itself.
    receiver.answers(500, &[], "");
    lab.tell("instance.started", other, 4).await;
    lab.deliver().await;
    lab.tell("instance.stopped", other, 5).await;
    lab.deliver().await;
    receiver.answers(200, &[], "");
    lab.pass(10, TimeDelta::seconds(3)).await;
    let hits = came();
    let last: Vec<_> = hits[hits.len() - 2..].iter().map(|h| (number(h), h.header("ocore-out-of-order"))).collect();
    assert_eq!(last, [(4, ""), (5, "")]);
}

#[tokio::test]
async fn a_reader_that_is_dropped_loses_and_doubles_nothing() {
    let lab = Lab::start().await;
    let (id, _) = lab.hook("https://example.com/hook", &["instance.started"]).await;
    lab.spread().await;
    const MANY: usize = 450;
    for number in 0..MANY {
        lab.tell("instance.started", Uuid::now_v7(), number).await;
    }
    let written = "select count(*) from webhook_deliveries";
    // Killed before its commit: what it wrote down is gone with how far it had come.
    until("events to be readable", async || {
        let mut tx = lab.app().db.system().begin().await.unwrap();
        batch(lab.app(), &mut tx).await.unwrap();
        let written: i64 = sqlx::query_scalar(written).fetch_one(&mut *tx).await.unwrap();
        written > 0
    })
    .await;
    assert_eq!(lab.count(written).await, 0);
    // Killed between two batches; then two replicas at once, which get in each other's way again and again.
    fan_out(lab.app()).await.unwrap();
    let (one, two) = (lab.test.restart().await, lab.test.restart().await);
    until("all to be written down", async || {
        let _ = tokio::join!(fan_out(&one), fan_out(&two), fan_out(&one), fan_out(&two));
        lab.count(written).await >= MANY as i64
    })
    .await;
    lab.spread().await;
    let numbers: Vec<i64> =
        sqlx::query_scalar("select (body::jsonb -> 'data' ->> 'number')::bigint from webhook_deliveries order by seq")
            .fetch_all(lab.app().db.system())
            .await
            .unwrap();
    assert_eq!(numbers, (0..MANY as i64).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(lab.count("select count(*) from jobs where kind = 'webhook_deliver'").await, MANY as i64);
    assert!(!lab.deliveries(&id).await.is_empty());
}

#[tokio::test]
async fn an_event_whose_transaction_ends_late_is_not_passed_over() {
    let lab = Lab::start().await;
    lab.hook("https://example.com/hook", &["instance.started"]).await;
    lab.spread().await;
    let mut late = lab.app().db.system().begin().await.unwrap();
    let subject = Subject::new("instance", Uuid::now_v7(), "late");
    let data = json!({ "number": 1 });
    event_append(&mut late, lab.organization, "instance.started", &Actor::system(), &subject, data).await.unwrap();
    lab.tell("instance.started", Uuid::now_v7(), 2).await;
    fan_out(lab.app()).await.unwrap();
    assert_eq!(lab.count("select count(*) from webhook_deliveries").await, 0, "the second waits for the first");
    late.commit().await.unwrap();
    lab.spread().await;
    assert_eq!(lab.count("select count(*) from webhook_deliveries").await, 2);
}

#[tokio::test]
async fn the_log_is_tidied_up() {
    let (lab, _receiver, id) = Lab::with_receiver(500).await;
    lab.start_told(1).await;
    webhooks_prune(lab.app()).await.unwrap();
    assert_eq!(lab.deliveries(&id).await[0]["status"], "pending");
    // Somebody has cancelled its job, or it stumbled.
    run(lab.app(), "update jobs set status = 'cancelled' where kind = 'webhook_deliver'").await;
    webhooks_prune(lab.app()).await.unwrap();
    assert_eq!(lab.deliveries(&id).await[0]["status"], "cancelled");
    lab.test.clock.shift(TimeDelta::days(29));
    webhooks_prune(lab.app()).await.unwrap();
    assert_eq!(lab.deliveries(&id).await.len(), 1);
    lab.test.clock.shift(TimeDelta::days(2));
    webhooks_prune(lab.app()).await.unwrap();
    assert!(lab.deliveries(&id).await.is_empty());
    assert_eq!(lab.count("select count(*) from webhook_attempts").await, 0);
}
