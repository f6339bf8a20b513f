//! What a job does once it has failed: it takes back what it did, whatever happens meanwhile.

use super::*;

impl Rig {
    /// `goes_back`: its second step fails, so the first is taken back. That hangs in the first `hold` lives, may fail
    /// `flaky` times for a reason that passes, or may be `stuck`. `runs` counts how often the second step was tried.
    pub(super) fn register_goes_back(&self, registry: &mut Registry) {
        let (runs, undone, lives) = (self.runs.clone(), self.undone.clone(), self.lives.clone());
        registry.add("goes_back", move |ctx| {
            let (runs, undone, lives) = (runs.clone(), undone.clone(), lives.clone());
            Box::pin(async move {
                let input = &ctx.request().input;
                let number = |name: &str| input[name].as_u64().unwrap_or(0) as usize;
                let life = lives.fetch_add(1, Ordering::SeqCst);
                ctx.plan(&[("first", "First"), ("second", "Second")]).await?;
                let forward = async {
                    ctx.step("first", async { Ok(()) }).await?;
                    ctx.step("second", async {
                        runs.fetch_add(1, Ordering::SeqCst);
                        Err::<(), _>(OpError::new("broken", "It is broken."))
                    })
                    .await
                };
                let take_back = || async {
                    let before = undone.fetch_add(1, Ordering::SeqCst);
                    if life < number("hold") {
                        std::future::pending::<()>().await;
                    }
                    if before < number("flaky") {
                        return Err(OpError::retryable("away", "Docker is away."));
                    }
                    match input["stuck"].as_bool() {
                        Some(true) => Err(OpError::new("stuck", "Something uses it.")),
                        _ => Ok(()),
                    }
                };
                let back = async {
                    ctx.undo("first", take_back).await;
                };
                ctx.attempt(forward, back).await.map(|()| Value::Null)
            })
        });
    }

    async fn until_undoing(&self) {
        let seen = async {
            while self.undone.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.expect("in time");
    }
}

impl Life {
    /// Let time fly until the job's task is over. Only what waits for the clock goes faster.
    async fn fast_to_the_end(&self, id: JobId) -> JobSnapshot {
        tokio::time::pause();
        self.tracker.close();
        self.tracker.wait().await;
        tokio::time::resume();
        self.journal.job(id).unwrap().unwrap().snapshot
    }
}

#[tokio::test]
async fn a_job_that_is_cut_while_it_goes_back_never_goes_forward_again() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    life.engine.accept(id, request("goes_back", json!({ "hold": 1 }))).await.unwrap();
    rig.until_undoing().await;
    life.cut().await;

    let life = rig.start();
    let job = life.ended(id).await;
    assert_eq!((job.status, job.failure.unwrap().code.as_str()), (JobStatus::Failed, "broken"));
    assert_eq!(rig.runs.load(Ordering::SeqCst), 1, "what had failed is not tried again");
    assert_eq!(rig.undone.load(Ordering::SeqCst), 2, "what was cut is done again");
    assert_eq!(job.steps[0].status, StepStatus::Undone);
}

#[tokio::test]
async fn what_may_pass_is_waited_for() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    life.engine.accept(id, request("goes_back", json!({ "flaky": 2 }))).await.unwrap();
    let job = life.ended(id).await;
    assert_eq!(rig.undone.load(Ordering::SeqCst), 3);
    assert_eq!(job.steps[0].status, StepStatus::Undone);
    assert_eq!(job.failure.unwrap().message, "It is broken.");
}

#[tokio::test]
async fn what_stays_is_told() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    life.engine.accept(id, request("goes_back", json!({ "stuck": true }))).await.unwrap();
    let job = life.ended(id).await;
    assert_eq!(rig.undone.load(Ordering::SeqCst), 1, "it would fail again");
    assert_eq!(job.steps[0].status, StepStatus::Succeeded);
    let told = "It is broken. Not everything could be taken back. First: Something uses it.";
    assert_eq!(job.failure.unwrap().message, told);
}

#[tokio::test]
async fn patience_ends() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    life.engine.accept(id, request("goes_back", json!({ "flaky": 9999 }))).await.unwrap();
    rig.until_undoing().await;
    let job = life.fast_to_the_end(id).await;
    assert_eq!(job.status, JobStatus::Failed);
    assert!(job.failure.unwrap().message.ends_with("First: Docker is away."));
    assert!(rig.undone.load(Ordering::SeqCst) > 30);
}

#[tokio::test]
async fn a_job_that_does_not_come_back_is_given_up_and_says_so() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    life.engine.accept(id, request("goes_back", json!({ "hold": 1 }))).await.unwrap();
    rig.until_undoing().await;
    life.engine.cancel(id).await.unwrap().unwrap();
    let job = life.fast_to_the_end(id).await;
    assert_eq!(job.status, JobStatus::Cancelled);
    let message = job.failure.unwrap().message;
    assert!(message.starts_with("It is broken. ") && message.ends_with("may be left."), "{message}");
}

#[tokio::test]
async fn a_job_whose_time_is_over_goes_back_and_names_the_reason() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    let ask = JobRequest { timeout_seconds: Some(1), ..request("two_steps", json!({ "hold": 99 })) };
    life.engine.accept(id, ask).await.unwrap();
    let job = life.ended(id).await;
    assert_eq!((job.status, job.failure.unwrap().code.as_str()), (JobStatus::Failed, "timeout"));
    assert_eq!(rig.undone.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_sentence_that_was_said_costs_nothing() {
    let rig = Rig::new();
    let life = rig.start();
    let mut reports = Vec::new();
    for times in [1, 50] {
        let before = *life.journal.last_seq().borrow();
        let id = JobId::new();
        life.engine.accept(id, request("says", json!({ "times": times }))).await.unwrap();
        life.ended(id).await;
        reports.push(*life.journal.last_seq().borrow() - before);
    }
    assert_eq!(reports[0], reports[1]);
}
