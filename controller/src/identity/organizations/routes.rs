use super::model::{NewOrganization, Organization, OrganizationChange, OrganizationSettings};
use super::service;
use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::platform::http::names::name_check;
use crate::platform::http::{
    Body, Caller, Ctx, DryRun, IfMatch, List, Page, Params, Patch, PatchFields, Permission, Versioned, guard, owner,
    user,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::UserId;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(user(routes!(organization_list)))
        .routes(user(routes!(organization_create)))
        .routes(guard(Permission::ViewOrg, routes!(organization_get)))
        .routes(guard(Permission::ManageOrg, routes!(organization_update)))
        .routes(owner(routes!(organization_delete)))
        .routes(owner(routes!(organization_transfer)))
        .routes(guard(Permission::ViewOrg, routes!(organization_settings_get)))
        .routes(guard(Permission::ManageOrg, routes!(organization_settings_update)))
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
    #[garde(length(chars, min = 2, max = 100), custom(name_check))]
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

/// What the organization becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationUpdate {
    #[garde(inner(length(chars, min = 2, max = 100), custom(name_check)))]
    #[schema(min_length = 2, max_length = 100)]
    name: Option<String>,
    /// The one before answers for 90 days.
    #[garde(skip)]
    slug: Option<String>,
    /// `https://…`, or null for none.
    #[garde(skip)]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    logo_url: Option<Option<String>>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl PatchFields for OrganizationUpdate {
    const FIELDS: &'static [&'static str] = &["name", "slug", "logo_url"];
}

/// What holds for everybody; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationSettingsUpdate {
    /// Days, 30 to 3650.
    #[garde(inner(range(min = 30, max = 3650)))]
    #[schema(minimum = 30, maximum = 3650)]
    audit_retention_days: Option<i32>,
    #[garde(skip)]
    require_second_factor: Option<bool>,
}

impl PatchFields for OrganizationSettingsUpdate {
    const FIELDS: &'static [&'static str] = &["audit_retention_days", "require_second_factor"];
}

/// Who gets the organization.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationTransfer {
    /// Id of the member.
    #[garde(skip)]
    member_id: UserId,
    /// The owner's own password, again.
    #[garde(skip)]
    password: Secret,
}

/// Change the current organization.
#[utoipa::path(patch, path = "/api/org", tag = "Organizations", request_body = OrganizationUpdate,
    responses((status = 200, description = "As it is now", body = Organization),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is no such organization", body = ErrorBody),
        (status = 409, description = "The slug is taken", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn organization_update(
    ctx: Ctx, State(app): State<App>, if_match: IfMatch, body: Patch<OrganizationUpdate>,
) -> Result<Versioned<Organization>> {
    let change = |before: &Organization| {
        let body = body.read(before)?;
        if let Some(Some(url)) = &body.logo_url {
            let is_https = url.parse::<axum::http::Uri>().is_ok_and(|u| u.scheme_str() == Some("https"));
            if !is_https || url.len() > 2048 {
                return Err(Error::field(
                    "logo_url",
                    "url",
                    "logo_url is an https:// address of at most 2048 characters.",
                ));
            }
        }
        Ok(OrganizationChange { name: body.name, slug: body.slug, logo_url: body.logo_url })
    };
    let organization = service::organization_update(&ctx, &app, if_match, change).await?;
    let version = organization.version;
    Ok(Versioned(StatusCode::OK, organization, version))
}

/// Delete the current organization with all that belongs to it.
#[utoipa::path(delete, path = "/api/org", tag = "Organizations", params(DryRun),
    responses((status = 204, description = "Deleted"),
        (status = 404, description = "There is no such organization", body = ErrorBody),
        (status = 409, description = "Servers or instances remain", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn organization_delete(
    ctx: Ctx, State(app): State<App>, if_match: IfMatch, Params(params): Params<DryRun>,
) -> Result<StatusCode> {
    service::organization_delete(&ctx, &app, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hand the organization to another member; the former owner becomes an admin.
#[utoipa::path(post, path = "/api/org/transfer", tag = "Organizations", request_body = OrganizationTransfer,
    responses((status = 204, description = "It has another owner"),
        (status = 400, description = "There is no such member", body = ErrorBody),
        (status = 404, description = "There is no such organization", body = ErrorBody),
        (status = 409, description = "It has just been transferred", body = ErrorBody),
        (status = 422, description = "The account has no password to ask for", body = ErrorBody)))]
async fn organization_transfer(
    ctx: Ctx, State(app): State<App>, Body(body): Body<OrganizationTransfer>,
) -> Result<StatusCode> {
    service::organization_transfer(&ctx, &app, body.member_id, &body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read what holds for everybody in the organization.
#[utoipa::path(get, path = "/api/org/settings", tag = "Organizations",
    responses((status = 200, description = "The settings", body = OrganizationSettings)))]
async fn organization_settings_get(ctx: Ctx, State(app): State<App>) -> Result<Versioned<OrganizationSettings>> {
    let settings = service::settings_get(&ctx, &app).await?;
    let version = settings.version;
    Ok(Versioned(StatusCode::OK, settings, version))
}

/// Change what holds for everybody in the organization.
#[utoipa::path(put, path = "/api/org/settings", tag = "Organizations", request_body = OrganizationSettingsUpdate,
    responses((status = 200, description = "The settings as they are now", body = OrganizationSettings),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "They have just been changed", body = ErrorBody),
        (status = 412, description = "They have changed since they were read", body = ErrorBody),
        (status = 422, description = "You have no second factor yourself", body = ErrorBody)))]
async fn organization_settings_update(
    ctx: Ctx, State(app): State<App>, if_match: IfMatch, body: Patch<OrganizationSettingsUpdate>,
) -> Result<Versioned<OrganizationSettings>> {
    let change = |before: &OrganizationSettings| {
        let body = body.read(before)?;
        Ok(OrganizationSettings {
            audit_retention_days: body.audit_retention_days.unwrap_or(before.audit_retention_days),
            require_second_factor: body.require_second_factor.unwrap_or(before.require_second_factor),
            version: before.version,
        })
    };
    let settings = service::settings_update(&ctx, &app, if_match, change).await?;
    let version = settings.version;
    Ok(Versioned(StatusCode::OK, settings, version))
}
