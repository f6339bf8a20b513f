//! Every route that changes something leaves an entry. The document says which routes those are; each is carried out
//! here once, or has its reason in the table.

use crate::app::App;
use crate::commands::openapi_text;
use crate::identity::authentication::tests::{Answer, PASSWORD, Visitor, first_admin, member, run, sign_in, stranger};
use crate::identity::second_factors::tests::{Authenticator, mfa_token};
use crate::network::domains::tests::name_server;
use crate::platform::http::Actor;
use crate::platform::jobs::tasks::NewTask;
use crate::platform::jobs::tasks::store::task_enqueue;
use crate::platform::mail::tests::{Sink, link_token, work_off};
use crate::router::walk_tests::PUBLIC_KEY;
use crate::signals::events::Subject;
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use ocore_shared::ids::JobId;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use uuid::Uuid;

/// Routes that leave none, and why.
const WITHOUT: [(&str, &str); 7] = [
    ("password_forgot", "it only asks; the link leaves an entry when it is used"),
    ("email_verify_resend", "it only asks; the link leaves an entry when it is used"),
    ("refresh", "it renews the tokens of a session whose beginning is in the log; a stolen token leaves an entry"),
    ("passkey_login_begin", "it only asks; the answer is an entry, right or wrong"),
    ("passkey_register_begin", "it only asks; what is registered is an entry"),
    ("database_tune", "it only advises; what is set afterwards leaves an entry"),
    ("ticket_create", "a ticket gives nothing that its maker lacks; what is opened by it leaves an entry"),
];

/// Routes that take a device, an agent or another service, whose own tests look for the entry.
const ELSEWHERE: [(&str, &str); 26] = [
    ("backup_delete", "backup.delete_requested"),
    ("backup_restore", "backup.restore_requested"),
    ("backup_update", "backup.updated"),
    ("bucket_create", "backup_destination.bucket_created"),
    ("default_bucket_create", "backup_destination.bucket_created"),
    ("environment_backup_create", "backup.create_requested"),
    ("environment_backup_delete", "backup.delete_requested"),
    ("environment_backup_restore", "backup.restore_requested"),
    ("environment_backup_update", "backup.updated"),
    ("instance_backup_create", "backup.create_requested"),
    ("instance_backup_delete", "backup.delete_requested"),
    ("instance_backup_restore", "backup.restore_requested"),
    ("passkey_login_finish", "auth.login"),
    ("passkey_register_finish", "auth.passkey_registered"),
    ("passkey_update", "auth.passkey_renamed"),
    ("passkey_delete", "auth.passkey_removed"),
    ("connected_account_delete", "auth.account_unlinked"),
    ("instance_directory_create", "directory.created"),
    ("instance_file_delete", "file.deleted"),
    ("instance_file_move", "file.moved"),
    ("instance_file_upload", "file.uploaded"),
    ("instance_file_write", "file.written"),
    ("instance_logs_clear", "instance_log.cleared"),
    ("instance_upload_append", "file.uploaded"),
    ("instance_upload_create", "file_upload.begun"),
    ("instance_upload_delete", "file_upload.cancelled"),
];

/// Carries requests out and looks for their entries.
struct Steps {
    app: App,
    /// (method, path, operation) of every changing route.
    routes: Vec<(Method, String, String)>,
    seen: BTreeSet<String>,
}

