use super::model::{Bootstrap, SignedIn};
use super::service::{self, Login};
use crate::app::App;
use crate::business::settings::model::SignupMode;
use crate::business::settings::service::settings_get;
use crate::error::{Error, ErrorBody, Result};
use crate::identity::account::model::Account;
use crate::identity::authentication::Client;
use crate::identity::second_factors::routes::SecondFactorOwed;
use crate::platform::http::guard::Identified;
use crate::platform::http::{Body, Caller, public, user};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use garde::Validate;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(public(routes!(bootstrap_status)))
        .routes(public(routes!(bootstrap)))
        .routes(public(routes!(login)))
        .routes(public(routes!(refresh)))
        .routes(user(routes!(logout)))
        .routes(user(routes!(ticket_create)))
        .merge(super::signup::routes::routes())
        .merge(super::recovery::routes::routes())
}

/// Whether the first admin is still to be made, and who may sign up.
#[derive(Serialize, ToSchema)]
struct BootstrapStatus {
    needed: bool,
    /// From here the one-time token is needed.
    token_required: bool,
    /// Who may make an account for themself (POST /api/auth/signup).
    signup: SignupMode,
    /// Version of the controller.
    version: &'static str,
}

/// The first admin and their organization.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BootstrapRequest {
    #[garde(email, length(max = 254))]
    #[schema(format = "email")]
    email: String,
    /// At least 8 characters with a letter and a digit.
    #[garde(skip)]
    password: Secret,
    #[garde(length(chars, min = 1, max = 100))]
    name: String,
    #[garde(length(chars, min = 2, max = 100))]
    organization_name: String,
    /// The one-time token that the controller prints; on the machine itself it is not needed.
    #[garde(skip)]
    token: Option<Secret>,
    /// Where people and servers reach this controller, the first is shown: `https://ocore.example.com:8080`. Each is
    /// tried out; left out, the addresses of the configuration or of this machine are used.
    #[garde(skip)]
    #[serde(default)]
    public_urls: Vec<String>,
    /// Keep the addresses although they do not lead here from here, e.g. behind a router that does not turn around.
    #[garde(skip)]
    #[serde(default)]
    public_urls_unchecked: bool,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    #[garde(email, length(max = 254))]
    #[schema(format = "email")]
    email: String,
    #[garde(skip)]
    password: Secret,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// Left out where the browser keeps it in a cookie.
    #[garde(skip)]
    refresh_token: Option<Secret>,
}

/// Tokens of a session. With the header `X-Session: cookie` they are in cookies and not here.
#[derive(Serialize, ToSchema)]
pub struct LoginAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Works once: each refresh gives the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Life of the access token in seconds.
    expires_in: u64,
    token_type: &'static str,
    user: Account,
}

/// What comes of a right password: a session, or the demand for a second factor.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it says in the document what the answer is; each part is made where it is known")]
enum LoginOutcome {
    SignedIn(LoginAnswer),
    SecondFactor(SecondFactorOwed),
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketRequest {
    /// Path of the WebSocket, e.g. `/api/instances/ID/console`.
    #[garde(length(min = 1, max = 512))]
    target: String,
}

#[derive(Serialize, ToSchema)]
pub struct Ticket {
    /// Appended to the WebSocket's address as `?ticket=`. It works once.
    ticket: String,
    /// Seconds.
    expires_in: i64,
}

/// Tell whether the first admin is still to be made.
#[utoipa::path(get, path = "/api/auth/bootstrap/status", tag = "Authentication",
    responses((status = 200, description = "What is needed", body = BootstrapStatus)))]
async fn bootstrap_status(State(app): State<App>, client: Client) -> Result<Json<BootstrapStatus>> {
    let (needed, token_required) = service::bootstrap_status(&app, &client).await?;
    let signup = settings_get(&app).await?.signup;
    Ok(Json(BootstrapStatus { needed, token_required, signup, version: env!("CARGO_PKG_VERSION") }))
}

/// Make the first admin, with an organization.
#[utoipa::path(post, path = "/api/auth/bootstrap", tag = "Authentication", request_body = BootstrapRequest,
    responses((status = 201, description = "Made and signed in", body = LoginAnswer),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 403, description = "The token is missing or wrong", body = ErrorBody),
        (status = 409, description = "There is a user already", body = ErrorBody)))]
async fn bootstrap(State(app): State<App>, client: Client, Body(body): Body<BootstrapRequest>) -> Result<Response> {
    let BootstrapRequest { email, password, name, organization_name, token, public_urls, public_urls_unchecked } = body;
    let new = Bootstrap { email, password, name, organization_name, token, public_urls, public_urls_unchecked };
    let signed_in = service::bootstrap(&app, &client, &new).await?;
    Ok(signed_in_answer(&app, &client, StatusCode::CREATED, signed_in))
}

