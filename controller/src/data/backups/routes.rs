//! `/api/backups`, `/api/environments/{env_id}/backups`, `/api/instances/{id}/backups`.

use super::model::{Backup, BackupDetail, BackupStatus, RestoreMode};
use super::service::{self, Asked, RestoreAsked, Within};
use super::store::BackupFilter;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{
    Accepted, Body, Ctx, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Queue, Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use ocore_shared::ids::{BackupId, DestinationId, EnvironmentId, InstanceId};
use ocore_shared::protocol::backups::BackupKind;
use ocore_shared::secret::Secret;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewBackups, routes!(backup_list)))
        .routes(guard(Permission::ViewBackups, routes!(environment_backup_list)))
        .routes(guard(Permission::ManageBackups, routes!(environment_backup_create)))
        .routes(guard(Permission::ViewBackups, routes!(instance_backup_list)))
        .routes(guard(Permission::ManageBackups, routes!(instance_backup_create)))
        .routes(guard(Permission::ViewBackups, routes!(environment_backup_get)))
        .routes(guard(Permission::ManageBackups, routes!(environment_backup_update)))
        .routes(guard(Permission::ManageBackups, routes!(environment_backup_delete)))
        .routes(guard(Permission::ManageBackups, routes!(environment_backup_restore)))
        .routes(guard(Permission::ManageBackups, routes!(instance_backup_delete)))
        .routes(guard(Permission::ManageBackups, routes!(instance_backup_restore)))
        .routes(guard(Permission::ViewBackups, routes!(backup_get)))
        .routes(guard(Permission::ManageBackups, routes!(backup_update)))
        .routes(guard(Permission::ManageBackups, routes!(backup_delete)))
        .routes(guard(Permission::ManageBackups, routes!(backup_restore)))
}

/// What a list of backups is narrowed to.
#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BackupQuery {
    #[garde(skip)]
    status: Option<BackupStatus>,
    #[garde(skip)]
    kind: Option<BackupKind>,
    #[garde(skip)]
    destination_id: Option<DestinationId>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

impl BackupQuery {
    fn filter(&self) -> BackupFilter {
        BackupFilter {
            status: self.status,
            kind: self.kind,
            destination: self.destination_id,
            ..BackupFilter::default()
        }
    }
}

/// List the organization's backups, newest first: also those whose instance or environment is gone.
#[utoipa::path(get, path = "/api/backups", tag = "Backups", params(BackupQuery, Page),
    responses((status = 200, description = "Backups", body = List<Backup>)))]
async fn backup_list(
    ctx: Ctx, State(app): State<App>, Params(query): Params<BackupQuery>,
) -> Result<Json<List<Backup>>> {
    service::backup_list(&ctx, &app, &query.filter(), &query.page).await.map(Json)
}

/// List an environment's backups, newest first.
#[utoipa::path(get, path = "/api/environments/{env_id}/backups", tag = "Backups",
    params(("env_id" = EnvironmentId, Path), BackupQuery, Page),
    responses((status = 200, description = "Backups", body = List<Backup>),
        (status = 404, description = "There is no such environment", body = ErrorBody)))]
async fn environment_backup_list(
    ctx: Ctx, State(app): State<App>, Path(id): Path<EnvironmentId>, Params(query): Params<BackupQuery>,
) -> Result<Json<List<Backup>>> {
    service::environment_backups(&ctx, &app, id, query.filter(), &query.page).await.map(Json)
}

/// List an instance's backups, newest first.
#[utoipa::path(get, path = "/api/instances/{id}/backups", tag = "Backups", params(InstanceId, BackupQuery, Page),
    responses((status = 200, description = "Backups", body = List<Backup>),
        (status = 404, description = "There is no such instance", body = ErrorBody)))]
async fn instance_backup_list(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<BackupQuery>,
) -> Result<Json<List<Backup>>> {
    service::instance_backups(&ctx, &app, id, query.filter(), &query.page).await.map(Json)
}

/// A backup that is to be made.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupCreateInput {
    /// Where it is kept; left out: the organization's default.
    #[garde(skip)]
    destination_id: Option<DestinationId>,
    /// What it is for.
    #[garde(length(chars, max = 500))]
    #[serde(default)]
    #[schema(max_length = 500)]
    note: String,
    /// No schedule deletes it.
    #[garde(skip)]
    #[serde(default)]
    is_pinned: bool,
}

