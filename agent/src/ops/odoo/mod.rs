//! Odoo instances: one Odoo container and one PostgreSQL container each, in the network of their environment.

pub mod admin;
pub mod containers;
pub mod control;
pub mod databases;
pub mod health;
mod init_log;
mod initialise;
pub mod maintenance;
pub mod modules;
pub mod network;
pub mod observer;
mod oneshot;
pub mod ownership;
mod packages;
mod passwords;
pub mod preflight;
pub mod provision;
pub mod record;
pub mod remove;
#[cfg(test)]
mod tests;
pub mod update;
pub mod upgrade;
pub mod volumes;

use crate::engine::{JobContext, OpError};
use crate::host::docker::image::Login;
use ocore_shared::odoo::conf::ConfProblem;
use ocore_shared::protocol::registries::RegistryLogin;
use serde::Serialize;
use serde_json::Value;

/// A job's result as the engine wants it.
pub fn result(value: impl Serialize) -> Result<Value, OpError> {
    serde_json::to_value(value).map_err(|e| OpError::new("internal", format!("The result cannot be written: {e}.")))
}

impl From<ConfProblem> for OpError {
    fn from(problem: ConfProblem) -> Self {
        OpError::new(problem.code, problem.message)
    }
}

/// Registries with their passwords, which are waited for when a restart has lost them.
pub async fn logins(ctx: &JobContext, registries: &[RegistryLogin]) -> Result<Vec<Login>, OpError> {
    let mut logins = Vec::with_capacity(registries.len());
    for registry in registries {
        let user = match (&registry.username, &registry.secret) {
            (Some(user), Some(secret)) => Some((user.clone(), ctx.secret_awaited(secret).await?)),
            _ => None,
        };
        logins.push(Login { address: registry.address.clone(), user, mirror_of: registry.mirror_of.clone() });
    }
    Ok(logins)
}

/// Run `work` unless the job is cancelled first. For waiting, never around what changes something, and never
/// in what takes a step back: the job is cancelled by then.
pub async fn unless_cancelled<T>(
    ctx: &JobContext, work: impl Future<Output = Result<T, OpError>>,
) -> Result<T, OpError> {
    ctx.cancelled().run_until_cancelled(work).await.unwrap_or_else(|| Err(ctx.interruption()))
}
