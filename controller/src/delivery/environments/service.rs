//! The rules of environments.

use super::model::{Environment, EnvironmentInput, EnvironmentStatus, EnvironmentType, NewEnvironment};
use super::store::{self, EnvironmentFilter};
use crate::app::App;
use crate::apps::instances::service::instance_remove_in;
use crate::delivery::counted;
use crate::delivery::projects::service::{place as place_of_project, project_find};
use crate::delivery::projects::store::project_lock;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::organizations::model::slug_candidates;
use crate::platform::bus::Signal;
use crate::platform::http::{Actor, Ctx, IfMatch, List, Page, Permission, Place};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{EnvironmentId, JobId, OrganizationId, ProjectId};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

/// Where an environment is, for scopes.
fn place(environment: &Environment) -> Place {
    Place { environment: Some(environment.id.0), ..place_of_project(environment.project_id) }
}

pub async fn environment_list(
    ctx: &Ctx, app: &App, name: Option<&str>, project: Option<ProjectId>, kind: Option<EnvironmentType>, page: &Page,
) -> Result<List<Environment>> {
    let mut connection = app.db.org(ctx.organization).await?;
    let filter = EnvironmentFilter { name, project, kind, reach: &ctx.reach() };
    let list = store::environment_list(&mut connection, ctx.organization, &filter, page).await?;
    Ok(List::new(list, page, |environment| environment.id.0))
}

/// The environments of a project that is in reach.
pub async fn project_environments(ctx: &Ctx, app: &App, project: ProjectId, page: &Page) -> Result<List<Environment>> {
    let mut connection = app.db.org(ctx.organization).await?;
    project_find(ctx, &mut connection, project).await?;
    let filter = EnvironmentFilter { name: None, project: Some(project), kind: None, reach: &ctx.reach() };
    let list = store::environment_list(&mut connection, ctx.organization, &filter, page).await?;
    Ok(List::new(list, page, |environment| environment.id.0))
}

pub async fn environment_get(ctx: &Ctx, app: &App, id: EnvironmentId) -> Result<Environment> {
    let mut connection = app.db.org(ctx.organization).await?;
    found(ctx, &mut connection, id).await
}

async fn found(ctx: &Ctx, connection: &mut PgConnection, id: EnvironmentId) -> Result<Environment> {
    let found = store::environment_get(connection, ctx.organization, &ctx.reach(), id).await?;
    found.ok_or(Error::NotFound("environment"))
}

/// Make an environment in a project that has not been put away.
pub async fn environment_create(
    ctx: &Ctx, app: &App, project: ProjectId, field: Option<&str>, new: NewEnvironment,
) -> Result<Environment> {
    ctx.require("project", &place_of_project(project))?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    project_lock(&mut tx, ctx.organization, project).await?;
    let parent = match (project_find(ctx, &mut tx, project).await, field) {
        (Err(Error::NotFound(_)), Some(field)) => {
            return Err(Error::field(field, "exists", "There is no such project."));
        }
        (found, _) => found?,
    };
    if parent.archived_at.is_some() {
        let message = format!("The project {} has been put away; take it back first.", parent.name);
        return Err(Error::conflict("project_archived", message));
    }
    let id = environment_add(&mut tx, ctx.organization, project, &new).await?;
    let environment = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "environment.created", &environment, None, Some(&environment)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(environment)
}

/// Add an environment, with a slug from its name.
pub async fn environment_add(
    connection: &mut PgConnection, organization: OrganizationId, project: ProjectId, new: &NewEnvironment,
) -> Result<EnvironmentId> {
    for slug in slug_candidates(&new.name) {
        if let Some(id) = store::environment_insert(connection, organization, project, new, &slug).await? {
            return Ok(id);
        }
    }
    Err(Error::conflict("name_taken", "There are too many environments of such a name; choose another name."))
}

pub async fn environment_update(
    ctx: &Ctx, app: &App, id: EnvironmentId, if_match: IfMatch,
    change: impl FnOnce(&Environment) -> Result<EnvironmentInput>,
) -> Result<Environment> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::environment_lock(&mut tx, ctx.organization, id).await?;
    let before = found(ctx, &mut tx, id).await?;
    if_match.check(before.version)?;
    let to = change(&before)?;
    if !store::environment_update(&mut tx, ctx.organization, id, before.version, &to).await? {
        let message = "The environment has just been changed; read it again, then retry.";
        return Err(Error::conflict("changed_meanwhile", message));
    }
    let after = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "environment.updated", &after, Some(&before), Some(&after)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