impl BackupCreateInput {
    fn asked(self, queue: bool) -> Asked {
        Asked { destination: self.destination_id, note: self.note, is_pinned: self.is_pinned, queue }
    }
}

/// Back an instance up now: its database as of one moment, and the attachments in it. It goes on serving.
#[utoipa::path(post, path = "/api/instances/{id}/backups", tag = "Backups", params(InstanceId, Queue),
    request_body = BackupCreateInput,
    responses((status = 202, description = "A job makes it", body = Accepted),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is no such instance", body = ErrorBody),
        (status = 409, description = "A job is under way, or it was never provisioned", body = ErrorBody)))]
async fn instance_backup_create(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(params): Params<Queue>,
    Body(body): Body<BackupCreateInput>,
) -> Result<Accepted> {
    service::backup_create(&ctx, &app, id, body.asked(params.queue)).await
}

/// A backup of one instance of an environment.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentBackupInput {
    /// Which of its instances; left out where there is but one.
    #[garde(skip)]
    instance_id: Option<InstanceId>,
    /// Where it is kept; left out: the organization's default.
    #[garde(skip)]
    destination_id: Option<DestinationId>,
    /// What it is for.
    #[garde(length(chars, max = 500))]
    #[serde(default)]
    #[schema(max_length = 500)]
    note: String,
    /// No schedule deletes it.
    #[garde(skip)]
    #[serde(default)]
    is_pinned: bool,
}

/// Back an environment's instance up now.
#[utoipa::path(post, path = "/api/environments/{env_id}/backups", tag = "Backups",
    params(("env_id" = EnvironmentId, Path), Queue), request_body = EnvironmentBackupInput,
    responses((status = 202, description = "A job makes it", body = Accepted),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is no such environment", body = ErrorBody),
        (status = 409, description = "A job is under way, or there is nothing to back up", body = ErrorBody)))]
async fn environment_backup_create(
    ctx: Ctx, State(app): State<App>, Path(id): Path<EnvironmentId>, Params(params): Params<Queue>,
    Body(body): Body<EnvironmentBackupInput>,
) -> Result<Accepted> {
    let instance = service::environment_instance(&ctx, &app, id, body.instance_id).await?;
    let asked =
        Asked { destination: body.destination_id, note: body.note, is_pinned: body.is_pinned, queue: params.queue };
    service::backup_create(&ctx, &app, instance, asked).await
}

/// Read a backup: its manifest, with the checksums of its parts.
#[utoipa::path(get, path = "/api/environments/{env_id}/backups/{backup_id}", tag = "Backups",
    params(("env_id" = EnvironmentId, Path), ("backup_id" = BackupId, Path)),
    responses((status = 200, description = "The backup", body = BackupDetail),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn environment_backup_get(
    ctx: Ctx, State(app): State<App>, Path((environment, id)): Path<(EnvironmentId, BackupId)>,
) -> Result<Versioned<BackupDetail>> {
    got(&ctx, &app, environment.into(), id).await
}

/// Read a backup, also one whose environment is gone.
#[utoipa::path(get, path = "/api/backups/{id}", tag = "Backups", params(BackupId),
    responses((status = 200, description = "The backup", body = BackupDetail),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn backup_get(ctx: Ctx, State(app): State<App>, Path(id): Path<BackupId>) -> Result<Versioned<BackupDetail>> {
    got(&ctx, &app, Within::default(), id).await
}

async fn got(ctx: &Ctx, app: &App, within: Within, id: BackupId) -> Result<Versioned<BackupDetail>> {
    let detail = service::backup_get(ctx, app, within, id).await?;
    let version = detail.backup.version;
    Ok(Versioned(StatusCode::OK, detail, version))
}

/// What people say of a backup; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupUpdate {
    #[garde(skip)]
    is_pinned: Option<bool>,
    #[garde(inner(length(chars, max = 500)))]
    #[schema(max_length = 500)]
    note: Option<String>,
}

impl PatchFields for BackupUpdate {
    const FIELDS: &'static [&'static str] = &["is_pinned", "note"];
}

