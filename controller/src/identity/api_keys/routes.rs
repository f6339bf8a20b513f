use super::model::{ApiKey, ApiKeyChange, NewApiKey, key_prefix, network_parse};
use super::service;
use crate::app::App;
use crate::error::{Error, ErrorBody, Problem, Result};
use crate::identity::roles::model::ScopeRef;
use crate::platform::http::names::name_check;
use crate::platform::http::surface::Surface;
use crate::platform::http::{
    Body, Ctx, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use ocore_shared::ids::{ApiKeyId, ServiceAccountId};
use serde::{Deserialize, Serialize};
use sqlx::types::ipnetwork::IpNetwork;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewApiKeys, routes!(api_key_list)))
        .routes(guard(Permission::ManageApiKeys, routes!(api_key_create)))
        .routes(guard(Permission::ViewApiKeys, routes!(api_key_get)))
        .routes(guard(Permission::ManageApiKeys, routes!(api_key_update)))
        .routes(guard(Permission::ManageApiKeys, routes!(api_key_rotate)))
        .routes(guard(Permission::ManageApiKeys, routes!(api_key_revoke)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ApiKeyListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    /// Part of a name.
    #[garde(inner(length(chars, max = 64)))]
    q: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// A key to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyCreate {
    /// Unique among the live keys of the organization.
    #[garde(length(chars, min = 3, max = 64), custom(name_check))]
    #[schema(min_length = 3, max_length = 64)]
    name: String,
    /// Keys of permissions, none beyond your own; `["*"]` for all that you have in that scope.
    #[garde(length(min = 1, max = 128))]
    permissions: Vec<String>,
    /// The whole organization when left out.
    #[garde(skip)]
    scope: Option<ScopeRef>,
    /// Never when left out.
    #[garde(skip)]
    expires_at: Option<DateTime<Utc>>,
    /// Addresses (`192.0.2.7`) and networks (`192.0.2.0/24`) that it may be used from; everywhere when left out.
    #[garde(length(max = 64))]
    #[serde(default)]
    allowed_addresses: Vec<String>,
    /// Make it this service account's: it outlives who makes it, and never may more than the account.
    #[garde(skip)]
    service_account_id: Option<ServiceAccountId>,
}

/// What a key becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyUpdate {
    #[garde(inner(length(chars, min = 3, max = 64), custom(name_check)))]
    #[schema(min_length = 3, max_length = 64)]
    name: Option<String>,
    /// Addresses and networks that it may be used from; an empty list means everywhere.
    #[garde(length(max = 64))]
    allowed_addresses: Option<Vec<String>>,
}

impl PatchFields for ApiKeyUpdate {
    const FIELDS: &'static [&'static str] = &["name", "allowed_addresses"];
}

/// How a key is rotated.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyRotate {
    /// Seconds that the secret before goes on working, at most 604800 (a week).
    #[garde(range(min = 0, max = 604_800))]
    #[serde(default = "a_day")]
    #[schema(minimum = 0, maximum = 604800)]
    grace_seconds: i64,
}

fn a_day() -> i64 {
    86_400
}

/// A key with its secret, shown this once.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyCreated {
    #[serde(flatten)]
    api_key: ApiKey,
    /// The key itself. It cannot be shown again.
    key: String,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RevokeParams {
    /// Only check whether it would be done.
    #[garde(skip)]
    #[serde(default)]
    dry_run: bool,
}

/// List API keys.
#[utoipa::path(get, path = "/api/api-keys", tag = "API Keys", params(ApiKeyListParams, Page),
    responses((status = 200, description = "Keys, newest first, never their secret", body = List<ApiKey>)))]
async fn api_key_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<ApiKeyListParams>,
) -> Result<Json<List<ApiKey>>> {
    service::api_key_list(&ctx, &app, params.name.as_deref(), params.q.as_deref(), &params.page).await.map(Json)
}

/// Make an API key.
#[utoipa::path(post, path = "/api/api-keys", tag = "API Keys", request_body = ApiKeyCreate,
    responses((status = 201, description = "The key, shown this once", body = ApiKeyCreated),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "The name is taken", body = ErrorBody)))]
