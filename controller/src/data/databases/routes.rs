//! `/api/instances/{id}/database`.

use super::model::{DatabaseConfig, DatabaseTuning};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{
    Accepted, Body, Changed, Ctx, DryRun, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Queue,
    Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::databases::{
    DatabaseEntry, DatabaseInfo, DatabaseMetrics, MaintenanceAction, TableInfo, TableSort,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewDatabases, routes!(database_get)))
        .routes(guard(Permission::ViewDatabases, routes!(database_config_get)))
        .routes(guard(Permission::ManageDatabases, routes!(database_config_update)))
        .routes(guard(Permission::ManageDatabases, routes!(database_tune)))
        .routes(guard(Permission::ViewDatabases, routes!(database_metrics)))
        .routes(guard(Permission::ViewDatabases, routes!(database_tables)))
        .routes(guard(Permission::ManageDatabases, routes!(database_maintain)))
        .routes(guard(Permission::ManageDatabases, routes!(database_password_rotate)))
        .routes(guard(Permission::ViewDatabases, routes!(database_list)))
        .routes(guard(Permission::ManageDatabases, routes!(database_create)))
        .routes(guard(Permission::ManageDatabases, routes!(database_rename)))
        .routes(guard(Permission::ManageDatabases, routes!(database_drop)))
}

/// Get an instance's database, and the PostgreSQL that it is in.
#[utoipa::path(get, path = "/api/instances/{id}/database", tag = "Databases", params(InstanceId),
    responses((status = 200, body = DatabaseInfo), (status = 404, body = ErrorBody),
        (status = 409, description = "It does not run", body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn database_get(ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>) -> Result<Json<DatabaseInfo>> {
    service::database_get(&ctx, &app, id).await.map(Json)
}

/// Get what an instance's PostgreSQL is set to, with advice; values in force while the server can be asked.
#[utoipa::path(get, path = "/api/instances/{id}/database/config", tag = "Databases", params(InstanceId),
    responses((status = 200, body = DatabaseConfig), (status = 404, body = ErrorBody)))]
async fn database_config_get(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>,
) -> Result<Versioned<DatabaseConfig>> {
    let config = service::config_get(&ctx, &app, id).await?;
    let version = config.version;
    Ok(Versioned(StatusCode::OK, config, version))
}

/// Settings to change. What is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfigInput {
    /// Values by name: texts with their unit (`64MB`, `30s`), numbers, or true and false. Null goes back to what oCore or
    /// PostgreSQL decide.
    #[garde(length(max = 100))]
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"work_mem": "32MB"}))]
    pub settings: BTreeMap<String, Value>,
}

impl PatchFields for DatabaseConfigInput {
    const FIELDS: &'static [&'static str] = &["settings"];
}

/// Change what an instance's PostgreSQL is set to. One beside it is started with the settings first.
#[utoipa::path(put, path = "/api/instances/{id}/database/config", tag = "Databases", params(InstanceId, DryRun),
    request_body = DatabaseConfigInput,
    responses((status = 202, description = "A job applies it", body = Accepted),
        (status = 200, description = "Nothing is to be done, or dry_run", body = DatabaseConfig),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
async fn database_config_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, if_match: IfMatch, Params(params): Params<DryRun>,
    patch: Patch<DatabaseConfigInput>,
) -> Result<Changed<DatabaseConfig>> {
    service::config_update(&ctx, &app, id, patch, if_match, params.dry_run).await
}

/// What to tune for. What is left out is the instance's own.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TuneInput {
    /// As if limits.memory_mb were that much.
    #[garde(inner(range(min = 256, max = 4_194_304)))]
    #[schema(minimum = 256, maximum = 4_194_304)]
    pub memory_mb: Option<u32>,
    /// As if limits.cpus were that many.
    #[garde(inner(range(min = 0.1, max = 512.0)))]
    #[schema(minimum = 0.1, maximum = 512.0)]
    pub cpus: Option<f64>,
}