impl Steps {
    fn new(app: &App) -> Self {
        let document: Value = serde_json::from_str(&openapi_text().unwrap()).unwrap();
        let mut routes = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let method: Method = method.to_uppercase().parse().unwrap();
                if matches!(method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE) {
                    routes.push((method, path.clone(), operation["operationId"].as_str().unwrap().to_owned()));
                }
            }
        }
        Self { app: app.clone(), routes, seen: BTreeSet::new() }
    }

    fn operation(&self, method: &Method, path: &str) -> String {
        let path = path.split('?').next().unwrap();
        let fits = |template: &str| {
            let (asked, known): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
            asked.len() == known.len() && asked.iter().zip(&known).all(|(a, k)| k.starts_with('{') || a == k)
        };
        let mut found: Vec<_> = self.routes.iter().filter(|(m, template, _)| m == method && fits(template)).collect();
        found.sort_by_key(|(_, template, _)| template.matches('{').count());
        found.first().unwrap_or_else(|| panic!("{method} {path} is not in the document")).2.clone()
    }

    /// Carry a request out, and find the entry that its id leads to.
    async fn step(&mut self, who: &Visitor, method: Method, path: &str, body: Value) -> Answer {
        let operation = self.operation(&method, path);
        let answer = who.send(method, path, Some(body)).await;
        assert!(answer.status.is_success(), "{operation}: {} {}", answer.status, answer.body);
        let request = answer.headers["x-request-id"].to_str().unwrap();
        let entries: i64 = sqlx::query_scalar("select count(*) from audit_log where request_id = $1")
            .bind(request)
            .fetch_one(self.app.db.system())
            .await
            .unwrap();
        assert!(entries > 0, "{operation} has left no entry in the audit log");
        self.seen.insert(operation);
        answer
    }

    async fn post(&mut self, who: &Visitor, path: &str, body: Value) -> Answer {
        self.step(who, Method::POST, path, body).await
    }

    async fn put(&mut self, who: &Visitor, path: &str, body: Value) -> Answer {
        self.step(who, Method::PUT, path, body).await
    }

    async fn patch(&mut self, who: &Visitor, path: &str, body: Value) -> Answer {
        self.step(who, Method::PATCH, path, body).await
    }

    async fn delete(&mut self, who: &Visitor, path: &str) {
        self.step(who, Method::DELETE, path, Value::Null).await;
    }

    /// What nobody has carried out and nobody has explained.
    fn finish(self) {
        let without: BTreeSet<&str> = WITHOUT.iter().map(|(operation, _)| *operation).collect();
        for operation in &without {
            assert!(self.routes.iter().any(|(_, _, o)| o == operation), "{operation} is no changing route any more");
            assert!(!self.seen.contains(*operation), "{operation} does leave an entry");
        }
        let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|(operation, _)| *operation).collect();
        let tests = other_tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        for (operation, action) in ELSEWHERE {
            assert!(self.routes.iter().any(|(_, _, o)| o == operation), "{operation} is no changing route any more");
            assert!(tests.contains(action), "no test looks for {action}");
        }
        let missing: Vec<&str> = self
            .routes
            .iter()
            .map(|(_, _, operation)| operation.as_str())
            .filter(|operation| {
                !self.seen.contains(*operation) && !without.contains(operation) && !elsewhere.contains(operation)
            })
            .collect();
        assert!(missing.is_empty(), "add a step to this test, or a reason to its table, for: {}", missing.join(", "));
    }
}

/// What all tests but this one say.
fn other_tests(directory: &Path) -> String {
    let mut text = String::new();
    for path in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            text += &other_tests(&path);
        } else if path.ends_with("tests.rs") {
            text += &std::fs::read_to_string(&path).unwrap();
        }
    }
    text
}

/// Somebody with that role in the first organization.
async fn hire(app: &App, ada: &Visitor, name: &str, role: &str) -> (String, Visitor) {
    let email = format!("{name}@example.com");
    let organization = ada.get("/api/org").await.is(StatusCode::OK).text("id");
    member(app, &organization, &email, role, ("organization", &organization)).await;
    let visitor = sign_in(app, &email).await;
    (visitor.get("/api/user").await.is(StatusCode::OK).text("id"), visitor)
}

async fn role_of(ada: &Visitor, name: &str) -> String {
    let list = ada.get(&format!("/api/roles?name={name}")).await.is(StatusCode::OK);
    list.body["data"][0]["id"].as_str().unwrap().to_owned()
}

/// Nothing is under way, so that the next operation is not refused.
async fn idle(app: &App) {
    run(app, "update jobs set status = 'succeeded', finished_at = now()").await;
    run(app, "update instances set status = 'running', desired_state = 'running', container_id = 'c'").await;
}

