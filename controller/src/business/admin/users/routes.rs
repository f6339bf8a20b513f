use super::model::{AdminUser, AdminUserDetail, NewUser, PasswordLink, UserFilter, UserStatus};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::names::name_check;
use crate::platform::http::{Body, Caller, DryRun, IfMatch, List, Page, Params, Path, Versioned, admin};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::UserId;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(admin(routes!(admin_user_list)))
        .routes(admin(routes!(admin_user_create)))
        .routes(admin(routes!(admin_user_get)))
        .routes(admin(routes!(admin_user_suspend)))
        .routes(admin(routes!(admin_user_unsuspend)))
        .routes(admin(routes!(admin_user_promote)))
        .routes(admin(routes!(admin_user_demote)))
        .routes(admin(routes!(admin_user_reset_password)))
        .routes(admin(routes!(admin_user_disable_totp)))
        .routes(admin(routes!(admin_user_delete)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct UserListParams {
    /// Exact name.
    #[garde(skip)]
    name: Option<String>,
    /// Part of a name or an address.
    #[garde(inner(length(chars, max = 254)))]
    q: Option<String>,
    /// Only people of this status.
    #[garde(skip)]
    #[param(inline)]
    status: Option<UserStatus>,
    /// `true`: only administrators; `false`: only others.
    #[garde(inner(pattern("^(true|false)$")))]
    #[param(value_type = Option<bool>)]
    is_admin: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// Somebody for whom an account is made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "vic@example.com", "name": "Vic" }))]
pub struct AdminUserCreate {
    #[garde(email, length(max = 254))]
    #[schema(format = "email")]
    email: String,
    #[garde(length(chars, min = 1, max = 100), custom(name_check))]
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// 8 to 256 characters with a letter and a digit, none of the common ones. Left out, they choose one by a link.
    #[garde(skip)]
    password: Option<Secret>,
    /// Make them an administrator of the platform.
    #[garde(skip)]
    #[serde(default)]
    is_admin: bool,
}

/// An account that was made.
#[derive(Serialize, ToSchema)]
struct AdminUserCreated {
    #[serde(flatten)]
    user: AdminUser,
    /// By which they choose a password, where none was given.
    password_link: Option<PasswordLink>,
}

/// Why somebody is locked out.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "Left the company" }))]
pub struct AdminUserSuspend {
    /// For other administrators and the audit log.
    #[garde(length(chars, min = 1, max = 500), custom(name_check))]
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

fn versioned(user: AdminUser) -> Versioned<AdminUser> {
    let version = user.version;
    Versioned(StatusCode::OK, user, version)
}

/// List people.
///
/// Everybody with an account, newest first.
#[utoipa::path(get, path = "/api/admin/users", tag = "Admin", params(UserListParams, Page),
    responses((status = 200, description = "People, newest first", body = List<AdminUser>),
        (status = 400, description = "A filter cannot be read", body = ErrorBody)))]
async fn admin_user_list(
    State(app): State<App>, Params(params): Params<UserListParams>,
) -> Result<Json<List<AdminUser>>> {
    let filter = UserFilter {
        id: None,
        name: params.name.as_deref(),
        q: params.q.as_deref(),
        status: params.status,
        is_admin: params.is_admin.as_deref().map(|text| text == "true"),
    };
    service::user_list(&app, &filter, &params.page).await.map(Json)
}

/// Make an account.
///
/// The administrator vouches for the address. Without a password its person gets a link, by mail where mail is
/// configured; else the answer shows it once.
#[utoipa::path(post, path = "/api/admin/users", tag = "Admin", request_body = AdminUserCreate,
    responses((status = 201, description = "The account", body = AdminUserCreated),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "There is an account of this address", body = ErrorBody)))]
async fn admin_user_create(
    caller: Caller, State(app): State<App>, Body(body): Body<AdminUserCreate>,
) -> Result<Versioned<AdminUserCreated>> {
    let AdminUserCreate { email, name, password, is_admin } = body;
    let new = NewUser { email, name, password, is_admin };
    let (user, password_link) = service::user_create(&caller, &app, new).await?;
    let version = user.version;
    Ok(Versioned(StatusCode::CREATED, AdminUserCreated { user, password_link }, version))
}

