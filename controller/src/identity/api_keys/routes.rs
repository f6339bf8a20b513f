use super::model::{ApiKey, KEY_PREFIXES, KeyScope, NewApiKey, network_parse};
use super::service;
use crate::app::App;
use crate::error::{Error, ErrorBody, Problem, Result};
use crate::platform::http::{Body, Ctx, IfMatch, List, Page, Params, Path, Permission, Versioned, guard};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use garde::Validate;
use ocore_shared::ids::ApiKeyId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewApiKeys, routes!(api_key_list)))
        .routes(guard(Permission::ManageApiKeys, routes!(api_key_create)))
        .routes(guard(Permission::ViewApiKeys, routes!(api_key_get)))
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
    #[garde(length(chars, min = 3, max = 64))]
    #[schema(min_length = 3, max_length = 64)]
    name: String,
    /// Keys of permissions, none beyond your own.
    #[garde(length(min = 1, max = 128))]
    permissions: Vec<String>,
    /// The whole organization when left out.
    #[garde(skip)]
    scope: Option<KeyScope>,
    /// Never when left out.
    #[garde(skip)]
    expires_at: Option<DateTime<Utc>>,
    /// Addresses (`192.0.2.7`) and networks (`192.0.2.0/24`) that it may be used from; everywhere when left out.
    #[garde(length(max = 64))]
    #[serde(default)]
    allowed_addresses: Vec<String>,
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
    ctx: Ctx, State(app): State<App>, Body(body): Body<ApiKeyCreate>,
) -> Result<Versioned<ApiKeyCreated>> {
    let (api_key, secret) = service::api_key_create(&ctx, &app, body.read()?).await?;
    let version = api_key.version;
    let created = ApiKeyCreated { api_key, key: secret.expose().to_owned() };
    Ok(Versioned(StatusCode::CREATED, created, version))
}

impl ApiKeyCreate {
    fn read(self) -> Result<NewApiKey> {
        let mut problems = Vec::new();
        let mut networks = Vec::new();
        for (index, text) in self.allowed_addresses.iter().enumerate() {
            match network_parse(text) {
                Some(network) => networks.push(network),
                None => problems.push(Problem {
                    field: format!("allowed_addresses[{index}]"),
                    constraint: "address".into(),
                    message: format!("'{text}' is neither an address nor a network like 192.0.2.0/24."),
                }),
            }
        }
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        Ok(NewApiKey {
            prefix: KEY_PREFIXES[0],
            name: self.name,
            permissions: self.permissions,
            scope: self.scope.unwrap_or_default(),
            expires_at: self.expires_at,
            allowed_addresses: networks,
        })
    }
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
