//! What is asked of agents about backups, and what their answers make of them.

use crate::apps::instances::tests::Shop;
use crate::identity::authentication::tests::Answer;
use age::secrecy::ExposeSecret;
use axum::http::{Method, StatusCode};
use ocore_shared::ids::JobId;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::jobs::{JobFailure, JobSnapshot, JobStatus};
use serde_json::{Value, json};

impl Shop {
    async fn backups(&self) -> String {
        let instance = self.get().await;
        format!("/api/environments/{}/backups", instance["environment_id"].as_str().unwrap())
    }

    async fn job_row(&self, asked: &Answer) -> (Value, Value) {
        let job: JobId = asked.text("job_id").parse().unwrap();
        sqlx::query_as("select input, secret_ids from jobs where id = $1")
            .bind(job.0)
            .fetch_one(self.test.app.db.system())
            .await
            .unwrap()
    }

    async fn audited(&self, action: &str) -> i64 {
        let count = "select count(*) from audit_log where action = $1";
        sqlx::query_scalar(count).bind(action).fetch_one(self.test.app.db.system()).await.unwrap()
    }

    async fn secrets(&self, purpose: &str) -> i64 {
        let count = "select count(*) from secrets where purpose = $1";
        sqlx::query_scalar(count).bind(purpose).fetch_one(self.test.app.db.system()).await.unwrap()
    }

    async fn end(&self, asked: &Answer, status: JobStatus, result: Option<Value>) {
        let job: JobId = asked.text("job_id").parse().unwrap();
        let failure = (status == JobStatus::Failed).then(|| JobFailure {
            code: "destination_full".into(),
            message: "There is no room left.".into(),
            retryable: false,
        });
        self.says([AgentEvent::Job(JobSnapshot { result, failure, ..self.snapshot(job, status) })]).await;
    }

    /// One that is whole, as its agent tells it.
    async fn backed_up(&self, body: Value) -> String {
        let path = format!("/api/instances/{}/backups", self.id);
        let asked = self.ada.post(&path, body).await.is(StatusCode::ACCEPTED);
        let (input, _) = self.job_row(&asked).await;
        let created = created(&input, &self.get().await);
        self.end(&asked, JobStatus::Succeeded, Some(created)).await;
        format!("{}/{}", self.backups().await, asked.text("id"))
    }

    async fn encrypted(&self, encryption: &str, recipients: &[String]) {
        let local = json!({"name": encryption, "config": {"kind": "local", "path": format!("/mnt/{encryption}")},
            "encryption": encryption, "recipients": recipients, "is_default": true});
        self.ada.post("/api/backup-destinations", local).await.is(StatusCode::CREATED);
    }
}

/// What an agent tells of the backup that it was asked for.
fn created(input: &Value, instance: &Value) -> Value {
    let part = |name: &str| json!({"name": name, "size": 700, "sha256": "ab", "plain_bytes": 7000});
    json!({
        "manifest_sha256": "cd",
        "manifest": {
            "format": 1, "backup_id": input["backup_id"], "kind": input["kind"],
            "organization_id": instance["id"], "environment_id": instance["environment_id"],
            "instance_id": instance["id"], "slug": instance["slug"], "odoo_version": instance["odoo_version"],
            "image": "odoo", "image_digest": "sha256:1", "addons": [], "modules": {"base": "14.0.1.3"},
            "postgres_version": "13.16", "database_name": "shop", "database_role": "shop", "database_uuid": null,
            "database_bytes": 50_000_000, "tables": {"res_users": 5}, "roles": ["shop"],
            "attachments": {"files": 3, "bytes": 30, "missing": 1, "damaged": 0},
            "recipients": input["recipients"], "database": part("database.dump.zst"),
            "filestore": part("filestore.tar.zst"), "snapshot_at": "2026-01-02T03:04:05Z",
            "started_at": "2026-01-02T03:04:00Z", "finished_at": "2026-01-02T03:04:10Z", "agent_version": "0.1.0",
        }
    })
}

