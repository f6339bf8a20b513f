//! What may be set, what comes of it, and how one goes back.

use crate::apps::instances::tests::Shop;
use crate::identity::authentication::tests::Answer;
use axum::http::{Method, StatusCode};
use ocore_shared::ids::JobId;
use ocore_shared::protocol::jobs::StepStatus;
use serde_json::{Value, json};

impl Shop {
    fn config_path(&self) -> String {
        format!("/api/instances/{}/config", self.id)
    }

    async fn config(&self) -> Value {
        self.ada.get(&self.config_path()).await.is(StatusCode::OK).body
    }

    async fn put(&self, body: Value) -> Answer {
        self.ada.send(Method::PUT, &self.config_path(), Some(body)).await
    }

    async fn history(&self) -> Vec<Value> {
        let list = self.ada.get(&format!("{}/history", self.config_path())).await.is(StatusCode::OK);
        list.body["data"].as_array().unwrap().clone()
    }

    /// Set and brought about.
    async fn set(&self, body: Value) {
        let job: JobId = self.put(body).await.is(StatusCode::ACCEPTED).text("job_id").parse().unwrap();
        self.says([self.succeeded(job, StepStatus::Succeeded)]).await;
    }

    /// Names of the secrets that the newest job brings its agent.
    async fn job_secrets(&self) -> Vec<String> {
        let names = "select array(select jsonb_object_keys(secret_ids)) from jobs order by id desc limit 1";
        sqlx::query_scalar(names).fetch_one(self.test.app.db.system()).await.unwrap()
    }
}

impl Answer {
    /// Refused for that field.
    #[track_caller]
    fn about(&self, field: &str) {
        assert_eq!(
            (self.status, &self.body["error"]["details"]["field"]),
            (StatusCode::BAD_REQUEST, &json!(field)),
            "{}",
            self.body
        );
    }
}

#[tokio::test]
async fn settings_are_changed_shown_and_taken_back() {
    let shop = Shop::running().await;
    let first = shop.config().await;
    assert_eq!(
        (&first["workers"], &first["sizing"]["workers"], &first["applied"]),
        (&Value::Null, &json!(0), &json!(true))
    );
    assert!(first["conf"].as_str().unwrap().contains("db_password = ********\n"), "{first}");
    assert!(shop.history().await.is_empty());

    // What was read may be sent back; what is only looked at changes nothing.
    shop.put(first.clone()).await.is(StatusCode::OK);
    let path = format!("{}?dry_run=true", shop.config_path());
    let seen =
        shop.ada.send(Method::PUT, &path, Some(json!({"limit_time_real": 300, "users": 4}))).await.is(StatusCode::OK);
    assert!(seen.body["conf"].as_str().unwrap().contains("limit_time_real = 300\n"));
    assert_eq!(shop.config().await, first);

    shop.set(
        json!({"limit_time_real": 300, "limit_time_cpu": 200, "timezone": "Europe/Warsaw", "note": "long imports"}),
    )
    .await;
    let second = shop.config().await;
    assert_eq!((&second["limit_time_real"], &second["applied"]), (&json!(300), &json!(true)));
    let history = shop.history().await;
    assert_eq!((history.len(), &history[0]["note"]), (2, &json!("long imports")));
    let change = json!({"setting": "timezone", "before": null, "after": "Europe/Warsaw"});
    assert!(history[0]["changes"].as_array().unwrap().contains(&change), "{}", history[0]);
    assert_eq!((&history[0]["actor"]["name"], &history[1]["changes"]), (&json!("Ada"), &json!([])));

    let path = format!("{}/revert", shop.config_path());
    let back = shop.ada.post(&path, json!({"revision": first["revision"]})).await.is(StatusCode::ACCEPTED);
    let job = back.text("job_id").parse().unwrap();
    shop.says([shop.failed(job, "It did not come up.")]).await;
    let asked = shop.config().await;
    assert_eq!((&asked["timezone"], &asked["applied"]), (&Value::Null, &json!(false)), "wished, not there");
    // The same words again try again.
    shop.set(json!({"timezone": null})).await;
    assert_eq!(shop.config().await["applied"], json!(true));
    assert_eq!(shop.history().await.len(), 3);
    shop.ada.post(&path, json!({"revision": 77})).await.about("revision");
}

