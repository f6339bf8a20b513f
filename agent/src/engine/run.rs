//! Running a job: its turn, its limits, its end.

use super::job::Job;
use super::{Inner, JobContext, OpError, lock};
use crate::journal::Urgency;
use futures::FutureExt;
use ocore_shared::protocol::jobs::JobStatus;
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// A handler that was told to end has this long for taking back what it did: containers that stop and start again,
/// with a Docker that is away for a while.
const UNDO_TIME: Duration = Duration::from_secs(600);

/// Why a handler was told to end.
#[derive(Clone, Copy, PartialEq)]
enum Interrupt {
    Cancelled,
    TimedOut,
}

impl Inner {
    /// Put an accepted job in its lane and give it a task.
    pub(super) fn schedule(self: &Arc<Self>, job: Arc<Job>) {
        match job.request.instance_id {
            None => job.turn.cancel(),
            Some(instance) => {
                let mut lanes = lock(&self.lanes);
                let lane = lanes.entry(instance).or_default();
                lane.push_back(job.clone());
                if lane.len() == 1 {
                    job.turn.cancel();
                }
            }
        }
        let inner = self.clone();
        self.parts.tracker.spawn(async move { inner.run(job).await });
    }

    async fn run(self: Arc<Self>, job: Arc<Job>) {
        let (outcome, interrupt) = tokio::select! {
            biased;
            ended = self.drive(&job) => ended,
            () = self.parts.stop.cancelled() => {
                tracing::info!(job = %job.id, kind = job.request.kind, "cut by the agent's stop; resumed at the next start");
                return;
            }
        };
        let (status, outcome) = conclude(outcome, interrupt);
        if let Err(error) = &outcome {
            tracing::warn!(job = %job.id, kind = job.request.kind, ?status, %error, "job did not succeed");
        }
        let now = self.parts.clock.now();
        let (last_line, commit) = job.update(&self, Urgency::Now, |state| {
            state.finish(status, outcome, now);
            state.record.snapshot.last_log_seq
        });
        // The journal tries again until it succeeds; it fails only when the agent stops, and then the job is resumed.
        let written = commit.await;
        lock(&job.secrets).clear();
        if written.is_ok() {
            lock(&self.live).remove(&job.id);
            job.publish_log(&self, last_line, true);
            self.leave_lane(&job);
        }
    }

    fn leave_lane(&self, job: &Job) {
        let Some(instance) = job.request.instance_id else { return };
        let mut lanes = lock(&self.lanes);
        let Some(lane) = lanes.get_mut(&instance) else { return };
        lane.retain(|other| other.id != job.id);
        match lane.front() {
            Some(next) => next.turn.cancel(),
            None => drop(lanes.remove(&instance)),
        }
    }

    /// Wait for the job's turn and run its handler to its end, or until it had to be left.
    async fn drive(self: &Arc<Self>, job: &Arc<Job>) -> (Result<Value, OpError>, Option<Interrupt>) {
        let deadline = job.time_left(self.parts.clock.now()).map(|left| Instant::now() + left);
        let untouched = job.snapshot().status == JobStatus::Queued;
        let permit = async {
            job.turn.cancelled().await;
            self.limit.acquire().await
        };
        let _permit = tokio::select! {
            biased;
            // What has never run has nothing to take back.
            interrupt = interrupted(job, deadline), if untouched => return (Err(job.interruption()), Some(interrupt)),
            permit = permit => permit,
        };
        let Some(handler) = self.parts.registry.get(&job.request.kind) else {
            let kind = &job.request.kind;
            let message = format!("agent too old for {kind}: update it");
            return (Err(OpError::new("agent_too_old", message)), None);
        };
        drop(job.update(self, Urgency::Soon, |state| state.record.snapshot.status = JobStatus::Running));
        let context = JobContext::new(self.clone(), job.clone());
        // The handler's own function may panic too, not just its future.
        let work = AssertUnwindSafe(async move { handler.run(context).await }).catch_unwind();
        let work = async {
            match work.await {
                Ok(outcome) => outcome,
                Err(panic) => {
                    let text = panic_text(panic.as_ref());
                    tracing::error!(job = %job.id, kind = job.request.kind, text, "a job handler panicked");
                    Err(OpError::new("internal", format!("The agent met a defect of its own: {text}")))
                }
            }
        };
        tokio::select! {
            ended = watched(job, deadline, work) => ended,
            () = job.pump_log(self) => (Err(OpError::new("internal", "The job's log ended.")), None),
        }
    }
}

/// Run `work`; when its time is over or it is cancelled, give it a while to take back what it did.
async fn watched(
    job: &Job, deadline: Option<Instant>, work: impl Future<Output = Result<Value, OpError>>,
) -> (Result<Value, OpError>, Option<Interrupt>) {
    let mut work = std::pin::pin!(work);
    let interrupt = tokio::select! {
        biased;
        // It may end because of the cancellation before that is seen here.
        outcome = &mut work => return (outcome, job.cancel.is_cancelled().then_some(Interrupt::Cancelled)),
        interrupt = interrupted(job, deadline) => interrupt,
    };
    let outcome = tokio::time::timeout(UNDO_TIME, work).await;
    (outcome.unwrap_or_else(|_| Err(given_up(job))), Some(interrupt))
}

/// It was told to end and does not.
fn given_up(job: &Job) -> OpError {
    let failing = lock(&job.state).record.failing.clone();
    let minutes = UNDO_TIME.as_secs() / 60;
    failing.unwrap_or_else(|| job.interruption()).and(format_args!(
        "It did not come to an end within {minutes} minutes and was given up; some of what it did may be left."
    ))
}

/// When the job is told to end. What waits for its cancellation knows the reason already.
async fn interrupted(job: &Job, deadline: Option<Instant>) -> Interrupt {
    let over = async {
        match deadline {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = job.cancel.cancelled() => Interrupt::Cancelled,
        () = over => {
            job.timed_out.store(true, Ordering::Relaxed);
            job.cancel.cancel();
            Interrupt::TimedOut
        }
    }
}

/// What a handler's outcome means. One that finished in spite of its interruption has succeeded.
fn conclude(outcome: Result<Value, OpError>, interrupt: Option<Interrupt>) -> (JobStatus, Result<Value, OpError>) {
    match (outcome, interrupt) {
        (Ok(result), _) => (JobStatus::Succeeded, Ok(result)),
        (Err(error), Some(Interrupt::Cancelled)) => (JobStatus::Cancelled, Err(error)),
        (Err(error), Some(Interrupt::TimedOut) | None) => (JobStatus::Failed, Err(error)),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic")
}
