//! What a job handler is given: its input, and steps that are written down as they go.

use super::job::{Job, new_step};
use super::{Inner, OpError, lock};
use crate::journal::Urgency;
use chrono::{DateTime, Utc};
use ocore_shared::clock::Clock;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::jobs::{JobRequest, Progress, StepStatus};
use ocore_shared::secret::Secret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A cancelled step may look at the token and tidy up; then it is dropped.
const STEP_GRACE: Duration = Duration::from_secs(3);
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// How long going back waits for the disk.
const DISK_PATIENCE: Duration = Duration::from_secs(10);
/// What may pass by itself, like a Docker that restarts, is waited for that long for each step that is taken back.
const UNDO_PATIENCE: Duration = Duration::from_secs(60);
/// How long a job that lost a secret waits for the controller to bring it again.
const CONTROLLER_PATIENCE: Duration = Duration::from_secs(600);
const CONTROLLER_PAUSE: Duration = Duration::from_millis(200);
const UNDO_PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct JobContext(Arc<Shared>);

struct Shared {
    inner: Arc<Inner>,
    job: Arc<Job>,
}

impl JobContext {
    pub(super) fn new(inner: Arc<Inner>, job: Arc<Job>) -> Self {
        Self(Arc::new(Shared { inner, job }))
    }

    pub fn id(&self) -> JobId {
        self.0.job.id
    }

    pub fn request(&self) -> &JobRequest {
        &self.0.job.request
    }

