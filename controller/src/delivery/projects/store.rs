//! Every query on `projects`.

use super::model::Project;
use crate::error::Result;
use crate::platform::http::{Page, Reach};
use ocore_shared::ids::{OrganizationId, ProjectId};
use sqlx::PgConnection;

/// Which projects a list shows.
pub struct ProjectFilter<'a> {
    pub name: Option<&'a str>,
    pub include_archived: bool,
    pub reach: &'a Reach,
}

pub async fn project_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &ProjectFilter<'_>, page: &Page,
) -> Result<Vec<Project>> {
    let list = sqlx::query_as!(
        Project,
        r#"select p.id as "id: ProjectId", p.name, p.slug, p.description, p.archived_at, p.version, p.created_at,
                  p.updated_at,
                  (select count(*) from environments e where e.project_id = p.id) as "environments_count!"
           from projects p
           where p.organization_id = $1 and ($2 or p.id = any($3)) and ($4 or p.archived_at is null)
             and ($5::text is null or p.name = $5) and ($6::uuid is null or p.id < $6)
           order by p.id desc limit $7"#,
        organization.0,
        filter.reach.all,
        &filter.reach.projects,
        filter.include_archived,
        filter.name,
        page.before()?,
        page.fetch()
    )
    .fetch_all(connection)
    .await?;
    Ok(list)
}

pub async fn project_insert(
    connection: &mut PgConnection, organization: OrganizationId, name: &str, slug: &str,
) -> Result<ProjectId> {
    let id = ProjectId::new();
    sqlx::query!(
        "insert into projects (id, organization_id, name, slug) values ($1, $2, $3, $4)",
        id.0,
        organization.0,
        name,
        slug
    )
    .execute(connection)
    .await?;
    Ok(id)
}
