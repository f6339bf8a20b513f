//! Nobody gives more than they hold, takes from who may do more, or lifts themself.

use crate::app::App;
use crate::identity::authentication::tests::{Answer, Visitor, member, sign_in};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use ocore_shared::clock::ShiftedClock;
use serde_json::{Value, json};

/// An organization with its owner Ada and people by role.
pub struct Company {
    test: TestApp,
    pub ada: Visitor,
    organization: String,
}

impl Company {
    pub async fn new() -> Self {
        let test = TestApp::start().await;
        let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
        let organization = answer.organization();
        Self { test, ada, organization }
    }

    pub fn clock(&self) -> &ShiftedClock {
        &self.test.clock
    }

    pub fn app(&self) -> &App {
        &self.test.app
    }

    /// The same application in another process.
    pub async fn restart(&self) -> App {
        self.test.restart().await
    }

    /// The database's superuser.
    pub async fn superuser(&self) -> sqlx::PgConnection {
        sqlx::ConnectOptions::connect(&self.test.options).await.unwrap()
    }

    /// Somebody who holds that role in the whole organization; who they are, and their visitor.
    pub async fn hire(&self, name: &str, role: &str) -> (String, Visitor) {
        let email = format!("{name}@example.com");
        member(self.app(), &self.organization, &email, role, ("organization", &self.organization)).await;
        let visitor = sign_in(self.app(), &email).await;
        let id = visitor.get("/api/user").await.is(StatusCode::OK).text("id");
        (id, visitor)
    }

    pub async fn role(&self, name: &str) -> String {
        let list = self.ada.get(&format!("/api/roles?name={name}")).await.is(StatusCode::OK);
        list.body["data"][0]["id"].as_str().unwrap_or_else(|| panic!("no role {name}")).to_owned()
    }

    pub async fn custom(&self, name: &str, permissions: &[&str]) -> String {
        let body = json!({ "name": name, "permissions": permissions });
        self.ada.post("/api/roles", body).await.is(StatusCode::CREATED).text("id")
    }
}

async fn put(visitor: &Visitor, path: &str, body: Value) -> Answer {
    visitor.send(Method::PUT, path, Some(body)).await
}

#[tokio::test]
async fn roles_are_made_no_broader_than_their_maker() {
    let company = Company::new().await;
    let keeper = company.custom("Keeper", &["manage:roles", "manage:members", "view:servers"]).await;
    let (_, kim) = company.hire("kim", "Keeper").await;

    let wide = json!({ "name": "Wide", "permissions": ["manage:servers"] });
    kim.post("/api/roles", wide).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    let narrow = json!({ "name": "Narrow", "permissions": ["view:servers"] });
    let made = kim.post("/api/roles", narrow.clone()).await.is(StatusCode::CREATED);
    kim.post("/api/roles", narrow).await.refused(StatusCode::CONFLICT, "name_taken");
    let path = format!("/api/roles/{}", made.text("id"));
    let wider = json!({ "permissions": ["view:servers", "terminal:servers"] });
    put(&kim, &path, wider.clone()).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    put(&company.ada, &path, wider).await.is(StatusCode::OK);
    // What Ada put in may stay when Kim changes something else, and may be taken out.
    put(&kim, &path, json!({ "description": "Seen" })).await.is(StatusCode::OK);
    put(&kim, &path, json!({ "permissions": ["view:servers"] })).await.is(StatusCode::OK);
    put(&kim.with("if-match", "\"1\""), &path, json!({ "name": "Other" })).await.is(StatusCode::PRECONDITION_FAILED);

    let own = format!("/api/roles/{keeper}");
    put(&kim, &own, json!({ "permissions": ["manage:servers"] }))
        .await
        .refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    let owner = format!("/api/roles/{}", company.role("owner").await);
    put(&company.ada, &owner, json!({ "name": "Boss" })).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "system_role");
    company.ada.delete(&owner).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "system_role");
    company.ada.delete(&own).await.refused(StatusCode::CONFLICT, "role_held");
    kim.delete(&path).await.is(StatusCode::NO_CONTENT);
    kim.get(&path).await.is(StatusCode::NOT_FOUND);
    for (field, body) in [
        ("name", json!({ "name": "ab", "permissions": ["view:org"] })),
        ("name", json!({ "name": "a\u{202e}bc", "permissions": ["view:org"] })),
        ("permissions[0]", json!({ "name": "abc", "permissions": ["fly:moon"] })),
        ("permissions", json!({ "name": "abc", "permissions": [] })),
    ] {
        let answer = company.ada.post("/api/roles", body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{}", answer.body);
    }
}

