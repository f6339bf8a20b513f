use super::model::{Account, AccountChange};
use super::{credentials, service};
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::identity::auth::recovery::routes::Told;
use crate::identity::authentication::Client;
use crate::platform::http::names::name_check;
use crate::platform::http::patch::present;
use crate::platform::http::{Body, Caller, IfMatch, Params, Patch, PatchFields, Versioned, default_true, public, user};
use crate::platform::mail::service::page_url;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use garde::Validate;
use ocore_shared::ids::OrganizationId;
use ocore_shared::secret::Secret;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(user(routes!(account_get)))
        .routes(user(routes!(account_update)))
        .routes(user(routes!(account_delete)))
        .routes(user(routes!(password_change)))
        .routes(user(routes!(password_add)))
        .routes(user(routes!(email_change)))
        .routes(public(routes!(email_change_confirm)))
}

/// What an account becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Ada Lovelace", "timezone": "Europe/London" }))]
pub struct AccountUpdate {
    #[garde(inner(length(chars, min = 1, max = 100), custom(name_check)))]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Language of the console, e.g. `de-AT`; null: as the browser says.
    #[garde(inner(inner(custom(locale_check))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    locale: Option<Option<String>>,
    /// Time zone of the console, e.g. `Europe/Vienna`; null: as the browser says.
    #[garde(inner(inner(length(min = 1, max = 64))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    timezone: Option<Option<String>>,
    /// One of your organizations, or null.
    #[garde(skip)]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<OrganizationId>)]
    default_organization_id: Option<Option<OrganizationId>>,
}

impl PatchFields for AccountUpdate {
    const FIELDS: &'static [&'static str] = &["name", "locale", "timezone", "default_organization_id"];
}

/// A language tag: `de`, `pt-BR`, `zh-Hant-TW`.
fn locale_check(locale: &str, _: &()) -> garde::Result {
    let mut parts = locale.split('-');
    let language = parts.next().unwrap_or_default();
    let plain = |part: &str, shortest: usize, longest: usize| {
        (shortest..=longest).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let is_language = plain(language, 2, 3) && language.bytes().all(|b| b.is_ascii_alphabetic());
    if is_language && locale.len() <= 35 && parts.all(|part| plain(part, 2, 8)) {
        return Ok(());
    }
    Err(garde::Error::new("must be a language such as de or pt-BR"))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountDelete {
    /// Left out where the account has none and you have signed in within the last 15 minutes.
    #[garde(skip)]
    password: Option<Secret>,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[garde(skip)]
    current_password: Secret,
    /// 8 to 256 characters with a letter and a digit, none of the common ones.
    #[garde(skip)]
    new_password: Secret,
    /// Sign out everywhere else.
    #[garde(skip)]
    #[serde(default = "default_true")]
    #[schema(default = true)]
    revoke_other_sessions: bool,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordAdd {
    /// 8 to 256 characters with a letter and a digit, none of the common ones.
    #[garde(skip)]
    password: Secret,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailChange {
    /// The new address.
    #[garde(email, length(max = 254))]
    #[schema(format = "email")]
    email: String,
    /// Your password, again.
    #[garde(skip)]
    password: Secret,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct EmailChangeParams {
    /// From the mailed link.
    #[garde(length(min = 1, max = 128))]
    token: String,
}

/// Read one's own account, with organizations, roles and permissions.
#[utoipa::path(get, path = "/api/user", tag = "User",
    responses((status = 200, description = "The signed-in person", body = Account)))]
async fn account_get(caller: Caller, State(app): State<App>) -> Result<Versioned<Account>> {
    let account = service::account_get(&caller, &app).await?;
    let version = account.version;
    Ok(Versioned(StatusCode::OK, account, version))
}

/// Change one's name, language, time zone or default organization.
#[utoipa::path(patch, path = "/api/user", tag = "User", request_body = AccountUpdate,
    responses((status = 200, description = "As it is now", body = Account),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn account_update(
    caller: Caller, State(app): State<App>, if_match: IfMatch, body: Patch<AccountUpdate>,
) -> Result<Versioned<Account>> {
    let change = |before: &Account| {
        let AccountUpdate { name, locale, timezone, default_organization_id } = body.read(before)?;
        Ok(AccountChange { name, locale, timezone, default_organization_id })
    };
    let account = service::account_update(&caller, &app, if_match, change).await?;
    let version = account.version;
    Ok(Versioned(StatusCode::OK, account, version))
}

/// Close one's own account.
///
/// All sessions and the API keys that one made for oneself end, and the address is free again. Organizations that one
/// owns alone go with it when they are empty; those with other members must get another owner first.
#[utoipa::path(delete, path = "/api/user", tag = "User", request_body = AccountDelete,
    responses((status = 204, description = "Closed"),
        (status = 400, description = "The password is missing", body = ErrorBody),
        (status = 409, description = "You own organizations with other members or with servers, or are the only administrator", body = ErrorBody),
        (status = 422, description = "The account has no password to ask for: leave it out", body = ErrorBody)))]
async fn account_delete(
    caller: Caller, State(app): State<App>, client: Client, Body(body): Body<AccountDelete>,
) -> Result<Response> {
    service::account_delete(&caller, &app, body.password.as_ref()).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    for cookie in client.no_cookies() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Change one's password.
///
/// A mail tells of it. Links for a new password that were mailed before are void.
#[utoipa::path(post, path = "/api/user/password", tag = "User", request_body = PasswordChange,
    responses((status = 204, description = "Changed"),
        (status = 400, description = "The new password is too weak, or the present one", body = ErrorBody),
        (status = 422, description = "The account has no password: POST /api/user/set-password", body = ErrorBody)))]
async fn password_change(
    caller: Caller, State(app): State<App>, Body(body): Body<PasswordChange>,
) -> Result<StatusCode> {
    let PasswordChange { current_password, new_password, revoke_other_sessions } = body;
    credentials::password_change(&caller, &app, &current_password, &new_password, revoke_other_sessions).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Set a first password, for an account that was signed in to by other means only.
///
/// One must have signed in within the last 15 minutes.
#[utoipa::path(post, path = "/api/user/set-password", tag = "User", request_body = PasswordAdd,
    responses((status = 204, description = "Set"),
        (status = 400, description = "The password is too weak", body = ErrorBody),
        (status = 409, description = "There is a password: POST /api/user/password", body = ErrorBody)))]
