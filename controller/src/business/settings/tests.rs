//! Secrets go in and never come out, and go to nobody but whom they were given for.

use super::model::SignupMode;
use super::service::{oauth_providers, settings_get};
use crate::identity::authentication::tests::{Answer, Visitor, sign_in, stranger};
use crate::platform::mail::tests::{Sink, with_sink};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const PATH: &str = "/api/admin/settings";

async fn put(visitor: &Visitor, body: Value) -> Answer {
    visitor.send(Method::PUT, PATH, Some(body)).await
}

fn smtp(port: u16) -> Value {
    json!({ "host": "127.0.0.1", "port": port, "tls": "none", "from_address": "noreply@example.com",
            "from_name": "ACME, \"the\" Co." })
}

#[tokio::test]
async fn what_was_read_can_be_sent_back_and_secrets_stay_inside() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let first = ada.get(PATH).await.is(StatusCode::OK);
    assert_eq!(first.body["signup"], "closed");
    assert_eq!((&first.body["mail"], &first.body["mail_source"]), (&Value::Null, &json!("none")));

    let mut mail = smtp(2525);
    mail["username"] = json!("ocore");
    mail["password"] = json!("canary-password");
    let oauth = json!([{ "id": "corp", "kind": "oidc", "name": "Corp", "issuer": "https://id.example.com",
                         "client_id": "ocore", "client_secret": "canary-secret" }]);
    let body = json!({ "signup": "invitation", "mail": mail, "oauth": oauth,
                       "webhooks": { "allowed_networks": ["10.20.0.0/16"] } });
    let set = put(&ada, body).await.is(StatusCode::OK);
    assert_eq!((&set.body["mail"]["password_set"], &set.body["mail_source"]), (&json!(true), &json!("settings")));
    assert_eq!(set.body["oauth"][0]["client_secret_set"], true);
    let read = settings_get(&test.app).await.unwrap();
    assert_eq!(read.signup, SignupMode::Invitation);
    assert_eq!(read.mail.as_ref().unwrap().login.as_ref().unwrap().1.expose(), "canary-password");
    assert_eq!(oauth_providers(&test.app).await.unwrap()[0].client_secret.expose(), "canary-secret");
    assert_eq!(read.webhooks.allowed_networks.len(), 1);

    // Another process opens them too, and sending back what was read changes nothing but what was edited.
    let mut again = ada.get(PATH).await.body;
    again["signup"] = json!("open");
    let after = put(&ada, again).await.is(StatusCode::OK);
    assert_eq!(after.body["signup"], "open");
    let restarted = test.restart().await;
    assert_eq!(oauth_providers(&restarted).await.unwrap()[0].client_secret.expose(), "canary-secret");

    let everything: String = sqlx::query_scalar(
        "select concat((select json_agg(s) from settings s), (select json_agg(a) from audit_log a), (select json_agg(x) from secrets x))",
    )
    .fetch_one(test.app.db.system())
    .await
    .unwrap();
    assert!(!everything.contains("canary"));
    let shown = format!("{}{}", after.body, ada.get(PATH).await.body);
    assert!(!shown.contains("canary") && !shown.contains("secret_id"), "{shown}");
    let secrets: i64 =
        sqlx::query_scalar("select count(*) from secrets where purpose like 'smtp%' or purpose like 'oauth%'")
            .fetch_one(test.app.db.system())
            .await
            .unwrap();
    assert_eq!(secrets, 2, "replaced ones are gone");
}

#[tokio::test]
async fn a_stored_secret_goes_to_no_other_server() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let mut mail = smtp(2525);
    mail["username"] = json!("ocore");
    mail["password"] = json!("secret");
    let oauth = json!({ "id": "corp", "kind": "oidc", "name": "Corp", "issuer": "https://id.example.com",
                        "client_id": "ocore", "client_secret": "secret" });
    put(&ada, json!({ "mail": mail, "oauth": [oauth] })).await.is(StatusCode::OK);
    mail.as_object_mut().unwrap().remove("password");
    mail["from_name"] = json!("Else");
    put(&ada, json!({ "mail": mail })).await.is(StatusCode::OK);
    for (field, value) in [("host", json!("evil.example.com")), ("port", json!(25)), ("username", json!("other"))] {
        let mut other = mail.clone();
        other[field] = value;
        let refused = put(&ada, json!({ "mail": other })).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(refused.body["error"]["details"]["field"], "mail.password");
    }
    let mut other = oauth.clone();
    other.as_object_mut().unwrap().remove("client_secret");
    other["issuer"] = json!("https://evil.example.com");
    let refused = put(&ada, json!({ "oauth": [other] })).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(refused.body["error"]["details"]["field"], "oauth[0].client_secret");
    put(&ada, json!({ "mail": null })).await.is(StatusCode::OK);
    assert!(settings_get(&test.app).await.unwrap().mail.is_none());
}

