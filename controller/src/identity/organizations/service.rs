//! The rules of organizations.

use super::model::{
    NewOrganization, Organization, OrganizationChange, OrganizationSettings, slug_candidates, slug_check,
};
use super::store;
use crate::app::App;
use crate::data::destinations::service::destination_create_default;
use crate::delivery::projects::service::project_create_default;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::auth::service::password_confirm;
use crate::identity::members::store::member_lock;
use crate::identity::roles::service::system_roles_create;
use crate::platform::bus::Signal;
use crate::platform::http::{Caller, Ctx, IfMatch, List, Page};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, UserId};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::{Connection, PgConnection};

pub async fn organization_list(
    caller: &Caller, app: &App, name: Option<&str>, page: &Page,
) -> Result<List<Organization>> {
    let list = store::organization_list(app.db.system(), caller.principal, name, page).await?;
    Ok(List::new(list, page, |organization| organization.id.0))
}

pub async fn organization_get(ctx: &Ctx, app: &App) -> Result<Organization> {
    let mut connection = app.db.org(ctx.organization).await?;
    store::organization_get(&mut connection, ctx.organization).await?.ok_or(Error::NotFound("organization"))
}

/// The organization that a command on the host means: by slug or id, or the only one.
pub async fn organization_for_host(app: &App, named: Option<&str>) -> Result<OrganizationId> {
    match store::organization_find(app.db.system(), named).await?.as_slice() {
        [only] => Ok(*only),
        [] if named.is_some() => Err(Error::NotFound("organization")),
        [] => Err(Error::conflict("no_organization", "There is no organization yet; make the first admin first.")),
        _ => Err(Error::field("organization", "required", "There are several organizations; name one by its slug.")),
    }
}

/// Make an organization for whoever asks.
pub async fn organization_create_for(caller: &Caller, app: &App, new: &NewOrganization) -> Result<Organization> {
    let (user, _) = caller.person()?;
    let mut tx = app.db.system().begin().await?;
    let organization = organization_create(&mut tx, caller, user, new, app.clock.now()).await?;
    tx.commit().await?;
    app.auth.forget_member(user, organization.id).await;
    app.bus.send(Signal::EventsAppended);
    Ok(organization)
}

/// Make an organization with its owner, system roles, default project and environments, in a transaction of the
/// system's: nothing of it exists until that commits.
pub async fn organization_create(
    connection: &mut PgConnection, caller: &Caller, owner: UserId, new: &NewOrganization, now: DateTime<Utc>,
) -> Result<Organization> {
    let organization = insert(connection, new, now).await?;
    store::membership_insert(connection, organization.id, owner).await?;
    system_roles_create(connection, organization.id, owner).await?;
    project_create_default(connection, organization.id).await?;
    destination_create_default(connection, organization.id).await?;
    let subject = Subject::new("organization", organization.id.0, &organization.name);
    let after = serde_json::to_value(&organization).map_err(Error::internal)?;
    audit_append(connection, Some(organization.id), caller, "organization.created", &subject, None, Some(after))
        .await?;
    event_append(connection, organization.id, "organization.created", &caller.actor, &subject, json!({})).await?;
    Ok(organization)
}

async fn insert(connection: &mut PgConnection, new: &NewOrganization, now: DateTime<Utc>) -> Result<Organization> {
    if let Some(slug) = &new.slug {
        slug_check(slug)?;
        return store::organization_insert(connection, &new.name, slug, now)
            .await?
            .ok_or_else(|| Error::conflict("slug_taken", format!("The slug '{slug}' is taken; choose another one.")));
    }
    for slug in slug_candidates(&new.name) {
        if let Some(organization) = store::organization_insert(connection, &new.name, &slug, now).await? {
            return Ok(organization);
        }
    }
    Err(Error::conflict("slug_taken", "No slug could be made from this name; give one in the field slug."))
}

