//! `/api/registries`.

use super::model::{NewPassword, Registry, RegistryCheck, RegistryInput};
use super::service;
use super::store::RegistryFilter;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::names::name_check;
use crate::platform::http::patch::present;
use crate::platform::http::{
    Body, Ctx, DryRun, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::RegistryId;
use ocore_shared::protocol::registries::canonical;
use ocore_shared::secret::Secret;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewCredentials, routes!(registry_list)))
        .routes(guard(Permission::ManageCredentials, routes!(registry_create)))
        .routes(guard(Permission::ViewCredentials, routes!(registry_get)))
        .routes(guard(Permission::ManageCredentials, routes!(registry_update)))
        .routes(guard(Permission::ManageCredentials, routes!(registry_delete)))
        .routes(guard(Permission::ManageCredentials, routes!(registry_test)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RegistryListParams {
    /// Exact address.
    #[garde(skip)]
    address: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List the registries that images come from.
#[utoipa::path(get, path = "/api/registries", tag = "Registries", params(RegistryListParams, Page),
    responses((status = 200, description = "Registries, newest first", body = List<Registry>)))]
async fn registry_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<RegistryListParams>,
) -> Result<Json<List<Registry>>> {
    let filter = RegistryFilter { address: params.address.as_deref(), ..RegistryFilter::default() };
    service::registry_list(&ctx, &app, filter, &params.page).await.map(Json)
}

/// A registry to add.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryCreate {
    /// Host and, where it is not 443, port: `registry.example.com`, `registry.example.com:5000`, `docker.io`.
    #[garde(custom(registry_address))]
    #[schema(min_length = 1, max_length = 255, example = "registry.example.com")]
    address: String,
    #[garde(length(chars, max = 255), custom(name_check))]
    #[serde(default)]
    description: String,
    /// Left out where it asks nobody who they are.
    #[garde(inner(length(chars, min = 1, max = 255), custom(name_check)))]
    username: Option<String>,
    /// A password or an access token.
    #[garde(inner(custom(password_length)))]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
    /// The registry that this one is asked before, such as `docker.io`.
    #[garde(inner(custom(registry_address)))]
    #[schema(example = "docker.io")]
    mirror_of: Option<String>,
}

/// What a registry becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryUpdate {
    #[garde(inner(custom(registry_address)))]
    #[schema(min_length = 1, max_length = 255)]
    address: Option<String>,
    #[garde(inner(length(chars, max = 255), custom(name_check)))]
    description: Option<String>,
    /// Null: nobody.
    #[garde(inner(inner(length(chars, min = 1, max = 255), custom(name_check))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    username: Option<Option<String>>,
    /// Left out: the stored one stays, as long as address and user do.
    #[garde(inner(custom(password_length)))]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
    #[garde(inner(inner(custom(registry_address))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    mirror_of: Option<Option<String>>,
}

impl PatchFields for RegistryUpdate {
    const FIELDS: &'static [&'static str] = &["address", "description", "username", "password", "mirror_of"];
}

fn registry_address(address: impl AsRef<str>, (): &()) -> garde::Result {
    let address = address.as_ref();
    let (host, port) = address.rsplit_once(':').map_or((address, None), |(host, port)| (host, Some(port)));
    let names = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let fits = !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(names)
        && !host.starts_with(['-', '.'])
        && !host.ends_with(['-', '.'])
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if fits && (host.contains('.') || host == "localhost" || port.is_some()) {
        return Ok(());
    }
    Err(garde::Error::new("must be a host like registry.example.com, with :port where that is not 443"))
}

fn password_length(password: &Secret, (): &()) -> garde::Result {
    // Tokens of the large clouds have some thousand characters.
    if (1..=16_384).contains(&password.expose().len()) && !password.expose().chars().any(char::is_control) {
        return Ok(());
    }
    Err(garde::Error::new("must be one line of 1 to 16384 bytes"))
}

