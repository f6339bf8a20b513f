//! Passkeys, and every way of them being wrong.

use super::device::{Device, ORIGIN, PRESENT, VERIFIED, encode};
use crate::app::App;
use crate::identity::authentication::tests::{Answer, PASSWORD, Visitor, run, sign_in, stranger};
use crate::identity::second_factors::tests::{login, mfa_token, totp_on};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures::future::join_all;
use rcgen::KeyPair;
use serde_json::{Value, json};

async fn begin(visitor: &Visitor) -> Value {
    let body = json!({ "device_name": "Ada's laptop" });
    visitor.with("origin", ORIGIN).post("/api/user/passkeys/register/begin", body).await.is(StatusCode::OK).body
}

async fn finish(visitor: &Visitor, made: Value) -> Answer {
    visitor.post("/api/user/passkeys/register/finish", made).await
}

/// Registers the device; its id.
async fn register(visitor: &Visitor, device: &mut Device) -> String {
    let made = device.create(&begin(visitor).await);
    finish(visitor, made).await.is(StatusCode::CREATED).text("id")
}

async fn ask(visitor: &Visitor, body: Value) -> Value {
    let asked = visitor.with("origin", ORIGIN).post("/api/auth/passkey/login/begin", body).await;
    asked.is(StatusCode::OK).body
}

async fn answer(visitor: &Visitor, assertion: Value) -> Answer {
    visitor.post("/api/auth/passkey/login/finish", assertion).await
}

async fn count(app: &App, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(app.db.system()).await.unwrap()
}

#[tokio::test]
async fn a_device_signs_in_by_itself() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let options = begin(&ada).await;
    let wanted = &options["publicKey"]["authenticatorSelection"];
    assert_eq!((&wanted["residentKey"], &wanted["userVerification"]), (&json!("required"), &json!("required")));
    assert_eq!(options["publicKey"]["rp"], json!({ "name": "oCore", "id": "localhost" }));

    let mut laptop = Device::new();
    let made = laptop.create(&options);
    let passkey = finish(&ada, made.clone()).await.is(StatusCode::CREATED);
    assert_eq!(passkey.body["device_name"], "Ada's laptop");
    assert_eq!((&passkey.body["host"], &passkey.body["transports"]), (&json!("localhost"), &json!(["internal"])));
    assert_eq!(passkey.body["last_used_at"], Value::Null);
    finish(&ada, made).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "passkey_challenge_expired");
    let again = begin(&ada).await;
    assert_eq!(again["publicKey"]["excludeCredentials"][0]["id"], json!(encode(&laptop.id)));
    assert_eq!(count(&test.app, "select count(*) from sessions where second_factor").await, 1);

    // Without an address, and with it.
    for body in [json!({}), json!({ "email": "ADA@example.com" })] {
        let options = ask(&anyone, body.clone()).await;
        let allowed = options["publicKey"]["allowCredentials"].as_array().unwrap().len();
        assert_eq!(allowed, usize::from(body["email"].is_string()));
        assert!(options.get("mediation").is_none() && options["publicKey"]["rpId"] == "localhost");
        let signed_in = answer(&anyone, laptop.get(&options)).await.is(StatusCode::OK);
        let session = anyone.bearer(&signed_in.text("access_token"));
        assert_eq!(session.get("/api/user").await.is(StatusCode::OK).body["email"], "ada@example.com");
    }
    assert_eq!(count(&test.app, "select count(*) from sessions where second_factor and method = 'passkey'").await, 2);
    let noted = "select count(*) from audit_log where action = 'auth.login' and after->>'method' = 'passkey'";
    assert_eq!(count(&test.app, noted).await, 2);

    // It is Ada's own, by a name that she may change.
    let list = ada.get("/api/user/passkeys").await.is(StatusCode::OK).body;
    let id = list["data"][0]["id"].as_str().unwrap();
    assert!(list["data"][0]["last_used_at"].is_string() && list["data"].as_array().unwrap().len() == 1);
    let path = format!("/api/user/passkeys/{id}");
    let rename = |who: &Visitor, name: &str| {
        let (who, path, name) = (who.clone(), path.clone(), name.to_owned());
        async move { who.send(Method::PATCH, &path, Some(json!({ "device_name": name }))).await }
    };
    let renamed = rename(&ada.with("if-match", "\"1\""), "Phone").await.is(StatusCode::OK);
    assert_eq!((renamed.text("device_name"), &renamed.headers["etag"]), ("Phone".into(), &"\"2\"".parse().unwrap()));
    rename(&ada.with("if-match", "\"1\""), "Other")
        .await
        .refused(StatusCode::PRECONDITION_FAILED, "precondition_failed");
    rename(&ada, "a\u{202E}b").await.is(StatusCode::BAD_REQUEST);
    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    rename(&eve, "Mine").await.refused(StatusCode::NOT_FOUND, "not_found");
    eve.delete(&path).await.refused(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(eve.get("/api/user/passkeys").await.body["data"], json!([]));
    let robot = anyone.bearer(&ada.key("robot", &["view:org"]).await);
    robot.get("/api/user/passkeys").await.refused(StatusCode::FORBIDDEN, "person_required");
    ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    for action in ["auth.passkey_registered", "auth.passkey_renamed", "auth.passkey_removed"] {
        let entries: i64 = sqlx::query_scalar("select count(*) from audit_log where action = $1")
            .bind(action)
            .fetch_one(test.app.db.system())
            .await
            .unwrap();
        assert_eq!(entries, 1, "{action}");
    }
    let options = ask(&anyone, json!({})).await;
    answer(&anyone, laptop.get(&options)).await.refused(StatusCode::UNAUTHORIZED, "passkey_refused");
    assert_eq!(count(&test.app, "select count(*) from sessions where second_factor").await, 0);
}

