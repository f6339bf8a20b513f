//! The rules of organizations.

use super::model::{NewOrganization, Organization, slug_candidates, slug_check};
use super::store;
use crate::app::App;
use crate::delivery::projects::service::project_create_default;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::roles::service::system_roles_create;
use crate::platform::bus::Signal;
use crate::platform::http::{Caller, Ctx, List, Page};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, UserId};
use serde_json::json;
use sqlx::PgConnection;

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
