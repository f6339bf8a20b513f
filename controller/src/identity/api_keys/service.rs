//! The rules of keys: never broader than who makes them, whether a person or a key.

use super::model::{ApiKey, ApiKeyChange, KEY_PREFIXES, NewApiKey, key_make, key_shown, networks_contain};
use super::store::{self, KeyFilter, Maker};
use crate::app::App;
use crate::error::{Error, Problem, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::roles::model::ScopeRef;
use crate::identity::roles::store::scope_place;
use crate::platform::bus::Signal;
use crate::platform::http::{Ctx, IfMatch, List, Page, Permission, PermissionSet, Place, Principal};
use crate::platform::secrets::token_hash;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::TimeDelta;
use ocore_shared::ids::{ApiKeyId, ServiceAccountId};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::types::ipnetwork::IpNetwork;
use sqlx::{Connection, PgConnection};

pub async fn api_key_list(
    ctx: &Ctx, app: &App, name: Option<&str>, q: Option<&str>, page: &Page,
) -> Result<List<ApiKey>> {
    let mut connection = app.db.org(ctx.organization).await?;
    let filter = KeyFilter { name, q, reach: &ctx.reach() };
    let keys = store::api_key_list(&mut connection, ctx.organization, &filter, page).await?;
    Ok(List::new(keys, page, |key| key.id.0))
}

pub async fn api_key_get(ctx: &Ctx, app: &App, id: ApiKeyId) -> Result<ApiKey> {
    let mut connection = app.db.org(ctx.organization).await?;
    visible(ctx, &mut connection, id).await
}

async fn visible(ctx: &Ctx, connection: &mut PgConnection, id: ApiKeyId) -> Result<ApiKey> {
    let key = store::api_key_get(connection, ctx.organization, id).await?.ok_or(Error::NotFound("API key"))?;
    ctx.require("API key", &key.place)?;
    Ok(key)
}

/// Make a key. The secret is in the answer and nowhere else.
pub async fn api_key_create(ctx: &Ctx, app: &App, mut new: NewApiKey) -> Result<(ApiKey, Secret)> {
    let everything = new.permissions == ["*"];
    if everything {
        new.permissions.clear();
    }
    let mut wanted = check(app, &new)?;

    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let place = scope_place(&mut tx, ctx.organization, new.scope).await?;
    let place = place.filter(|place| sees(ctx, new.scope, place)).ok_or_else(|| {
        let word = new.scope.kind.word();
        Error::field("scope.id", "exists", format!("There is no such {word}, or it is not visible to you."))
    })?;
    if everything {
        wanted = ctx.access.at(&place);
    }
    new.permissions = wanted.keys();
    ctx.require_held(wanted.union([Permission::ManageApiKeys].into_iter().collect()), &place)?;
    if let Some(account) = new.service_account
        && !store::service_account_exists(&mut tx, ctx.organization, account).await?
    {
        let message = "There is no such service account; GET /api/service-accounts lists them.";
        return Err(Error::field("service_account_id", "exists", message));
    }
    let maker = match ctx.caller.principal {
        Principal::Person { user, .. } => Maker { user: Some(user), service_account: new.service_account },
        Principal::Key { key, user } => {
            let own = bound_by_key(ctx, &mut tx, key, &mut new).await?;
            Maker { user, service_account: new.service_account.or(own) }
        }
    };

    let secret = key_make(new.prefix);
    let hash = token_hash(secret.expose());
    let id = store::api_key_insert(&mut tx, ctx.organization, &new, &key_shown(&secret), &hash, &maker).await?;
    let key = store::api_key_get(&mut tx, ctx.organization, id).await?.ok_or(Error::NotFound("API key"))?;
    let subject = Subject::new("api_key", id.0, &key.name);
    let after = serde_json::to_value(&key).map_err(Error::internal)?;
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "api_key.created", &subject, None, Some(after)).await?;
    event_append(&mut tx, ctx.organization, "api_key.created", ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok((key, secret))
}

/// The scope's object must be one that the caller sees at all.
fn sees(ctx: &Ctx, scope: ScopeRef, place: &Place) -> bool {
    scope.id.is_none() || Permission::ALL.iter().any(|p| ctx.allows(*p, place))
}

fn check(app: &App, new: &NewApiKey) -> Result<PermissionSet> {
    let (wanted, mut problems) = match PermissionSet::parse("permissions", &new.permissions) {
        Ok(wanted) => (wanted, Vec::new()),
        Err(problems) => (PermissionSet::default(), problems),
    };
    if new.expires_at.is_some_and(|at| at <= app.clock.now()) {
        problems.push(Problem {
            field: "expires_at".into(),
            constraint: "future".into(),
            message: "expires_at must be in the future.".into(),
        });
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    new.scope.check("scope.id")?;
    Ok(wanted)
}

/// A key made by a key ends no later and works from no more places.
async fn bound_by_key(
    ctx: &Ctx, connection: &mut PgConnection, parent: ApiKeyId, new: &mut NewApiKey,
) -> Result<Option<ServiceAccountId>> {
    let limits = store::api_key_limits(connection, ctx.organization, parent)
        .await?
        .ok_or_else(|| broader("the key that makes it is gone"))?;
    if let Some(end) = limits.expires_at {
        match new.expires_at {
            Some(at) if at > end => return Err(broader("it would outlive the key that makes it")),
            Some(_) => {}
            None => new.expires_at = Some(end),
        }
    }
    if !limits.allowed_addresses.is_empty() {
        if new.allowed_addresses.is_empty() {
            new.allowed_addresses.clone_from(&limits.allowed_addresses);
        }
        if !within(&limits.allowed_addresses, &new.allowed_addresses) {
            return Err(broader("it would work from more addresses than the key that makes it"));
        }
    }
    Ok(limits.service_account)
}

fn broader(reason: &str) -> Error {
    Error::forbidden("broader_than_yourself", format!("A key is never broader than who makes it: {reason}."))
}

/// Revoke a key; revoking it again changes nothing.
pub async fn api_key_revoke(ctx: &Ctx, app: &App, id: ApiKeyId, if_match: IfMatch, dry_run: bool) -> Result<()> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let key = visible(ctx, &mut tx, id).await?;
    if_match.check(key.version)?;
    if dry_run {
        return Ok(());
    }
    let revoked = store::api_key_revoke(&mut tx, ctx.organization, id, app.clock.now()).await?;
    if !revoked {
        return Ok(());
    }
    let subject = Subject::new("api_key", id.0, &key.name);
    let before = serde_json::to_value(&key).map_err(Error::internal)?;
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "api_key.revoked", &subject, Some(before), None).await?;
    event_append(&mut tx, ctx.organization, "api_key.revoked", ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    app.auth.forget_keys();
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

/// Rename a key, or change from where it may be used. Whoever does that must be able to make it.
pub async fn api_key_update(
    ctx: &Ctx, app: &App, id: ApiKeyId, if_match: IfMatch, change: impl FnOnce(&ApiKey) -> Result<ApiKeyChange>,
) -> Result<ApiKey> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let before = makeable(ctx, &mut tx, id, if_match).await?;
    let mut to = change(&before)?;
    if let Principal::Key { key, .. } = ctx.caller.principal {
        let limits = store::api_key_limits(&mut tx, ctx.organization, key).await?;
        let own = limits.map(|limits| limits.allowed_addresses).unwrap_or_default();
        if !own.is_empty() && (to.allowed_addresses.is_empty() || !within(&own, &to.allowed_addresses)) {
            return Err(broader("it would work from more addresses than the key that changes it"));
        }
    }
    to.allowed_addresses.sort();
    if !store::api_key_update(&mut tx, ctx.organization, id, &to).await? {
        return Err(ended());
    }
    let after = visible(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "api_key.updated", &before, &after).await?;
    tx.commit().await?;
    app.auth.forget_keys();
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

/// Another secret for the same key; the one before works for `grace` longer.
pub async fn api_key_rotate(
    ctx: &Ctx, app: &App, id: ApiKeyId, if_match: IfMatch, grace: TimeDelta,
) -> Result<(ApiKey, Secret)> {
    let now = app.clock.now();
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let before = makeable(ctx, &mut tx, id, if_match).await?;
    let prefix = KEY_PREFIXES.into_iter().find(|prefix| before.prefix.starts_with(prefix)).unwrap_or(KEY_PREFIXES[0]);
    let secret = key_make(prefix);
    let (shown, hash) = (key_shown(&secret), token_hash(secret.expose()));
    if !store::api_key_rotate(&mut tx, ctx.organization, id, &shown, &hash, now + grace, now).await? {
        return Err(ended());
    }
    let after = visible(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "api_key.rotated", &before, &after).await?;
    tx.commit().await?;
    app.auth.forget_keys();
    app.bus.send(Signal::EventsAppended);
    Ok((after, secret))
}

/// A key that the caller could make.
async fn makeable(ctx: &Ctx, connection: &mut PgConnection, id: ApiKeyId, if_match: IfMatch) -> Result<ApiKey> {
    let key = visible(ctx, connection, id).await?;
    if_match.check(key.version)?;
    ctx.require_held(PermissionSet::from_keys(key.permissions.iter().map(String::as_str)), &key.place)?;
    Ok(key)
}

fn within(outer: &[IpNetwork], inner: &[IpNetwork]) -> bool {
    inner.iter().all(|network| networks_contain(outer, network))
}

fn ended() -> Error {
    Error::conflict("key_ended", "This key was revoked or has expired; make a new one.")
}

async fn tell(ctx: &Ctx, connection: &mut PgConnection, action: &str, before: &ApiKey, after: &ApiKey) -> Result<()> {
    let subject = Subject::new("api_key", after.id.0, &after.name);
    let value = |key: &ApiKey| serde_json::to_value(key).map_err(Error::internal);
    let (earlier, later) = (value(before)?, value(after)?);
    audit_append(connection, Some(ctx.organization), &ctx.caller, action, &subject, Some(earlier), Some(later)).await?;
    event_append(connection, ctx.organization, action, ctx.actor(), &subject, json!({})).await
}
