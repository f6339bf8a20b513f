use super::model::Role;
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::platform::http::{Ctx, List, Page, Params, Permission, guard};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewRoles, routes!(permission_list)))
        .routes(guard(Permission::ViewRoles, routes!(role_list)))
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
