use super::model::{Effect, KeysFate, Member, MemberPermissions};
use super::store::MemberFilter;
use super::{overrides, service};
use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::identity::roles::model::{Grant, GrantInput, WantedGrant};
use crate::platform::http::guard::Identified;
use crate::platform::http::{
    Body, Caller, Ctx, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Versioned, guard, user,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use garde::Validate;
use ocore_shared::ids::{RoleId, ServiceAccountId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewMembers, routes!(member_list)))
        .routes(user(routes!(member_leave)))
        .routes(guard(Permission::ViewMembers, routes!(member_get)))
        .routes(guard(Permission::ManageMembers, routes!(member_remove)))
        .routes(guard(Permission::ManageMembers, routes!(member_role_set)))
        .routes(guard(Permission::ViewMembers, routes!(member_grants_get)))
        .routes(guard(Permission::ManageMembers, routes!(member_grants_set)))
        .routes(guard(Permission::ViewMembers, routes!(member_permissions_get)))
        .routes(guard(Permission::ManageMembers, routes!(member_permission_set)))
        .routes(guard(Permission::ManageMembers, routes!(member_permission_remove)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct MemberListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    /// Part of a name or an address.
    #[garde(inner(length(chars, max = 64)))]
    q: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// What becomes of the member's API keys.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Keys {
    /// They end, too.
    Revoke,
    /// They go on as keys of a service account, bounded by what it may do.
    Give,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct MemberRemoveParams {
    /// What becomes of the API keys that the member made for themself; asked for when there are any.
    #[garde(skip)]
    #[param(inline)]
    keys: Option<Keys>,
    /// Who gets the keys with `keys=give`.
    #[garde(skip)]
    service_account_id: Option<ServiceAccountId>,
    /// Only check whether it would be done.
    #[garde(skip)]
    #[serde(default)]
    dry_run: bool,
}

impl MemberRemoveParams {
    fn fate(&self) -> Result<KeysFate> {
        match (self.keys, self.service_account_id) {
            (None, None) => Ok(KeysFate::Asked),
            (Some(Keys::Revoke), None) => Ok(KeysFate::Revoked),
            (Some(Keys::Give), Some(account)) => Ok(KeysFate::Given(account)),
            (Some(Keys::Give), None) => Err(Error::field(
                "service_account_id",
                "required",
                "keys=give needs the service account that gets them.",
            )),
            (_, Some(_)) => {
                Err(Error::field("service_account_id", "absent", "service_account_id goes with keys=give only."))
            }
        }
    }
}

/// The role of a member in the whole organization.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberRole {
    #[garde(skip)]
    role_id: RoleId,
}

/// All roles that a member is to hold.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberGrantsInput {
    #[garde(length(max = 200), dive)]
    grants: Vec<GrantInput>,
}

impl PatchFields for MemberGrantsInput {
    const FIELDS: &'static [&'static str] = &["grants"];
}

/// All roles that a member holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberGrants {
    grants: Vec<Grant>,
    version: i64,
}

/// An exception for one permission.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideInput {
    #[garde(skip)]
    effect: Effect,
}

fn versioned(member: Member) -> Versioned<Member> {
    let version = member.version;
    Versioned(StatusCode::OK, member, version)
}

fn grants(member: Member) -> Versioned<MemberGrants> {
    let version = member.version;
    Versioned(StatusCode::OK, MemberGrants { grants: member.grants, version }, version)
}

fn permissions(permissions: MemberPermissions) -> Versioned<MemberPermissions> {
    let version = permissions.version;
    Versioned(StatusCode::OK, permissions, version)
}

/// List members.
#[utoipa::path(get, path = "/api/members", tag = "Team Members", params(MemberListParams, Page),
    responses((status = 200, description = "People with their roles, newest account first", body = List<Member>)))]
async fn member_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<MemberListParams>,
) -> Result<Json<List<Member>>> {
    let filter = MemberFilter { id: None, name: params.name.as_deref(), q: params.q.as_deref() };
    service::member_list(&ctx, &app, &filter, &params.page).await.map(Json)
}

/// Leave the organization.
#[utoipa::path(post, path = "/api/members/leave", tag = "Team Members",
    responses((status = 204, description = "Left; one's own API keys there have ended"),
        (status = 404, description = "There is no such organization", body = ErrorBody),
        (status = 409, description = "The owner stays", body = ErrorBody)))]