/// How an environment is to be deleted.
#[derive(Debug, Default)]
pub struct Removal {
    pub if_match: IfMatch,
    /// Its name, which has to be typed for production.
    pub confirm: Option<String>,
    pub dry_run: bool,
}

/// Delete an environment with its instances. Development's data goes with them, other volumes stay for a later purge; a
/// server that is away does its part on its return. The environment goes with the last instance. Jobs, one an instance.
pub async fn environment_delete(
    ctx: &Ctx, app: &App, id: EnvironmentId, how: Removal,
) -> Result<(Environment, Vec<JobId>)> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::environment_lock(&mut tx, ctx.organization, id).await?;
    let before = found(ctx, &mut tx, id).await?;
    ctx.require("environment", &place(&before))?;
    how.if_match.check(before.version)?;
    if before.kind == EnvironmentType::Production && how.confirm.as_deref() != Some(before.name.as_str()) {
        return Err(Error::Unprocessable {
            code: "confirmation_required",
            message: format!(
                "This is production with {}; say ?confirm={} to delete it.",
                counted(before.instances_count, "instance"),
                before.name
            ),
        });
    }
    if before.instances_count > 0 && !ctx.allows(Permission::ManageInstances, &place(&before)) {
        let message = "Its instances are deleted with it, which needs manage:instances there.";
        return Err(Error::forbidden("permission_denied", message));
    }
    if how.dry_run {
        return Ok((before, Vec::new()));
    }
    store::environment_mark_deleting(&mut tx, ctx.organization, id, true).await?;
    let mut removals = Vec::new();
    for instance in store::environment_instances(&mut tx, ctx.organization, id).await? {
        removals.push(instance_remove_in(ctx, app, &mut tx, instance).await?);
    }
    let mut after = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "environment.deleting", &after, Some(&before), Some(&after)).await?;
    if environment_emptied(&mut tx, ctx.organization, id, ctx.actor()).await? {
        app.auth.forget_holdings();
    } else {
        after.status = EnvironmentStatus::Deleting;
    }
    tx.commit().await?;
    drop(connection);
    app.bus.send(Signal::EventsAppended);
    let jobs = removals.into_iter().map(|removal| removal.told(ctx, app)).collect();
    Ok((after, jobs))
}

/// Remove an environment that is being deleted, if its last instance is gone.
pub async fn environment_emptied(
    connection: &mut PgConnection, organization: OrganizationId, id: EnvironmentId, actor: &Actor,
) -> Result<bool> {
    let Some(name) = store::environment_delete_emptied(connection, organization, id).await? else { return Ok(false) };
    let subject = Subject::new("environment", id.0, name);
    event_append(connection, organization, "environment.deleted", actor, &subject, json!({})).await?;
    Ok(true)
}

/// One of its instances could not be deleted: an environment that was to go with it stays.
pub async fn environment_kept(
    connection: &mut PgConnection, organization: OrganizationId, id: EnvironmentId, actor: &Actor,
) -> Result<()> {
    let Some(name) = store::environment_mark_deleting(connection, organization, id, false).await? else {
        return Ok(());
    };
    let subject = Subject::new("environment", id.0, name);
    event_append(connection, organization, "environment.kept", actor, &subject, json!({})).await
}

async fn tell(
    ctx: &Ctx, connection: &mut PgConnection, action: &str, environment: &Environment, before: Option<&Environment>,
    after: Option<&Environment>,
) -> Result<()> {
    let subject = Subject::new("environment", environment.id.0, &environment.name);
    let value = |one: &Environment| -> Result<Value> { serde_json::to_value(one).map_err(Error::internal) };
    let (before, after) = (before.map(value).transpose()?, after.map(value).transpose()?);
    audit_append(connection, Some(ctx.organization), &ctx.caller, action, &subject, before, after).await?;
    event_append(connection, ctx.organization, action, ctx.actor(), &subject, json!({})).await
}
