use super::model::{NewProject, Project, ProjectInput};
use super::service;
use crate::app::App;
use crate::apps::instances::model::known_version;
use crate::delivery::Removed;
use crate::delivery::environments::model::EnvironmentType;
use crate::error::{ErrorBody, Result};
use crate::platform::http::names::name_check;
use crate::platform::http::patch::present;
use crate::platform::http::{
    Body, Ctx, DryRun, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::ProjectId;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewProjects, routes!(project_list)))
        .routes(guard(Permission::ManageProjects, routes!(project_create)))
        .routes(guard(Permission::ViewProjects, routes!(project_get)))
        .routes(guard(Permission::ManageProjects, routes!(project_update)))
        .routes(guard(Permission::ManageProjects, routes!(project_delete)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ProjectListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    /// Part of name or slug.
    #[garde(length(max = 100))]
    q: Option<String>,
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
    let (name, q) = (params.name.as_deref(), params.q.as_deref());
    service::project_list(&ctx, &app, name, q, params.include_archived, &params.page).await.map(Json)
}

/// A project to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectCreate {
    /// Unique in the organization.
    #[garde(length(chars, min = 3, max = 64), custom(name_check))]
    #[schema(min_length = 3, max_length = 64)]
    name: String,
    #[garde(length(chars, max = 500))]
    #[serde(default)]
    description: String,
    /// `14.0` to `19.0`: what its new instances run unless they say otherwise.
    #[garde(inner(custom(known_version)))]
    odoo_version: Option<String>,
    /// It starts with one environment of each of these types; all three when left out.
    #[garde(length(max = 3))]
    #[serde(default = "all_types")]
    environments: Vec<EnvironmentType>,
}

fn all_types() -> Vec<EnvironmentType> {
    EnvironmentType::ALL.to_vec()
}

/// What a project becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectUpdate {
    #[garde(inner(length(chars, min = 3, max = 64), custom(name_check)))]
    #[schema(min_length = 3, max_length = 64)]
    name: Option<String>,
    #[garde(inner(length(chars, max = 500)))]
    description: Option<String>,
    /// Null: the newest that oCore recommends.
    #[garde(inner(inner(custom(known_version))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    odoo_version: Option<Option<String>>,
    /// Put it away, or take it back.
    #[garde(skip)]
    archived: Option<bool>,
}

impl PatchFields for ProjectUpdate {
    const FIELDS: &'static [&'static str] = &["name", "description", "odoo_version", "archived"];
}

/// Make a project.
#[utoipa::path(post, path = "/api/projects", tag = "Projects", request_body = ProjectCreate,
    responses((status = 201, description = "Made, with its environments", body = Project),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "The name is taken", body = ErrorBody)))]
async fn project_create(
    ctx: Ctx, State(app): State<App>, Body(body): Body<ProjectCreate>,
) -> Result<Versioned<Project>> {
    let ProjectCreate { name, description, odoo_version, mut environments } = body;
    environments.sort_unstable();
    environments.dedup();
    let new = NewProject { name, description, odoo_version, environments };
    let project = service::project_create(&ctx, &app, new).await?;
    let version = project.version;
    Ok(Versioned(StatusCode::CREATED, project, version))
}

/// Read a project.
#[utoipa::path(get, path = "/api/projects/{project_id}", tag = "Projects", params(("project_id" = ProjectId, Path)),
    responses((status = 200, description = "The project", body = Project),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn project_get(ctx: Ctx, State(app): State<App>, Path(id): Path<ProjectId>) -> Result<Versioned<Project>> {
    let project = service::project_get(&ctx, &app, id).await?;
    let version = project.version;
    Ok(Versioned(StatusCode::OK, project, version))
}

/// Change a project, or put it away.
#[utoipa::path(patch, path = "/api/projects/{project_id}", tag = "Projects",
    params(("project_id" = ProjectId, Path)), request_body = ProjectUpdate,
    responses((status = 200, description = "The project as it is now", body = Project),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "The name is taken, it has instances, or it has just been changed", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn project_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ProjectId>, if_match: IfMatch, body: Patch<ProjectUpdate>,
) -> Result<Versioned<Project>> {
    let change = |project: &Project| {
        let body = body.read(project)?;
        Ok(ProjectInput {
            name: body.name.unwrap_or_else(|| project.name.clone()),
            description: body.description.unwrap_or_else(|| project.description.clone()),
            odoo_version: body.odoo_version.unwrap_or_else(|| project.odoo_version.clone()),
            archived: body.archived.unwrap_or(project.archived_at.is_some()),
        })
    };
    let project = service::project_update(&ctx, &app, id, if_match, change).await?;
    let version = project.version;
    Ok(Versioned(StatusCode::OK, project, version))
}

/// Delete a project without environments.
#[utoipa::path(delete, path = "/api/projects/{project_id}", tag = "Projects",
    params(("project_id" = ProjectId, Path), DryRun),
    responses((status = 202, description = "Deleted", body = Removed),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It has environments", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn project_delete(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ProjectId>, if_match: IfMatch, Params(params): Params<DryRun>,
) -> Result<(StatusCode, Json<Removed>)> {
    let project = service::project_delete(&ctx, &app, id, if_match, params.dry_run).await?;
    Ok((StatusCode::ACCEPTED, Json(Removed::at_once(project.id.0, params.dry_run))))
}
