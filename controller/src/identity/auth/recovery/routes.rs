use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::identity::authentication::Client;
use crate::platform::http::{Body, public};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(public(routes!(password_forgot))).routes(public(routes!(password_reset)))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com" }))]
pub struct PasswordForgot {
    #[garde(email, length(max = 254))]
    #[schema(format = "email")]
    email: String,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// From the mailed link, behind `#token=`.
    #[garde(skip)]
    token: Secret,
    /// 8 to 256 characters with a letter and a digit, none of the common ones.
    #[garde(skip)]
    password: Secret,
}

/// What happens next.
#[derive(Debug, Serialize, ToSchema)]
pub struct Told {
    pub message: &'static str,
}

/// Ask for a link to choose a new password.
///
/// The answer is the same whether there is such an account or not. The link works once, for an hour. One address gets at
/// most three mails in 15 minutes.
#[utoipa::path(post, path = "/api/auth/forgot-password", tag = "Authentication", request_body = PasswordForgot,
    responses((status = 202, description = "If there is such an account, a mail is on its way", body = Told),
        (status = 400, description = "A field is wrong", body = ErrorBody)))]
async fn password_forgot(
    State(app): State<App>, client: Client, Body(body): Body<PasswordForgot>,
) -> Result<(StatusCode, Json<Told>)> {
    service::password_forgot(&app, &client, body.email.trim()).await?;
    let message = "If there is an account of this address, a mail with a link is on its way.";
    Ok((StatusCode::ACCEPTED, Json(Told { message })))
}

/// Choose a new password by a mailed link.
///
/// All sessions of the person end. A second factor is asked for at the next sign-in as before.
#[utoipa::path(post, path = "/api/auth/reset-password", tag = "Authentication", request_body = PasswordReset,
    responses((status = 204, description = "The password is set; sign in with it"),
        (status = 400, description = "The password is too weak, or the link was used or has expired", body = ErrorBody)))]
async fn password_reset(State(app): State<App>, client: Client, Body(body): Body<PasswordReset>) -> Result<StatusCode> {
    service::password_reset(&app, &client, &body.token, &body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}
