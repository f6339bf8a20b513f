//! Every query of sealing, verifying and retention on `audit_log` and `audit_chains`. A chain is named by its
//! organization, or nil for the platform's own.
//!
//! What is ordered by number is ordered by its chain first: under row-level security PostgreSQL does not see that all of
//! it has the same one, and would sort the whole chain instead of following the index.

use super::{Chain, Entry, Hash, Head, Start};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use futures::{Stream, TryStreamExt};
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;
use uuid::Uuid;

/// Transaction and id of an entry.
pub type Place = (String, Uuid);

/// Held by whoever seals or removes, in all replicas.
const SEAL_LOCK: i64 = 0x6f43_6f72_6500_0005;

/// Become the one who seals, until the transaction ends. False: another replica is at it.
pub async fn seal_lock(connection: &mut PgConnection) -> Result<bool> {
    let got = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "got!""#, SEAL_LOCK)
        .fetch_one(&mut *connection)
        .await?;
    if got {
        follow_indexes(connection).await?;
    }
    Ok(got)
}

/// Until the transaction ends, PostgreSQL looks up by the indexes: after many entries at once it knows too little of the
/// table to see that they are the better way, and would read or sort all of it.
async fn follow_indexes(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        r#"select set_config(name, 'off', true)
           from unnest(array['enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'enable_hashjoin',
                             'enable_mergejoin', 'jit']) name"#
    )
    .fetch_all(connection)
    .await?;
    Ok(())
}

/// Entries that have no number yet, in the order of their transactions; but none of those chains.
///
/// What is seen is committed, and what is committed later is numbered later. To wait for every open transaction would let
/// anybody who holds one open, even in another database of the server, keep the log unsealed.
///
/// `after`: where the batch before ended. The index still knows what that has sealed, and would be read through again.
pub async fn entries_unsealed(
    connection: &mut PgConnection, but: &[Uuid], after: Option<&Place>, limit: i64,
) -> Result<Vec<Entry>> {
    let entries = sqlx::query_as!(
        Entry,
        r#"select id, organization_id as organization, action, actor::text as "actor!", subject::text as "subject!",
                  before::text, after::text, address::text, request_id, user_agent, created_at, xid::text as "xid!",
                  seq, hash
           from audit_log
           where seq is null and coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) <> all($1)
             and (xid, id) > ($3::text::xid8, $4::uuid)
           order by xid, id limit $2"#,
        but,
        limit,
        after.map_or("0", |place| place.0.as_str()),
        after.map_or(Uuid::nil(), |place| place.1)
    )
    .fetch_all(connection)
    .await?;
    Ok(entries)
}

/// Write numbers and hashes. They must all be new.
pub async fn entries_seal(connection: &mut PgConnection, ids: &[Uuid], seqs: &[i64], hashes: &[Vec<u8>]) -> Result<()> {
    let done = sqlx::query!(
        "update audit_log a set seq = u.seq, hash = u.hash
         from unnest($1::uuid[], $2::bigint[], $3::bytea[]) as u (id, seq, hash) where a.id = u.id and a.seq is null",
        ids,
        seqs,
        hashes
    )
    .execute(connection)
    .await?;
    if done.rows_affected() == ids.len() as u64 {
        return Ok(());
    }
    Err(Error::internal(anyhow::anyhow!("entries of the audit log changed while they were sealed")))
}

struct ChainRow {
    organization_id: Uuid,
    seq: i64,
    hash: Vec<u8>,
    signature: Vec<u8>,
    sealed_at: DateTime<Utc>,
    first_seq: i64,
    first_hash: Vec<u8>,
    first_signature: Vec<u8>,
}

impl From<ChainRow> for Chain {
    fn from(row: ChainRow) -> Self {
        // What is no hash at all fits no signature either.
        let hash = |bytes: &[u8]| Hash::stored(bytes).unwrap_or(Hash::NONE);
        let organization_id = row.organization_id;
        let head = Head {
            organization_id,
            seq: row.seq,
            hash: hash(&row.hash),
            sealed_at: row.sealed_at,
            signature: row.signature,
        };
        let (hash, signature) = (hash(&row.first_hash), row.first_signature);
        Self { head, start: Start { organization_id, seq: row.first_seq, hash, signature } }
    }
}

pub async fn chain_get(connection: &mut PgConnection, organization: Uuid) -> Result<Option<Chain>> {
    let row = sqlx::query_as!(ChainRow, "select * from audit_chains where organization_id = $1", organization)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(Chain::from))
}

