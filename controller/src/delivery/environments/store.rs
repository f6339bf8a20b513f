//! Every query on `environments`.

use super::model::{Environment, EnvironmentType};
use crate::error::Result;
use crate::platform::http::{Page, Reach};
use ocore_shared::ids::{EnvironmentId, OrganizationId, ProjectId};
use sqlx::PgConnection;

/// Which environments a list shows.
pub struct EnvironmentFilter<'a> {
    pub name: Option<&'a str>,
    pub project: Option<ProjectId>,
    pub kind: Option<EnvironmentType>,
    pub reach: &'a Reach,
}

pub async fn environment_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &EnvironmentFilter<'_>, page: &Page,
) -> Result<Vec<Environment>> {
    let list = sqlx::query_as!(
        Environment,
        r#"select e.id as "id: EnvironmentId", e.project_id as "project_id: ProjectId", p.name as project_name, e.name,
                  e.slug, e.type as "kind: EnvironmentType", e.version, e.created_at, e.updated_at,
                  (select count(*) from instances i where i.environment_id = e.id) as "instances_count!"
           from environments e join projects p on p.id = e.project_id
           where e.organization_id = $1 and ($2 or e.project_id = any($3) or e.id = any($4))
             and ($5::text is null or e.name = $5) and ($6::uuid is null or e.project_id = $6)
             and ($7::text is null or e.type = $7) and ($8::uuid is null or e.id < $8)
           order by e.id desc limit $9"#,
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

pub async fn environment_insert(
    connection: &mut PgConnection, organization: OrganizationId, project: ProjectId, name: &str, slug: &str,
    kind: EnvironmentType,
) -> Result<EnvironmentId> {
    let id = EnvironmentId::new();
    sqlx::query!(
        "insert into environments (id, organization_id, project_id, name, slug, type) values ($1, $2, $3, $4, $5, $6)",
        id.0,
        organization.0,
        project.0,
        name,
        slug,
        kind.word()
    )
    .execute(connection)
    .await?;
    Ok(id)
}
