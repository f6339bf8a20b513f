//! The queue in the administrator's hands.

use crate::app::App;
use crate::identity::authentication::tests::run;
use crate::identity::members::tests::Company;
use crate::platform::http::Actor;
use crate::platform::jobs::tasks::store::{task_claim_due, task_end_overdue, task_enqueue};
use crate::platform::jobs::tasks::{NewTask, Outcome, task_settle};
use crate::signals::events::Subject;
use axum::http::StatusCode;
use chrono::TimeDelta;
use ocore_shared::ids::JobId;
use serde_json::json;
use uuid::Uuid;

async fn task(app: &App) -> JobId {
    let now = app.clock.now();
    let task = NewTask {
        id: JobId::new(),
        kind: "nothing",
        organization: None,
        subject: Subject::new("test", Uuid::nil(), "test"),
        input: json!({}),
        lane: None,
        run_at: now,
        deadline_at: Some(now + TimeDelta::hours(1)),
        created_by: Actor::system(),
    };
    let mut connection = app.db.system().acquire().await.unwrap();
    task_enqueue(&mut connection, &task).await.unwrap();
    task.id
}

#[tokio::test]
async fn a_failed_task_is_done_again_with_as_much_time() {
    let company = Company::new().await;
    let (app, ada) = (company.app(), &company.ada);
    let job = task(app).await;
    let path = format!("/api/admin/jobs/{job}");
    ada.post(&format!("{path}/retry"), json!({})).await.refused(StatusCode::CONFLICT, "job_not_failed");
    let claimed = task_claim_due(app.db.system(), app.replica, app.clock.now(), 10).await.unwrap().remove(0);
    task_settle(app, &claimed, Outcome::failed("away", "Nobody answers.")).await.unwrap();
    let list = ada.get("/api/admin/jobs?status=failed").await.is(StatusCode::OK);
    assert_eq!((&list.body["data"][0]["id"], &list.body["data"][0]["failure"]["code"]), (&json!(job), &json!("away")));
    let queue = &list.body["queues"][0];
    assert_eq!((&queue["kind"], &queue["failed_24h"], &queue["queued"]), (&json!("nothing"), &json!(1), &json!(0)));

    company.clock().shift(TimeDelta::hours(5));
    let ada = &crate::identity::authentication::tests::sign_in(app, "ada@example.com").await;
    let again = ada.post(&format!("{path}/retry"), json!({})).await.is(StatusCode::ACCEPTED);
    assert_eq!((again.text("status"), &again.body["failure"]), ("queued".into(), &json!(null)));
    ada.post(&format!("{path}/retry"), json!({})).await.refused(StatusCode::CONFLICT, "job_not_failed");
    task_end_overdue(app.db.system(), app.clock.now()).await.unwrap();
    let second = task_claim_due(app.db.system(), app.replica, app.clock.now(), 10).await.unwrap().remove(0);
    assert_eq!((second.id, second.attempt), (job, 2), "who has worked on it before is fenced off");
    task_settle(app, &claimed, Outcome::Done(None)).await.unwrap();
    let now = ada.get("/api/admin/jobs?kind=nothing&executor=controller").await.is(StatusCode::OK);
    assert_eq!(now.body["data"][0]["status"], "running");
}

#[tokio::test]
async fn a_task_is_cancelled_and_stays_so() {
    let company = Company::new().await;
    let (app, ada) = (company.app(), &company.ada);
    let job = task(app).await;
    let path = format!("/api/admin/jobs/{job}/cancel");
    let asked = ada.post(&path, json!({})).await.is(StatusCode::ACCEPTED);
    assert_eq!(asked.body["cancel_requested"], true);
    task_end_overdue(app.db.system(), app.clock.now()).await.unwrap();
    assert!(task_claim_due(app.db.system(), app.replica, app.clock.now(), 10).await.unwrap().is_empty());
    ada.post(&path, json!({})).await.refused(StatusCode::CONFLICT, "job_ended");
    ada.post(&format!("/api/admin/jobs/{}/cancel", JobId::new()), json!({})).await.is(StatusCode::NOT_FOUND);
    let (_, dev) = company.hire("dev", "admin").await;
    dev.post(&path, json!({})).await.refused(StatusCode::FORBIDDEN, "admin_required");
}

#[tokio::test]
async fn an_organizations_job_is_cancelled_before_its_eyes_and_not_repeated() {
    let company = Company::new().await;
    let (app, ada) = (company.app(), &company.ada);
    let made = ada.post("/api/servers", json!({ "name": "first" })).await.is(StatusCode::CREATED);
    let server = made.body["server"]["id"].as_str().unwrap().to_owned();
    run(app, "update servers set status = 'online', session_epoch = 1").await;
    let job =
        ada.post(&format!("/api/servers/{server}/check"), json!({})).await.is(StatusCode::ACCEPTED).text("job_id");
    run(app, "update jobs set status = 'queued', attempts = 0").await;
    let ended = ada.post(&format!("/api/admin/jobs/{job}/cancel"), json!({})).await.is(StatusCode::ACCEPTED);
    assert_eq!((ended.text("status"), ended.text("organization_name")), ("cancelled".into(), "Example".into()));
    let own = ada.get("/api/audit-logs?action=job.cancel_requested").await.is(StatusCode::OK);
    assert_eq!(own.body["data"][0]["subject"]["id"], json!(job));
    ada.post(&format!("/api/admin/jobs/{job}/retry"), json!({})).await.refused(StatusCode::CONFLICT, "not_retryable");
}
