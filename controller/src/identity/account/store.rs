//! The queries of one's own account, through the system's pool: they cross organizations.

use super::model::{Account, AccountChange, AccountOrganization, Owned};
use crate::error::Result;
use crate::identity::roles::model::{role_permissions, role_rank};
use crate::platform::http::PermissionSet;
use crate::platform::http::permissions::{Permission, SystemRole};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{ApiKeyId, OrganizationId, UserId};
use sqlx::{PgConnection, PgPool};

pub async fn account_get(system: &PgPool, user: UserId) -> Result<Option<Account>> {
    let row = sqlx::query!(
        r#"select email, name, is_admin, locale, timezone, password_hash is not null as "has_password!", version,
                  default_organization_id as "default_organization_id: OrganizationId", created_at, updated_at
           from users where id = $1 and deactivated_at is null"#,
        user.0
    )
    .fetch_optional(system)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Account {
        id: user,
        email: row.email,
        name: row.name,
        is_admin: row.is_admin,
        locale: row.locale,
        timezone: row.timezone,
        default_organization_id: row.default_organization_id,
        has_password: row.has_password,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        organizations: organizations(system, user).await?,
    }))
}

async fn organizations(system: &PgPool, user: UserId) -> Result<Vec<AccountOrganization>> {
    let rows = sqlx::query!(
        r#"select o.id as "id: OrganizationId", o.slug, o.name, g.scope_type as "scope_type?",
                  r.name as "role?", r.is_system as "is_system?", r.permissions as "permissions?"
           from memberships m
           join organizations o on o.id = m.organization_id
           left join grants g on g.organization_id = o.id and g.principal_type = 'user' and g.principal_id = $1
           left join roles r on r.id = g.role_id
           where m.user_id = $1
           order by lower(o.name), o.id, (g.scope_type is distinct from 'organization'), r.name"#,
        user.0
    )
    .fetch_all(system)
    .await?;
    let mut found: Vec<(AccountOrganization, PermissionSet, usize)> = Vec::new();
    for row in rows {
        if found.last().is_none_or(|(last, ..)| last.id != row.id) {
            let organization = AccountOrganization {
                id: row.id,
                slug: row.slug,
                name: row.name,
                role: "member".into(),
                permissions: vec![],
            };
            found.push((organization, PermissionSet::default(), usize::MAX));
        }
        let (Some((organization, set, rank)), Some(role), Some(is_system), Some(permissions)) =
            (found.last_mut(), row.role, row.is_system, row.permissions)
        else {
            continue;
        };
        *set = set.union(role_permissions(&role, is_system, &permissions));
        // A role in the whole organization comes before any role in a part of it.
        let part = if row.scope_type.as_deref() == Some("organization") { 0 } else { 100 };
        if part + role_rank(&role, is_system) < *rank {
            *rank = part + role_rank(&role, is_system);
            organization.role = role;
        }
    }
    let exceptions = sqlx::query!(
        r#"select organization_id as "organization: OrganizationId", permission, effect = 'allow' as "allow!"
           from member_overrides where user_id = $1"#,
        user.0
    )
    .fetch_all(system)
    .await?;
    Ok(found
        .into_iter()
        .map(|(organization, set, rank)| {
            let own = exceptions.iter().filter(|e| e.organization == organization.id);
            let (allowed, denied): (Vec<_>, Vec<_>) = own.partition(|e| e.allow);
            let given = PermissionSet::from_keys(allowed.iter().map(|e| e.permission.as_str()));
            let taken: Vec<_> = denied.iter().filter_map(|e| Permission::parse(&e.permission)).collect();
            // Nobody takes anything from the owner, whose rank is the first.
            let set = if rank == 0 { set } else { set.union(given).denied(&taken) };
            AccountOrganization { permissions: set.keys(), ..organization }
        })
        .collect())
}

/// The account's version, locked until the transaction ends.
pub async fn account_lock(connection: &mut PgConnection, user: UserId) -> Result<Option<i64>> {
    let version =
        sqlx::query_scalar!("select version from users where id = $1 and deactivated_at is null for update", user.0)
            .fetch_optional(connection)
            .await?;
    Ok(version)
}

