//! Every query of signing in, through the system's pool: no organization is known yet.

use super::model::{FAILURES, LOCK, LoginNote, PersonRow, Proof, SessionRow, WINDOW};
use crate::error::Result;
use crate::identity::authentication::Client;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{ApiKeyId, LoginId, OrganizationId, SessionId, UserId};
use sqlx::types::ipnetwork::IpNetwork;
use sqlx::{PgConnection, PgPool};

const BOOTSTRAP_TOKEN: &str = "bootstrap_token";
/// Any number that nothing else locks: "first admin".
const BOOTSTRAP_LOCK: i64 = 0x6669_7273_7461_646d;

pub async fn any_user_exists(connection: &mut PgConnection) -> Result<bool> {
    let exists = sqlx::query_scalar!(r#"select exists (select from users) as "exists!""#).fetch_one(connection).await?;
    Ok(exists)
}

/// Of all who make the first admin at once, one goes on; the others wait for it and then find a user.
pub async fn bootstrap_lock(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", BOOTSTRAP_LOCK).execute(connection).await?;
    Ok(())
}

/// Keep the hash of the newest token; the older one is void.
pub async fn bootstrap_token_set(connection: &mut PgConnection, hash: &str) -> Result<()> {
    sqlx::query!(
        "insert into settings (key, value) values ($1, to_jsonb($2::text))
         on conflict (key) do update set value = excluded.value, updated_at = now()",
        BOOTSTRAP_TOKEN,
        hash
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn bootstrap_token_get(connection: &mut PgConnection) -> Result<Option<String>> {
    let hash = sqlx::query_scalar!("select value #>> '{}' from settings where key = $1", BOOTSTRAP_TOKEN)
        .fetch_optional(connection)
        .await?;
    Ok(hash.flatten())
}

pub async fn bootstrap_token_remove(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("delete from settings where key = $1", BOOTSTRAP_TOKEN).execute(connection).await?;
    Ok(())
}

/// Somebody whose address nobody doubts: made by an administrator, or on the host.
pub async fn user_insert(
    connection: &mut PgConnection, email: &str, name: &str, password_hash: &str, is_admin: bool,
) -> Result<UserId> {
    let id = UserId::new();
    sqlx::query!(
        "insert into users (id, email, name, password_hash, is_admin, email_verified_at)
         values ($1, $2, $3, $4, $5, now())",
        id.0,
        email,
        name,
        password_hash,
        is_admin
    )
    .execute(connection)
    .await?;
    Ok(id)
}

pub async fn person_by_email(system: &PgPool, email: &str) -> Result<Option<PersonRow>> {
    let row = sqlx::query_as!(
        PersonRow,
        r#"select id as "id: UserId", email, name, password_hash,
                  (deactivated_at is not null or suspended_at is not null) as "deactivated!"
           from users where lower(email) = lower($1)"#,
        email
    )
    .fetch_optional(system)
    .await?;
    Ok(row)
}

/// A person, locked until the transaction ends.
pub async fn person_by_id(connection: &mut PgConnection, user: UserId) -> Result<Option<PersonRow>> {
    let row = sqlx::query_as!(
        PersonRow,
        r#"select id as "id: UserId", email, name, password_hash,
                  (deactivated_at is not null or suspended_at is not null) as "deactivated!"
           from users where id = $1 for update"#,
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

pub async fn password_hash_get(system: &PgPool, user: UserId) -> Result<Option<String>> {
    let hash =
        sqlx::query_scalar!("select password_hash from users where id = $1", user.0).fetch_optional(system).await?;
    Ok(hash.flatten())
}

pub async fn login_note(connection: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update users set last_login_at = $2 where id = $1", user.0, now).execute(connection).await?;
    Ok(())
}

/// Write a sign-in, or a refused one, into the history of its person, if there is one.
pub async fn login_history_add(connection: &mut PgConnection, note: &LoginNote<'_>, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "insert into login_history (id, user_id, method, succeeded, reason, address, user_agent, created_at)
         select $1, id, $3, $4, $5, $6, $7, $8 from users where id = $2",
        LoginId::new().0,
        note.user.0,
        note.method,
        note.refused.is_none(),
        note.refused,
        note.client.address.map(IpNetwork::from) as _,
        note.client.user_agent,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn password_set(connection: &mut PgConnection, user: UserId, hash: &str) -> Result<()> {
    sqlx::query!(
        "update users set password_hash = $2, password_changed_at = now(), updated_at = now(), version = version + 1
         where id = $1",
        user.0,
        hash
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Count an attempt before it is made, so that many at once are not more than many in a row. None: go on;
/// a time: locked until then.
pub async fn attempt_take(system: &PgPool, key: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    attempt_take_of(system, key, FAILURES, now).await
}

/// The same where another number is allowed.
pub async fn attempt_take_of(
    system: &PgPool, key: &str, most: i32, now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let row = sqlx::query!(
        r#"insert into attempt_buckets as b (key, failures, window_started_at) values ($1, 1, $2)
           on conflict (key) do update set
               failures = case when b.locked_until > $2 then b.failures
                               when b.locked_until is not null or b.window_started_at <= $3 then 1
                               else b.failures + 1 end,
               window_started_at = case when b.locked_until > $2 then b.window_started_at
                               when b.locked_until is not null or b.window_started_at <= $3 then $2
                               else b.window_started_at end,
               locked_until = case when b.locked_until > $2 then b.locked_until
                               when b.locked_until is not null or b.window_started_at <= $3 then null
                               when b.failures >= $4 then $5 end
           returning locked_until"#,
        key,
        now,
        now - WINDOW,
        most,
        now + LOCK
    )
    .fetch_one(system)
    .await?;
    Ok(row.locked_until.filter(|until| *until > now))
}

/// The attempt failed: the last one that is allowed locks.
pub async fn attempt_failed(connection: &mut PgConnection, key: &str, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update attempt_buckets set locked_until = $2 where key = $1 and failures >= $3 and locked_until is null",
        key,
        now + LOCK,
        FAILURES
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The attempt was never made.
pub async fn attempt_return(system: &PgPool, key: &str) -> Result<()> {
    sqlx::query!("update attempt_buckets set failures = greatest(failures - 1, 0) where key = $1", key)
        .execute(system)
        .await?;
    Ok(())
}

/// The right password was given: only its own bucket is emptied.
pub async fn attempt_clear(connection: &mut PgConnection, key: &str) -> Result<()> {
    sqlx::query!("delete from attempt_buckets where key = $1", key).execute(connection).await?;
    Ok(())
}

/// Empty all buckets of an account, by what their keys begin with.
pub async fn attempts_clear(connection: &mut PgConnection, key_prefix: &str) -> Result<()> {
    sqlx::query!("delete from attempt_buckets where starts_with(key, $1)", key_prefix).execute(connection).await?;
    Ok(())
}

pub async fn session_insert(
    connection: &mut PgConnection, session: SessionId, proof: &Proof, refresh_hash: &[u8], client: &Client,
    now: DateTime<Utc>, expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into sessions (id, user_id, refresh_hash, rotated_at, user_agent, address, created_at, expires_at, method,
             second_factor, last_used_at, last_address)
         values ($1, $2, $3, $4, $5, $6, $4, $7, $8, $9, $4, $6)",
        session.0,
        proof.user.0,
        refresh_hash,
        now,
        client.user_agent,
        client.address.map(IpNetwork::from) as _,
        expires_at,
        proof.method,
        proof.second_factor
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The session, locked until the transaction ends: of two who refresh at once, one rotates.
pub async fn session_for_refresh(connection: &mut PgConnection, session: SessionId) -> Result<Option<SessionRow>> {
    let row = sqlx::query_as!(
        SessionRow,
        r#"select s.user_id as "user: UserId", u.name as user_name, s.refresh_hash, s.previous_hash, s.rotated_at,
                  s.expires_at, (s.revoked_at is not null or u.deactivated_at is not null or u.suspended_at is not null) as "ended!"
           from sessions s join users u on u.id = s.user_id where s.id = $1 for update of s"#,
        session.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

pub async fn session_rotate(
    connection: &mut PgConnection, session: SessionId, refresh_hash: &[u8], now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update sessions set previous_hash = refresh_hash, refresh_hash = $2, rotated_at = $3, expires_at = $4,
             last_used_at = $3
         where id = $1",
        session.0,
        refresh_hash,
        now,
        expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// End a session; false when it had ended before.
pub async fn session_revoke(connection: &mut PgConnection, session: SessionId, now: DateTime<Utc>) -> Result<bool> {
    let done = sqlx::query!("update sessions set revoked_at = $2 where id = $1 and revoked_at is null", session.0, now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// End all sessions of a person.
pub async fn sessions_revoke(
    connection: &mut PgConnection, user: UserId, now: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    let ended = sqlx::query_scalar!(
        r#"update sessions set revoked_at = $2 where user_id = $1 and revoked_at is null
           returning id as "id: SessionId""#,
        user.0,
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(ended)
}

/// What a ticket is for, and whose it is.
pub struct NewTicket<'a> {
    pub organization: OrganizationId,
    pub session: Option<SessionId>,
    pub key: Option<ApiKeyId>,
    pub target: &'a str,
    pub expires_at: DateTime<Utc>,
}

pub async fn ticket_insert(system: &PgPool, hash: &[u8], ticket: &NewTicket<'_>) -> Result<()> {
    sqlx::query!(
        "insert into websocket_tickets (ticket_hash, organization_id, session_id, api_key_id, target, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
        hash,
        ticket.organization.0,
        ticket.session.map(|s| s.0),
        ticket.key.map(|k| k.0),
        ticket.target,
        ticket.expires_at
    )
    .execute(system)
    .await?;
    Ok(())
}
