//! Removal of what is too old. Only what is proven whole is removed, and the start of the rest is signed, so that removal
//! hides nothing.

use super::chain::store;
use super::chain::{Entry, Hash};
use crate::app::App;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Days for the platform's own entries, and for those of organizations that are gone.
const PLATFORM_DAYS: i32 = 365;
const BATCH: i64 = 5000;

/// Remove entries that are older than their organization keeps them.
pub async fn audit_prune(app: &App) -> Result<()> {
    for (organization, days) in store::chain_retention_list(app.db.system()).await? {
        let before = app.clock.now() - TimeDelta::days(days.unwrap_or(PLATFORM_DAYS).into());
        while shorten(app, organization, before).await? {}
    }
    app.audit.sinks.tidy().await.map_err(Error::Internal)
}

/// One batch of one chain. True: there may be more.
async fn shorten(app: &App, organization: Uuid, before: DateTime<Utc>) -> Result<bool> {
    let mut tx = app.db.system().begin().await?;
    if !store::seal_lock(&mut tx).await? {
        return Ok(false);
    }
    let Some(chain) = store::chain_get(&mut tx, organization).await? else { return Ok(false) };
    let signer = &app.audit.signer;
    let oldest = store::chain_oldest(&mut tx, organization, BATCH).await?;
    let is_last = (oldest.len() as i64) < BATCH;
    let expired: Vec<&Entry> = oldest.iter().take_while(|entry| entry.created_at < before).collect();
    if expired.is_empty() {
        return Ok(false);
    }
    let (mut seq, mut hash, mut buffer) = (chain.start.seq, chain.start.hash, Vec::new());
    let mut whole = signer.start_holds(&chain.start) && signer.head_holds(&chain.head);
    for entry in &expired {
        let next: Hash = entry.hash_at(seq, &hash, &mut buffer);
        whole = whole && entry.seq == Some(seq) && entry.has_hash(&next) && seq <= chain.head.seq;
        (seq, hash) = (seq + 1, next);
    }
    if !whole {
        tracing::error!(chain = %organization, "old entries of the audit log were tampered with and are not removed; verify it");
        return Ok(false);
    }
    store::chain_shorten(&mut tx, &signer.start(organization, seq, hash)).await?;
    tx.commit().await?;
    Ok(!is_last && expired.len() as i64 == BATCH)
}