#[tokio::test]
async fn a_backup_is_asked_for_made_shown_and_deleted() {
    let shop = Shop::running().await;
    let path = shop.backups().await;
    let asked = shop.ada.post(&path, json!({"note": "before the fair"})).await.is(StatusCode::ACCEPTED);
    let (input, secrets) = shop.job_row(&asked).await;
    assert_eq!(input["place"], json!({"kind": "local", "path": "/var/backups/ocore"}));
    assert_eq!((&input["recipients"], &input["kind"], &secrets), (&json!([]), &json!("manual"), &json!({})));
    let prefix = input["prefix"].as_str().unwrap();
    assert!(prefix.ends_with(&format!("/{}/", asked.text("id"))), "{prefix}");
    let one = format!("{path}/{}", asked.text("id"));
    let running = shop.ada.get(&one).await.is(StatusCode::OK).body;
    assert_eq!((&running["status"], &running["manifest"]), (&json!("running"), &Value::Null));
    assert_eq!(shop.get().await["status"], "running", "it goes on serving");
    let refused = shop.ada.delete(&one).await.is(StatusCode::CONFLICT);
    assert_eq!(refused.body["error"]["code"], "operation_in_progress");

    shop.end(&asked, JobStatus::Succeeded, Some(created(&input, &shop.get().await))).await;
    let whole = shop.ada.get(&one).await.is(StatusCode::OK).body;
    assert_eq!((&whole["status"], &whole["size_bytes"]), (&json!("succeeded"), &json!(1400)));
    assert_eq!((&whole["duration_seconds"], &whole["attachments"]["missing"]), (&json!(10.0), &json!(1)));
    assert_eq!((&whole["manifest"]["tables"]["res_users"], &whole["is_off_site"]), (&json!(5), &json!(false)));
    assert_eq!((shop.told("backup.created").await, shop.audited("backup.create_requested").await), (1, 1));
    let ids = |list: &Value| list["data"].as_array().unwrap().iter().map(|b| b["id"].clone()).collect::<Vec<_>>();
    for list in [path.clone(), "/api/backups?status=succeeded".into(), format!("/api/instances/{}/backups", shop.id)] {
        assert_eq!(ids(&shop.ada.get(&list).await.is(StatusCode::OK).body), [whole["id"].clone()], "{list}");
    }
    assert_eq!(ids(&shop.ada.get("/api/backups?kind=scheduled").await.body), Vec::<Value>::new());

    let pinned = shop.ada.send(Method::PATCH, &one, Some(json!({"is_pinned": true}))).await.is(StatusCode::OK);
    assert_eq!((&pinned.body["note"], &pinned.body["is_pinned"]), (&json!("before the fair"), &json!(true)));
    assert_eq!(shop.ada.delete(&one).await.is(StatusCode::CONFLICT).body["error"]["code"], "backup_pinned");
    shop.ada.send(Method::PATCH, &one, Some(json!({"is_pinned": false}))).await.is(StatusCode::OK);
    assert_eq!(shop.audited("backup.updated").await, 2);
    // A destination goes only when it holds nothing.
    let first = whole["destination_id"].as_str().unwrap();
    shop.encrypted("none", &[]).await;
    let destination = format!("/api/backup-destinations/{first}");
    let refused = shop.ada.delete(&destination).await.is(StatusCode::CONFLICT);
    assert_eq!(refused.body["error"]["code"], "destination_in_use");
    let gone = shop.ada.delete(&one).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.ada.get(&one).await.body["status"], "deleting");
    shop.end(&gone, JobStatus::Succeeded, None).await;
    shop.ada.get(&one).await.is(StatusCode::NOT_FOUND);
    assert_eq!((shop.told("backup.deleted").await, shop.audited("backup.delete_requested").await), (1, 1));
    shop.ada.delete(&destination).await.is(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_fails_is_told_and_can_be_forgotten() {
    let shop = Shop::running().await;
    let path = format!("/api/instances/{}/backups", shop.id);
    let asked = shop.ada.post(&path, json!({})).await.is(StatusCode::ACCEPTED);
    shop.end(&asked, JobStatus::Failed, None).await;
    let one = format!("{}/{}", shop.backups().await, asked.text("id"));
    let failed = shop.ada.get(&one).await.is(StatusCode::OK).body;
    assert_eq!((&failed["status"], &failed["failure"]["code"]), (&json!("failed"), &json!("destination_full")));
    assert_eq!((shop.told("backup.failed").await, shop.errors().await), (1, 0));
    assert_eq!(shop.get().await["status"], "running");
    let refused = shop.ada.post(&format!("{one}/restore"), json!({})).await.is(StatusCode::CONFLICT);
    assert_eq!(refused.body["error"]["code"], "backup_unusable");
    shop.ada.delete(&format!("{one}?forget=true")).await.is(StatusCode::NO_CONTENT);
    shop.ada.get(&one).await.is(StatusCode::NOT_FOUND);
    // One that was cancelled before its agent heard of it.
    let restart = shop.control("restart").await;
    let waiting = shop.ada.post(&format!("{path}?queue=true"), json!({})).await.is(StatusCode::ACCEPTED);
    shop.cancelled(waiting.text("job_id").parse().unwrap()).await;
    let cancelled = shop.ada.get(&format!("{}/{}", shop.backups().await, waiting.text("id"))).await.body;
    assert_eq!((&cancelled["status"], &cancelled["failure"]["code"]), (&json!("failed"), &json!("cancelled")));
    shop.cancelled(restart).await;
    for (body, field) in [
        (json!({"destination_id": shop.id}), "destination_id"),
        (json!({"note": "x".repeat(501)}), "note"),
        (json!({"nope": 1}), "nope"),
    ] {
        let answer = shop.ada.post(&path, body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{}", answer.body);
    }
    let elsewhere = json!({"instance_id": JobId::new()});
    let answer = shop.ada.post(&shop.backups().await, elsewhere).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"]["details"]["field"], "instance_id");
}

#[tokio::test]
async fn a_backup_is_restored_with_the_key_that_it_needs() {
    let shop = Shop::running().await;
    // Ours: made with the first backup, kept, and given to the job alone.
    shop.encrypted("managed", &[]).await;
    let first = shop.backed_up(json!({})).await;
    let second = shop.backed_up(json!({})).await;
    assert_eq!(shop.secrets("backup_key").await, 1);
    let recipients = |backup: &Value| backup["manifest"]["recipients"].clone();
    let (one, two) = (shop.ada.get(&first).await.body, shop.ada.get(&second).await.body);
    assert!(recipients(&one)[0].as_str().unwrap().starts_with("age1") && recipients(&one) == recipients(&two));
    let asked = shop.ada.post(&format!("{first}/restore"), json!({})).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.get().await["status"], "restoring");
    let (input, secrets) = shop.job_row(&asked).await;
    assert_eq!((&input["is_encrypted"], &input["manifest_sha256"]), (&json!(true), &json!("cd")));
    assert!(secrets["memory.identity"].is_string(), "{secrets}");
    let running = json!({"container_id": "odoo-1", "container_name": "odoo-1", "image_digest": "sha256:1",
        "http_port": 20000, "kept_database": "shop_until", "down_milliseconds": 1, "start_milliseconds": 1});
    shop.end(&asked, JobStatus::Succeeded, Some(running)).await;
    assert_eq!((shop.get().await["status"].clone(), shop.told("backup.restored").await), (json!("running"), 1));
    assert_eq!(shop.secrets("backup_key").await, 1, "it is needed again");
    assert_eq!(shop.audited("backup.restore_requested").await, 1);

    // Into another one only by saying what it is there.
    let wanted = json!({"name": "Second", "server_id": shop.server, "admin_login": "admin", "admin_password": "a quiet shop 7",
        "odoo_version": shop.get().await["odoo_version"]});
    let second = shop.ada.post("/api/instances", wanted).await.is(StatusCode::ACCEPTED).text("id");
    let body = json!({"instance_id": second});
    let answer = shop.ada.post(&format!("{first}/restore"), body).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"]["details"]["field"], "mode", "{}", answer.body);
    let body = json!({"instance_id": second, "mode": "move"});
    let answer = shop.ada.post(&format!("{first}/restore"), body).await.is(StatusCode::CONFLICT);
    assert_eq!(answer.body["error"]["code"], "not_provisioned", "that far it goes");

    // Theirs: brought for one job, and forgotten after it.
    let key = age::x25519::Identity::generate();
    shop.encrypted("recipients", &[key.to_public().to_string()]).await;
    let restore = format!("{}/restore", shop.backed_up(json!({})).await);
    let other = age::x25519::Identity::generate().to_string().expose_secret().to_owned();
    for identity in [None, Some("x".into()), Some(other)] {
        let body = identity.map_or(json!({}), |identity: String| json!({"identity": identity}));
        let answer = shop.ada.post(&restore, body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], "identity", "{}", answer.body);
    }
    let body = json!({"identity": key.to_string().expose_secret()});
    let asked = shop.ada.post(&restore, body).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.secrets("backup_identity").await, 1);
    shop.end(&asked, JobStatus::Failed, None).await;
    assert_eq!((shop.secrets("backup_identity").await, shop.secrets("backup_key").await), (0, 1));
    assert_eq!((shop.get().await["status"].clone(), shop.errors().await), (json!("running"), 0));
}