#[tokio::test]
async fn unknown_addresses_look_like_any_other() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    stranger(&test.app, "bob@example.com").await;
    let mut laptop = Device::new();
    register(&ada, &mut laptop).await;
    let shape = |options: &Value| {
        let mut keys: Vec<_> = options["publicKey"].as_object().unwrap().keys().cloned().collect();
        keys.extend(options["publicKey"]["allowCredentials"][0].as_object().unwrap().keys().cloned());
        keys
    };
    let known = ask(&anyone, json!({ "email": "ada@example.com" })).await;
    // Bob has an account without passkeys, the others have none.
    for email in ["bob@example.com", "eve@example.com", "mallory@example.com", "x@example.org"] {
        let options = ask(&anyone, json!({ "email": email })).await;
        assert_eq!(shape(&options), shape(&known), "{email}");
        let again = ask(&anyone, json!({ "email": email.to_uppercase() })).await;
        assert_eq!(options["publicKey"]["allowCredentials"], again["publicKey"]["allowCredentials"], "{email}");
        assert_ne!(options["publicKey"]["challenge"], again["publicKey"]["challenge"]);
        // Nobody answers for them, not even a passkey that is known.
        answer(&anyone, laptop.get(&options)).await.refused(StatusCode::UNAUTHORIZED, "passkey_refused");
        answer(&anyone, Device::new().get(&again)).await.refused(StatusCode::UNAUTHORIZED, "passkey_refused");
    }
}

#[tokio::test]
async fn a_copy_that_counts_backwards_is_refused_and_told() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let mut stick = Device::new();
    stick.counter = 5;
    register(&ada, &mut stick).await;
    let options = ask(&anyone, json!({})).await;
    answer(&anyone, stick.get(&options)).await.is(StatusCode::OK);

    // Both began before either answered: what counts is the counter as it is now.
    let (first, second) = (ask(&anyone, json!({})).await, ask(&anyone, json!({})).await);
    let copied = stick.counter;
    answer(&anyone, stick.get(&first)).await.is(StatusCode::OK);
    stick.counter = copied;
    let refused = answer(&anyone, stick.get(&second)).await;
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("Ada's laptop"), "{}", refused.body);
    refused.refused(StatusCode::UNAUTHORIZED, "passkey_copied");
    let reason =
        "select count(*) from audit_log where action = 'auth.login_failed' and after->>'reason' = 'passkey_copied'";
    assert_eq!(count(&test.app, reason).await, 1);
    let history = "select count(*) from login_history where method = 'passkey' and not succeeded";
    assert_eq!(count(&test.app, history).await, 1);

    // The one that is ahead goes on.
    stick.counter = copied + 10;
    let options = ask(&anyone, json!({})).await;
    answer(&anyone, stick.get(&options)).await.is(StatusCode::OK);
}

#[tokio::test]
async fn of_fifty_answers_to_one_challenge_one_signs_in() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let mut laptop = Device::new();
    register(&ada, &mut laptop).await;
    let assertion = laptop.get(&ask(&anyone, json!({})).await);
    let answers = join_all((0..50).map(|_| answer(&anyone, assertion.clone()))).await;
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::OK).count(), 1);
    assert_eq!(answers.iter().filter(|a| a.code() == "passkey_challenge_expired").count(), 49);
    assert_eq!(count(&test.app, "select count(*) from sessions where method = 'passkey'").await, 1);

    let late = laptop.get(&ask(&anyone, json!({})).await);
    test.clock.shift(TimeDelta::seconds(301));
    answer(&anyone, late).await.refused(StatusCode::UNAUTHORIZED, "passkey_challenge_expired");
}

