//! The log's level and the life of logs, changed while the controller runs.

use super::service::log_settings_get;
use crate::identity::authentication::tests::run;
use crate::identity::members::tests::Company;
use crate::platform::jobs::logs::store::job_log_prune;
use crate::signals::events::store::event_prune;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn settings_change_by_what_is_given_and_go_back_to_the_configuration() {
    let company = Company::new().await;
    let ada = &company.ada;
    let path = "/api/admin/settings/logs";
    let put = async |body: Value| ada.send(Method::PUT, path, Some(body)).await;
    let first = ada.get(path).await.is(StatusCode::OK).body;
    assert_eq!((&first["level"], &first["level_source"]), (&json!("info"), &json!("configuration")));
    assert_eq!((&first["job_log_days"], &first["event_days"], &first["version"]), (&json!(30), &json!(7), &json!(0)));
    // What was read may come back, and changes nothing.
    assert_eq!(put(first.clone()).await.is(StatusCode::OK).body, first);

    let level = "info,ocore_controller=debug";
    let changed = put(json!({ "level": level, "event_days": 3 })).await.is(StatusCode::OK);
    assert_eq!((changed.text("level"), changed.text("level_source")), (level.into(), "settings".into()));
    assert_eq!((&changed.body["event_days"], &changed.body["job_log_days"]), (&json!(3), &json!(30)));
    assert_eq!(company.app().log.now(), level, "it holds at once");
    let told = ada.get("/api/admin/audit-logs?action=log_settings.updated").await;
    assert_eq!(
        (&told.body["data"][0]["before"]["level"], &told.body["data"][0]["after"]["level"]),
        (&json!("info"), &json!(level))
    );

    let old = changed.headers["etag"].to_str().unwrap().to_owned();
    let back = put(json!({ "level": null })).await.is(StatusCode::OK);
    assert_eq!((back.text("level"), back.text("level_source")), ("info".into(), "configuration".into()));
    let late = ada.with("if-match", old).send(Method::PUT, path, Some(json!({ "event_days": 4 }))).await;
    late.is(StatusCode::PRECONDITION_FAILED);

    for (field, wrong) in [
        ("level", json!({ "level": "ocore=loud" })),
        ("level", json!({ "level": "" })),
        ("event_days", json!({ "event_days": 0 })),
        ("job_log_days", json!({ "job_log_days": 4000 })),
        ("level_source", json!({ "level_source": "settings" })),
        ("syslog", json!({ "syslog": "localhost" })),
    ] {
        let answer = put(wrong).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{}", answer.body);
    }
}

#[tokio::test]
async fn what_is_older_than_is_set_goes() {
    let company = Company::new().await;
    let app = company.app();
    let body = json!({ "event_days": 2 });
    company.ada.send(Method::PUT, "/api/admin/settings/logs", Some(body)).await.is(StatusCode::OK);
    run(app, "update events set created_at = now() - interval '3 days' where type = 'organization.created'").await;
    let days = log_settings_get(app).await.unwrap();
    assert_eq!(event_prune(app.db.system(), days.event_days).await.unwrap(), 1);
    assert_eq!(job_log_prune(app.db.system(), days.job_log_days).await.unwrap(), 0);
}
