//! The rules of registries: they are the whole organization's, and are tried before they are kept.

use super::check::registry_check;
use super::model::{NewPassword, Registry, RegistryCheck, RegistryInput, RegistryStatus};
use super::store::{self, RegistryFilter};
use crate::app::App;
use crate::business::settings::service::settings_get;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::Signal;
use crate::platform::http::{Ctx, IfMatch, List, Page};
use crate::platform::secrets::store::{secret_add, secret_delete, secret_open};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{OrganizationId, RegistryId, SecretId};
use ocore_shared::protocol::jobs::MEMORY_ONLY;
use ocore_shared::protocol::registries::{RegistryLogin, canonical, registry_of};
use ocore_shared::secret::Secret;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;

pub async fn registry_list(ctx: &Ctx, app: &App, filter: RegistryFilter<'_>, page: &Page) -> Result<List<Registry>> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let list = store::registry_list(&mut connection, ctx.organization, &filter, page).await?;
    Ok(List::new(list, page, |registry| registry.id.0))
}

pub async fn registry_get(ctx: &Ctx, app: &App, id: RegistryId) -> Result<Registry> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    found(ctx, &mut connection, id).await
}

async fn found(ctx: &Ctx, connection: &mut PgConnection, id: RegistryId) -> Result<Registry> {
    let filter = RegistryFilter { id: Some(id), ..RegistryFilter::default() };
    let list = store::registry_list(connection, ctx.organization, &filter, &Page::default()).await?;
    list.into_iter().next().ok_or(Error::NotFound("registry"))
}

/// Add a registry, unless it refuses the credentials. One that only servers can reach is kept, and says so.
pub async fn registry_create(ctx: &Ctx, app: &App, new: RegistryInput) -> Result<Registry> {
    ctx.require_everywhere()?;
    fits(&new)?;
    let password = match &new.password {
        NewPassword::Is(password) => Some(password),
        NewPassword::Stays | NewPassword::None => None,
    };
    let check = tried(app, &new, password).await?;
    let id = RegistryId::new();
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let secret = match password {
        Some(password) => Some(secret_add(&mut tx, ctx.organization, &app.keyring, "registry", password).await?),
        None => None,
    };
    store::registry_write(&mut tx, ctx.organization, id, &new, secret).await?;
    store::registry_checked(&mut tx, ctx.organization, id, &check, app.clock.now()).await?;
    let registry = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "registry.created", None, Some(&registry)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(registry)
}

/// What cannot be right whatever the registry says.
fn fits(input: &RegistryInput) -> Result<()> {
    let has_password = !matches!(input.password, NewPassword::None);
    if input.username.is_none() && matches!(input.password, NewPassword::Is(_)) {
        return Err(Error::field("username", "required", "A password goes with a user; name the user."));
    }
    if input.username.is_some() && !has_password {
        return Err(Error::field("password", "required", "Give the user's password, or an access token."));
    }
    if input.mirror_of.as_deref().map(canonical) == Some(canonical(&input.address)) {
        return Err(Error::field(
            "mirror_of",
            "other",
            "A registry is no mirror of itself; name the one that it mirrors.",
        ));
    }
    Ok(())
}

async fn tried(app: &App, input: &RegistryInput, password: Option<&Secret>) -> Result<RegistryCheck> {
    // Networks may have been opened or closed since.
    settings_get(app).await?;
    let check = registry_check(app, &input.address, input.username.as_deref().zip(password)).await;
    match check.status {
        RegistryStatus::Refused => Err(Error::Unprocessable {
            code: "registry_refused",
            message: check.message.unwrap_or_else(|| "The registry refuses these credentials.".into()),
        }),
        _ => Ok(check),
    }
}

/// The stored password, where there is one.
async fn password_of(ctx: &Ctx, app: &App, connection: &mut PgConnection, id: RegistryId) -> Result<Option<Secret>> {
    let all = store::registry_credentials(connection, ctx.organization).await?;
    match all.into_iter().find(|registry| registry.id == id).and_then(|registry| registry.secret) {
        Some(secret) => secret_open(connection, ctx.organization, &app.keyring, secret).await,
        None => Ok(None),
    }
}