#[tokio::test]
async fn what_odoo_could_not_live_with_is_refused_by_name() {
    let shop = Shop::running().await;
    for (body, field) in [
        (json!({"workers": 8}), "workers"),
        (json!({"workers": 65}), "workers"),
        (json!({"timezone": "Warsaw"}), "timezone"),
        (json!({"limit_memory_soft_mb": 2000, "limit_memory_hard_mb": 1500}), "limit_memory_hard_mb"),
        (json!({"limit_time_cpu": 500, "limit_time_real": 100}), "limit_time_real"),
        (json!({"log_handler": ["odoo:LOUD"]}), "log_handler"),
        (json!({"server_wide_modules": ["a;b"]}), "server_wide_modules"),
        (json!({"extra_conf": {"db_host": "elsewhere"}}), "extra_conf.db_host"),
        (json!({"extra_conf": {"workers": "4"}}), "extra_conf.workers"),
        (json!({"extra_conf": {"x": "1\nadmin_passwd = y"}}), "extra_conf.x"),
        (json!({"smtp": {"host": "mail.example.com", "password": "secret"}}), "smtp.user"),
        (json!({"conf": "db_host = x"}), "conf"),
    ] {
        let answer = shop.put(body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        let named = answer.body["error"]["errors"][0]["field"].as_str().unwrap().to_owned();
        assert!(named.starts_with(field), "{field}: {}", answer.body);
    }
    assert_eq!(shop.config().await["revision"], json!(1));
}

#[tokio::test]
async fn a_mail_password_is_kept_and_goes_nowhere_else() {
    let shop = Shop::running().await;
    let mail = json!({"host": "mail.example.com", "user": "shop", "encryption": "starttls"});
    let with = |change: Value| {
        let mut smtp = mail.clone();
        smtp.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({ "smtp": smtp })
    };
    shop.set(with(json!({"password": "a quiet mail 9"}))).await;
    assert_eq!(shop.job_secrets().await, ["smtp_password"]);
    let config = shop.config().await;
    assert_eq!((&config["smtp"]["has_password"], &config["smtp"]["port"]), (&json!(true), &json!(587)));
    let shown = format!("{config}{:?}", shop.history().await);
    assert!(!shown.contains("quiet mail"), "{shown}");
    assert!(config["conf"].as_str().unwrap().contains("smtp_password = ********\n"));

    // The same without the password is the same; another server or user does not get it.
    shop.put(with(json!({}))).await.is(StatusCode::OK);
    shop.put(json!({"smtp": config["smtp"]})).await.is(StatusCode::OK);
    shop.put(with(json!({"host": "elsewhere.example.com"}))).await.about("smtp.password");
    shop.put(with(json!({"user": "eve"}))).await.about("smtp.password");

    // Other settings carry it along, and it is there again after a way back.
    let job = shop.updated(json!({"limits": {"cpus": 0.5, "memory_mb": 1024}})).await;
    assert_eq!(shop.job_secrets().await, ["smtp_password"]);
    shop.says([shop.succeeded(job, StepStatus::Succeeded)]).await;
    let revision = shop.config().await["revision"].clone();
    shop.set(json!({"smtp": null})).await;
    assert!(shop.job_secrets().await.is_empty());
    assert!(!shop.config().await["conf"].as_str().unwrap().contains("smtp_"));
    let before = shop.history().await[1]["revision"].clone();
    assert!(before.as_i64() <= revision.as_i64());
    let path = format!("{}/revert", shop.config_path());
    shop.ada.post(&path, json!({"revision": before})).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.job_secrets().await, ["smtp_password"]);
}
