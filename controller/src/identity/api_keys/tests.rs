//! Keys are never broader than who makes them, and never seen across organizations.

use crate::identity::authentication::tests::{Visitor, run, sign_in, stranger};
use crate::testing::TestApp;
use axum::http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn a_key_is_shown_once_and_named_once() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let body = json!({ "name": "robot", "permissions": ["manage:instances", "view:jobs"] });
    let created = ada.post("/api/api-keys", body.clone()).await.is(StatusCode::CREATED);
    let key = created.text("key");
    assert!(key.starts_with(&created.text("prefix")));
    assert_eq!(created.headers["etag"], "\"1\"");
    assert_eq!(created.body["scope"], json!({ "type": "organization", "id": null }));
    assert_eq!(created.body["permissions"], json!(["view:instances", "manage:instances", "view:jobs"]));

    let path = format!("/api/api-keys/{}", created.text("id"));
    for shown in [ada.get(&path).await, ada.get("/api/api-keys").await] {
        let text = shown.is(StatusCode::OK).body.to_string();
        assert!(text.contains("robot") && !text.contains(&key) && !text.contains("hash"), "{text}");
    }
    ada.post("/api/api-keys", body.clone()).await.refused(StatusCode::CONFLICT, "name_taken");
    ada.delete(&format!("{path}?dry_run=true")).await.is(StatusCode::NO_CONTENT);
    ada.with("if-match", "\"7\"").delete(&path).await.is(StatusCode::PRECONDITION_FAILED);
    ada.with("if-match", "\"1\"").delete(&path).await.is(StatusCode::NO_CONTENT);
    ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert!(ada.get(&path).await.body["revoked_at"].is_string());
    ada.post("/api/api-keys", body).await.is(StatusCode::CREATED);

    let wrong = [
        ("permissions[1]", json!({ "name": "other", "permissions": ["view:org", "fly:moon"] })),
        ("permissions", json!({ "name": "other", "permissions": [] })),
        ("name", json!({ "name": "x", "permissions": ["view:org"] })),
        ("expires_at", json!({ "name": "other", "permissions": ["view:org"], "expires_at": "2020-01-01T00:00:00Z" })),
        ("allowed_addresses[0]", json!({ "name": "other", "permissions": ["view:org"], "allowed_addresses": ["x"] })),
        ("scope.id", json!({ "name": "other", "permissions": ["view:org"], "scope": { "type": "project" } })),
        (
            "scope.id",
            json!({ "name": "other", "permissions": ["view:org"],
            "scope": { "type": "server", "id": uuid::Uuid::now_v7() } }),
        ),
        ("id", json!({ "name": "other", "permissions": ["view:org"], "id": "x" })),
    ];
    for (field, body) in wrong {
        let answer = ada.post("/api/api-keys", body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{}", answer.body);
    }
}

