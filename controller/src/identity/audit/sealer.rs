//! The sealer: a reconciler without input. Each second one of the replicas numbers and chains what is committed.

use super::chain::store::{self, Place};
use super::chain::{Chain, Hash, Head, Start};
use crate::app::App;
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

const EVERY: Duration = Duration::from_secs(1);
/// Entries that are sealed in one transaction.
const BATCH: i64 = 2000;

/// Seals once a second, until the application stops.
pub async fn seal_task(app: App) {
    let mut blocked = BTreeSet::new();
    let mut is_caught_up = false;
    let mut after = None;
    loop {
        if !is_caught_up {
            match catch_up(&app).await {
                Ok(()) => is_caught_up = true,
                Err(error) => {
                    tracing::warn!(?error, "the kept heads of the audit log could not be read; it is tried again")
                }
            }
        }
        match seal_batch(&app, after.take()).await {
            Ok(round) => {
                for chain in round.blocked.difference(&blocked) {
                    tracing::error!(%chain, "this chain of the audit log was tampered with and is not extended; verify it");
                }
                metrics::gauge!("ocore_audit_chains_blocked").set(round.blocked.len() as f64);
                blocked = round.blocked;
                if round.sealed == BATCH as usize {
                    after = round.last;
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "the audit log could not be sealed; it is tried again"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What one round has done.
#[derive(Debug, Default)]
pub struct Round {
    pub sealed: usize,
    /// The last entry that was sealed.
    last: Option<Place>,
    /// Chains whose end is not what we signed: to go on from there would make a forgery ours.
    pub blocked: BTreeSet<Uuid>,
}

async fn catch_up(app: &App) -> anyhow::Result<()> {
    let chains = store::chain_list(app.db.system()).await?;
    let heads: Vec<Head> =
        chains.into_iter().map(|chain| chain.head).filter(|head| app.audit.signer.head_holds(head)).collect();
    app.audit.sinks.catch_up(&heads).await
}

/// One round: nothing while another replica is at it.
pub async fn seal_once(app: &App) -> Result<Round> {
    seal_batch(app, None).await
}

async fn seal_batch(app: &App, after: Option<Place>) -> Result<Round> {
    let mut round = Round::default();
    let mut tx = app.db.system().begin().await?;
    if !store::seal_lock(&mut tx).await? {
        drop(tx);
        app.audit.sinks.append(&[]).await;
        return Ok(round);
    }
    let (chains, entries) = loop {
        let but: Vec<Uuid> = round.blocked.iter().copied().collect();
        let entries = store::entries_unsealed(&mut tx, &but, after.as_ref(), BATCH).await?;
        let organizations: Vec<Uuid> = entries.iter().map(|e| e.chain()).collect::<BTreeSet<_>>().into_iter().collect();
        let chains = store::chains_get(&mut tx, &organizations).await?;
        let known = round.blocked.len();
        for (organization, (chain, newest)) in &chains {
            if !is_whole(app, chain.as_ref(), *newest) {
                round.blocked.insert(*organization);
            }
        }
        if round.blocked.len() == known {
            break (chains, entries);
        }
    };
    let mut ends: BTreeMap<Uuid, (i64, Hash)> = BTreeMap::new();
    for (organization, (chain, _)) in &chains {
        ends.insert(*organization, chain.as_ref().map_or((0, Hash::NONE), |chain| (chain.head.seq, chain.head.hash)));
    }
    let mut buffer = Vec::new();
    let (mut ids, mut seqs, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for entry in &entries {
        let (seq, hash) = ends.entry(entry.chain()).or_insert((0, Hash::NONE));
        *seq += 1;
        *hash = entry.hash_at(*seq, hash, &mut buffer);
        ids.push(entry.id);
        seqs.push(*seq);
        hashes.push(hash.0.to_vec());
    }
    let mut heads = Vec::with_capacity(ends.len());
    if !ids.is_empty() {
        store::entries_seal(&mut tx, &ids, &seqs, &hashes).await?;
        let (signer, now) = (&app.audit.signer, app.clock.now());
        for (organization, (seq, hash)) in ends {
            let head = signer.head(organization, seq, hash, now);
            store::chain_extend(&mut tx, &head, &first_start(app, organization)).await?;
            heads.push(head);
        }
    }
    tx.commit().await?;
    round.sealed = ids.len();
    round.last = entries.last().map(|entry| (entry.xid.clone(), entry.id));
    // After the commit: a head that is kept outside must never be newer than what the database has.
    app.audit.sinks.append(&heads).await;
    Ok(round)
}

/// Where every chain begins.
pub fn first_start(app: &App, organization: Uuid) -> Start {
    app.audit.signer.start(organization, 1, Hash::NONE)
}

fn is_whole(app: &App, chain: Option<&Chain>, newest: i64) -> bool {
    match chain {
        // What retention has emptied has no entry at all.
        Some(chain) => app.audit.signer.head_holds(&chain.head) && newest <= chain.head.seq,
        None => newest == 0,
    }
}