/// Add a registry. It is tried first: credentials that it refuses are not kept.
#[utoipa::path(post, path = "/api/registries", tag = "Registries", request_body = RegistryCreate,
    responses((status = 201, description = "Added", body = Registry),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "It is there already", body = ErrorBody),
        (status = 422, description = "It refuses the credentials", body = ErrorBody)))]
async fn registry_create(
    ctx: Ctx, State(app): State<App>, Body(body): Body<RegistryCreate>,
) -> Result<Versioned<Registry>> {
    let new = RegistryInput {
        address: canonical(&body.address).to_owned(),
        description: body.description,
        username: body.username,
        password: body.password.map_or(NewPassword::None, NewPassword::Is),
        mirror_of: body.mirror_of.as_deref().map(canonical).map(str::to_owned),
    };
    let registry = service::registry_create(&ctx, &app, new).await?;
    let version = registry.version;
    Ok(Versioned(StatusCode::CREATED, registry, version))
}

/// Read a registry.
#[utoipa::path(get, path = "/api/registries/{id}", tag = "Registries", params(RegistryId),
    responses((status = 200, description = "The registry", body = Registry),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn registry_get(ctx: Ctx, State(app): State<App>, Path(id): Path<RegistryId>) -> Result<Versioned<Registry>> {
    let registry = service::registry_get(&ctx, &app, id).await?;
    let version = registry.version;
    Ok(Versioned(StatusCode::OK, registry, version))
}

/// Change a registry. It is tried first: credentials that it refuses are not kept.
#[utoipa::path(patch, path = "/api/registries/{id}", tag = "Registries", params(RegistryId),
    request_body = RegistryUpdate,
    responses((status = 200, description = "The registry as it is now", body = Registry),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It is there already, or has just been changed", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody),
        (status = 422, description = "It refuses the credentials", body = ErrorBody)))]
async fn registry_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<RegistryId>, if_match: IfMatch, body: Patch<RegistryUpdate>,
) -> Result<Versioned<Registry>> {
    let change = |registry: &Registry| {
        let body = body.read(registry)?;
        let username = body.username.unwrap_or_else(|| registry.username.clone());
        let password = match body.password {
            Some(password) => NewPassword::Is(password),
            None if registry.has_password && username.is_some() => NewPassword::Stays,
            None => NewPassword::None,
        };
        let address = body.address.unwrap_or_else(|| registry.address.clone());
        let mirror_of = body.mirror_of.unwrap_or_else(|| registry.mirror_of.clone());
        Ok(RegistryInput {
            address: canonical(&address).to_owned(),
            description: body.description.unwrap_or_else(|| registry.description.clone()),
            username,
            password,
            mirror_of: mirror_of.as_deref().map(canonical).map(str::to_owned),
        })
    };
    let registry = service::registry_update(&ctx, &app, id, if_match, change).await?;
    let version = registry.version;
    Ok(Versioned(StatusCode::OK, registry, version))
}

/// Remove a registry with its password. What runs goes on.
#[utoipa::path(delete, path = "/api/registries/{id}", tag = "Registries", params(RegistryId, DryRun),
    responses((status = 204, description = "Removed"), (status = 404, description = "There is none", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn registry_delete(
    ctx: Ctx, State(app): State<App>, Path(id): Path<RegistryId>, if_match: IfMatch, Params(params): Params<DryRun>,
) -> Result<StatusCode> {
    service::registry_delete(&ctx, &app, id, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign in to a registry with what is stored, and list some of what it holds.
#[utoipa::path(post, path = "/api/registries/{id}/test", tag = "Registries", params(RegistryId),
    responses((status = 200, description = "What came of it", body = RegistryCheck),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn registry_test(ctx: Ctx, State(app): State<App>, Path(id): Path<RegistryId>) -> Result<Json<RegistryCheck>> {
    service::registry_test(&ctx, &app, id).await.map(Json)
}
