//! Verification: every hash of a chain is computed anew, from its signed start to its signed head and to the heads that
//! are kept outside the database.

use super::chain::store;
use super::chain::{Chain, Entry, Hash, Head, Signer};
use crate::error::Result;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use ocore_shared::ids::AuditId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// The entry is not what was written.
    Changed,
    /// There is no entry of that number.
    Missing,
    /// Another entry stands in its place; it stands elsewhere.
    Reordered,
    /// All entries from there on were removed.
    CutOff,
    /// Entries and their hashes were written anew: they fit each other, not what was signed.
    Rewritten,
    /// The chain's end is not what we signed.
    HeadForged,
    /// The beginning of the kept part is not what we signed.
    StartForged,
    /// A head that is kept outside the database is not what we signed; the entries may well be right.
    KeptHeadForged,
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChainProblem {
    pub kind: Defect,
    /// Number of the first bad entry.
    pub seq: i64,
    /// The entry that has this number now, if one has.
    #[schema(value_type = Option<Uuid>)]
    pub entry_id: Option<AuditId>,
    /// What is wrong, for people.
    pub message: String,
}

/// What verifying a chain has found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "organization_id": "0197a5a0-0000-7000-8000-000000000001", "valid": false, "entries": 41, "first_seq": 1,
    "last_seq": 212, "unsealed": 0, "sealed_at": "2026-01-05T10:00:00Z",
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "signature": "mF1…==",
    "public_key": "J4x…=", "heads_checked": 57,
    "problem": { "kind": "missing", "seq": 42, "entry_id": null, "message": "Entry 42 is missing." }
}))]
pub struct Verification {
    /// Null for the platform's own chain.
    pub organization_id: Option<Uuid>,
    pub valid: bool,
    /// Entries that were read and found right.
    pub entries: i64,
    /// Number of the first entry that is kept; those before it were removed when they were too old.
    pub first_seq: i64,
    /// Number of the last one, by the signed head.
    pub last_seq: i64,
    /// Entries that are not sealed yet; sealing takes about a second.
    pub unsealed: i64,
    pub sealed_at: Option<DateTime<Utc>>,
    /// Hash of the head, hexadecimal.
    pub hash: Option<String>,
    /// Ed25519 signature of the head, Base64.
    pub signature: Option<String>,
    /// The key that it can be checked by, Base64.
    pub public_key: String,
    /// Heads outside the database that were compared.
    pub heads_checked: i64,
    /// The first thing that is wrong; null when the chain is whole.
    pub problem: Option<ChainProblem>,
}

/// Verify a chain against its head and those heads, which were read before.
pub async fn chain_verify(
    connection: &mut PgConnection, signer: &Signer, organization: Uuid, kept: Vec<Head>,
) -> Result<Verification> {
    let chain = store::chain_get(connection, organization).await?;
    let unsealed = store::unsealed_count(connection, organization).await?;
    let mut walk = Walk::new(signer, chain.as_ref(), kept);
    let mut found = walk.begin();
    if found.is_none() {
        let mut entries = std::pin::pin!(store::chain_stream(connection, organization));
        while let Some(entry) = entries.try_next().await? {
            found = walk.step(&entry);
            if found.is_some() {
                break;
            }
        }
    }
    let mut found = found.or_else(|| walk.end());
    if let Some(Problem { defect: Defect::Changed | Defect::Missing, seq, .. }) = found
        && let Some((id, place)) = elsewhere(connection, organization, seq, &walk.previous).await?
    {
        let problem = Problem::new(Defect::Reordered, seq, format!("Entry {seq} ({id}) now stands at place {place}."));
        found = Some(Problem { entry: found.and_then(|problem| problem.entry), ..problem });
    }
    let head = chain.as_ref().map(|chain| &chain.head);
    Ok(Verification {
        organization_id: (!organization.is_nil()).then_some(organization),
        valid: found.is_none(),
        entries: walk.entries,
        first_seq: walk.first,
        last_seq: head.map_or(0, |head| head.seq),
        unsealed,
        sealed_at: head.map(|head| head.sealed_at),
        hash: head.map(|head| head.hash.hex()),
        signature: head.map(Head::signature_text),
        public_key: signer.public_key(),
        heads_checked: walk.heads_checked,
        problem: found.map(|problem| ChainProblem {
            kind: problem.defect,
            seq: problem.seq,
            entry_id: problem.entry.map(AuditId),
            message: problem.message,
        }),
    })
}

/// Whether the entry that belongs to that place stands at another one: its id, and where.
async fn elsewhere(
    connection: &mut PgConnection, organization: Uuid, seq: i64, previous: &Hash,
) -> Result<Option<(Uuid, i64)>> {
    let mut buffer = Vec::new();
    let mut entries = std::pin::pin!(store::chain_stream(connection, organization));
    while let Some(entry) = entries.try_next().await? {
        let place = entry.seq.unwrap_or_default();
        if place != seq && entry.has_hash(&entry.hash_at(seq, previous, &mut buffer)) {
            return Ok(Some((entry.id, place)));
        }
    }
    Ok(None)
}

