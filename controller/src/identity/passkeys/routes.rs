use super::model::{AssertionParts, Passkey, RegistrationParts, assertion_read, registration_read};
use super::service::{self, Begin};
use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::identity::auth::routes::{LoginAnswer, no_store, signed_in_answer};
use crate::identity::authentication::Client;
use crate::platform::http::names::name_check;
use crate::platform::http::{Body, Caller, IfMatch, List, Patch, PatchFields, Path, Versioned, public, user};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use ocore_shared::ids::PasskeyId;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// More than any authenticator sends.
const LONGEST: usize = 16 * 1024;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(public(routes!(passkey_login_begin)))
        .routes(public(routes!(passkey_login_finish)))
        .routes(user(routes!(passkey_list)))
        .routes(user(routes!(passkey_register_begin)))
        .routes(user(routes!(passkey_register_finish)))
        .routes(user(routes!(passkey_update)))
        .routes(user(routes!(passkey_delete)))
}

/// A passkey to make.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "device_name": "Ada's laptop" }))]
pub struct PasskeyRegisterBegin {
    /// By what you will know it.
    #[garde(length(chars, min = 1, max = 64), custom(name_check))]
    #[schema(min_length = 1, max_length = 64)]
    device_name: String,
}

/// What a passkey is called from now on.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyUpdate {
    #[garde(inner(length(chars, min = 1, max = 64), custom(name_check)))]
    #[schema(min_length = 1, max_length = 64)]
    device_name: Option<String>,
}

impl PatchFields for PasskeyUpdate {
    const FIELDS: &'static [&'static str] = &["device_name"];
}

/// Options for the browser. Hand `publicKey` to `PublicKeyCredential.parseCreationOptionsFromJSON()` (or decode its
/// base64url fields yourself) and the result to `navigator.credentials.create({ publicKey })`.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "publicKey": {
    "rp": { "name": "oCore", "id": "ocore.example.com" },
    "user": { "id": "AZNWq0x5cOKbqs1E7w8Q9A", "name": "ada@example.com", "displayName": "Ada" },
    "challenge": "u3Wl8…", "pubKeyCredParams": [{ "type": "public-key", "alg": -7 }], "timeout": 300000,
    "excludeCredentials": [], "attestation": "none",
    "authenticatorSelection": { "residentKey": "required", "requireResidentKey": true, "userVerification": "required" },
    "extensions": { "credProps": true }
} }))]
pub struct PasskeyCreationOptions {
    #[serde(rename = "publicKey")]
    #[schema(value_type = Object)]
    public_key: Value,
}

/// Options for the browser. Hand `publicKey` to `PublicKeyCredential.parseRequestOptionsFromJSON()` (or decode its
/// base64url fields yourself) and the result to `navigator.credentials.get({ publicKey })`.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "publicKey": {
    "challenge": "u3Wl8…", "timeout": 300000, "rpId": "ocore.example.com",
    "allowCredentials": [{ "type": "public-key", "id": "qF3…" }], "userVerification": "required"
} }))]
pub struct PasskeyRequestOptions {
    #[serde(rename = "publicKey")]
    #[schema(value_type = Object)]
    public_key: Value,
}

impl PasskeyCreationOptions {
    fn new(mut options: Value) -> Self {
        Self { public_key: options["publicKey"].take() }
    }
}

impl PasskeyRequestOptions {
    fn new(mut options: Value) -> Self {
        Self { public_key: options["publicKey"].take() }
    }
}

/// `credential.toJSON()` of what `navigator.credentials.create()` gave. Fields that are not listed are passed over.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(example = json!({
    "id": "qF3…", "rawId": "qF3…", "type": "public-key", "clientExtensionResults": {},
    "response": { "clientDataJSON": "eyJ0…", "attestationObject": "o2Nm…", "transports": ["internal", "hybrid"] }
}))]
pub struct PasskeyRegistered {
    #[garde(length(min = 1, max = 2048))]
    #[serde(rename = "rawId")]
    raw_id: String,
    #[garde(dive)]
    response: AttestationResponse,
}

/// The device's part of a registration, its binary fields as base64url.
#[derive(Deserialize, Validate, ToSchema)]
pub struct AttestationResponse {
    #[garde(length(min = 1, max = LONGEST))]
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    #[garde(length(min = 1, max = 4 * LONGEST))]
    #[serde(rename = "attestationObject")]
    attestation_object: String,
    /// `response.getTransports()`.
    #[garde(length(max = 16), inner(length(max = 32)))]
    #[serde(default)]
    transports: Vec<String>,
}

