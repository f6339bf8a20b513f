use super::model::Project;
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::platform::http::{Ctx, List, Page, Params, Permission, guard};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Permission::ViewProjects, routes!(project_list)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ProjectListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    /// Also those that are put away.
    #[garde(skip)]
    #[serde(default)]
    include_archived: bool,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List projects.
#[utoipa::path(get, path = "/api/projects", tag = "Projects", params(ProjectListParams, Page),
    responses((status = 200, description = "Projects, newest first", body = List<Project>)))]
async fn project_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<ProjectListParams>,
) -> Result<Json<List<Project>>> {
    service::project_list(&ctx, &app, params.name.as_deref(), params.include_archived, &params.page).await.map(Json)
}
