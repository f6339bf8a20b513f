//! Every query of second factors, through the system's pool: they belong to people, not to organizations.

use super::model::{TRIES, TRIES_WINDOW};
use crate::error::Result;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{SecretId, SessionId, UserId};
use sqlx::{PgConnection, PgPool};

/// A person as setting up and checking factors needs them.
pub struct FactorPerson {
    pub name: String,
    pub email: String,
    pub password_hash: Option<String>,
    pub ended: bool,
}

/// The person, locked until the transaction ends: changes of what lets them in happen one after the other.
pub async fn person_lock(connection: &mut PgConnection, user: UserId) -> Result<Option<FactorPerson>> {
    let row = sqlx::query_as!(
        FactorPerson,
        r#"select name, email, password_hash, (deactivated_at is not null or suspended_at is not null) as "ended!"
           from users where id = $1 for update"#,
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

pub async fn person_by_email(connection: &mut PgConnection, email: &str) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!(r#"select id as "id: UserId" from users where lower(email) = lower($1)"#, email)
        .fetch_optional(connection)
        .await?;
    Ok(id)
}

/// A stored key, still sealed.
pub struct TotpRow {
    pub secret: SecretId,
    pub sealed: Vec<u8>,
    pub confirmed_at: Option<DateTime<Utc>>,
}

pub async fn totp_get(connection: &mut PgConnection, user: UserId) -> Result<Option<TotpRow>> {
    let row = sqlx::query_as!(
        TotpRow,
        r#"select t.secret_id as "secret: SecretId", s.sealed, t.confirmed_at
           from totp_secrets t join secrets s on s.id = t.secret_id where t.user_id = $1"#,
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Keep a key that is not confirmed yet.
pub async fn totp_insert(
    connection: &mut PgConnection, user: UserId, secret: SecretId, sealed: &[u8], now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("insert into secrets (id, purpose, sealed) values ($1, 'totp', $2)", secret.0, sealed)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "insert into totp_secrets (user_id, secret_id, created_at) values ($1, $2, $3)",
        user.0,
        secret.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn totp_confirm(connection: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update totp_secrets set confirmed_at = $2 where user_id = $1", user.0, now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Spend a time step: of all who show its code, one succeeds, and no older step counts after it.
pub async fn totp_step_spend(connection: &mut PgConnection, user: UserId, step: i64) -> Result<bool> {
    let done =
        sqlx::query!("update totp_secrets set last_step = $2 where user_id = $1 and last_step < $2", user.0, step)
            .execute(connection)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Remove key and recovery codes. False: there was no key.
pub async fn totp_delete(connection: &mut PgConnection, user: UserId) -> Result<bool> {
    sqlx::query!("delete from recovery_codes where user_id = $1", user.0).execute(&mut *connection).await?;
    let done = sqlx::query!("delete from totp_secrets where user_id = $1", user.0).execute(connection).await?;
    Ok(done.rows_affected() > 0)
}

/// A new set; the one before is void.
pub async fn recovery_codes_set(connection: &mut PgConnection, user: UserId, hashes: &[Vec<u8>]) -> Result<()> {
    sqlx::query!("delete from recovery_codes where user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!(
        "insert into recovery_codes (user_id, code_hash) select $1, code from unnest($2::bytea[]) as code",
        user.0,
        hashes
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Spend a recovery code. False: it is none, or was spent.
pub async fn recovery_code_spend(
    connection: &mut PgConnection, user: UserId, hash: &[u8], now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update recovery_codes set used_at = $3 where user_id = $1 and code_hash = $2 and used_at is null",
        user.0,
        hash,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What a person can show as a second factor.
pub struct Factors {
    pub totp: bool,
    pub totp_at: Option<DateTime<Utc>>,
    pub totp_pending: bool,
    pub recovery_codes: i64,
    pub passkeys: i64,
}

pub async fn factors_get(connection: &mut PgConnection, user: UserId) -> Result<Factors> {
    let row = sqlx::query!(
        r#"select (select confirmed_at from totp_secrets where user_id = $1) as confirmed_at,
                  exists (select from totp_secrets where user_id = $1 and confirmed_at is null) as "pending!",
                  (select count(*) from recovery_codes where user_id = $1 and used_at is null) as "codes!",
                  (select count(*) from passkeys where user_id = $1) as "passkeys!""#,
        user.0
    )
    .fetch_one(connection)
    .await?;
    Ok(Factors {
        totp: row.confirmed_at.is_some(),
        totp_at: row.confirmed_at,
        totp_pending: row.pending,
        recovery_codes: row.codes,
        passkeys: row.passkeys,
    })
}

/// The session has shown a second factor.
pub async fn session_mark(connection: &mut PgConnection, session: SessionId) -> Result<()> {
    sqlx::query!("update sessions set second_factor = true where id = $1", session.0).execute(connection).await?;
    Ok(())
}

pub async fn session_is_marked(connection: &mut PgConnection, session: SessionId) -> Result<bool> {
    let marked = sqlx::query_scalar!("select second_factor from sessions where id = $1", session.0)
        .fetch_optional(connection)
        .await?;
    Ok(marked.unwrap_or_default())
}

/// Whoever has no second factor any more has shown none: the sessions that lost their mark.
pub async fn sessions_unmark(connection: &mut PgConnection, user: UserId) -> Result<Vec<SessionId>> {
    let lost = sqlx::query_scalar!(
        r#"update sessions set second_factor = false
           where user_id = $1 and second_factor
             and not exists (select from totp_secrets where user_id = $1 and confirmed_at is not null)
             and not exists (select from passkeys where user_id = $1)
           returning id as "id: SessionId""#,
        user.0
    )
    .fetch_all(connection)
    .await?;
    Ok(lost)
}

/// What would still let a person in.
pub struct WaysIn {
    pub password: bool,
    pub passkeys: i64,
    /// Providers of connected accounts.
    pub providers: Vec<String>,
}

pub async fn ways_in(connection: &mut PgConnection, user: UserId) -> Result<WaysIn> {
    let row = sqlx::query!(
        r#"select password_hash is not null as "password!",
                  (select count(*) from passkeys where user_id = $1) as "passkeys!",
                  array(select provider from connected_accounts where user_id = $1) as "providers!"
           from users where id = $1"#,
        user.0
    )
    .fetch_one(connection)
    .await?;
    Ok(WaysIn { password: row.password, passkeys: row.passkeys, providers: row.providers })
}

/// Count a try before it is made, so that many at once are not more than many in a row. None: go on; a time: no more
/// until then.
pub async fn try_take(system: &PgPool, key: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let row = sqlx::query!(
        "insert into attempt_buckets as b (key, failures, window_started_at) values ($1, 1, $2)
         on conflict (key) do update set
             failures = case when b.window_started_at <= $3 then 1 else least(b.failures + 1, $4 + 1) end,
             window_started_at = case when b.window_started_at <= $3 then $2 else b.window_started_at end
         returning failures, window_started_at",
        key,
        now,
        now - TRIES_WINDOW,
        TRIES
    )
    .fetch_one(system)
    .await?;
    Ok((row.failures > TRIES).then_some(row.window_started_at + TRIES_WINDOW))
}

pub async fn tries_clear(connection: &mut PgConnection, key: &str) -> Result<()> {
    sqlx::query!("delete from attempt_buckets where key = $1", key).execute(connection).await?;
    Ok(())
}
