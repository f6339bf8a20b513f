//! `/api/instances/{id}/modules` and `/api/instances/{id}/admin-password`.

use super::service::{self, ModuleFilter};
use crate::app::App;
use crate::apps::instances::creation::long_enough;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{Accepted, Body, Ctx, List, Page, Params, Path, Permission, Queue, default_true, guard};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::modules::ModuleInfo;
use ocore_shared::secret::Secret;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewInstances, routes!(module_list)))
        .routes(guard(Permission::ManageInstances, routes!(module_change)))
        .routes(guard(Permission::ManageInstances, routes!(admin_password_set)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ModulesQuery {
    /// Exact technical name.
    #[garde(skip)]
    name: Option<String>,
    /// Odoo's word, e.g. `installed`.
    #[garde(inner(length(max = 32)))]
    state: Option<String>,
    /// Only those that are installed and have changed on disk, or only the others.
    #[garde(skip)]
    needs_update: Option<bool>,
    /// Part of name, title or author.
    #[garde(inner(length(max = 100)))]
    q: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List the modules of an instance's Odoo, by name: installed, or there to be.
#[utoipa::path(get, path = "/api/instances/{id}/modules", tag = "Instances", params(InstanceId, ModulesQuery, Page),
    responses((status = 200, body = List<ModuleInfo>), (status = 404, body = ErrorBody),
        (status = 409, description = "It does not run", body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn module_list(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<ModulesQuery>,
) -> Result<Json<List<ModuleInfo>>> {
    let ModulesQuery { name, state, needs_update, q, page } = query;
    service::module_list(&ctx, &app, id, &ModuleFilter { name, state, needs_update, q }, &page).await.map(Json)
}

/// What is to become of modules.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModulesInput {
    /// Technical names.
    #[garde(length(max = 200), inner(pattern("^[a-z0-9_]{1,64}$")))]
    #[serde(default)]
    #[schema(max_items = 200)]
    pub install: Vec<String>,
    #[garde(length(max = 200), inner(pattern("^[a-z0-9_]{1,64}$")))]
    #[serde(default)]
    #[schema(max_items = 200)]
    pub update: Vec<String>,
    /// Their data goes with them.
    #[garde(length(max = 200), inner(pattern("^[a-z0-9_]{1,64}$")))]
    #[serde(default)]
    #[schema(max_items = 200)]
    pub uninstall: Vec<String>,
    /// Update whatever is installed and has changed on disk, by version and checksum.
    #[garde(skip)]
    #[serde(default)]
    pub update_changed: bool,
    /// Uninstall what needs one of them along with it; else that is refused.
    #[garde(skip)]
    #[serde(default)]
    pub with_dependents: bool,
    /// Keep a copy of the database until the change has proved good, and put it back otherwise.
    #[garde(skip)]
    #[serde(default = "default_true")]
    pub safety_copy: bool,
}

/// Install, update or uninstall modules of an instance's Odoo, which stands meanwhile.
#[utoipa::path(post, path = "/api/instances/{id}/modules", tag = "Instances", params(InstanceId, Queue),
    request_body = ModulesInput,
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
async fn module_change(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<Queue>,
    Body(body): Body<ModulesInput>,
) -> Result<Accepted> {
    service::module_change(&ctx, &app, id, body, query.queue).await
}

/// A password to set.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminPasswordInput {
    /// 8 to 128 characters.
    #[garde(custom(long_enough))]
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub password: Secret,
    /// Another user than the administrator that Odoo was set up with.
    #[garde(inner(length(chars, min = 1, max = 128)))]
    pub login: Option<String>,
}

/// Set the password of an instance's Odoo administrator. Who is signed in as that user has to sign in anew.
#[utoipa::path(post, path = "/api/instances/{id}/admin-password", tag = "Instances", params(InstanceId, Queue),
    request_body = AdminPasswordInput,
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
async fn admin_password_set(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<Queue>,
    Body(body): Body<AdminPasswordInput>,
) -> Result<Accepted> {
    service::admin_password_set(&ctx, &app, id, body, query.queue).await
}
