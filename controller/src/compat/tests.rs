//! The second surface, as its clients see it.

use super::document::{operations, path_parameters};
use super::row::{In, Kind, ORGANIZATION, Source};
use super::v1::TABLE;
use crate::identity::authentication::tests::{Answer, Visitor, member, run, sign_in, stranger};
use crate::router::{openapi, openapi_v1};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn every_row_leads_to_an_operation_with_all_its_parameters() {
    let operations = operations(&serde_json::to_value(openapi()).unwrap());
    let mut seen = BTreeSet::new();
    for row in TABLE {
        let name = format!("{} {}", row.method, row.path);
        assert!(seen.insert(name.clone()), "{name} is there twice");
        let target = operations.get(row.operation).unwrap_or_else(|| panic!("{name} leads to no operation"));
        let own: Vec<&str> = path_parameters(row.path).collect();
        for parameter in path_parameters(&target.path) {
            let in_body = row.sends.iter().any(|s| matches!(s, In::Path { parameter: p, .. } if *p == parameter));
            let source = row.parameters.iter().find(|(canonical, _)| *canonical == parameter).map(|(_, source)| source);
            let filled = match source {
                None => own.contains(&parameter),
                Some(Source::Fixed(_)) => true,
                Some(source) => own.iter().any(|name| source.is_from(name)),
            };
            assert!(filled || in_body, "{name}: nothing fills {parameter}");
        }
        for parameter in own.iter().filter(|p| **p != ORGANIZATION) {
            let used = target.path.contains(&format!("{{{parameter}}}"))
                || row.parameters.iter().any(|(_, source)| source.is_from(parameter));
            assert!(used, "{name}: {parameter} is not used");
        }
        if let Kind::Replace { current } = row.kind {
            assert!(operations.contains_key(current), "{name} replaces what {current} does not show");
        }
        if row.kind == Kind::List {
            let whole = target.operation["responses"]["200"]["content"]["application/json"]["schema"].to_string();
            assert!(whole.contains("List_"), "{name} is no list: {whole}");
        }
    }
}

#[test]
fn the_derived_document_is_whole() {
    let document = openapi_v1().unwrap();
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to and not there");
    }
    let created = &document["paths"]["/v1/api-tokens"]["post"];
    let asked = created["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
    let asked = &schemas[asked.rsplit('/').next().unwrap()];
    assert!(asked["properties"]["expires_in"].is_object() && asked["properties"]["expires_at"].is_null(), "{asked}");
    assert_eq!(asked["required"], json!(["name"]));
    let shown = created["responses"]["201"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
    assert!(schemas[shown.rsplit('/').next().unwrap()]["properties"]["token"].is_object());
    let nodes = schemas["V1List_Server"]["properties"]["data"]["items"]["properties"]["status"]["enum"].to_string();
    assert!(nodes.contains("healthy") && !nodes.contains("online"), "{nodes}");
}

fn reads(answer: &Value, keys: &[&str]) {
    for key in keys {
        assert!(!answer[key].is_null(), "{key} is missing in {answer}");
    }
}

#[tokio::test]
async fn the_samples_of_the_reference_work_as_printed() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let status = anyone.get("/v1/auth/bootstrap/status").await.is(StatusCode::OK);
    assert_eq!(status.body["needed"], true);
    let made =
        anyone.post("/v1/auth/bootstrap", json!({"email": "ada@example.com", "password": "a quiet place 7"})).await;
    reads(&made.is(StatusCode::CREATED).body, &["access_token", "refresh_token", "token_type"]);

    let login = json!({"email": "ada@example.com", "password": "a quiet place 7"});
    let login = anyone.post("/v1/auth/login", login).await.is(StatusCode::OK);
    assert_eq!((&login.body["expires_in"], &login.body["token_type"]), (&json!(900), &json!("Bearer")));
    assert!(login.body["user"].is_null());
    let next = anyone.post("/v1/auth/refresh", json!({"refresh_token": login.text("refresh_token")})).await;
    let next = next.is(StatusCode::OK);
    assert_eq!(next.body["expires_in"], 900);
    let ada = anyone.bearer(&next.text("access_token"));

    let token = ada.post("/v1/api-tokens", json!({"name": "github-actions", "expires_in": 2_592_000})).await;
    let token = token.is(StatusCode::CREATED);
    reads(&token.body, &["id", "name", "token", "expires_at", "created_at"]);
    assert!(token.text("token").starts_with("shardlyn_api_"), "{}", token.body);
    let robot = anyone.bearer(&token.text("token"));
    robot.get("/v1/nodes").await.is(StatusCode::OK);
    let listed = ada.get("/v1/api-tokens").await.is(StatusCode::OK);
    assert_eq!(listed.body["data"][0]["name"], "github-actions");
    assert!(listed.body["data"][0]["token"].is_null());

    // Fifteen minutes, and not the hour of the other surface.
    test.clock.shift(chrono::TimeDelta::seconds(901));
    ada.get("/v1/users/me").await.is(StatusCode::UNAUTHORIZED);

    ada.delete(&format!("/v1/api-tokens/{}", token.text("id"))).await.is(StatusCode::UNAUTHORIZED);
    let ada = sign_in(&test.app, "ada@example.com").await;
    ada.delete(&format!("/v1/api-tokens/{}", token.text("id"))).await.is(StatusCode::NO_CONTENT);
    let ended = robot.get("/v1/nodes").await.is(StatusCode::FORBIDDEN);
    assert_eq!(ended.body, json!({"error": "Forbidden. This API key has been revoked or expired."}));
    let missing = anyone.get("/v1/nodes").await.is(StatusCode::UNAUTHORIZED);
    assert_eq!(missing.body, json!({"error": "Unauthorized. Please provide a valid API key."}));
    let wrong = anyone.with("x-api-key", "abc123xyz").get("/v1/nodes").await.is(StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.body, missing.body);
    for probe in ["/health", "/health/live", "/health/ready", "/health/detailed", "/ready"] {
        anyone.get(probe).await.is(StatusCode::OK);
    }
}