#[tokio::test]
async fn every_changing_route_leaves_an_entry() {
    let names = name_server().await;
    let test = TestApp::start_with(move |config| {
        config.outbound_allow = vec!["127.0.0.2/32".parse().unwrap()];
        config.dns_server = Some(names);
    })
    .await;
    let app = &test.app;
    let mut steps = Steps::new(app);
    let nobody = Visitor::new(app);
    let first = steps.post(&nobody, "/api/auth/bootstrap", first_admin()).await;
    let ada = nobody.bearer(&first.text("access_token"));
    let login = json!({ "email": "ada@example.com", "password": PASSWORD });
    let other = steps.post(&nobody, "/api/auth/login", login).await;
    steps.post(&nobody.bearer(&other.text("access_token")), "/api/auth/logout", json!({})).await;

    second_factor(&test, &mut steps).await;
    identity(app, &mut steps, &ada).await;
    fleet(app, &mut steps, &ada).await;
    delivery(&mut steps, &ada).await;
    registries(&mut steps, &ada).await;
    destinations(&mut steps, &ada).await;
    administration(app, &mut steps, &ada).await;
    account(app, &mut steps, &ada).await;
    webhooks(app, &mut steps, &ada).await;

    let (boss, _) = hire(app, &ada, "boss", "admin").await;
    let transfer = json!({ "member_id": boss, "password": PASSWORD });
    steps.post(&ada, "/api/org/transfer", transfer).await;
    let second = steps.post(&ada, "/api/orgs", json!({ "name": "Second" })).await.text("id");
    steps.delete(&ada.with("x-org-slug", second), "/api/org").await;
    steps.finish();
}

async fn second_factor(test: &TestApp, steps: &mut Steps) {
    stranger(&test.app, "otto@example.com").await;
    let otto = sign_in(&test.app, "otto@example.com").await;
    let enrolled = steps.post(&otto, "/api/user/totp/enroll", json!({})).await;
    let phone = Authenticator::new(&enrolled.text("secret"));
    // Each code counts once, so time goes on from one to the next.
    let code = || {
        test.clock.shift(TimeDelta::seconds(30));
        json!({ "code": phone.code(&test.app) })
    };
    steps.post(&otto, "/api/user/totp/verify", code()).await;
    steps.post(&otto, "/api/user/totp/recovery-codes", code()).await;
    let nobody = Visitor::new(&test.app);
    let mut shown = code();
    shown["mfa_token"] = mfa_token(&nobody, "otto@example.com").await.into();
    steps.post(&nobody, "/api/auth/login/totp", shown).await;
    steps.post(&otto, "/api/user/totp/disable", code()).await;
}

async fn identity(app: &App, steps: &mut Steps, ada: &Visitor) {
    let body = json!({ "name": "support", "permissions": ["view:servers"] });
    let role = format!("/api/roles/{}", steps.post(ada, "/api/roles", body).await.text("id"));
    steps.put(ada, &role, json!({ "description": "Helps" })).await;
    steps.delete(ada, &role).await;

    let (vic, _) = hire(app, ada, "vic", "viewer").await;
    let (developer, member) = (role_of(ada, "developer").await, format!("/api/members/{vic}"));
    steps.put(ada, &format!("{member}/role"), json!({ "role_id": developer })).await;
    steps.put(ada, &format!("{member}/grants"), json!({ "grants": [{ "role_id": developer }] })).await;
    steps.put(ada, &format!("{member}/permissions/view:audit"), json!({ "effect": "allow" })).await;
    steps.delete(ada, &format!("{member}/permissions/view:audit")).await;
    steps.delete(ada, &member).await;
    let (_, kim) = hire(app, ada, "kim", "viewer").await;
    steps.post(&kim, "/api/members/leave", json!({})).await;

    let invite = |email: &str| json!({ "email": email, "role_id": developer });
    let sent = steps.post(ada, "/api/members/invite", invite("eve@example.com")).await;
    let again = steps.post(ada, &format!("/api/invites/{}/resend", sent.text("id")), json!({})).await;
    let link = again.text("link");
    let token = link.split("#token=").nth(1).unwrap();
    stranger(app, "eve@example.com").await;
    let eve = sign_in(app, "eve@example.com").await;
    steps.post(&eve, &format!("/api/invites/{token}/accept"), json!({})).await;
    let sent = steps.post(ada, "/api/members/invite", invite("max@example.com")).await;
    steps.delete(ada, &format!("/api/invites/{}", sent.text("id"))).await;

    let made = steps.post(ada, "/api/service-accounts", json!({ "name": "robot" })).await;
    let account = format!("/api/service-accounts/{}", made.text("id"));
    steps.patch(ada, &account, json!({ "description": "Deploys" })).await;
    steps.delete(ada, &account).await;

    let made = steps.post(ada, "/api/api-keys", json!({ "name": "robot", "permissions": ["view:servers"] })).await;
    let key = format!("/api/api-keys/{}", made.text("id"));
    steps.patch(ada, &key, json!({ "name": "other robot" })).await;
    steps.post(ada, &format!("{key}/rotate"), json!({})).await;
    steps.delete(ada, &key).await;

    steps.patch(ada, "/api/org", json!({ "name": "Renamed" })).await;
    steps.put(ada, "/api/org/settings", json!({ "audit_retention_days": 90 })).await;
}

