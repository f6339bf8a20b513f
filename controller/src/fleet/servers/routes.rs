//! `/api/servers`, without metrics and terminals.

use super::model::{InstallCommand, Inventory, Server, ServerCreated, ServerStatus};
use super::service::{self, ServerCreate, ServerPatch};
use super::store::ServerFilter;
use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::platform::http::page::label_filter;
use crate::platform::http::{
    Accepted, AnyOf, Body, Ctx, IfMatch, List, Page, Params, Patch, Path, Permission, Versioned, guard,
};
use crate::signals::events::Event;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::ServerId;
use ocore_shared::protocol::inventory::{ContainerInfo, Facts};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewServers, routes!(server_list)))
        .routes(guard(Permission::ManageServers, routes!(server_create)))
        .routes(guard(Permission::ViewServers, routes!(server_get)))
        .routes(guard(Permission::ManageServers, routes!(server_update)))
        .routes(guard(Permission::ManageServers, routes!(server_remove)))
        .routes(guard(Permission::ManageServers, routes!(server_install_command)))
        .routes(guard(Permission::ManageServers, routes!(server_check)))
        .routes(guard(Permission::ViewServers, routes!(server_inventory)))
        .routes(guard(Permission::ViewServers, routes!(server_inventory_system)))
        .routes(guard(Permission::ViewServers, routes!(server_inventory_containers)))
        .routes(guard(Permission::ViewServers, routes!(server_events)))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ServersQuery {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    /// Only those in one of these states.
    #[garde(skip)]
    #[param(value_type = Option<Vec<ServerStatus>>, inline, style = Form, explode = false)]
    status: Option<AnyOf<ServerStatus>>,
    /// `key` or `key=value`.
    #[garde(skip)]
    label: Option<String>,
    /// Part of name, description or host name.
    #[garde(length(max = 100))]
    q: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List servers with status and usage, newest first.
#[utoipa::path(get, path = "/api/servers", tag = "Servers", params(ServersQuery, Page),
    responses((status = 200, body = List<Server>), (status = 400, body = ErrorBody)))]
async fn server_list(
    ctx: Ctx, State(app): State<App>, Params(query): Params<ServersQuery>,
) -> Result<Json<List<Server>>> {
    let label = query.label.map(label_filter);
    let filter = ServerFilter {
        name: query.name,
        status: query.status.map(|any| any.0),
        q: query.q,
        label,
        ..ServerFilter::default()
    };
    service::server_list(&ctx, &app, filter, &query.page).await.map(Json)
}

/// Register a server: answers the one-line command that installs its agent.
#[utoipa::path(post, path = "/api/servers", tag = "Servers", request_body = ServerCreate,
    responses((status = 201, body = ServerCreated), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn server_create(
    ctx: Ctx, State(app): State<App>, Body(input): Body<ServerCreate>,
) -> Result<Versioned<ServerCreated>> {
    let created = service::server_create(&ctx, &app, input).await?;
    let version = created.server.version;
    Ok(Versioned(StatusCode::CREATED, created, version))
}

/// Get a server.
#[utoipa::path(get, path = "/api/servers/{id}", tag = "Servers", params(ServerId),
    responses((status = 200, body = Server), (status = 404, body = ErrorBody)))]
async fn server_get(ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>) -> Result<Versioned<Server>> {
    let server = service::server_get(&ctx, &app, id).await?;
    let version = server.version;
    Ok(Versioned(StatusCode::OK, server, version))
}

/// Change a server's name, description, labels or schedulability.
#[utoipa::path(patch, path = "/api/servers/{id}", tag = "Servers", params(ServerId), request_body = ServerPatch,
    responses((status = 200, body = Server), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody)))]
async fn server_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>, if_match: IfMatch, patch: Patch<ServerPatch>,
) -> Result<Versioned<Server>> {
    let server = service::server_update(&ctx, &app, id, patch, if_match).await?;
    let version = server.version;
    Ok(Versioned(StatusCode::OK, server, version))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RemoveQuery {
    /// Forget the instances that are still on it; their containers and volumes stay on the machine.
    #[garde(skip)]
    #[serde(default)]
    force: bool,
}

/// Remove a server: its agent uninstalls itself, its certificate is revoked.
#[utoipa::path(delete, path = "/api/servers/{id}", tag = "Servers", params(ServerId, RemoveQuery),
    responses((status = 202, body = Accepted), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn server_remove(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>, Params(query): Params<RemoveQuery>,
) -> Result<Accepted> {
    service::server_remove(&ctx, &app, id, query.force).await
}

/// Make a new install command with a single-use token of one hour.
#[utoipa::path(post, path = "/api/servers/{id}/install-command", tag = "Servers", params(ServerId),
    responses((status = 200, body = InstallCommand), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn server_install_command(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>,
) -> Result<Json<InstallCommand>> {
    service::server_install_command(&ctx, &app, id).await.map(Json)
}

/// Check a server: a job that changes nothing goes to its agent and back.
#[utoipa::path(post, path = "/api/servers/{id}/check", tag = "Servers", params(ServerId),
    responses((status = 202, body = Accepted), (status = 404, body = ErrorBody)))]
async fn server_check(ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>) -> Result<Accepted> {
    service::server_check(&ctx, &app, id).await
}

/// Get everything known of a server.
#[utoipa::path(get, path = "/api/servers/{id}/inventory", tag = "Servers", params(ServerId),
    responses((status = 200, body = Inventory), (status = 404, body = ErrorBody)))]
async fn server_inventory(ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>) -> Result<Json<Inventory>> {
    service::server_inventory(&ctx, &app, id).await.map(Json)
}

/// Get a server's system facts.
#[utoipa::path(get, path = "/api/servers/{id}/inventory/system", tag = "Servers", params(ServerId),
    responses((status = 200, body = Facts), (status = 404, body = ErrorBody)))]
async fn server_inventory_system(ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>) -> Result<Json<Facts>> {
    let inventory = service::server_inventory(&ctx, &app, id).await?;
    inventory.system.map(Json).ok_or(Error::NotFound("system inventory"))
}

/// List a server's containers.
#[utoipa::path(get, path = "/api/servers/{id}/inventory/containers", tag = "Servers", params(ServerId),
    responses((status = 200, body = List<ContainerInfo>), (status = 404, body = ErrorBody)))]
async fn server_inventory_containers(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>,
) -> Result<Json<List<ContainerInfo>>> {
    let inventory = service::server_inventory(&ctx, &app, id).await?;
    Ok(Json(List::whole(inventory.containers)))
}

/// List what happened to a server, newest first.
#[utoipa::path(get, path = "/api/servers/{id}/events", tag = "Servers", params(ServerId, Page),
    responses((status = 200, body = List<Event>), (status = 404, body = ErrorBody)))]
async fn server_events(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>, Params(page): Params<Page>,
) -> Result<Json<List<Event>>> {
    service::server_events(&ctx, &app, id, &page).await.map(Json)
}
