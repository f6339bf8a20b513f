//! The walk over the OpenAPI document: who may call what. A route that is not in it, or declares nothing, fails here.

use crate::commands::{openapi_text, openapi_v1_text};
use crate::identity::authentication::tests::{Visitor, run, sign_in, stranger};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// One operation of the document, with its declared permission.
struct Operation {
    method: Method,
    /// With random ids in place of parameters.
    path: String,
    name: String,
    permission: String,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&openapi_text().unwrap()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let name = format!("{method} {path}");
            let permission =
                operation["x-permission"].as_str().unwrap_or_else(|| panic!("{name} declares no permission"));
            let mut places = std::collections::BTreeSet::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let place = (parameter["name"].to_string(), parameter["in"].to_string());
                assert!(places.insert(place), "{name} has a parameter twice: {parameter}");
            }
            for text in ["summary", "operationId"] {
                assert!(operation[text].is_string(), "{name} has no {text}");
            }
            let filled: Vec<String> = path
                .split('/')
                .map(|part| if part.starts_with('{') { Uuid::now_v7().to_string() } else { part.to_owned() })
                .collect();
            found.push(Operation { method, path: filled.join("/"), name, permission: permission.to_owned() });
        }
    }
    assert!(found.len() >= 45, "only {} operations are documented", found.len());
    found
}

/// The status, or OK when the answer is a stream that goes on.
async fn status(visitor: &Visitor, operation: &Operation) -> StatusCode {
    let body = matches!(operation.method, Method::POST | Method::PATCH | Method::PUT).then(|| json!({}));
    let sent = visitor.send(operation.method.clone(), &operation.path, body);
    tokio::time::timeout(Duration::from_secs(3), sent).await.map_or(StatusCode::OK, |answer| answer.status)
}

#[tokio::test]
async fn every_route_refuses_whom_it_must() {
    let test = TestApp::start().await;
    let nobody = Visitor::new(&test.app);
    let (ada, answer) = nobody.bootstrap().await;
    let slug = answer.body["user"]["organizations"][0]["slug"].as_str().unwrap().to_owned();

    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    eve.post("/api/orgs", json!({"name": "Elsewhere"})).await.is(StatusCode::CREATED);
    let eve = eve.with("x-org-slug", &slug);

    stranger(&test.app, "vic@example.com").await;
    run(
        &test.app,
        "with o as (select id from organizations where name = 'Example'), u as (select id from users where email = 'vic@example.com'),
         m as (insert into memberships (organization_id, user_id) select o.id, u.id from o, u)
         insert into grants (id, organization_id, principal_type, principal_id, role_id, scope_type, scope_id)
         select gen_random_uuid(), o.id, 'user', u.id, r.id, 'organization', o.id from o, u, roles r
         where r.organization_id = o.id and r.name = 'viewer'",
    )
    .await;
    let vic = sign_in(&test.app, "vic@example.com").await.with("x-org-slug", &slug);

    let key = nobody.bearer(&ada.key("reader", &["view:servers"]).await);
    let expired = {
        let earlier = sign_in(&test.app, "ada@example.com").await;
        test.clock.shift(chrono::TimeDelta::hours(2));
        earlier
    };
    // Everybody else's tokens are two hours old now, too.
    let [eve, vic] = [("eve@example.com", eve), ("vic@example.com", vic)].map(|(email, _)| email);
    let eve = sign_in(&test.app, eve).await.with("x-org-slug", &slug);
    let vic = sign_in(&test.app, vic).await.with("x-org-slug", &slug);

    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    for operation in operations() {
        let Operation { name, permission, .. } = &operation;
        if permission == "public" {
            continue;
        }
        assert_eq!(status(&nobody, &operation).await, StatusCode::UNAUTHORIZED, "{name} without credentials");
        assert_eq!(status(&expired, &operation).await, StatusCode::UNAUTHORIZED, "{name} with an expired token");
        let token = nobody.with("x-agent-token", "anything");
        assert_eq!(status(&token, &operation).await, StatusCode::UNAUTHORIZED, "{name} with an agent's token");
        let agent = nobody.certificate(b"an agent's certificate, verified by TLS");
        assert_eq!(status(&agent, &operation).await, StatusCode::UNAUTHORIZED, "{name} with an agent's certificate");
        if permission == "user" || permission == "admin" {
            continue;
        }
        assert_eq!(status(&eve, &operation).await, StatusCode::NOT_FOUND, "{name} in another organization");
        let viewer = status(&vic, &operation).await;
        if permission.starts_with("view:") && permission != "view:audit" {
            assert!(!refused.contains(&viewer), "{name} as a viewer: {viewer}");
        } else {
            assert_eq!(viewer, StatusCode::FORBIDDEN, "{name} as a viewer");
        }
        let reader = status(&key, &operation).await;
        if permission == "view:servers" {
            assert!(!refused.contains(&reader), "{name} with a reader's key: {reader}");
        } else {
            assert_eq!(reader, StatusCode::FORBIDDEN, "{name} with a reader's key");
        }
    }
}

#[test]
fn the_committed_documents_are_the_generated_ones() {
    for (name, generated) in [("api", openapi_text()), ("v1", openapi_v1_text())] {
        let path = format!("{}/openapi/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let generated = generated.unwrap() + "\n";
        if std::env::var_os("OCORE_UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == generated, "{name}.json of controller/openapi is old: run with OCORE_UPDATE_SNAPSHOTS=1");
    }
}

/// Files below `controller/src`, as (path from there, content).
fn sources() -> Vec<(String, String)> {
    fn walk(dir: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    let relative = |p: &std::path::Path| p.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    found
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .map(|p| (relative(&p), std::fs::read_to_string(&p).unwrap()))
        .collect()
}

#[test]
fn sql_lives_in_stores_and_axum_in_routes() {
    let is_test = |path: &str| path.ends_with("tests.rs") || path == "testing.rs";
    let sql_home = |path: &str| path.ends_with("store.rs") || path.starts_with("platform/db/") || is_test(path);
    // The plumbing that is axum, and the two places whose subject is a WebSocket.
    let axum_home = |path: &str| {
        path.ends_with("routes.rs")
            || path.starts_with("platform/http/")
            || path.starts_with("identity/authentication/")
            || path.starts_with("fleet/terminals/")
            || ["compat/routes.rs", "compat/answers.rs"].contains(&path)
            || ["router.rs", "error.rs", "health.rs", "console.rs", "guide.rs", "platform/tunnel/accept.rs"]
                .contains(&path)
            || is_test(path)
    };
    for (path, text) in sources() {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        assert!(sql_home(&path) || !code.contains("sqlx::query"), "{path} has SQL; it belongs into a store.rs");
        let code_less = code.replace("utoipa_axum::", "");
        assert!(axum_home(&path) || !code_less.contains("axum::"), "{path} uses axum; it belongs into a routes.rs");
        if path != "router.rs" && !is_test(&path) {
            assert!(!code.contains(".route(\"/api"), "{path} adds a route past the document and its guard");
        }
    }
}
