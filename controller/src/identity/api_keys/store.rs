//! Every query on `api_keys` but those that identify a caller.

use super::model::{ApiKey, ApiKeyChange, NewApiKey};
use crate::error::{Error, Result};
use crate::identity::roles::model::ScopeRef;
use crate::platform::http::{Page, Reach};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{ApiKeyId, OrganizationId, ServiceAccountId, UserId};
use sqlx::PgConnection;
use sqlx::types::ipnetwork::IpNetwork;
use uuid::Uuid;

/// Which keys a list shows.
pub struct KeyFilter<'a> {
    pub name: Option<&'a str>,
    /// Part of a name.
    pub q: Option<&'a str>,
    pub reach: &'a Reach,
}

/// Who a new key belongs to.
pub struct Maker {
    pub user: Option<UserId>,
    pub service_account: Option<ServiceAccountId>,
}

struct Row {
    id: ApiKeyId,
    name: String,
    prefix: String,
    permissions: Vec<String>,
    scope_type: String,
    scope_id: Uuid,
    project: Option<Uuid>,
    allowed_addresses: Vec<IpNetwork>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    service_account_id: Option<ServiceAccountId>,
    previous_until: Option<DateTime<Utc>>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        let scope = ScopeRef::from_row(&row.scope_type, row.scope_id);
        Self {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            permissions: row.permissions,
            scope,
            allowed_addresses: row.allowed_addresses.iter().map(address_text).collect(),
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
            service_account_id: row.service_account_id,
            previous_until: row.previous_until,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            place: scope.place(row.project),
        }
    }
}

fn address_text(network: &IpNetwork) -> String {
    let whole = if network.is_ipv4() { 32 } else { 128 };
    if network.prefix() == whole { network.ip().to_string() } else { network.to_string() }
}

pub async fn api_key_insert(
    connection: &mut PgConnection, organization: OrganizationId, new: &NewApiKey, shown: &str, hash: &[u8],
    maker: &Maker,
) -> Result<ApiKeyId> {
    let id = ApiKeyId::new();
    let done = sqlx::query!(
        "insert into api_keys (id, organization_id, name, prefix, key_hash, permissions, scope_type, scope_id, created_by,
                               service_account_id, allowed_addresses, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        id.0,
        organization.0,
        new.name,
        shown,
        hash,
        &new.permissions,
        new.scope.kind.word(),
        new.scope.row_id(organization),
        maker.user.map(|u| u.0),
        maker.service_account.map(|a| a.0),
        &new.allowed_addresses as &[IpNetwork],
        new.expires_at
    )
    .execute(connection)
    .await;
    match done {
        Ok(_) => Ok(id),
        Err(error) => Err(named(error, &new.name)),
    }
}

fn named(error: sqlx::Error, name: &str) -> Error {
    if error.as_database_error().and_then(|e| e.constraint()) != Some("api_keys_name") {
        return error.into();
    }
    Error::conflict("name_taken", format!("There is a live API key named '{name}' already; choose another name."))
}

/// Change a live key. False: it was revoked.
pub async fn api_key_update(
    connection: &mut PgConnection, organization: OrganizationId, id: ApiKeyId, to: &ApiKeyChange,
) -> Result<bool> {
    let done = sqlx::query!(
        "update api_keys set name = $3, allowed_addresses = $4, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and revoked_at is null",
        organization.0,
        id.0,
        to.name,
        &to.allowed_addresses as &[IpNetwork]
    )
    .execute(connection)
    .await
    .map_err(|error| named(error, &to.name))?;
    Ok(done.rows_affected() > 0)
}

