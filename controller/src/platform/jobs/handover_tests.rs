//! Between a row and its agent: what is asked of the agent, and what is not, whatever was lost on the way.

use super::dispatch::{job_offer_all, sweep_once};
use super::logs::store::{job_log_append, job_log_list};
use super::queue::store::job_claim_cancelled;
use super::report::{job_end_here, job_log_complete, log_fetch};
use super::store::{job_lock_open, job_reports_forget};
use super::tests::Rig;
use crate::identity::authentication::tests::run;
use crate::platform::tunnel::Tunnel;
use crate::testing::{agent, tunnel_to};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, routing};
use futures::StreamExt;
use futures::stream;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::AgentError;
use ocore_shared::protocol::jobs::{JobLogLine, JobSnapshot, JobStatus};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

/// What an agent was asked, in order.
type Asked = mpsc::UnboundedReceiver<Method>;

/// Connect an agent that answers each request by `answer`.
async fn connect<F>(rig: &Rig, answer: impl Fn(Method) -> F + Clone + Send + Sync + 'static) -> (Arc<Tunnel>, Asked)
where
    F: Future<Output = Response> + Send + 'static,
{
    let (tell, asked) = mpsc::unbounded_channel();
    let routes = Router::new().fallback(move |request: Request| {
        tell.send(request.method().clone()).unwrap();
        answer(request.method().clone())
    });
    (agent(rig.app(), rig.organization, rig.server, 1, routes).await, asked)
}

fn refused(status: StatusCode, code: &str) -> Response {
    (status, Json(AgentError { code: code.into(), message: "no".into() })).into_response()
}

fn snapshot(job: JobId, status: JobStatus) -> Response {
    Json(JobSnapshot {
        id: job,
        kind: "noop".into(),
        status,
        steps: Vec::new(),
        result: None,
        failure: None,
        last_log_seq: 0,
        accepted_at: chrono::DateTime::UNIX_EPOCH,
        finished_at: None,
    })
    .into_response()
}

async fn next(asked: &mut Asked) -> Method {
    tokio::time::timeout(Duration::from_secs(20), asked.recv()).await.expect("a request").expect("an agent")
}

#[tokio::test]
async fn a_job_that_its_agent_may_have_is_cancelled_there() {
    let rig = Rig::start().await;
    let job = rig.check().await;
    let (_tunnel, mut asked) = connect(&rig, move |method| async move {
        match method {
            Method::PUT => refused(StatusCode::SERVICE_UNAVAILABLE, "journal"),
            _ => snapshot(job, JobStatus::Running),
        }
    })
    .await;
    job_offer_all(rig.app(), rig.server).await;
    assert_eq!(next(&mut asked).await, Method::PUT);
    assert_eq!((&rig.job(job).await["status"], &rig.job(job).await["attempts"]), (&json!("queued"), &json!(1)));

    let cancelled = rig.cancel(job).await;
    assert_eq!(next(&mut asked).await, Method::DELETE);
    assert_eq!((&cancelled["status"], &cancelled["cancel_requested"]), (&json!("running"), &json!(true)));
}

#[tokio::test]
async fn a_cancel_that_overtakes_the_hand_over_ends_the_job_once() {
    let rig = Rig::start().await;
    let job = rig.check().await;
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let (_tunnel, mut asked) = connect(&rig, move |method| {
        let gate = opened.clone();
        async move {
            match method {
                Method::PUT => {
                    gate.acquire().await.unwrap().forget();
                    refused(StatusCode::CONFLICT, "job_cancelled")
                }
                _ => refused(StatusCode::NOT_FOUND, "not_found"),
            }
        }
    })
    .await;
    let (app, server) = (rig.app().clone(), rig.server);
    let offers = tokio::spawn(async move { job_offer_all(&app, server).await });
    assert_eq!(next(&mut asked).await, Method::PUT);
    assert_eq!(rig.cancel(job).await["status"], "cancelled");
    assert_eq!(next(&mut asked).await, Method::DELETE);
    gate.add_permits(1);
    offers.await.unwrap();
    assert_eq!(rig.job(job).await["status"], "cancelled");

    // The same when the agent's refusal comes first.
    run(rig.app(), "update jobs set status = 'queued', finished_at = null, cancel_requested_at = null").await;
    gate.add_permits(1);
    job_offer_all(rig.app(), rig.server).await;
    assert_eq!(rig.job(job).await["status"], "cancelled");
}

#[tokio::test]
async fn an_agent_that_takes_on_what_has_ended_is_told_to_drop_it() {
    let rig = Rig::start().await;
    let job = rig.check().await;
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let (_tunnel, mut asked) = connect(&rig, move |_| {
        let gate = opened.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            snapshot(job, JobStatus::Running)
        }
    })
    .await;
    let (app, server) = (rig.app().clone(), rig.server);
    let offers = tokio::spawn(async move { job_offer_all(&app, server).await });
    assert_eq!(next(&mut asked).await, Method::PUT);
    job_end_here(rig.app(), rig.organization, job, JobStatus::Failed, None).await.unwrap();
    gate.add_permits(2);
    assert_eq!(next(&mut asked).await, Method::DELETE);
    offers.await.unwrap();
    assert_eq!(rig.job(job).await["status"], "failed");
}