/// Change a registry. Its stored password is never sent to another address or as another user.
pub async fn registry_update(
    ctx: &Ctx, app: &App, id: RegistryId, if_match: IfMatch, change: impl FnOnce(&Registry) -> Result<RegistryInput>,
) -> Result<Registry> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let before = found(ctx, &mut connection, id).await?;
    if_match.check(before.version)?;
    let to = change(&before)?;
    fits(&to)?;
    let same = to.address == before.address && to.username == before.username;
    if before.has_password && matches!(to.password, NewPassword::Stays) && !same {
        let message = "Give the password again: the stored one is for another address or user.";
        return Err(Error::field("password", "required", message));
    }
    let password = match &to.password {
        NewPassword::Is(password) => Some(password.clone()),
        NewPassword::Stays => password_of(ctx, app, &mut connection, id).await?,
        NewPassword::None => None,
    };
    // Nobody waits for a registry with a connection in hand.
    drop(connection);
    let check = tried(app, &to, password.as_ref()).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let Some(old) = store::registry_lock(&mut tx, ctx.organization, id).await? else {
        return Err(Error::NotFound("registry"));
    };
    if found(ctx, &mut tx, id).await?.version != before.version {
        let message = "The registry has just been changed; read it again, then retry.";
        return Err(Error::conflict("changed_meanwhile", message));
    }
    let secret = match &to.password {
        NewPassword::Stays => old,
        NewPassword::None => None,
        NewPassword::Is(password) => {
            Some(secret_add(&mut tx, ctx.organization, &app.keyring, "registry", password).await?)
        }
    };
    store::registry_write(&mut tx, ctx.organization, id, &to, secret).await?;
    if let Some(old) = old.filter(|old| secret != Some(*old)) {
        secret_delete(&mut tx, ctx.organization, old).await?;
    }
    store::registry_checked(&mut tx, ctx.organization, id, &check, app.clock.now()).await?;
    let after = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "registry.updated", Some(&before), Some(&after)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

/// Remove a registry with its password. What runs goes on; what is fetched from there next is fetched as anybody.
pub async fn registry_delete(ctx: &Ctx, app: &App, id: RegistryId, if_match: IfMatch, dry_run: bool) -> Result<()> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let secret = store::registry_lock(&mut tx, ctx.organization, id).await?.flatten();
    let before = found(ctx, &mut tx, id).await?;
    if_match.check(before.version)?;
    if dry_run {
        return Ok(());
    }
    store::registry_delete(&mut tx, ctx.organization, id).await?;
    if let Some(secret) = secret {
        secret_delete(&mut tx, ctx.organization, secret).await?;
    }
    tell(ctx, &mut tx, "registry.deleted", Some(&before), None).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

/// Sign in with what is stored, and list.
pub async fn registry_test(ctx: &Ctx, app: &App, id: RegistryId) -> Result<RegistryCheck> {
    ctx.require_everywhere()?;
    settings_get(app).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let registry = found(ctx, &mut connection, id).await?;
    let password = password_of(ctx, app, &mut connection, id).await?;
    let subject = Subject::new("registry", id.0, &registry.address);
    audit_append(&mut connection, Some(ctx.organization), &ctx.caller, "registry.tested", &subject, None, None).await?;
    drop(connection);
    let check = registry_check(app, &registry.address, registry.username.as_deref().zip(password.as_ref())).await;
    let mut connection = app.db.org(ctx.organization).await?;
    store::registry_checked(&mut connection, ctx.organization, id, &check, app.clock.now()).await?;
    Ok(check)
}

/// Registries that these images may come from, for a job, and the passwords that it brings its agent. They are for
/// memory only: no server ever has one on its disk.
pub async fn registries_of(
    connection: &mut PgConnection, organization: OrganizationId, images: &[&str],
) -> Result<(Vec<RegistryLogin>, BTreeMap<String, SecretId>)> {
    let wanted: Vec<String> = images.iter().map(|image| registry_of(image).0).collect();
    let (mut logins, mut secrets) = (Vec::new(), BTreeMap::new());
    for registry in store::registry_credentials(connection, organization).await? {
        let serves = registry.mirror_of.as_deref().unwrap_or(&registry.address);
        if !wanted.iter().any(|wanted| wanted == canonical(serves)) {
            continue;
        }
        let secret = registry.secret.map(|secret| {
            let name = format!("{MEMORY_ONLY}registry.{}", registry.id);
            secrets.insert(name.clone(), secret);
            name
        });
        logins.push(RegistryLogin {
            address: registry.address,
            username: registry.username,
            secret,
            mirror_of: registry.mirror_of,
        });
    }
    Ok((logins, secrets))
}

async fn tell(
    ctx: &Ctx, connection: &mut PgConnection, action: &str, before: Option<&Registry>, after: Option<&Registry>,
) -> Result<()> {
    let Some(registry) = after.or(before) else { return Ok(()) };
    let subject = Subject::new("registry", registry.id.0, &registry.address);
    let value = |registry: &Registry| -> Result<Value> { serde_json::to_value(registry).map_err(Error::internal) };
    let (before, after) = (before.map(value).transpose()?, after.map(value).transpose()?);
    audit_append(connection, Some(ctx.organization), &ctx.caller, action, &subject, before, after).await?;
    event_append(connection, ctx.organization, action, ctx.actor(), &subject, json!({})).await
}