/// Who signs in. Empty: whoever the device knows, as `mediation: "conditional"` needs it.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com" }))]
pub struct PasskeyLoginBegin {
    /// Unknown addresses get options that look like any other's.
    #[garde(inner(email, length(max = 254)))]
    #[schema(format = "email")]
    email: Option<String>,
    /// Of POST /api/auth/login, to show a passkey as the second factor.
    #[garde(skip)]
    mfa_token: Option<Secret>,
}

/// `credential.toJSON()` of what `navigator.credentials.get()` gave. Fields that are not listed are passed over.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(example = json!({
    "id": "qF3…", "rawId": "qF3…", "type": "public-key", "clientExtensionResults": {},
    "response": { "clientDataJSON": "eyJ0…", "authenticatorData": "SZYN…", "signature": "MEUC…", "userHandle": "AZNW…" }
}))]
pub struct PasskeyAsserted {
    #[garde(length(min = 1, max = 2048))]
    #[serde(rename = "rawId")]
    raw_id: String,
    #[garde(dive)]
    response: AssertionResponse,
}

/// The device's part of a sign-in, its binary fields as base64url.
#[derive(Deserialize, Validate, ToSchema)]
pub struct AssertionResponse {
    #[garde(length(min = 1, max = LONGEST))]
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    #[garde(length(min = 1, max = LONGEST))]
    #[serde(rename = "authenticatorData")]
    authenticator_data: String,
    #[garde(length(min = 1, max = LONGEST))]
    signature: String,
    #[garde(inner(length(max = 128)))]
    #[serde(rename = "userHandle", default)]
    user_handle: Option<String>,
}

fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN).and_then(|value| value.to_str().ok())
}

/// Begin a sign-in with a passkey.
///
/// Answers what the browser needs to ask the person's device. The host is that of the page (`Origin`), which must be one
/// of the controller's public addresses, or localhost.
#[utoipa::path(post, path = "/api/auth/passkey/login/begin", tag = "Authentication", request_body = PasskeyLoginBegin,
    responses((status = 200, description = "Options, good for five minutes", body = PasskeyRequestOptions),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 401, description = "The sign-in with the password is over (`mfa_token_invalid`)", body = ErrorBody),
        (status = 422, description = "Passkeys do not work at this address (`passkeys_unavailable`), or there is none for a second factor (`no_passkey`)", body = ErrorBody)))]
async fn passkey_login_begin(
    State(app): State<App>, headers: HeaderMap, Body(body): Body<PasskeyLoginBegin>,
) -> Result<Response> {
    let begin = match (&body.email, &body.mfa_token) {
        (None, None) => Begin::Anybody,
        (Some(email), None) => Begin::Email(email),
        (None, Some(token)) => Begin::SecondFactor(token),
        (Some(_), Some(_)) => {
            let message = "Leave the address out: the token says who it is.";
            return Err(Error::field("email", "exclusive", message));
        }
    };
    let options = service::passkey_login_begin(&app, origin(&headers), &begin).await?;
    Ok(no_store(Json(PasskeyRequestOptions::new(options)).into_response()))
}

/// Finish a sign-in with a passkey.
///
/// The challenge in the answer says which sign-in it belongs to; each is answered once. A passkey counts as two factors.
#[utoipa::path(post, path = "/api/auth/passkey/login/finish", tag = "Authentication", request_body = PasskeyAsserted,
    responses((status = 200, description = "Signed in", body = LoginAnswer),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 401, description = "Refused: `passkey_refused`, `passkey_challenge_expired`, `mfa_token_invalid`, or `passkey_copied` where its counter went back", body = ErrorBody),
        (status = 422, description = "Passkeys do not work at this address any more", body = ErrorBody)))]
async fn passkey_login_finish(
    State(app): State<App>, client: Client, Body(body): Body<PasskeyAsserted>,
) -> Result<Response> {
    let PasskeyAsserted { raw_id, response } = &body;
    let credential = assertion_read(&AssertionParts {
        raw_id,
        client_data: &response.client_data_json,
        authenticator_data: &response.authenticator_data,
        signature: &response.signature,
        user_handle: response.user_handle.as_deref(),
    })?;
    let signed_in = service::passkey_login_finish(&app, &client, &credential).await?;
    Ok(signed_in_answer(&app, &client, StatusCode::OK, signed_in))
}

