//! `/api/backup-destinations`.

use super::model::{Destination, DestinationInput, Encryption, NewSecret};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::names::name_check;
use crate::platform::http::{
    Body, Ctx, DryRun, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::{DestinationId, ServerId};
use ocore_shared::protocol::storage::Place;
use ocore_shared::secret::Secret;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewBackups, routes!(destination_get_default)))
        .routes(guard(Permission::ViewBackups, routes!(default_bucket_list)))
        .routes(guard(Permission::ManageBackups, routes!(default_bucket_create)))
        .routes(guard(Permission::ViewBackups, routes!(destination_list)))
        .routes(guard(Permission::ManageBackups, routes!(destination_create)))
        .routes(guard(Permission::ViewBackups, routes!(destination_get)))
        .routes(guard(Permission::ManageBackups, routes!(destination_update)))
        .routes(guard(Permission::ManageBackups, routes!(destination_delete)))
        .routes(guard(Permission::ManageBackups, routes!(destination_test)))
        .routes(guard(Permission::ManageBackups, routes!(destination_activate)))
        .routes(guard(Permission::ViewBackups, routes!(bucket_list)))
        .routes(guard(Permission::ManageBackups, routes!(bucket_create)))
}

/// List the destinations that backups go to.
#[utoipa::path(get, path = "/api/backup-destinations", tag = "Backups", params(Page),
    responses((status = 200, description = "Destinations, newest first", body = List<Destination>)))]
async fn destination_list(
    ctx: Ctx, State(app): State<App>, Params(page): Params<Page>,
) -> Result<Json<List<Destination>>> {
    service::destination_list(&ctx, &app, &page).await.map(Json)
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TriedBy {
    /// The server that tries it; left out: any that is online, and the controller without any.
    #[garde(skip)]
    server_id: Option<ServerId>,
}

/// A destination to add.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationCreate {
    #[garde(length(chars, min = 1, max = 64), custom(name_check))]
    #[schema(min_length = 1, max_length = 64, example = "Off-site")]
    name: String,
    #[garde(skip)]
    #[serde(deserialize_with = "place")]
    config: Place,
    /// Of `s3` the secret access key; of `sftp` the user's password, or a private key without a passphrase.
    #[garde(inner(custom(secret_length)))]
    #[schema(value_type = Option<String>, format = Password)]
    secret: Option<Secret>,
    /// Left out: `managed`, and `none` for a directory of the server.
    #[garde(skip)]
    encryption: Option<Encryption>,
    /// Public keys of age, for the encryption `recipients`.
    #[garde(length(max = 20), inner(length(bytes, max = 100)))]
    #[serde(default)]
    #[schema(max_items = 20)]
    recipients: Vec<String>,
    /// New backups go there.
    #[garde(skip)]
    #[serde(default)]
    is_default: bool,
}

/// What a destination becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationUpdate {
    #[garde(inner(length(chars, min = 1, max = 64), custom(name_check)))]
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    #[garde(skip)]
    #[serde(default, deserialize_with = "place_or_none")]
    config: Option<Place>,
    /// Left out: the stored one stays, as long as service and user do.
    #[garde(inner(custom(secret_length)))]
    #[schema(value_type = Option<String>, format = Password)]
    secret: Option<Secret>,
    #[garde(skip)]
    encryption: Option<Encryption>,
    #[garde(inner(length(max = 20), inner(length(bytes, max = 100))))]
    #[schema(max_items = 20)]
    recipients: Option<Vec<String>>,
}

impl PatchFields for DestinationUpdate {
    const FIELDS: &'static [&'static str] = &["name", "config", "secret", "encryption", "recipients"];
}

/// A place without fields that it does not know: agents ignore them, people mistype them.
fn place<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Place, D::Error> {
    let given = Value::deserialize(deserializer)?;
    let place = match given["kind"].as_str() {
        Some("s3") => Place::S3(place_fields(&given)?),
        Some("sftp") => Place::Sftp(place_fields(&given)?),
        Some("local") => Place::Local(place_fields(&given)?),
        // What is wrong with the kind is said by whoever knows all of them.
        _ => Place::deserialize(&given).map_err(D::Error::custom)?,
    };
    let known = serde_json::to_value(&place).map_err(D::Error::custom)?;
    let unknown = given.as_object().into_iter().flatten().find(|(field, _)| known.get(field.as_str()).is_none());
    match unknown {
        Some((field, _)) => Err(D::Error::custom(format_args!("unknown field `{field}`"))),
        None => Ok(place),
    }
}

/// The fields of one kind. What is wrong with one names it, which a choice between kinds would not.
fn place_fields<T: DeserializeOwned, E: serde::de::Error>(given: &Value) -> std::result::Result<T, E> {
    serde_path_to_error::deserialize(given).map_err(|error| match error.path().iter().next() {
        Some(_) => E::custom(format_args!("{}: {}", error.path(), error.inner())),
        None => E::custom(error.inner()),
    })
}