pub async fn account_update(connection: &mut PgConnection, user: UserId, change: &AccountChange) -> Result<()> {
    sqlx::query!(
        "update users set name = coalesce($2, name), locale = case when $3 then $4 else locale end,
             timezone = case when $5 then $6 else timezone end,
             default_organization_id = case when $7 then $8 else default_organization_id end,
             version = version + 1, updated_at = now()
         where id = $1",
        user.0,
        change.name,
        change.locale.is_some(),
        change.locale.clone().flatten(),
        change.timezone.is_some(),
        change.timezone.clone().flatten(),
        change.default_organization_id.is_some(),
        change.default_organization_id.flatten().map(|id| id.0)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether there is a time zone of that name.
pub async fn timezone_exists(connection: &mut PgConnection, name: &str) -> Result<bool> {
    let exists =
        sqlx::query_scalar!(r#"select exists (select from pg_timezone_names where name = $1) as "exists!""#, name)
            .fetch_one(connection)
            .await?;
    Ok(exists)
}

pub async fn is_member(connection: &mut PgConnection, user: UserId, organization: OrganizationId) -> Result<bool> {
    let is = sqlx::query_scalar!(
        r#"select exists (select from memberships where user_id = $1 and organization_id = $2) as "is!""#,
        user.0,
        organization.0
    )
    .fetch_one(connection)
    .await?;
    Ok(is)
}

/// Give somebody another address, which they have proved. False: it has got an account meanwhile.
pub async fn email_set(connection: &mut PgConnection, user: UserId, email: &str, now: DateTime<Utc>) -> Result<bool> {
    let done = sqlx::query!(
        "update users set email = $2, email_verified_at = $3, version = version + 1, updated_at = now()
         where id = $1 and not exists (select from users other where lower(other.email) = lower($2) and other.id <> $1)",
        user.0,
        email,
        now
    )
    .execute(connection)
    .await;
    match done {
        Ok(done) => Ok(done.rows_affected() > 0),
        Err(error) if error.as_database_error().and_then(|e| e.constraint()) == Some("users_email") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Organizations that somebody owns, locked until the transaction ends, so that nobody joins them meanwhile.
pub async fn owned_lock(connection: &mut PgConnection, user: UserId) -> Result<Vec<Owned>> {
    let rows = sqlx::query!(
        r#"select o.id as "id: OrganizationId", o.name,
                  exists (select from memberships m where m.organization_id = o.id and m.user_id <> $1) as "shared!"
           from organizations o
           where o.id in (select g.organization_id from grants g join roles r on r.id = g.role_id
                          where g.principal_type = 'user' and g.principal_id = $1 and g.scope_type = 'organization'
                            and r.is_system and r.name = $2)
           order by o.id for update of o"#,
        user.0,
        SystemRole::Owner.name()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| Owned { id: row.id, name: row.name, shared: row.shared }).collect())
}

/// Whether nobody else administers the platform. All administrators are locked until the transaction ends.
pub async fn is_last_admin(connection: &mut PgConnection, user: UserId) -> Result<bool> {
    let admins = sqlx::query_scalar!(
        r#"select id as "id: UserId" from users
           where is_admin and deactivated_at is null and suspended_at is null order by id for update"#
    )
    .fetch_all(connection)
    .await?;
    Ok(admins == [user])
}

/// Take everything from somebody that they sign in with or are known by. Their address is free again; their name stays
/// in what they have done.
pub async fn account_close(connection: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update users set deactivated_at = $2, email = id::text || '@deactivated.invalid', password_hash = null,
             is_admin = false, default_organization_id = null, version = version + 1, updated_at = now()
         where id = $1",
        user.0,
        now
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from passkeys where user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!(
        "with gone as (delete from totp_secrets where user_id = $1 returning secret_id)
         delete from secrets where id in (select secret_id from gone)",
        user.0
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from recovery_codes where user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!("delete from connected_accounts where user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!("delete from login_challenges where user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!("delete from ssh_keys where user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!("delete from mailed_tokens where user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!("delete from login_history where user_id = $1", user.0).execute(&mut *connection).await?;
    Ok(())
}

/// Take somebody out of all organizations; keys that they made for themself end. Which organizations, and which keys.
pub async fn memberships_end(
    connection: &mut PgConnection, user: UserId, now: DateTime<Utc>,
) -> Result<(Vec<OrganizationId>, Vec<ApiKeyId>)> {
    let keys = sqlx::query_scalar!(
        r#"update api_keys set revoked_at = $2, version = version + 1, updated_at = now()
           where created_by = $1 and service_account_id is null and revoked_at is null returning id as "id: ApiKeyId""#,
        user.0,
        now
    )
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query!("delete from grants where principal_type = 'user' and principal_id = $1", user.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from member_overrides where user_id = $1", user.0).execute(&mut *connection).await?;
    let left = sqlx::query_scalar!(
        r#"delete from memberships where user_id = $1 returning organization_id as "id: OrganizationId""#,
        user.0
    )
    .fetch_all(connection)
    .await?;
    Ok((left, keys))
}
