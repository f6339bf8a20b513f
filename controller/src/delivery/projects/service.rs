//! The rules of projects.

use super::model::{NewProject, Project, ProjectInput};
use super::store::{self, ProjectFilter};
use crate::app::App;
use crate::delivery::counted;
use crate::delivery::environments::model::{EnvironmentType, NewEnvironment};
use crate::delivery::environments::service::environment_add;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::organizations::model::slug_candidates;
use crate::platform::bus::Signal;
use crate::platform::http::{Ctx, IfMatch, List, Page, Place};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{OrganizationId, ProjectId};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

/// Where a project is, for scopes.
pub fn place(id: ProjectId) -> Place {
    Place { project: Some(id.0), ..Place::default() }
}

pub async fn project_list(
    ctx: &Ctx, app: &App, name: Option<&str>, q: Option<&str>, include_archived: bool, page: &Page,
) -> Result<List<Project>> {
    let mut connection = app.db.org(ctx.organization).await?;
    let filter = ProjectFilter { name, q, include_archived, reach: &ctx.reach() };
    let list = store::project_list(&mut connection, ctx.organization, &filter, page).await?;
    Ok(List::new(list, page, |project| project.id.0))
}

pub async fn project_get(ctx: &Ctx, app: &App, id: ProjectId) -> Result<Project> {
    let mut connection = app.db.org(ctx.organization).await?;
    project_find(ctx, &mut connection, id).await
}

/// A project that the route's permission reaches.
pub async fn project_find(ctx: &Ctx, connection: &mut PgConnection, id: ProjectId) -> Result<Project> {
    let found = store::project_get(connection, ctx.organization, &ctx.reach(), id).await?;
    found.ok_or(Error::NotFound("project"))
}

/// Make a project with its first environments.
pub async fn project_create(ctx: &Ctx, app: &App, new: NewProject) -> Result<Project> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let id = project_add(&mut tx, ctx.organization, &new).await?;
    let project = project_find(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "project.created", &project, None, Some(&project)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(project)
}

async fn project_add(
    connection: &mut PgConnection, organization: OrganizationId, new: &NewProject,
) -> Result<ProjectId> {
    for slug in slug_candidates(&new.name) {
        let Some(id) = store::project_insert(connection, organization, new, &slug).await? else { continue };
        for kind in &new.environments {
            let first = NewEnvironment { name: kind.title().into(), description: String::new(), kind: *kind };
            environment_add(connection, organization, id, &first).await?;
        }
        return Ok(id);
    }
    Err(Error::conflict("name_taken", "There are too many projects of such a name; choose another name."))
}

/// What each organization starts with: one project with one environment of each type.
pub async fn project_create_default(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    let environments = EnvironmentType::ALL.to_vec();
    let first = NewProject { name: "Default".into(), description: String::new(), odoo_version: None, environments };
    project_add(connection, organization, &first).await.map(|_| ())
}

/// Change a project, or put it away; only one without instances can be put away.
pub async fn project_update(
    ctx: &Ctx, app: &App, id: ProjectId, if_match: IfMatch, change: impl FnOnce(&Project) -> Result<ProjectInput>,
) -> Result<Project> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::project_lock(&mut tx, ctx.organization, id).await?;
    let before = project_find(ctx, &mut tx, id).await?;
    if_match.check(before.version)?;
    let to = change(&before)?;
    if to.archived && before.archived_at.is_none() && before.instances_count > 0 {
        let instances = counted(before.instances_count, "instance");
        let message = format!("The project has {instances}, which nobody would see any more; empty it first.");
        return Err(Error::conflict("project_in_use", message));
    }
    if !store::project_update(&mut tx, ctx.organization, id, before.version, &to).await? {
        return Err(Error::conflict(
            "changed_meanwhile",
            "The project has just been changed; read it again, then retry.",
        ));
    }
    let after = project_find(ctx, &mut tx, id).await?;
    let action = match (before.archived_at, after.archived_at) {
        (None, Some(_)) => "project.archived",
        (Some(_), None) => "project.restored",
        _ => "project.updated",
    };
    tell(ctx, &mut tx, action, &after, Some(&before), Some(&after)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

/// Remove a project without environments.
pub async fn project_delete(ctx: &Ctx, app: &App, id: ProjectId, if_match: IfMatch, dry_run: bool) -> Result<Project> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::project_lock(&mut tx, ctx.organization, id).await?;
    let project = project_find(ctx, &mut tx, id).await?;
    if_match.check(project.version)?;
    if project.environments_count > 0 {
        let environments = counted(project.environments_count, "environment");
        let them = if project.environments_count == 1 { "it" } else { "them" };
        let message = format!("The project has {environments}; delete {them} first.");
        return Err(Error::conflict("project_in_use", message));
    }
    if dry_run {
        return Ok(project);
    }
    store::project_delete(&mut tx, ctx.organization, id).await?;
    tell(ctx, &mut tx, "project.deleted", &project, Some(&project), None).await?;
    tx.commit().await?;
    app.auth.forget_holdings();
    app.bus.send(Signal::EventsAppended);
    Ok(project)
}

async fn tell(
    ctx: &Ctx, connection: &mut PgConnection, action: &str, project: &Project, before: Option<&Project>,
    after: Option<&Project>,
) -> Result<()> {
    let subject = Subject::new("project", project.id.0, &project.name);
    let value = |project: &Project| -> Result<Value> { serde_json::to_value(project).map_err(Error::internal) };
    let (before, after) = (before.map(value).transpose()?, after.map(value).transpose()?);
    audit_append(connection, Some(ctx.organization), &ctx.caller, action, &subject, before, after).await?;
    event_append(connection, ctx.organization, action, ctx.actor(), &subject, json!({})).await
}
