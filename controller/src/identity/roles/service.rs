//! The rules of roles: nobody puts more into one than they hold in the whole organization.

use super::model::{Role, RoleInput};
use super::store::{self, name_taken};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::Signal;
use crate::platform::http::permissions::SystemRole;
use crate::platform::http::{Ctx, IfMatch, List, Page, PermissionSet, Place};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{OrganizationId, RoleId, UserId};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

pub async fn role_list(ctx: &Ctx, app: &App, name: Option<&str>, page: &Page) -> Result<List<Role>> {
    let mut connection = app.db.org(ctx.organization).await?;
    let roles = store::role_list(&mut connection, ctx.organization, name, page).await?;
    Ok(List::new(roles, page, |role| role.id.0))
}

pub async fn role_get(ctx: &Ctx, app: &App, id: RoleId) -> Result<Role> {
    let mut connection = app.db.org(ctx.organization).await?;
    found(ctx, &mut connection, id).await
}

async fn found(ctx: &Ctx, connection: &mut PgConnection, id: RoleId) -> Result<Role> {
    store::role_get(connection, ctx.organization, id).await?.ok_or(Error::NotFound("role"))
}

/// Make a custom role.
pub async fn role_create(ctx: &Ctx, app: &App, new: RoleInput) -> Result<Role> {
    ctx.require_everywhere()?;
    ctx.require_held(new.permissions, &Place::default())?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let id = store::role_insert(&mut tx, ctx.organization, &new).await?.ok_or_else(|| name_taken(&new.name))?;
    let role = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "role.created", &role, None, Some(&role)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(role)
}

/// Change a custom role, for all who hold it. What it had already, though its editor does not hold it, may stay.
pub async fn role_update(
    ctx: &Ctx, app: &App, id: RoleId, if_match: IfMatch, change: impl FnOnce(&Role) -> Result<RoleInput>,
) -> Result<Role> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::role_lock(&mut tx, ctx.organization, id).await?;
    let before = found(ctx, &mut tx, id).await?;
    if_match.check(before.version)?;
    let to = change(&before)?;
    fixed(&before)?;
    let held = PermissionSet::from_keys(before.permissions.iter().map(String::as_str));
    ctx.require_held(to.permissions.minus(held), &Place::default())?;
    if !store::role_update(&mut tx, ctx.organization, id, before.version, &to).await? {
        return Err(Error::conflict("changed_meanwhile", "The role has just been changed; read it again, then retry."));
    }
    let after = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "role.updated", &after, Some(&before), Some(&after)).await?;
    tx.commit().await?;
    app.auth.forget_holdings();
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

/// Remove a custom role that nobody holds.
pub async fn role_delete(ctx: &Ctx, app: &App, id: RoleId, if_match: IfMatch, dry_run: bool) -> Result<()> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::role_lock(&mut tx, ctx.organization, id).await?;
    let role = found(ctx, &mut tx, id).await?;
    if_match.check(role.version)?;
    fixed(&role)?;
    let (people, accounts, invitations) = store::role_holders(&mut tx, ctx.organization, id).await?;
    if people + accounts + invitations > 0 {
        return Err(Error::conflict(
            "role_held",
            format!(
                "The role is held by {people} members and {accounts} service accounts, and offered by {invitations} \
                 invitations; give them another one first."
            ),
        ));
    }
    if dry_run {
        return Ok(());
    }
    store::role_delete(&mut tx, ctx.organization, id).await?;
    tell(ctx, &mut tx, "role.deleted", &role, Some(&role), None).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

fn fixed(role: &Role) -> Result<()> {
    if !role.is_system {
        return Ok(());
    }
    let message = format!("The role {} is the same in every organization; make a role of your own instead.", role.name);
    Err(Error::Unprocessable { code: "system_role", message })
}

async fn tell(
    ctx: &Ctx, connection: &mut PgConnection, action: &str, role: &Role, before: Option<&Role>, after: Option<&Role>,
) -> Result<()> {
    let subject = Subject::new("role", role.id.0, &role.name);
    let value = |role: &Role| -> Result<Value> { serde_json::to_value(role).map_err(Error::internal) };
    let (before, after) = (before.map(value).transpose()?, after.map(value).transpose()?);
    audit_append(connection, Some(ctx.organization), &ctx.caller, action, &subject, before, after).await?;
    event_append(connection, ctx.organization, action, ctx.actor(), &subject, json!({})).await
}

/// The system roles of a new organization; its owner gets the first of them.
pub async fn system_roles_create(
    connection: &mut PgConnection, organization: OrganizationId, owner: UserId,
) -> Result<()> {
    for role in SystemRole::ALL {
        let id = store::system_role_insert(connection, organization, role).await?;
        if role == SystemRole::Owner {
            store::grant_insert(connection, organization, owner, id).await?;
        }
    }
    Ok(())
}