#[tokio::test]
async fn a_cancel_that_was_lost_is_told_again() {
    let rig = Rig::start().await;
    let job = rig.check().await;
    let (_tunnel, mut asked) = connect(&rig, move |_| async move { snapshot(job, JobStatus::Running) }).await;
    run(rig.app(), "update jobs set status = 'running', attempts = 1, cancel_requested_at = now()").await;
    let due = async || {
        let servers = rig.app().tunnels.servers();
        job_claim_cancelled(rig.app().db.fleet(), rig.app().replica, &servers, 10).await.unwrap().len()
    };
    assert_eq!(due().await, 0, "it may have just been told");
    run(rig.app(), "update jobs set cancel_requested_at = now() - interval '16 seconds'").await;
    sweep_once(rig.app()).await.unwrap();
    assert_eq!(next(&mut asked).await, Method::DELETE);
    assert_eq!(due().await, 0, "it has been told again");
    run(rig.app(), "update jobs set claimed_until = now() - interval '1 second'").await;
    assert_eq!(due().await, 1, "the agent is still at work on it");
}

#[tokio::test]
async fn what_an_absent_agent_may_have_is_overdue_only_when_it_says_no() {
    let rig = Rig::start().await;
    let job = rig.check().await;
    run(rig.app(), "update jobs set attempts = 1, deadline_at = now() - interval '1 second'").await;
    sweep_once(rig.app()).await.unwrap();
    assert_eq!(rig.job(job).await["status"], "queued");
    let (_tunnel, mut asked) = connect(&rig, |_| async { refused(StatusCode::NOT_FOUND, "not_found") }).await;
    job_offer_all(rig.app(), rig.server).await;
    assert_eq!(next(&mut asked).await, Method::DELETE);
    let job = rig.job(job).await;
    assert_eq!((&job["status"], &job["failure"]["code"]), (&json!("failed"), &json!("deadline_exceeded")));
}

#[tokio::test]
async fn reports_of_a_journal_that_went_back_are_taken_in() {
    let rig = Rig::start().await;
    let (job, journal) = (rig.check().await, Uuid::now_v7());
    sqlx::query("update jobs set journal_id = $1, journal_seq = 5000")
        .bind(journal)
        .execute(rig.app().db.system())
        .await
        .unwrap();
    let mut connection = rig.app().db.fleet().acquire().await.unwrap();
    assert!(job_lock_open(&mut connection, rig.server, job, journal, 1001).await.unwrap().is_none());
    let row = job_lock_open(&mut connection, rig.server, job, journal, 5001).await.unwrap().unwrap();
    let said =
        |text: &str| vec![JobLogLine { seq: 1, at: chrono::DateTime::UNIX_EPOCH, step: None, text: text.into() }];
    job_log_append(&mut connection, &row, &said("before")).await.unwrap();

    job_reports_forget(&mut connection, rig.server).await.unwrap();
    let row = job_lock_open(&mut connection, rig.server, job, journal, 1001).await.unwrap().unwrap();
    job_log_append(&mut connection, &row, &said("after")).await.unwrap();
    let lines = job_log_list(&mut connection, rig.organization, job, 0, 10).await.unwrap();
    assert_eq!(lines, said("after"));
}

fn line(seq: u64, length: usize) -> Bytes {
    let line = JobLogLine { seq, at: chrono::DateTime::UNIX_EPOCH, step: None, text: "x".repeat(length) };
    let mut line = serde_json::to_vec(&line).unwrap();
    line.push(b'\n');
    line.into()
}

fn body(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(stream::iter(chunks).map(Ok::<_, Infallible>))
}

#[tokio::test]
async fn a_long_log_is_fetched_piece_by_piece() {
    const LINES: u64 = 600;
    let rig = Rig::start().await;
    let job = rig.check().await;
    let log = |request: Request| async move {
        let after: u64 = request.uri().query().unwrap().trim_start_matches("after=").parse().unwrap();
        body((after + 1..=LINES).map(|seq| line(seq, 7000)))
    };
    let routes = Router::new().route("/jobs/{id}/log", routing::get(log));
    let tunnel = agent(rig.app(), rig.organization, rig.server, 1, routes).await;
    job_log_complete(rig.app(), &tunnel, job, LINES).await.unwrap();
    let stored: (i64, i64) = sqlx::query_as("select count(*), max(seq) from job_logs where length(text) = 7000")
        .fetch_one(rig.app().db.system())
        .await
        .unwrap();
    assert_eq!(stored, (LINES as i64, LINES as i64));
}

#[tokio::test(start_paused = true)]
async fn no_log_is_read_for_ever() {
    let job = JobId::new();
    let log = |body: fn() -> Body| Router::new().fallback(move || async move { body() });
    let endless = tunnel_to(log(|| body(std::iter::repeat(Bytes::from_static(&[b'x'; 8192]))))).await;
    assert!(log_fetch(&endless, job, 0).await.is_err(), "a line without an end");
    let stalled = tunnel_to(log(|| Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()))).await;
    assert!(log_fetch(&stalled, job, 0).await.is_err(), "a body that does not come");
    let half = tunnel_to(log(|| {
        let begun =
            stream::iter([line(1, 10), line(2, 10), Bytes::from_static(b"{\"seq\":3,")]).map(Ok::<_, Infallible>);
        Body::from_stream(begun.chain(stream::pending()))
    }))
    .await;
    let lines = log_fetch(&half, job, 0).await.unwrap();
    assert_eq!(lines.iter().map(|l| l.seq).collect::<Vec<_>>(), [1, 2]);
}
