use super::model::{Enrollment, TotpStatus};
use super::service::{self, FactorOwed};
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::identity::auth::routes::{LoginAnswer, no_store, signed_in_answer};
use crate::identity::authentication::Client;
use crate::platform::http::{Body, Caller, public, user};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(public(routes!(login_totp)))
        .routes(user(routes!(totp_get)))
        .routes(user(routes!(totp_enroll)))
        .routes(user(routes!(totp_verify)))
        .routes(user(routes!(totp_disable)))
        .routes(user(routes!(recovery_codes_create)))
}

/// A second factor is to be shown before there is a session.
#[derive(Serialize, ToSchema)]
pub struct SecondFactorOwed {
    /// Always true.
    mfa_required: bool,
    /// Shown with the second factor, at POST /api/auth/login/totp or POST /api/auth/passkey/login/begin.
    mfa_token: String,
    /// What will do: `totp`, `recovery_code`, `passkey`.
    methods: Vec<&'static str>,
    /// Seconds.
    expires_in: i64,
}

impl From<FactorOwed> for SecondFactorOwed {
    fn from(owed: FactorOwed) -> Self {
        let FactorOwed { token, methods, expires_in } = owed;
        Self { mfa_required: true, mfa_token: token.expose().to_owned(), methods, expires_in }
    }
}

/// The second factor of a sign-in.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "mfa_token": "Zk3…", "code": "123456" }))]
pub struct LoginTotpRequest {
    /// As POST /api/auth/login gave it.
    #[garde(skip)]
    mfa_token: Secret,
    /// Six digits of the authenticator app, or a recovery code (`abcd-efgh-jkmn`).
    #[garde(skip)]
    code: Secret,
}

/// A code of the authenticator app.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "code": "123456" }))]
pub struct TotpVerify {
    #[garde(skip)]
    code: Secret,
}

/// A code that shows that the second factor is still in your hands.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "code": "123456" }))]
pub struct TotpConfirm {
    /// Six digits of the authenticator app, or a recovery code.
    #[garde(skip)]
    code: Secret,
}

/// A key for an authenticator app, shown this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "otpauth_uri": "otpauth://totp/oCore:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=oCore"
}))]
pub struct TotpEnrollment {
    /// For typing it in (base32).
    secret: String,
    /// For a QR code: 6 digits, 30 seconds, SHA-1, issuer oCore.
    otpauth_uri: String,
}

/// Recovery codes, shown this once. Each works once in place of a code of the app.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    #[schema(example = json!(["abcd-efgh-jkmn"]))]
    recovery_codes: Vec<String>,
}

/// Finish a sign-in with a second factor.
///
/// After POST /api/auth/login has answered `mfa_required`. At most 5 codes a minute are taken for a person; a wrong one
/// leaves the token valid until its five minutes are over.
#[utoipa::path(post, path = "/api/auth/login/totp", tag = "Authentication", request_body = LoginTotpRequest,
    responses((status = 200, description = "Signed in", body = LoginAnswer),
        (status = 400, description = "This cannot be a code", body = ErrorBody),
        (status = 401, description = "The code is wrong (`wrong_code`), or the sign-in must begin again (`mfa_token_invalid`)", body = ErrorBody)))]
async fn login_totp(State(app): State<App>, client: Client, Body(body): Body<LoginTotpRequest>) -> Result<Response> {
    let signed_in = service::login_totp(&app, &client, &body.mfa_token, &body.code).await?;
    Ok(signed_in_answer(&app, &client, StatusCode::OK, signed_in))
}

/// Tell whether codes are asked for at sign-in.
#[utoipa::path(get, path = "/api/user/totp", tag = "User",
    responses((status = 200, description = "How it stands", body = TotpStatus)))]
async fn totp_get(caller: Caller, State(app): State<App>) -> Result<Json<TotpStatus>> {
    service::totp_get(&caller, &app).await.map(Json)
}

/// Get a key for an authenticator app.
///
/// Nothing is asked for until a code of it was shown at POST /api/user/totp/verify; until then, enrolling again
/// replaces the key.
#[utoipa::path(post, path = "/api/user/totp/enroll", tag = "User",
    responses((status = 200, description = "The key, shown this once", body = TotpEnrollment),
        (status = 409, description = "The second factor is on already", body = ErrorBody)))]
async fn totp_enroll(caller: Caller, State(app): State<App>) -> Result<Response> {
    let Enrollment { secret, uri } = service::totp_enroll(&caller, &app).await?;
    Ok(no_store(Json(TotpEnrollment { secret, otpauth_uri: uri }).into_response()))
}

/// Show the first code of the new key: from then on codes are asked for.
#[utoipa::path(post, path = "/api/user/totp/verify", tag = "User", request_body = TotpVerify,
    responses((status = 200, description = "It is on; eight recovery codes, shown this once", body = RecoveryCodes),
        (status = 400, description = "This cannot be a code", body = ErrorBody),
        (status = 403, description = "The code is wrong", body = ErrorBody),
        (status = 409, description = "No key was enrolled, or it is on already", body = ErrorBody)))]
async fn totp_verify(caller: Caller, State(app): State<App>, Body(body): Body<TotpVerify>) -> Result<Response> {
    let recovery_codes = service::totp_verify(&caller, &app, &body.code).await?;
    Ok(no_store(Json(RecoveryCodes { recovery_codes }).into_response()))
}

/// Ask for no codes any more.
#[utoipa::path(post, path = "/api/user/totp/disable", tag = "User", request_body = TotpConfirm,
    responses((status = 204, description = "It is off; key and recovery codes are gone"),
        (status = 400, description = "This cannot be a code", body = ErrorBody),
        (status = 403, description = "The code is wrong", body = ErrorBody),
        (status = 409, description = "It is not on", body = ErrorBody)))]
async fn totp_disable(caller: Caller, State(app): State<App>, Body(body): Body<TotpConfirm>) -> Result<StatusCode> {
    service::totp_disable(&caller, &app, &body.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get new recovery codes; those before are void.
#[utoipa::path(post, path = "/api/user/totp/recovery-codes", tag = "User", request_body = TotpConfirm,
    responses((status = 200, description = "Eight codes, shown this once", body = RecoveryCodes),
        (status = 400, description = "This cannot be a code", body = ErrorBody),
        (status = 403, description = "The code is wrong", body = ErrorBody),
        (status = 409, description = "No second factor is set up", body = ErrorBody)))]
async fn recovery_codes_create(
    caller: Caller, State(app): State<App>, Body(body): Body<TotpConfirm>,
) -> Result<Response> {
    let recovery_codes = service::recovery_codes_create(&caller, &app, &body.code).await?;
    Ok(no_store(Json(RecoveryCodes { recovery_codes }).into_response()))
}
