//! What databases are in rows: parts of `instances`, and secrets.

use crate::error::Result;
use ocore_shared::ids::{InstanceId, JobId, OrganizationId};
use ocore_shared::protocol::odoo::secret_names;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;

/// What a person has set of PostgreSQL, now that it is in force.
pub async fn settings_store(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, settings: &BTreeMap<String, String>,
) -> Result<()> {
    sqlx::query!(
        "update instances set spec = jsonb_set(spec, '{database_settings}', $3), version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        Json(settings) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The password that a job was given is the role's from now on; the one before is forgotten.
pub async fn password_settle(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, job: JobId,
) -> Result<()> {
    let name = secret_names::DATABASE_PASSWORD;
    let before = sqlx::query_scalar!(
        "select (i.secret_ids ->> $4)::uuid from instances i join jobs j on j.id = $3 and j.organization_id = $1
         where i.organization_id = $1 and i.id = $2 and j.secret_ids ? $4
             and j.secret_ids ->> $4 is distinct from i.secret_ids ->> $4",
        organization.0,
        id.0,
        job.0,
        name
    )
    .fetch_optional(&mut *connection)
    .await?;
    sqlx::query!(
        "update instances i set secret_ids = i.secret_ids || jsonb_build_object($4::text, j.secret_ids -> $4),
             version = i.version + 1, updated_at = now()
         from jobs j where i.organization_id = $1 and i.id = $2 and j.organization_id = $1 and j.id = $3
             and j.secret_ids ? $4",
        organization.0,
        id.0,
        job.0,
        name
    )
    .execute(&mut *connection)
    .await?;
    if let Some(before) = before.flatten() {
        sqlx::query!("delete from secrets where organization_id = $1 and id = $2", organization.0, before)
            .execute(connection)
            .await?;
    }
    Ok(())
}
