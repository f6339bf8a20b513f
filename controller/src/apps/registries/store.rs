//! Every query on `registries`.

use super::model::{Registry, RegistryCheck, RegistryInput, RegistryStatus};
use crate::error::{Error, Result};
use crate::platform::http::Page;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, RegistryId, SecretId};
use sqlx::PgConnection;

/// Which registries a list shows.
#[derive(Default)]
pub struct RegistryFilter<'a> {
    pub id: Option<RegistryId>,
    /// Exact address.
    pub address: Option<&'a str>,
}

pub async fn registry_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &RegistryFilter<'_>, page: &Page,
) -> Result<Vec<Registry>> {
    let list = sqlx::query_as!(
        Registry,
        r#"select id as "id: RegistryId", address, description, username, secret_id is not null as "has_password!",
                  mirror_of, status as "status: RegistryStatus", status_message, checked_at, version, created_at,
                  updated_at
           from registries
           where organization_id = $1 and ($2::uuid is null or id = $2) and ($3::text is null or address = $3)
             and ($4::uuid is null or id < $4)
           order by id desc limit $5"#,
        organization.0,
        filter.id.map(|id| id.0),
        filter.address,
        page.before()?,
        page.fetch()
    )
    .fetch_all(connection)
    .await?;
    Ok(list)
}

/// A registry as jobs need it.
pub struct Credentials {
    pub id: RegistryId,
    pub address: String,
    pub username: Option<String>,
    pub secret: Option<SecretId>,
    pub mirror_of: Option<String>,
}

/// All of an organization, mirrors in the order in which they were made.
pub async fn registry_credentials(
    connection: &mut PgConnection, organization: OrganizationId,
) -> Result<Vec<Credentials>> {
    let rows = sqlx::query!(
        "select id, address, username, secret_id, mirror_of from registries where organization_id = $1 order by id",
        organization.0
    )
    .fetch_all(connection)
    .await?;
    let credentials = rows.into_iter().map(|r| Credentials {
        id: RegistryId(r.id),
        address: r.address,
        username: r.username,
        secret: r.secret_id.map(SecretId),
        mirror_of: r.mirror_of,
    });
    Ok(credentials.collect())
}

/// Lock a registry that is to be changed; its secret. None: there is no such registry.
pub async fn registry_lock(
    connection: &mut PgConnection, organization: OrganizationId, id: RegistryId,
) -> Result<Option<Option<SecretId>>> {
    let row = sqlx::query!(
        "select secret_id from registries where organization_id = $1 and id = $2 for update",
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| r.secret_id.map(SecretId)))
}

/// Write a registry, new or changed.
pub async fn registry_write(
    connection: &mut PgConnection, organization: OrganizationId, id: RegistryId, input: &RegistryInput,
    secret: Option<SecretId>,
) -> Result<()> {
    let done = sqlx::query!(
        "insert into registries (id, organization_id, address, description, username, secret_id, mirror_of)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (id) do update set address = excluded.address, description = excluded.description,
             username = excluded.username, secret_id = excluded.secret_id, mirror_of = excluded.mirror_of,
             version = registries.version + 1, updated_at = now()
         where registries.organization_id = excluded.organization_id",
        id.0,
        organization.0,
        input.address,
        input.description,
        input.username,
        secret.map(|s| s.0),
        input.mirror_of
    )
    .execute(connection)
    .await;
    match done {
        Err(sqlx::Error::Database(e)) if e.constraint() == Some("registries_address") => Err(Error::conflict(
            "registry_exists",
            format!("The registry {} is there already in that role; change that one.", input.address),
        )),
        other => other.map(drop).map_err(Error::from),
    }
}

/// Write down what a try came to.
pub async fn registry_checked(
    connection: &mut PgConnection, organization: OrganizationId, id: RegistryId, check: &RegistryCheck,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update registries set status = $3, status_message = $4, checked_at = $5 where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        check.status as RegistryStatus,
        check.message,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Remove a registry.
pub async fn registry_delete(
    connection: &mut PgConnection, organization: OrganizationId, id: RegistryId,
) -> Result<()> {
    sqlx::query!("delete from registries where organization_id = $1 and id = $2", organization.0, id.0)
        .execute(connection)
        .await?;
    Ok(())
}
