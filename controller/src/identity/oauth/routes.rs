use super::model::{ConnectedAccount, FLOW_LIFE, Failure, Flow, SignInWays, return_is_local, with_parameter};
use super::service::{self, Arrival, Outcome, Wish};
use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::identity::auth::routes::{no_store, with_cookies};
use crate::identity::authentication::Client;
use crate::platform::http::{Caller, List, Params, Path, public, user};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use garde::Validate;
use ocore_shared::ids::ConnectedAccountId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const COOKIE_PATH: &str = "/api/auth/oauth";
/// More than any provider's code or state has.
const LONGEST: usize = 4096;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(public(routes!(sign_in_ways)))
        .routes(public(routes!(oauth_begin)))
        .routes(public(routes!(oauth_finish)))
        .routes(user(routes!(connected_account_list)))
        .routes(user(routes!(connected_account_delete)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OAuthBegin {
    /// `login` (sign in, or sign up where that is allowed) or `link` (connect it to who is signed in).
    #[garde(skip)]
    #[serde(default)]
    #[param(inline)]
    flow: Flow,
    /// Path of the console's page to go on with, `/` when left out.
    #[garde(skip)]
    return_to: Option<String>,
}

/// What providers bring; what they add to it is passed over.
#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct OAuthFinish {
    #[garde(inner(length(max = LONGEST)))]
    state: Option<String>,
    #[garde(inner(length(max = LONGEST)))]
    code: Option<String>,
    /// Where the provider refuses, e.g. `access_denied`.
    #[garde(inner(length(max = LONGEST)))]
    error: Option<String>,
    /// Who answers (RFC 9207).
    #[garde(inner(length(max = LONGEST)))]
    iss: Option<String>,
}

/// Your accounts elsewhere.
#[derive(Serialize, ToSchema)]
pub struct ConnectedAccounts {
    #[serde(flatten)]
    list: List<ConnectedAccount>,
    /// Whether you can sign in with a password as well.
    has_password: bool,
}

/// Tell what the sign-in page shows beside the password.
#[utoipa::path(get, path = "/api/auth/providers", tag = "Authentication",
    responses((status = 200, description = "Providers, and whether people may sign up", body = SignInWays)))]
async fn sign_in_ways(State(app): State<App>) -> Result<Json<SignInWays>> {
    service::sign_in_ways(&app).await.map(Json)
}

/// Go to a provider to sign in, or to connect an account.
///
/// For a browser's navigation, not for a program. State, nonce and PKCE are kept sealed here for ten minutes; the browser
/// holds a cookie that ties them to it. Where the provider cannot be reached the browser is sent to the console with
/// `oauth_error`.
#[utoipa::path(get, path = "/api/auth/oauth/{provider}", tag = "Authentication",
    params(("provider" = String, Path, description = "Id of the provider, as GET /api/auth/providers lists it"), OAuthBegin),
    responses((status = 303, description = "To the provider"),
        (status = 400, description = "A parameter is wrong", body = ErrorBody),
        (status = 401, description = "To connect an account, sign in first", body = ErrorBody),
        (status = 403, description = "Another site's page led here (`origin_refused`), or this session began without your second factor (`second_factor_required`)", body = ErrorBody),
        (status = 404, description = "There is no such provider", body = ErrorBody)))]
async fn oauth_begin(
    State(app): State<App>, client: Client, caller: Option<Caller>, headers: HeaderMap, Path(provider): Path<String>,
    Params(params): Params<OAuthBegin>,
) -> Result<Response> {
    // A page of another site could sign people in as somebody else, whom the provider knows in their browser.
    let from = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if from.is_some_and(|from| from != b"same-origin" && from != b"none") {
        let message = "Signing in with a provider begins on a page of this controller.";
        return Err(Error::forbidden("origin_refused", message));
    }
    let return_to = params.return_to.as_deref().unwrap_or("/");
    if !return_is_local(return_to) {
        let message = "return_to is a path of the console, e.g. /account.";
        return Err(Error::field("return_to", "path", message));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let wish = Wish { provider: &provider, flow: params.flow, return_to, host };
    match service::oauth_begin(&app, caller.as_ref(), &wish).await? {
        Ok(leaving) => {
            let cookie = cookie(&client, leaving.cookie.expose(), FLOW_LIFE.num_seconds());
            Ok(with_cookies(redirect(&leaving.url), cookie.into_iter().collect()))
        }
        Err(failure) => {
            let page = (params.flow == Flow::Link).then_some(return_to);
            Ok(redirect(&failure_page(failure, page)))
        }
    }
}

/// Come back from a provider.
///
/// Always answers with a redirect to the console. Signed in: session cookies, and the page that was asked for. A second
/// factor is owed: `/login#mfa_token=…&methods=totp,recovery_code&return_to=…` (in the fragment, which no log sees).
/// Otherwise `?oauth_error=` with one of `state_invalid`, `denied`, `provider_unreachable`, `provider_refused`,
/// `email_unverified`, `account_exists`, `account_closed`, `signup_closed`, `linked_elsewhere`, `linked_already`,
/// `session_ended`, `second_factor_required`, on the sign-in page, or on the page that an account was to be connected from.
#[utoipa::path(get, path = "/api/auth/oauth/{provider}/callback", tag = "Authentication",
    params(("provider" = String, Path, description = "Id of the provider"), OAuthFinish),
    responses((status = 303, description = "To the console"),
        (status = 400, description = "A parameter is wrong", body = ErrorBody),
        (status = 404, description = "The provider was switched off meanwhile", body = ErrorBody)))]
