//! What is remembered between two requests of one sign-in: a second factor that is owed, a passkey's challenge, a state
//! of OAuth. Table `login_challenges`. Each is found by the hash of a token, sealed, short-lived, and taken once.

pub mod store;

use crate::app::App;
use crate::error::{Error, Result};
use chrono::TimeDelta;
use ocore_shared::ids::{SessionId, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use std::fmt::Write;

/// What a challenge is for; one never stands for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    SecondFactor,
    PasskeyLogin,
    PasskeyRegister,
    OAuth,
}

impl Purpose {
    pub fn word(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::PasskeyLogin => "passkey_login",
            Self::PasskeyRegister => "passkey_register",
            Self::OAuth => "oauth",
        }
    }
}

/// What is to be remembered, and whose it is where that is known.
pub struct NewChallenge<'a, T> {
    pub purpose: Purpose,
    pub token_hash: &'a [u8],
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub state: &'a T,
    pub life: TimeDelta,
}

/// What was remembered.
pub struct Challenge<T> {
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub state: T,
}

/// Remember.
pub async fn challenge_put<T: Serialize>(
    connection: &mut PgConnection, app: &App, new: &NewChallenge<'_, T>,
) -> Result<()> {
    let plain = serde_json::to_vec(new.state).map_err(Error::internal)?;
    let sealed = app.keyring.seal(&context(new.purpose, new.token_hash), &plain);
    store::challenge_insert(connection, new, &sealed, app.clock.now() + new.life).await
}

/// Look without taking; None where there is none, or its time is over.
pub async fn challenge_peek<T: DeserializeOwned>(
    connection: &mut PgConnection, app: &App, purpose: Purpose, token_hash: &[u8],
) -> Result<Option<Challenge<T>>> {
    let row = store::challenge_get(connection, purpose, token_hash, app.clock.now()).await?;
    row.map(|row| open(app, purpose, token_hash, row)).transpose()
}

/// Take it away: of many who show the token at once, one gets it, and the others wait for that one's transaction.
pub async fn challenge_take<T: DeserializeOwned>(
    connection: &mut PgConnection, app: &App, purpose: Purpose, token_hash: &[u8],
) -> Result<Option<Challenge<T>>> {
    let row = store::challenge_delete(connection, purpose, token_hash, app.clock.now()).await?;
    row.map(|row| open(app, purpose, token_hash, row)).transpose()
}

fn open<T: DeserializeOwned>(app: &App, purpose: Purpose, token_hash: &[u8], row: store::Row) -> Result<Challenge<T>> {
    let plain = app.keyring.unseal(&context(purpose, token_hash), &row.sealed_state).map_err(Error::Internal)?;
    let state = serde_json::from_slice(&plain).map_err(Error::internal)?;
    Ok(Challenge { user: row.user, session: row.session, state })
}

fn context(purpose: Purpose, token_hash: &[u8]) -> String {
    let mut text = format!("login_challenges {} ", purpose.word());
    for byte in token_hash {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
