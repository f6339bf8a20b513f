//! Signing in with an account elsewhere, and every way of cheating at it.

use super::issuer_for_tests::{CLIENT, Cheat, Issuer, SECRET, query};
use crate::app::App;
use crate::identity::authentication::tests::{Answer, PASSWORD, Visitor, run, sign_in, stranger};
use crate::identity::second_factors::tests::totp_on;
use crate::testing::TestApp;
use axum::http::{Method, StatusCode, header};
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The platform with that issuer as `sso` and `hub` (a GitHub of one's own), and its administrator.
async fn platform(signup: &str) -> (TestApp, Issuer, Visitor) {
    let test = TestApp::start().await;
    let issuer = Issuer::start(&test.clock).await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let provider = |id: &str, kind: &str| {
        json!({ "id": id, "kind": kind, "name": id.to_uppercase(), "issuer": issuer.url(), "client_id": CLIENT,
                "client_secret": SECRET })
    };
    let body = json!({ "signup": signup, "oauth": [provider("sso", "oidc"), provider("hub", "github")] });
    ada.send(Method::PUT, "/api/admin/settings", Some(body)).await.is(StatusCode::OK);
    (test, issuer, ada)
}

fn location(answer: &Answer) -> String {
    answer.headers[header::LOCATION].to_str().unwrap().to_owned()
}

/// Off to the provider: its address, and the browser with its cookie.
async fn leave(visitor: &Visitor, path: &str) -> (String, Visitor) {
    let answer = visitor.get(path).await.is(StatusCode::SEE_OTHER);
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("; Path=/api/auth/oauth; Max-Age=600; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    (location(&answer), visitor.with("cookie", answer.cookies()[0].clone()))
}

/// There and back; where the console goes on.
async fn round(visitor: &Visitor, issuer: &Issuer, path: &str) -> Answer {
    let (there, browser) = leave(visitor, path).await;
    browser.get(&issuer.consent(&there)).await.is(StatusCode::SEE_OTHER)
}

async fn sso(visitor: &Visitor, issuer: &Issuer) -> Answer {
    round(visitor, issuer, "/api/auth/oauth/sso").await
}

/// Nobody was signed in.
#[track_caller]
fn failed(answer: &Answer, word: &str) {
    assert_eq!(location(answer), format!("/login?oauth_error={word}"));
    assert!(answer.cookies().iter().all(|c| !c.starts_with("ocore_session") && !c.starts_with("ocore_refresh")));
}

/// The browser that was signed in.
fn signed_in(test: &TestApp, answer: &Answer) -> Visitor {
    let cookies = answer.cookies();
    let session = cookies.iter().find(|c| c.starts_with("ocore_session=")).unwrap_or_else(|| panic!("{answer:?}"));
    assert!(cookies.contains(&"ocore_oauth=".to_owned()), "{cookies:?}");
    Visitor::new(&test.app).with("cookie", session.clone()).with("origin", "http://localhost:8080")
}

async fn count(app: &App, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(app.db.system()).await.unwrap()
}

#[tokio::test]
async fn strangers_come_in_as_the_setting_says() {
    let (test, issuer, ada) = platform("closed").await;
    let anyone = Visitor::new(&test.app);
    let ways = anyone.get("/api/auth/providers").await.is(StatusCode::OK).body;
    assert_eq!(ways["providers"][0], json!({ "id": "sso", "kind": "oidc", "name": "SSO" }));
    assert!(!ways.to_string().contains(SECRET) && !ways.to_string().contains(&issuer.url()));
    failed(&sso(&anyone, &issuer).await, "signup_closed");

    let setting =
        |signup: &'static str| ada.send(Method::PUT, "/api/admin/settings", Some(json!({ "signup": signup })));
    setting("invitation").await.is(StatusCode::OK);
    failed(&sso(&anyone, &issuer).await, "signup_closed");
    let roles = ada.get("/api/roles").await.is(StatusCode::OK).body;
    let viewer = roles["data"].as_array().unwrap().iter().find(|role| role["name"] == "viewer").unwrap()["id"].clone();
    let invited = ada.post("/api/members/invite", json!({ "email": "Grace@example.com", "role_id": viewer })).await;
    invited.is(StatusCode::CREATED);
    let answer = round(&anyone, &issuer, "/api/auth/oauth/sso?return_to=/invite%3Fx%3D1").await;
    assert_eq!(location(&answer), "/invite?x=1");
    let grace = signed_in(&test, &answer).get("/api/user").await.is(StatusCode::OK).body;
    assert_eq!((&grace["email"], &grace["name"]), (&json!("grace@example.com"), &json!("Grace")));
    assert_eq!((&grace["is_admin"], &grace["organizations"]), (&json!(false), &json!([])));

    // Again: the same person, although the address has changed over there.
    issuer.is(json!({ "sub": "elsewhere-1", "email": "new@example.com", "email_verified": true }));
    let again = signed_in(&test, &sso(&anyone, &issuer).await).get("/api/user").await.is(StatusCode::OK).body;
    assert_eq!((&again["id"], &again["email"]), (&grace["id"], &json!("grace@example.com")));

    setting("open").await.is(StatusCode::OK);
    issuer.is(
        json!({ "sub": "elsewhere-2", "email": "hedy@example.com", "email_verified": true, "name": "Hedy\u{202E}" }),
    );
    let hedy = signed_in(&test, &sso(&anyone, &issuer).await).get("/api/user").await.is(StatusCode::OK).body;
    assert_eq!((&hedy["name"], &hedy["organizations"][0]["role"]), (&json!("Hedy"), &json!("owner")));
    for noted in [
        "select count(*) from audit_log where action = 'user.created' and after->>'email' <> 'ada@example.com'",
        "select count(*) from audit_log where action = 'auth.account_linked' and after->>'provider' = 'sso'",
    ] {
        assert_eq!(count(&test.app, noted).await, 2, "{noted}");
    }
    let logins = "select count(*) from login_history where method = 'oauth:sso' and succeeded";
    assert_eq!(count(&test.app, logins).await, 3);
    assert_eq!(count(&test.app, "select count(*) from users where password_hash is null").await, 2);
}

#[tokio::test]
async fn an_account_is_never_taken_over_by_its_address() {
    let (test, issuer, ada) = platform("open").await;
    let anyone = Visitor::new(&test.app);
    issuer.is(json!({ "sub": "ada-elsewhere", "email": "ADA@example.com", "email_verified": true }));
    failed(&sso(&anyone, &issuer).await, "account_exists");
    for claims in [
        json!({ "sub": "x", "email": "new@example.com", "email_verified": false }),
        json!({ "sub": "x", "email": "new@example.com" }),
        json!({ "sub": "x" }),
        json!({ "sub": "x", "email": "not an address", "email_verified": true }),
    ] {
        issuer.is(claims);
        failed(&sso(&anyone, &issuer).await, "email_unverified");
    }
    assert_eq!(count(&test.app, "select count(*) from connected_accounts").await, 0);
    assert_eq!(count(&test.app, "select count(*) from users").await, 1);

    // Signed in, Ada connects it, whatever its address; from then on it signs her in.
    issuer.is(json!({ "sub": "ada-elsewhere", "email": "private@example.com", "email_verified": false }));
    let answer = round(&ada, &issuer, "/api/auth/oauth/sso?flow=link&return_to=/account").await;
    assert_eq!(location(&answer), "/account");
    assert_eq!(answer.cookies(), ["ocore_oauth="]);
    let me = signed_in(&test, &sso(&anyone, &issuer).await).get("/api/user").await.is(StatusCode::OK).body;
    assert_eq!(me["email"], "ada@example.com");
    let list = ada.get("/api/user/connected-accounts").await.is(StatusCode::OK).body;
    assert_eq!((&list["has_password"], &list["data"][0]["provider_name"]), (&json!(true), &json!("SSO")));
    assert_eq!(list["data"][0]["email"], Value::Null, "it is not verified");
    assert!(list["data"][0]["last_used_at"].is_string());
    assert_eq!(count(&test.app, "select count(*) from audit_log where action = 'auth.account_linked'").await, 1);

    // A closed account stays closed.
    run(&test.app, "update users set suspended_at = now()").await;
    failed(&sso(&anyone, &issuer).await, "account_closed");
    run(&test.app, "update users set suspended_at = null").await;

    // A provider that points elsewhere by now knows nobody.
    let other = Issuer::start(&test.clock).await;
    other.is(json!({ "sub": "ada-elsewhere", "email": "ada@example.com", "email_verified": true }));
    let body = json!({ "oauth": [{ "id": "sso", "kind": "oidc", "name": "SSO", "issuer": other.url(), "client_id": CLIENT,
                                   "client_secret": SECRET }] });
    ada.send(Method::PUT, "/api/admin/settings", Some(body)).await.is(StatusCode::OK);
    failed(&sso(&anyone, &other).await, "account_exists");
}

#[tokio::test]
async fn a_state_is_of_one_browser_one_provider_and_once() {
    let (test, issuer, _) = platform("open").await;
    let anyone = Visitor::new(&test.app);

    // The attacker's own way back, opened in a victim's browser: the victim must not end up as the attacker.
    let (there, attacker) = leave(&anyone, "/api/auth/oauth/sso").await;
    let path = issuer.consent(&there);
    failed(&anyone.get(&path).await.is(StatusCode::SEE_OTHER), "state_invalid");
    failed(&attacker.get(&path).await, "state_invalid");
    let (there, _) = leave(&anyone, "/api/auth/oauth/sso").await;
    let (_, victim) = leave(&anyone, "/api/auth/oauth/sso").await;
    failed(&victim.get(&issuer.consent(&there)).await, "state_invalid");

    // Nor does another site's page send anybody away in the first place.
    for site in ["cross-site", "same-site", "rubbish"] {
        let led = anyone.with("sec-fetch-site", site).get("/api/auth/oauth/sso").await;
        led.refused(StatusCode::FORBIDDEN, "origin_refused");
    }
    for site in ["same-origin", "none"] {
        anyone.with("sec-fetch-site", site).get("/api/auth/oauth/sso").await.is(StatusCode::SEE_OTHER);
    }

    // Another provider's route, made-up states, none at all.
    let (there, browser) = leave(&anyone, "/api/auth/oauth/sso").await;
    let path = issuer.consent(&there).replace("/sso/", "/hub/");
    failed(&browser.get(&path).await, "state_invalid");
    for path in ["?code=x&state=made-up", "?code=x", "?state=", "", "?error=access_denied"] {
        let path = format!("/api/auth/oauth/sso/callback{path}");
        failed(&browser.get(&path).await.is(StatusCode::SEE_OTHER), "state_invalid");
    }
    // Too late.
    let (there, browser) = leave(&anyone, "/api/auth/oauth/sso").await;
    test.clock.shift(TimeDelta::seconds(601));
    failed(&browser.get(&issuer.consent(&there)).await, "state_invalid");

    // The person says no; the provider says nonsense; another issuer answers.
    for (more, word) in [
        ("error=access_denied", "denied"),
        ("error=server_error", "provider_refused"),
        ("code=", "provider_refused"),
        ("code=made-up", "provider_refused"),
    ] {
        let (there, browser) = leave(&anyone, "/api/auth/oauth/sso").await;
        let path = format!("/api/auth/oauth/sso/callback?state={}&{more}", query(&there)["state"]);
        failed(&browser.get(&path).await.is(StatusCode::SEE_OTHER), word);
    }
    let (there, browser) = leave(&anyone, "/api/auth/oauth/sso").await;
    let path = issuer.consent(&there) + "&iss=https://evil.test";
    failed(&browser.get(&path).await, "provider_refused");

    // Fifty times at once: one session.
    let (there, browser) = leave(&anyone, "/api/auth/oauth/sso").await;
    let path = issuer.consent(&there);
    let answers = join_all((0..50).map(|_| browser.get(&path))).await;
    assert_eq!(answers.iter().filter(|a| location(a) == "/").count(), 1);
    assert_eq!(answers.iter().filter(|a| location(a).ends_with("state_invalid")).count(), 49);
    assert_eq!(count(&test.app, "select count(*) from sessions where method = 'oauth:sso'").await, 1);
}

#[tokio::test]
async fn what_the_issuer_did_not_sign_for_us_is_refused() {
    let (test, issuer, _) = platform("open").await;
    let anyone = Visitor::new(&test.app);
    for cheat in [
        Cheat::OtherNonce,
        Cheat::NoNonce,
        Cheat::OtherAudience,
        Cheat::OtherIssuer,
        Cheat::Expired,
        Cheat::OtherKey,
        Cheat::Unsigned,
        Cheat::SharedSecret,
        Cheat::OtherAccessToken,
        Cheat::NoIdToken,
    ] {
        issuer.desk().cheat = cheat;
        let answer = sso(&anyone, &issuer).await;
        assert_eq!(location(&answer), "/login?oauth_error=provider_refused", "{cheat:?}");
    }
    issuer.desk().cheat = Cheat::No;

    // Somebody else's code, put into one's own way back: PKCE and nonce tie it to the request it was given for.
    let (victims, _) = leave(&anyone, "/api/auth/oauth/sso").await;
    let stolen = query(&format!("http://x{}", issuer.consent(&victims)))["code"].clone();
    for provider in ["sso", "hub"] {
        let (there, attacker) = leave(&anyone, &format!("/api/auth/oauth/{provider}")).await;
        let path = format!("/api/auth/oauth/{provider}/callback?code={stolen}&state={}", query(&there)["state"]);
        failed(&attacker.get(&path).await, "provider_refused");
    }
    assert_eq!(count(&test.app, "select count(*) from sessions where method like 'oauth:%'").await, 0);
    assert_eq!(count(&test.app, "select count(*) from users").await, 1);

    // What is kept meanwhile is sealed; and an address that only the issuer's other page tells is found.
    let (there, _) = leave(&anyone, "/api/auth/oauth/sso").await;
    let asked = query(&there);
    let rows: String = sqlx::query_scalar("select json_agg(c)::text from login_challenges c")
        .fetch_one(test.app.db.system())
        .await
        .unwrap();
    assert!(!rows.contains(&asked["state"]) && !rows.contains(&asked["nonce"]));
    issuer.desk().only_userinfo = true;
    let me = signed_in(&test, &sso(&anyone, &issuer).await).get("/api/user").await.is(StatusCode::OK).body;
    assert_eq!((&me["email"], &me["name"]), (&json!("grace@example.com"), &json!("Grace")));
}

#[tokio::test]
async fn accounts_are_connected_by_who_is_signed_in() {
    let (test, issuer, ada) = platform("open").await;
    let anyone = Visitor::new(&test.app);
    let link = "/api/auth/oauth/sso?flow=link&return_to=/account";
    anyone.get(link).await.refused(StatusCode::UNAUTHORIZED, "unauthenticated");
    let robot = anyone.bearer(&ada.key("robot", &["view:org"]).await);
    robot.get(link).await.refused(StatusCode::FORBIDDEN, "person_required");
    anyone.get("/api/auth/oauth/sso?flow=steal").await.is(StatusCode::BAD_REQUEST);
    for elsewhere in ["//evil.test", "https://evil.test", "%2F%5Cevil.test"] {
        let path = format!("/api/auth/oauth/sso?return_to={elsewhere}");
        assert_eq!(anyone.get(&path).await.is(StatusCode::BAD_REQUEST).body["error"]["details"]["field"], "return_to");
    }

    // Grace signs up with it; then it is hers, and cannot be connected to Ada.
    let grace = signed_in(&test, &sso(&anyone, &issuer).await);
    let answer = round(&ada, &issuer, link).await;
    assert_eq!(location(&answer), "/account?oauth_error=linked_elsewhere");
    // Connecting one's own again changes nothing; another one of that provider is refused.
    assert_eq!(location(&round(&grace, &issuer, link).await), "/account");
    issuer.is(json!({ "sub": "elsewhere-2" }));
    assert_eq!(location(&round(&grace, &issuer, link).await), "/account?oauth_error=linked_already");
    assert_eq!(count(&test.app, "select count(*) from connected_accounts").await, 1);

    // Ada's session ends while she is away; then a way back is nobody's.
    let second = sign_in(&test.app, "ada@example.com").await;
    let (there, browser) = leave(&second, link).await;
    second.post("/api/auth/logout", json!({})).await.is(StatusCode::NO_CONTENT);
    let answer = browser.get(&issuer.consent(&there)).await;
    assert_eq!(location(&answer), "/account?oauth_error=session_ended");

    // A session that has not shown the second factor connects nothing.
    let old = sign_in(&test.app, "ada@example.com").await;
    let (there, browser) = leave(&old, link).await;
    let (phone, _) = totp_on(&test, &ada).await;
    let answer = browser.get(&issuer.consent(&there)).await;
    assert_eq!(location(&answer), "/account?oauth_error=second_factor_required");
    old.get(link).await.refused(StatusCode::FORBIDDEN, "second_factor_required");
    assert_eq!(location(&round(&ada, &issuer, link).await), "/account");

    // Signing in with it owes the code, too.
    let answer = sso(&anyone, &issuer).await;
    assert_eq!(answer.cookies(), ["ocore_oauth="]);
    let page = location(&answer);
    let fragment = page.strip_prefix("/login#").unwrap_or_else(|| panic!("{page}"));
    let owed: HashMap<String, String> = form_urlencoded::parse(fragment.as_bytes()).into_owned().collect();
    assert_eq!((owed["methods"].as_str(), owed["return_to"].as_str()), ("totp,recovery_code", "/"));
    test.clock.shift(TimeDelta::seconds(30));
    let body = json!({ "mfa_token": owed["mfa_token"], "code": phone.code(&test.app) });
    anyone.post("/api/auth/login/totp", body).await.is(StatusCode::OK);
    let method = "select count(*) from sessions where method = 'oauth:sso+totp' and second_factor";
    assert_eq!(count(&test.app, method).await, 1);
}

#[tokio::test]
async fn github_vouches_by_its_verified_primary_address() {
    let (test, issuer, _) = platform("open").await;
    let anyone = Visitor::new(&test.app);
    let hub = async || round(&anyone, &issuer, "/api/auth/oauth/hub").await;
    for emails in [
        json!([]),
        json!([{ "email": "grace@example.com", "primary": true, "verified": false }]),
        json!([{ "email": "grace@example.com", "primary": false, "verified": true }]),
    ] {
        issuer.desk().emails = emails;
        failed(&hub().await, "email_unverified");
    }
    issuer.desk().emails = json!([
        { "email": "other@example.com", "primary": false, "verified": true },
        { "email": "grace@example.com", "primary": true, "verified": true },
    ]);
    let me = signed_in(&test, &hub().await).get("/api/user").await.is(StatusCode::OK).body;
    assert_eq!((&me["email"], &me["name"]), (&json!("grace@example.com"), &json!("grace")));
    let subject: String =
        sqlx::query_scalar("select subject from connected_accounts").fetch_one(test.app.db.system()).await.unwrap();
    assert_eq!(subject, "4711");
}

#[tokio::test]
async fn the_last_account_elsewhere_stays() {
    let (test, issuer, ada) = platform("open").await;
    let anyone = Visitor::new(&test.app);
    let grace = signed_in(&test, &sso(&anyone, &issuer).await);
    assert_eq!(location(&round(&grace, &issuer, "/api/auth/oauth/hub?flow=link").await), "/");
    let list = grace.get("/api/user/connected-accounts").await.is(StatusCode::OK).body;
    assert_eq!(list["has_password"], false);
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|a| a["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 2);
    ada.delete(&format!("/api/user/connected-accounts/{}", ids[0])).await.refused(StatusCode::NOT_FOUND, "not_found");

    // Both at once, many times: one stays.
    let tries = (0..50).map(|n| {
        let (grace, path) = (grace.clone(), format!("/api/user/connected-accounts/{}", ids[n % 2]));
        async move { grace.delete(&path).await }
    });
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::NO_CONTENT).count(), 1);
    assert_eq!(answers.iter().filter(|a| a.code() == "last_way_in").count(), 25);
    let hash = test.app.auth.passwords.hash(&ocore_shared::secret::Secret::new(PASSWORD)).await.unwrap();
    sqlx::query("update users set password_hash = $1").bind(hash).execute(test.app.db.system()).await.unwrap();
    let left = grace.get("/api/user/connected-accounts").await.body["data"][0]["id"].as_str().unwrap().to_owned();
    grace.delete(&format!("/api/user/connected-accounts/{left}")).await.is(StatusCode::NO_CONTENT);
    assert_eq!(count(&test.app, "select count(*) from audit_log where action = 'auth.account_unlinked'").await, 2);
}

#[tokio::test]
async fn a_provider_that_is_away_says_so() {
    let (test, issuer, ada) = platform("open").await;
    let anyone = Visitor::new(&test.app);
    anyone.get("/api/auth/oauth/none").await.refused(StatusCode::NOT_FOUND, "not_found");
    stranger(&test.app, "eve@example.com").await;
    let gone = "http://127.0.0.1:1";
    let body = json!({ "oauth": [{ "id": "gone", "kind": "oidc", "name": "Gone", "issuer": gone, "client_id": CLIENT,
                                   "client_secret": SECRET }] });
    let (there, browser) = leave(&anyone, "/api/auth/oauth/sso").await;
    ada.send(Method::PUT, "/api/admin/settings", Some(body)).await.is(StatusCode::OK);
    failed(&anyone.get("/api/auth/oauth/gone").await.is(StatusCode::SEE_OTHER), "provider_unreachable");
    // Switched off while somebody was there.
    browser.get(&issuer.consent(&there)).await.refused(StatusCode::NOT_FOUND, "not_found");
    // Over HTTPS the cookie has the name that browsers protect.
    let body = json!({ "oauth": [{ "id": "hub", "kind": "github", "name": "Hub", "client_id": CLIENT,
                                   "client_secret": SECRET }] });
    ada.send(Method::PUT, "/api/admin/settings", Some(body)).await.is(StatusCode::OK);
    let answer = anyone.clone().tls().get("/api/auth/oauth/hub").await.is(StatusCode::SEE_OTHER);
    assert!(location(&answer).starts_with("https://github.com/login/oauth/authorize?client_id=ocore&"));
    assert_eq!(query(&location(&answer))["redirect_uri"], "https://localhost:8080/api/auth/oauth/hub/callback");
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Secure-ocore_oauth=") && cookie.ends_with("; Secure"), "{cookie}");
}
