//! Every query on memberships, the grants of people and `member_overrides` but those that identify a caller.
//!
//! People belong to no organization: what shows them is read through the system's pool, with the organization named.

use super::model::{Effect, Member, Override};
use crate::error::Result;
use crate::identity::roles::model::{ScopeRef, role_rank};
use crate::identity::roles::store::grants_of;
use crate::platform::http::{Actor, Page};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{ApiKeyId, OrganizationId, ServiceAccountId, UserId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Which members a list shows.
#[derive(Default)]
pub struct MemberFilter<'a> {
    pub id: Option<UserId>,
    /// Exact name.
    pub name: Option<&'a str>,
    /// Part of a name or an address.
    pub q: Option<&'a str>,
}

pub async fn member_list(
    system: &PgPool, organization: OrganizationId, filter: &MemberFilter<'_>, page: &Page,
) -> Result<Vec<Member>> {
    let rows = sqlx::query!(
        r#"select u.id as "id: UserId", u.name, u.email, u.last_login_at, m.created_at as joined_at, m.version,
                  (exists (select from totp_secrets t where t.user_id = u.id and t.confirmed_at is not null)
                   or exists (select from passkeys p where p.user_id = u.id)) as "second_factor!"
           from memberships m join users u on u.id = m.user_id
           where m.organization_id = $1 and ($2::uuid is null or u.id = $2) and ($3::text is null or u.name = $3)
             and ($4::text is null or strpos(lower(u.name), lower($4)) > 0 or strpos(lower(u.email), lower($4)) > 0)
             and ($5::uuid is null or u.id < $5)
           order by u.id desc limit $6"#,
        organization.0,
        filter.id.map(|id| id.0),
        filter.name,
        filter.q,
        page.before()?,
        page.fetch()
    )
    .fetch_all(system)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id.0).collect();
    let mut grants = grants_of(system, organization, "user", &ids).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let held = grants.remove(&row.id.0).unwrap_or_default();
            let whole = held.iter().filter(|(grant, _)| grant.scope == ScopeRef::default());
            let strongest = whole.min_by_key(|(grant, is_system)| role_rank(&grant.role, *is_system));
            Member {
                id: row.id,
                name: row.name,
                email: row.email,
                role: strongest.map_or_else(|| "member".into(), |(grant, _)| grant.role.clone()),
                is_owner: strongest.is_some_and(|(grant, is_system)| role_rank(&grant.role, *is_system) == 0),
                grants: held.into_iter().map(|(grant, _)| grant).collect(),
                second_factor: row.second_factor,
                last_login_at: row.last_login_at,
                joined_at: row.joined_at,
                version: row.version,
            }
        })
        .collect())
}

/// The member's version, locked until the transaction ends: of two who change one member, one waits.
pub async fn member_lock(
    connection: &mut PgConnection, organization: OrganizationId, user: UserId,
) -> Result<Option<i64>> {
    let version = sqlx::query_scalar!(
        "select version from memberships where organization_id = $1 and user_id = $2 for update",
        organization.0,
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(version)
}

/// What the member may do has changed.
pub async fn member_touch(connection: &mut PgConnection, organization: OrganizationId, user: UserId) -> Result<()> {
    sqlx::query!(
        "update memberships set version = version + 1 where organization_id = $1 and user_id = $2",
        organization.0,
        user.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn override_list(
    connection: &mut PgConnection, organization: OrganizationId, user: UserId,
) -> Result<Vec<Override>> {
    let list = sqlx::query_as!(
        Override,
        r#"select permission, effect as "effect: Effect", created_at from member_overrides
           where organization_id = $1 and user_id = $2 order by permission"#,
        organization.0,
        user.0
    )
    .fetch_all(connection)
    .await?;
    Ok(list)
}

pub async fn override_set(
    connection: &mut PgConnection, organization: OrganizationId, user: UserId, permission: &str, effect: Effect,
    actor: &Actor,
) -> Result<()> {
    sqlx::query!(
        "insert into member_overrides (organization_id, user_id, permission, effect, created_by)
         values ($1, $2, $3, $4, $5)
         on conflict (organization_id, user_id, permission)
             do update set effect = excluded.effect, created_by = excluded.created_by, created_at = now()",
        organization.0,
        user.0,
        permission,
        effect as Effect,
        Json(actor) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn override_remove(
    connection: &mut PgConnection, organization: OrganizationId, user: UserId, permission: &str,
) -> Result<()> {
    sqlx::query!(
        "delete from member_overrides where organization_id = $1 and user_id = $2 and permission = $3",
        organization.0,
        user.0,
        permission
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A key of a person that still works.
pub struct LiveKey {
    pub id: ApiKeyId,
    pub name: String,
    pub permissions: Vec<String>,
    pub scope_type: String,
    pub scope_id: Uuid,
}

/// The live keys that a person made for themself.
pub async fn keys_of_member(
    connection: &mut PgConnection, organization: OrganizationId, user: UserId, now: DateTime<Utc>,
) -> Result<Vec<LiveKey>> {
    let keys = sqlx::query_as!(
        LiveKey,
        r#"select id as "id: ApiKeyId", name, permissions, scope_type, scope_id from api_keys
           where organization_id = $1 and created_by = $2 and service_account_id is null and revoked_at is null
             and (expires_at is null or expires_at > $3)
           order by name for update"#,
        organization.0,
        user.0,
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(keys)
}

pub async fn keys_revoke(
    connection: &mut PgConnection, organization: OrganizationId, keys: &[Uuid], now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update api_keys set revoked_at = $3, updated_at = now(), version = version + 1
         where organization_id = $1 and id = any($2) and revoked_at is null",
        organization.0,
        keys,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Give keys to a service account.
pub async fn keys_give(
    connection: &mut PgConnection, organization: OrganizationId, keys: &[Uuid], service_account: ServiceAccountId,
) -> Result<()> {
    sqlx::query!(
        "update api_keys set service_account_id = $3, updated_at = now(), version = version + 1
         where organization_id = $1 and id = any($2)",
        organization.0,
        keys,
        service_account.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// End a membership, with all that it gave.
pub async fn member_remove(connection: &mut PgConnection, organization: OrganizationId, user: UserId) -> Result<()> {
    sqlx::query!(
        "delete from grants where organization_id = $1 and principal_type = 'user' and principal_id = $2",
        organization.0,
        user.0
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from member_overrides where organization_id = $1 and user_id = $2", organization.0, user.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from memberships where organization_id = $1 and user_id = $2", organization.0, user.0)
        .execute(connection)
        .await?;
    Ok(())
}
