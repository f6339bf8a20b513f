//! Every query on `idempotency_keys`.

use crate::error::Result;
use ocore_shared::ids::OrganizationId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Who may carry the request out.
pub enum Claim {
    Mine,
    OtherBody,
    UnderWay,
    Answered { status: i16, sealed: Vec<u8> },
}

/// Take the key, or tell what became of it. A request that has been under way for a minute died with its replica: it
/// is taken over.
pub async fn idempotency_claim(
    connection: &mut PgConnection, organization: OrganizationId, principal: Uuid, key: &str, hash: &[u8],
) -> Result<Claim> {
    let taken = sqlx::query_scalar!(
        r#"insert into idempotency_keys (organization_id, principal_id, key, request_hash) values ($1, $2, $3, $4)
           on conflict (organization_id, principal_id, key) do update set created_at = now(), request_hash = $4,
               status = null, sealed_response = null
           where idempotency_keys.created_at < now() - interval '24 hours'
              or (idempotency_keys.status is null and idempotency_keys.request_hash = $4
                  and idempotency_keys.created_at < now() - interval '1 minute')
           returning true as "taken!""#,
        organization.0,
        principal,
        key,
        hash
    )
    .fetch_optional(&mut *connection)
    .await?;
    if taken.is_some() {
        return Ok(Claim::Mine);
    }
    let row = sqlx::query!(
        "select request_hash, status, sealed_response from idempotency_keys
         where organization_id = $1 and principal_id = $2 and key = $3",
        organization.0,
        principal,
        key
    )
    .fetch_optional(connection)
    .await?;
    Ok(match row {
        Some(row) if row.request_hash != hash => Claim::OtherBody,
        Some(row) => match (row.status, row.sealed_response) {
            (Some(status), Some(sealed)) => Claim::Answered { status, sealed },
            _ => Claim::UnderWay,
        },
        // Released between the two statements: the caller asks again.
        None => Claim::UnderWay,
    })
}

/// Keep the answer.
pub async fn idempotency_store(
    connection: &mut PgConnection, organization: OrganizationId, principal: Uuid, key: &str, status: i16, sealed: &[u8],
) -> Result<()> {
    sqlx::query!(
        "update idempotency_keys set status = $4, sealed_response = $5
         where organization_id = $1 and principal_id = $2 and key = $3",
        organization.0,
        principal,
        key,
        status,
        sealed
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Nothing was done: let the next request try.
pub async fn idempotency_release(
    connection: &mut PgConnection, organization: OrganizationId, principal: Uuid, key: &str,
) -> Result<()> {
    sqlx::query!(
        "delete from idempotency_keys where organization_id = $1 and principal_id = $2 and key = $3",
        organization.0,
        principal,
        key
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
