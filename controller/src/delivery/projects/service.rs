//! The rules of projects.

use super::model::Project;
use super::store::{self, ProjectFilter};
use crate::app::App;
use crate::delivery::environments::model::EnvironmentType;
use crate::delivery::environments::store::environment_insert;
use crate::error::Result;
use crate::platform::http::{Ctx, List, Page};
use ocore_shared::ids::OrganizationId;
use sqlx::PgConnection;

pub async fn project_list(
    ctx: &Ctx, app: &App, name: Option<&str>, include_archived: bool, page: &Page,
) -> Result<List<Project>> {
    let mut connection = app.db.org(ctx.organization).await?;
    let filter = ProjectFilter { name, include_archived, reach: &ctx.reach() };
    let list = store::project_list(&mut connection, ctx.organization, &filter, page).await?;
    Ok(List::new(list, page, |project| project.id.0))
}

/// What each organization starts with: one project with one environment of each type.
pub async fn project_create_default(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    let project = store::project_insert(connection, organization, "Default", "default").await?;
    for kind in EnvironmentType::ALL {
        environment_insert(connection, organization, project, kind.title(), kind.word(), kind).await?;
    }
    Ok(())
}