async fn fleet(app: &App, steps: &mut Steps, ada: &Visitor) {
    let made = steps.post(ada, "/api/servers", json!({ "name": "first" })).await;
    let id = made.body["server"]["id"].as_str().unwrap().to_owned();
    let server = format!("/api/servers/{id}");
    steps.patch(ada, &server, json!({ "description": "The first" })).await;
    steps.post(ada, &format!("{server}/install-command"), json!({})).await;
    run(app, "update servers set status = 'online', session_epoch = 1").await;
    let check = steps.post(ada, &format!("{server}/check"), json!({})).await;
    steps.post(ada, &format!("/api/jobs/{}/cancel", check.text("job_id")), json!({})).await;

    let wanted = json!({ "name": "Shop", "server_id": id, "admin_login": "admin", "admin_password": "a quiet shop 7" });
    let made = steps.post(ada, "/api/instances", wanted).await;
    let instance = format!("/api/instances/{}", made.text("id"));
    for word in ["start", "stop", "restart", "kill"] {
        idle(app).await;
        steps.post(ada, &format!("{instance}/{word}"), json!({})).await;
    }
    idle(app).await;
    steps.patch(ada, &instance, json!({ "labels": { "tier": "gold" } })).await;
    steps.put(ada, &format!("{instance}/config"), json!({ "users": 5 })).await;
    idle(app).await;
    steps.post(ada, &format!("{instance}/config/revert"), json!({ "revision": 1 })).await;
    idle(app).await;
    steps.post(ada, &format!("{instance}/modules"), json!({ "install": ["sale"] })).await;
    idle(app).await;
    let sources = json!({ "sources": [{ "url": "https://git.example.com/acme/erp.git" }] });
    steps.put(ada, &format!("{instance}/addons"), sources).await;
    idle(app).await;
    steps.post(ada, &format!("{instance}/upgrade"), json!({})).await;
    idle(app).await;
    steps.post(ada, &format!("{instance}/admin-password"), json!({ "password": "a quiet shop 8" })).await;
    idle(app).await;
    databases(app, steps, ada, &format!("{instance}/database")).await;
    domains(app, steps, ada, &server, &instance).await;
    idle(app).await;
    steps.delete(ada, &instance).await;
    steps.delete(ada, &format!("{server}?force=true")).await;
}

async fn databases(app: &App, steps: &mut Steps, ada: &Visitor, database: &str) {
    steps.put(ada, &format!("{database}/config"), json!({ "settings": { "work_mem": "32MB" } })).await;
    idle(app).await;
    steps.post(ada, &format!("{database}/maintenance"), json!({ "action": "vacuum" })).await;
    idle(app).await;
    steps.post(ada, &format!("{database}/password"), json!({})).await;
    idle(app).await;
    steps.post(ada, &format!("{database}/databases"), json!({ "name": "second" })).await;
    idle(app).await;
    steps.patch(ada, &format!("{database}/databases/second"), json!({ "name": "third" })).await;
    idle(app).await;
    steps.delete(ada, &format!("{database}/databases/third?confirm=third")).await;
    idle(app).await;
}

async fn domains(app: &App, steps: &mut Steps, ada: &Visitor, server: &str, instance: &str) {
    steps.put(ada, &format!("{server}/proxy"), json!({ "mode": "managed" })).await;
    let made = steps.post(ada, &format!("{instance}/domains"), json!({ "host": "shop.example.com" })).await;
    let domain = format!("{instance}/domains/{}", made.text("id"));
    steps.post(ada, &format!("{domain}/verify?force=true"), json!({})).await;
    idle(app).await;
    steps.post(ada, &format!("{domain}/renew"), json!({})).await;
    steps.put(ada, &format!("{domain}/primary"), json!({})).await;
    steps.put(ada, &format!("{domain}/access"), json!({ "hsts_seconds": 60 })).await;
    let own = rcgen::generate_simple_self_signed(["shop.example.com".to_owned()]).unwrap();
    let upload = json!({ "certificate": own.cert.pem(), "private_key": own.signing_key.serialize_pem() });
    steps.put(ada, &format!("{domain}/certificate"), upload).await;
    steps.delete(ada, &format!("{domain}/certificate")).await;
    steps.delete(ada, &domain).await;
}

