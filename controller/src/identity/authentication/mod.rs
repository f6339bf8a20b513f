//! Who is asking: a layer before all routes that identifies the caller and refuses nobody. Routes declare what they
//! need and refuse by what is left here.
//!
//! Reads users, sessions, api_keys, memberships, grants, roles and websocket_tickets through the system's pool, and
//! keeps what it read for at most a few seconds, so that a revocation is seen by every replica within five.

mod access;
mod client;
mod common;
mod credentials;
mod identify;
mod passwords;
mod store;
#[cfg(test)]
pub mod tests;
mod tokens;
mod watch;

pub use client::{Client, address_of, is_https};
pub use passwords::Passwords;
pub use tokens::Tokens;
pub use watch::{access_lost, access_of_member, admin_still, still_allowed, while_allowed, while_unchanged};

use crate::app::App;
use crate::config::Config;
use crate::error::Error;
use crate::identity::challenges::store::challenge_prune;
use crate::platform::secrets::Keyring;
use access::Holding;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use moka::future::Cache;
use ocore_shared::ids::{ApiKeyId, OrganizationId, SessionId, UserId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::{Holder, KeyRow, SessionRow};

/// Below the promised five seconds, for the time that reading takes.
const CACHE_LIFE: Duration = Duration::from_secs(4);
const CACHE_ENTRIES: u64 = 20_000;
const FLUSH_EVERY: Duration = Duration::from_secs(5);
const PRUNE_EVERY_FLUSHES: u32 = 120;

/// Keys of tokens, passwords at work, and what was read a moment ago.
pub struct AuthState {
    pub tokens: Tokens,
    pub passwords: Passwords,
    sessions: Cache<SessionId, Arc<SessionRow>>,
    keys: Cache<Vec<u8>, Arc<KeyRow>>,
    holdings: Cache<(Holder, OrganizationId), Arc<Holding>>,
    slugs: Cache<String, OrganizationId>,
    organizations: Cache<UserId, Arc<[OrganizationId]>>,
    used_keys: Mutex<HashMap<ApiKeyId, DateTime<Utc>>>,
    used_sessions: Mutex<HashMap<SessionId, (DateTime<Utc>, Option<IpAddr>)>>,
}

impl AuthState {
    pub fn new(config: &Config, keyring: &Keyring) -> anyhow::Result<Self> {
        Ok(Self {
            tokens: Tokens::new(config, keyring)?,
            passwords: Passwords::default(),
            sessions: cache(),
            keys: cache(),
            holdings: cache(),
            slugs: cache(),
            organizations: cache(),
            used_keys: Mutex::default(),
            used_sessions: Mutex::default(),
        })
    }

    /// The session has ended: this replica knows it at once, the others in a moment.
    pub async fn forget_session(&self, session: SessionId) {
        self.sessions.invalidate(&session).await;
    }

    /// Rights of people have changed that their sessions carry.
    pub fn forget_sessions(&self) {
        self.sessions.invalidate_all();
    }

    /// The key was changed or revoked.
    pub async fn forget_key(&self, hash: &[u8]) {
        self.keys.invalidate(hash).await;
    }

    /// The person joined or left an organization, or has other roles there.
    pub async fn forget_member(&self, user: UserId, organization: OrganizationId) {
        self.organizations.invalidate(&user).await;
        self.holdings.invalidate(&(Holder::User(user), organization)).await;
    }

    /// A slug has changed, and who belongs where with it.
    pub fn forget_slugs(&self) {
        self.slugs.invalidate_all();
        self.organizations.invalidate_all();
    }

    /// Several keys were changed.
    pub fn forget_keys(&self) {
        self.keys.invalidate_all();
    }

    /// Roles or grants have changed: this replica reads all anew, the others in a moment.
    pub fn forget_holdings(&self) {
        self.holdings.invalidate_all();
    }

    fn key_used(&self, key: ApiKeyId, at: DateTime<Utc>) {
        self.used_keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key, at);
    }

    fn session_used(&self, session: SessionId, at: DateTime<Utc>, from: Option<IpAddr>) {
        self.used_sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(session, (at, from));
    }
}

fn cache<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(CACHE_ENTRIES).time_to_live(CACHE_LIFE).build()
}

/// The layer: leaves [`Identified`] in the request's extensions.
pub async fn authenticate(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let identified = identify::identify(&app, &parts).await;
    parts.extensions.insert(identified);
    next.run(Request::from_parts(parts, body)).await
}

/// Writes when keys and sessions were last used, in batches, and forgets what has expired. Losing a batch does no harm.
pub async fn flush_task(app: App) {
    let mut flushes: u32 = 0;
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        if let Err(error) = flush(&app).await {
            tracing::debug!(%error, "the last use of keys and sessions could not be written");
        }
        if flushes.is_multiple_of(PRUNE_EVERY_FLUSHES)
            && let Err(error) = prune(&app).await
        {
            tracing::debug!(%error, "expired sessions and tickets could not be removed");
        }
        flushes = flushes.wrapping_add(1);
    }
}

async fn prune(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    store::expired_prune(app.db.system(), now).await?;
    challenge_prune(app.db.system(), now).await
}

pub(super) async fn flush(app: &App) -> Result<(), Error> {
    sessions_flush(app).await?;
    let used = std::mem::take(&mut *app.auth.used_keys.lock().unwrap_or_else(PoisonError::into_inner));
    if used.is_empty() {
        return Ok(());
    }
    let (keys, times): (Vec<_>, Vec<_>) = used.into_iter().map(|(key, at)| (key.0, at)).unzip();
    store::keys_used(app.db.system(), &keys, &times).await
}

async fn sessions_flush(app: &App) -> Result<(), Error> {
    let used = std::mem::take(&mut *app.auth.used_sessions.lock().unwrap_or_else(PoisonError::into_inner));
    if used.is_empty() {
        return Ok(());
    }
    let mut batch = store::UsedSessions::default();
    for (session, (at, from)) in used {
        batch.ids.push(session.0);
        batch.times.push(at);
        batch.addresses.push(from.map(Into::into));
    }
    store::sessions_used(app.db.system(), &batch).await
}
