//! Every query on `idempotency_keys`.

use crate::error::{Error, Result};
use ocore_shared::ids::{JobId, OrganizationId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Who may carry the request out.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// This request, which changes the key by this claim from now on.
    Mine(Uuid),
    OtherBody,
    UnderWay,
    /// It has enqueued that job; its answer was not stored, or not yet.
    Enqueued(JobId),
    Answered {
        status: i16,
        sealed: Vec<u8>,
    },
}

/// Take the key, or tell what became of it. A request that has enqueued nothing and has been under way for 15 seconds
/// died with its replica or its connection: it is taken over.
pub async fn idempotency_claim(
    connection: &mut PgConnection, organization: OrganizationId, principal: Uuid, key: &str, hash: &[u8],
) -> Result<Claim> {
    let taken = sqlx::query_scalar!(
        "insert into idempotency_keys (organization_id, principal_id, key, request_hash, claim)
         values ($1, $2, $3, $4, $5)
         on conflict (organization_id, principal_id, key) do update set created_at = now(), request_hash = $4,
             claim = $5, status = null, sealed_response = null, job_id = null
         where idempotency_keys.created_at < now() - interval '24 hours'
            or (idempotency_keys.status is null and idempotency_keys.job_id is null
                and idempotency_keys.request_hash = $4
                and idempotency_keys.created_at < now() - interval '15 seconds')
         returning claim",
        organization.0,
        principal,
        key,
        hash,
        Uuid::now_v7()
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(claim) = taken {
        return Ok(Claim::Mine(claim));
    }
    let row = sqlx::query!(
        "select request_hash, status, sealed_response, job_id from idempotency_keys
         where organization_id = $1 and principal_id = $2 and key = $3",
        organization.0,
        principal,
        key
    )
    .fetch_optional(connection)
    .await?;
    Ok(match row {
        Some(row) if row.request_hash != hash => Claim::OtherBody,
        Some(row) => match (row.status, row.sealed_response, row.job_id) {
            (Some(status), Some(sealed), _) => Claim::Answered { status, sealed },
            (_, _, Some(job)) => Claim::Enqueued(JobId(job)),
            _ => Claim::UnderWay,
        },
        // Released between the two statements: the caller asks again.
        None => Claim::UnderWay,
    })
}

/// Write down the job that the request enqueues, in the same transaction. Refused when the claim was lost: whoever has
/// taken it over enqueues the job.
pub async fn idempotency_job_store(
    connection: &mut PgConnection, organization: OrganizationId, claim: Uuid, job: JobId,
) -> Result<()> {
    let done = sqlx::query!(
        "update idempotency_keys set job_id = $3 where organization_id = $1 and claim = $2",
        organization.0,
        claim,
        job.0
    )
    .execute(connection)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::conflict("request_in_progress", "A repetition of this request is under way; ask again."));
    }
    Ok(())
}

/// Keep the answer.
pub async fn idempotency_store(
    connection: &mut PgConnection, organization: OrganizationId, claim: Uuid, status: i16, sealed: &[u8],
) -> Result<()> {
    sqlx::query!(
        "update idempotency_keys set status = $3, sealed_response = $4 where organization_id = $1 and claim = $2",
        organization.0,
        claim,
        status,
        sealed
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Nothing was done: let the next request try. What has enqueued a job keeps its key.
pub async fn idempotency_release(
    connection: &mut PgConnection, organization: OrganizationId, claim: Uuid,
) -> Result<()> {
    sqlx::query!(
        "delete from idempotency_keys where organization_id = $1 and claim = $2 and job_id is null",
        organization.0,
        claim
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forget what is older than a day.
pub async fn idempotency_prune(system: &PgPool) -> Result<u64> {
    let done = sqlx::query!("delete from idempotency_keys where created_at < now() - interval '24 hours'")
        .execute(system)
        .await?;
    Ok(done.rows_affected())
}
