use super::model::{AdminOrganization, AdminOrganizationDetail, OrganizationFilter};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{List, Page, Params, Path, Versioned, admin};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::OrganizationId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(admin(routes!(admin_organization_list))).routes(admin(routes!(admin_organization_get)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct OrganizationListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    /// Part of name or slug.
    #[garde(inner(length(chars, max = 100)))]
    q: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List all organizations.
///
/// Whoever they belong to, newest first.
#[utoipa::path(get, path = "/api/admin/orgs", tag = "Admin", params(OrganizationListParams, Page),
    responses((status = 200, description = "Organizations, newest first", body = List<AdminOrganization>),
        (status = 400, description = "A filter cannot be read", body = ErrorBody)))]
async fn admin_organization_list(
    State(app): State<App>, Params(params): Params<OrganizationListParams>,
) -> Result<Json<List<AdminOrganization>>> {
    let filter = OrganizationFilter { id: None, name: params.name.as_deref(), q: params.q.as_deref() };
    service::organization_list(&app, &filter, &params.page).await.map(Json)
}

/// Get an organization with what it uses.
#[utoipa::path(get, path = "/api/admin/orgs/{id}", tag = "Admin", params(OrganizationId),
    responses((status = 200, description = "The organization", body = AdminOrganizationDetail),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn admin_organization_get(
    State(app): State<App>, Path(id): Path<OrganizationId>,
) -> Result<Versioned<AdminOrganizationDetail>> {
    let found = service::organization_get(&app, id).await?;
    let version = found.organization.version;
    Ok(Versioned(StatusCode::OK, found, version))
}
