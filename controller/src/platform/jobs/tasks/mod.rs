//! Jobs that the controller carries out itself: mail, deliveries, schedules. They are rows of `jobs` like all others; of
//! all replicas one has a job at a time, by a lease whose fence is the number of the attempt.

pub mod store;
#[cfg(test)]
mod tests;

use crate::app::App;
use crate::error::Result;
use crate::platform::bus::Kind;
use crate::platform::http::Actor;
use crate::signals::events::Subject;
use crate::work;
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use ocore_shared::ids::{JobId, OrganizationId};
use ocore_shared::protocol::jobs::{JobFailure, JobStatus};
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Tasks at work in this replica at once.
const AT_ONCE: usize = 32;
/// Tasks of one lane at work at once, in all replicas: one slow receiver holds up nobody else.
pub const LANE: i64 = 4;
const LOOK: Duration = Duration::from_secs(1);
/// Seconds that a task stays this replica's without a sign of life.
pub const LEASE_SECONDS: f64 = 60.0;
const LEASE_AGAIN: Duration = Duration::from_secs(20);
/// Pause after a failure that the task itself did not foresee.
const AFTER_A_FAULT: TimeDelta = TimeDelta::seconds(30);

/// Work for the controller, to be enqueued in the transaction of the intent.
pub struct NewTask {
    pub id: JobId,
    pub kind: &'static str,
    /// None for the platform's own work.
    pub organization: Option<OrganizationId>,
    pub subject: Subject,
    pub input: Value,
    /// Tasks of one lane run a few at a time.
    pub lane: Option<String>,
    pub run_at: DateTime<Utc>,
    /// When it is given up.
    pub deadline_at: Option<DateTime<Utc>>,
    pub created_by: Actor,
}

/// A task that this replica has.
#[derive(Clone, Debug)]
pub struct Task {
    pub id: JobId,
    pub kind: String,
    pub organization: Option<OrganizationId>,
    pub input: Value,
    /// Which attempt this is, from 1 on.
    pub attempt: i32,
    pub deadline_at: Option<DateTime<Utc>>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Outcome {
    Done(Option<Value>),
    /// It failed and is tried again then, unless its deadline is earlier.
    Again {
        at: DateTime<Utc>,
        failure: JobFailure,
    },
    /// It is not its turn: looked at again then; the attempt does not count.
    Later {
        at: DateTime<Utc>,
    },
    Failed(JobFailure),
}

impl Outcome {
    pub fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::Failed(JobFailure { code: code.into(), message: message.into(), retryable: false })
    }
}

/// Ring the bell after the commit that enqueued a task.
pub fn task_poke(app: &App) {
    app.jobs.tasks.notify_one();
}

/// Take what is due and run it, once a second and whenever somebody rings.
pub async fn task_runner(app: App) {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        if let Err(error) = claim(&app, &permits).await {
            tracing::warn!(%error, "the controller's own jobs could not be read; they are looked at again");
        }
        tokio::select! {
            () = app.jobs.tasks.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn claim(app: &App, permits: &Arc<Semaphore>) -> Result<()> {
    let system = app.db.system();
    let now = app.clock.now();
    store::task_end_overdue(system, now).await?;
    loop {
        let free = permits.available_permits();
        if free == 0 {
            return Ok(());
        }
        let tasks = store::task_claim_due(system, app.replica, now, free as i64).await?;
        let whole = tasks.len() == free;
        for task in tasks {
            // Nobody else takes permits, so that there is one for each.
            let Ok(permit) = permits.clone().try_acquire_owned() else { break };
            let app_ = app.clone();
            app.spawn(async move { run(&app_, task, permit).await });
        }
        if !whole {
            return Ok(());
        }
    }
}

async fn run(app: &App, task: Task, permit: OwnedSemaphorePermit) {
    let outcome = tokio::select! {
        outcome = attempt(app, &task) => outcome,
        // Another replica has it now, and its word counts.
        () = lease_lost(app, &task) => return,
    };
    if let Err(error) = task_settle(app, &task, outcome).await {
        tracing::warn!(job = %task.id, kind = %task.kind, %error, "the end of a job could not be written; it is done again");
    }
    drop(permit);
    app.jobs.tasks.notify_one();
}

/// One attempt. What it did not foresee, a panic among it, ends only this attempt.
pub async fn attempt(app: &App, task: &Task) -> Outcome {
    match AssertUnwindSafe(work::task_run(app, task)).catch_unwind().await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => {
            let failure = JobFailure { code: error.code().into(), message: error.to_string(), retryable: true };
            tracing::warn!(job = %task.id, kind = %task.kind, ?error, "an attempt failed");
            Outcome::Again { at: app.clock.now() + AFTER_A_FAULT, failure }
        }
        Err(_) => Outcome::failed("internal", "The controller stumbled over this job; its log says where."),
    }
}

/// Write how the attempt ended, if the task is still this replica's.
pub async fn task_settle(app: &App, task: &Task, outcome: Outcome) -> Result<()> {
    let system = app.db.system();
    let now = app.clock.now();
    let past = |at: DateTime<Utc>| task.deadline_at.is_some_and(|deadline| at > deadline);
    let end = |status, result, failure| store::task_end(system, app.replica, task, status, result, failure, now);
    match outcome {
        Outcome::Done(result) => end(JobStatus::Succeeded, result, None).await?,
        Outcome::Failed(failure) => end(JobStatus::Failed, None, Some(failure)).await?,
        Outcome::Again { at, failure } if past(at) => end(JobStatus::Failed, None, Some(failure)).await?,
        Outcome::Again { at, failure } => store::task_again(system, app.replica, task, at, Some(failure)).await?,
        Outcome::Later { at } => store::task_again(system, app.replica, task, at, None).await?,
    }
    if let Some(organization) = task.organization {
        app.bus.changed(organization, Kind::Job, task.id.0);
    }
    Ok(())
}

async fn lease_lost(app: &App, task: &Task) {
    loop {
        tokio::time::sleep(LEASE_AGAIN).await;
        match store::task_keep(app.db.system(), app.replica, task).await {
            Ok(true) => {}
            Ok(false) => return,
            // The lease outlives a short absence of the database; whoever takes it after that has another number.
            Err(error) => tracing::debug!(job = %task.id, %error, "a lease could not be kept up"),
        }
    }
}
