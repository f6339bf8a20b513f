//! `/api/instances`, without logs and console.

use super::creation::{self, InstanceCreate};
use super::model::{Instance, InstanceStatus};
use super::service::{self, Control, InstallLog, InstancePatch};
use super::store::InstanceFilter;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::page::label_filter;
use crate::platform::http::{
    Accepted, AnyOf, Body, Ctx, IfMatch, List, Page, Params, Patch, Path, Permission, Queue, Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::inventory::ContainerStats;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewInstances, routes!(instance_list)))
        .routes(guard(Permission::ManageInstances, routes!(instance_create)))
        .routes(guard(Permission::ViewInstances, routes!(instance_get)))
        .routes(guard(Permission::ManageInstances, routes!(instance_update)))
        .routes(guard(Permission::ManageInstances, routes!(instance_remove)))
        .routes(guard(Permission::ManageInstances, routes!(instance_start)))
        .routes(guard(Permission::ManageInstances, routes!(instance_stop)))
        .routes(guard(Permission::ManageInstances, routes!(instance_restart)))
        .routes(guard(Permission::ManageInstances, routes!(instance_kill)))
        .routes(guard(Permission::ViewInstances, routes!(instance_stats)))
        .routes(guard(Permission::ViewInstances, routes!(instance_install_logs)))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct InstancesQuery {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    #[garde(skip)]
    server_id: Option<Uuid>,
    #[garde(skip)]
    environment_id: Option<Uuid>,
    #[garde(skip)]
    project_id: Option<Uuid>,
    /// Only those in one of these states.
    #[garde(skip)]
    #[param(value_type = Option<Vec<InstanceStatus>>, inline, style = Form, explode = false)]
    status: Option<AnyOf<InstanceStatus>>,
    /// Part of name or slug.
    #[garde(length(max = 100))]
    q: Option<String>,
    /// `key` or `key=value`.
    #[garde(skip)]
    label: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List instances, newest first.
#[utoipa::path(get, path = "/api/instances", tag = "Instances", params(InstancesQuery, Page),
    responses((status = 200, body = List<Instance>), (status = 400, body = ErrorBody)))]
async fn instance_list(
    ctx: Ctx, State(app): State<App>, Params(query): Params<InstancesQuery>,
) -> Result<Json<List<Instance>>> {
    let label = query.label.map(label_filter);
    let filter = InstanceFilter {
        name: query.name,
        server: query.server_id,
        environment: query.environment_id,
        project: query.project_id,
        status: query.status.map(|any| any.0),
        q: query.q,
        label,
        ..InstanceFilter::default()
    };
    service::instance_list(&ctx, &app, filter, &query.page).await.map(Json)
}

/// Provision Odoo on a server.
#[utoipa::path(post, path = "/api/instances", tag = "Instances", request_body = InstanceCreate,
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn instance_create(ctx: Ctx, State(app): State<App>, Body(input): Body<InstanceCreate>) -> Result<Accepted> {
    creation::instance_create(&ctx, &app, input).await
}

/// Get an instance.
#[utoipa::path(get, path = "/api/instances/{id}", tag = "Instances", params(InstanceId),
    responses((status = 200, body = Instance), (status = 404, body = ErrorBody)))]
async fn instance_get(ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>) -> Result<Versioned<Instance>> {
    let instance = service::instance_get(&ctx, &app, id).await?;
    let version = instance.version;
    Ok(Versioned(StatusCode::OK, instance, version))
}

/// Change an instance's name, labels, environment or limits.
#[utoipa::path(patch, path = "/api/instances/{id}", tag = "Instances", params(InstanceId), request_body = InstancePatch,
    responses((status = 200, body = Instance), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody)))]
async fn instance_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, if_match: IfMatch, patch: Patch<InstancePatch>,
) -> Result<Versioned<Instance>> {
    let instance = service::instance_update(&ctx, &app, id, patch, if_match).await?;
    let version = instance.version;
    Ok(Versioned(StatusCode::OK, instance, version))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RemoveQuery {
    /// Remove its volumes too; nothing can be brought back then.
    #[garde(skip)]
    #[serde(default)]
    purge: bool,
    /// Make no final backup.
    #[garde(skip)]
    #[serde(default)]
    #[expect(dead_code, reason = "accepted from the start; there is no backup destination to skip yet")]
    skip_backup: bool,
}

/// Delete an instance.
#[utoipa::path(delete, path = "/api/instances/{id}", tag = "Instances", params(InstanceId, RemoveQuery),
    responses((status = 202, body = Accepted), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
async fn instance_remove(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, if_match: IfMatch, Params(query): Params<RemoveQuery>,
) -> Result<Accepted> {
    service::instance_remove(&ctx, &app, id, query.purge, if_match).await
}

macro_rules! controls {
    ($($(#[$doc:meta])* $name:ident $path:literal $control:ident)+) => {$(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "Instances", params(InstanceId, Queue),
            responses((status = 202, body = Accepted), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
        async fn $name(
            ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<Queue>,
        ) -> Result<Accepted> {
            service::instance_control(&ctx, &app, id, Control::$control, query.queue).await
        }
    )+};
}

controls! {
    /// Start an instance.
    instance_start "/api/instances/{id}/start" Start
    /// Stop an instance in order.
    instance_stop "/api/instances/{id}/stop" Stop
    /// Restart an instance.
    instance_restart "/api/instances/{id}/restart" Restart
    /// Kill an instance that does not stop.
    instance_kill "/api/instances/{id}/kill" Kill
}

/// Get what an instance's container uses now.
#[utoipa::path(get, path = "/api/instances/{id}/stats", tag = "Instances", params(InstanceId),
    responses((status = 200, body = ContainerStats), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
async fn instance_stats(ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>) -> Result<Json<ContainerStats>> {
    service::instance_stats(&ctx, &app, id).await.map(Json)
}

/// Get the log of an instance's provisioning.
#[utoipa::path(get, path = "/api/instances/{id}/install-logs", tag = "Instances", params(InstanceId),
    responses((status = 200, body = InstallLog), (status = 404, body = ErrorBody)))]
async fn instance_install_logs(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>,
) -> Result<Json<InstallLog>> {
    service::instance_install_log(&ctx, &app, id).await.map(Json)
}