/// Every chain that there is.
pub async fn chain_list(system: &PgPool) -> Result<Vec<Chain>> {
    let rows =
        sqlx::query_as!(ChainRow, "select * from audit_chains order by organization_id").fetch_all(system).await?;
    Ok(rows.into_iter().map(Chain::from).collect())
}

/// Those chains, each with the greatest number that any of its entries has.
pub async fn chains_get(
    connection: &mut PgConnection, organizations: &[Uuid],
) -> Result<HashMap<Uuid, (Option<Chain>, i64)>> {
    let rows = sqlx::query_as!(ChainRow, "select * from audit_chains where organization_id = any($1)", organizations)
        .fetch_all(&mut *connection)
        .await?;
    let mut chains: HashMap<Uuid, Chain> = rows.into_iter().map(|row| (row.organization_id, row.into())).collect();
    let newest = sqlx::query!(
        r#"select o.id as "id!", coalesce(n.seq, 0) as "seq!" from unnest($1::uuid[]) as o (id)
           left join lateral (
               select seq from audit_log
               where coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) = o.id and seq is not null
               order by coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) desc, seq desc
               limit 1) n on true"#,
        organizations
    )
    .fetch_all(connection)
    .await?;
    Ok(newest.into_iter().map(|row| (row.id, (chains.remove(&row.id), row.seq))).collect())
}

/// Write the new end of a chain; its start is only written where it has none.
pub async fn chain_extend(connection: &mut PgConnection, head: &Head, start: &Start) -> Result<()> {
    sqlx::query!(
        "insert into audit_chains (organization_id, seq, hash, signature, sealed_at, first_seq, first_hash, first_signature)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (organization_id) do update set seq = $2, hash = $3, signature = $4, sealed_at = $5",
        head.organization_id,
        head.seq,
        head.hash.0.as_slice(),
        head.signature,
        head.sealed_at,
        start.seq,
        start.hash.0.as_slice(),
        start.signature
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// All that follows in this transaction sees the same rows, whatever is sealed meanwhile.
pub async fn snapshot_begin(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("set transaction isolation level repeatable read, read only").execute(&mut *connection).await?;
    follow_indexes(connection).await
}

/// The numbered entries of a chain, in order.
pub fn chain_stream(
    connection: &mut PgConnection, organization: Uuid,
) -> impl Stream<Item = Result<Entry>> + Send + '_ {
    sqlx::query_as!(
        Entry,
        r#"select id, organization_id as organization, action, actor::text as "actor!", subject::text as "subject!",
                  before::text, after::text, address::text, request_id, user_agent, created_at, xid::text as "xid!",
                  seq, hash
           from audit_log
           where coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) = $1 and seq is not null
           order by coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid), seq"#,
        organization
    )
    .fetch(connection)
    .map_err(Error::from)
}

/// How many entries of a chain have no number yet.
pub async fn unsealed_count(connection: &mut PgConnection, organization: Uuid) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_log
           where coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) = $1 and seq is null"#,
        organization
    )
    .fetch_one(connection)
    .await?;
    Ok(count)
}

/// Every chain with the days that its entries are kept; None where its organization does not say.
pub async fn chain_retention_list(system: &PgPool) -> Result<Vec<(Uuid, Option<i32>)>> {
    let rows = sqlx::query!(
        r#"select c.organization_id as "organization_id!", o.audit_retention_days as "days?"
           from audit_chains c left join organizations o on o.id = c.organization_id"#
    )
    .fetch_all(system)
    .await?;
    Ok(rows.into_iter().map(|row| (row.organization_id, row.days)).collect())
}

/// The oldest numbered entries of a chain.
pub async fn chain_oldest(connection: &mut PgConnection, organization: Uuid, limit: i64) -> Result<Vec<Entry>> {
    let entries = sqlx::query_as!(
        Entry,
        r#"select id, organization_id as organization, action, actor::text as "actor!", subject::text as "subject!",
                  before::text, after::text, address::text, request_id, user_agent, created_at, xid::text as "xid!",
                  seq, hash
           from audit_log
           where coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) = $1 and seq is not null
           order by coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid), seq limit $2"#,
        organization,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(entries)
}

/// Remove what comes before a chain's new start.
pub async fn chain_shorten(connection: &mut PgConnection, start: &Start) -> Result<()> {
    sqlx::query!(
        "update audit_chains set first_seq = $2, first_hash = $3, first_signature = $4 where organization_id = $1",
        start.organization_id,
        start.seq,
        start.hash.0.as_slice(),
        start.signature
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from audit_log
         where coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) = $1 and seq < $2",
        start.organization_id,
        start.seq
    )
    .execute(connection)
    .await?;
    Ok(())
}