async fn member_leave(
    caller: Caller, State(app): State<App>, Extension(identified): Extension<Identified>,
) -> Result<StatusCode> {
    let (organization, access) = identified.organization?;
    service::member_leave(&caller, &app, organization, &access).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a member.
#[utoipa::path(get, path = "/api/members/{id}", tag = "Team Members", params(UserId),
    responses((status = 200, description = "The member", body = Member),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn member_get(ctx: Ctx, State(app): State<App>, Path(id): Path<UserId>) -> Result<Versioned<Member>> {
    service::member_get(&ctx, &app, id).await.map(versioned)
}

/// Remove a member.
#[utoipa::path(delete, path = "/api/members/{id}", tag = "Team Members", params(UserId, MemberRemoveParams),
    responses((status = 204, description = "Access has ended here, and ends within 5 seconds everywhere"),
        (status = 400, description = "A parameter is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "There are API keys, and nobody has said what becomes of them", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn member_remove(
    ctx: Ctx, State(app): State<App>, Path(id): Path<UserId>, if_match: IfMatch,
    Params(params): Params<MemberRemoveParams>,
) -> Result<StatusCode> {
    let fate = params.fate()?;
    service::member_remove(&ctx, &app, id, fate, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change a member's role in the whole organization.
#[utoipa::path(put, path = "/api/members/{id}/role", tag = "Team Members", params(UserId), request_body = MemberRole,
    responses((status = 200, description = "The member as it is now", body = Member),
        (status = 400, description = "There is no such role", body = ErrorBody),
        (status = 404, description = "There is no such member", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn member_role_set(
    ctx: Ctx, State(app): State<App>, Path(id): Path<UserId>, if_match: IfMatch, Body(body): Body<MemberRole>,
) -> Result<Versioned<Member>> {
    service::member_role_set(&ctx, &app, id, body.role_id, if_match).await.map(versioned)
}

/// Read all roles of a member, each with its scope.
#[utoipa::path(get, path = "/api/members/{id}/grants", tag = "Team Members", params(UserId),
    responses((status = 200, description = "Roles with their scopes", body = MemberGrants),
        (status = 404, description = "There is no such member", body = ErrorBody)))]
async fn member_grants_get(
    ctx: Ctx, State(app): State<App>, Path(id): Path<UserId>,
) -> Result<Versioned<MemberGrants>> {
    service::member_get(&ctx, &app, id).await.map(grants)
}

/// Replace all roles of a member.
#[utoipa::path(put, path = "/api/members/{id}/grants", tag = "Team Members", params(UserId),
    request_body = MemberGrantsInput,
    responses((status = 200, description = "Roles with their scopes", body = MemberGrants),
        (status = 400, description = "There is no such role, or no such place", body = ErrorBody),
        (status = 404, description = "There is no such member", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn member_grants_set(
    ctx: Ctx, State(app): State<App>, Path(id): Path<UserId>, if_match: IfMatch, patch: Patch<MemberGrantsInput>,
) -> Result<Versioned<MemberGrants>> {
    let Versioned(_, present, _) = grants(service::member_get(&ctx, &app, id).await?);
    let body = patch.read(&present)?;
    let wanted = body.grants.iter().map(WantedGrant::from).collect();
    service::member_grants_set(&ctx, &app, id, wanted, if_match).await.map(grants)
}

/// Read what a member may do, and why.
#[utoipa::path(get, path = "/api/members/{id}/permissions", tag = "Team Members", params(UserId),
    responses((status = 200, description = "Every permission in every scope, with the role or exception that gives it",
            body = MemberPermissions),
        (status = 404, description = "There is no such member", body = ErrorBody)))]
async fn member_permissions_get(
    ctx: Ctx, State(app): State<App>, Path(id): Path<UserId>,
) -> Result<Versioned<MemberPermissions>> {
    overrides::member_permissions_get(&ctx, &app, id).await.map(permissions)
}

/// Let a member have or lack one permission, whatever the roles say.
#[utoipa::path(put, path = "/api/members/{id}/permissions/{key}", tag = "Team Members",
    params(("id" = UserId, Path, description = "Id of the person"), ("key" = String, Path, description = "Key of the permission, e.g. view:audit")),
    request_body = OverrideInput,
    responses((status = 200, description = "What the member may do now", body = MemberPermissions),
        (status = 400, description = "There is no such permission", body = ErrorBody),
        (status = 404, description = "There is no such member", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn member_permission_set(
    ctx: Ctx, State(app): State<App>, Path((id, key)): Path<(UserId, String)>, if_match: IfMatch,
    Body(body): Body<OverrideInput>,
) -> Result<Versioned<MemberPermissions>> {
    overrides::override_set(&ctx, &app, id, &key, body.effect, if_match).await.map(permissions)
}

/// Drop an exception of a member.
#[utoipa::path(delete, path = "/api/members/{id}/permissions/{key}", tag = "Team Members",
    params(("id" = UserId, Path, description = "Id of the person"), ("key" = String, Path, description = "Key of the permission, e.g. view:audit")),
    responses((status = 200, description = "What the member may do now", body = MemberPermissions),
        (status = 400, description = "There is no such permission", body = ErrorBody),
        (status = 404, description = "There is no such member or exception", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn member_permission_remove(
    ctx: Ctx, State(app): State<App>, Path((id, key)): Path<(UserId, String)>, if_match: IfMatch,
) -> Result<Versioned<MemberPermissions>> {
    overrides::override_remove(&ctx, &app, id, &key, if_match).await.map(permissions)
}
