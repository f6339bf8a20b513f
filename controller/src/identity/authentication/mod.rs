//! Who is asking: a layer before all routes that identifies the caller and refuses nobody. Routes declare what they
//! need and refuse by what is left here.
//!
//! Reads users, sessions, api_keys, memberships, grants, roles and websocket_tickets through the system's pool, and
//! keeps what it read for at most a few seconds, so that a revocation is seen by every replica within five.

mod access;
mod client;
mod credentials;
mod passwords;
mod store;
#[cfg(test)]
pub mod tests;
mod tokens;

pub use client::Client;
pub use passwords::Passwords;
pub use tokens::Tokens;

use crate::app::App;
use crate::config::Config;
use crate::error::Error;
use crate::identity::api_keys::model as key_format;
use crate::platform::http::ctx::{Access, Scope};
use crate::platform::http::guard::{Identified, Refusal, RefusalKind};
use crate::platform::http::{Actor, Caller, Ctx, Principal};
use crate::platform::secrets::{Keyring, token_hash};
use access::Holding;
use axum::extract::{OriginalUri, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use credentials::Credential;
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
}

impl AuthState {
    pub fn new(config: &Config, keyring: &Keyring) -> anyhow::Result<Self> {
        Ok(Self {
            tokens: Tokens::new(config, keyring)?,
            passwords: Passwords::new(),
            sessions: cache(),
            keys: cache(),
            holdings: cache(),
            slugs: cache(),
            organizations: cache(),
            used_keys: Mutex::default(),
        })
    }

    /// The session has ended: this replica knows it at once, the others in a moment.
    pub async fn forget_session(&self, session: SessionId) {
        self.sessions.invalidate(&session).await;
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

    fn key_used(&self, key: ApiKeyId, at: DateTime<Utc>) {
        self.used_keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key, at);
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
    let identified = identify(&app, &parts).await;
    parts.extensions.insert(identified);
    next.run(Request::from_parts(parts, body)).await
}

/// A credential that holds, and what it says about the organization.
struct Known {
    caller: Caller,
    /// A key and a ticket belong to one organization.
    organization: Option<OrganizationId>,
    key: Option<Arc<KeyRow>>,
}

async fn identify(app: &App, parts: &Parts) -> Identified {
    let client = Client::of(&app.config, parts);
    match known(app, parts, &client).await {
        Ok(known) => {
            let organization = organization(app, &known, credentials::organization(parts)).await;
            Identified { caller: Ok(Arc::new(known.caller)), organization }
        }
        Err(refusal) => Identified { caller: Err(refusal.clone()), organization: Err(refusal) },
    }
}

async fn known(app: &App, parts: &Parts, client: &Client) -> Result<Known, Refusal> {
    match credentials::read(parts, client.https) {
        Credential::None | Credential::Unreadable => Err(unauthenticated()),
        Credential::Access(token) => person_by_token(app, client, &token).await,
        Credential::Cookie(token) => {
            let harmless = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS)
                && !credentials::is_websocket(parts);
            if !harmless && !client.origin_is_ours {
                return Err(foreign_origin());
            }
            person_by_token(app, client, &token).await
        }
        Credential::Key(key) => {
            if !key_format::key_is_well_formed(&key) {
                return Err(unauthenticated());
            }
            let row = key_by_hash(app, token_hash(&key)).await?.ok_or_else(unauthenticated)?;
            key_caller(app, client, row)
        }
        Credential::Ticket(ticket) => by_ticket(app, parts, client, &ticket).await,
    }
}

async fn person_by_token(app: &App, client: &Client, token: &str) -> Result<Known, Refusal> {
    let claims = app.auth.tokens.access_read(token, app.clock.now()).map_err(|problem| Refusal {
        kind: RefusalKind::Unauthenticated,
        code: problem.code(),
        message: problem.message().into(),
    })?;
    let known = person(app, client, claims.sid, None).await?;
    match known.caller.principal {
        Principal::Person { user, .. } if user == claims.sub => Ok(known),
        _ => Err(unauthenticated()),
    }
}

async fn person(
    app: &App, client: &Client, session: SessionId, organization: Option<OrganizationId>,
) -> Result<Known, Refusal> {
    let row = match app.auth.sessions.get(&session).await {
        Some(row) => row,
        None => {
            let row = store::session_find(app.db.system(), session).await.map_err(unavailable)?;
            let row = Arc::new(row.ok_or_else(session_ended)?);
            app.auth.sessions.insert(session, row.clone()).await;
            row
        }
    };
    if row.ended || row.expires_at <= app.clock.now() {
        return Err(session_ended());
    }
    let principal = Principal::Person { user: row.user, session, is_admin: row.is_admin };
    let actor = Actor { kind: "user".into(), id: row.user.0, name: row.name.clone() };
    Ok(Known { caller: client.caller(principal, actor), organization, key: None })
}

