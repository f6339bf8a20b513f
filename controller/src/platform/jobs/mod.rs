//! Jobs: all durable work. Tables `jobs`, `job_steps`, `job_logs`; permissions view:jobs, manage:jobs.
//!
//! A job is enqueued in the transaction of the intent, dispatched right after its commit, and swept up when that was
//! cut off. On an agent it is `PUT /jobs/{id}`, which is idempotent, so dispatching twice does no harm.

pub mod dispatch;
#[cfg(test)]
mod handover_tests;
pub mod logs;
pub mod model;
pub mod queue;
pub mod report;
pub mod routes;
pub mod service;
pub mod store;
pub mod tasks;
#[cfg(test)]
mod tests;

pub use model::{Job, NewJob};

use tokio::sync::Notify;

/// What the dispatcher shares with the rest.
#[derive(Default)]
pub struct JobsRuntime {
    /// Rung when something may be due: an agent connected, a job was let go.
    pub poke: Notify,
    /// Rung when the controller itself may have something to do.
    pub tasks: Notify,
}