/// Pin a backup, so that no schedule deletes it, or note what it is for.
#[utoipa::path(patch, path = "/api/environments/{env_id}/backups/{backup_id}", tag = "Backups",
    params(("env_id" = EnvironmentId, Path), ("backup_id" = BackupId, Path)), request_body = BackupUpdate,
    responses((status = 200, description = "The backup as it is now", body = Backup),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn environment_backup_update(
    ctx: Ctx, State(app): State<App>, Path((environment, id)): Path<(EnvironmentId, BackupId)>, if_match: IfMatch,
    body: Patch<BackupUpdate>,
) -> Result<Versioned<Backup>> {
    updated(&ctx, &app, environment.into(), id, if_match, body).await
}

/// Pin a backup or note what it is for, also where its environment is gone.
#[utoipa::path(patch, path = "/api/backups/{id}", tag = "Backups", params(BackupId), request_body = BackupUpdate,
    responses((status = 200, description = "The backup as it is now", body = Backup),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn backup_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<BackupId>, if_match: IfMatch, body: Patch<BackupUpdate>,
) -> Result<Versioned<Backup>> {
    updated(&ctx, &app, Within::default(), id, if_match, body).await
}

async fn updated(
    ctx: &Ctx, app: &App, within: Within, id: BackupId, if_match: IfMatch, body: Patch<BackupUpdate>,
) -> Result<Versioned<Backup>> {
    let change = |shown: &BackupDetail| {
        let body = body.read(shown)?;
        let backup = &shown.backup;
        Ok((body.is_pinned.unwrap_or(backup.is_pinned), body.note.unwrap_or_else(|| backup.note.clone())))
    };
    let backup = service::backup_update(ctx, app, within, id, if_match, change).await?;
    let version = backup.version;
    Ok(Versioned(StatusCode::OK, backup, version))
}

/// How a backup is deleted.
#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Forget {
    /// Forget it here and leave what is at its destination, which may be gone.
    #[garde(skip)]
    #[serde(default)]
    forget: bool,
}

/// Delete a backup at its destination.
#[utoipa::path(delete, path = "/api/environments/{env_id}/backups/{backup_id}", tag = "Backups",
    params(("env_id" = EnvironmentId, Path), ("backup_id" = BackupId, Path), Forget),
    responses((status = 202, description = "A job deletes it", body = Accepted),
        (status = 204, description = "Forgotten"),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It is pinned, or not there yet", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn environment_backup_delete(
    ctx: Ctx, State(app): State<App>, Path((environment, id)): Path<(EnvironmentId, BackupId)>, if_match: IfMatch,
    Params(params): Params<Forget>,
) -> Result<Response> {
    deleted(&ctx, &app, environment.into(), id, if_match, params.forget).await
}

/// Delete a backup at its destination, also one whose environment is gone.
#[utoipa::path(delete, path = "/api/backups/{id}", tag = "Backups", params(BackupId, Forget),
    responses((status = 202, description = "A job deletes it", body = Accepted),
        (status = 204, description = "Forgotten"),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It is pinned, or not there yet", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn backup_delete(
    ctx: Ctx, State(app): State<App>, Path(id): Path<BackupId>, if_match: IfMatch, Params(params): Params<Forget>,
) -> Result<Response> {
    deleted(&ctx, &app, Within::default(), id, if_match, params.forget).await
}

async fn deleted(
    ctx: &Ctx, app: &App, within: Within, id: BackupId, if_match: IfMatch, forget: bool,
) -> Result<Response> {
    if forget {
        service::backup_forget(ctx, app, within, id, if_match).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    service::backup_delete(ctx, app, within, id, if_match).await.map(IntoResponse::into_response)
}

/// Where a backup is put back.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRestoreInput {
    /// In place of what that one holds; left out: of the one that it was made of.
    #[garde(skip)]
    instance_id: Option<InstanceId>,
    /// Needed for another instance than the one that it was made of, which must not run beside it.
    #[garde(skip)]
    mode: Option<RestoreMode>,
    /// The secret key (`AGE-SECRET-KEY-1…`) of a backup that is encrypted for your own keys. It is forgotten after the
    /// restore.
    #[garde(inner(custom(key_length)))]
    #[schema(value_type = Option<String>, format = Password)]
    identity: Option<Secret>,
}