#[tokio::test]
async fn nobody_gives_more_than_they_hold() {
    let company = Company::new().await;
    company.custom("Keeper", &["manage:members", "view:roles", "view:servers"]).await;
    let (kim_id, kim) = company.hire("kim", "Keeper").await;
    let (vic_id, vic) = company.hire("vic", "viewer").await;
    let (dev_id, _) = company.hire("dev", "developer").await;
    let role = |id: &str| format!("/api/members/{id}/role");

    let admin = json!({ "role_id": company.role("admin").await });
    let narrow = company.custom("Narrow", &["view:servers"]).await;
    // Vic, who sees more than Kim, is out of Kim's reach; so is Dev.
    put(&kim, &role(&vic_id), json!({ "role_id": narrow }))
        .await
        .refused(StatusCode::FORBIDDEN, "stronger_than_yourself");
    put(&kim, &role(&dev_id), json!({ "role_id": narrow }))
        .await
        .refused(StatusCode::FORBIDDEN, "stronger_than_yourself");
    kim.delete(&format!("/api/members/{dev_id}")).await.refused(StatusCode::FORBIDDEN, "stronger_than_yourself");
    put(&company.ada, &role(&vic_id), json!({ "role_id": narrow })).await.is(StatusCode::OK);
    assert_eq!(vic.get("/api/servers").await.status, StatusCode::OK);
    assert_eq!(vic.get("/api/instances").await.status, StatusCode::FORBIDDEN);

    put(&kim, &role(&vic_id), admin.clone()).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    put(&kim, &role(&kim_id), admin.clone()).await.refused(StatusCode::FORBIDDEN, "own_access");
    let audit = format!("/api/members/{vic_id}/permissions/view:audit");
    put(&kim, &audit, json!({ "effect": "allow" })).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    let own = format!("/api/members/{kim_id}/permissions/view:audit");
    put(&kim, &own, json!({ "effect": "deny" })).await.refused(StatusCode::FORBIDDEN, "own_access");

    // The owner is one, and stays.
    let owner = json!({ "role_id": company.role("owner").await });
    put(&company.ada, &role(&vic_id), owner).await.refused(StatusCode::FORBIDDEN, "owner_fixed");
    let (_, boss) = company.hire("boss", "admin").await;
    let ada_id = company.ada.get("/api/user").await.text("id");
    put(&boss, &role(&ada_id), admin).await.refused(StatusCode::FORBIDDEN, "owner_fixed");
    boss.delete(&format!("/api/members/{ada_id}")).await.refused(StatusCode::FORBIDDEN, "owner_fixed");
    company.ada.post("/api/members/leave", json!({})).await.refused(StatusCode::CONFLICT, "owner_stays");
}

