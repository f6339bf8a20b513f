//! Every query on `service_accounts` but those that identify a caller.

use super::model::{ServiceAccount, ServiceAccountInput};
use crate::error::{Error, Result};
use crate::identity::roles::store::grants_of;
use crate::platform::http::{Actor, Page};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, ServiceAccountId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Which service accounts a list shows.
#[derive(Default)]
pub struct AccountFilter<'a> {
    pub id: Option<ServiceAccountId>,
    /// Exact name.
    pub name: Option<&'a str>,
}

pub async fn service_account_list(
    system: &PgPool, organization: OrganizationId, filter: &AccountFilter<'_>, page: &Page, now: DateTime<Utc>,
) -> Result<Vec<ServiceAccount>> {
    let rows = sqlx::query!(
        r#"select a.id as "id: ServiceAccountId", a.name, a.description, a.version, a.created_at, a.updated_at,
                  (select count(*) from api_keys k where k.service_account_id = a.id and k.revoked_at is null
                   and (k.expires_at is null or k.expires_at > $6)) as "key_count!"
           from service_accounts a
           where a.organization_id = $1 and ($2::uuid is null or a.id = $2) and ($3::text is null or a.name = $3)
             and ($4::uuid is null or a.id < $4)
           order by a.id desc limit $5"#,
        organization.0,
        filter.id.map(|id| id.0),
        filter.name,
        page.before()?,
        page.fetch(),
        now
    )
    .fetch_all(system)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id.0).collect();
    let mut grants = grants_of(system, organization, "service_account", &ids).await?;
    Ok(rows
        .into_iter()
        .map(|row| ServiceAccount {
            grants: grants.remove(&row.id.0).unwrap_or_default().into_iter().map(|(grant, _)| grant).collect(),
            id: row.id,
            name: row.name,
            description: row.description,
            key_count: row.key_count,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
        .collect())
}

/// The account's version, locked until the transaction ends.
pub async fn service_account_lock(
    connection: &mut PgConnection, organization: OrganizationId, id: ServiceAccountId,
) -> Result<Option<i64>> {
    let version = sqlx::query_scalar!(
        "select version from service_accounts where organization_id = $1 and id = $2 for update",
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(version)
}

pub async fn service_account_insert(
    connection: &mut PgConnection, organization: OrganizationId, new: &ServiceAccountInput, actor: &Actor,
) -> Result<ServiceAccountId> {
    let id = sqlx::query_scalar!(
        r#"insert into service_accounts (id, organization_id, name, description, created_by) values ($1, $2, $3, $4, $5)
           on conflict (organization_id, name) do nothing returning id as "id: ServiceAccountId""#,
        ServiceAccountId::new().0,
        organization.0,
        new.name,
        new.description,
        Json(actor) as _
    )
    .fetch_optional(connection)
    .await?;
    id.ok_or_else(|| name_taken(&new.name))
}

pub async fn service_account_update(
    connection: &mut PgConnection, organization: OrganizationId, id: ServiceAccountId, to: &ServiceAccountInput,
) -> Result<()> {
    let done = sqlx::query!(
        "update service_accounts set name = $3, description = $4, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        to.name,
        to.description
    )
    .execute(connection)
    .await;
    match done {
        Ok(_) => Ok(()),
        Err(error) if error.as_database_error().is_some_and(|e| e.is_unique_violation()) => Err(name_taken(&to.name)),
        Err(error) => Err(error.into()),
    }
}

fn name_taken(name: &str) -> Error {
    Error::conflict("name_taken", format!("There is a service account named '{name}' already; choose another name."))
}

/// Remove an account; its keys go with it.
pub async fn service_account_delete(
    connection: &mut PgConnection, organization: OrganizationId, id: ServiceAccountId,
) -> Result<()> {
    sqlx::query!(
        "delete from grants where organization_id = $1 and principal_type = 'service_account' and principal_id = $2",
        organization.0,
        id.0
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from service_accounts where organization_id = $1 and id = $2", organization.0, id.0)
        .execute(connection)
        .await?;
    Ok(())
}
