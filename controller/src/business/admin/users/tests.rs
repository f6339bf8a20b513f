//! Accounts in the administrator's hands.

use crate::app::App;
use crate::identity::authentication::tests::{PASSWORD, Visitor, run, sign_in, stranger};
use crate::identity::members::tests::Company;
use crate::platform::mail::tests::{Sink, with_sink, work_off};
use crate::platform::secrets::token_hash;
use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::json;

async fn id_of(ada: &Visitor, email: &str) -> String {
    let list = ada.get(&format!("/api/admin/users?q={email}")).await.is(StatusCode::OK);
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1, "{}", list.body);
    list.body["data"][0]["id"].as_str().unwrap().to_owned()
}

async fn admin(app: &App, ada: &Visitor, name: &str) -> (String, Visitor) {
    let email = format!("{name}@example.com");
    stranger(app, &email).await;
    let id = id_of(ada, &email).await;
    ada.post(&format!("/api/admin/users/{id}/promote"), json!({})).await.is(StatusCode::OK);
    (id, sign_in(app, &email).await)
}

async fn may_sign_in(app: &App, email: &str) -> bool {
    let body = json!({ "email": email, "password": PASSWORD });
    Visitor::new(app).post("/api/auth/login", body).await.status == StatusCode::OK
}

#[tokio::test]
async fn people_are_found_and_seen_in_full() {
    let company = Company::new().await;
    let (vic_id, vic) = company.hire("vic", "viewer").await;
    let ada = &company.ada;
    for (filter, count) in [
        ("", 2),
        ("?q=VIC%40example", 1),
        ("?name=Ada", 1),
        ("?name=ad", 0),
        ("?is_admin=true", 1),
        ("?is_admin=false", 1),
        ("?status=active", 2),
        ("?status=suspended", 0),
    ] {
        let list = ada.get(&format!("/api/admin/users{filter}")).await.is(StatusCode::OK);
        assert_eq!(list.body["data"].as_array().unwrap().len(), count, "{filter}: {}", list.body);
    }
    for wrong in ["?is_admin=perhaps", "?status=asleep", "?limit=1000"] {
        ada.get(&format!("/api/admin/users{wrong}")).await.is(StatusCode::BAD_REQUEST);
    }
    let seen = ada.get(&format!("/api/admin/users/{vic_id}")).await.is(StatusCode::OK);
    assert_eq!(seen.headers["etag"], "\"1\"");
    assert_eq!(
        (&seen.body["organizations"][0]["name"], &seen.body["organizations"][0]["is_owner"]),
        (&json!("Example"), &json!(false))
    );
    assert_eq!((&seen.body["session_count"], &seen.body["totp_enabled"]), (&json!(1), &json!(false)));
    assert!(!seen.body.to_string().contains("argon2"), "no hash leaves the database");
    ada.get(&format!("/api/admin/users/{}", uuid::Uuid::now_v7())).await.is(StatusCode::NOT_FOUND);
    vic.get("/api/admin/users").await.refused(StatusCode::FORBIDDEN, "admin_required");
    let key = Visitor::new(company.app()).bearer(&ada.key("robot", &["manage:org"]).await);
    key.get("/api/admin/users").await.refused(StatusCode::FORBIDDEN, "admin_required");
}

