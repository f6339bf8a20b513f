//! Every query on `pki_authorities` and on the sealed keys of the platform.

use ocore_shared::ids::SecretId;
use sqlx::PgPool;
use uuid::Uuid;

const LISTENER_KEY: &str = "agents_port_key";
const PEOPLE_CERTIFICATE: &str = "people_certificate";
/// Replicas that start at once make one authority.
const FIRST_START_LOCK: i64 = 0x6f43_6f72_6500_0001;

/// A certificate (or none) with its sealed key.
pub struct SealedPair {
    pub certificate_pem: String,
    pub secret_id: SecretId,
    pub sealed: Vec<u8>,
}

/// The authority, made by `make` when there is none.
pub async fn authority_ensure(
    system: &PgPool, make: impl FnOnce() -> anyhow::Result<SealedPair>,
) -> anyhow::Result<SealedPair> {
    let mut tx = system.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock($1)", FIRST_START_LOCK).fetch_one(&mut *tx).await?;
    let row = sqlx::query!(
        "select a.certificate_pem, s.id, s.sealed from pki_authorities a join secrets s on s.id = a.key_secret_id
         where a.retired_at is null order by a.id desc limit 1"
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = row {
        return Ok(SealedPair {
            certificate_pem: row.certificate_pem,
            secret_id: SecretId(row.id),
            sealed: row.sealed,
        });
    }
    let pair = make()?;
    sqlx::query!(
        "insert into secrets (id, purpose, sealed) values ($1, 'authority_key', $2)",
        pair.secret_id.0,
        pair.sealed
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into pki_authorities (id, certificate_pem, key_secret_id, not_after)
         values ($1, $2, $3, now() + interval '10 years')",
        Uuid::now_v7(),
        pair.certificate_pem,
        pair.secret_id.0
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(pair)
}

/// The key of the agents' port, made by `make` when there is none.
pub async fn listener_key_ensure(
    system: &PgPool, make: impl FnOnce() -> anyhow::Result<SealedPair>,
) -> anyhow::Result<SealedPair> {
    let mut tx = system.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock($1)", FIRST_START_LOCK).fetch_one(&mut *tx).await?;
    let row =
        sqlx::query!("select id, sealed from secrets where organization_id is null and purpose = $1", LISTENER_KEY)
            .fetch_optional(&mut *tx)
            .await?;
    if let Some(row) = row {
        return Ok(SealedPair { certificate_pem: String::new(), secret_id: SecretId(row.id), sealed: row.sealed });
    }
    let pair = make()?;
    sqlx::query!(
        "insert into secrets (id, purpose, sealed) values ($1, $2, $3)",
        pair.secret_id.0,
        LISTENER_KEY,
        pair.sealed
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(pair)
}

/// The certificate of people's port with its key, sealed. `renew` gets what is stored and gives None to keep it, else
/// what takes its place.
pub async fn people_certificate_ensure(
    system: &PgPool, renew: impl FnOnce(Option<(SecretId, Vec<u8>)>) -> anyhow::Result<Option<(SecretId, Vec<u8>)>>,
) -> anyhow::Result<()> {
    let mut tx = system.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock($1)", FIRST_START_LOCK).fetch_one(&mut *tx).await?;
    let row = sqlx::query!(
        "select id, sealed from secrets where organization_id is null and purpose = $1",
        PEOPLE_CERTIFICATE
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some((id, sealed)) = renew(row.map(|row| (SecretId(row.id), row.sealed)))? {
        sqlx::query!("delete from secrets where organization_id is null and purpose = $1", PEOPLE_CERTIFICATE)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("insert into secrets (id, purpose, sealed) values ($1, $2, $3)", id.0, PEOPLE_CERTIFICATE, sealed)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}
