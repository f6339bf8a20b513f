//! Every query on `connected_accounts`, through the system's pool: they belong to people, not to organizations.

use super::model::Identity;
use crate::error::Result;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{ConnectedAccountId, SessionId, UserId};
use sqlx::PgConnection;

/// A connected account as it is stored.
pub struct Row {
    pub id: ConnectedAccountId,
    pub provider: String,
    pub email: Option<String>,
    pub name: Option<String>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

pub async fn connected_account_list(connection: &mut PgConnection, user: UserId) -> Result<Vec<Row>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id as "id: ConnectedAccountId", provider, email, name, last_used_at, created_at
           from connected_accounts where user_id = $1 order by id desc"#,
        user.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Whose account elsewhere it is.
pub struct Linked {
    pub id: ConnectedAccountId,
    pub user: UserId,
    pub name: String,
    pub ended: bool,
}

pub async fn connected_account_find(
    connection: &mut PgConnection, provider: &str, identity: &Identity,
) -> Result<Option<Linked>> {
    let row = sqlx::query_as!(
        Linked,
        r#"select c.id as "id: ConnectedAccountId", c.user_id as "user: UserId", u.name,
                  (u.deactivated_at is not null or u.suspended_at is not null) as "ended!"
           from connected_accounts c join users u on u.id = c.user_id where c.provider = $1 and c.issuer = $2 and c.subject = $3"#,
        provider,
        identity.issuer,
        identity.subject
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Connect. None: the account elsewhere is connected already, or the person has another one of that provider.
pub async fn connected_account_insert(
    connection: &mut PgConnection, user: UserId, provider: &str, identity: &Identity, now: DateTime<Utc>,
) -> Result<Option<ConnectedAccountId>> {
    let id = sqlx::query_scalar!(
        r#"insert into connected_accounts (id, user_id, provider, issuer, subject, email, name, created_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id as "id: ConnectedAccountId""#,
        ConnectedAccountId::new().0,
        user.0,
        provider,
        identity.issuer,
        identity.subject,
        identity.email,
        identity.name,
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

/// It was used: keep what the provider says now.
pub async fn connected_account_used(
    connection: &mut PgConnection, id: ConnectedAccountId, identity: &Identity, now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update connected_accounts set last_used_at = $2, email = $3, name = $4 where id = $1",
        id.0,
        now,
        identity.email,
        identity.name
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Disconnect; what it was.
pub async fn connected_account_delete(
    connection: &mut PgConnection, user: UserId, id: ConnectedAccountId,
) -> Result<Option<Row>> {
    let row = sqlx::query_as!(
        Row,
        r#"delete from connected_accounts where user_id = $1 and id = $2
           returning id as "id: ConnectedAccountId", provider, email, name, last_used_at, created_at"#,
        user.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Whether there is an account with that address.
pub async fn email_is_taken(connection: &mut PgConnection, email: &str) -> Result<bool> {
    let taken =
        sqlx::query_scalar!(r#"select exists (select from users where lower(email) = lower($1)) as "taken!""#, email)
            .fetch_one(connection)
            .await?;
    Ok(taken)
}

/// Whether somebody has invited that address and still waits.
pub async fn email_is_invited(connection: &mut PgConnection, email: &str, now: DateTime<Utc>) -> Result<bool> {
    let invited = sqlx::query_scalar!(
        r#"select exists (select from invitations where lower(email) = lower($1) and accepted_at is null
               and cancelled_at is null and expires_at > $2) as "invited!""#,
        email,
        now
    )
    .fetch_one(connection)
    .await?;
    Ok(invited)
}

/// Whether a session of the person still goes on.
pub async fn session_lives(
    connection: &mut PgConnection, user: UserId, session: SessionId, now: DateTime<Utc>,
) -> Result<bool> {
    let lives = sqlx::query_scalar!(
        r#"select exists (select from sessions s join users u on u.id = s.user_id
               where s.id = $2 and s.user_id = $1 and s.revoked_at is null and s.expires_at > $3
                 and u.deactivated_at is null and u.suspended_at is null) as "lives!""#,
        user.0,
        session.0,
        now
    )
    .fetch_one(connection)
    .await?;
    Ok(lives)
}
