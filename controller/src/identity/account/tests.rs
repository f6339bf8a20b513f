//! What one may change of oneself, and how one leaves.

use crate::app::App;
use crate::identity::authentication::tests::{Answer, PASSWORD, Visitor, run, sign_in, stranger};
use crate::identity::members::tests::Company;
use crate::platform::mail::tests::{Sink, link_token, with_sink, work_off};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use futures::future::join_all;
use serde_json::{Value, json};

const OTHER: &str = "another place 8";

async fn patch(visitor: &Visitor, body: Value) -> Answer {
    visitor.send(Method::PATCH, "/api/user", Some(body)).await
}

async fn leave(visitor: &Visitor, body: Value) -> Answer {
    visitor.send(Method::DELETE, "/api/user", Some(body)).await
}

async fn login(app: &App, email: &str, password: &str) -> Answer {
    Visitor::new(app).post("/api/auth/login", json!({ "email": email, "password": password })).await
}

#[tokio::test]
async fn one_changes_ones_name_and_little_else() {
    let test = TestApp::start().await;
    let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
    let organization = answer.body["user"]["organizations"][0]["id"].clone();
    let body = json!({ "name": "Ada L.", "locale": "de-AT", "timezone": "Europe/Vienna",
                       "default_organization_id": organization });
    let changed = patch(&ada, body).await.is(StatusCode::OK);
    assert_eq!((changed.text("name"), changed.text("timezone")), ("Ada L.".into(), "Europe/Vienna".into()));
    assert_eq!(changed.body["default_organization_id"], organization);
    // The name is the new one in what is done next.
    ada.key("robot", &["view:org"]).await;
    let actor: String = sqlx::query_scalar("select actor ->> 'name' from audit_log where action = 'api_key.created'")
        .fetch_one(test.app.db.system())
        .await
        .unwrap();
    assert_eq!(actor, "Ada L.");
    let cleared = patch(&ada, json!({ "locale": null, "default_organization_id": null })).await.is(StatusCode::OK);
    assert_eq!((&cleared.body["locale"], &cleared.body["timezone"]), (&Value::Null, &json!("Europe/Vienna")));
    // What was read may come back; what is not one's own to change may not.
    patch(&ada, ada.get("/api/user").await.body).await.is(StatusCode::OK);
    let other = stranger_organization(&test.app).await;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("a\u{202e}b")),
        ("locale", json!("not a language")),
        ("timezone", json!("Middle/Earth")),
        ("default_organization_id", json!(other)),
        ("is_admin", json!(false)),
        ("email", json!("other@example.com")),
        ("has_password", json!(false)),
        ("password_hash", json!("x")),
    ] {
        let refused = patch(&ada, json!({ field: value })).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(refused.body["error"]["details"]["field"], field);
    }
    let stale = ada.with("if-match", "\"1\"");
    patch(&stale, json!({ "name": "Late" })).await.is(StatusCode::PRECONDITION_FAILED);
}

async fn stranger_organization(app: &App) -> String {
    stranger(app, "eve@example.com").await;
    let eve = sign_in(app, "eve@example.com").await;
    eve.post("/api/orgs", json!({ "name": "Elsewhere" })).await.is(StatusCode::CREATED).text("id")
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let second = sign_in(&test.app, "ada@example.com").await;
    let change = |body: Value| ada.post("/api/user/password", body);
    let body = |present: &str, new: &str| json!({ "current_password": present, "new_password": new });
    change(body("wrong 1 password", OTHER)).await.refused(StatusCode::FORBIDDEN, "wrong_password");
    for weak in ["short1", "Password123", PASSWORD] {
        let refused = change(body(PASSWORD, weak)).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(refused.body["error"]["details"]["field"], "new_password");
    }
    let mut keep = body(PASSWORD, OTHER);
    keep["revoke_other_sessions"] = json!(false);
    change(keep).await.is(StatusCode::NO_CONTENT);
    second.get("/api/user").await.is(StatusCode::OK);
    change(body(OTHER, "a third place 9")).await.is(StatusCode::NO_CONTENT);
    second.get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
    ada.get("/api/user").await.is(StatusCode::OK);
    login(&test.app, "ada@example.com", PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    login(&test.app, "ada@example.com", "a third place 9").await.is(StatusCode::OK);
    work_off(&test.app).await;
    assert_eq!(sink.mails().iter().filter(|mail| mail.contains("Your password was changed")).count(), 2);
    ada.post("/api/user/set-password", json!({ "password": OTHER }))
        .await
        .refused(StatusCode::CONFLICT, "has_password");
}

#[tokio::test]
async fn a_first_password_is_set_once_by_who_has_just_signed_in() {
    let test = TestApp::start().await;
    Visitor::new(&test.app).bootstrap().await;
    let ada = sign_in(&test.app, "ada@example.com").await;
    run(&test.app, "update users set password_hash = null").await;
    assert_eq!(ada.get("/api/user").await.body["has_password"], false);
    let change = json!({ "current_password": PASSWORD, "new_password": OTHER });
    ada.post("/api/user/password", change).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "no_password");
    ada.post("/api/user/set-password", json!({ "password": "password1" })).await.is(StatusCode::BAD_REQUEST);
    test.clock.shift(chrono::TimeDelta::minutes(16));
    let set = |password: String| ada.post("/api/user/set-password", json!({ "password": password }));
    set(OTHER.into()).await.refused(StatusCode::FORBIDDEN, "sign_in_again");
    run(&test.app, "update sessions set created_at = now() + interval '16 minutes'").await;
    let answers = join_all((0..50).map(|i| set(format!("a new place {i}")))).await;
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::NO_CONTENT).count(), 1);
    assert!(answers.iter().all(|a| a.status == StatusCode::NO_CONTENT || a.code() == "has_password"), "{answers:?}");
}

