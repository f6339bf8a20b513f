//! Who reads the log, what it is filtered by, how it leaves the house, and how it is sealed and shortened.

use super::retention::audit_prune;
use super::sealer::seal_once;
use crate::app::App;
use crate::identity::authentication::tests::{Answer, Visitor, run, sign_in, stranger};
use crate::identity::members::tests::Company;
use crate::testing::{TestApp, until};
use axum::body::to_bytes;
use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, PgConnection};

/// Until every committed entry is sealed: another replica may be at it.
pub async fn seal(app: &App) {
    until("the seal", async || {
        seal_once(app).await.unwrap();
        count(app, "seq is null").await == 0
    })
    .await;
}

async fn count(app: &App, condition: &str) -> i64 {
    let sql = format!("select count(*) from audit_log where {condition}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(app.db.system()).await.unwrap()
}

/// The database's superuser, past all that we do.
pub async fn superuser(test: &TestApp) -> PgConnection {
    test.options.connect().await.unwrap()
}

pub async fn by(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

async fn text_of(visitor: &Visitor, path: &str) -> (String, String) {
    let response = visitor.open(Method::GET, path, None).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(response.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (kind, String::from_utf8(bytes.to_vec()).unwrap())
}

fn actions(answer: &Answer) -> Vec<&str> {
    answer.body["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn entries_say_who_what_and_from_where() {
    let company = Company::new().await;
    let ada = company.ada.with("user-agent", "curl/8.5.0").from("192.0.2.7:4711");
    let role = ada.post("/api/roles", json!({ "name": "support", "permissions": ["view:servers"] })).await;
    let request = role.headers["x-request-id"].to_str().unwrap().to_owned();
    let id = role.is(StatusCode::CREATED).text("id");
    let list = company.ada.get(&format!("/api/audit-logs?resource_id={id}")).await.is(StatusCode::OK);
    let entry = &list.body["data"][0];
    assert_eq!(entry["action"], "role.created");
    assert_eq!(entry["actor"]["name"], "Ada");
    assert_eq!(entry["subject"], json!({ "type": "role", "id": id, "name": "support" }));
    assert_eq!(entry["address"], "192.0.2.7");
    assert_eq!((&entry["user_agent"], &entry["request_id"]), (&json!("curl/8.5.0"), &json!(request)));
    assert_eq!((&entry["before"], &entry["after"]["name"]), (&Value::Null, &json!("support")));

    let actor = entry["actor"]["id"].as_str().unwrap().to_owned();
    let at = entry["created_at"].as_str().unwrap().replace('+', "%2B");
    let only = ["role.created"];
    for filter in [
        format!("actor={actor}&action=role.created"),
        format!("resource_type=role&resource_id={id}"),
        "address=192.0.2.0/24".into(),
        "address=192.0.2.7".into(),
        "q=SUPPORT".into(),
        format!("from={at}&action=role.created"),
    ] {
        let found = company.ada.get(&format!("/api/audit-logs?{filter}")).await.is(StatusCode::OK);
        assert_eq!(actions(&found), only, "{filter}");
    }
    for filter in [
        format!("actor={id}"),
        "address=192.0.3.0/24".into(),
        "action=role".into(),
        "q=100%25".into(),
        format!("to={at}&action=role.created"),
    ] {
        let found = company.ada.get(&format!("/api/audit-logs?{filter}")).await.is(StatusCode::OK);
        assert!(actions(&found).is_empty(), "{filter}");
    }
    let wrong = company.ada.get("/api/audit-logs?address=here&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z").await;
    let fields: Vec<Value> = wrong.is(StatusCode::BAD_REQUEST).body["error"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"].clone())
        .collect();
    assert_eq!(fields, ["address", "to"]);
    for wrong in ["actor=x", "from=yesterday", "limit=0", "format=xml"] {
        company.ada.get(&format!("/api/audit-logs/export?{wrong}")).await;
        let path = if wrong.starts_with("format") { "/api/audit-logs/export" } else { "/api/audit-logs" };
        company.ada.get(&format!("{path}?{wrong}")).await.is(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn only_who_may_reads_and_only_their_own() {
    let company = Company::new().await;
    let app = company.app();
    let (_, dev) = company.hire("dev", "developer").await;
    stranger(app, "eve@example.com").await;
    let eve = sign_in(app, "eve@example.com").await;
    eve.post("/api/orgs", json!({ "name": "Elsewhere" })).await.is(StatusCode::CREATED);
    // A permission for one project opens no log, which knows no projects.
    let project = company.ada.get("/api/projects").await.body["data"][0]["id"].clone();
    let body =
        json!({ "name": "narrow", "permissions": ["view:audit"], "scope": { "type": "project", "id": project } });
    let narrow =
        Visitor::new(app).bearer(&company.ada.post("/api/api-keys", body).await.is(StatusCode::CREATED).text("key"));
    for path in ["/api/audit-logs", "/api/audit-logs/export", "/api/audit-logs/verify"] {
        dev.get(path).await.refused(StatusCode::FORBIDDEN, "permission_denied");
        narrow.get(path).await.refused(StatusCode::FORBIDDEN, "permission_denied");
        company.ada.get(path).await.is(StatusCode::OK);
    }
    let theirs = eve.get("/api/audit-logs").await.is(StatusCode::OK);
    assert_eq!(actions(&theirs), ["organization.created"]);
    for path in ["/api/admin/audit-logs", "/api/admin/audit-logs/export", "/api/admin/audit-logs/verify"] {
        eve.get(path).await.refused(StatusCode::FORBIDDEN, "admin_required");
    }
    let all = company.ada.get("/api/admin/audit-logs?limit=200").await.is(StatusCode::OK);
    assert!(actions(&all).contains(&"auth.login") && all.body.to_string().contains("Elsewhere"));
    let own = company.ada.get("/api/org").await.text("id");
    let one = company.ada.get(&format!("/api/admin/audit-logs?limit=200&organization_id={own}")).await;
    assert!(!one.body.to_string().contains("Elsewhere") && !actions(&one).contains(&"auth.login"));
    let first = company.ada.get("/api/admin/audit-logs?limit=1").await.is(StatusCode::OK);
    let next = company.ada.get(&format!("/api/admin/audit-logs?limit=1&cursor={}", first.text("next_cursor"))).await;
    assert_ne!(next.body["data"][0]["id"], first.body["data"][0]["id"]);
}

#[tokio::test]
async fn an_export_is_whole_harmless_and_told() {
    let company = Company::new().await;
    // More than one batch, and a name that a spreadsheet would run.
    let sql = "insert into audit_log (id, organization_id, action, actor, subject, created_at)
        select gen_random_uuid(), o.id, 'thing.made', '{\"type\": \"user\", \"id\": \"00000000-0000-0000-0000-000000000001\", \"name\": \"=1+1\"}',
               '{\"type\": \"thing\", \"id\": \"00000000-0000-0000-0000-000000000002\", \"name\": \"a, \\\"b\\\"\"}', now()
        from organizations o, generate_series(1, 1200)";
    run(company.app(), sql).await;
    let (kind, lines) = text_of(&company.ada, "/api/audit-logs/export?action=thing.made").await;
    assert_eq!(kind, "application/x-ndjson");
    let ids: std::collections::BTreeSet<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1200);

    let (kind, table) = text_of(&company.ada, "/api/audit-logs/export?format=csv&action=thing.made").await;
    assert!(kind.starts_with("text/csv"));
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let names = reader.headers().unwrap().clone();
    let column = |name: &str| names.iter().position(|n| n == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1200);
    assert_eq!((&rows[0][column("actor_name")], &rows[0][column("resource_name")]), ("'=1+1", "a, \"b\""));

    let (_, all) = text_of(&company.ada, "/api/admin/audit-logs/export?action=audit_log.exported").await;
    let told: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), 3, "the administrator's own export too");
    assert_eq!(told[1]["after"], json!({ "format": "csv", "filter": { "action": "thing.made" } }));
}

#[tokio::test]
async fn the_sealer_chains_what_fifty_write_at_once() {
    let company = Company::new().await;
    let app = company.app();
    let other = company.restart().await;
    let ada = &company.ada;
    let writes = join_all((0..50).map(|n| {
        let body = json!({ "name": format!("role {n}"), "permissions": ["view:servers"] });
        async move { ada.post("/api/roles", body).await.is(StatusCode::CREATED) }
    }));
    let sealing = async {
        for _ in 0..10 {
            let (one, two) = tokio::join!(seal_once(app), seal_once(&other));
            one.unwrap();
            two.unwrap();
        }
    };
    tokio::join!(writes, sealing);
    seal(app).await;
    let found = company.ada.get("/api/audit-logs/verify").await.is(StatusCode::OK);
    assert_eq!((&found.body["valid"], &found.body["problem"]), (&json!(true), &Value::Null), "{}", found.body);
    assert!(found.body["entries"].as_i64().unwrap() > 50);
    assert_eq!((&found.body["entries"], &found.body["unsealed"]), (&found.body["last_seq"], &json!(0)));
    assert!(found.body["heads_checked"].as_i64().unwrap() > 0);
    let all = company.ada.get("/api/admin/audit-logs/verify").await.is(StatusCode::OK);
    assert_eq!(all.body["valid"], true);
    assert_eq!(all.body["chains"][0]["organization_id"], Value::Null, "the platform's own first");

    let list = company.ada.get("/api/audit-logs?limit=200").await;
    assert!(list.body["data"].as_array().unwrap().iter().all(|entry| entry["seq"].is_i64()));
}

#[tokio::test]
async fn an_open_transaction_holds_up_nobody() {
    let company = Company::new().await;
    let app = company.app();
    seal(app).await;
    let insert =
        "insert into audit_log (id, action, actor, subject) values (gen_random_uuid(), 'early.bird', '{}', '{}')";
    let mut early = app.db.system().begin().await.unwrap();
    sqlx::query(insert).execute(&mut *early).await.unwrap();
    run(app, &insert.replace("early.bird", "late.bird")).await;
    seal(app).await;
    assert_eq!(count(app, "action = 'late.bird' and seq is not null").await, 1);
    early.commit().await.unwrap();
    seal(app).await;
    let order: Vec<String> = sqlx::query_scalar("select action from audit_log where action like '%.bird' order by seq")
        .fetch_all(app.db.system())
        .await
        .unwrap();
    assert_eq!(order, ["late.bird", "early.bird"]);
    let found = company.ada.get("/api/admin/audit-logs/verify").await.is(StatusCode::OK);
    assert_eq!(found.body["valid"], true);
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_rest_stays_proven() {
    let company = Company::new().await;
    let app = company.app();
    for n in 0..9 {
        company.custom(&format!("role {n}"), &["view:servers"]).await;
    }
    let settings = json!({ "audit_retention_days": 30 });
    company.ada.send(Method::PUT, "/api/org/settings", Some(settings)).await.is(StatusCode::OK);
    let id = company.ada.get("/api/org").await.text("id");
    let old = format!(
        "update audit_log set created_at = now() - interval '31 days' where id in
         (select id from audit_log where organization_id = '{id}' order by xid, id limit 5)"
    );
    let mut connection = company.superuser().await;
    by(&mut connection, &old).await;
    seal(app).await;
    audit_prune(app).await.unwrap();
    let found = company.ada.get("/api/audit-logs/verify").await.is(StatusCode::OK);
    assert_eq!((&found.body["valid"], &found.body["first_seq"]), (&json!(true), &json!(6)), "{}", found.body);
    assert_eq!(count(app, &format!("organization_id = '{id}' and seq < 6")).await, 0);

    // Old as it is made out to be, what was forged stays as evidence.
    by(
        &mut connection,
        &format!("update audit_log set created_at = '2020-01-01' where organization_id = '{id}' and seq <= 8"),
    )
    .await;
    audit_prune(app).await.unwrap();
    let found = company.ada.get("/api/audit-logs/verify").await.is(StatusCode::OK);
    assert_eq!((&found.body["problem"]["kind"], &found.body["problem"]["seq"]), (&json!("changed"), &json!(6)));
}

#[tokio::test]
async fn an_emptied_chain_goes_on_where_it_was() {
    let company = Company::new().await;
    let app = company.app();
    seal(app).await;
    company.clock().shift(TimeDelta::days(4000));
    audit_prune(app).await.unwrap();
    assert_eq!(count(app, "true").await, 0);
    let insert = "insert into audit_log (id, organization_id, action, actor, subject)
                  select gen_random_uuid(), id, 'thing.made', '{}', '{}' from organizations";
    run(app, insert).await;
    seal(app).await;
    let ada = sign_in(app, "ada@example.com").await;
    let found = ada.get("/api/audit-logs/verify").await.is(StatusCode::OK);
    assert_eq!((&found.body["valid"], &found.body["entries"]), (&json!(true), &json!(1)), "{}", found.body);
    assert_eq!(found.body["first_seq"], found.body["last_seq"]);
}

#[tokio::test]
async fn the_log_of_a_deleted_organization_is_still_there() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let gone = ada.post("/api/orgs", json!({ "name": "Shortlived" })).await.is(StatusCode::CREATED).text("id");
    ada.with("x-org-slug", &gone).delete("/api/org").await.is(StatusCode::NO_CONTENT);
    seal(&test.app).await;
    let list = ada.get(&format!("/api/admin/audit-logs?organization_id={gone}")).await.is(StatusCode::OK);
    assert_eq!(actions(&list), ["organization.created"]);
    let found = ada.get("/api/admin/audit-logs/verify").await.is(StatusCode::OK);
    let chain = found.body["chains"].as_array().unwrap().iter().find(|chain| chain["organization_id"] == json!(gone));
    assert_eq!(chain.unwrap()["valid"], true);
}
