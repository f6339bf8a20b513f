//! `backup_delete`: the manifest first, so that what is cut in the middle is no backup any more.

use super::{open, told};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use ocore_shared::protocol::backups::{BackupDelete, MANIFEST};
use ocore_shared::storage::Storage;
use serde_json::Value;

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let wish: BackupDelete = ctx.input()?;
    ctx.plan(&[("delete", "Delete the backup at its destination")]).await?;
    ctx.step("delete", async {
        let storage = open(&host, &ctx, &wish.at).await?;
        remove(&storage, &wish.at.prefix).await
    })
    .await?;
    Ok(Value::Null)
}

/// Remove all that is below a backup's prefix. Well when there is nothing.
pub async fn remove(storage: &Storage, prefix: &str) -> Result<(), OpError> {
    storage.delete(&format!("{prefix}{MANIFEST}")).await.map_err(told)?;
    for entry in storage.list(prefix).await.map_err(told)? {
        storage.delete(&entry.key).await.map_err(told)?;
    }
    Ok(())
}
