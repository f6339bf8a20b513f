//! Every query on `environments`.

use super::model::{Environment, EnvironmentInput, EnvironmentStatus, EnvironmentType, NewEnvironment};
use crate::error::{Error, Result};
use crate::platform::http::{Page, Reach};
use ocore_shared::ids::{EnvironmentId, InstanceId, OrganizationId, ProjectId};
use sqlx::PgConnection;

/// Which environments a list shows.
pub struct EnvironmentFilter<'a> {
    pub name: Option<&'a str>,
    pub project: Option<ProjectId>,
    pub kind: Option<EnvironmentType>,
    pub reach: &'a Reach,
}

/// Environments, of which the condition says which.
macro_rules! environment_query {
    ($which:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Environment,
            r#"select e.id as "id: EnvironmentId", e.project_id as "project_id: ProjectId", p.name as project_name,
                      e.name, e.slug, e.type as "kind: EnvironmentType", e.description,
                      case when e.deleting_at is null then 'active' else 'deleting' end as "status!: EnvironmentStatus",
                      e.version, e.created_at, e.updated_at,
                      (select count(*) from instances i where i.environment_id = e.id) as "instances_count!"
               from environments e join projects p on p.id = e.project_id where e.organization_id = $1 and "# + $which,
            $($argument),+
        )
    };
}

pub async fn environment_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &EnvironmentFilter<'_>, page: &Page,
) -> Result<Vec<Environment>> {
    let list = environment_query!(
        "($2 or e.project_id = any($3) or e.id = any($4)) and ($5::text is null or e.name = $5)
         and ($6::uuid is null or e.project_id = $6) and ($7::text is null or e.type = $7)
         and ($8::uuid is null or e.id < $8)
         order by e.id desc limit $9",
        organization.0,
        filter.reach.all,
        &filter.reach.projects,
        &filter.reach.environments,
        filter.name,
        filter.project.map(|p| p.0),
        filter.kind.map(EnvironmentType::word),
        page.before()?,
        page.fetch()
    )
    .fetch_all(connection)
    .await?;
    Ok(list)
}

/// An environment, if it is in reach.
pub async fn environment_get(
    connection: &mut PgConnection, organization: OrganizationId, reach: &Reach, id: EnvironmentId,
) -> Result<Option<Environment>> {
    let environment = environment_query!(
        "e.id = $2 and ($3 or e.project_id = any($4) or e.id = any($5))",
        organization.0,
        id.0,
        reach.all,
        &reach.projects,
        &reach.environments
    )
    .fetch_optional(connection)
    .await?;
    Ok(environment)
}

/// Lock an environment that is to be changed, or that something is made in: of two, one waits.
pub async fn environment_lock(
    connection: &mut PgConnection, organization: OrganizationId, id: EnvironmentId,
) -> Result<()> {
    sqlx::query!("select id from environments where organization_id = $1 and id = $2 for update", organization.0, id.0)
        .fetch_optional(connection)
        .await?;
    Ok(())
}

/// None: the slug is taken.
pub async fn environment_insert(
    connection: &mut PgConnection, organization: OrganizationId, project: ProjectId, new: &NewEnvironment, slug: &str,
) -> Result<Option<EnvironmentId>> {
    let id = sqlx::query_scalar!(
        r#"insert into environments (id, organization_id, project_id, name, slug, type, description)
           values ($1, $2, $3, $4, $5, $6, $7)
           on conflict (project_id, slug) do nothing returning id as "id: EnvironmentId""#,
        EnvironmentId::new().0,
        organization.0,
        project.0,
        new.name,
        slug,
        new.kind.word(),
        new.description
    )
    .fetch_optional(connection)
    .await;
    match id {
        Err(sqlx::Error::Database(e)) if e.constraint() == Some("environments_production") => Err(Error::conflict(
            "production_exists",
            "A project has one production environment, and this one has it already; choose another type.",
        )),
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(name_taken(&new.name)),
        other => Ok(other?),
    }
}

/// Change an environment of that version. False: somebody else was faster.
pub async fn environment_update(
    connection: &mut PgConnection, organization: OrganizationId, id: EnvironmentId, version: i64, to: &EnvironmentInput,
) -> Result<bool> {
    let done = sqlx::query!(
        "update environments set name = $4, description = $5, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and version = $3",
        organization.0,
        id.0,
        version,
        to.name,
        to.description
    )
    .execute(connection)
    .await;
    match done {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(name_taken(&to.name)),
        other => Ok(other?.rows_affected() > 0),
    }
}

/// Say that an environment goes with its last instance, or that it stays after all. Its name, if that is new.
pub async fn environment_mark_deleting(
    connection: &mut PgConnection, organization: OrganizationId, id: EnvironmentId, deleting: bool,
) -> Result<Option<String>> {
    let name = sqlx::query_scalar!(
        "update environments set deleting_at = case when $3 then coalesce(deleting_at, now()) end,
             version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and (deleting_at is not null) <> $3 returning name",
        organization.0,
        id.0,
        deleting
    )
    .fetch_optional(connection)
    .await?;
    Ok(name)
}

/// Its instances that are not being deleted yet.
pub async fn environment_instances(
    connection: &mut PgConnection, organization: OrganizationId, id: EnvironmentId,
) -> Result<Vec<InstanceId>> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id: InstanceId" from instances
           where organization_id = $1 and environment_id = $2 and status <> 'removing' order by id"#,
        organization.0,
        id.0
    )
    .fetch_all(connection)
    .await?;
    Ok(ids)
}

/// Remove an environment that is being deleted and has no instance any more. Its name, or None when it stays.
pub async fn environment_delete_emptied(
    connection: &mut PgConnection, organization: OrganizationId, id: EnvironmentId,
) -> Result<Option<String>> {
    let name = sqlx::query_scalar!(
        "delete from environments e where organization_id = $1 and id = $2 and deleting_at is not null
             and not exists (select from instances i where i.environment_id = e.id) returning name",
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(name)
}

fn name_taken(name: &str) -> Error {
    let message = format!("The project has an environment named '{name}' already; choose another name.");
    Error::conflict("name_taken", message)
}