async fn delivery(steps: &mut Steps, ada: &Visitor) {
    let made = steps.post(ada, "/api/projects", json!({ "name": "Acme", "environments": [] })).await.text("id");
    let project = format!("/api/projects/{made}");
    steps.patch(ada, &project, json!({ "description": "Their shop" })).await;
    let inside = json!({ "name": "Rehearsal", "type": "staging" });
    let first = steps.post(ada, &format!("{project}/environments"), inside).await.text("id");
    let named = json!({ "project_id": made, "name": "Workshop", "type": "development" });
    let second = steps.post(ada, "/api/environments", named).await.text("id");
    steps.patch(ada, &format!("/api/environments/{first}"), json!({ "description": "Before each release" })).await;
    for environment in [first, second] {
        steps.delete(ada, &format!("/api/environments/{environment}")).await;
    }
    steps.delete(ada, &project).await;
}

async fn destinations(steps: &mut Steps, ada: &Visitor) {
    let local = json!({ "name": "Elsewhere", "config": { "kind": "local", "path": "/mnt/backups" } });
    let made = steps.post(ada, "/api/backup-destinations", local).await.text("id");
    let destination = format!("/api/backup-destinations/{made}");
    steps.patch(ada, &destination, json!({ "name": "Over there" })).await;
    steps.post(ada, &format!("{destination}/test"), json!({})).await;
    let list = ada.get("/api/backup-destinations").await.is(StatusCode::OK).body;
    let first = list["data"].as_array().into_iter().flatten().find(|d| d["is_default"] == true);
    let first = first.and_then(|d| d["id"].as_str()).expect("a default").to_owned();
    steps.post(ada, &format!("{destination}/activate"), json!({})).await;
    steps.post(ada, &format!("/api/backup-destinations/{first}/activate"), json!({})).await;
    steps.delete(ada, &destination).await;
}

async fn registries(steps: &mut Steps, ada: &Visitor) {
    let made = steps.post(ada, "/api/registries", json!({ "address": "127.0.0.2:9" })).await.text("id");
    let registry = format!("/api/registries/{made}");
    steps.patch(ada, &registry, json!({ "description": "Ours" })).await;
    steps.post(ada, &format!("{registry}/test"), json!({})).await;
    steps.delete(ada, &registry).await;
}

async fn administration(app: &App, steps: &mut Steps, ada: &Visitor) {
    let sink = Sink::start().await;
    let mail = json!({ "host": "127.0.0.1", "port": sink.port, "tls": "none", "from_address": "noreply@example.com" });
    steps.put(ada, "/api/admin/settings", json!({ "signup": "open", "mail": mail })).await;
    steps.post(ada, "/api/admin/settings/mail/test", json!({})).await;
    steps.put(ada, "/api/admin/settings/logs", json!({ "job_log_days": 10 })).await;

    let task = NewTask {
        id: JobId::new(),
        kind: "nothing",
        organization: None,
        subject: Subject::new("test", Uuid::nil(), "test"),
        input: json!({}),
        lane: None,
        run_at: app.clock.now(),
        deadline_at: None,
        created_by: Actor::system(),
    };
    let mut connection = app.db.system().acquire().await.unwrap();
    task_enqueue(&mut connection, &task).await.unwrap();
    drop(connection);
    let job = format!("/api/admin/jobs/{}", task.id);
    steps.post(ada, &format!("{job}/cancel"), json!({})).await;
    run(app, "update jobs set status = 'cancelled' where kind = 'nothing'").await;
    steps.post(ada, &format!("{job}/retry"), json!({})).await;

    let body = json!({ "email": "pat@example.com", "name": "Pat", "password": PASSWORD });
    let user = format!("/api/admin/users/{}", steps.post(ada, "/api/admin/users", body).await.text("id"));
    steps.post(ada, &format!("{user}/suspend"), json!({ "reason": "Left" })).await;
    steps.post(ada, &format!("{user}/unsuspend"), json!({})).await;
    steps.post(ada, &format!("{user}/promote"), json!({})).await;
    steps.post(ada, &format!("{user}/demote"), json!({})).await;
    steps.post(ada, &format!("{user}/reset-password"), json!({})).await;
    run(
        app,
        "with s as (insert into secrets (id, purpose, sealed) values (gen_random_uuid(), 'totp', '') returning id)
         insert into totp_secrets (user_id, secret_id, confirmed_at)
         select u.id, s.id, now() from users u, s where u.email = 'pat@example.com'",
    )
    .await;
    steps.post(ada, &format!("{user}/disable-totp"), json!({})).await;
    steps.delete(ada, &user).await;
}