/// Another secret for a live key; the one before works until then. False: it was revoked or has expired.
pub async fn api_key_rotate(
    connection: &mut PgConnection, organization: OrganizationId, id: ApiKeyId, shown: &str, hash: &[u8],
    previous_until: DateTime<Utc>, now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update api_keys set previous_hash = key_hash, previous_until = $5, key_hash = $4, prefix = $3,
             version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and revoked_at is null and (expires_at is null or expires_at > $6)",
        organization.0,
        id.0,
        shown,
        hash,
        previous_until,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whether there is such a service account.
pub async fn service_account_exists(
    connection: &mut PgConnection, organization: OrganizationId, id: ServiceAccountId,
) -> Result<bool> {
    let exists = sqlx::query_scalar!(
        r#"select exists (select from service_accounts where organization_id = $1 and id = $2) as "exists!""#,
        organization.0,
        id.0
    )
    .fetch_one(connection)
    .await?;
    Ok(exists)
}

pub async fn api_key_get(
    connection: &mut PgConnection, organization: OrganizationId, id: ApiKeyId,
) -> Result<Option<ApiKey>> {
    let row = sqlx::query_as!(
        Row,
        r#"select k.id as "id: ApiKeyId", k.name, k.prefix, k.permissions, k.scope_type, k.scope_id,
                  e.project_id as "project?", k.allowed_addresses as "allowed_addresses: Vec<IpNetwork>", k.expires_at,
                  k.last_used_at, k.revoked_at, k.service_account_id as "service_account_id: ServiceAccountId",
                  k.previous_until, k.version, k.created_at, k.updated_at
           from api_keys k left join environments e on k.scope_type = 'environment' and e.id = k.scope_id
           where k.organization_id = $1 and k.id = $2"#,
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(ApiKey::from))
}

pub async fn api_key_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &KeyFilter<'_>, page: &Page,
) -> Result<Vec<ApiKey>> {
    let reach = filter.reach;
    let rows = sqlx::query_as!(
        Row,
        r#"select k.id as "id: ApiKeyId", k.name, k.prefix, k.permissions, k.scope_type, k.scope_id,
                  e.project_id as "project?", k.allowed_addresses as "allowed_addresses: Vec<IpNetwork>", k.expires_at,
                  k.last_used_at, k.revoked_at, k.service_account_id as "service_account_id: ServiceAccountId",
                  k.previous_until, k.version, k.created_at, k.updated_at
           from api_keys k left join environments e on k.scope_type = 'environment' and e.id = k.scope_id
           where k.organization_id = $1
             and ($2 or (k.scope_type = 'project' and k.scope_id = any($3))
                     or (k.scope_type = 'environment' and (k.scope_id = any($4) or e.project_id = any($3)))
                     or (k.scope_type = 'server' and k.scope_id = any($5)))
             and ($6::text is null or k.name = $6)
             and ($7::text is null or strpos(lower(k.name), lower($7)) > 0)
             and ($8::uuid is null or k.id < $8)
           order by k.id desc limit $9"#,
        organization.0,
        reach.all,
        &reach.projects,
        &reach.environments,
        &reach.servers,
        filter.name,
        filter.q,
        page.before()?,
        page.fetch()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Revoke a live key. False: it was revoked before.
pub async fn api_key_revoke(
    connection: &mut PgConnection, organization: OrganizationId, id: ApiKeyId, now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update api_keys set revoked_at = $3, updated_at = now(), version = version + 1
         where organization_id = $1 and id = $2 and revoked_at is null",
        organization.0,
        id.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What bounds a key beyond its permissions.
pub struct KeyLimits {
    pub expires_at: Option<DateTime<Utc>>,
    pub allowed_addresses: Vec<IpNetwork>,
    pub service_account: Option<ServiceAccountId>,
}

pub async fn api_key_limits(
    connection: &mut PgConnection, organization: OrganizationId, id: ApiKeyId,
) -> Result<Option<KeyLimits>> {
    let row = sqlx::query_as!(
        KeyLimits,
        r#"select expires_at, allowed_addresses as "allowed_addresses: Vec<IpNetwork>",
                  service_account_id as "service_account: ServiceAccountId"
           from api_keys where organization_id = $1 and id = $2"#,
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}