fn key_length(key: &Secret, (): &()) -> garde::Result {
    match (1..=200).contains(&key.expose().len()) {
        true => Ok(()),
        false => Err(garde::Error::new("must be 1 to 200 bytes")),
    }
}

/// Restore a backup into an instance. It is put beside what is there and looked at; then both change places, and the
/// database before stays under another name. What fails changes nothing.
#[utoipa::path(post, path = "/api/environments/{env_id}/backups/{backup_id}/restore", tag = "Backups",
    params(("env_id" = EnvironmentId, Path), ("backup_id" = BackupId, Path), Queue), request_body = BackupRestoreInput,
    responses((status = 202, description = "A job restores it", body = Accepted),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It does not fit there, or a job is under way", body = ErrorBody)))]
async fn environment_backup_restore(
    ctx: Ctx, State(app): State<App>, Path((environment, id)): Path<(EnvironmentId, BackupId)>,
    Params(params): Params<Queue>, Body(body): Body<BackupRestoreInput>,
) -> Result<Accepted> {
    let asked =
        RestoreAsked { instance: body.instance_id, mode: body.mode, identity: body.identity, queue: params.queue };
    service::backup_restore(&ctx, &app, environment.into(), id, asked).await
}

/// Restore a backup into an instance, also where the environment that it was made in is gone.
#[utoipa::path(post, path = "/api/backups/{id}/restore", tag = "Backups", params(BackupId, Queue),
    request_body = BackupRestoreInput,
    responses((status = 202, description = "A job restores it", body = Accepted),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It does not fit there, or a job is under way", body = ErrorBody)))]
async fn backup_restore(
    ctx: Ctx, State(app): State<App>, Path(id): Path<BackupId>, Params(params): Params<Queue>,
    Body(body): Body<BackupRestoreInput>,
) -> Result<Accepted> {
    let asked =
        RestoreAsked { instance: body.instance_id, mode: body.mode, identity: body.identity, queue: params.queue };
    service::backup_restore(&ctx, &app, Within::default(), id, asked).await
}

/// Delete one of an instance's backups at its destination.
#[utoipa::path(delete, path = "/api/instances/{id}/backups/{backup_id}", tag = "Backups",
    params(("id" = InstanceId, Path), ("backup_id" = BackupId, Path), Forget),
    responses((status = 202, description = "A job deletes it", body = Accepted),
        (status = 204, description = "Forgotten"),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It is pinned, or not there yet", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn instance_backup_delete(
    ctx: Ctx, State(app): State<App>, Path((instance, id)): Path<(InstanceId, BackupId)>, if_match: IfMatch,
    Params(params): Params<Forget>,
) -> Result<Response> {
    deleted(&ctx, &app, instance.into(), id, if_match, params.forget).await
}

/// The key of a backup that is restored.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupIdentity {
    /// The secret key (`AGE-SECRET-KEY-1…`) of a backup that is encrypted for your own keys. It is forgotten after the
    /// restore.
    #[garde(inner(custom(key_length)))]
    #[schema(value_type = Option<String>, format = Password)]
    identity: Option<Secret>,
}

/// Restore one of an instance's backups into it.
#[utoipa::path(post, path = "/api/instances/{id}/backups/{backup_id}/restore", tag = "Backups",
    params(("id" = InstanceId, Path), ("backup_id" = BackupId, Path), Queue), request_body = BackupIdentity,
    responses((status = 202, description = "A job restores it", body = Accepted),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It is not whole, or a job is under way", body = ErrorBody)))]
async fn instance_backup_restore(
    ctx: Ctx, State(app): State<App>, Path((instance, id)): Path<(InstanceId, BackupId)>,
    Params(params): Params<Queue>, Body(body): Body<BackupIdentity>,
) -> Result<Accepted> {
    let asked = RestoreAsked { instance: Some(instance), mode: None, identity: body.identity, queue: params.queue };
    service::backup_restore(&ctx, &app, instance.into(), id, asked).await
}