#[tokio::test]
async fn no_key_is_broader_than_its_maker() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let parent = anyone.bearer(&ada.key("parent", &["manage:api-keys", "view:instances"]).await);
    let make =
        |name: &'static str, permissions: &'static [&'static str]| json!({ "name": name, "permissions": permissions });
    parent.post("/api/api-keys", make("same", &["view:instances"])).await.is(StatusCode::CREATED);
    for more in ["manage:instances", "view:servers", "terminal:servers"] {
        let body = json!({ "name": "more", "permissions": ["view:instances", more] });
        parent.post("/api/api-keys", body).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    }

    // Nor in time, nor in addresses.
    let body = json!({ "name": "bounded", "permissions": ["manage:api-keys"], "expires_at": "2100-01-01T00:00:00Z",
        "allowed_addresses": ["127.0.0.0/8"] });
    let bounded = anyone.bearer(&ada.post("/api/api-keys", body).await.is(StatusCode::CREATED).text("key"));
    let child = bounded.post("/api/api-keys", make("child", &["view:api-keys"])).await.is(StatusCode::CREATED);
    assert_eq!(child.text("expires_at"), "2100-01-01T00:00:00Z");
    assert_eq!(child.body["allowed_addresses"], json!(["127.0.0.0/8"]));
    for (field, value) in [("expires_at", json!("2100-01-02T00:00:00Z")), ("allowed_addresses", json!(["0.0.0.0/0"]))] {
        let mut body = make("longer", &["view:api-keys"]);
        body[field] = value;
        bounded.post("/api/api-keys", body).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    }

    // A key of one project sees that project, and makes keys for nothing else.
    let project = ada.get("/api/projects").await.body["data"][0]["id"].clone();
    let body = json!({ "name": "project", "permissions": ["manage:api-keys", "view:projects"],
        "scope": { "type": "project", "id": project } });
    let inside = anyone.bearer(&ada.post("/api/api-keys", body).await.is(StatusCode::CREATED).text("key"));
    run(
        &test.app,
        "insert into projects (id, organization_id, name, slug)
        select gen_random_uuid(), id, 'Other', 'other' from organizations",
    )
    .await;
    assert_eq!(ada.get("/api/projects").await.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(inside.get("/api/projects").await.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(inside.get("/api/environments").await.body["data"].as_array().unwrap().len(), 3);
    let whole = make("whole", &["view:projects"]);
    inside.post("/api/api-keys", whole).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    let keys = inside.get("/api/api-keys").await.is(StatusCode::OK);
    assert_eq!(keys.body["data"].as_array().unwrap().len(), 1, "only the keys of its project");
    let environment = ada.get("/api/environments").await.body["data"][0]["id"].clone();
    let body = json!({ "name": "environment", "permissions": ["view:projects"],
        "scope": { "type": "environment", "id": environment } });
    let narrow = anyone.bearer(&inside.post("/api/api-keys", body).await.is(StatusCode::CREATED).text("key"));
    assert_eq!(narrow.get("/api/environments").await.body["data"].as_array().unwrap().len(), 1);

    // A maker who is made smaller takes the keys along.
    run(&test.app, "update grants set role_id = (select id from roles where name = 'viewer')").await;
    let shrunk = async {
        let body = || make("late", &["view:api-keys"]);
        while parent.post("/api/api-keys", body()).await.code() != "permission_denied" {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), shrunk)
        .await
        .expect("the smaller role was not seen in time");
}

#[tokio::test]
async fn keys_of_another_organization_do_not_exist() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    ada.key("robot", &["view:org"]).await;
    let id = ada.get("/api/api-keys").await.body["data"][0]["id"].as_str().unwrap().to_owned();
    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    eve.post("/api/orgs", json!({ "name": "Eve" })).await.is(StatusCode::CREATED);
    let path = format!("/api/api-keys/{id}");
    eve.get(&path).await.refused(StatusCode::NOT_FOUND, "not_found");
    eve.delete(&path).await.refused(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(eve.get("/api/api-keys").await.body["data"], json!([]));
    let project = ada.get("/api/projects").await.body["data"][0]["id"].clone();
    let body = json!({ "name": "thief", "permissions": ["view:org"], "scope": { "type": "project", "id": project } });
    let answer = eve.post("/api/api-keys", body).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"]["details"]["field"], "scope.id");
}

#[tokio::test]
async fn the_last_use_is_written_in_batches() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let robot = anyone.bearer(&ada.key("robot", &["view:projects"]).await);
    robot.get("/api/projects").await.is(StatusCode::OK);
    assert!(ada.get("/api/api-keys").await.body["data"][0]["last_used_at"].is_null(), "nothing is written on a GET");
    test.app.spawn(crate::identity::authentication::flush_task(test.app.clone()));
    let written = async {
        while ada.get("/api/api-keys").await.body["data"][0]["last_used_at"].is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(15), written).await.expect("the last use was not written");
}

/// The second wall: even a query that forgets its organization sees nothing of another one. Without the policy it
/// would, which shows that it is the policy that holds.
#[tokio::test]
async fn row_level_security_hides_other_organizations() {
    let test = TestApp::start().await;
    let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
    ada.key("robot", &["view:org"]).await;
    let own = answer.organization().parse().unwrap();
    let other = ocore_shared::ids::OrganizationId::new();
    let seen = async |organization| {
        let mut connection = test.app.db.org(organization).await.unwrap();
        let keys: i64 = sqlx::query_scalar("select count(*) from api_keys").fetch_one(&mut *connection).await.unwrap();
        keys
    };
    assert_eq!(seen(own).await, 1);
    assert_eq!(seen(other).await, 0);
    let mut connection = test.app.db.org(other).await.unwrap();
    let written = sqlx::query("update api_keys set revoked_at = now()").execute(&mut *connection).await.unwrap();
    assert_eq!(written.rows_affected(), 0);
    let moved =
        sqlx::query("insert into service_accounts (id, organization_id, name) values (gen_random_uuid(), $1, 'x')")
            .bind(own.0)
            .execute(&mut *connection)
            .await;
    assert!(moved.is_err(), "a row of another organization was written");
    drop(connection);

    let mut owner = test.app.db.system().acquire().await.unwrap();
    for sql in ["reset role", "alter table api_keys disable row level security", "set role ocore_system"] {
        sqlx::query(sql).execute(&mut *owner).await.unwrap();
    }
    assert_eq!(seen(other).await, 1, "without the policy this test must see the row");
}