async fn account(app: &App, steps: &mut Steps, ada: &Visitor) {
    const OTHER: &str = "another place 8";
    let kept = ada.get("/api/admin/mails?status=kept").await.is(StatusCode::OK);
    let kept = kept.body["data"][0]["id"].as_str().unwrap().to_owned();
    let sink = Sink::start().await;
    let mail = json!({ "host": "127.0.0.1", "port": sink.port, "tls": "none", "from_address": "noreply@example.com" });
    let settings = json!({ "signup": "open", "mail": mail });
    ada.send(Method::PUT, "/api/admin/settings", Some(settings)).await.is(StatusCode::OK);
    steps.post(ada, &format!("/api/admin/mails/{kept}/retry"), json!({})).await;
    work_off(app).await;

    let (nobody, email) = (Visitor::new(app), "una@example.com");
    let wish = json!({ "email": email, "name": "Una", "password": PASSWORD });
    steps.post(&nobody, "/api/auth/signup", wish).await;
    work_off(app).await;
    let token = link_token(sink.mails().last().unwrap());
    steps.post(&nobody, "/api/auth/verify-email", json!({ "token": token })).await;
    nobody.post("/api/auth/forgot-password", json!({ "email": email })).await.is(StatusCode::ACCEPTED);
    work_off(app).await;
    let token = link_token(sink.mails().last().unwrap());
    steps.post(&nobody, "/api/auth/reset-password", json!({ "token": token, "password": OTHER })).await;
    let login = nobody.post("/api/auth/login", json!({ "email": email, "password": OTHER })).await.is(StatusCode::OK);
    let una = nobody.bearer(&login.text("access_token"));
    let change = json!({ "current_password": OTHER, "new_password": PASSWORD });
    steps.post(&una, "/api/user/password", change).await;

    steps.patch(&una, "/api/user", json!({ "name": "Una B." })).await;
    steps.put(&una, "/api/user/notices", json!({ "muted": ["job_failed"] })).await;
    steps.post(&una, "/api/user/email", json!({ "email": "una.b@example.com", "password": PASSWORD })).await;
    let key = json!({ "name": "laptop", "public_key": PUBLIC_KEY });
    let key = format!("/api/user/ssh-keys/{}", steps.post(&una, "/api/user/ssh-keys", key).await.text("id"));
    steps.patch(&una, &key, json!({ "name": "old laptop" })).await;
    steps.delete(&una, &key).await;
    sign_in(app, email).await;
    let sessions = una.get("/api/user/sessions").await.is(StatusCode::OK);
    let other = sessions.body["data"].as_array().unwrap().iter().find(|s| s["current"] == false).unwrap();
    steps.delete(&una, &format!("/api/user/sessions/{}", other["id"].as_str().unwrap())).await;
    run(app, "update users set password_hash = null where email = 'una@example.com'").await;
    steps.post(&una, "/api/user/set-password", json!({ "password": PASSWORD })).await;
    steps.step(&una, Method::DELETE, "/api/user", json!({ "password": PASSWORD })).await;
}

async fn webhooks(app: &App, steps: &mut Steps, ada: &Visitor) {
    // Nothing listens there: what is sent reaches nobody.
    let body = json!({ "url": "https://127.0.0.2:9/hook", "events": ["*"] });
    let id = steps.post(ada, "/api/webhook-endpoints", body).await.text("id");
    let hook = format!("/api/webhook-endpoints/{id}");
    steps.patch(ada, &hook, json!({ "description": "Chat" })).await;
    steps.post(ada, &format!("{hook}/rotate-secret"), json!({})).await;
    steps.post(ada, &format!("{hook}/test"), json!({})).await;
    let delivery = Uuid::now_v7();
    run(
        app,
        &format!(
            "insert into webhook_deliveries (id, organization_id, endpoint_id, event_id, event_type, subject_id, body, status)
             select '{delivery}', organization_id, id, gen_random_uuid(), 'role.created', gen_random_uuid(), '{{}}', 'failed'
             from webhook_endpoints where id = '{id}'"
        ),
    )
    .await;
    steps.post(ada, &format!("/api/webhook-deliveries/{delivery}/replay"), json!({})).await;
    steps.delete(ada, &hook).await;
}