/// Sign in with a password.
///
/// Where the person has set up an authenticator app there are no tokens and no cookies yet, but `mfa_required` with a
/// token for POST /api/auth/login/totp, or for a passkey at POST /api/auth/passkey/login/begin.
#[utoipa::path(post, path = "/api/auth/login", tag = "Authentication", request_body = LoginRequest,
    responses((status = 200, description = "Signed in, or a second factor is to be shown", body = LoginOutcome),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 401, description = "Address or password is wrong", body = ErrorBody),
        (status = 403, description = "The address is not confirmed yet (`email_unverified`)", body = ErrorBody)))]
async fn login(State(app): State<App>, client: Client, Body(body): Body<LoginRequest>) -> Result<Response> {
    match service::login(&app, &client, &body.email, &body.password).await? {
        Login::Done(signed_in) => Ok(signed_in_answer(&app, &client, StatusCode::OK, signed_in)),
        Login::SecondFactor(owed) => Ok(no_store(Json(SecondFactorOwed::from(owed)).into_response())),
    }
}

/// Exchange a refresh token for a new pair.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "Authentication", request_body = RefreshRequest,
    responses((status = 200, description = "The next pair", body = LoginAnswer),
        (status = 400, description = "No refresh token", body = ErrorBody),
        (status = 401, description = "The token is not valid any more", body = ErrorBody),
        (status = 403, description = "The cookie came from another site's page", body = ErrorBody)))]
async fn refresh(State(app): State<App>, client: Client, Body(body): Body<RefreshRequest>) -> Result<Response> {
    let token = match (&body.refresh_token, &client.refresh_cookie) {
        (Some(token), _) => token.clone(),
        (None, Some(_)) if !client.origin_is_ours => {
            let message = "With a cookie, this request must come from a page of this controller (Origin).";
            return Err(Error::forbidden("origin_refused", message));
        }
        (None, Some(cookie)) => Secret::new(cookie.as_str()),
        (None, None) if client.wants_cookies => return Err(Error::unauthenticated()),
        (None, None) => {
            return Err(Error::field("refresh_token", "required", "The field 'refresh_token' is required."));
        }
    };
    let signed_in = service::refresh(&app, &client, token.expose()).await?;
    Ok(signed_in_answer(&app, &client, StatusCode::OK, signed_in))
}

/// End this session.
#[utoipa::path(post, path = "/api/auth/logout", tag = "Authentication",
    responses((status = 204, description = "Its tokens no longer work anywhere within 5 seconds")))]
async fn logout(State(app): State<App>, client: Client, caller: Caller) -> Result<Response> {
    service::logout(&app, &caller).await?;
    Ok(with_cookies(StatusCode::NO_CONTENT.into_response(), client.no_cookies()))
}

/// Get a ticket for a browser's WebSocket.
#[utoipa::path(post, path = "/api/auth/ws-ticket", tag = "Authentication", request_body = TicketRequest,
    responses((status = 200, description = "A ticket", body = Ticket),
        (status = 400, description = "A field is wrong", body = ErrorBody)))]
async fn ticket_create(
    State(app): State<App>, caller: Caller, Extension(identified): Extension<Identified>,
    Body(body): Body<TicketRequest>,
) -> Result<Json<Ticket>> {
    let (organization, _) = identified.organization?;
    let (ticket, expires_in) = service::ticket_create(&app, &caller, organization, &body.target).await?;
    Ok(Json(Ticket { ticket: ticket.expose().to_owned(), expires_in }))
}

/// The tokens of a new session: in cookies where the client asks for that, else in the body.
pub fn signed_in_answer(app: &App, client: &Client, status: StatusCode, signed_in: SignedIn) -> Response {
    let SignedIn { access_token, refresh_token, account } = signed_in;
    let tokens = &app.auth.tokens;
    let access_life = tokens.access_life_on(client.surface);
    let expires_in = access_life.as_secs();
    let mut body =
        LoginAnswer { access_token: None, refresh_token: None, expires_in, token_type: "Bearer", user: account };
    let mut cookies = Vec::new();
    if client.wants_cookies {
        let (access, refresh) = (access_token.as_str(), refresh_token.expose());
        cookies = client.cookies((access, access_life), (refresh, tokens.refresh_life));
    } else {
        body.access_token = Some(access_token);
        body.refresh_token = Some(refresh_token.expose().to_owned());
    }
    no_store(with_cookies((status, Json(body)).into_response(), cookies))
}

/// Kept by no browser and no proxy.
pub fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub fn with_cookies(mut response: Response, cookies: Vec<HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