/// Get a person with their organizations.
#[utoipa::path(get, path = "/api/admin/users/{id}", tag = "Admin", params(UserId),
    responses((status = 200, description = "The person", body = AdminUserDetail),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn admin_user_get(State(app): State<App>, Path(id): Path<UserId>) -> Result<Versioned<AdminUserDetail>> {
    let found = service::user_get(&app, id).await?;
    let version = found.user.version;
    Ok(Versioned(StatusCode::OK, found, version))
}

/// Suspend a person.
///
/// Their sessions end at once here and within five seconds everywhere, and their API keys work no more until they are
/// let in again. Nobody suspends themself.
#[utoipa::path(post, path = "/api/admin/users/{id}/suspend", tag = "Admin", params(UserId),
    request_body = AdminUserSuspend,
    responses((status = 200, description = "As it is now", body = AdminUser),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "Suspended already (`already_suspended`), or yourself (`own_account`)", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn admin_user_suspend(
    caller: Caller, State(app): State<App>, Path(id): Path<UserId>, if_match: IfMatch,
    Body(body): Body<AdminUserSuspend>,
) -> Result<Versioned<AdminUser>> {
    service::user_suspend(&caller, &app, id, &body.reason, if_match).await.map(versioned)
}

/// Let a suspended person in again.
#[utoipa::path(post, path = "/api/admin/users/{id}/unsuspend", tag = "Admin", params(UserId),
    responses((status = 200, description = "As it is now", body = AdminUser),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "Not suspended (`not_suspended`)", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn admin_user_unsuspend(
    caller: Caller, State(app): State<App>, Path(id): Path<UserId>, if_match: IfMatch,
) -> Result<Versioned<AdminUser>> {
    service::user_unsuspend(&caller, &app, id, if_match).await.map(versioned)
}

/// Make a person an administrator of the platform.
#[utoipa::path(post, path = "/api/admin/users/{id}/promote", tag = "Admin", params(UserId),
    responses((status = 200, description = "As it is now", body = AdminUser),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "An administrator already (`already_admin`), or locked out (`not_active`)", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn admin_user_promote(
    caller: Caller, State(app): State<App>, Path(id): Path<UserId>, if_match: IfMatch,
) -> Result<Versioned<AdminUser>> {
    service::user_promote(&caller, &app, id, if_match).await.map(versioned)
}

/// Take a person's rights of an administrator.
///
/// The last administrator who can sign in keeps them.
#[utoipa::path(post, path = "/api/admin/users/{id}/demote", tag = "Admin", params(UserId),
    responses((status = 200, description = "As it is now", body = AdminUser),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "No administrator (`not_admin`), or the last one (`last_admin`)", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn admin_user_demote(
    caller: Caller, State(app): State<App>, Path(id): Path<UserId>, if_match: IfMatch,
) -> Result<Versioned<AdminUser>> {
    service::user_demote(&caller, &app, id, if_match).await.map(versioned)
}

/// Give a person a link for a new password.
///
/// It goes by mail where mail is configured; else the answer shows it once. It works once, for an hour; the present
/// password works until another one was chosen.
#[utoipa::path(post, path = "/api/admin/users/{id}/reset-password", tag = "Admin", params(UserId),
    responses((status = 200, description = "Where the link went", body = PasswordLink),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "Suspended or deactivated (`not_active`)", body = ErrorBody)))]
async fn admin_user_reset_password(
    caller: Caller, State(app): State<App>, Path(id): Path<UserId>,
) -> Result<Json<PasswordLink>> {
    service::user_reset_password(&caller, &app, id).await.map(Json)
}

/// Remove a person's authenticator app.
///
/// For who has lost it: the app and its recovery codes are forgotten, passkeys stay.
#[utoipa::path(post, path = "/api/admin/users/{id}/disable-totp", tag = "Admin", params(UserId),
    responses((status = 200, description = "As it is now", body = AdminUser),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "There is no authenticator app (`totp_not_enabled`)", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn admin_user_disable_totp(
    caller: Caller, State(app): State<App>, Path(id): Path<UserId>, if_match: IfMatch,
) -> Result<Versioned<AdminUser>> {
    service::user_disable_totp(&caller, &app, id, if_match).await.map(versioned)
}

/// Delete a person for good.
///
/// Refused for the owner of an organization, and for yourself. Their memberships and own API keys end; what they did
/// stays in the audit log.
#[utoipa::path(delete, path = "/api/admin/users/{id}", tag = "Admin", params(UserId, DryRun),
    responses((status = 204, description = "Deleted, or with dry_run: would be"),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "Owns an organization (`owner_of_organization`), or yourself (`own_account`)", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn admin_user_delete(
    caller: Caller, State(app): State<App>, Path(id): Path<UserId>, if_match: IfMatch, Params(params): Params<DryRun>,
) -> Result<StatusCode> {
    service::user_delete(&caller, &app, id, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}
