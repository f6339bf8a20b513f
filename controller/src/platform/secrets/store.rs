//! Every query on `secrets` of organizations.

use crate::error::Result;
use ocore_shared::ids::OrganizationId;
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
