use super::model::{Environment, EnvironmentType};
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::platform::http::{Ctx, List, Page, Params, Permission, guard};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use ocore_shared::ids::ProjectId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Permission::ViewProjects, routes!(environment_list)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct EnvironmentListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    /// Only of this project.
    #[garde(skip)]
    project_id: Option<ProjectId>,
    /// Only of this type.
    #[garde(skip)]
    #[serde(rename = "type")]
    kind: Option<EnvironmentType>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List environments.
#[utoipa::path(get, path = "/api/environments", tag = "Environments", params(EnvironmentListParams, Page),
    responses((status = 200, description = "Environments, newest first", body = List<Environment>)))]
async fn environment_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<EnvironmentListParams>,
) -> Result<Json<List<Environment>>> {
    let EnvironmentListParams { name, project_id, kind, page } = params;
    service::environment_list(&ctx, &app, name.as_deref(), project_id, kind, &page).await.map(Json)
}
