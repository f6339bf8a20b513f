//! Every query on `backup_destinations`.

use super::model::{Destination, DestinationInput, DestinationStatus, Encryption, Opened, is_off_site};
use crate::error::{Error, Result};
use crate::platform::http::Page;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{DestinationId, OrganizationId, SecretId};
use ocore_shared::protocol::storage::{Place, StorageAnswer, StorageProblem};
use sqlx::PgConnection;
use sqlx::types::Json;

/// Which destinations a list shows.
#[derive(Default)]
pub struct DestinationFilter {
    pub id: Option<DestinationId>,
    /// That alone where new backups go.
    pub is_default: bool,
}

pub async fn destination_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &DestinationFilter, page: &Page,
) -> Result<Vec<Destination>> {
    let rows = sqlx::query!(
        r#"select id, name, config as "config: Json<Place>", secret_id is not null as "has_secret!",
                  encryption as "encryption: Encryption", recipients, is_default,
                  status as "status: DestinationStatus", problem as "problem: Json<StorageProblem>", free_bytes,
                  checked_at, version, created_at, updated_at
           from backup_destinations
           where organization_id = $1 and ($2::uuid is null or id = $2) and ($3::uuid is null or id < $3)
               and (is_default or not $5)
           order by id desc limit $4"#,
        organization.0,
        filter.id.map(|id| id.0),
        page.before()?,
        page.fetch(),
        filter.is_default
    )
    .fetch_all(connection)
    .await?;
    let destinations = rows.into_iter().map(|r| Destination {
        id: DestinationId(r.id),
        name: r.name,
        has_secret: r.has_secret,
        encryption: r.encryption,
        recipients: r.recipients,
        is_default: r.is_default,
        is_off_site: is_off_site(&r.config.0),
        config: r.config.0,
        status: r.status,
        problem: r.problem.map(|problem| problem.0),
        free_bytes: r.free_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        checked_at: r.checked_at,
        version: r.version,
        created_at: r.created_at,
        updated_at: r.updated_at,
    });
    Ok(destinations.collect())
}

/// Lock a destination that is to be changed or used; what it is opened with. None: there is no such destination.
pub async fn destination_lock(
    connection: &mut PgConnection, organization: OrganizationId, id: DestinationId,
) -> Result<Option<Opened>> {
    let row = sqlx::query!(
        r#"select config as "config: Json<Place>", secret_id from backup_destinations
           where organization_id = $1 and id = $2 for update"#,
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| Opened { place: r.config.0, secret: r.secret_id.map(SecretId) }))
}

/// Write a destination, new or changed.
pub async fn destination_write(
    connection: &mut PgConnection, organization: OrganizationId, id: DestinationId, input: &DestinationInput,
    secret: Option<SecretId>,
) -> Result<()> {
    let done = sqlx::query!(
        "insert into backup_destinations (id, organization_id, name, config, secret_id, encryption, recipients)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (id) do update set name = excluded.name, config = excluded.config, secret_id = excluded.secret_id,
             encryption = excluded.encryption, recipients = excluded.recipients,
             version = backup_destinations.version + 1, updated_at = now()
         where backup_destinations.organization_id = excluded.organization_id",
        id.0,
        organization.0,
        input.name,
        Json(&input.config) as _,
        secret.map(|s| s.0),
        input.encryption as Encryption,
        &input.recipients
    )
    .execute(connection)
    .await;
    match done {
        Err(sqlx::Error::Database(e)) if e.constraint() == Some("backup_destinations_name") => Err(Error::conflict(
            "destination_exists",
            format!("There is a destination named '{}' already; choose another name.", input.name),
        )),
        other => other.map(drop).map_err(Error::from),
    }
}

/// Write down what a try came to.
pub async fn destination_checked(
    connection: &mut PgConnection, organization: OrganizationId, id: DestinationId, status: DestinationStatus,
    answer: &StorageAnswer, now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update backup_destinations set status = $3, problem = $4, free_bytes = $5, checked_at = $6
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        status as DestinationStatus,
        answer.problem.as_ref().map(Json) as _,
        answer.free_bytes.and_then(|bytes| i64::try_from(bytes).ok()),
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// New backups go there from now on, and nowhere else by themselves.
pub async fn destination_make_default(
    connection: &mut PgConnection, organization: OrganizationId, id: DestinationId,
) -> Result<()> {
    // One after the other: there is never more than one.
    sqlx::query!(
        "update backup_destinations set is_default = false, version = version + 1, updated_at = now()
         where organization_id = $1 and is_default and id <> $2",
        organization.0,
        id.0
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update backup_destinations set is_default = true, version = version + 1, updated_at = now()
         where organization_id = $1 and not is_default and id = $2",
        organization.0,
        id.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Remove a destination.
pub async fn destination_delete(
    connection: &mut PgConnection, organization: OrganizationId, id: DestinationId,
) -> Result<()> {
    sqlx::query!("delete from backup_destinations where organization_id = $1 and id = $2", organization.0, id.0)
        .execute(connection)
        .await?;
    Ok(())
}
