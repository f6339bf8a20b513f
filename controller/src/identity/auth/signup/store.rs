//! Every query on `signups`, and making users of them, through the system's pool.

use crate::error::Result;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, UserId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Somebody who wants an account.
pub struct SignupRow {
    pub email: String,
    pub name: String,
    pub organization_name: Option<String>,
    pub password_hash: String,
}

pub async fn signup_insert(
    connection: &mut PgConnection, id: Uuid, new: &SignupRow, expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into signups (id, email, name, organization_name, password_hash, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        new.email,
        new.name,
        new.organization_name,
        new.password_hash,
        expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Who has to be written to.
pub struct Unmailed {
    pub email: String,
    pub name: String,
}

/// Note that the mail is written now; None when it was before, or when there is no such sign-up any more.
pub async fn signup_mailed(connection: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<Option<Unmailed>> {
    let row = sqlx::query_as!(
        Unmailed,
        "update signups set mailed_at = $2 where id = $1 and mailed_at is null and expires_at > $2
         returning email, name",
        id,
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// The newest sign-up of an address whose link was mailed.
pub async fn signup_newest(system: &PgPool, email: &str, now: DateTime<Utc>) -> Result<Option<(Uuid, String)>> {
    let row = sqlx::query!(
        r#"select id, name from signups
           where lower(email) = lower($1) and token_hash is not null and expires_at > $2
           order by id desc limit 1"#,
        email,
        now
    )
    .fetch_optional(system)
    .await?;
    Ok(row.map(|row| (row.id, row.name)))
}

/// The password that the newest sign-up of an address was made with; also of addresses that have an account.
pub async fn signup_password(system: &PgPool, email: &str, now: DateTime<Utc>) -> Result<Option<String>> {
    let hash = sqlx::query_scalar!(
        "select password_hash from signups where lower(email) = lower($1) and expires_at > $2 order by id desc limit 1",
        email,
        now
    )
    .fetch_optional(system)
    .await?;
    Ok(hash)
}

/// Another link; the one before is void.
pub async fn signup_token_set(connection: &mut PgConnection, id: Uuid, token_hash: &[u8]) -> Result<()> {
    sqlx::query!("update signups set token_hash = $2 where id = $1", id, token_hash).execute(connection).await?;
    Ok(())
}

/// Use a link up: of many who show it at once, one has it.
pub async fn signup_take(
    connection: &mut PgConnection, token_hash: &[u8], now: DateTime<Utc>,
) -> Result<Option<SignupRow>> {
    let row = sqlx::query_as!(
        SignupRow,
        "delete from signups where token_hash = $1 and expires_at > $2
         returning email, name, organization_name, password_hash",
        token_hash,
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Other sign-ups of that address are void.
pub async fn signups_clear(connection: &mut PgConnection, email: &str) -> Result<()> {
    sqlx::query!("delete from signups where lower(email) = lower($1)", email).execute(connection).await?;
    Ok(())
}

/// A person whose address is confirmed; None: the address has an account.
pub async fn user_add(
    connection: &mut PgConnection, email: &str, name: &str, password_hash: Option<&str>, now: DateTime<Utc>,
) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        r#"insert into users (id, email, name, password_hash, email_verified_at) values ($1, $2, $3, $4, $5)
           on conflict (lower(email)) do nothing returning id as "id: UserId""#,
        UserId::new().0,
        email,
        name,
        password_hash,
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

pub async fn default_organization_set(
    connection: &mut PgConnection, user: UserId, organization: OrganizationId,
) -> Result<()> {
    sqlx::query!("update users set default_organization_id = $2 where id = $1", user.0, organization.0)
        .execute(connection)
        .await?;
    Ok(())
}
