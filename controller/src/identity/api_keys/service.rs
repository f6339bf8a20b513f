//! The rules of keys: never broader than who makes them, whether a person or a key.

use super::model::{ApiKey, KeyScope, NewApiKey, key_make, key_shown, networks_contain};
use super::store::{self, KeyFilter, Maker};
use crate::app::App;
use crate::error::{Error, Problem, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::Signal;
use crate::platform::http::{Ctx, IfMatch, List, Page, Permission, PermissionSet, Place, Principal};
use crate::platform::secrets::token_hash;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::ApiKeyId;
use ocore_shared::secret::Secret;
use serde_json::json;
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
    check(app, &new)?;
    let wanted = PermissionSet::from_keys(new.permissions.iter().map(String::as_str));
    new.permissions = wanted.keys();

    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let place = store::scope_place(&mut tx, ctx.organization, new.scope).await?;
    let place = place.filter(|place| sees(ctx, new.scope, place)).ok_or_else(|| {
        let word = new.scope.kind.word();
        Error::field("scope.id", "exists", format!("There is no such {word}, or it is not visible to you."))
    })?;
    let needed = wanted.iter().chain([Permission::ManageApiKeys]);
    let lacking: Vec<_> = needed.filter(|p| !ctx.allows(*p, &place)).map(Permission::key).collect();
    if !lacking.is_empty() {
        return Err(broader(&format!("you do not have {} there", lacking.join(", "))));
    }
    let maker = match ctx.caller.principal {
        Principal::Person { user, .. } => Maker { user: Some(user), service_account: None },
        Principal::Key { key, user } => {
            let service_account = bound_by_key(ctx, &mut tx, key, &mut new).await?;
            Maker { user, service_account }
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
fn sees(ctx: &Ctx, scope: KeyScope, place: &Place) -> bool {
    scope.id.is_none() || Permission::ALL.iter().any(|p| ctx.allows(*p, place))
}

fn check(app: &App, new: &NewApiKey) -> Result<()> {
    let mut problems = Vec::new();
    for (index, key) in new.permissions.iter().enumerate() {
        if Permission::parse(key).is_none() {
            problems.push(Problem {
                field: format!("permissions[{index}]"),
                constraint: "enum".into(),
                message: format!("There is no permission '{key}'; GET /api/permissions lists them."),
            });
        }
    }
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
    new.scope.check()
}

/// A key made by a key ends no later and works from no more places.
async fn bound_by_key(
    ctx: &Ctx, connection: &mut PgConnection, parent: ApiKeyId, new: &mut NewApiKey,
) -> Result<Option<uuid::Uuid>> {
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
        if !new.allowed_addresses.iter().all(|inner| networks_contain(&limits.allowed_addresses, inner)) {
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
    let Some(hash) = revoked else { return Ok(()) };
    let subject = Subject::new("api_key", id.0, &key.name);
    let before = serde_json::to_value(&key).map_err(Error::internal)?;
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "api_key.revoked", &subject, Some(before), None).await?;
    event_append(&mut tx, ctx.organization, "api_key.revoked", ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    app.auth.forget_key(&hash).await;
    app.bus.send(Signal::EventsAppended);
    Ok(())
}
