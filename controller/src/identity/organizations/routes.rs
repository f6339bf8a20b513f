use super::model::{NewOrganization, Organization};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{Body, Caller, Ctx, List, Page, Params, Permission, Versioned, guard, user};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(user(routes!(organization_list)))
        .routes(user(routes!(organization_create)))
        .routes(guard(Permission::ViewOrg, routes!(organization_get)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct OrganizationListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// An organization to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationCreate {
    #[garde(length(chars, min = 2, max = 100))]
    #[schema(min_length = 2, max_length = 100)]
    name: String,
    /// Unique everywhere; derived from the name when left out.
    #[garde(skip)]
    slug: Option<String>,
}

/// List the organizations of the caller.
#[utoipa::path(get, path = "/api/orgs", tag = "Organizations", params(OrganizationListParams, Page),
    responses((status = 200, description = "Newest first; a key sees its own", body = List<Organization>)))]
async fn organization_list(
    caller: Caller, State(app): State<App>, Params(params): Params<OrganizationListParams>,
) -> Result<Json<List<Organization>>> {
    service::organization_list(&caller, &app, params.name.as_deref(), &params.page).await.map(Json)
}

/// Make an organization; its maker becomes its owner.
#[utoipa::path(post, path = "/api/orgs", tag = "Organizations", request_body = OrganizationCreate,
    responses((status = 201, description = "Made, with system roles, a project and its environments", body = Organization),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "The slug is taken", body = ErrorBody)))]
async fn organization_create(
    caller: Caller, State(app): State<App>, Body(body): Body<OrganizationCreate>,
) -> Result<Versioned<Organization>> {
    let new = NewOrganization { name: body.name, slug: body.slug };
    let organization = service::organization_create_for(&caller, &app, &new).await?;
    let version = organization.version;
    Ok(Versioned(StatusCode::CREATED, organization, version))
}

/// Read the current organization.
#[utoipa::path(get, path = "/api/org", tag = "Organizations",
    responses((status = 200, description = "The organization that X-Org-Slug names", body = Organization)))]
async fn organization_get(ctx: Ctx, State(app): State<App>) -> Result<Versioned<Organization>> {
    let organization = service::organization_get(&ctx, &app).await?;
    let version = organization.version;
    Ok(Versioned(StatusCode::OK, organization, version))
}
