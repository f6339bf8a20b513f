//! The engine over a real journal in a temporary directory.

mod cancelling;
mod going_back;

use super::*;
use crate::journal::{JournalStore, RedbJournal, Write};
use chrono::TimeDelta;
use ocore_shared::clock::ShiftedClock;
use ocore_shared::ids::OrganizationId;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::jobs::{JobRequest, JobStatus, MEMORY_ONLY, StepStatus};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

type Counter = Arc<AtomicUsize>;

/// An agent's engine that can be cut and started again on the same directory.
struct Rig {
    dir: TempDir,
    clock: ShiftedClock,
    runs: Counter,
    first_step: Counter,
    undone: Counter,
    lives: Counter,
    failpoint: Option<&'static str>,
}

struct Life {
    engine: Engine,
    journal: Arc<RedbJournal>,
    events: EventHub,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Rig {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: ShiftedClock::default(),
            runs: Counter::default(),
            first_step: Counter::default(),
            undone: Counter::default(),
            lives: Counter::default(),
            failpoint: None,
        }
    }

    fn start(&self) -> Life {
        self.start_with(|journal| journal)
    }

    /// Start an engine that sees the journal through `wrap`.
    fn start_with<J: JournalStore>(&self, wrap: impl FnOnce(Arc<RedbJournal>) -> Arc<J>) -> Life {
        let journal = Arc::new(RedbJournal::open(&self.dir.path().join("journal.redb"), &self.clock).unwrap());
        let seen = wrap(journal.clone());
        let events = EventHub::new(seen.clone(), Arc::new(self.clock.clone()));
        let mut registry = Registry::new();
        crate::ops::noop::register(&mut registry);
        let (runs, first, undone) = (self.runs.clone(), self.first_step.clone(), self.undone.clone());
        // Two steps: the first counts its runs, the second waits for input.hold to become false (by a restart).
        registry.add("two_steps", move |ctx| {
            let (runs, first, undone) = (runs.clone(), first.clone(), undone.clone());
            Box::pin(async move {
                ctx.plan(&[("first", "First"), ("second", "Second")]).await?;
                let run = runs.fetch_add(1, Ordering::SeqCst);
                let made: usize = ctx.step("first", async { Ok(first.fetch_add(1, Ordering::SeqCst) + 1) }).await?;
                ctx.log(format!("run {run}"));
                let hold = ctx.request().input["hold"].as_u64().unwrap_or(0);
                let second = ctx.step("second", async {
                    if run < hold as usize {
                        std::future::pending::<()>().await;
                    }
                    Ok(())
                });
                let back = async {
                    let count = || async {
                        undone.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    };
                    ctx.undo("first", count).await;
                };
                ctx.attempt(second, back).await?;
                Ok(json!({ "made": made, "password": ctx.secret("password").map(|s| s.expose().len()).unwrap_or(0) }))
            })
        });
        self.register_goes_back(&mut registry);
        registry.add("says", |ctx| {
            Box::pin(async move {
                let says = async {
                    (0..ctx.request().input["times"].as_u64().unwrap_or(0)).for_each(|_| ctx.message("The same."));
                    Ok(())
                };
                ctx.step("says", says).await.map(|()| Value::Null)
            })
        });
        registry.add("signs_in", |ctx| {
            Box::pin(async move {
                let name = format!("{MEMORY_ONLY}registry");
                let length = ctx.step("sign_in", async { Ok(ctx.secret_awaited(&name).await?.expose().len()) });
                let length: usize = length.await?;
                ctx.step("hold", async {
                    if ctx.request().input["hold"] == true {
                        std::future::pending::<()>().await;
                    }
                    Ok(())
                })
                .await?;
                Ok(json!(length))
            })
        });
        registry.add("panics", |_| Box::pin(async { panic!("on purpose") }));
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let engine = Engine::new(EngineParts {
            journal: seen,
            events: events.clone(),
            clock: Arc::new(self.clock.clone()),
            registry,
            key: SealKey::load(&self.dir.path().join("journal.key")).unwrap(),
            failpoints: self.failpoint.map(|f| Failpoints::parse(f, self.dir.path())).unwrap_or_default(),
            tracker: tracker.clone(),
            stop: stop.clone(),
        });
        engine.resume().unwrap();
        Life { engine, journal, events, stop, tracker }
    }

    fn journal_bytes(&self) -> Vec<u8> {
        std::fs::read(self.dir.path().join("journal.redb")).unwrap()
    }
}

impl Life {
    /// Cut everything where it is: nothing more is written than what was on its way.
    async fn cut(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        drop(self.engine);
        drop(self.events);
        drop(Arc::into_inner(self.journal).expect("nobody else holds the journal"));
    }

