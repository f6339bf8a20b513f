//! Every query on `mailed_tokens`, through the system's pool: no organization is known.

use crate::error::Result;
use chrono::{DateTime, Utc};
use ocore_shared::ids::UserId;
use sqlx::{PgConnection, PgPool};

/// What a mailed link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    ChangeEmail,
    ResetPassword,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
        }
    }
}

/// A link to be mailed: only the hash of its token is kept.
pub struct NewToken<'a> {
    pub hash: &'a [u8],
    pub user: UserId,
    pub purpose: Purpose,
    /// The address that it goes to.
    pub email: &'a str,
    pub expires_at: DateTime<Utc>,
}

pub async fn token_insert(connection: &mut PgConnection, token: &NewToken<'_>) -> Result<()> {
    sqlx::query!(
        "insert into mailed_tokens (token_hash, user_id, purpose, email, expires_at) values ($1, $2, $3, $4, $5)",
        token.hash,
        token.user.0,
        token.purpose.word(),
        token.email,
        token.expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whose link it is, and the address that it was sent to.
pub struct TokenRow {
    pub user: UserId,
    pub email: String,
}

/// Whether the link works; it is not used up.
pub async fn token_works(system: &PgPool, hash: &[u8], purpose: Purpose, now: DateTime<Utc>) -> Result<bool> {
    let works = sqlx::query_scalar!(
        r#"select exists (select from mailed_tokens
               where token_hash = $1 and purpose = $2 and used_at is null and expires_at > $3) as "works!""#,
        hash,
        purpose.word(),
        now
    )
    .fetch_one(system)
    .await?;
    Ok(works)
}

/// Use a link up: of many who show it at once, one has it.
pub async fn token_take(
    connection: &mut PgConnection, hash: &[u8], purpose: Purpose, now: DateTime<Utc>,
) -> Result<Option<TokenRow>> {
    let row = sqlx::query_as!(
        TokenRow,
        r#"update mailed_tokens set used_at = $3
           where token_hash = $1 and purpose = $2 and used_at is null and expires_at > $3
           returning user_id as "user: UserId", email"#,
        hash,
        purpose.word(),
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Whose used link it is, as long as it has not expired.
pub async fn token_used(
    connection: &mut PgConnection, hash: &[u8], purpose: Purpose, now: DateTime<Utc>,
) -> Result<Option<TokenRow>> {
    let row = sqlx::query_as!(
        TokenRow,
        r#"select user_id as "user: UserId", email from mailed_tokens
           where token_hash = $1 and purpose = $2 and used_at is not null and expires_at > $3"#,
        hash,
        purpose.word(),
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// All unused links of that kind are void.
pub async fn tokens_void(connection: &mut PgConnection, user: UserId, purpose: Purpose) -> Result<()> {
    sqlx::query!(
        "delete from mailed_tokens where user_id = $1 and purpose = $2 and used_at is null",
        user.0,
        purpose.word()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forget links that have expired, and accounts whose address nobody has confirmed.
pub async fn links_prune(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("delete from mailed_tokens where expires_at < $1", now).execute(system).await?;
    sqlx::query!("delete from signups where expires_at < $1", now).execute(system).await?;
    Ok(())
}
