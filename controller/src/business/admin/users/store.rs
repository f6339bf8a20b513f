//! Every query on people for the administrator, through the system's pool: people belong to no organization.

use super::model::{AdminUser, EndedKey, UserFilter, UserOrganization, UserStatus};
use crate::error::Result;
use crate::platform::http::Page;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, UserId};
use sqlx::PgConnection;

/// Held by whoever gives or takes rights of administrators, or ends an account.
const ADMINS_LOCK: i64 = 0x6f43_6f72_6500_0ad1;

/// Of two who change administrators at once, one waits until the other is done.
pub async fn admins_lock(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", ADMINS_LOCK).execute(connection).await?;
    Ok(())
}

/// Administrators who can sign in, but this one.
pub async fn admin_count_but(connection: &mut PgConnection, user: UserId) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from users
           where is_admin and suspended_at is null and deactivated_at is null and id <> $1"#,
        user.0
    )
    .fetch_one(connection)
    .await?;
    Ok(count)
}

pub async fn is_admin(connection: &mut PgConnection, user: UserId) -> Result<bool> {
    let is = sqlx::query_scalar!(
        r#"select exists (select from users
               where id = $1 and is_admin and suspended_at is null and deactivated_at is null) as "is!""#,
        user.0
    )
    .fetch_one(connection)
    .await?;
    Ok(is)
}

/// People, newest first.
pub async fn user_list(connection: &mut PgConnection, filter: &UserFilter<'_>, page: &Page) -> Result<Vec<AdminUser>> {
    let users = sqlx::query_as!(
        AdminUser,
        r#"select id as "id: UserId", email, name, is_admin, status as "status!: UserStatus", suspended_at,
                  suspended_reason, email_verified_at, totp_enabled as "totp_enabled!",
                  passkey_count as "passkey_count!", organization_count as "organization_count!", last_login_at, version,
                  created_at, updated_at
           from (select u.*, case when suspended_at is not null then 'suspended'
                        when deactivated_at is not null then 'deactivated' else 'active' end as status,
                    exists (select from totp_secrets t where t.user_id = u.id and t.confirmed_at is not null) as totp_enabled,
                    (select count(*) from passkeys p where p.user_id = u.id) as passkey_count,
                    (select count(*) from memberships m where m.user_id = u.id) as organization_count
                 from users u) as u
           where ($1::uuid is null or id = $1) and ($2::text is null or name = $2)
             and ($3::text is null or strpos(lower(name || ' ' || email), lower($3)) > 0)
             and ($4::text is null or status = $4) and ($5::boolean is null or is_admin = $5)
             and ($6::uuid is null or id < $6)
           order by id desc limit $7"#,
        filter.id.map(|id| id.0),
        filter.name,
        filter.q,
        filter.status as Option<UserStatus>,
        filter.is_admin,
        page.before()?,
        page.fetch()
    )
    .fetch_all(connection)
    .await?;
    Ok(users)
}

/// One person, locked until the transaction ends.
pub async fn user_lock(connection: &mut PgConnection, user: UserId) -> Result<Option<AdminUser>> {
    sqlx::query!("select id from users where id = $1 for update", user.0).fetch_optional(&mut *connection).await?;
    user_get(connection, user).await
}

pub async fn user_get(connection: &mut PgConnection, user: UserId) -> Result<Option<AdminUser>> {
    let filter = UserFilter { id: Some(user), ..UserFilter::default() };
    Ok(user_list(connection, &filter, &Page::default()).await?.pop())
}

/// Organizations of a person, by name.
pub async fn user_organizations(connection: &mut PgConnection, user: UserId) -> Result<Vec<UserOrganization>> {
    let list = sqlx::query_as!(
        UserOrganization,
        r#"select o.id as "id: OrganizationId", o.name, o.slug, m.created_at as joined_at,
                  exists (select from grants g join roles r on r.id = g.role_id
                      where g.organization_id = o.id and g.principal_type = 'user' and g.principal_id = m.user_id
                        and g.scope_type = 'organization' and r.is_system and r.name = 'owner') as "is_owner!"
           from memberships m join organizations o on o.id = m.organization_id
           where m.user_id = $1 order by o.name, o.id"#,
        user.0
    )
    .fetch_all(connection)
    .await?;
    Ok(list)
}

/// Open sessions and working keys of a person.
pub async fn user_credentials(connection: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"select (select count(*) from sessions where user_id = $1 and revoked_at is null and expires_at > $2) as "sessions!",
                  (select count(*) from api_keys where created_by = $1 and service_account_id is null
                     and revoked_at is null and (expires_at is null or expires_at > $2)) as "keys!""#,
        user.0,
        now
    )
    .fetch_one(connection)
    .await?;
    Ok((row.sessions, row.keys))
}

/// Somebody whose address the administrator vouches for. False: there is an account of that address.
pub async fn user_insert(
    connection: &mut PgConnection, id: UserId, email: &str, name: &str, password_hash: Option<&str>, is_admin: bool,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into users (id, email, name, password_hash, is_admin, email_verified_at)
         values ($1, $2, $3, $4, $5, $6) on conflict (lower(email)) do nothing",
        id.0,
        email,
        name,
        password_hash,
        is_admin,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Lock out, or let in again.
pub async fn user_suspend(
    connection: &mut PgConnection, user: UserId, at: Option<DateTime<Utc>>, reason: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "update users set suspended_at = $2, suspended_reason = $3, version = version + 1, updated_at = now() where id = $1",
        user.0,
        at,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn user_admin_set(connection: &mut PgConnection, user: UserId, is_admin: bool) -> Result<()> {
    sqlx::query!(
        "update users set is_admin = $2, version = version + 1, updated_at = now() where id = $1",
        user.0,
        is_admin
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Something about the person has changed that is kept elsewhere.
pub async fn user_touch(connection: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query!("update users set version = version + 1, updated_at = now() where id = $1", user.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// A link for a new password: only the hash of its token is kept.
pub async fn password_token_insert(
    connection: &mut PgConnection, hash: &[u8], user: UserId, email: &str, expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into mailed_tokens (token_hash, user_id, purpose, email, expires_at)
         values ($1, $2, 'reset_password', $3, $4)",
        hash,
        user.0,
        email,
        expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// End the keys that somebody made for themself, in all organizations.
pub async fn user_keys_revoke(
    connection: &mut PgConnection, user: UserId, now: DateTime<Utc>,
) -> Result<Vec<EndedKey>> {
    let keys = sqlx::query_as!(
        EndedKey,
        "update api_keys set revoked_at = $2, version = version + 1, updated_at = now()
         where created_by = $1 and service_account_id is null and revoked_at is null
         returning organization_id as organization, name",
        user.0,
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(keys)
}

/// Delete a person with all that is only theirs. Grants know no foreign key.
pub async fn user_delete(connection: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query!("delete from grants where principal_type = 'user' and principal_id = $1", user.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from users where id = $1", user.0).execute(connection).await?;
    Ok(())
}