async fn password_add(caller: Caller, State(app): State<App>, Body(body): Body<PasswordAdd>) -> Result<StatusCode> {
    credentials::password_add(&caller, &app, &body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask for another address to sign in with.
///
/// A link goes to the new address and works once, for 24 hours; until it is opened nothing changes. Then the address
/// before is told.
#[utoipa::path(post, path = "/api/user/email", tag = "User", request_body = EmailChange,
    responses((status = 202, description = "A mail is on its way to the new address", body = Told),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 422, description = "The account has no password to ask for", body = ErrorBody)))]
async fn email_change(
    caller: Caller, State(app): State<App>, Body(body): Body<EmailChange>,
) -> Result<(StatusCode, Json<Told>)> {
    credentials::email_change(&caller, &app, body.email.trim(), &body.password).await?;
    let message = "Open the link in the mail to the new address; until then nothing changes.";
    Ok((StatusCode::ACCEPTED, Json(Told { message })))
}

/// Confirm a new address by the mailed link.
///
/// It is opened in a browser, which is led to the sign-in page.
#[utoipa::path(get, path = "/api/auth/verify-email-change", tag = "Authentication", params(EmailChangeParams),
    responses((status = 303, description = "To the sign-in page, with `?email_change=done`, or `=refused` where the link does not work (any more)"),
        (status = 400, description = "There is no token", body = ErrorBody)))]
async fn email_change_confirm(
    State(app): State<App>, client: Client, Params(params): Params<EmailChangeParams>,
) -> Result<Response> {
    let outcome = match credentials::email_change_confirm(&app, &client, &Secret::new(params.token)).await {
        Ok(()) => "done",
        Err(crate::error::Error::Invalid(_)) => "refused",
        Err(error) => return Err(error),
    };
    let mut response = Redirect::to(&page_url(&app, &format!("/login?email_change={outcome}"))).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
