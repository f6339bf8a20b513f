use super::model::{Environment, EnvironmentInput, EnvironmentType, NewEnvironment};
use super::service::{self, Removal};
use crate::app::App;
use crate::delivery::Removed;
use crate::error::{ErrorBody, Result};
use crate::platform::http::names::name_check;
use crate::platform::http::{
    Body, Ctx, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::{EnvironmentId, ProjectId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewProjects, routes!(environment_list)))
        .routes(guard(Permission::ManageProjects, routes!(environment_create)))
        .routes(guard(Permission::ViewProjects, routes!(project_environment_list)))
        .routes(guard(Permission::ManageProjects, routes!(project_environment_create)))
        .routes(guard(Permission::ViewProjects, routes!(environment_get)))
        .routes(guard(Permission::ManageProjects, routes!(environment_update)))
        .routes(guard(Permission::ManageProjects, routes!(environment_delete)))
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

/// List the environments of a project.
#[utoipa::path(get, path = "/api/projects/{project_id}/environments", tag = "Projects",
    params(("project_id" = ProjectId, Path), Page),
    responses((status = 200, description = "Its environments, newest first", body = List<Environment>),
        (status = 404, description = "There is no such project", body = ErrorBody)))]
async fn project_environment_list(
    ctx: Ctx, State(app): State<App>, Path(project): Path<ProjectId>, Params(page): Params<Page>,
) -> Result<Json<List<Environment>>> {
    service::project_environments(&ctx, &app, project, &page).await.map(Json)
}

/// An environment to make in a project.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectEnvironmentCreate {
    /// Unique in the project.
    #[garde(length(chars, min = 3, max = 64), custom(name_check))]
    #[schema(min_length = 3, max_length = 64)]
    name: String,
    /// A project has one production environment and any number of the others.
    #[garde(skip)]
    #[serde(rename = "type")]
    kind: EnvironmentType,
    #[garde(length(chars, max = 500))]
    #[serde(default)]
    description: String,
}

/// An environment to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentCreate {
    #[garde(skip)]
    project_id: ProjectId,
    /// Unique in the project.
    #[garde(length(chars, min = 3, max = 64), custom(name_check))]
    #[schema(min_length = 3, max_length = 64)]
    name: String,
    /// A project has one production environment and any number of the others.
    #[garde(skip)]
    #[serde(rename = "type")]
    kind: EnvironmentType,
    #[garde(length(chars, max = 500))]
    #[serde(default)]
    description: String,
}

/// Make an environment in the project that the body names.
#[utoipa::path(post, path = "/api/environments", tag = "Environments", request_body = EnvironmentCreate,
    responses((status = 201, description = "Made", body = Environment),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "The name is taken, there is a production environment already, or the project is put away", body = ErrorBody)))]
async fn environment_create(
    ctx: Ctx, State(app): State<App>, Body(body): Body<EnvironmentCreate>,
) -> Result<Versioned<Environment>> {
    let EnvironmentCreate { project_id, name, kind, description } = body;
    let new = NewEnvironment { name, description, kind };
    made(service::environment_create(&ctx, &app, project_id, Some("project_id"), new).await?)
}

/// Make an environment in a project.
#[utoipa::path(post, path = "/api/projects/{project_id}/environments", tag = "Projects",
    params(("project_id" = ProjectId, Path)), request_body = ProjectEnvironmentCreate,
    responses((status = 201, description = "Made", body = Environment),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is no such project", body = ErrorBody),
        (status = 409, description = "The name is taken, there is a production environment already, or the project is put away", body = ErrorBody)))]
async fn project_environment_create(
    ctx: Ctx, State(app): State<App>, Path(project): Path<ProjectId>, Body(body): Body<ProjectEnvironmentCreate>,
) -> Result<Versioned<Environment>> {
    let ProjectEnvironmentCreate { name, kind, description } = body;
    let new = NewEnvironment { name, description, kind };
    made(service::environment_create(&ctx, &app, project, None, new).await?)
}

fn made(environment: Environment) -> Result<Versioned<Environment>> {
    let version = environment.version;
    Ok(Versioned(StatusCode::CREATED, environment, version))
}

/// Read an environment.
#[utoipa::path(get, path = "/api/environments/{env_id}", tag = "Environments", params(("env_id" = EnvironmentId, Path)),
    responses((status = 200, description = "The environment", body = Environment),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn environment_get(
    ctx: Ctx, State(app): State<App>, Path(id): Path<EnvironmentId>,
) -> Result<Versioned<Environment>> {
    let environment = service::environment_get(&ctx, &app, id).await?;
    let version = environment.version;
    Ok(Versioned(StatusCode::OK, environment, version))
}

/// What an environment becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentUpdate {
    #[garde(inner(length(chars, min = 3, max = 64), custom(name_check)))]
    #[schema(min_length = 3, max_length = 64)]
    name: Option<String>,
    #[garde(inner(length(chars, max = 500)))]
    description: Option<String>,
}

impl PatchFields for EnvironmentUpdate {
    const FIELDS: &'static [&'static str] = &["name", "description"];
}

/// Change an environment; its type stays.
#[utoipa::path(patch, path = "/api/environments/{env_id}", tag = "Environments",
    params(("env_id" = EnvironmentId, Path)), request_body = EnvironmentUpdate,
    responses((status = 200, description = "The environment as it is now", body = Environment),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "The name is taken, or it has just been changed", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn environment_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<EnvironmentId>, if_match: IfMatch, body: Patch<EnvironmentUpdate>,
) -> Result<Versioned<Environment>> {
    let change = |environment: &Environment| {
        let body = body.read(environment)?;
        Ok(EnvironmentInput {
            name: body.name.unwrap_or_else(|| environment.name.clone()),
            description: body.description.unwrap_or_else(|| environment.description.clone()),
        })
    };
    let environment = service::environment_update(&ctx, &app, id, if_match, change).await?;
    let version = environment.version;
    Ok(Versioned(StatusCode::OK, environment, version))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct EnvironmentDeleteParams {
    /// The environment's name, which production asks for.
    #[garde(skip)]
    confirm: Option<String>,
    /// Only check whether it would be done.
    #[garde(skip)]
    #[serde(default)]
    dry_run: bool,
}

/// Delete an environment with its instances.
#[utoipa::path(delete, path = "/api/environments/{env_id}", tag = "Environments",
    params(("env_id" = EnvironmentId, Path), EnvironmentDeleteParams),
    responses((status = 202, description = "It goes with the last of its instances", body = Removed),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "A job is under way for one of its instances", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody),
        (status = 422, description = "It is production, and its name was not given", body = ErrorBody)))]
async fn environment_delete(
    ctx: Ctx, State(app): State<App>, Path(id): Path<EnvironmentId>, if_match: IfMatch,
    Params(params): Params<EnvironmentDeleteParams>,
) -> Result<(StatusCode, Json<Removed>)> {
    let EnvironmentDeleteParams { confirm, dry_run } = params;
    let (environment, jobs) =
        service::environment_delete(&ctx, &app, id, Removal { if_match, confirm, dry_run }).await?;
    let removed = match jobs.is_empty() {
        true => Removed::at_once(environment.id.0, dry_run),
        false => Removed::by_jobs(environment.id.0, jobs),
    };
    Ok((StatusCode::ACCEPTED, Json(removed)))
}