async fn key_by_hash(app: &App, hash: Vec<u8>) -> Result<Option<Arc<KeyRow>>, Refusal> {
    if let Some(row) = app.auth.keys.get(&hash).await {
        return Ok(Some(row));
    }
    let row = store::key_find_by_hash(app.db.system(), &hash).await.map_err(unavailable)?.map(Arc::new);
    if let Some(row) = &row {
        app.auth.keys.insert(hash, row.clone()).await;
    }
    Ok(row)
}

fn key_caller(app: &App, client: &Client, row: Arc<KeyRow>) -> Result<Known, Refusal> {
    let now = app.clock.now();
    if row.revoked {
        return Err(forbidden("key_revoked", "This API key has been revoked; make a new one."));
    }
    if row.expires_at.is_some_and(|at| at <= now) {
        return Err(forbidden("key_expired", "This API key has expired; make a new one."));
    }
    if !row.allows_address(client.address) {
        return Err(forbidden("address_refused", "This API key may not be used from your address."));
    }
    app.auth.key_used(row.id, now);
    let principal = Principal::Key { key: row.id, user: row.user() };
    let actor = Actor { kind: "api_key".into(), id: row.id.0, name: row.name.clone() };
    let organization = Some(row.organization);
    Ok(Known { caller: client.caller(principal, actor), organization, key: Some(row) })
}

/// A ticket is spent by being shown, also where it does not fit.
async fn by_ticket(app: &App, parts: &Parts, client: &Client, ticket: &str) -> Result<Known, Refusal> {
    let row = store::ticket_take(app.db.system(), &token_hash(ticket)).await.map_err(unavailable)?;
    let path = parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |uri| uri.path());
    let row = row.filter(|row| row.target == path && row.expires_at > app.clock.now()).ok_or_else(|| Refusal {
        kind: RefusalKind::Unauthenticated,
        code: "ticket_refused",
        message: "This ticket was used before, has expired, or is for another address; ask for a new one.".into(),
    })?;
    if client.has_origin && !client.origin_is_ours {
        return Err(foreign_origin());
    }
    match (row.session, row.key) {
        (Some(session), _) => person(app, client, session, Some(row.organization)).await,
        (None, Some(key)) => {
            let key = store::key_find(app.db.system(), key).await.map_err(unavailable)?.ok_or_else(unauthenticated)?;
            key_caller(app, client, Arc::new(key))
        }
        (None, None) => Err(unauthenticated()),
    }
}

/// Which organization the request is for, and what the caller may do there.
async fn organization(
    app: &App, known: &Known, wanted: Option<String>,
) -> Result<(OrganizationId, Arc<Access>), Refusal> {
    let found = match &wanted {
        Some(text) => organization_find(app, text).await?,
        None => None,
    };
    let organization = match (known.organization, &wanted) {
        (Some(own), Some(_)) if found != Some(own) => {
            return Err(forbidden("org_mismatch", "These credentials belong to another organization."));
        }
        (Some(own), _) => own,
        (None, Some(_)) => found.ok_or_else(no_such_organization)?,
        (None, None) => only_organization(app, known).await?,
    };
    match (&known.key, known.caller.principal) {
        (Some(key), _) => {
            let maker = match key.holder {
                Some(holder) => holding(app, holder, organization).await?,
                None => None,
            };
            let access = maker.map(|maker| maker.narrowed(key)).unwrap_or_default();
            Ok((organization, Arc::new(access)))
        }
        (None, Principal::Person { user, .. }) => {
            let held = holding(app, Holder::User(user), organization).await?.ok_or_else(no_such_organization)?;
            Ok((organization, held.access.clone()))
        }
        (None, Principal::Key { .. }) => Err(unauthenticated()),
    }
}

async fn only_organization(app: &App, known: &Known) -> Result<OrganizationId, Refusal> {
    let Principal::Person { user, .. } = known.caller.principal else { return Err(unauthenticated()) };
    let list = match app.auth.organizations.get(&user).await {
        Some(list) => list,
        None => {
            let list: Arc<[OrganizationId]> =
                store::organizations_of(app.db.system(), user).await.map_err(unavailable)?.into();
            app.auth.organizations.insert(user, list.clone()).await;
            list
        }
    };
    match *list {
        [only] => Ok(only),
        [] => Err(which("You are in no organization yet; make one with POST /api/orgs.")),
        _ => Err(which("You are in several organizations; choose one with the header X-Org-Slug (slug or id).")),
    }
}

async fn organization_find(app: &App, text: &str) -> Result<Option<OrganizationId>, Refusal> {
    if let Ok(id) = text.parse() {
        return Ok(Some(id));
    }
    if let Some(id) = app.auth.slugs.get(text).await {
        return Ok(Some(id));
    }
    let id = store::organization_by_slug(app.db.system(), text, app.clock.now()).await.map_err(unavailable)?;
    if let Some(id) = id {
        app.auth.slugs.insert(text.to_owned(), id).await;
    }
    Ok(id)
}