async fn api_key_create(
    ctx: Ctx, State(app): State<App>, surface: Surface, Body(body): Body<ApiKeyCreate>,
) -> Result<Versioned<ApiKeyCreated>> {
    let (api_key, secret) = service::api_key_create(&ctx, &app, body.read(surface)?).await?;
    let version = api_key.version;
    let created = ApiKeyCreated { api_key, key: secret.expose().to_owned() };
    Ok(Versioned(StatusCode::CREATED, created, version))
}

impl ApiKeyCreate {
    fn read(self, surface: Surface) -> Result<NewApiKey> {
        Ok(NewApiKey {
            prefix: key_prefix(surface),
            allowed_addresses: networks(&self.allowed_addresses)?,
            name: self.name,
            permissions: self.permissions,
            scope: self.scope.unwrap_or_default(),
            expires_at: self.expires_at,
            service_account: self.service_account_id,
        })
    }
}

fn networks(texts: &[String]) -> Result<Vec<IpNetwork>> {
    let mut problems = Vec::new();
    let mut networks = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match network_parse(text) {
            Some(network) => networks.push(network),
            None => problems.push(Problem {
                field: format!("allowed_addresses[{index}]"),
                constraint: "address".into(),
                message: format!("'{text}' is neither an address nor a network like 192.0.2.0/24."),
            }),
        }
    }
    if problems.is_empty() { Ok(networks) } else { Err(Error::Invalid(problems)) }
}

/// Rename an API key, or change from where it may be used.
#[utoipa::path(patch, path = "/api/api-keys/{id}", tag = "API Keys", params(ApiKeyId), request_body = ApiKeyUpdate,
    responses((status = 200, description = "As it is now", body = ApiKey),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "The name is taken, or the key has ended", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn api_key_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ApiKeyId>, if_match: IfMatch, body: Patch<ApiKeyUpdate>,
) -> Result<Versioned<ApiKey>> {
    let change = |before: &ApiKey| {
        let body = body.read(before)?;
        Ok(ApiKeyChange {
            name: body.name.unwrap_or_else(|| before.name.clone()),
            allowed_addresses: networks(body.allowed_addresses.as_ref().unwrap_or(&before.allowed_addresses))?,
        })
    };
    let key = service::api_key_update(&ctx, &app, id, if_match, change).await?;
    let version = key.version;
    Ok(Versioned(StatusCode::OK, key, version))
}

/// Give an API key another secret; the one before goes on working for a while.
#[utoipa::path(post, path = "/api/api-keys/{id}/rotate", tag = "API Keys", params(ApiKeyId),
    request_body = ApiKeyRotate,
    responses((status = 200, description = "The key with its new secret, shown this once", body = ApiKeyCreated),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "The key has ended", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn api_key_rotate(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ApiKeyId>, if_match: IfMatch, Body(body): Body<ApiKeyRotate>,
) -> Result<Versioned<ApiKeyCreated>> {
    let grace = TimeDelta::seconds(body.grace_seconds);
    let (api_key, secret) = service::api_key_rotate(&ctx, &app, id, if_match, grace).await?;
    let version = api_key.version;
    let rotated = ApiKeyCreated { api_key, key: secret.expose().to_owned() };
    Ok(Versioned(StatusCode::OK, rotated, version))
}

/// Read an API key.
#[utoipa::path(get, path = "/api/api-keys/{id}", tag = "API Keys", params(ApiKeyId),
    responses((status = 200, description = "The key, never its secret", body = ApiKey),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn api_key_get(ctx: Ctx, State(app): State<App>, Path(id): Path<ApiKeyId>) -> Result<Versioned<ApiKey>> {
    let key = service::api_key_get(&ctx, &app, id).await?;
    let version = key.version;
    Ok(Versioned(StatusCode::OK, key, version))
}

/// Revoke an API key.
#[utoipa::path(delete, path = "/api/api-keys/{id}", tag = "API Keys", params(ApiKeyId, RevokeParams),
    responses((status = 204, description = "It no longer works anywhere within 5 seconds"),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn api_key_revoke(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ApiKeyId>, if_match: IfMatch, Params(params): Params<RevokeParams>,
) -> Result<StatusCode> {
    service::api_key_revoke(&ctx, &app, id, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}