    /// The job's input as the handler knows it.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, OpError> {
        serde_json::from_value(self.request().input.clone()).map_err(|e| {
            OpError::new("invalid_input", format!("The input of {} is not understood: {e}", self.request().kind))
        })
    }

    pub fn secret(&self, name: &str) -> Result<Secret, OpError> {
        lock(&self.0.job.secrets).get(name).cloned().ok_or_else(|| {
            OpError::new("secret_missing", format!("The job came without the secret {name}, or it could not be read."))
        })
    }

    /// One that is kept in memory only: after a restart the controller brings it again, and is waited for.
    pub async fn secret_awaited(&self, name: &str) -> Result<Secret, OpError> {
        let give_up_at = Instant::now() + CONTROLLER_PATIENCE;
        loop {
            match self.secret(name) {
                Err(error) if Instant::now() >= give_up_at => return Err(error),
                Err(_) => self.message("Waiting for the controller to bring a password again."),
                found => return found,
            }
            tokio::time::sleep(CONTROLLER_PAUSE).await;
        }
    }

    pub fn cancelled(&self) -> &CancellationToken {
        &self.0.job.cancel
    }

    /// What a job ends with that is told to end: it was cancelled, or its time is over.
    pub fn interruption(&self) -> OpError {
        self.0.job.interruption()
    }

    /// Declare all steps (name, title) at the start, so that people see what is to come. Idempotent on resume.
    pub async fn plan(&self, steps: &[(&'static str, &'static str)]) -> Result<(), OpError> {
        let (job, inner) = (&self.0.job, &self.0.inner);
        drop(job.update(inner, Urgency::Soon, |state| {
            let old = std::mem::take(&mut state.record.snapshot.steps);
            let mut planned: Vec<_> = steps
                .iter()
                .map(|(name, title)| {
                    old.iter().find(|s| s.name == *name).cloned().unwrap_or_else(|| new_step(name, title))
                })
                .collect();
            planned.extend(old.into_iter().filter(|s| !steps.iter().any(|(name, _)| *name == s.name)));
            state.record.snapshot.steps = planned;
        }));
        Ok(())
    }

    /// Run a step, or, when the journal says that it is finished, return its stored output without running it.
    /// Start and end are written durably. `work` must be an idempotent "make it so": it may have been cut anywhere.
    pub fn step<T, F>(&self, name: &'static str, work: F) -> impl Future<Output = Result<T, OpError>>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, OpError>>,
    {
        // Boxed: steps are large, and everyone who hands a future on holds it twice.
        self.run_step(name, Box::pin(work))
    }

    async fn run_step<T, F>(&self, name: &'static str, work: Pin<Box<F>>) -> Result<T, OpError>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, OpError>>,
    {
        if let Some(stored) = self.stored(name)? {
            return Ok(stored);
        }
        if self.cancelled().is_cancelled() {
            return Err(self.interruption());
        }
        self.begin(name).await?;
        let outcome = self.work(name, work).await;
        let outcome = outcome.and_then(|output| {
            let value = serde_json::to_value(&output).map_err(|e| {
                OpError::new("internal", format!("The output of the step {name} cannot be stored: {e}"))
            })?;
            Ok((output, value))
        });
        let now = self.clock().now();
        let (result, _) = self.0.job.update(&self.0.inner, Urgency::Soon, |state| {
            state.step = None;
            state.unflushed = true;
            let step = state.step_mut(name);
            step.finished_at = Some(now);
            match outcome {
                Ok((output, value)) => {
                    step.status = StepStatus::Succeeded;
                    state.record.outputs.insert(name.into(), value);
                    Ok(output)
                }
                Err(error) => {
                    step.status = StepStatus::Failed;
                    step.message = Some(error.message.clone());
                    Err(error)
                }
            }
        });
        result
    }

    /// What a step that is finished came to, for those that take it back.
    pub fn output<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.stored(name).ok().flatten()
    }

    fn stored<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, OpError> {
        let mut state = lock(&self.0.job.state);
        if state.step_mut(name).status != StepStatus::Succeeded {
            return Ok(None);
        }
        let output = state.record.outputs.get(name).cloned().unwrap_or_default();
        serde_json::from_value(output).map(Some).map_err(|e| {
            OpError::new("internal", format!("The stored output of the step {name} cannot be read by this agent: {e}"))
        })
    }

    /// Write the start of a step. The end of the step before it is on disk when this returns.
    async fn begin(&self, name: &'static str) -> Result<(), OpError> {
        let now = self.clock().now();
        let unflushed = lock(&self.0.job.state).unflushed;
        // With nothing to wait for, the acceptance is on disk already: running this step again is all that a kill costs.
        let urgency = if unflushed { Urgency::Now } else { Urgency::Soon };
        let ((), commit) = self.0.job.update(&self.0.inner, urgency, |state| {
            state.step = Some(name.into());
            state.injected = None;
            state.last_progress = None;
            let step = state.step_mut(name);
            step.status = StepStatus::Running;
            step.started_at.get_or_insert(now);
            step.finished_at = None;
            step.message = None;
            step.progress = None;
        });
        if unflushed {
            commit.await.map_err(|e| OpError::retryable("journal", e.to_string()))?;
            lock(&self.0.job.state).unflushed = false;
        }
        Ok(())
    }

    async fn work<T>(&self, name: &str, work: impl Future<Output = Result<T, OpError>>) -> Result<T, OpError> {
        let failpoints = &self.0.inner.parts.failpoints;
        failpoints.hit(&format!("{}.{name}.before", self.request().kind))?;
        let mut work = std::pin::pin!(work);
        let outcome = tokio::select! {
            biased;
            outcome = &mut work => outcome,
            () = self.cancelled().cancelled() => {
                tokio::time::timeout(STEP_GRACE, work).await.unwrap_or_else(|_| Err(self.interruption()))
            }
        }?;
        failpoints.hit(&format!("{}.{name}.after", self.request().kind))?;
        match lock(&self.0.job.state).injected.take() {
            Some(error) => Err(error),
            None => Ok(outcome),
        }
    }

    /// A step that this job does not need.
    pub async fn skip(&self, name: &'static str, why: &str) -> Result<(), OpError> {
        drop(self.0.job.update(&self.0.inner, Urgency::Soon, |state| {
            let step = state.step_mut(name);
            if step.status == StepStatus::Pending {
                step.status = StepStatus::Skipped;
                step.message = Some(why.into());
            }
        }));
        Ok(())
    }

    /// Go forward; when that fails, go `back` and fail with its reason. That it goes back is on disk before anything is
    /// taken back: after a restart it goes on with that, since steps that look finished may be undone by then.
    pub fn attempt<T>(
        &self, forward: impl Future<Output = Result<T, OpError>>, back: impl Future<Output = ()>,
    ) -> impl Future<Output = Result<T, OpError>> {
        self.go(Box::pin(forward), Box::pin(back))
    }

    async fn go<T, F, B>(&self, forward: Pin<Box<F>>, back: Pin<Box<B>>) -> Result<T, OpError>
    where
        F: Future<Output = Result<T, OpError>>,
        B: Future<Output = ()>,
    {
        let failing = lock(&self.0.job.state).record.failing.clone();
        let error = match failing {
            Some(error) => error,
            None => match forward.await {
                Ok(done) => return Ok(done),
                Err(error) => {
                    let ((), commit) = self.0.job.update(&self.0.inner, Urgency::Now, |state| {
                        state.record.failing = Some(error.clone());
                    });
                    // A full disk does not hold this up for ever: taking back is also what makes room.
                    let _ = tokio::time::timeout(DISK_PATIENCE, commit).await;
                    error
                }
            },
        };
        back.await;
        Err(error)
    }

    /// Whether the step has begun, in this run or in one before a restart, and was not taken back.
    pub fn has_effects(&self, name: &str) -> bool {
        let mut state = lock(&self.0.job.state);
        let step = state.step_mut(name);
        step.started_at.is_some() && step.status != StepStatus::Undone
    }

    /// When the step first began, unless it was taken back.
    pub fn began(&self, name: &str) -> Option<DateTime<Utc>> {
        lock(&self.0.job.state).step_mut(name).started_at
    }

    /// Take back a step's effects after a later failure: runs `work`, again for a while when its failure may pass, and
    /// marks the step undone. What stays is told in the job's failure. Not stopped by a cancellation: it is how a
    /// cancelled job tidies up, so `work` must not look at [`Self::cancelled`]. Says whether it succeeded.
    pub async fn undo<F>(&self, name: &'static str, work: impl Fn() -> F) -> bool
    where
        F: Future<Output = Result<(), OpError>>,
    {
        let give_up_at = Instant::now() + UNDO_PATIENCE;
        let mut told = false;
        let outcome = loop {
            match self.undo_once(name, Box::pin(work())).await {
                Err(error) if error.retryable && Instant::now() < give_up_at => {
                    if !told {
                        self.log(format!("Taking back {name} failed and is tried again: {error}"));
                        told = true;
                    }
                    tokio::time::sleep(UNDO_PAUSE).await;
                }
                outcome => break outcome,
            }
        };
        let now = self.clock().now();
        if let Err(error) = &outcome {
            self.log(format!("Taking back {name} failed: {error}"));
        }
        let (undone, _) = self.0.job.update(&self.0.inner, Urgency::Soon, |state| {
            let step = state.step_mut(name);
            match outcome {
                Ok(()) => {
                    step.status = StepStatus::Undone;
                    step.finished_at = Some(now);
                    state.record.outputs.remove(name);
                    true
                }
                Err(error) => {
                    step.message = Some(format!("Taking it back failed: {}", error.message));
                    let left = format!("{}: {}", step.title, error.message);
                    state.left.push(left);
                    false
                }
            }
        });
        undone
    }

    async fn undo_once(&self, name: &str, work: impl Future<Output = Result<(), OpError>>) -> Result<(), OpError> {
        work.await?;
        self.0.inner.parts.failpoints.hit(&format!("{}.{name}.undone", self.request().kind))
    }

    /// Add to the gap-free job log, under the current step's name.
    pub fn log(&self, text: impl Into<String>) {
        self.0.job.log(self.clock().now(), &text.into());
    }

    /// What the current step has told already, before a restart: what is on disk, so nothing is told twice or left out.
    pub fn logged(&self) -> Result<Vec<String>, OpError> {
        let step = lock(&self.0.job.state).step.clone();
        let lines = self.0.inner.parts.journal.log(self.id(), 0, usize::MAX);
        let lines = lines.map_err(|error| OpError::retryable("journal", error.to_string()))?;
        Ok(lines.into_iter().filter(|line| line.step == step).map(|line| line.text).collect())
    }

    /// The current step's sentence for people. The same one again costs nothing.
    pub fn message(&self, text: impl Into<String>) {
        let text = text.into();
        {
            let mut state = lock(&self.0.job.state);
            let Some(name) = state.step.clone() else { return };
            if state.step_mut(&name).message.as_ref() == Some(&text) {
                return;
            }
        }
        drop(self.0.job.update(&self.0.inner, Urgency::Soon, |state| {
            if let Some(name) = state.step.clone() {
                state.step_mut(&name).message = Some(text);
            }
        }));
    }

    /// How far the current step is. Not kept over a restart; told five times a second at most.
    pub fn progress(&self, done: u64, total: Option<u64>, unit: &str) {
        let progress = Progress { done, total, unit: unit.into() };
        let step = {
            let mut state = lock(&self.0.job.state);
            let Some(name) = state.step.clone() else { return };
            state.step_mut(&name).progress = Some(progress.clone());
            let now = Instant::now();
            let quiet = state.last_progress.is_some_and(|at| now - at < PROGRESS_INTERVAL);
            if quiet && total != Some(done) {
                return;
            }
            state.last_progress = Some(now);
            name
        };
        self.0.inner.parts.events.volatile(AgentEvent::JobProgress { job_id: self.id(), step, progress });
    }

    /// A place where a test may end the agent (`kill`) or fail the current step (`error`).
    pub fn failpoint(&self, name: &str) {
        if let Err(error) = self.0.inner.parts.failpoints.hit(name) {
            lock(&self.0.job.state).injected = Some(error);
        }
    }

    pub fn clock(&self) -> &dyn Clock {
        self.0.inner.parts.clock.as_ref()
    }
}
