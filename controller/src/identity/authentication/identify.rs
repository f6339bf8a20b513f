//! From a request to its caller, the organization and what the caller may do there.

use super::Client;
use super::access::Holding;
use super::credentials::{self, Credential};
use super::store::{self, Holder, KeyRow};
use crate::app::App;
use crate::error::Error;
use crate::identity::api_keys::model::key_is_well_formed;
use crate::identity::organizations::model::slug_check;
use crate::platform::http::ctx::Access;
use crate::platform::http::guard::{Identified, Refusal, RefusalKind};
use crate::platform::http::surface::Surface;
use crate::platform::http::{Actor, Caller, Principal};
use crate::platform::secrets::token_hash;
use axum::extract::OriginalUri;
use axum::http::Method;
use axum::http::request::Parts;
use ocore_shared::ids::{OrganizationId, SessionId};
use std::sync::Arc;

/// A credential that holds, and what it says about the organization.
struct Known {
    caller: Caller,
    /// A key and a ticket belong to one organization.
    organization: Option<OrganizationId>,
    key: Option<Arc<KeyRow>>,
    /// The session began with more than one factor.
    second_factor: bool,
}

pub async fn identify(app: &App, parts: &Parts) -> Identified {
    let client = Client::of(&app.config, parts);
    match known(app, parts, &client).await {
        Ok(known) => {
            let surface = Surface::of(parts);
            let organization = organization(app, &known, credentials::organization(parts), surface).await;
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
            if !key_is_well_formed(&key) {
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
    app.auth.session_used(session, app.clock.now(), client.address);
    let principal = Principal::Person { user: row.user, session, is_admin: row.is_admin };
    let actor = Actor { kind: "user".into(), id: row.user.0, name: row.name.clone() };
    let second_factor = row.second_factor;
    Ok(Known { caller: client.caller(principal, actor), organization, key: None, second_factor })
}

async fn key_by_hash(app: &App, hash: Vec<u8>) -> Result<Option<Arc<KeyRow>>, Refusal> {
    if let Some(row) = app.auth.keys.get(&hash).await {
        return Ok(Some(row));
    }
    let row =
        store::key_find_by_hash(app.db.system(), &hash, app.clock.now()).await.map_err(unavailable)?.map(Arc::new);
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
    Ok(Known { caller: client.caller(principal, actor), organization, key: Some(row), second_factor: false })
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
    app: &App, known: &Known, wanted: Option<String>, surface: Surface,
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
        (None, None) => only_organization(app, known, surface).await?,
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
            if held.require_second_factor && !known.second_factor {
                return Err(second_factor_required());
            }
            Ok((organization, held.access.clone()))
        }
        (None, Principal::Key { .. }) => Err(unauthenticated()),
    }
}

async fn only_organization(app: &App, known: &Known, surface: Surface) -> Result<OrganizationId, Refusal> {
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
        [first, ..] if surface == Surface::V1 => Ok(first),
        [] => Err(which("You are in no organization yet; make one with POST /api/orgs.")),
        _ => Err(which("You are in several organizations; choose one with the header X-Org-Slug (slug or id).")),
    }
}

async fn organization_find(app: &App, text: &str) -> Result<Option<OrganizationId>, Refusal> {
    if let Ok(id) = text.parse() {
        return Ok(Some(id));
    }
    if slug_check(text).is_err() {
        return Ok(None);
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

fn second_factor_required() -> Refusal {
    forbidden(
        "second_factor_required",
        "This organization lets in only who signs in with a second factor; set one up in your account, then sign in with it.",
    )
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