/// Recommend settings for an instance's memory, cores and workers, each with its reason. Changes nothing.
#[utoipa::path(post, path = "/api/instances/{id}/database/tune", tag = "Databases", params(InstanceId),
    request_body = TuneInput,
    responses((status = 200, body = DatabaseTuning), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn database_tune(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Body(body): Body<TuneInput>,
) -> Result<Json<DatabaseTuning>> {
    service::database_tune(&ctx, &app, id, &body).await.map(Json)
}

/// Get what an instance's PostgreSQL counts: connections, transactions, locks, slow statements.
#[utoipa::path(get, path = "/api/instances/{id}/database/metrics", tag = "Databases", params(InstanceId),
    responses((status = 200, body = DatabaseMetrics), (status = 404, body = ErrorBody),
        (status = 409, description = "It does not run", body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn database_metrics(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>,
) -> Result<Json<DatabaseMetrics>> {
    service::database_metrics(&ctx, &app, id).await.map(Json)
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct TablesQuery {
    /// What the list goes by: size, dead_rows, rows, last_vacuum or name.
    #[garde(skip)]
    #[serde(default)]
    #[param(inline)]
    sort: TableSort,
    /// Part of the name.
    #[garde(inner(length(max = 100)))]
    q: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List the tables of an instance's database, with sizes and dead rows; the largest first.
#[utoipa::path(get, path = "/api/instances/{id}/database/tables", tag = "Databases",
    params(InstanceId, TablesQuery, Page),
    responses((status = 200, body = List<TableInfo>), (status = 404, body = ErrorBody),
        (status = 409, description = "It does not run", body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn database_tables(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<TablesQuery>,
) -> Result<Json<List<TableInfo>>> {
    service::table_list(&ctx, &app, id, query.sort, query.q, &query.page).await.map(Json)
}

/// What is to be done for tables.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceInput {
    /// `vacuum_full` keeps everybody out of a table while it is written anew.
    #[garde(skip)]
    pub action: MaintenanceAction,
    /// One table, `name` or `schema.name`; left out: all of the database.
    #[garde(inner(length(chars, min = 1, max = 127), custom(sane_table)))]
    pub table: Option<String>,
}

fn sane_table(table: &str, (): &()) -> garde::Result {
    if table.chars().any(char::is_control) || table.split('.').any(|part| part.is_empty() || part.len() > 63) {
        return Err(garde::Error::new("must be the name of a table, such as res_partner or public.res_partner"));
    }
    Ok(())
}

/// Vacuum, analyze or reindex an instance's database, or one of its tables.
#[utoipa::path(post, path = "/api/instances/{id}/database/maintenance", tag = "Databases", params(InstanceId, Queue),
    request_body = MaintenanceInput,
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
async fn database_maintain(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<Queue>,
    Body(body): Body<MaintenanceInput>,
) -> Result<Accepted> {
    service::database_maintain(&ctx, &app, id, body, query.queue).await
}

/// Give the role of an instance's database another password. Odoo is restarted.
#[utoipa::path(post, path = "/api/instances/{id}/database/password", tag = "Databases", params(InstanceId, Queue),
    responses((status = 202, body = Accepted), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn database_password_rotate(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<Queue>,
) -> Result<Accepted> {
    service::password_rotate(&ctx, &app, id, query.queue).await
}

/// List the databases of an instance's PostgreSQL, by name.
#[utoipa::path(get, path = "/api/instances/{id}/database/databases", tag = "Databases", params(InstanceId, Page),
    responses((status = 200, body = List<DatabaseEntry>), (status = 404, body = ErrorBody),
        (status = 409, description = "It does not run", body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn database_list(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(page): Params<Page>,
) -> Result<Json<List<DatabaseEntry>>> {
    service::database_list(&ctx, &app, id, &page).await.map(Json)
}

/// A database to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseInput {
    /// A letter, then letters, digits, `_` and `-`; up to 63.
    #[garde(custom(sane_name))]
    pub name: String,
    /// Copy that one; left out: an empty one. Files of Odoo (its filestore) are not copied.
    #[garde(inner(length(min = 1, max = 63), custom(no_control)))]
    pub from: Option<String>,
}

/// Another name for a database.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseRename {
    /// A letter, then letters, digits, `_` and `-`; up to 63.
    #[garde(custom(sane_name))]
    pub name: String,
}

fn sane_name(name: &str, (): &()) -> garde::Result {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.len() > 63 || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(fits) {
        return Err(garde::Error::new("must be a letter, then letters, digits, _ and -, up to 63 of them"));
    }
    Ok(())
}

fn no_control(name: &str, (): &()) -> garde::Result {
    if name.chars().any(char::is_control) {
        return Err(garde::Error::new("must hold no control characters"));
    }
    Ok(())
}

/// Make a database beside an instance's own: an empty one, or a copy. The one that is copied goes on serving.
#[utoipa::path(post, path = "/api/instances/{id}/database/databases", tag = "Databases", params(InstanceId, Queue),
    request_body = DatabaseInput,
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
async fn database_create(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<Queue>,
    Body(body): Body<DatabaseInput>,
) -> Result<Accepted> {
    service::database_create(&ctx, &app, id, body, query.queue).await
}

/// Rename a database beside an instance's own, ending its connections.
#[utoipa::path(patch, path = "/api/instances/{id}/database/databases/{name}", tag = "Databases",
    params(("id" = InstanceId, Path), ("name" = String, Path, description = "Name of the database"), Queue),
    request_body = DatabaseRename,
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
async fn database_rename(
    ctx: Ctx, State(app): State<App>, Path((id, name)): Path<(InstanceId, String)>, Params(query): Params<Queue>,
    Body(body): Body<DatabaseRename>,
) -> Result<Accepted> {
    service::database_rename(&ctx, &app, id, name, body.name, query.queue).await
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct DropQuery {
    /// The database's name once more.
    #[garde(inner(length(max = 63)))]
    confirm: Option<String>,
    /// Wait behind the job that is under way instead of being refused.
    #[garde(skip)]
    #[serde(default)]
    queue: bool,
}

/// Drop a database beside an instance's own. Everything in it is lost: no copy is made.
#[utoipa::path(delete, path = "/api/instances/{id}/database/databases/{name}", tag = "Databases",
    params(("id" = InstanceId, Path), ("name" = String, Path, description = "Name of the database"), DropQuery),
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, description = "Not confirmed", body = ErrorBody)))]
async fn database_drop(
    ctx: Ctx, State(app): State<App>, Path((id, name)): Path<(InstanceId, String)>, Params(query): Params<DropQuery>,
) -> Result<Accepted> {
    service::database_drop(&ctx, &app, id, name, query.confirm.as_deref(), query.queue).await
}