fn place_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Place>, D::Error> {
    place(deserializer).map(Some)
}

fn secret_length(secret: &Secret, (): &()) -> garde::Result {
    match (1..=16_384).contains(&secret.expose().len()) {
        true => Ok(()),
        false => Err(garde::Error::new("must be 1 to 16384 bytes")),
    }
}

/// Add a destination. It is tried first: something is written there, read and removed; one that fails is not kept.
#[utoipa::path(post, path = "/api/backup-destinations", tag = "Backups", params(TriedBy),
    request_body = DestinationCreate,
    responses((status = 201, description = "Added", body = Destination),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is no such server", body = ErrorBody),
        (status = 409, description = "The name is taken", body = ErrorBody),
        (status = 422, description = "It cannot be used, and why", body = ErrorBody)))]
async fn destination_create(
    ctx: Ctx, State(app): State<App>, Params(params): Params<TriedBy>, Body(body): Body<DestinationCreate>,
) -> Result<Versioned<Destination>> {
    let usual = match body.config {
        Place::Local(_) => Encryption::None,
        Place::S3(_) | Place::Sftp(_) => Encryption::Managed,
    };
    let input = DestinationInput {
        name: body.name,
        encryption: body.encryption.unwrap_or(match body.recipients.is_empty() {
            true => usual,
            false => Encryption::Recipients,
        }),
        config: body.config,
        secret: body.secret.map_or(NewSecret::None, NewSecret::Is),
        recipients: body.recipients,
    };
    let destination = service::destination_create(&ctx, &app, input, params.server_id, body.is_default).await?;
    let version = destination.version;
    Ok(Versioned(StatusCode::CREATED, destination, version))
}

/// Read a destination.
#[utoipa::path(get, path = "/api/backup-destinations/{id}", tag = "Backups", params(DestinationId),
    responses((status = 200, description = "The destination", body = Destination),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn destination_get(
    ctx: Ctx, State(app): State<App>, Path(id): Path<DestinationId>,
) -> Result<Versioned<Destination>> {
    let destination = service::destination_get(&ctx, &app, id).await?;
    let version = destination.version;
    Ok(Versioned(StatusCode::OK, destination, version))
}

/// Read the destination where new backups go.
#[utoipa::path(get, path = "/api/backup-destinations/default", tag = "Backups",
    responses((status = 200, description = "The destination", body = Destination),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn destination_get_default(ctx: Ctx, State(app): State<App>) -> Result<Versioned<Destination>> {
    let destination = service::destination_get_default(&ctx, &app).await?;
    let version = destination.version;
    Ok(Versioned(StatusCode::OK, destination, version))
}

/// Change a destination. With another place or secret it is tried first. Backups that are there stay where they are.
#[utoipa::path(patch, path = "/api/backup-destinations/{id}", tag = "Backups", params(DestinationId, TriedBy),
    request_body = DestinationUpdate,
    responses((status = 200, description = "The destination as it is now", body = Destination),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "The name is taken, or it has just been changed", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody),
        (status = 422, description = "It cannot be used, and why", body = ErrorBody)))]
async fn destination_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<DestinationId>, Params(params): Params<TriedBy>,
    if_match: IfMatch, body: Patch<DestinationUpdate>,
) -> Result<Versioned<Destination>> {
    let change = |destination: &Destination| {
        let body = body.read(destination)?;
        let config = body.config.unwrap_or_else(|| destination.config.clone());
        let secret = match body.secret {
            Some(secret) => NewSecret::Is(secret),
            None if destination.has_secret && !matches!(config, Place::Local(_)) => NewSecret::Stays,
            None => NewSecret::None,
        };
        let encryption = body.encryption.unwrap_or(destination.encryption);
        let recipients = body.recipients.unwrap_or_else(|| match encryption {
            Encryption::Recipients => destination.recipients.clone(),
            Encryption::None | Encryption::Managed => Vec::new(),
        });
        let name = body.name.unwrap_or_else(|| destination.name.clone());
        Ok(DestinationInput { name, config, secret, encryption, recipients })
    };
    let destination = service::destination_update(&ctx, &app, id, if_match, params.server_id, change).await?;
    let version = destination.version;
    Ok(Versioned(StatusCode::OK, destination, version))
}

