//! Backups: made, put back, removed. What is moved goes between this server and the destination, never through the
//! controller, and is verified on the way: by its checksums, by the rows of each table, by the names of the files.

pub mod create;
pub mod delete;
pub mod filestore;
mod pack;
pub mod restore;
mod scratch;
mod snapshot;
mod source;
pub mod verify;

#[cfg(test)]
pub use filestore::volume_path;
#[cfg(test)]
pub use pack::hex;

use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::ops::odoo::unless_cancelled;
use crate::policy;
use ocore_shared::protocol::backups::{BackupPlace, DESTINATION_SECRET};
use ocore_shared::protocol::storage::Place;
use ocore_shared::storage::{Storage, StorageError, SystemResolve};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Why something at a destination was not done.
fn told(error: StorageError) -> OpError {
    OpError { code: error.kind.code().into(), message: error.message, retryable: error.kind.may_pass() }
}

/// Open the place. Its secret is waited for when a restart has lost it.
async fn open(host: &Host, ctx: &JobContext, at: &BackupPlace) -> Result<Storage, OpError> {
    let secret = match at.has_secret {
        true => Some(ctx.secret_awaited(DESTINATION_SECRET).await?),
        false => None,
    };
    if let Place::Local(local) = &at.place {
        policy::backup_directory_allowed(&host.config_dir, local).map_err(told)?;
    }
    Storage::open(&at.place, secret.as_ref(), Arc::new(SystemResolve)).map_err(told)
}

/// Wait for a turn: a server makes and puts back few backups at once.
async fn turn(host: &Host, ctx: &JobContext) -> Result<OwnedSemaphorePermit, OpError> {
    let turns = host.backup_turns.clone();
    if let Ok(turn) = turns.clone().try_acquire_owned() {
        return Ok(turn);
    }
    ctx.log("Waiting for other backups on this server.");
    unless_cancelled(ctx, async {
        turns.acquire_owned().await.map_err(|_| OpError::retryable("internal", "The turn of backups was lost."))
    })
    .await
}