struct Problem {
    defect: Defect,
    seq: i64,
    entry: Option<Uuid>,
    message: String,
}

impl Problem {
    fn new(defect: Defect, seq: i64, message: impl Into<String>) -> Self {
        Self { defect, seq, entry: None, message: message.into() }
    }
}

/// One pass over a chain.
struct Walk<'a> {
    signer: &'a Signer,
    chain: Option<&'a Chain>,
    kept: std::iter::Peekable<std::vec::IntoIter<Head>>,
    first: i64,
    /// The number that comes next.
    next: i64,
    /// Hash of the entry before it.
    previous: Hash,
    /// The first entry that no kept head has confirmed.
    unconfirmed: i64,
    entries: i64,
    heads_checked: i64,
    buffer: Vec<u8>,
}

impl<'a> Walk<'a> {
    fn new(signer: &'a Signer, chain: Option<&'a Chain>, kept: Vec<Head>) -> Self {
        let (first, previous) = chain.map_or((1, Hash::NONE), |chain| (chain.start.seq, chain.start.hash));
        Self {
            signer,
            chain,
            kept: kept.into_iter().peekable(),
            first,
            next: first,
            previous,
            unconfirmed: first,
            entries: 0,
            heads_checked: 0,
            buffer: Vec::new(),
        }
    }

    fn begin(&mut self) -> Option<Problem> {
        if self.chain.is_some_and(|chain| !self.signer.start_holds(&chain.start)) {
            let text = "The place where the kept part begins was forged: what came before it may have been removed.";
            return Some(Problem::new(Defect::StartForged, self.first, text));
        }
        // What retention has removed cannot be compared any more, but for the hash that it has left.
        while self.kept.next_if(|head| head.seq < self.first - 1).is_some() {}
        self.compare(self.first - 1)
    }

    fn step(&mut self, entry: &Entry) -> Option<Problem> {
        let (place, seq) = (entry.seq.unwrap_or_default(), self.next);
        if place < seq {
            let text = format!("This entry has the number {place}, which comes before the first one that is kept.");
            return Some(Problem { entry: Some(entry.id), ..Problem::new(Defect::Reordered, place, text) });
        }
        if place > seq {
            return Some(Problem::new(Defect::Missing, seq, format!("Entry {seq} is missing.")));
        }
        let hash = entry.hash_at(seq, &self.previous, &mut self.buffer);
        if !entry.has_hash(&hash) {
            let text = format!("Entry {seq} was changed after it was written.");
            return Some(Problem { entry: Some(entry.id), ..Problem::new(Defect::Changed, seq, text) });
        }
        self.previous = hash;
        if let Some(problem) = self.compare(seq) {
            return Some(Problem { entry: Some(entry.id).filter(|_| problem.seq == seq), ..problem });
        }
        self.next += 1;
        self.entries += 1;
        None
    }

    /// Compare the hash of that entry with the kept heads of the same number.
    fn compare(&mut self, seq: i64) -> Option<Problem> {
        while let Some(head) = self.kept.next_if(|head| head.seq <= seq) {
            self.heads_checked += 1;
            if head.hash == self.previous && head.seq == seq {
                self.unconfirmed = self.first.max(seq + 1);
                continue;
            }
            // Looked at only now: signatures take their time, and one that agrees proves nothing more.
            if !self.signer.head_holds(&head) {
                let text = format!("A head for entry {} that is kept outside the database was forged.", head.seq);
                return Some(Problem::new(Defect::KeptHeadForged, head.seq, text));
            }
            let from = self.unconfirmed;
            let text = format!("One or more of the entries {from} to {seq} were written anew after they were sealed.");
            return Some(Problem::new(Defect::Rewritten, from, text));
        }
        None
    }

    /// What the end says: the head, and kept heads beyond it.
    fn end(&mut self) -> Option<Problem> {
        let last = self.next - 1;
        let beyond = self.kept.find(|head| head.seq > last && self.signer.head_holds(head));
        let Some(Chain { head, .. }) = self.chain else {
            return match beyond {
                Some(_) => Some(cut_off(last)),
                None if self.entries > 0 => {
                    Some(Problem::new(Defect::HeadForged, last, "The chain's signed head is gone."))
                }
                None => None,
            };
        };
        let is_ours = self.signer.head_holds(head);
        if beyond.is_some() || (is_ours && head.seq > last) {
            return Some(cut_off(last));
        }
        if !is_ours {
            return Some(Problem::new(
                Defect::HeadForged,
                last,
                "The chain's head was forged: its signature is not ours.",
            ));
        }
        if head.seq < last {
            let text = format!("The chain's head ends at entry {}, but there are entries after it.", head.seq);
            return Some(Problem::new(Defect::HeadForged, head.seq + 1, text));
        }
        if head.hash != self.previous {
            let from = self.unconfirmed;
            let text = format!("One or more of the entries {from} to {last} were written anew after they were sealed.");
            return Some(Problem::new(Defect::Rewritten, from, text));
        }
        None
    }
}

fn cut_off(last: i64) -> Problem {
    let from = last + 1;
    Problem::new(Defect::CutOff, from, format!("The chain was cut off: the entries from {from} on are gone."))
}
