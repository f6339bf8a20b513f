use super::model::{Role, RoleInput};
use super::service;
use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::platform::http::names::name_check;
use crate::platform::http::{
    Body, Ctx, DryRun, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, PermissionSet, Versioned,
    guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::RoleId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewRoles, routes!(permission_list)))
        .routes(guard(Permission::ViewRoles, routes!(role_list)))
        .routes(guard(Permission::ManageRoles, routes!(role_create)))
        .routes(guard(Permission::ViewRoles, routes!(role_get)))
        .routes(guard(Permission::ManageRoles, routes!(role_update)))
        .routes(guard(Permission::ManageRoles, routes!(role_delete)))
}

/// One thing that can be allowed.
#[derive(Debug, Serialize, ToSchema)]
struct PermissionView {
    /// `action:resource`; `manage` includes `view`.
    key: &'static str,
    description: &'static str,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RoleListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List all permissions.
#[utoipa::path(get, path = "/api/permissions", tag = "Roles and Permissions",
    responses((status = 200, description = "Every permission, on one page", body = List<PermissionView>)))]
async fn permission_list(_: Ctx) -> Json<List<PermissionView>> {
    let view = |p: &Permission| PermissionView { key: p.key(), description: p.description() };
    Json(List::whole(Permission::ALL.iter().map(view).collect()))
}

/// List roles.
#[utoipa::path(get, path = "/api/roles", tag = "Roles and Permissions", params(RoleListParams, Page),
    responses((status = 200, description = "System and custom roles, newest first", body = List<Role>)))]
async fn role_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<RoleListParams>,
) -> Result<Json<List<Role>>> {
    service::role_list(&ctx, &app, params.name.as_deref(), &params.page).await.map(Json)
}

/// A custom role to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Operator", "description": "Restarts, nothing else", "permissions": ["manage:instances"]}))]
pub struct RoleCreate {
    /// Unique in the organization.
    #[garde(length(chars, min = 3, max = 64), custom(name_check))]
    #[schema(min_length = 3, max_length = 64)]
    name: String,
    #[garde(length(chars, max = 500))]
    #[serde(default)]
    description: String,
    /// Keys of permissions, none beyond your own.
    #[garde(length(min = 1, max = 128))]
    permissions: Vec<String>,
}

/// What a custom role becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleUpdate {
    #[garde(inner(length(chars, min = 3, max = 64), custom(name_check)))]
    #[schema(min_length = 3, max_length = 64)]
    name: Option<String>,
    #[garde(inner(length(chars, max = 500)))]
    description: Option<String>,
    /// None may be added beyond your own.
    #[garde(length(min = 1, max = 128))]
    permissions: Option<Vec<String>>,
}

impl PatchFields for RoleUpdate {
    const FIELDS: &'static [&'static str] = &["name", "description", "permissions"];
}

fn permissions(keys: &[String]) -> Result<PermissionSet> {
    PermissionSet::parse("permissions", keys).map_err(Error::Invalid)
}

/// Make a custom role.
#[utoipa::path(post, path = "/api/roles", tag = "Roles and Permissions", request_body = RoleCreate,
    responses((status = 201, description = "Made", body = Role),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "The name is taken", body = ErrorBody)))]
async fn role_create(ctx: Ctx, State(app): State<App>, Body(body): Body<RoleCreate>) -> Result<Versioned<Role>> {
    let permissions = permissions(&body.permissions)?;
    let new = RoleInput { name: body.name, description: body.description, permissions };
    let role = service::role_create(&ctx, &app, new).await?;
    let version = role.version;
    Ok(Versioned(StatusCode::CREATED, role, version))
}

/// Read a role.
#[utoipa::path(get, path = "/api/roles/{id}", tag = "Roles and Permissions", params(RoleId),
    responses((status = 200, description = "The role", body = Role),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn role_get(ctx: Ctx, State(app): State<App>, Path(id): Path<RoleId>) -> Result<Versioned<Role>> {
    let role = service::role_get(&ctx, &app, id).await?;
    let version = role.version;
    Ok(Versioned(StatusCode::OK, role, version))
}

/// Change a custom role, for all who hold it.
#[utoipa::path(put, path = "/api/roles/{id}", tag = "Roles and Permissions", params(RoleId), request_body = RoleUpdate,
    responses((status = 200, description = "The role as it is now", body = Role),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "The name is taken, or it has just been changed", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody),
        (status = 422, description = "It is a system role", body = ErrorBody)))]
async fn role_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<RoleId>, if_match: IfMatch, body: Patch<RoleUpdate>,
) -> Result<Versioned<Role>> {
    let change = |role: &Role| {
        let body = body.read(role)?;
        Ok(RoleInput {
            name: body.name.unwrap_or_else(|| role.name.clone()),
            description: body.description.unwrap_or_else(|| role.description.clone()),
            permissions: permissions(body.permissions.as_ref().unwrap_or(&role.permissions))?,
        })
    };
    let role = service::role_update(&ctx, &app, id, if_match, change).await?;
    let version = role.version;
    Ok(Versioned(StatusCode::OK, role, version))
}

/// Remove a custom role that nobody holds.
#[utoipa::path(delete, path = "/api/roles/{id}", tag = "Roles and Permissions", params(RoleId, DryRun),
    responses((status = 204, description = "Removed"),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "Somebody holds it or is invited to it", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody),
        (status = 422, description = "It is a system role", body = ErrorBody)))]
async fn role_delete(
    ctx: Ctx, State(app): State<App>, Path(id): Path<RoleId>, if_match: IfMatch, Params(params): Params<DryRun>,
) -> Result<StatusCode> {
    service::role_delete(&ctx, &app, id, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}