/// Rename an organization, or give it another slug; the slug before answers for 90 days.
pub async fn organization_update(
    ctx: &Ctx, app: &App, if_match: IfMatch, change: impl FnOnce(&Organization) -> Result<OrganizationChange>,
) -> Result<Organization> {
    ctx.require_everywhere()?;
    let mut tx = app.db.system().begin().await?;
    let before = store::organization_lock(&mut tx, ctx.organization).await?.ok_or(Error::NotFound("organization"))?;
    if_match.check(before.version)?;
    let change = change(&before)?;
    if let Some(slug) = change.slug.as_ref().filter(|slug| **slug != before.slug) {
        slug_check(slug)?;
        if !store::slug_take(&mut tx, ctx.organization, slug, app.clock.now()).await? {
            return Err(Error::conflict("slug_taken", format!("The slug '{slug}' is taken; choose another one.")));
        }
    }
    let after = store::organization_update(&mut tx, ctx.organization, &change).await?;
    let subject = Subject::new("organization", after.id.0, &after.name);
    let value = |organization: &Organization| serde_json::to_value(organization).map_err(Error::internal);
    let (earlier, later) = (value(&before)?, value(&after)?);
    let action = "organization.updated";
    audit_append(&mut tx, Some(after.id), &ctx.caller, action, &subject, Some(earlier), Some(later)).await?;
    event_append(&mut tx, after.id, action, ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    app.auth.forget_slugs();
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

pub async fn settings_get(ctx: &Ctx, app: &App) -> Result<OrganizationSettings> {
    let mut connection = app.db.org(ctx.organization).await?;
    store::settings_get(&mut connection, ctx.organization).await?.ok_or(Error::NotFound("organization"))
}

/// Change what holds for everybody. Nobody locks themself out: a second factor is asked of others by who has one.
pub async fn settings_update(
    ctx: &Ctx, app: &App, if_match: IfMatch, change: impl FnOnce(&OrganizationSettings) -> Result<OrganizationSettings>,
) -> Result<OrganizationSettings> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let before = store::settings_get(&mut tx, ctx.organization).await?.ok_or(Error::NotFound("organization"))?;
    if_match.check(before.version)?;
    let to = change(&before)?;
    if to.require_second_factor && !before.require_second_factor {
        let (_, session) = ctx.caller.person()?;
        if !store::session_has_second_factor(app.db.system(), session).await? {
            return Err(Error::Unprocessable {
                code: "second_factor_missing",
                message: "You would lock yourself out: set up a second factor in your account, sign in with it, then \
                          ask it of everybody."
                    .into(),
            });
        }
    }
    let changed = || Error::conflict("changed_meanwhile", "The settings have just been changed; read them again.");
    let after = store::settings_update(&mut tx, ctx.organization, &to).await?.ok_or_else(changed)?;
    let subject = Subject::new("organization", ctx.organization.0, "settings");
    let value = |settings: &OrganizationSettings| serde_json::to_value(settings).map_err(Error::internal);
    let (earlier, later) = (value(&before)?, value(&after)?);
    let action = "organization.settings_updated";
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, Some(earlier), Some(later)).await?;
    event_append(&mut tx, ctx.organization, action, ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    app.auth.forget_holdings();
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

/// Hand the organization to another member; the former owner becomes an admin.
pub async fn organization_transfer(ctx: &Ctx, app: &App, to: UserId, password: &Secret) -> Result<()> {
    let (from, _) = ctx.caller.person()?;
    if to == from {
        return Err(Error::field("member_id", "other", "You are the owner already."));
    }
    password_confirm(app, &ctx.caller, password).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    // In one order, so that two transfers at once do not wait for each other.
    for user in [from.min(to), from.max(to)] {
        if member_lock(&mut tx, ctx.organization, user).await?.is_none() {
            return Err(Error::field("member_id", "exists", "There is no such member; GET /api/members lists them."));
        }
    }
    if !store::is_owner(&mut tx, ctx.organization, from).await? {
        return Err(Error::conflict("not_owner", "The organization has just been transferred."));
    }
    store::owner_change(&mut tx, ctx.organization, from, to).await?;
    let subject = Subject::new("organization", ctx.organization.0, "ownership");
    let (earlier, later) = (json!({ "owner_id": from }), json!({ "owner_id": to }));
    let action = "organization.transferred";
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, Some(earlier), Some(later)).await?;
    event_append(&mut tx, ctx.organization, action, ctx.actor(), &subject, json!({ "owner_id": to })).await?;
    tx.commit().await?;
    app.auth.forget_holdings();
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

/// Delete the organization, once nothing runs for it any more.
pub async fn organization_delete(ctx: &Ctx, app: &App, if_match: IfMatch, dry_run: bool) -> Result<()> {
    let mut tx = app.db.system().begin().await?;
    let organization =
        store::organization_lock(&mut tx, ctx.organization).await?.ok_or(Error::NotFound("organization"))?;
    if_match.check(organization.version)?;
    if let Some(message) = store::organization_remains(&mut tx, ctx.organization).await?.told() {
        return Err(Error::conflict("organization_in_use", message));
    }
    if dry_run {
        return Ok(());
    }
    store::organization_delete(&mut tx, ctx.organization).await?;
    let subject = Subject::new("organization", organization.id.0, &organization.name);
    let before = serde_json::to_value(&organization).map_err(Error::internal)?;
    // Its own log goes with it; the platform's remembers.
    audit_append(&mut tx, None, &ctx.caller, "organization.deleted", &subject, Some(before), None).await?;
    tx.commit().await?;
    app.auth.forget_slugs();
    app.auth.forget_holdings();
    app.auth.forget_keys();
    Ok(())
}