#[tokio::test]
async fn a_lying_device_is_refused() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    // Registrations: no finger asked for, another site, another host.
    for spoil in [
        (|d: &mut Device| d.flags = PRESENT) as fn(&mut Device),
        |d| d.origin = "https://evil.test".into(),
        |d| d.host = "evil.test".into(),
    ] {
        let mut device = Device::new();
        spoil(&mut device);
        let made = device.create(&begin(&ada).await);
        finish(&ada, made).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "passkey_refused");
    }
    assert_eq!(count(&test.app, "select count(*) from passkeys").await, 0);

    let mut laptop = Device::new();
    register(&ada, &mut laptop).await;
    let challenge = async || ask(&anyone, json!({})).await;
    for spoil in [
        (|d: &mut Device| d.flags = PRESENT) as fn(&mut Device),
        |d| d.flags = VERIFIED,
        |d| d.origin = "https://evil.test".into(),
        |d| d.host = "evil.test".into(),
        |d| d.key = KeyPair::generate().unwrap(),
        |d| d.user = vec![7; 16],
        |d| d.user = vec![1, 2, 3],
        |d| d.user = vec![],
    ] {
        let key = laptop.key.serialize_pem();
        let (flags, origin, host, user) =
            (laptop.flags, laptop.origin.clone(), laptop.host.clone(), laptop.user.clone());
        spoil(&mut laptop);
        answer(&anyone, laptop.get(&challenge().await)).await.refused(StatusCode::UNAUTHORIZED, "passkey_refused");
        laptop.key = KeyPair::from_pem(&key).unwrap();
        (laptop.flags, laptop.origin, laptop.host, laptop.user) = (flags, origin, host, user);
    }
    // A registration's answer is no sign-in, and what is not base64url is named.
    let mut twisted = laptop.get(&challenge().await);
    twisted["response"]["signature"] = json!("not base64!");
    let named = answer(&anyone, twisted).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(named.body["error"]["details"]["field"], "response.signature");
    let options = begin(&ada).await;
    answer(&anyone, laptop.get(&options)).await.refused(StatusCode::UNAUTHORIZED, "passkey_challenge_expired");
    // It is registered already, also to somebody else.
    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    let stolen = laptop.create(&begin(&eve).await);
    finish(&eve, stolen).await.refused(StatusCode::CONFLICT, "passkey_exists");
    // A registration belongs to the session that began it.
    let begun = begin(&ada).await;
    let mut other = Device::new();
    let made = other.create(&begun);
    finish(&sign_in(&test.app, "ada@example.com").await, made).await.is(StatusCode::UNPROCESSABLE_ENTITY);

    laptop.user = URL_SAFE_NO_PAD.decode(begun["publicKey"]["user"]["id"].as_str().unwrap()).unwrap();
    answer(&anyone, laptop.get(&challenge().await)).await.is(StatusCode::OK);
    run(&test.app, "update users set deactivated_at = now() where email = 'ada@example.com'").await;
    answer(&anyone, laptop.get(&challenge().await)).await.refused(StatusCode::UNAUTHORIZED, "passkey_refused");
}

#[tokio::test]
async fn passkeys_work_where_the_console_is() {
    let test = TestApp::start_with(|config| {
        config.public_url =
            ["https://ocore.example.com", "https://10.0.0.7:8080", "http://plain.example.com"].map(Into::into).into();
    })
    .await;
    let anyone = Visitor::new(&test.app);
    let begin = |origin: Option<&'static str>| {
        let visitor = origin.map_or_else(|| anyone.clone(), |origin| anyone.with("origin", origin));
        async move { visitor.post("/api/auth/passkey/login/begin", json!({})).await }
    };
    for (origin, host) in [
        (None, "ocore.example.com"),
        (Some("https://ocore.example.com"), "ocore.example.com"),
        (Some("https://localhost:8080"), "localhost"),
        (Some("http://localhost:5173"), "localhost"),
    ] {
        assert_eq!(begin(origin).await.is(StatusCode::OK).body["publicKey"]["rpId"], host, "{origin:?}");
    }
    for origin in [
        "https://evil.test",
        "https://sub.ocore.example.com",
        "https://ocore.example.com:444",
        "http://ocore.example.com",
        "https://10.0.0.7:8080",
        "http://plain.example.com",
        "http://127.0.0.1:8080",
        "null",
        "rubbish",
    ] {
        begin(Some(origin)).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "passkeys_unavailable");
    }
    // A passkey of one host does not sign in on another.
    let (ada, _) = anyone.bootstrap().await;
    let mut laptop = Device::new();
    register(&ada, &mut laptop).await;
    let at = anyone.with("origin", "https://ocore.example.com");
    let options = at.post("/api/auth/passkey/login/begin", json!({})).await.is(StatusCode::OK).body;
    (laptop.origin, laptop.host) = ("https://ocore.example.com".into(), "ocore.example.com".into());
    answer(&anyone, laptop.get(&options)).await.refused(StatusCode::UNAUTHORIZED, "passkey_refused");
}

