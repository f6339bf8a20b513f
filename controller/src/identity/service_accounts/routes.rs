use super::model::{ServiceAccount, ServiceAccountInput};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::identity::roles::model::{GrantInput, WantedGrant};
use crate::platform::http::names::name_check;
use crate::platform::http::{
    Body, Ctx, DryRun, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::ServiceAccountId;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewApiKeys, routes!(service_account_list)))
        .routes(guard(Permission::ManageApiKeys, routes!(service_account_create)))
        .routes(guard(Permission::ViewApiKeys, routes!(service_account_get)))
        .routes(guard(Permission::ManageApiKeys, routes!(service_account_update)))
        .routes(guard(Permission::ManageApiKeys, routes!(service_account_delete)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ServiceAccountListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// A service account to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccountCreate {
    /// Unique in the organization.
    #[garde(length(chars, min = 3, max = 64), custom(name_check))]
    #[schema(min_length = 3, max_length = 64)]
    name: String,
    #[garde(length(chars, max = 500))]
    #[serde(default)]
    description: String,
    /// Roles with their scopes, none beyond what you hold there.
    #[garde(length(max = 200), dive)]
    #[serde(default)]
    grants: Vec<GrantInput>,
}

/// What a service account becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccountUpdate {
    #[garde(inner(length(chars, min = 3, max = 64), custom(name_check)))]
    #[schema(min_length = 3, max_length = 64)]
    name: Option<String>,
    #[garde(inner(length(chars, max = 500)))]
    description: Option<String>,
    /// All roles that it is to hold.
    #[garde(length(max = 200), dive)]
    grants: Option<Vec<GrantInput>>,
}

impl PatchFields for ServiceAccountUpdate {
    const FIELDS: &'static [&'static str] = &["name", "description", "grants"];
}

fn wanted(grants: &[GrantInput]) -> Vec<WantedGrant> {
    grants.iter().map(WantedGrant::from).collect()
}

fn versioned(status: StatusCode, account: ServiceAccount) -> Versioned<ServiceAccount> {
    let version = account.version;
    Versioned(status, account, version)
}

/// List service accounts.
#[utoipa::path(get, path = "/api/service-accounts", tag = "Service accounts", params(ServiceAccountListParams, Page),
    responses((status = 200, description = "Newest first", body = List<ServiceAccount>)))]
async fn service_account_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<ServiceAccountListParams>,
) -> Result<Json<List<ServiceAccount>>> {
    service::service_account_list(&ctx, &app, params.name.as_deref(), &params.page).await.map(Json)
}

/// Make a service account. Give it keys with POST /api/api-keys.
#[utoipa::path(post, path = "/api/service-accounts", tag = "Service accounts", request_body = ServiceAccountCreate,
    responses((status = 201, description = "Made", body = ServiceAccount),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "The name is taken", body = ErrorBody)))]
async fn service_account_create(
    ctx: Ctx, State(app): State<App>, Body(body): Body<ServiceAccountCreate>,
) -> Result<Versioned<ServiceAccount>> {
    let grants = wanted(&body.grants);
    let new = ServiceAccountInput { name: body.name, description: body.description, grants };
    Ok(versioned(StatusCode::CREATED, service::service_account_create(&ctx, &app, new).await?))
}

/// Read a service account.
#[utoipa::path(get, path = "/api/service-accounts/{id}", tag = "Service accounts", params(ServiceAccountId),
    responses((status = 200, description = "The account", body = ServiceAccount),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn service_account_get(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServiceAccountId>,
) -> Result<Versioned<ServiceAccount>> {
    Ok(versioned(StatusCode::OK, service::service_account_get(&ctx, &app, id).await?))
}

/// Change a service account.
#[utoipa::path(patch, path = "/api/service-accounts/{id}", tag = "Service accounts", params(ServiceAccountId),
    request_body = ServiceAccountUpdate,
    responses((status = 200, description = "As it is now", body = ServiceAccount),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "The name is taken", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn service_account_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServiceAccountId>, if_match: IfMatch,
    body: Patch<ServiceAccountUpdate>,
) -> Result<Versioned<ServiceAccount>> {
    let change = |before: &ServiceAccount| {
        let body = body.read(before)?;
        Ok(ServiceAccountInput {
            name: body.name.unwrap_or_else(|| before.name.clone()),
            description: body.description.unwrap_or_else(|| before.description.clone()),
            grants: body
                .grants
                .as_deref()
                .map_or_else(|| before.grants.iter().map(WantedGrant::from).collect(), wanted),
        })
    };
    let account = service::service_account_update(&ctx, &app, id, if_match, change).await?;
    Ok(versioned(StatusCode::OK, account))
}

/// Remove a service account with its keys.
#[utoipa::path(delete, path = "/api/service-accounts/{id}", tag = "Service accounts",
    params(ServiceAccountId, DryRun),
    responses((status = 204, description = "Removed; its keys no longer work anywhere within 5 seconds"),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn service_account_delete(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServiceAccountId>, if_match: IfMatch,
    Params(params): Params<DryRun>,
) -> Result<StatusCode> {
    service::service_account_delete(&ctx, &app, id, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}
