//! Destinations, tried by an agent that answers as told.

use crate::apps::instances::tests::Shop;
use crate::identity::authentication::tests::{Answer, Visitor};
use crate::testing::{TestApp, agent};
use axum::http::{Method, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use ocore_shared::protocol::storage::{StorageAnswer, StorageProblem, StorageProblemKind, StorageRequest, StorageWork};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// An organization whose server answers for destinations.
struct Rig {
    shop: Shop,
    /// What it is asked, and the answer that it gives.
    asked: Arc<Mutex<Vec<StorageRequest>>>,
    answer: Arc<Mutex<StorageAnswer>>,
}

impl Rig {
    async fn new() -> Self {
        let shop = Shop::new().await;
        let (asked, answer) = (Arc::<Mutex<Vec<StorageRequest>>>::default(), Arc::<Mutex<StorageAnswer>>::default());
        let (seen, given) = (asked.clone(), answer.clone());
        let routes = Router::new().route(
            "/storage",
            post(async move |Json(request): Json<StorageRequest>| {
                seen.lock().unwrap().push(request);
                Json(given.lock().unwrap().clone())
            }),
        );
        agent(&shop.test.app, shop.organization, shop.server, 2, routes).await;
        Self { shop, asked, answer }
    }

    fn ada(&self) -> &Visitor {
        &self.shop.ada
    }

    fn says(&self, answer: StorageAnswer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> Vec<StorageRequest> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    async fn patch(&self, id: &str, body: Value) -> Answer {
        self.ada().send(Method::PATCH, &format!("{PATH}/{id}"), Some(body)).await
    }
}

const PATH: &str = "/api/backup-destinations";

fn bad(kind: StorageProblemKind) -> StorageAnswer {
    let problem = StorageProblem { kind, message: "It is so.".into() };
    StorageAnswer { problem: Some(problem), ..StorageAnswer::default() }
}

fn s3(name: &str) -> Value {
    json!({"name": name, "secret": "a quiet key 8", "config": {"kind": "s3", "endpoint": "https://s3.example.com",
        "region": "eu", "bucket": "acme", "prefix": "/odoo/", "access_key_id": "AKIA"}})
}

fn sftp(name: &str) -> Value {
    json!({"name": name, "secret": "a quiet box 8", "config":
        {"kind": "sftp", "host": "box.example.com", "port": 23, "username": "acme", "path": "kept"}})
}

#[tokio::test]
async fn an_organization_begins_with_its_servers_disks() {
    let test = TestApp::start().await;
    let ada = Visitor::new(&test.app).bootstrap().await.0;
    let list = ada.get(PATH).await.is(StatusCode::OK).body;
    let first = &list["data"][0];
    assert_eq!(
        (&first["config"], &first["is_default"], &first["is_off_site"], &first["status"], &first["encryption"]),
        (
            &json!({"kind": "local", "path": "/var/backups/ocore"}),
            &json!(true),
            &json!(false),
            &json!("unchecked"),
            &json!("none")
        )
    );
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    let path = format!("{PATH}/{}", first["id"].as_str().unwrap());
    ada.delete(&path).await.refused(StatusCode::CONFLICT, "destination_is_default");
    // Without a server, nobody can look at a server's disk.
    let other = json!({"name": "Other", "config": {"kind": "local", "path": "/mnt/backups/"}});
    let made = ada.post(PATH, other).await.is(StatusCode::CREATED);
    assert_eq!((&made.body["status"], &made.body["config"]["path"]), (&json!("unchecked"), &json!("/mnt/backups")));
    // The controller itself goes to the public internet only.
    let mut own = s3("Own");
    own["config"]["endpoint"] = json!("https://10.0.0.1");
    own["config"]["path_style"] = json!(true);
    ada.post(PATH, own).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "destination_refused");
}

#[tokio::test]
async fn a_destination_is_tried_before_it_is_kept() {
    let rig = Rig::new().await;
    for (kind, code) in [
        (StorageProblemKind::Refused, "destination_refused"),
        (StorageProblemKind::Missing, "destination_missing"),
        (StorageProblemKind::NotAllowed, "destination_not_allowed"),
    ] {
        rig.says(bad(kind));
        rig.ada().post(PATH, s3("Off-site")).await.refused(StatusCode::UNPROCESSABLE_ENTITY, code);
    }
    assert_eq!(rig.ada().get(PATH).await.body["data"].as_array().map(Vec::len), Some(1));
    rig.asked();

    rig.says(StorageAnswer::default());
    let made = rig.ada().post(PATH, s3("Off-site")).await.is(StatusCode::CREATED);
    assert_eq!(
        (&made.body["status"], &made.body["has_secret"], &made.body["is_off_site"], &made.body["encryption"]),
        (&json!("ok"), &json!(true), &json!(true), &json!("managed"))
    );
    assert_eq!(made.body["config"]["prefix"], "odoo");
    assert!(!made.body.to_string().contains("a quiet key"));
    let [asked] = &rig.asked()[..] else { panic!("asked once") };
    assert_eq!((asked.secret.as_deref(), &asked.work), (Some("a quiet key 8"), &StorageWork::Probe));
    rig.ada().post(PATH, s3("off-site")).await.refused(StatusCode::CONFLICT, "destination_exists");
    assert_eq!(rig.shop.told("backup_destination.created").await, 1);

    // Another name asks nobody; another place needs the secret again, and a failed try leaves all as it was.
    rig.asked();
    let id = made.text("id");
    rig.patch(&id, json!({"name": "Far away"})).await.is(StatusCode::OK);
    assert!(rig.asked().is_empty());
    let elsewhere = json!({"config": {"kind": "s3", "endpoint": "https://other.example.com", "region": "eu",
        "bucket": "acme", "access_key_id": "AKIA"}});
    let refused = rig.patch(&id, elsewhere).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(refused.body["error"]["details"]["field"], "secret");
    let bucket = json!({"config": {"kind": "s3", "endpoint": "https://s3.example.com", "region": "eu",
        "bucket": "acme-2", "access_key_id": "AKIA"}});
    rig.says(bad(StorageProblemKind::Missing));
    rig.patch(&id, bucket.clone()).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "destination_missing");
    assert_eq!(rig.ada().get(&format!("{PATH}/{id}")).await.body["config"]["bucket"], "acme");
    rig.says(StorageAnswer::default());
    rig.asked();
    let changed = rig.patch(&id, bucket).await.is(StatusCode::OK);
    assert_eq!((&changed.body["config"]["bucket"], &changed.body["name"]), (&json!("acme-2"), &json!("Far away")));
    assert_eq!(rig.asked()[0].secret.as_deref(), Some("a quiet key 8"), "the stored one");

    // Tried again later; what is wrong is shown, not refused.
    rig.says(bad(StorageProblemKind::Unreachable));
    let tried = rig.ada().post(&format!("{PATH}/{id}/test"), json!({})).await.is(StatusCode::OK);
    assert_eq!((&tried.body["status"], &tried.body["problem"]["kind"]), (&json!("failed"), &json!("unreachable")));

    // It may become the default, and then may not go.
    let active = rig.ada().post(&format!("{PATH}/{id}/activate"), json!({})).await.is(StatusCode::OK);
    assert_eq!(active.body["is_default"], true);
    rig.ada().delete(&format!("{PATH}/{id}")).await.refused(StatusCode::CONFLICT, "destination_is_default");
    let list = rig.ada().get(PATH).await.body;
    let first = list["data"].as_array().unwrap().iter().find(|d| d["config"]["kind"] == "local").unwrap().clone();
    assert_eq!(first["is_default"], false);
    rig.ada().post(&format!("{PATH}/{}/activate", first["id"].as_str().unwrap()), json!({})).await.is(StatusCode::OK);
    let delete = |query: &str| format!("{PATH}/{id}{query}");
    rig.ada().delete(&delete("?dry_run=true")).await.is(StatusCode::NO_CONTENT);
    rig.ada().delete(&delete("")).await.is(StatusCode::NO_CONTENT);
    rig.ada().get(&delete("")).await.is(StatusCode::NOT_FOUND);
    let left: i64 = sqlx::query_scalar("select count(*) from secrets where purpose = 'destination'")
        .fetch_one(rig.shop.test.app.db.system())
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn the_key_that_a_host_shows_first_is_the_one_that_counts() {
    let rig = Rig::new().await;
    rig.says(StorageAnswer { host_key: Some("SHA256:abc".into()), free_bytes: Some(7), ..StorageAnswer::default() });
    let made = rig.ada().post(PATH, sftp("Box")).await.is(StatusCode::CREATED);
    assert_eq!((&made.body["config"]["host_key"], &made.body["free_bytes"]), (&json!("SHA256:abc"), &json!(7)));
    rig.asked();
    rig.ada().post(&format!("{PATH}/{}/test", made.text("id")), json!({})).await.is(StatusCode::OK);
    let asked = rig.asked();
    let place = serde_json::to_value(&asked[0].place).unwrap();
    assert_eq!(place["host_key"], "SHA256:abc", "another machine would be noticed");
}

#[tokio::test]
async fn buckets_are_listed_and_made_where_there_are_any() {
    let rig = Rig::new().await;
    let id = rig.ada().post(PATH, s3("Off-site")).await.is(StatusCode::CREATED).text("id");
    let path = format!("{PATH}/{id}/buckets");
    rig.says(StorageAnswer { buckets: vec!["acme".into(), "other".into()], ..StorageAnswer::default() });
    let list = rig.ada().get(&path).await.is(StatusCode::OK);
    assert_eq!(list.body, json!({"data": [{"name": "acme"}, {"name": "other"}]}));
    rig.ada().post(&path, json!({"name": "Acme"})).await.is(StatusCode::BAD_REQUEST);
    rig.says(StorageAnswer { buckets: vec!["acme-2".into()], ..StorageAnswer::default() });
    rig.ada().post(&path, json!({"name": "acme-2"})).await.is(StatusCode::CREATED);
    assert_eq!(rig.asked().pop().unwrap().work, StorageWork::BucketCreate("acme-2".into()));
    let action = "select actor ->> 'name' = 'Ada' from audit_log where action = 'backup_destination.bucket_created'";
    let written: Vec<bool> = sqlx::query_scalar(action).fetch_all(rig.shop.test.app.db.system()).await.unwrap();
    assert_eq!(written, [true]);
    rig.says(bad(StorageProblemKind::Refused));
    rig.ada().get(&path).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "destination_refused");
    rig.says(StorageAnswer { host_key: Some("SHA256:abc".into()), ..StorageAnswer::default() });
    let id = rig.ada().post(PATH, sftp("Box")).await.is(StatusCode::CREATED).text("id");
    let answer = rig.ada().get(&format!("{PATH}/{id}/buckets")).await;
    answer.refused(StatusCode::UNPROCESSABLE_ENTITY, "destination_has_no_buckets");
}