/// Remove a destination and its secret from here. What it holds stays there.
#[utoipa::path(delete, path = "/api/backup-destinations/{id}", tag = "Backups", params(DestinationId, DryRun),
    responses((status = 204, description = "Removed"), (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It is in use", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn destination_delete(
    ctx: Ctx, State(app): State<App>, Path(id): Path<DestinationId>, if_match: IfMatch, Params(params): Params<DryRun>,
) -> Result<StatusCode> {
    service::destination_delete(&ctx, &app, id, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a destination with what is stored: something is written there, read and removed.
#[utoipa::path(post, path = "/api/backup-destinations/{id}/test", tag = "Backups", params(DestinationId, TriedBy),
    responses((status = 200, description = "The destination, with what came of it", body = Destination),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn destination_test(
    ctx: Ctx, State(app): State<App>, Path(id): Path<DestinationId>, Params(params): Params<TriedBy>,
) -> Result<Json<Destination>> {
    service::destination_test(&ctx, &app, id, params.server_id).await.map(Json)
}

/// Let new backups go there.
#[utoipa::path(post, path = "/api/backup-destinations/{id}/activate", tag = "Backups", params(DestinationId),
    responses((status = 200, description = "The destination, the default now", body = Destination),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn destination_activate(
    ctx: Ctx, State(app): State<App>, Path(id): Path<DestinationId>, if_match: IfMatch,
) -> Result<Versioned<Destination>> {
    let destination = service::destination_activate(&ctx, &app, id, if_match).await?;
    let version = destination.version;
    Ok(Versioned(StatusCode::OK, destination, version))
}

/// A bucket of S3.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bucket {
    name: String,
}

/// Buckets, all of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct BucketList {
    data: Vec<Bucket>,
}

impl BucketList {
    fn of(names: Vec<String>) -> Self {
        Self { data: names.into_iter().map(|name| Bucket { name }).collect() }
    }
}

/// List the buckets that a destination's credential sees.
#[utoipa::path(get, path = "/api/backup-destinations/{id}/buckets", tag = "Backups", params(DestinationId, TriedBy),
    responses((status = 200, description = "Their names", body = BucketList),
        (status = 404, description = "There is no such destination", body = ErrorBody),
        (status = 422, description = "It has no buckets, or does not list them", body = ErrorBody)))]
async fn bucket_list(
    ctx: Ctx, State(app): State<App>, Path(id): Path<DestinationId>, Params(params): Params<TriedBy>,
) -> Result<Json<BucketList>> {
    let answer = service::bucket_list(&ctx, &app, id, params.server_id).await?;
    Ok(Json(BucketList::of(answer.buckets)))
}

/// A bucket to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketCreate {
    #[garde(length(bytes, min = 3, max = 63), pattern(r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$"))]
    #[schema(min_length = 3, max_length = 63, example = "acme-backups")]
    name: String,
}

/// Make a bucket with a destination's credential. One that is there already, and the account's own, is fine.
#[utoipa::path(post, path = "/api/backup-destinations/{id}/buckets", tag = "Backups", params(DestinationId, TriedBy),
    request_body = BucketCreate,
    responses((status = 201, description = "Made", body = BucketList),
        (status = 400, description = "The name is wrong", body = ErrorBody),
        (status = 404, description = "There is no such destination", body = ErrorBody),
        (status = 422, description = "It was not made, and why", body = ErrorBody)))]
async fn bucket_create(
    ctx: Ctx, State(app): State<App>, Path(id): Path<DestinationId>, Params(params): Params<TriedBy>,
    Body(body): Body<BucketCreate>,
) -> Result<(StatusCode, Json<BucketList>)> {
    let answer = service::bucket_create(&ctx, &app, id, params.server_id, body.name).await?;
    Ok((StatusCode::CREATED, Json(BucketList::of(answer.buckets))))
}

/// List the buckets that the default destination's credential sees.
#[utoipa::path(get, path = "/api/backup-destinations/default/buckets", tag = "Backups", params(TriedBy),
    responses((status = 200, description = "Their names", body = BucketList),
        (status = 404, description = "No destination is the default", body = ErrorBody),
        (status = 422, description = "It has no buckets, or does not list them", body = ErrorBody)))]
async fn default_bucket_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<TriedBy>,
) -> Result<Json<BucketList>> {
    let destination = service::destination_get_default(&ctx, &app).await?;
    let answer = service::bucket_list(&ctx, &app, destination.id, params.server_id).await?;
    Ok(Json(BucketList::of(answer.buckets)))
}

/// Make a bucket with the default destination's credential.
#[utoipa::path(post, path = "/api/backup-destinations/default/buckets", tag = "Backups", params(TriedBy),
    request_body = BucketCreate,
    responses((status = 201, description = "Made", body = BucketList),
        (status = 400, description = "The name is wrong", body = ErrorBody),
        (status = 404, description = "No destination is the default", body = ErrorBody),
        (status = 422, description = "It was not made, and why", body = ErrorBody)))]
async fn default_bucket_create(
    ctx: Ctx, State(app): State<App>, Params(params): Params<TriedBy>, Body(body): Body<BucketCreate>,
) -> Result<(StatusCode, Json<BucketList>)> {
    let destination = service::destination_get_default(&ctx, &app).await?;
    let answer = service::bucket_create(&ctx, &app, destination.id, params.server_id, body.name).await?;
    Ok((StatusCode::CREATED, Json(BucketList::of(answer.buckets))))
}
