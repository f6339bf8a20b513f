//! The controller's own jobs: one at a time, again after a fault, never for ever.

use super::store::{task_claim_due, task_end_overdue, task_enqueue};
use super::{LANE, NewTask, Outcome, Task, task_settle};
use crate::app::App;
use crate::platform::http::Actor;
use crate::signals::events::Subject;
use crate::testing::TestApp;
use chrono::TimeDelta;
use ocore_shared::ids::{JobId, ReplicaId};
use ocore_shared::protocol::jobs::JobFailure;
use serde_json::json;
use uuid::Uuid;

async fn enqueue(app: &App, lane: Option<&str>) -> JobId {
    let task = NewTask {
        id: JobId::new(),
        kind: "nothing",
        organization: None,
        subject: Subject::new("test", Uuid::nil(), "test"),
        input: json!({}),
        lane: lane.map(Into::into),
        run_at: app.clock.now(),
        deadline_at: Some(app.clock.now() + TimeDelta::hours(1)),
        created_by: Actor::system(),
    };
    let mut connection = app.db.system().acquire().await.unwrap();
    task_enqueue(&mut connection, &task).await.unwrap();
    task.id
}

async fn claim(app: &App) -> Vec<Task> {
    task_claim_due(app.db.system(), app.replica, app.clock.now(), 100).await.unwrap()
}

async fn status(app: &App, job: JobId) -> String {
    sqlx::query_scalar("select status from jobs where id = $1").bind(job.0).fetch_one(app.db.system()).await.unwrap()
}

fn failure() -> JobFailure {
    JobFailure { code: "away".into(), message: "Nobody answers.".into(), retryable: true }
}

#[tokio::test]
async fn a_task_is_one_replicas_until_it_ends_or_falls_silent() {
    let test = TestApp::start().await;
    let app = &test.app;
    let job = enqueue(app, None).await;
    let (first, second) = tokio::join!(claim(app), claim(app));
    assert_eq!(first.len() + second.len(), 1, "of two who look at once, one has it");
    let old = first.into_iter().chain(second).next().unwrap();

    sqlx::query("update jobs set claimed_until = now() - interval '1 second'").execute(app.db.system()).await.unwrap();
    let other = ReplicaId::new();
    let taken = task_claim_due(app.db.system(), other, app.clock.now(), 1).await.unwrap();
    assert_eq!((taken[0].id, taken[0].attempt), (job, 2));
    task_settle(app, &old, Outcome::Done(None)).await.unwrap();
    assert_eq!(status(app, job).await, "running", "who was taken for dead changes nothing");
}

#[tokio::test]
async fn a_failure_is_tried_again_until_the_deadline() {
    let test = TestApp::start().await;
    let app = &test.app;
    let job = enqueue(app, None).await;
    let task = claim(app).await.remove(0);
    let at = app.clock.now() + TimeDelta::minutes(30);
    task_settle(app, &task, Outcome::Again { at, failure: failure() }).await.unwrap();
    assert!(claim(app).await.is_empty());
    test.clock.shift(TimeDelta::minutes(31));
    let task = claim(app).await.remove(0);
    assert_eq!(task.attempt, 2);
    let at = app.clock.now() + TimeDelta::minutes(1);
    task_settle(app, &task, Outcome::Later { at }).await.unwrap();
    test.clock.shift(TimeDelta::minutes(2));
    let task = claim(app).await.remove(0);
    assert_eq!(task.attempt, 2, "waiting for one's turn is no attempt");
    let at = app.clock.now() + TimeDelta::hours(2);
    task_settle(app, &task, Outcome::Again { at, failure: failure() }).await.unwrap();
    assert_eq!(status(app, job).await, "failed", "what would come after the deadline does not come");

    let late = enqueue(app, None).await;
    test.clock.shift(TimeDelta::hours(2));
    task_end_overdue(app.db.system(), app.clock.now()).await.unwrap();
    assert_eq!(status(app, late).await, "failed");
    assert!(claim(app).await.is_empty());
}

#[tokio::test]
async fn a_slow_lane_holds_up_nobody_else() {
    let test = TestApp::start().await;
    let app = &test.app;
    for _ in 0..LANE + 3 {
        enqueue(app, Some("slow")).await;
    }
    let other = enqueue(app, Some("quick")).await;
    let tasks = claim(app).await;
    assert_eq!(tasks.len() as i64, LANE + 1);
    assert!(tasks.iter().any(|task| task.id == other));
    assert!(claim(app).await.is_empty(), "the lane is full");
    let slow = tasks.iter().find(|task| task.id != other).unwrap();
    task_settle(app, slow, Outcome::Done(None)).await.unwrap();
    assert_eq!(claim(app).await.len(), 1);
}

#[tokio::test]
async fn an_unknown_kind_fails_and_says_so() {
    let test = TestApp::start().await;
    let app = &test.app;
    let job = enqueue(app, None).await;
    let task = claim(app).await.remove(0);
    let outcome = super::attempt(app, &task).await;
    task_settle(app, &task, outcome).await.unwrap();
    assert_eq!(status(app, job).await, "failed");
}