#[tokio::test]
async fn nodes_have_their_words_and_get_edit_put_works() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let made = ada.post("/v1/nodes/register-token", json!({})).await.is(StatusCode::CREATED);
    reads(&made.body, &["node_id", "name", "install_command", "expires_at"]);
    let path = format!("/v1/nodes/{}", made.text("node_id"));
    let mut node = ada.get(&path).await.is(StatusCode::OK).body;
    assert_eq!(node["status"], "pending");
    node["name"] = json!("web-1");
    let put = ada.send(Method::PUT, &path, Some(node.clone())).await.is(StatusCode::OK);
    assert_eq!(put.text("name"), "web-1");
    run(&test.app, "update servers set status = 'online'").await;
    assert_eq!(ada.get(&path).await.body["status"], "healthy");
    node["status"] = json!("offline");
    let refused = ada.send(Method::PUT, &path, Some(node)).await.is(StatusCode::BAD_REQUEST);
    assert!(refused.text("error").contains("status"), "{}", refused.body);
    assert_eq!(refused.headers["x-error-code"], "validation_error");
    let listed = ada.get("/v1/nodes?name=web-1").await.is(StatusCode::OK);
    assert_eq!(listed.body["data"][0]["status"], "healthy");
    let with = async |status: &str| {
        let listed = ada.get(&format!("/v1/nodes?status={status}")).await.is(StatusCode::OK);
        listed.body["data"].as_array().unwrap().len()
    };
    assert_eq!((with("healthy").await, with("unhealthy").await, with("pending,healthy").await), (1, 0, 1));
    run(&test.app, "update servers set status = 'locked'").await;
    assert_eq!((with("healthy").await, with("unhealthy").await), (0, 1));
    let refused = ada.get("/v1/nodes?status=well").await.is(StatusCode::BAD_REQUEST);
    assert!(refused.text("error").contains("status"), "{}", refused.body);
    let refused = ada.post("/v1/instances", json!({"name": "shop", "server_id": made.text("node_id")})).await;
    assert!(refused.is(StatusCode::BAD_REQUEST).text("error").contains("node_id"));
    let refused = ada.post("/v1/instances", json!({"name": "shop"})).await.is(StatusCode::BAD_REQUEST);
    assert!(refused.text("error").contains("node_id"), "{}", refused.body);
    let wrong = ada.send(Method::DELETE, "/v1/nodes", None).await.is(StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        (&wrong.headers["allow"], &wrong.headers["x-error-code"]),
        (&"GET,HEAD".parse().unwrap(), &"method_not_allowed".parse().unwrap())
    );
    assert!(wrong.body["error"].is_string());
    let unknown = ada.get("/v1/nothing").await.is(StatusCode::NOT_FOUND);
    assert_eq!(unknown.headers["x-error-code"], "not_found");
}

