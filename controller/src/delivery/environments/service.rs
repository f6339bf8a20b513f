//! The rules of environments.

use super::model::{Environment, EnvironmentType};
use super::store::{self, EnvironmentFilter};
use crate::app::App;
use crate::error::Result;
use crate::platform::http::{Ctx, List, Page};
use ocore_shared::ids::ProjectId;

pub async fn environment_list(
    ctx: &Ctx, app: &App, name: Option<&str>, project: Option<ProjectId>, kind: Option<EnvironmentType>, page: &Page,
) -> Result<List<Environment>> {
    let mut connection = app.db.org(ctx.organization).await?;
    let filter = EnvironmentFilter { name, project, kind, reach: &ctx.reach() };
    let list = store::environment_list(&mut connection, ctx.organization, &filter, page).await?;
    Ok(List::new(list, page, |environment| environment.id.0))
}
