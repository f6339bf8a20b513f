//! Every query on `secrets` of organizations.

use super::Keyring;
use crate::error::{Error, Result};
use ocore_shared::ids::{OrganizationId, SecretId};
use ocore_shared::secret::Secret;
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;
use uuid::Uuid;

/// Values of secrets, still sealed, by id.
pub async fn secret_list_sealed(
    system: &PgPool, organization: OrganizationId, ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<u8>>> {
    let rows =
        sqlx::query!("select id, sealed from secrets where organization_id = $1 and id = any($2)", organization.0, ids)
            .fetch_all(system)
            .await?;
    Ok(rows.into_iter().map(|r| (r.id, r.sealed)).collect())
}

/// Store a sealed secret of an organization.
pub async fn secret_insert(
    connection: &mut PgConnection, organization: OrganizationId, id: Uuid, purpose: &str, sealed: &[u8],
) -> Result<()> {
    sqlx::query!(
        "insert into secrets (id, organization_id, purpose, sealed) values ($1, $2, $3, $4)",
        id,
        organization.0,
        purpose,
        sealed
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Seal a value and store it.
pub async fn secret_add(
    connection: &mut PgConnection, organization: OrganizationId, keyring: &Keyring, purpose: &str, value: &Secret,
) -> Result<SecretId> {
    let id = SecretId::new();
    let sealed = keyring.seal(&format!("secrets {id}"), value.expose().as_bytes());
    secret_insert(connection, organization, id.0, purpose, &sealed).await?;
    Ok(id)
}

/// A sealed secret of an organization, opened. None: it is gone.
pub async fn secret_open(
    connection: &mut PgConnection, organization: OrganizationId, keyring: &Keyring, id: SecretId,
) -> Result<Option<Secret>> {
    let sealed =
        sqlx::query_scalar!("select sealed from secrets where organization_id = $1 and id = $2", organization.0, id.0)
            .fetch_optional(connection)
            .await?;
    let Some(sealed) = sealed else { return Ok(None) };
    let plain = keyring.unseal(&format!("secrets {id}"), &sealed).map_err(Error::Internal)?;
    Ok(Some(Secret::new(String::from_utf8_lossy(&plain))))
}

/// Remove a secret that nothing names any more.
pub async fn secret_delete(connection: &mut PgConnection, organization: OrganizationId, id: SecretId) -> Result<()> {
    sqlx::query!("delete from secrets where organization_id = $1 and id = $2", organization.0, id.0)
        .execute(connection)
        .await?;
    Ok(())
}
