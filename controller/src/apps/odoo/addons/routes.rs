//! `/api/instances/{id}/addons` and `/api/instances/{id}/upgrade`.

use super::model::{AddonsInput, InstanceAddons};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{
    Accepted, Body, Changed, Ctx, DryRun, IfMatch, Params, Patch, Path, Permission, Versioned, default_true, guard,
};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::addons::UpdateModules;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewInstances, routes!(addons_get)))
        .routes(guard(Permission::ManageInstances, routes!(addons_replace)))
        .routes(guard(Permission::ManageInstances, routes!(instance_upgrade)))
}

/// Get the sources of an instance's addons, each at the commit that is in use.
#[utoipa::path(get, path = "/api/instances/{id}/addons", tag = "Instances", params(InstanceId),
    responses((status = 200, body = InstanceAddons), (status = 404, body = ErrorBody)))]
async fn addons_get(ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>) -> Result<Versioned<InstanceAddons>> {
    let addons = service::addons_get(&ctx, &app, id).await?;
    let version = addons.version;
    Ok(Versioned(StatusCode::OK, addons, version))
}

/// Replace the sources of an instance's addons. The same sources again bring what their branches have now. They are
/// fetched and looked at while Odoo serves; modules that have changed are updated.
#[utoipa::path(put, path = "/api/instances/{id}/addons", tag = "Instances", params(InstanceId, DryRun),
    request_body = AddonsInput,
    responses((status = 202, description = "A job brings it about", body = Accepted),
        (status = 200, description = "There are none and none are wished; or what it would be (dry_run), for which nothing is fetched", body = InstanceAddons),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
async fn addons_replace(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, if_match: IfMatch, Params(params): Params<DryRun>,
    patch: Patch<AddonsInput>,
) -> Result<Changed<InstanceAddons>> {
    service::addons_replace(&ctx, &app, id, patch, if_match, params.dry_run).await
}

/// What an instance is to be brought to.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeInput {
    /// Another image of the same series; what the present one's tag stands for now when left out.
    #[garde(inner(length(min = 1, max = 255), pattern("^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$")))]
    pub image: Option<String>,
    /// Which modules are updated.
    #[garde(skip)]
    #[serde(default)]
    pub update: UpdateModules,
    /// Keep a copy of the database until the new one answers, and put it back when it does not.
    #[garde(skip)]
    #[serde(default = "default_true")]
    #[schema(default = true)]
    pub safety_copy: bool,
}

/// Upgrade an instance to another image of its series. What does not come up goes back to how it was, with its data.
#[utoipa::path(post, path = "/api/instances/{id}/upgrade", tag = "Instances", params(InstanceId),
    request_body = UpgradeInput,
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody)))]
async fn instance_upgrade(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, if_match: IfMatch, Body(body): Body<UpgradeInput>,
) -> Result<Accepted> {
    service::instance_upgrade(&ctx, &app, id, body, if_match).await
}
