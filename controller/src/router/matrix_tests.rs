//! Who may call what: every route of both surfaces with every kind of credential, on objects that are really there.

use super::walk_tests::{Operation, World};
use crate::identity::api_keys::model::key_make;
use crate::identity::authentication::tests::{PASSWORD, Visitor, run};
use crate::platform::http::Permission;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

/// Routes that need a credential.
fn closed(world: &World) -> impl Iterator<Item = &Operation> {
    world.document.operations().iter().filter(|o| o.permission != "public")
}

/// Tokens that say the right things and are not ours, or are ours and say something else.
fn forged(world: &World, token: &str) -> Vec<(&'static str, String)> {
    let claims = token.split('.').nth(1).unwrap();
    let signature = token.rsplit('.').next().unwrap();
    let said: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let head = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let public = world.test.app.pki.certificate_pem().to_owned();
    let by = |key: &[u8], algorithm: Algorithm, said: &Value| {
        jsonwebtoken::encode(&Header::new(algorithm), said, &EncodingKey::from_secret(key)).unwrap()
    };
    let mut raised = said.clone();
    raised["sub"] = json!(Uuid::now_v7());
    let raised = URL_SAFE_NO_PAD.encode(raised.to_string());
    let true_head = token.split('.').next().unwrap();
    vec![
        ("alg none", format!("{}.{claims}.", head(r#"{"alg":"none","typ":"JWT"}"#))),
        ("alg NONE with the signature", format!("{}.{claims}.{signature}", head(r#"{"alg":"NONE","typ":"JWT"}"#))),
        ("no signature", format!("{true_head}.{claims}.")),
        ("other claims under the signature", format!("{true_head}.{raised}.{signature}")),
        ("HS256 with the authority's public certificate", by(public.as_bytes(), Algorithm::HS256, &said)),
        ("HS256 with its pin", by(world.test.app.pki.pin().as_bytes(), Algorithm::HS256, &said)),
        ("HS256 with nothing", by(b"", Algorithm::HS256, &said)),
        ("HS256 with a guess", by(b"secret", Algorithm::HS256, &said)),
        ("RS256 in the head", format!("{}.{claims}.{signature}", head(r#"{"alg":"RS256","typ":"JWT"}"#))),
        ("a key that is brought along", {
            let jwk = format!(r#"{{"alg":"HS256","typ":"JWT","jwk":{{"kty":"oct","k":"{}"}}}}"#, head("mine"));
            format!("{}.{claims}.{signature}", head(&jwk))
        }),
        (
            "a key that is looked up",
            format!("{}.{claims}.{signature}", head(r#"{"alg":"HS256","kid":"../../../dev/null"}"#)),
        ),
    ]
}

#[tokio::test]
async fn what_is_no_credential_opens_nothing() {
    let world = World::new().await;
    let anyone = world.anyone.with("x-org-slug", world.organization.clone());
    let token = {
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        anyone.post("/api/auth/login", body).await.is(StatusCode::OK).text("access_token")
    };
    anyone.bearer(&token).get("/api/user").await.is(StatusCode::OK);
    let mut shown: Vec<(&str, Visitor)> = vec![
        ("nothing", anyone.clone()),
        ("garbage", anyone.bearer("garbage")),
        ("a key that nobody made", anyone.bearer(key_make("ocore_k_").expose())),
        ("a key that nobody made, in its own header", anyone.with("x-api-key", key_make("shardlyn_api_").expose())),
        ("a name and a password", anyone.with("authorization", "Basic YWRhQGV4YW1wbGUuY29tOmEgcXVpZXQgcGxhY2UgNw==")),
        ("two tokens", anyone.bearer(&token).bearer(&token)),
        ("a token as cookie of another name", anyone.with("cookie", format!("session={token}"))),
        ("a token in the query's place", anyone.with("x-access-token", token.clone())),
        ("an agent's token", anyone.with("x-agent-token", "anything")),
        ("an agent's certificate", anyone.certificate(b"an agent's certificate, verified by TLS")),
    ];
    shown.extend(forged(&world, &token).into_iter().map(|(what, token)| (what, anyone.bearer(&token))));
    let before = world.everything().await;
    for operation in closed(&world) {
        for (what, visitor) in &shown {
            let status = world.status(visitor, operation).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{} with {what}", operation.title);
        }
    }
    assert_eq!(before, world.everything().await);
}

#[tokio::test]
async fn keys_that_have_ended_open_nothing() {
    let world = World::new().await;
    let all: Vec<&str> = Permission::ALL.iter().map(|p| p.key()).collect();
    let mut ended = Vec::new();
    for (name, code, sql) in [
        ("revoked", "key_revoked", "update api_keys set revoked_at = now() where name = 'revoked'"),
        (
            "expired",
            "key_expired",
            "update api_keys set expires_at = now() - interval '1 second' where name = 'expired'",
        ),
    ] {
        let key = world.ada.key(name, &all).await;
        run(&world.test.app, sql).await;
        ended.push((code, world.anyone.bearer(&key)));
    }
    let before = world.everything().await;
    for operation in closed(&world) {
        for (code, key) in &ended {
            let answer = world.send(key, operation).await;
            assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, *code), "{}", operation.title);
        }
    }
    world.test.clock.shift(chrono::TimeDelta::hours(2));
    for operation in closed(&world) {
        let status = world.status(&world.ada, operation).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{} with an expired token", operation.title);
    }
    assert_eq!(before, world.everything().await);
}

#[tokio::test]
async fn who_may_not_hears_nothing_of_what_is_wrong_with_the_body() {
    let world = World::new().await;
    let viewer = world.member("vera", "viewer", "organization", &world.organization).await;
    for operation in closed(&world).filter(|o| o.is_guarded() && o.changes()) {
        for (visitor, status) in [
            (&world.anyone, StatusCode::UNAUTHORIZED),
            (&world.intruder, StatusCode::NOT_FOUND),
            (&viewer, StatusCode::FORBIDDEN),
        ] {
            let path = world.path(visitor, operation);
            for body in [None, Some(json!({})), Some(json!([null])), Some(json!({"role_id": 1, "expires_in": 0}))] {
                let answer = visitor.send(operation.method.clone(), &path, body.clone()).await;
                assert_eq!(answer.status, status, "{} with {body:?}: {}", operation.title, answer.body);
            }
        }
    }
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_by_cookie() {
    let world = World::new().await;
    let anyone = world.anyone.with("x-org-slug", world.organization.clone());
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let signed_in = anyone.with("x-session", "cookie").post("/api/auth/login", body).await.is(StatusCode::OK);
    let page = anyone.with("cookie", signed_in.cookies().join("; "));
    page.get("/api/user").await.is(StatusCode::OK);
    let pages = [
        ("no origin", page.clone()),
        ("another origin", page.with("origin", "https://evil.test")),
        ("no origin to speak of", page.with("origin", "null")),
        ("our name in theirs", page.with("origin", "https://localhost.evil.test:8080")),
        (
            "our own only as referer",
            page.with("origin", "https://evil.test").with("referer", "https://localhost:8080/"),
        ),
        ("a form", page.with("origin", "https://evil.test").with("content-type", "text/plain")),
    ];
    let before = world.everything().await;
    for operation in closed(&world).filter(|o| o.changes()) {
        for (what, visitor) in &pages {
            let answer = world.send(visitor, operation).await;
            let told = (answer.status, answer.code());
            assert_eq!(told, (StatusCode::FORBIDDEN, "origin_refused"), "{} with {what}", operation.title);
        }
    }
    assert_eq!(before, world.everything().await);
    page.get("/api/user").await.is(StatusCode::OK);
}

#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let world = World::new().await;
    let views: Vec<&str> = Permission::ALL.iter().map(|p| p.key()).filter(|k| k.starts_with("view:")).collect();
    let reader = world.anyone.bearer(&world.ada.key("reader", &views).await);
    let servers = world.anyone.bearer(&world.ada.key("servers", &["view:servers"]).await);
    let viewer = world.member("vera", "viewer", "organization", &world.organization).await;
    // Whoever downloads leaves an entry in the audit log, and may.
    let everything = async || {
        let mut tables = world.everything().await;
        tables.remove("audit_log");
        tables
    };
    let before = everything().await;
    for operation in closed(&world).filter(|o| o.is_guarded() || o.permission == "admin") {
        let permission = operation.permission.as_str();
        let is_view = permission.starts_with("view:");
        for (who, visitor, may) in [
            ("a reader's key", &reader, is_view),
            ("a viewer", &viewer, is_view && permission != "view:audit"),
            ("a key for servers", &servers, permission == "view:servers"),
        ] {
            let status = world.status(visitor, operation).await;
            if may {
                assert_eq!(status, world.status(&world.ada, operation).await, "{} as {who}", operation.title);
            } else {
                assert_eq!(status, StatusCode::FORBIDDEN, "{} as {who}", operation.title);
            }
        }
    }
    assert_eq!(before, everything().await);
}

#[tokio::test]
async fn another_organization_is_not_there() {
    let world = World::new().await;
    let before = world.everything().await;
    for operation in closed(&world).filter(|o| o.is_guarded()) {
        assert_eq!(world.status(&world.intruder, operation).await, StatusCode::NOT_FOUND, "{}", operation.title);
        // In the name of one's own, with ids of Ada's objects in path and body.
        let body = world.sample(operation).unwrap_or_default();
        let names =
            operation.names_an_object() || body.as_object().is_some_and(|b| b.keys().any(|k| k.ends_with("_id")));
        if names {
            let status = world.status(&world.eve, operation).await;
            assert!(
                status == StatusCode::NOT_FOUND || !operation.names_an_object() && status.is_client_error(),
                "{} with another organization's ids: {status}",
                operation.title
            );
        }
    }
    assert_eq!(before, world.everything().await);
}

#[tokio::test]
async fn what_is_out_of_scope_is_not_there() {
    let world = World::new().await;
    let all: Vec<&str> = Permission::ALL.iter().map(|p| p.key()).collect();
    let everything = json!({"name": "everything", "permissions": all});
    world.ada.post("/api/roles", everything).await.is(StatusCode::CREATED);
    let project = Uuid::now_v7().to_string();
    run(
        &world.test.app,
        &format!(
            "insert into projects (id, organization_id, name, slug) values ('{project}', '{}', 'Empty', 'empty')",
            world.organization
        ),
    )
    .await;
    let pia = world.member("pia", "everything", "project", &project).await;
    let body = json!({"name": "placed", "permissions": all, "scope": {"type": "project", "id": project}});
    let placed = world.ada.post("/api/api-keys", body).await.is(StatusCode::CREATED).text("key");
    let placed = world.anyone.bearer(&placed);

    let before = world.everything().await;
    for operation in closed(&world).filter(|o| o.is_guarded() || o.permission == "admin") {
        for (who, visitor) in [("a person", &pia), ("a key", &placed)] {
            let status = world.status(visitor, operation).await;
            let placed =
                ["servers", "instances", "jobs"].contains(&operation.collection()) && operation.names_an_object();
            let refused = status == StatusCode::NOT_FOUND || status == StatusCode::FORBIDDEN;
            if operation.changes() || placed || operation.permission == "admin" {
                assert!(refused, "{} as {who} of another project: {status}", operation.title);
            } else {
                assert!(refused || status.is_success(), "{} as {who} of another project: {status}", operation.title);
            }
        }
    }
    assert_eq!(before, world.everything().await);

    // Lists show nothing of what is elsewhere.
    let canonical = ["/api/servers", "/api/instances", "/api/jobs", "/api/environments"];
    for list in canonical.into_iter().chain(["/v1/nodes", "/v1/instances"]) {
        for visitor in [&pia, &placed] {
            let answer = visitor.get(list).await;
            let shown = answer.body["data"].as_array().map_or(0, Vec::len);
            assert_eq!(shown, 0, "{list}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn the_platform_is_its_administrators() {
    let world = World::new().await;
    let all: Vec<&str> = Permission::ALL.iter().map(|p| p.key()).collect();
    let key = world.anyone.bearer(&world.ada.key("strong", &all).await);
    let before = world.everything().await;
    for operation in closed(&world).filter(|o| o.permission == "admin") {
        for (who, visitor) in [("another organization's owner", &world.eve), ("an administrator's key", &key)] {
            assert_eq!(world.status(visitor, operation).await, StatusCode::FORBIDDEN, "{} as {who}", operation.title);
        }
    }
    for operation in closed(&world).filter(|o| o.permission == "owner") {
        assert_eq!(world.status(&key, operation).await, StatusCode::FORBIDDEN, "{} with a key", operation.title);
    }
    assert_eq!(before, world.everything().await);
}

/// 503 is an answer: no agent is there in this test.
fn broken(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE
}

/// What the walks above rely on: with the samples the owner gets through wherever it can be told without an agent.
#[tokio::test]
async fn the_owner_gets_through() {
    let world = World::new().await;
    for operation in closed(&world).filter(|o| o.is_guarded() && !o.changes()) {
        let status = world.status(&world.ada, operation).await;
        // No agent has said anything yet of the server.
        let is_unsaid = ["server_inventory_system", "server_metrics_latest"].contains(&operation.id.as_str());
        let is_absent = is_unsaid && status == StatusCode::NOT_FOUND;
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
        let through = !refused.contains(&status) && !broken(status);
        assert!(through || is_absent, "{} as the owner: {status}", operation.title);
    }
    for operation in closed(&world).filter(|o| o.is_guarded() && o.changes()) {
        let Some(body) = world.sample(operation) else { continue };
        // One change must not take the ground from under the next.
        let fresh = world.ada.with("if-match", "\"987654321\"");
        let answer = fresh.send(operation.method.clone(), &world.path(&fresh, operation), Some(body.clone())).await;
        let problem = answer.status == StatusCode::BAD_REQUEST && answer.code() == "validation_error";
        assert!(
            !problem && !broken(answer.status),
            "{} with the sample {body}: {} {}",
            operation.title,
            answer.status,
            answer.body
        );
    }
}