#[tokio::test]
async fn wrong_settings_are_told_all_at_once_and_only_the_administrator_sets_them() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let provider =
        |id: &str, kind: &str| json!({ "id": id, "kind": kind, "name": "X", "client_id": "x", "client_secret": "y" });
    let mut plain = provider("plain", "oidc");
    plain["issuer"] = json!("http://id.example.com");
    let mut google = provider("google", "google");
    google["issuer"] = json!("https://accounts.google.com");
    let twice = provider("twice", "github");
    let body = json!({ "oauth": [provider("none", "oidc"), plain, google, twice, twice],
                       "webhooks": { "allowed_networks": ["10.0.0.0/8", "everywhere"] } });
    let refused = put(&ada, body).await.is(StatusCode::BAD_REQUEST);
    let fields: Vec<_> =
        refused.body["error"]["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    let expected =
        ["oauth[0].issuer", "oauth[1].issuer", "oauth[2].issuer", "oauth[4].id", "webhooks.allowed_networks[1]"];
    assert_eq!(fields, expected);
    for wrong in [
        json!({ "signup": "everybody" }),
        json!({ "colour": "red" }),
        json!({ "version": 77 }),
        json!({ "mail_source": "settings" }),
        json!({ "mail": { "host": "a b", "port": 25, "tls": "none", "from_address": "a@example.com" } }),
        json!({ "mail": { "host": "x", "port": 0, "tls": "none", "from_address": "a@example.com" } }),
        json!({ "mail": { "host": "x", "port": 25, "tls": "none", "from_address": "a@example.com\r\nBcc: x@y.z" } }),
        json!({ "mail": { "host": "x", "port": 25, "tls": "none", "from_address": "a@example.com", "password_set": true } }),
        json!({ "mail": { "host": "x", "port": 25, "tls": "none", "from_address": "a@example.com", "password": "p" } }),
        json!({ "oauth": [{ "id": "A b", "kind": "github", "name": "X", "client_id": "x", "client_secret": "y" }] }),
        json!({ "oauth": [{ "id": "gh", "kind": "github", "name": "X", "client_id": "x" }] }),
    ] {
        put(&ada, wrong.clone()).await.is(StatusCode::BAD_REQUEST);
    }
    put(&ada.with("if-match", "\"9\""), json!({ "signup": "open" })).await.is(StatusCode::PRECONDITION_FAILED);
    let key = Visitor::new(&test.app).bearer(&ada.key("robot", &["manage:settings"]).await);
    stranger(&test.app, "eve@example.com").await;
    for other in [key, sign_in(&test.app, "eve@example.com").await] {
        other.get(PATH).await.refused(StatusCode::FORBIDDEN, "admin_required");
        put(&other, json!({ "signup": "open" })).await.refused(StatusCode::FORBIDDEN, "admin_required");
    }
    assert_eq!(settings_get(&test.app).await.unwrap().signup, SignupMode::Closed);
}

#[tokio::test]
async fn mail_is_tried_out_and_the_servers_words_are_told() {
    let sink = Sink::start().await;
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let path = "/api/admin/settings/mail/test";
    ada.post(path, json!({})).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "no_smtp_server");
    put(&ada, json!({ "mail": smtp(sink.port) })).await.is(StatusCode::OK);
    let tried = ada.post(path, json!({})).await.is(StatusCode::OK);
    assert_eq!((&tried.body["accepted"], &tried.body["to"]), (&json!(true), &json!("ada@example.com")));
    assert!(tried.text("answer").contains("kept"), "{}", tried.body);
    assert!(sink.mails()[0].contains("noreply@example.com"));
    sink.answers("550 not you");
    let tried = ada.post(path, json!({ "to": "vic@example.com" })).await.is(StatusCode::OK);
    assert_eq!(tried.body["accepted"], false);
    assert!(tried.text("answer").contains("not you"), "{}", tried.body);
    put(&ada, json!({ "mail": smtp(1) })).await.is(StatusCode::OK);
    let tried = ada.post(path, json!({})).await.is(StatusCode::OK);
    assert_eq!(tried.body["accepted"], false);
    assert!(tried.text("answer").to_lowercase().contains("refused"), "{}", tried.body);
    ada.post(path, json!({ "to": "nonsense" })).await.is(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_configuration_is_shown_as_in_use_until_something_is_set() {
    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let shown = ada.get(PATH).await.is(StatusCode::OK);
    assert_eq!(shown.body["mail_source"], "configuration");
    assert_eq!(shown.body["mail"]["from_address"], "noreply@example.com");
    put(&ada, shown.body.clone()).await.is(StatusCode::OK);
    assert_eq!(ada.get(PATH).await.body["mail_source"], "configuration", "sent back, it is no setting");
    put(&ada, json!({ "mail": smtp(25) })).await.is(StatusCode::OK);
    assert_eq!(ada.get(PATH).await.body["mail_source"], "settings");
    put(&ada, json!({ "mail": null })).await.is(StatusCode::OK);
    assert_eq!(ada.get(PATH).await.body["mail"], shown.body["mail"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_while_a_secret_is_replaced_gets_the_old_one_or_the_new_one() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let body = |round: u32| {
        let mut mail = smtp(2525);
        mail["username"] = json!("ocore");
        mail["password"] = json!(format!("password {round}"));
        json!({ "mail": mail })
    };
    put(&ada, body(0)).await.is(StatusCode::OK);
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (app, over) = (test.app.clone(), over.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    app.settings.0.invalidate(&()).await;
                    settings_get(&app).await.expect("settings that can be read");
                }
            })
        })
        .collect();
    for round in 1..=30 {
        put(&ada, body(round)).await.is(StatusCode::OK);
    }
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}