/// List your passkeys.
#[utoipa::path(get, path = "/api/user/passkeys", tag = "User",
    responses((status = 200, description = "All of them, newest first", body = List<Passkey>)))]
async fn passkey_list(caller: Caller, State(app): State<App>) -> Result<Json<List<Passkey>>> {
    service::passkey_list(&caller, &app).await.map(Json)
}

/// Begin to make a passkey.
#[utoipa::path(post, path = "/api/user/passkeys/register/begin", tag = "User", request_body = PasskeyRegisterBegin,
    responses((status = 200, description = "Options, good for five minutes", body = PasskeyCreationOptions),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 403, description = "This session began without your second factor (`second_factor_required`)", body = ErrorBody),
        (status = 409, description = "You have as many as there can be", body = ErrorBody),
        (status = 422, description = "Passkeys do not work at this address (`passkeys_unavailable`)", body = ErrorBody)))]
async fn passkey_register_begin(
    caller: Caller, State(app): State<App>, headers: HeaderMap, Body(body): Body<PasskeyRegisterBegin>,
) -> Result<Response> {
    let options = service::passkey_register_begin(&caller, &app, origin(&headers), &body.device_name).await?;
    Ok(no_store(Json(PasskeyCreationOptions::new(options)).into_response()))
}

/// Keep the passkey that the browser has made.
///
/// The challenge in the answer says which registration it belongs to. From then on this session counts as one with a
/// second factor.
#[utoipa::path(post, path = "/api/user/passkeys/register/finish", tag = "User", request_body = PasskeyRegistered,
    responses((status = 201, description = "It is registered", body = Passkey),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 403, description = "This session began without your second factor (`second_factor_required`)", body = ErrorBody),
        (status = 409, description = "It is registered already, or you have as many as there can be", body = ErrorBody),
        (status = 422, description = "The registration is over (`passkey_challenge_expired`) or the answer does not fit (`passkey_refused`)", body = ErrorBody)))]
async fn passkey_register_finish(
    caller: Caller, State(app): State<App>, Body(body): Body<PasskeyRegistered>,
) -> Result<Versioned<Passkey>> {
    const KNOWN: [&str; 6] = ["ble", "hybrid", "internal", "nfc", "smart-card", "usb"];
    let PasskeyRegistered { raw_id, response } = body;
    let credential = registration_read(&RegistrationParts {
        raw_id: &raw_id,
        client_data: &response.client_data_json,
        attestation: &response.attestation_object,
    })?;
    let transports: Vec<String> = response.transports.into_iter().filter(|t| KNOWN.contains(&t.as_str())).collect();
    let passkey = service::passkey_register_finish(&caller, &app, &credential, &transports).await?;
    let version = passkey.version;
    Ok(Versioned(StatusCode::CREATED, passkey, version))
}

/// Rename a passkey.
#[utoipa::path(patch, path = "/api/user/passkeys/{id}", tag = "User", params(PasskeyId), request_body = PasskeyUpdate,
    responses((status = 200, description = "As it is now", body = Passkey),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "You have no such passkey", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn passkey_update(
    caller: Caller, State(app): State<App>, Path(id): Path<PasskeyId>, if_match: IfMatch, body: Patch<PasskeyUpdate>,
) -> Result<Versioned<Passkey>> {
    let change = |before: &Passkey| Ok(body.read(before)?.device_name.unwrap_or_else(|| before.device_name.clone()));
    let passkey = service::passkey_update(&caller, &app, id, if_match, change).await?;
    let version = passkey.version;
    Ok(Versioned(StatusCode::OK, passkey, version))
}

/// Remove a passkey.
///
/// Remove it from the device as well: what is left there no longer signs in.
#[utoipa::path(delete, path = "/api/user/passkeys/{id}", tag = "User", params(PasskeyId),
    responses((status = 204, description = "It signs in no more"),
        (status = 404, description = "You have no such passkey", body = ErrorBody),
        (status = 409, description = "It is your last way to sign in (`last_way_in`)", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn passkey_delete(
    caller: Caller, State(app): State<App>, Path(id): Path<PasskeyId>, if_match: IfMatch,
) -> Result<StatusCode> {
    service::passkey_delete(&caller, &app, id, if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}
