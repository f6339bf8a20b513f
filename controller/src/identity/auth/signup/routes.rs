use super::model::NewSignup;
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::identity::auth::recovery::routes::Told;
use crate::identity::authentication::Client;
use crate::platform::http::names::name_check;
use crate::platform::http::{Body, public};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::OrganizationId;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(public(routes!(signup)))
        .routes(public(routes!(email_verify)))
        .routes(public(routes!(email_verify_resend)))
}

/// Somebody who wants an account.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com", "name": "Ada", "password": "a quiet place 7" }))]
pub struct SignupRequest {
    /// With an invitation: the address that was invited.
    #[garde(email, length(max = 254))]
    #[schema(format = "email")]
    email: String,
    #[garde(length(chars, min = 1, max = 100), custom(name_check))]
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// 8 to 256 characters with a letter and a digit, none of the common ones.
    #[garde(skip)]
    password: Secret,
    /// Name of the organization that they get; made from their own when left out.
    #[garde(inner(length(chars, min = 2, max = 100), custom(name_check)))]
    organization_name: Option<String>,
    /// From the link of an invitation, behind `#token=`: it proves the address, and is accepted in one go.
    #[garde(skip)]
    invitation_token: Option<Secret>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignupAnswer {
    /// A mail is on its way; once its link is opened, sign in. Otherwise sign in now.
    verification_required: bool,
    /// Joined by the invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<OrganizationId>,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailVerify {
    /// From the mailed link, behind `#token=`.
    #[garde(skip)]
    token: Secret,
}

/// Whose account was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmailVerified {
    email: String,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com" }))]
pub struct EmailVerifyResend {
    #[garde(email, length(max = 254))]
    #[schema(format = "email")]
    email: String,
}

/// Make an account for oneself.
///
/// As far as the platform's settings allow it: not at all, by invitation, or everybody. Where mail is sent, the account is
/// made when the mailed link is opened; the answer is the same for an address that has an account already, which gets a
/// mail that says so. Whoever signs up gets an organization of their own, or joins the one that invites.
#[utoipa::path(post, path = "/api/auth/signup", tag = "Authentication", request_body = SignupRequest,
    responses((status = 201, description = "A mail is on its way, or sign in now", body = SignupAnswer),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 403, description = "Nobody can sign up, or only by invitation, or the invitation is for another address", body = ErrorBody),
        (status = 404, description = "The invitation has expired, or was used, cancelled or sent again", body = ErrorBody),
        (status = 409, description = "The invited address has an account: sign in and accept", body = ErrorBody)))]
async fn signup(
    State(app): State<App>, client: Client, Body(body): Body<SignupRequest>,
) -> Result<(StatusCode, Json<SignupAnswer>)> {
    let new = NewSignup {
        email: body.email.trim().to_owned(),
        name: body.name,
        password: body.password,
        organization_name: body.organization_name,
        invitation: body.invitation_token,
    };
    let done = service::signup(&app, &client, new).await?;
    let answer = SignupAnswer { verification_required: done.verification_required, organization_id: done.organization };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Confirm one's address by the mailed link.
#[utoipa::path(post, path = "/api/auth/verify-email", tag = "Authentication", request_body = EmailVerify,
    responses((status = 200, description = "The account is made; sign in", body = EmailVerified),
        (status = 400, description = "The link was used or has expired", body = ErrorBody),
        (status = 409, description = "The address has got an account meanwhile", body = ErrorBody)))]
async fn email_verify(
    State(app): State<App>, client: Client, Body(body): Body<EmailVerify>,
) -> Result<Json<EmailVerified>> {
    let email = service::email_verify(&app, &client, &body.token).await?;
    Ok(Json(EmailVerified { email }))
}

/// Ask for the link that confirms one's address again.
///
/// The answer is the same whether somebody has signed up with this address or not. The link before is void.
#[utoipa::path(post, path = "/api/auth/verify-email/resend", tag = "Authentication", request_body = EmailVerifyResend,
    responses((status = 202, description = "If somebody waits for it, a mail is on its way", body = Told),
        (status = 400, description = "A field is wrong", body = ErrorBody)))]
async fn email_verify_resend(
    State(app): State<App>, client: Client, Body(body): Body<EmailVerifyResend>,
) -> Result<(StatusCode, Json<Told>)> {
    service::verify_resend(&app, &client, body.email.trim()).await?;
    let message = "If somebody has signed up with this address, a mail with a link is on its way.";
    Ok((StatusCode::ACCEPTED, Json(Told { message })))
}
