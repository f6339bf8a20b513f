//! `/api/servers/{id}/proxy`.

use super::model::{ProxyInput, ServerProxy};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{
    Accepted, Changed, Ctx, DryRun, IfMatch, Params, Patch, Path, Permission, Versioned, guard,
};
use axum::extract::State;
use axum::http::StatusCode;
use ocore_shared::ids::ServerId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewServers, routes!(proxy_get)))
        .routes(guard(Permission::ManageServers, routes!(proxy_update)))
}

/// Get what leads people to the instances of a server.
#[utoipa::path(get, path = "/api/servers/{id}/proxy", tag = "Servers", params(ServerId),
    responses((status = 200, body = ServerProxy), (status = 404, body = ErrorBody)))]
async fn proxy_get(ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>) -> Result<Versioned<ServerProxy>> {
    let proxy = service::proxy_get(&ctx, &app, id).await?;
    let version = proxy.version;
    Ok(Versioned(StatusCode::OK, proxy, version))
}

/// Change what leads people to the instances of a server. What a failed job did not bring about is asked for again with
/// the same words.
#[utoipa::path(put, path = "/api/servers/{id}/proxy", tag = "Servers", params(ServerId, DryRun),
    request_body = ProxyInput,
    responses((status = 202, description = "A job brings it about", body = Accepted),
        (status = 200, description = "Nothing has to be done on the server, or what it would be (dry_run)",
            body = ServerProxy),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
async fn proxy_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>, if_match: IfMatch, Params(params): Params<DryRun>,
    patch: Patch<ProxyInput>,
) -> Result<Changed<ServerProxy>> {
    service::proxy_update(&ctx, &app, id, patch, if_match, params.dry_run).await
}