#[tokio::test]
async fn a_passkey_is_a_second_factor_too() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    let mut hers = Device::new();
    register(&eve, &mut hers).await;
    // Alone it asks for no second factor after the password.
    let mut laptop = Device::new();
    register(&ada, &mut laptop).await;
    assert!(login(&anyone, "ada@example.com").await.body["access_token"].is_string());
    totp_on(&test, &ada).await;

    let owed = login(&anyone, "ada@example.com").await;
    assert_eq!(owed.body["methods"], json!(["totp", "recovery_code", "passkey"]));
    let token = owed.text("mfa_token");
    let options = ask(&anyone, json!({ "mfa_token": token })).await;
    let allowed = json!([{ "type": "public-key", "id": encode(&laptop.id), "transports": ["internal"] }]);
    assert_eq!(options["publicKey"]["allowCredentials"], allowed);
    answer(&anyone, hers.get(&options)).await.refused(StatusCode::UNAUTHORIZED, "passkey_refused");
    let options = ask(&anyone, json!({ "mfa_token": token })).await;
    answer(&anyone, laptop.get(&options)).await.is(StatusCode::OK);
    let method = "select count(*) from sessions where method = 'password+passkey' and second_factor";
    assert_eq!(count(&test.app, method).await, 1);

    // The token is spent, also for an answer that was begun with it before.
    let begin = |body: Value| anyone.post("/api/auth/passkey/login/begin", body);
    begin(json!({ "mfa_token": token })).await.refused(StatusCode::UNAUTHORIZED, "mfa_token_invalid");
    let token = mfa_token(&anyone, "ada@example.com").await;
    let (one, two) =
        (ask(&anyone, json!({ "mfa_token": token })).await, ask(&anyone, json!({ "mfa_token": token })).await);
    answer(&anyone, laptop.get(&one)).await.is(StatusCode::OK);
    answer(&anyone, laptop.get(&two)).await.refused(StatusCode::UNAUTHORIZED, "mfa_token_invalid");
    begin(json!({ "mfa_token": "made up" })).await.refused(StatusCode::UNAUTHORIZED, "mfa_token_invalid");
    begin(json!({ "mfa_token": "x", "email": "ada@example.com" })).await.is(StatusCode::BAD_REQUEST);

    // Alone it signs in without a code: it is two factors already.
    let options = ask(&anyone, json!({})).await;
    answer(&anyone, laptop.get(&options)).await.is(StatusCode::OK);
}

#[tokio::test]
async fn the_last_way_in_stays() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let (mut laptop, mut phone) = (Device::new(), Device::new());
    let ids = [register(&ada, &mut laptop).await, register(&ada, &mut phone).await];
    run(&test.app, "update users set password_hash = null").await;
    // An account elsewhere is no way in while nobody can sign in with its provider.
    run(
        &test.app,
        "insert into connected_accounts (id, user_id, provider, issuer, subject)
         select gen_random_uuid(), id, 'github', 'https://github.com', '1' from users",
    )
    .await;
    // Both at once, many times: one of them stays.
    let tries = (0..50).map(|n| {
        let (ada, path) = (ada.clone(), format!("/api/user/passkeys/{}", ids[n % 2]));
        async move { ada.delete(&path).await }
    });
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::NO_CONTENT).count(), 1);
    assert_eq!(answers.iter().filter(|a| a.code() == "last_way_in").count(), 25);
    assert_eq!(count(&test.app, "select count(*) from passkeys").await, 1);
    let hash = test.app.auth.passwords.hash(&ocore_shared::secret::Secret::new(PASSWORD)).await.unwrap();
    sqlx::query("update users set password_hash = $1").bind(hash).execute(test.app.db.system()).await.unwrap();
    let left = ada.get("/api/user/passkeys").await.body["data"][0]["id"].as_str().unwrap().to_owned();
    ada.delete(&format!("/api/user/passkeys/{left}")).await.is(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn twenty_are_enough() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let begun = begin(&ada).await;
    register(&ada, &mut Device::new()).await;
    run(
        &test.app,
        "insert into passkeys (id, user_id, name, host, credential_id, credential)
         select gen_random_uuid(), p.user_id, 'copy', p.host, int4send(n), p.credential
         from passkeys p, generate_series(1, 19) n",
    )
    .await;
    let refused = ada.post("/api/user/passkeys/register/begin", json!({ "device_name": "x" })).await;
    refused.refused(StatusCode::CONFLICT, "too_many_passkeys");
    let made = Device::new().create(&begun);
    finish(&ada, made).await.refused(StatusCode::CONFLICT, "too_many_passkeys");
    for name in ["", "a\nb", " a", &"x".repeat(65)] {
        let body = json!({ "device_name": name });
        ada.post("/api/user/passkeys/register/begin", body).await.is(StatusCode::BAD_REQUEST);
    }
}
