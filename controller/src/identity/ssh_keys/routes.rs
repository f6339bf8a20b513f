use super::model::{SshKey, SshKeyChange};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::names::name_check;
use crate::platform::http::{Body, Caller, IfMatch, List, Page, Params, Patch, PatchFields, Path, Versioned, user};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::SshKeyId;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(user(routes!(ssh_key_list)))
        .routes(user(routes!(ssh_key_add)))
        .routes(user(routes!(ssh_key_update)))
        .routes(user(routes!(ssh_key_remove)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct SshKeyListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// A public key to add.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "laptop",
    "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ada@laptop"
}))]
pub struct SshKeyAdd {
    /// Unique among one's keys; the key's comment when left out.
    #[garde(inner(length(chars, min = 1, max = 64), custom(name_check)))]
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    /// One line from the file that ends in `.pub`: ed25519, ecdsa, their `sk-` forms, or RSA of 3072 bits and more.
    #[garde(length(min = 1, max = 16384))]
    #[schema(min_length = 1, max_length = 16384)]
    public_key: String,
    /// Use it where none is chosen; the first key always is.
    #[garde(skip)]
    #[serde(default)]
    is_default: bool,
}

/// What a key becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SshKeyUpdate {
    #[garde(inner(length(chars, min = 1, max = 64), custom(name_check)))]
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    /// True: use it where none is chosen, instead of the present one.
    #[garde(skip)]
    is_default: Option<bool>,
}

impl PatchFields for SshKeyUpdate {
    const FIELDS: &'static [&'static str] = &["name", "is_default"];
}

/// List one's SSH keys.
#[utoipa::path(get, path = "/api/user/ssh-keys", tag = "User", params(SshKeyListParams, Page),
    responses((status = 200, description = "The newest first", body = List<SshKey>),
        (status = 400, description = "A parameter is wrong", body = ErrorBody)))]
async fn ssh_key_list(
    caller: Caller, State(app): State<App>, Params(params): Params<SshKeyListParams>,
) -> Result<Json<List<SshKey>>> {
    service::ssh_key_list(&caller, &app, params.name.as_deref(), &params.page).await.map(Json)
}

/// Add an SSH key.
#[utoipa::path(post, path = "/api/user/ssh-keys", tag = "User", request_body = SshKeyAdd,
    responses((status = 201, description = "Added", body = SshKey),
        (status = 400, description = "It is no public key, or a weak one", body = ErrorBody),
        (status = 409, description = "It is there already, its name is taken, or there are too many", body = ErrorBody)))]
async fn ssh_key_add(caller: Caller, State(app): State<App>, Body(body): Body<SshKeyAdd>) -> Result<Versioned<SshKey>> {
    let key = service::ssh_key_add(&caller, &app, body.name, &body.public_key, body.is_default).await?;
    let version = key.version;
    Ok(Versioned(StatusCode::CREATED, key, version))
}

/// Rename an SSH key, or make it the default.
#[utoipa::path(patch, path = "/api/user/ssh-keys/{id}", tag = "User", params(SshKeyId), request_body = SshKeyUpdate,
    responses((status = 200, description = "As it is now", body = SshKey),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "You have no such key", body = ErrorBody),
        (status = 409, description = "The name is taken", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn ssh_key_update(
    caller: Caller, State(app): State<App>, Path(id): Path<SshKeyId>, if_match: IfMatch, body: Patch<SshKeyUpdate>,
) -> Result<Versioned<SshKey>> {
    let change = |before: &SshKey| {
        let body = body.read(before)?;
        Ok(SshKeyChange {
            name: body.name.unwrap_or_else(|| before.name.clone()),
            is_default: body.is_default.unwrap_or(before.is_default),
        })
    };
    let key = service::ssh_key_update(&caller, &app, id, if_match, change).await?;
    let version = key.version;
    Ok(Versioned(StatusCode::OK, key, version))
}

/// Remove an SSH key.
#[utoipa::path(delete, path = "/api/user/ssh-keys/{id}", tag = "User", params(SshKeyId),
    responses((status = 204, description = "Removed"),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "You have no such key", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn ssh_key_remove(
    caller: Caller, State(app): State<App>, Path(id): Path<SshKeyId>, if_match: IfMatch,
) -> Result<StatusCode> {
    service::ssh_key_remove(&caller, &app, id, if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}