async fn oauth_finish(
    State(app): State<App>, client: Client, headers: HeaderMap, Path(provider): Path<String>,
    Params(params): Params<OAuthFinish>,
) -> Result<Response> {
    let jar = CookieJar::from_headers(&headers);
    let arrival = Arrival {
        provider: &provider,
        cookie: jar.get(cookie_name(&client)).map(|cookie| cookie.value()),
        state: params.state.as_deref(),
        code: params.code.as_deref(),
        error: params.error.as_deref(),
        issuer: params.iss.as_deref(),
    };
    let (page, mut cookies) = match service::oauth_finish(&app, &client, &arrival).await? {
        Outcome::SignedIn(signed_in, page) => {
            let tokens = &app.auth.tokens;
            let access = (signed_in.access_token.as_str(), tokens.access_life_on(client.surface));
            let refresh = (signed_in.refresh_token.expose(), tokens.refresh_life);
            (page, client.cookies(access, refresh))
        }
        Outcome::SecondFactor(owed, page) => {
            let fragment = form_urlencoded::Serializer::new(String::new())
                .append_pair("mfa_token", owed.token.expose())
                .append_pair("methods", &owed.methods.join(","))
                .append_pair("return_to", &page)
                .finish();
            (format!("/login#{fragment}"), vec![])
        }
        Outcome::Linked(page) => (page, vec![]),
        Outcome::Failed(failure, page) => (failure_page(failure, page.as_deref()), vec![]),
    };
    cookies.extend(cookie(&client, "", 0));
    Ok(with_cookies(redirect(&page), cookies))
}

fn failure_page(failure: Failure, page: Option<&str>) -> String {
    with_parameter(page.unwrap_or("/login"), "oauth_error", failure.word())
}

fn redirect(to: &str) -> Response {
    let mut response = no_store(StatusCode::SEE_OTHER.into_response());
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn cookie_name(client: &Client) -> &'static str {
    if client.https { "__Secure-ocore_oauth" } else { "ocore_oauth" }
}

/// Lax: it must come along when the provider sends the browser back.
fn cookie(client: &Client, value: &str, seconds: i64) -> Option<HeaderValue> {
    let secure = if client.https { "; Secure" } else { "" };
    let name = cookie_name(client);
    let text = format!("{name}={value}; Path={COOKIE_PATH}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// List your accounts elsewhere that sign in here.
#[utoipa::path(get, path = "/api/user/connected-accounts", tag = "User",
    responses((status = 200, description = "All of them", body = ConnectedAccounts)))]
async fn connected_account_list(caller: Caller, State(app): State<App>) -> Result<Json<ConnectedAccounts>> {
    let (list, has_password) = service::connected_account_list(&caller, &app).await?;
    Ok(Json(ConnectedAccounts { list, has_password }))
}

/// Disconnect an account elsewhere.
#[utoipa::path(delete, path = "/api/user/connected-accounts/{id}", tag = "User", params(ConnectedAccountId),
    responses((status = 204, description = "It signs in no more"),
        (status = 404, description = "You have no such account connected", body = ErrorBody),
        (status = 409, description = "It is your last way to sign in (`last_way_in`)", body = ErrorBody)))]
async fn connected_account_delete(
    caller: Caller, State(app): State<App>, Path(id): Path<ConnectedAccountId>,
) -> Result<StatusCode> {
    service::connected_account_delete(&caller, &app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