#[tokio::test]
async fn an_account_is_made_with_a_password_or_with_a_link() {
    let company = Company::new().await;
    let ada = &company.ada;
    let new = |more: serde_json::Value| {
        let mut body = json!({ "email": "Pat@Example.com", "name": "Pat" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (field, wrong) in [
        ("email", json!({ "email": "pat" })),
        ("name", json!({ "name": "P\u{202E}at" })),
        ("password", json!({ "password": "short" })),
        ("role", json!({ "role": "x" })),
    ] {
        let answer = ada.post("/api/admin/users", new(wrong)).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field);
    }
    let made = ada.post("/api/admin/users", new(json!({ "password": PASSWORD }))).await.is(StatusCode::CREATED);
    assert_eq!((&made.body["password_link"], &made.body["is_admin"]), (&json!(null), &json!(false)));
    assert!(may_sign_in(company.app(), "pat@example.com").await);
    let taken = ada.post("/api/admin/users", json!({ "email": "PAT@example.com", "name": "Pat" })).await;
    taken.refused(StatusCode::CONFLICT, "email_taken");

    let made = ada.post("/api/admin/users", json!({ "email": "sam@example.com", "name": "Sam" })).await;
    let made = made.is(StatusCode::CREATED);
    assert!(!may_sign_in(company.app(), "sam@example.com").await);
    assert!(works(company.app(), made.body["password_link"]["link"].as_str().unwrap()).await);
    let log = ada.get("/api/admin/audit-logs?q=sam").await.body.to_string();
    assert!(!log.contains("token") && !log.contains(PASSWORD), "the log holds no credential");
}

/// Whether the link is one for choosing a password.
async fn works(app: &App, link: &str) -> bool {
    let token = link.split("/reset-password#token=").nth(1).unwrap_or_else(|| panic!("no token in {link}"));
    sqlx::query_scalar("select exists (select from mailed_tokens where token_hash = $1 and purpose = 'reset_password')")
        .bind(token_hash(token))
        .fetch_one(app.db.system())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_link_for_a_new_password_is_shown_only_where_there_is_no_mail() {
    let company = Company::new().await;
    let (vic, _) = company.hire("vic", "viewer").await;
    let path = format!("/api/admin/users/{vic}/reset-password");
    let shown = company.ada.post(&path, json!({})).await.is(StatusCode::OK);
    assert_eq!(shown.body["mailed"], false);
    let link = shown.text("link");
    assert!(works(company.app(), &link).await);
    company.ada.post(&format!("/api/admin/users/{vic}/suspend"), json!({ "reason": "Away" })).await.is(StatusCode::OK);
    company.ada.post(&path, json!({})).await.refused(StatusCode::CONFLICT, "not_active");

    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    stranger(&test.app, "vic@example.com").await;
    let path = format!("/api/admin/users/{}/reset-password", id_of(&ada, "vic@example.com").await);
    let sent = ada.post(&path, json!({})).await.is(StatusCode::OK);
    assert_eq!((&sent.body["mailed"], &sent.body["link"]), (&json!(true), &json!(null)));
    work_off(&test.app).await;
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn who_is_suspended_is_out_at_once_with_their_keys() {
    let company = Company::new().await;
    let ada = &company.ada;
    let (dev_id, dev) = company.hire("dev", "developer").await;
    let key = Visitor::new(company.app()).bearer(&dev.key("robot", &["view:instances"]).await);
    let path = format!("/api/admin/users/{dev_id}");
    ada.post(&format!("{path}/suspend"), json!({ "reason": "" })).await.is(StatusCode::BAD_REQUEST);
    let stale = ada.with("if-match", "\"9\"");
    stale.post(&format!("{path}/suspend"), json!({ "reason": "Left" })).await.is(StatusCode::PRECONDITION_FAILED);
    ada.post(&format!("{path}/unsuspend"), json!({})).await.refused(StatusCode::CONFLICT, "not_suspended");

    let out = ada.post(&format!("{path}/suspend"), json!({ "reason": "Left" })).await.is(StatusCode::OK);
    assert_eq!((out.text("status"), out.text("suspended_reason")), ("suspended".into(), "Left".into()));
    dev.get("/api/instances").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
    key.get("/api/instances").await.refused(StatusCode::FORBIDDEN, "key_revoked");
    assert!(!may_sign_in(company.app(), "dev@example.com").await);
    ada.post(&format!("{path}/suspend"), json!({ "reason": "Left" }))
        .await
        .refused(StatusCode::CONFLICT, "already_suspended");
    ada.post(&format!("{path}/promote"), json!({})).await.refused(StatusCode::CONFLICT, "not_active");

    ada.post(&format!("{path}/unsuspend"), json!({})).await.is(StatusCode::OK);
    assert!(may_sign_in(company.app(), "dev@example.com").await);
    key.get("/api/instances").await.is(StatusCode::OK);
    dev.get("/api/instances").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
}

#[tokio::test]
async fn the_last_administrator_stays_also_when_all_demote_all() {
    let company = Company::new().await;
    let app = company.app();
    let ada_id = company.ada.get("/api/user").await.text("id");
    let demote = |id: &str| format!("/api/admin/users/{id}/demote");
    company.ada.post(&demote(&ada_id), json!({})).await.refused(StatusCode::CONFLICT, "last_admin");
    let suspend = format!("/api/admin/users/{ada_id}/suspend");
    company.ada.post(&suspend, json!({ "reason": "x" })).await.refused(StatusCode::CONFLICT, "own_account");

    let mut admins = vec![(ada_id, company.ada.clone())];
    for name in ["bob", "cat", "dan", "eli"] {
        admins.push(admin(app, &company.ada, name).await);
    }
    // Fifty at once: everybody takes everybody's rights, their own among them, and locks others out.
    let mut wishes = Vec::new();
    for (_, who) in &admins {
        for (id, _) in &admins {
            wishes.push((who.clone(), demote(id), json!({})));
            wishes.push((who.clone(), format!("/api/admin/users/{id}/suspend"), json!({ "reason": "x" })));
        }
    }
    assert_eq!(wishes.len(), 50);
    let answers = join_all(wishes.iter().map(|(who, path, body)| who.post(path, body.clone()))).await;
    assert!(answers.iter().any(|answer| answer.status == StatusCode::OK));
    assert!(answers.iter().all(|answer| !answer.status.is_server_error()));
    let left: i64 = sqlx::query_scalar("select count(*) from users where is_admin and suspended_at is null")
        .fetch_one(app.db.system())
        .await
        .unwrap();
    assert!(left >= 1, "somebody is left");
}

#[tokio::test]
async fn who_was_demoted_is_no_administrator_at_once() {
    let company = Company::new().await;
    let (bob_id, bob) = admin(company.app(), &company.ada, "bob").await;
    bob.get("/api/admin/users").await.is(StatusCode::OK);
    company
        .ada
        .post(&format!("/api/admin/users/{bob_id}/promote"), json!({}))
        .await
        .refused(StatusCode::CONFLICT, "already_admin");
    company.ada.post(&format!("/api/admin/users/{bob_id}/demote"), json!({})).await.is(StatusCode::OK);
    bob.get("/api/admin/users").await.refused(StatusCode::FORBIDDEN, "admin_required");
    company
        .ada
        .post(&format!("/api/admin/users/{bob_id}/demote"), json!({}))
        .await
        .refused(StatusCode::CONFLICT, "not_admin");
}

#[tokio::test]
async fn a_lost_authenticator_is_forgotten_with_its_secret() {
    let company = Company::new().await;
    let (vic, _) = company.hire("vic", "viewer").await;
    let path = format!("/api/admin/users/{vic}/disable-totp");
    company.ada.post(&path, json!({})).await.refused(StatusCode::CONFLICT, "totp_not_enabled");
    run(
        company.app(),
        &format!(
            "with s as (insert into secrets (id, purpose, sealed) values (gen_random_uuid(), 'totp', 'x') returning id),
             c as (insert into recovery_codes (user_id, code_hash) values ('{vic}', 'x'))
             insert into totp_secrets (user_id, secret_id, confirmed_at) select '{vic}', id, now() from s"
        ),
    )
    .await;
    let before = company.ada.get(&format!("/api/admin/users/{vic}")).await;
    assert_eq!(before.body["totp_enabled"], true);
    let after = company.ada.post(&path, json!({})).await.is(StatusCode::OK);
    assert_eq!(after.body["totp_enabled"], false);
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from secrets where purpose = 'totp') + (select count(*) from recovery_codes)",
    )
    .fetch_one(company.app().db.system())
    .await
    .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn who_is_deleted_leaves_nothing_but_what_they_did() {
    let company = Company::new().await;
    let ada = &company.ada;
    let (dev_id, dev) = company.hire("dev", "developer").await;
    let key = Visitor::new(company.app()).bearer(&dev.key("robot", &["view:instances"]).await);
    dev.post("/api/orgs", json!({ "name": "Mine" })).await.is(StatusCode::CREATED);
    let path = format!("/api/admin/users/{dev_id}");
    let owner = ada.delete(&path).await;
    assert!(owner.body["error"]["message"].as_str().unwrap().contains("Mine"));
    owner.refused(StatusCode::CONFLICT, "owner_of_organization");
    dev.with("x-org-slug", "mine").delete("/api/org").await.is(StatusCode::NO_CONTENT);

    let ada_id = ada.get("/api/user").await.text("id");
    ada.delete(&format!("/api/admin/users/{ada_id}")).await.refused(StatusCode::CONFLICT, "own_account");
    ada.delete(&format!("{path}?dry_run=true")).await.is(StatusCode::NO_CONTENT);
    ada.get(&path).await.is(StatusCode::OK);
    ada.with("if-match", "\"9\"").delete(&path).await.is(StatusCode::PRECONDITION_FAILED);
    ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    ada.get(&path).await.is(StatusCode::NOT_FOUND);
    ada.delete(&path).await.is(StatusCode::NOT_FOUND);
    dev.get("/api/user").await.is(StatusCode::UNAUTHORIZED);
    key.get("/api/instances").await.refused(StatusCode::FORBIDDEN, "key_revoked");
    let grants: i64 =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from grants where principal_id = '{dev_id}'")))
            .fetch_one(company.app().db.system())
            .await
            .unwrap();
    assert_eq!(grants, 0);
    let told = ada.get("/api/audit-logs?action=member.removed").await.is(StatusCode::OK);
    assert_eq!(told.body["data"][0]["before"]["api_keys"], json!(["robot"]));
    let did = ada.get(&format!("/api/audit-logs?actor={dev_id}")).await.is(StatusCode::OK);
    assert!(!did.body["data"].as_array().unwrap().is_empty());
}