#[tokio::test]
async fn organizations_are_chosen_by_the_path_and_roles_by_name() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, made) = anyone.bootstrap().await;
    let first = made.organization();
    let second = ada.post("/v1/organizations", json!({"name": "Second"})).await.is(StatusCode::CREATED).text("id");
    assert_eq!(ada.get(&format!("/v1/organizations/{second}")).await.is(StatusCode::OK).text("name"), "Second");
    // Without a word the person's own first one answers, where /api asks which.
    ada.get("/v1/nodes").await.is(StatusCode::OK);
    ada.get("/api/servers").await.is(StatusCode::BAD_REQUEST);
    ada.post("/v1/nodes/register-token", json!({})).await.is(StatusCode::CREATED);
    let chosen = json!({ "default_organization_id": second });
    ada.send(Method::PUT, "/v1/settings", Some(chosen)).await.is(StatusCode::OK);
    test.app.auth.forget_slugs();
    assert_eq!(ada.get("/v1/nodes").await.is(StatusCode::OK).body["data"], json!([]));

    let base = format!("/v1/organizations/{first}");
    let invited =
        ada.post(&format!("{base}/members/invite"), json!({"email": "bob@example.com", "role": "user"})).await;
    assert_eq!(invited.is(StatusCode::CREATED).body["role"], "user");
    let invites = ada.get(&format!("{base}/invites")).await.is(StatusCode::OK);
    assert_eq!(invites.body["data"][0]["role"], "user");
    let id = invites.body["data"][0]["id"].as_str().unwrap().to_owned();
    ada.delete(&format!("{base}/invites/{id}")).await.is(StatusCode::NO_CONTENT);
    let unknown =
        ada.post(&format!("{base}/members/invite"), json!({"email": "bob@example.com", "role": "king"})).await;
    assert!(unknown.is(StatusCode::BAD_REQUEST).text("error").contains("king"));

    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    eve.get(&base).await.is(StatusCode::NOT_FOUND);
    let key = ada.with("x-org-slug", &second).key("reader", &["view:servers"]).await;
    anyone.bearer(&key).get(&format!("{base}/members")).await.is(StatusCode::NOT_FOUND);

    member(&test.app, &first, "dev@example.com", "developer", ("organization", &first)).await;
    let members = ada.get(&format!("{base}/members")).await.is(StatusCode::OK).body;
    let dev = members["data"].as_array().unwrap().iter().find(|m| m["email"] == "dev@example.com").unwrap().clone();
    assert_eq!(dev["role"], "user");
    let member = format!("{base}/members/{}", dev["id"].as_str().unwrap());
    let role = ada.send(Method::PUT, &format!("{member}/role"), Some(json!({"role": "admin"}))).await;
    assert_eq!(role.is(StatusCode::OK).body["role"], "admin");
    let set = json!({"key": "nodes.create", "effect": "deny"});
    let set = ada.post(&format!("{member}/permissions"), set).await.is(StatusCode::OK);
    assert_eq!(set.body["overrides"][0]["permission"], "manage:servers");
    let nameless = ada.post(&format!("{member}/permissions"), json!({"key": "", "effect": "deny"})).await;
    assert!(nameless.is(StatusCode::BAD_REQUEST).text("error").contains("key"));
    let list = ada.post(&format!("{member}/permissions"), json!([null])).await;
    assert!(list.is(StatusCode::BAD_REQUEST).text("error").contains("key"));
    ada.delete(&format!("{member}/permissions/nodes.create")).await.is(StatusCode::OK);
    let left = ada.get(&format!("{member}/permissions")).await.is(StatusCode::OK);
    assert_eq!(left.body["overrides"], json!([]));
    ada.delete(&member).await.is(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_list_is_whole_without_a_limit_and_goes_on_after_a_thousand() {
    let test = TestApp::start_with(|config| {
        config.rate_limit_burst = 100;
        config.rate_limit_per_second = 1;
    })
    .await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    run(
        &test.app,
        "insert into servers (id, organization_id, name, status)
         select gen_random_uuid(), o.id, 'server-' || n, 'offline' from organizations o, generate_series(1, 1250) n",
    )
    .await;
    let first = ada.get("/v1/nodes").await.is(StatusCode::OK);
    assert_eq!(first.body["data"].as_array().unwrap().len(), 1000);
    let link = first.headers["link"].to_str().unwrap();
    let next = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
    assert!(link.ends_with("rel=\"next\"") && next.starts_with("/v1/nodes?"), "{link}");
    let rest = ada.get(&next).await.is(StatusCode::OK);
    assert_eq!((rest.body["data"].as_array().unwrap().len(), rest.headers.get("link")), (250, None));
    let page = ada.get("/v1/nodes?limit=7").await.is(StatusCode::OK);
    assert_eq!(page.body["data"].as_array().unwrap().len(), 7);
    assert!(page.headers["link"].to_str().unwrap().contains("limit=7"));
    // A thousand are one request of the limit, not five.
    let remaining =
        |answer: &Answer| -> i64 { answer.headers["x-ratelimit-remaining"].to_str().unwrap().parse().unwrap() };
    assert!(remaining(&first) - remaining(&page) <= 2, "{:?} {:?}", first.headers, page.headers);
}
