//! Every query on `projects`.

use super::model::{NewProject, Project, ProjectInput};
use crate::error::{Error, Result};
use crate::platform::http::{Page, Reach};
use ocore_shared::ids::{OrganizationId, ProjectId};
use sqlx::PgConnection;

/// Which projects a list shows.
pub struct ProjectFilter<'a> {
    pub name: Option<&'a str>,
    /// Part of name or slug.
    pub q: Option<&'a str>,
    pub include_archived: bool,
    pub reach: &'a Reach,
}

/// Projects, of which the condition says which.
macro_rules! project_query {
    ($which:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Project,
            r#"select p.id as "id: ProjectId", p.name, p.slug, p.description, p.odoo_version, p.archived_at, p.version,
                      p.created_at, p.updated_at,
                      (select count(*) from environments e where e.project_id = p.id) as "environments_count!",
                      (select count(*) from instances i where i.project_id = p.id) as "instances_count!"
               from projects p where p.organization_id = $1 and "# + $which,
            $($argument),+
        )
    };
}

pub async fn project_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &ProjectFilter<'_>, page: &Page,
) -> Result<Vec<Project>> {
    let list = project_query!(
        "($2 or p.id = any($3)) and ($4 or p.archived_at is null) and ($5::text is null or p.name = $5)
         and ($8::text is null or p.name ilike '%' || $8 || '%' or p.slug ilike '%' || $8 || '%')
         and ($6::uuid is null or p.id < $6)
         order by p.id desc limit $7",
        organization.0,
        filter.reach.all,
        &filter.reach.projects,
        filter.include_archived,
        filter.name,
        page.before()?,
        page.fetch(),
        filter.q
    )
    .fetch_all(connection)
    .await?;
    Ok(list)
}

/// A project, if it is in reach.
pub async fn project_get(
    connection: &mut PgConnection, organization: OrganizationId, reach: &Reach, id: ProjectId,
) -> Result<Option<Project>> {
    let project =
        project_query!("p.id = $2 and ($3 or p.id = any($4))", organization.0, id.0, reach.all, &reach.projects)
            .fetch_optional(connection)
            .await?;
    Ok(project)
}

/// Lock a project that is to be changed, or that something is made in: of two, one waits.
pub async fn project_lock(connection: &mut PgConnection, organization: OrganizationId, id: ProjectId) -> Result<()> {
    sqlx::query!("select id from projects where organization_id = $1 and id = $2 for update", organization.0, id.0)
        .fetch_optional(connection)
        .await?;
    Ok(())
}

/// None: the slug is taken.
pub async fn project_insert(
    connection: &mut PgConnection, organization: OrganizationId, new: &NewProject, slug: &str,
) -> Result<Option<ProjectId>> {
    let id = sqlx::query_scalar!(
        r#"insert into projects (id, organization_id, name, slug, description, odoo_version)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (organization_id, slug) do nothing returning id as "id: ProjectId""#,
        ProjectId::new().0,
        organization.0,
        new.name,
        slug,
        new.description,
        new.odoo_version
    )
    .fetch_optional(connection)
    .await;
    match id {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(name_taken(&new.name)),
        other => Ok(other?),
    }
}

/// Change a project of that version. False: somebody else was faster.
pub async fn project_update(
    connection: &mut PgConnection, organization: OrganizationId, id: ProjectId, version: i64, to: &ProjectInput,
) -> Result<bool> {
    let done = sqlx::query!(
        "update projects set name = $4, description = $5, odoo_version = $6,
             archived_at = case when $7 then coalesce(archived_at, now()) end, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and version = $3",
        organization.0,
        id.0,
        version,
        to.name,
        to.description,
        to.odoo_version,
        to.archived
    )
    .execute(connection)
    .await;
    match done {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(name_taken(&to.name)),
        other => Ok(other?.rows_affected() > 0),
    }
}

/// Remove a project, with the roles that were given in it.
pub async fn project_delete(connection: &mut PgConnection, organization: OrganizationId, id: ProjectId) -> Result<()> {
    sqlx::query!("delete from projects where organization_id = $1 and id = $2", organization.0, id.0)
        .execute(connection)
        .await?;
    Ok(())
}

fn name_taken(name: &str) -> Error {
    Error::conflict("name_taken", format!("There is a project named '{name}' already; choose another name."))
}
