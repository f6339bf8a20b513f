//! The queries of one's own sessions and sign-ins, through the system's pool: they belong to no organization.

use super::model::{HISTORY, Login, Session, device_of};
use crate::error::Result;
use crate::platform::http::Page;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{LoginId, SessionId, UserId};
use sqlx::types::ipnetwork::IpNetwork;
use sqlx::{PgConnection, PgPool};

/// Sessions of a person that go on.
pub async fn session_list(
    system: &PgPool, user: UserId, current: SessionId, page: &Page, now: DateTime<Utc>,
) -> Result<Vec<Session>> {
    let rows = sqlx::query!(
        r#"select id as "id: SessionId", user_agent, method, second_factor,
                  coalesce(last_address, address) as "address: IpNetwork",
                  coalesce(last_used_at, rotated_at) as "last_used_at!", created_at, expires_at
           from sessions
           where user_id = $1 and revoked_at is null and expires_at > $2 and ($3::uuid is null or id < $3)
           order by id desc limit $4"#,
        user.0,
        now,
        page.before()?,
        page.fetch()
    )
    .fetch_all(system)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Session {
            id: row.id,
            current: row.id == current,
            device: device_of(&row.user_agent),
            user_agent: row.user_agent,
            method: row.method,
            second_factor: row.second_factor,
            address: row.address.map(|network| network.ip().to_string()),
            last_used_at: row.last_used_at,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
        .collect())
}

/// End one session of a person; None: they have no such one that goes on. What it said of its device.
pub async fn session_end(
    connection: &mut PgConnection, user: UserId, session: SessionId, now: DateTime<Utc>,
) -> Result<Option<String>> {
    let agent = sqlx::query_scalar!(
        "update sessions set revoked_at = $3
         where id = $2 and user_id = $1 and revoked_at is null and expires_at > $3 returning user_agent",
        user.0,
        session.0,
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(agent)
}

/// End all sessions of a person but one.
pub async fn sessions_end_others(
    connection: &mut PgConnection, user: UserId, keep: SessionId, now: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    let ended = sqlx::query_scalar!(
        r#"update sessions set revoked_at = $3 where user_id = $1 and id <> $2 and revoked_at is null
           returning id as "id: SessionId""#,
        user.0,
        keep.0,
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(ended)
}

/// When a session began.
pub async fn session_began(system: &PgPool, session: SessionId) -> Result<Option<DateTime<Utc>>> {
    let at =
        sqlx::query_scalar!("select created_at from sessions where id = $1", session.0).fetch_optional(system).await?;
    Ok(at)
}

/// Sign-ins of a person, newest first.
pub async fn login_list(system: &PgPool, user: UserId, page: &Page, now: DateTime<Utc>) -> Result<Vec<Login>> {
    let rows = sqlx::query!(
        r#"select id as "id: LoginId", method, succeeded, reason, address as "address: IpNetwork", user_agent, created_at
           from login_history
           where user_id = $1 and created_at > $2 and ($3::uuid is null or id < $3)
           order by id desc limit $4"#,
        user.0,
        now - HISTORY,
        page.before()?,
        page.fetch()
    )
    .fetch_all(system)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Login {
            id: row.id,
            method: row.method,
            succeeded: row.succeeded,
            reason: row.reason,
            address: row.address.map(|network| network.ip().to_string()),
            device: device_of(&row.user_agent),
            user_agent: row.user_agent,
            created_at: row.created_at,
        })
        .collect())
}

/// Forget sign-ins that are long past.
pub async fn login_history_prune(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("delete from login_history where created_at < $1", now - HISTORY).execute(system).await?;
    Ok(())
}