async fn holding(app: &App, holder: Holder, organization: OrganizationId) -> Result<Option<Arc<Holding>>, Refusal> {
    if let Some(held) = app.auth.holdings.get(&(holder, organization)).await {
        return Ok(Some(held));
    }
    let rows = store::holding_find(app.db.system(), holder, organization).await.map_err(unavailable)?;
    let Some(rows) = rows else { return Ok(None) };
    let held = Arc::new(Holding::new(rows));
    app.auth.holdings.insert((holder, organization), held.clone()).await;
    Ok(Some(held))
}

/// Whether what a long request was allowed by still holds: session or key, and the permission in each scope that gave
/// it. Asked past the caches. While the database is away nothing can be revoked, so nothing is.
pub async fn still_allowed(app: &App, ctx: &Ctx) -> bool {
    match access_now(app, ctx).await {
        Ok(Some(access)) => {
            let scopes = |access: &Access| -> Vec<Scope> {
                access.grants.iter().filter(|(_, set)| set.contains(ctx.permission)).map(|(scope, _)| *scope).collect()
            };
            let now = scopes(&access);
            now.contains(&Scope::Organization) || scopes(&ctx.access).iter().all(|scope| now.contains(scope))
        }
        Ok(None) => false,
        Err(error) => {
            tracing::debug!(%error, "a permission could not be asked for again");
            true
        }
    }
}

/// What the caller may do at this moment; None when the credential or the membership has ended.
async fn access_now(app: &App, ctx: &Ctx) -> Result<Option<Access>, Error> {
    let system = app.db.system();
    let now = app.clock.now();
    match ctx.caller.principal {
        Principal::Person { user, session, .. } => {
            let row = store::session_find(system, session).await?;
            if row.is_none_or(|row| row.ended || row.expires_at <= now) {
                return Ok(None);
            }
            let rows = store::holding_find(system, Holder::User(user), ctx.organization).await?;
            Ok(rows.map(|rows| Access { grants: Holding::new(rows).access.grants.clone() }))
        }
        Principal::Key { key, .. } => {
            let row = store::key_find(system, key).await?;
            let live = |row: &KeyRow| !row.revoked && row.expires_at.is_none_or(|at| at > now);
            let Some(row) = row.filter(live) else { return Ok(None) };
            let Some(holder) = row.holder else { return Ok(None) };
            let rows = store::holding_find(system, holder, ctx.organization).await?;
            Ok(rows.map(|rows| Holding::new(rows).narrowed(&row)))
        }
    }
}

/// Writes when keys were last used, in batches, and forgets what has expired. Losing a batch does no harm.
pub async fn flush_task(app: App) {
    let mut flushes: u32 = 0;
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        if let Err(error) = flush(&app).await {
            tracing::debug!(%error, "the last use of keys could not be written");
        }
        if flushes.is_multiple_of(PRUNE_EVERY_FLUSHES)
            && let Err(error) = store::expired_prune(app.db.system(), app.clock.now()).await
        {
            tracing::debug!(%error, "expired sessions and tickets could not be removed");
        }
        flushes = flushes.wrapping_add(1);
    }
}

async fn flush(app: &App) -> Result<(), Error> {
    let used = std::mem::take(&mut *app.auth.used_keys.lock().unwrap_or_else(PoisonError::into_inner));
    if used.is_empty() {
        return Ok(());
    }
    let (keys, times): (Vec<_>, Vec<_>) = used.into_iter().map(|(key, at)| (key.0, at)).unzip();
    store::keys_used(app.db.system(), &keys, &times).await
}

fn unauthenticated() -> Refusal {
    Refusal {
        kind: RefusalKind::Unauthenticated,
        code: "unauthenticated",
        message: "Sign in, or send an access token or an API key in the Authorization header.".into(),
    }
}

fn session_ended() -> Refusal {
    Refusal {
        kind: RefusalKind::Unauthenticated,
        code: "session_ended",
        message: "This session has ended; sign in again.".into(),
    }
}

fn forbidden(code: &'static str, message: &str) -> Refusal {
    Refusal { kind: RefusalKind::Forbidden, code, message: message.into() }
}

fn foreign_origin() -> Refusal {
    forbidden("origin_refused", "With a cookie, this request must come from a page of this controller (Origin).")
}

fn no_such_organization() -> Refusal {
    Refusal { kind: RefusalKind::NotFound, code: "not_found", message: "There is no such organization.".into() }
}

fn which(message: &str) -> Refusal {
    Refusal { kind: RefusalKind::Invalid, code: "required", message: message.into() }
}

fn unavailable(error: Error) -> Refusal {
    if let Error::Internal(cause) = &error {
        tracing::error!(error = ?cause, "a caller could not be identified");
    }
    Refusal {
        kind: RefusalKind::Unavailable,
        code: "unavailable",
        message: "The database does not answer at the moment; try again.".into(),
    }
}

/// Whether an address is in one of the networks; no networks allow all.
fn address_is_in(networks: &[sqlx::types::ipnetwork::IpNetwork], address: Option<IpAddr>) -> bool {
    networks.is_empty() || address.is_some_and(|address| networks.iter().any(|n| n.contains(address.to_canonical())))
}