#[tokio::test]
async fn what_cannot_be_right_names_its_field() {
    let rig = Rig::new().await;
    let with = |name: &str, value: Value| {
        let mut body = s3("Off-site");
        match name.split_once('.') {
            Some((outer, inner)) => body[outer][inner] = value,
            None => body[name] = value,
        }
        body
    };
    for (field, body) in [
        ("config.bucket", with("config.bucket", json!("Acme"))),
        ("config.endpoint", with("config.endpoint", json!("https://a:b@s3.example.com"))),
        ("config.endpoint", with("config.endpoint", json!("s3.example.com/bucket"))),
        ("config.prefix", with("config.prefix", json!("a/../b"))),
        ("config.access_key_id", with("config.access_key_id", json!("a\nb"))),
        ("config.pathstyle", with("config.pathstyle", json!(true))),
        ("config", with("config.kind", json!("ftp"))),
        ("recipients", with("recipients", json!(["age1nonsense"]))),
        ("secret", json!({"name": "x", "config": s3("x")["config"]})),
        ("secret", json!({"name": "x", "secret": "y", "config": {"kind": "local", "path": "/mnt"}})),
        ("config.path", json!({"name": "x", "config": {"kind": "local", "path": "/"}})),
        ("config.path", json!({"name": "x", "config": {"kind": "local", "path": "/mnt/../etc"}})),
        ("config.host", {
            let mut body = sftp("x");
            body["config"]["host"] = json!("box.example.com/path");
            body
        }),
    ] {
        let answer = rig.ada().post(PATH, body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{}", answer.body);
    }
    let answer = rig.ada().post(PATH, with("config.bucket", json!(null))).await.is(StatusCode::BAD_REQUEST);
    let error = &answer.body["error"];
    assert_eq!(error["details"]["field"], "config");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("bucket")), "{error}");
    assert!(rig.asked().is_empty());
}

#[tokio::test]
async fn another_organizations_destinations_and_servers_are_not_there() {
    let rig = Rig::new().await;
    let id = rig.ada().post(PATH, s3("Off-site")).await.is(StatusCode::CREATED).text("id");
    let other = rig.ada().post("/api/orgs", json!({"name": "Other"})).await.is(StatusCode::CREATED);
    let there = rig.ada().with("x-org-slug", other.text("id"));
    there.get(&format!("{PATH}/{id}")).await.is(StatusCode::NOT_FOUND);
    there.post(&format!("{PATH}/{id}/test"), json!({})).await.is(StatusCode::NOT_FOUND);
    rig.asked();
    let path = format!("{PATH}?server_id={}", rig.shop.server);
    there.post(&path, s3("Theirs")).await.is(StatusCode::NOT_FOUND);
    assert!(rig.asked().is_empty(), "nobody else's server is asked");
}