#[tokio::test]
async fn another_address_counts_once_its_link_is_opened() {
    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    stranger(&test.app, "eve@example.com").await;
    let wish = |email: &str| json!({ "email": email, "password": PASSWORD });
    let mut wrong = wish("ada@example.org");
    wrong["password"] = json!("wrong 1 password");
    ada.post("/api/user/email", wrong).await.refused(StatusCode::FORBIDDEN, "wrong_password");
    ada.post("/api/user/email", wish("ada@example.com")).await.is(StatusCode::BAD_REQUEST);
    // Somebody's address answers like a free one, and its owner is told.
    let taken = ada.post("/api/user/email", wish("eve@example.com")).await.is(StatusCode::ACCEPTED);
    let free = ada.post("/api/user/email", wish("Ada@example.org")).await.is(StatusCode::ACCEPTED);
    assert_eq!(taken.body, free.body);
    work_off(&test.app).await;
    let mails = sink.mails();
    assert!(mails.iter().any(|m| m.contains("To: eve@example.com") && m.contains("There is an account already")));
    let mail = mails.iter().find(|mail| mail.contains("To: Ada@example.org")).unwrap();
    assert!(mail.contains("/api/auth/verify-email-change?token="), "{mail}");
    assert_eq!(ada.get("/api/user").await.text("email"), "ada@example.com");

    ada.post("/api/auth/forgot-password", json!({ "email": "ada@example.com" })).await.is(StatusCode::ACCEPTED);
    work_off(&test.app).await;
    let reset = link_token(sink.mails().last().unwrap());
    let nobody = Visitor::new(&test.app);
    let open = |token: String| {
        let nobody = nobody.clone();
        async move {
            let answer = nobody.get(&format!("/api/auth/verify-email-change?token={token}")).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER);
            answer.headers["location"].to_str().unwrap().to_owned()
        }
    };
    let token = link_token(mail);
    assert_eq!(open("made-up".into()).await, "https://localhost:8080/login?email_change=refused");
    // A filter that opens all links does no harm.
    for _ in 0..2 {
        assert_eq!(open(token.clone()).await, "https://localhost:8080/login?email_change=done");
    }
    assert_eq!(ada.get("/api/user").await.text("email"), "Ada@example.org");
    login(&test.app, "ada@example.com", PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    login(&test.app, "ada@example.org", PASSWORD).await.is(StatusCode::OK);
    work_off(&test.app).await;
    let told = sink.mails().last().unwrap().clone();
    assert!(told.contains("To: ada@example.com") && told.contains("Ada@example.org"), "{told}");
    // A link for a password that went to the address before is void.
    let body = json!({ "token": reset, "password": OTHER });
    nobody.post("/api/auth/reset-password", body).await.is(StatusCode::BAD_REQUEST);
    nobody.get("/api/auth/verify-email-change").await.is(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn nobody_takes_an_address_that_got_an_account_meanwhile() {
    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let wish = json!({ "email": "new@example.com", "password": PASSWORD });
    ada.post("/api/user/email", wish).await.is(StatusCode::ACCEPTED);
    work_off(&test.app).await;
    stranger(&test.app, "New@example.com").await;
    let path = format!("/api/auth/verify-email-change?token={}", link_token(&sink.mails()[0]));
    let answer = Visitor::new(&test.app).get(&path).await.is(StatusCode::SEE_OTHER);
    assert!(answer.headers["location"].to_str().unwrap().ends_with("email_change=refused"));
    assert_eq!(ada.get("/api/user").await.text("email"), "ada@example.com");
}

#[tokio::test]
async fn who_leaves_leaves_nothing_without_an_owner() {
    let company = Company::new().await;
    let password = json!({ "password": PASSWORD });
    let (_, kim) = company.hire("kim", "developer").await;
    let key = Visitor::new(company.app()).bearer(&kim.key("kims", &["view:instances"]).await);
    key.get("/api/instances").await.is(StatusCode::OK);

    leave(&company.ada, json!({})).await.is(StatusCode::BAD_REQUEST);
    let wrong = json!({ "password": "wrong 1 password" });
    leave(&company.ada, wrong).await.refused(StatusCode::FORBIDDEN, "wrong_password");
    leave(&company.ada, password.clone()).await.refused(StatusCode::CONFLICT, "last_admin");
    run(company.app(), "update users set is_admin = true where email = 'kim@example.com'").await;
    let refused = leave(&company.ada, password.clone()).await;
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("Example"), "{}", refused.body);
    refused.refused(StatusCode::CONFLICT, "owns_organizations");
    company.ada.get("/api/user").await.is(StatusCode::OK);
    run(company.app(), "update users set is_admin = false where email = 'kim@example.com'").await;

    // Kim owns an empty one alone: it goes along.
    let own = kim.post("/api/orgs", json!({ "name": "Kims own" })).await.is(StatusCode::CREATED).text("id");
    kim.post(
        "/api/user/ssh-keys",
        json!({ "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPL+jxnGbUPBYAHnBUvFaL6hu7J92ma6D1h69EPZzsj5 k" }),
    )
    .await
    .is(StatusCode::CREATED);
    run(
        company.app(),
        &format!("insert into servers (id, organization_id, name) values (gen_random_uuid(), '{own}', 'web-1')"),
    )
    .await;
    let refused = leave(&kim, password.clone()).await;
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("web-1"), "{}", refused.body);
    refused.refused(StatusCode::CONFLICT, "organization_in_use");
    run(company.app(), "delete from servers").await;
    leave(&kim, password.clone()).await.is(StatusCode::NO_CONTENT);

    kim.get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
    key.get("/api/instances").await.refused(StatusCode::FORBIDDEN, "key_revoked");
    login(company.app(), "kim@example.com", PASSWORD).await.refused(StatusCode::UNAUTHORIZED, "invalid_credentials");
    let left: (i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from organizations), (select count(*) from memberships),
                (select count(*) from ssh_keys), (select count(*) from users where email like 'kim@%')",
    )
    .fetch_one(company.app().db.system())
    .await
    .unwrap();
    assert_eq!(left, (1, 1, 0, 0));
    let members = company.ada.get("/api/members").await.is(StatusCode::OK);
    assert_eq!(members.body["data"].as_array().unwrap().len(), 1);
    // The address is free again.
    stranger(company.app(), "kim@example.com").await;
    sign_in(company.app(), "kim@example.com").await;
}

#[tokio::test]
async fn keys_of_the_api_are_no_person() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let robot = Visitor::new(&test.app).bearer(&ada.key("robot", &["manage:org"]).await);
    patch(&robot, json!({ "name": "X" })).await.refused(StatusCode::FORBIDDEN, "person_required");
    leave(&robot, json!({ "password": PASSWORD })).await.refused(StatusCode::FORBIDDEN, "person_required");
    let change = json!({ "current_password": PASSWORD, "new_password": OTHER });
    robot.post("/api/user/password", change).await.refused(StatusCode::FORBIDDEN, "person_required");
    let email = json!({ "email": "x@example.com", "password": PASSWORD });
    robot.post("/api/user/email", email).await.refused(StatusCode::FORBIDDEN, "person_required");
    let set = json!({ "password": OTHER });
    robot.post("/api/user/set-password", set).await.refused(StatusCode::FORBIDDEN, "person_required");
}