    async fn until(&self, id: JobId, what: impl Fn(&JobSnapshot) -> bool) -> JobSnapshot {
        let seen = async {
            loop {
                let job = self.engine.job(id).unwrap().expect("the job is known");
                if what(&job) {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.expect("in time")
    }

    async fn ended(&self, id: JobId) -> JobSnapshot {
        self.until(id, |job| job.status.is_terminal() && self.engine.0.live_job(id).is_none()).await
    }
}

fn request(kind: &str, input: Value) -> JobRequest {
    JobRequest {
        kind: kind.into(),
        organization_id: OrganizationId::new(),
        instance_id: None,
        input,
        secrets: Default::default(),
        timeout_seconds: None,
    }
}

#[tokio::test]
async fn a_job_sent_twice_runs_once() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    let ask = request("two_steps", json!({}));
    let puts = (0..8).map(|_| life.engine.accept(id, ask.clone()));
    let answers = futures::future::join_all(puts).await;
    assert_eq!(answers.iter().filter(|a| matches!(a, Ok(Accepted::New(_)))).count(), 1);
    assert_eq!(answers.iter().filter(|a| matches!(a, Ok(Accepted::Known(_)))).count(), 7);
    let job = life.ended(id).await;
    assert_eq!(job.status, JobStatus::Succeeded);
    assert!(matches!(life.engine.accept(id, ask).await, Ok(Accepted::Known(j)) if j == job));
    assert_eq!(rig.runs.load(Ordering::SeqCst), 1);
    let other = life.engine.accept(id, request("two_steps", json!({ "other": 1 }))).await;
    assert!(matches!(other, Err(AcceptError::OtherBody(_))));
}

#[tokio::test]
async fn a_cut_job_goes_on_at_its_step() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    let mut ask = request("two_steps", json!({ "hold": 1 }));
    ask.secrets.insert("password".into(), "correct horse".into());
    life.engine.accept(id, ask.clone()).await.unwrap();
    life.until(id, |job| job.steps.iter().any(|s| s.name == "second" && s.status == StepStatus::Running)).await;
    life.cut().await;
    assert!(!contains(&rig.journal_bytes(), b"correct horse"), "secrets are sealed on disk");

    let life = rig.start();
    let job = life.ended(id).await;
    assert_eq!(job.result, Some(json!({ "made": 1, "password": 13 })));
    assert_eq!(rig.runs.load(Ordering::SeqCst), 2);
    assert_eq!(rig.first_step.load(Ordering::SeqCst), 1, "a finished step is not run again");
    assert!(life.journal.secrets(id).unwrap().is_none(), "secrets are wiped when the job ends");
    assert!(matches!(life.engine.accept(id, ask).await, Ok(Accepted::Known(_))));
    let lines = life.journal.log(id, 0, 100).unwrap();
    assert_eq!(lines.iter().map(|l| l.seq).collect::<Vec<_>>(), (1..=lines.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_secret_for_memory_only_is_on_no_disk_and_is_brought_again() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    let mut ask = request("signs_in", json!({}));
    // As it is offered by a controller that lost the secret: the job waits.
    life.engine.accept(id, ask.clone()).await.unwrap();
    life.until(id, |job| job.steps.iter().any(|s| s.message.is_some())).await;
    life.cut().await;
    let life = rig.start();
    ask.secrets.insert(format!("{MEMORY_ONLY}registry"), "correct horse".into());
    assert!(matches!(life.engine.accept(id, ask).await, Ok(Accepted::Known(_))));
    assert_eq!(life.ended(id).await.result, Some(json!(13)));

    let held = JobId::new();
    let mut ask = request("signs_in", json!({ "hold": true }));
    ask.secrets.insert(format!("{MEMORY_ONLY}registry"), "correct horse".into());
    life.engine.accept(held, ask).await.unwrap();
    life.until(held, |job| job.steps.get(1).is_some_and(|s| s.status == StepStatus::Running)).await;
    assert!(life.journal.secrets(held).unwrap().is_none(), "not even sealed");
    life.cut().await;
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|w| w == text)
}

#[tokio::test]
async fn cancelling_ends_just_that_job_and_lets_it_tidy_up() {
    let rig = Rig::new();
    let life = rig.start();
    let (held, other) = (JobId::new(), JobId::new());
    life.engine.accept(held, request("two_steps", json!({ "hold": 99 }))).await.unwrap();
    life.engine.accept(other, request("two_steps", json!({ "hold": 99 }))).await.unwrap();
    for id in [held, other] {
        life.until(id, |job| job.steps.get(1).is_some_and(|s| s.status == StepStatus::Running)).await;
    }
    life.engine.cancel(held).await.unwrap().unwrap();
    let job = life.ended(held).await;
    assert_eq!(job.status, JobStatus::Cancelled);
    assert_eq!(job.steps[0].status, StepStatus::Undone);
    assert_eq!(job.steps[1].status, StepStatus::Failed);
    assert_eq!(rig.undone.load(Ordering::SeqCst), 1);
    assert_eq!(life.engine.job(other).unwrap().unwrap().status, JobStatus::Running);
    assert!(life.engine.cancel(JobId::new()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_wish_to_cancel_survives_a_cut() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    life.engine.accept(id, request("two_steps", json!({ "hold": 99 }))).await.unwrap();
    life.until(id, |job| job.steps.get(1).is_some_and(|s| s.status == StepStatus::Running)).await;
    life.engine.cancel(id).await.unwrap();
    life.cut().await;
    let life = rig.start();
    assert_eq!(life.ended(id).await.status, JobStatus::Cancelled);
}

#[tokio::test]
async fn jobs_of_one_instance_run_one_after_the_other() {
    let rig = Rig::new();
    let life = rig.start();
    let instance = Some(ocore_shared::ids::InstanceId::new());
    let ask = |input| JobRequest { instance_id: instance, ..request("noop", input) };
    let ids: Vec<JobId> = (0..4).map(|_| JobId::new()).collect();
    for (id, sleep_ms) in ids.iter().zip([1000, 30, 30, 30]) {
        life.engine.accept(*id, ask(json!({ "sleep_ms": sleep_ms }))).await.unwrap();
    }
    life.engine.cancel(ids[1]).await.unwrap();
    assert_eq!(life.ended(ids[1]).await.status, JobStatus::Cancelled, "a waiting job need not wait to be cancelled");
    let mut ends = Vec::new();
    for id in [ids[0], ids[2], ids[3]] {
        let job = life.ended(id).await;
        assert_eq!(job.status, JobStatus::Succeeded);
        ends.push((job.steps[0].started_at.unwrap(), job.steps[0].finished_at.unwrap()));
    }
    assert!(ends.windows(2).all(|w| w[0].1 <= w[1].0), "{ends:?}");
}

#[tokio::test]
async fn time_runs_out() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    let ask = JobRequest { timeout_seconds: Some(0), ..request("two_steps", json!({ "hold": 99 })) };
    life.engine.accept(id, ask).await.unwrap();
    let job = life.ended(id).await;
    assert_eq!(job.status, JobStatus::Failed);
    assert_eq!(job.failure.unwrap().code, "timeout");
}

#[tokio::test]
async fn failures_are_told_by_their_code() {
    let rig = Rig::new();
    let life = rig.start();
    let cases = [("unheard_of", json!({}), "agent_too_old"), ("panics", json!({}), "internal")];
    for (kind, input, code) in cases.into_iter().chain([("noop", json!({ "fail": true }), "noop_failed")]) {
        let id = JobId::new();
        life.engine.accept(id, request(kind, input)).await.unwrap();
        let job = life.ended(id).await;
        assert_eq!((job.status, job.failure.unwrap().code.as_str()), (JobStatus::Failed, code));
    }
}

#[tokio::test]
async fn a_failpoint_strikes_once() {
    let (mut rig, id) = (Rig::new(), JobId::new());
    rig.failpoint = Some("noop.noop.after=error");
    let life = rig.start();
    life.engine.accept(id, request("noop", json!({}))).await.unwrap();
    assert_eq!(life.ended(id).await.failure.unwrap().code, "failpoint");
    let again = JobId::new();
    life.engine.accept(again, request("noop", json!({}))).await.unwrap();
    assert_eq!(life.ended(again).await.status, JobStatus::Succeeded);
}

#[tokio::test]
async fn the_log_has_no_gaps_and_is_told_when_it_is_on_disk() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    let mut reader = life.events.read(0);
    life.engine.accept(id, request("noop", json!({ "steps": 3, "log_lines": 200, "sleep_ms": 60 }))).await.unwrap();
    let mut told = Vec::new();
    while told.len() < 600 {
        let events = tokio::time::timeout(Duration::from_secs(10), reader.next()).await.unwrap().unwrap();
        for event in events {
            if let AgentEvent::JobLog { lines, .. } = event.event {
                let stored = life.journal.last_log_seq(id).unwrap();
                assert!(lines.last().unwrap().seq <= stored);
                told.extend(lines.into_iter().map(|l| l.seq));
            }
        }
    }
    assert_eq!(told, (1..=600).collect::<Vec<u64>>());
    let mut read = Vec::new();
    while let Some((page, _)) = life.engine.log_page(id, read.last().copied().unwrap_or(0)).unwrap() {
        if page.is_empty() {
            break;
        }
        read.extend(page.into_iter().map(|l| l.seq));
    }
    assert_eq!(read, told);
}

#[tokio::test]
async fn an_acknowledged_job_is_forgotten_after_a_week() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    life.engine.accept(id, request("noop", json!({}))).await.unwrap();
    life.ended(id).await;
    assert_eq!(life.engine.jobs().unwrap().len(), 1);
    let last = *life.journal.last_seq().borrow();
    let now = life.engine.0.parts.clock.now();
    life.journal.submit(vec![Write::Acknowledge { seq: last, at: now }], Urgency::Now).await.unwrap();
    assert!(life.engine.jobs().unwrap().is_empty());
    assert!(life.engine.job(id).unwrap().is_some());
    life.engine.prune();
    life.journal.submit(Vec::new(), Urgency::Now).await.unwrap();
    assert!(life.engine.job(id).unwrap().is_some(), "a week has not passed");
    rig.clock.shift(TimeDelta::days(8));
    life.engine.prune();
    life.journal.submit(Vec::new(), Urgency::Now).await.unwrap();
    assert!(life.engine.job(id).unwrap().is_none());
}