#[tokio::test]
async fn a_grant_counts_in_its_scope_and_is_given_from_there_only() {
    let company = Company::new().await;
    let project = company.ada.get("/api/projects").await.body["data"][0]["id"].as_str().unwrap().to_owned();
    let (vic_id, vic) = company.hire("vic", "viewer").await;
    let grants = format!("/api/members/{vic_id}/grants");
    let developer = company.role("developer").await;
    let wanted = json!({ "grants": [{ "role_id": developer, "scope": { "type": "project", "id": project } }] });
    let version = company.ada.get(&grants).await.is(StatusCode::OK).headers["etag"].to_str().unwrap().to_owned();
    put(&company.ada.with("if-match", &version), &grants, wanted.clone()).await.is(StatusCode::OK);
    put(&company.ada.with("if-match", &version), &grants, wanted).await.is(StatusCode::PRECONDITION_FAILED);
    assert_eq!(vic.get("/api/servers").await.body["data"], json!([]), "nothing outside the project");
    vic.get("/api/members").await.refused(StatusCode::FORBIDDEN, "permission_denied");

    let why = company.ada.get(&format!("/api/members/{vic_id}/permissions")).await.is(StatusCode::OK);
    let found = why.body["effective"].as_array().unwrap().iter().find(|e| e["permission"] == "manage:instances");
    let found = found.unwrap_or_else(|| panic!("{}", why.body));
    assert_eq!(found["scope"], json!({ "type": "project", "id": project }));
    assert_eq!(found["because"], json!(["role developer"]));

    let nowhere =
        json!({ "grants": [{ "role_id": developer, "scope": { "type": "server", "id": uuid::Uuid::now_v7() } }] });
    let answer = put(&company.ada, &grants, nowhere).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"]["details"]["field"], "grants[0].scope.id");
    let unknown = json!({ "grants": [{ "role_id": uuid::Uuid::now_v7() }] });
    put(&company.ada, &grants, unknown).await.is(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn exceptions_add_and_take_and_say_so() {
    let company = Company::new().await;
    let (dev_id, dev) = company.hire("dev", "developer").await;
    let path = |key: &str| format!("/api/members/{dev_id}/permissions/{key}");
    let allowed = put(&company.ada, &path("view:audit"), json!({ "effect": "allow" })).await.is(StatusCode::OK);
    let found = allowed.body["effective"].as_array().unwrap().iter().find(|e| e["permission"] == "view:audit").cloned();
    assert_eq!(found.unwrap()["because"], json!(["override"]));

    put(&company.ada, &path("view:instances"), json!({ "effect": "deny" })).await.is(StatusCode::OK);
    dev.get("/api/instances").await.refused(StatusCode::FORBIDDEN, "permission_denied");
    let own = dev.get("/api/user").await.is(StatusCode::OK).body["organizations"][0]["permissions"].clone();
    let has = |key: &str| own.as_array().unwrap().contains(&json!(key));
    assert!(has("view:audit") && !has("view:instances") && !has("manage:instances") && has("view:servers"), "{own}");
    company.ada.delete(&path("view:instances")).await.is(StatusCode::OK);
    assert_eq!(dev.get("/api/instances").await.status, StatusCode::OK);
    company.ada.delete(&path("view:instances")).await.is(StatusCode::NOT_FOUND);
    put(&company.ada, &path("fly:moon"), json!({ "effect": "allow" })).await.is(StatusCode::BAD_REQUEST);

    // Kim, who was denied it, can give it back to nobody.
    let (kim_id, kim) = company.hire("kim", "admin").await;
    put(&company.ada, &path("view:instances"), json!({ "effect": "deny" })).await.is(StatusCode::OK);
    let own = format!("/api/members/{kim_id}/permissions/manage:instances");
    put(&company.ada, &own, json!({ "effect": "deny" })).await.is(StatusCode::OK);
    kim.delete(&path("view:instances")).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
}

#[tokio::test]
async fn who_is_removed_is_gone_and_their_keys_are_asked_for() {
    let company = Company::new().await;
    let (dev_id, dev) = company.hire("dev", "developer").await;
    let key = Visitor::new(company.app()).bearer(&dev.key("robot", &["view:instances"]).await);
    key.get("/api/instances").await.is(StatusCode::OK);
    let path = format!("/api/members/{dev_id}");
    let asked = company.ada.delete(&path).await;
    assert!(asked.body["error"]["message"].as_str().unwrap().contains("robot"), "{}", asked.body);
    asked.refused(StatusCode::CONFLICT, "member_has_keys");
    company.ada.delete(&format!("{path}?keys=give")).await.is(StatusCode::BAD_REQUEST);
    company.ada.delete(&format!("{path}?keys=revoke&dry_run=true")).await.is(StatusCode::NO_CONTENT);
    key.get("/api/instances").await.is(StatusCode::OK);

    let open = dev.follow("/api/events", async {
        company.ada.delete(&format!("{path}?keys=revoke")).await.is(StatusCode::NO_CONTENT);
    });
    open.await;
    dev.get("/api/instances").await.is(StatusCode::BAD_REQUEST);
    dev.with("x-org-slug", &company.organization).get("/api/instances").await.is(StatusCode::NOT_FOUND);
    key.get("/api/instances").await.refused(StatusCode::FORBIDDEN, "key_revoked");
    company.ada.delete(&path).await.is(StatusCode::NOT_FOUND);

    let (_, vic) = company.hire("vic", "viewer").await;
    vic.post("/api/members/leave", json!({})).await.is(StatusCode::NO_CONTENT);
    vic.with("x-org-slug", &company.organization).get("/api/org").await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn of_many_who_change_a_role_at_once_all_are_answered() {
    let company = Company::new().await;
    let path = format!("/api/roles/{}", company.custom("Shared", &["view:servers"]).await);
    let texts: Vec<Value> = (0..20).map(|number| json!({ "description": format!("Number {number}") })).collect();
    let changes = texts.into_iter().map(|body| put(&company.ada, &path, body));
    for answer in futures::future::join_all(changes).await {
        answer.is(StatusCode::OK);
    }
    assert_eq!(company.ada.get(&path).await.body["version"], 21);
}
