//! Every query on `login_challenges`, through the system's pool: nobody is signed in yet.

use super::{NewChallenge, Purpose};
use crate::error::Result;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{SessionId, UserId};
use sqlx::{PgConnection, PgPool};

/// A challenge, still sealed.
pub struct Row {
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub sealed_state: Vec<u8>,
}

pub async fn challenge_insert<T>(
    connection: &mut PgConnection, new: &NewChallenge<'_, T>, sealed: &[u8], expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into login_challenges (token_hash, purpose, user_id, session_id, sealed_state, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
        new.token_hash,
        new.purpose.word(),
        new.user.map(|u| u.0),
        new.session.map(|s| s.0),
        sealed,
        expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn challenge_get(
    connection: &mut PgConnection, purpose: Purpose, token_hash: &[u8], now: DateTime<Utc>,
) -> Result<Option<Row>> {
    let row = sqlx::query_as!(
        Row,
        r#"select user_id as "user: UserId", session_id as "session: SessionId", sealed_state
           from login_challenges where token_hash = $1 and purpose = $2 and expires_at > $3"#,
        token_hash,
        purpose.word(),
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

pub async fn challenge_delete(
    connection: &mut PgConnection, purpose: Purpose, token_hash: &[u8], now: DateTime<Utc>,
) -> Result<Option<Row>> {
    let row = sqlx::query_as!(
        Row,
        r#"delete from login_challenges where token_hash = $1 and purpose = $2 and expires_at > $3
           returning user_id as "user: UserId", session_id as "session: SessionId", sealed_state"#,
        token_hash,
        purpose.word(),
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Forget those whose time is over.
pub async fn challenge_prune(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("delete from login_challenges where expires_at < $1", now).execute(system).await?;
    Ok(())
}
