use super::model::{MailChange, OAuthChange, OAuthKind, SettingsChange, SettingsView, SignupMode, WebhookSettings};
use super::service;
use crate::app::App;
use crate::error::{Error, ErrorBody, Problem, Result};
use crate::fleet::enrollment::addresses::host_of;
use crate::identity::api_keys::model::network_parse;
use crate::platform::http::names::name_check;
use crate::platform::http::patch::present;
use crate::platform::http::{Body, Caller, IfMatch, Patch, PatchFields, Versioned, admin};
use crate::platform::mail::model::MailTls;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::net::IpAddr;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(admin(routes!(platform_settings_get)))
        .routes(admin(routes!(platform_settings_update)))
        .routes(admin(routes!(platform_mail_test)))
}

/// What the settings become; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "signup": "invitation",
    "mail": { "host": "smtp.example.com", "port": 587, "tls": "starttls", "username": "ocore", "password": "…",
              "from_address": "noreply@example.com", "from_name": "oCore" }
}))]
pub struct PlatformSettingsUpdate {
    /// Who may make an account for themself.
    #[garde(skip)]
    signup: Option<SignupMode>,
    /// How mail is sent; null goes back to the controller's configuration.
    #[garde(dive)]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<MailInput>)]
    mail: Option<Option<MailInput>>,
    /// Who else vouches for people; the whole list.
    #[garde(length(max = 20), dive)]
    oauth: Option<Vec<OAuthInput>>,
    /// Where webhooks may go beside the public internet.
    #[garde(dive)]
    webhooks: Option<WebhooksInput>,
}

impl PatchFields for PlatformSettingsUpdate {
    const FIELDS: &'static [&'static str] = &["signup", "mail", "oauth", "webhooks"];
}

/// An SMTP server.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailInput {
    /// Name or address of the server.
    #[garde(custom(host_check))]
    host: String,
    #[garde(range(min = 1, max = 65535))]
    #[schema(minimum = 1, maximum = 65535)]
    port: u16,
    #[garde(skip)]
    tls: MailTls,
    /// Left out where the server asks for none.
    #[garde(inner(length(chars, min = 1, max = 254), custom(name_check)))]
    username: Option<String>,
    /// Never shown again. Left out, the present one stays as long as server and username do.
    #[garde(skip)]
    password: Option<Secret>,
    /// Read-only; may come back as it was read.
    #[garde(skip)]
    password_set: Option<bool>,
    /// Sender of all mail.
    #[garde(email, length(max = 254))]
    #[schema(format = "email")]
    from_address: String,
    #[garde(inner(length(chars, min = 1, max = 100), custom(name_check)))]
    from_name: Option<String>,
}

/// Somebody who vouches for people.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuthInput {
    /// Its part of the address `/api/auth/oauth/{id}`: 2 to 32 lower-case letters, digits and hyphens.
    #[garde(custom(id_check))]
    id: String,
    #[garde(skip)]
    kind: OAuthKind,
    /// As the sign-in page shows it.
    #[garde(length(chars, min = 1, max = 64), custom(name_check))]
    name: String,
    /// `https://…`, needed for `oidc`; of an Enterprise Server for `github`; none for `google`.
    #[garde(inner(length(max = 512)))]
    issuer: Option<String>,
    #[garde(length(chars, min = 1, max = 512), custom(name_check))]
    client_id: String,
    /// Never shown again. Left out, the present one stays as long as issuer and client id do.
    #[garde(skip)]
    client_secret: Option<Secret>,
    /// Read-only; may come back as it was read.
    #[garde(skip)]
    client_secret_set: Option<bool>,
}

/// Where webhooks may go.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhooksInput {
    /// Private networks and addresses, e.g. `10.20.0.0/16`.
    #[garde(length(max = 64))]
    allowed_networks: Vec<String>,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "to": "ada@example.com" }))]
pub struct MailTest {
    /// Your own address when left out.
    #[garde(inner(email, length(max = 254)))]
    #[schema(format = "email")]
    to: Option<String>,
}

/// What the SMTP server made of it.
#[derive(Serialize, ToSchema)]
pub struct MailTestAnswer {
    to: String,
    /// The server has taken the mail over. Whether it arrives is the matter of others.
    accepted: bool,
    /// The server's words, or why it was not reached.
    answer: String,
}

fn host_check(host: &str, _: &()) -> garde::Result {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = (1..=253).contains(&host.len()) && host.chars().all(plain);
    if is_name || host.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err(garde::Error::new("must be the name or the address of a server, e.g. smtp.example.com"))
}

fn id_check(id: &str, _: &()) -> garde::Result {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (2..=32).contains(&id.len()) && id.bytes().all(plain) && !id.starts_with('-') && !id.ends_with('-') {
        return Ok(());
    }
    Err(garde::Error::new("must be 2 to 32 lower-case letters, digits and hyphens, no hyphen first or last"))
}

/// `https://…`; plain only on this very machine, to try things out.
fn issuer_is_safe(issuer: &str) -> bool {
    let Some(host) = host_of(issuer).filter(|host| !host.is_empty()) else { return false };
    let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let clean = !issuer.contains(['?', '#', '@', '\\']) && !issuer.chars().any(char::is_whitespace);
    clean && (issuer.starts_with("https://") || (local && issuer.starts_with("http://")))
}

/// Read the platform's settings.
///
/// Passwords and client secrets are never shown. What is set by the controller's flags and variables is shown as in use.
#[utoipa::path(get, path = "/api/admin/settings", tag = "Admin",
    responses((status = 200, description = "The settings", body = SettingsView)))]
async fn platform_settings_get(State(app): State<App>) -> Result<Versioned<SettingsView>> {
    let settings = SettingsView::from(&*service::settings_get(&app).await?);
    let version = settings.version;
    Ok(Versioned(StatusCode::OK, settings, version))
}

/// Change the platform's settings.
///
/// Each group that is sent replaces the present one; groups that are left out stay. Every replica follows within five
/// seconds.
#[utoipa::path(put, path = "/api/admin/settings", tag = "Admin", request_body = PlatformSettingsUpdate,
    responses((status = 200, description = "The settings as they are now", body = SettingsView),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 412, description = "They have changed since they were read", body = ErrorBody)))]
async fn platform_settings_update(
    caller: Caller, State(app): State<App>, if_match: IfMatch, body: Patch<PlatformSettingsUpdate>,
) -> Result<Versioned<SettingsView>> {
    let change = |before: &SettingsView| body.read(before)?.checked(before);
    let settings = service::settings_update(&caller, &app, if_match, change).await?;
    let version = settings.version;
    Ok(Versioned(StatusCode::OK, settings, version))
}

/// Send a mail to try the settings out.
///
/// It is sent now, by the settings in use, and the answer tells what the server said.
#[utoipa::path(post, path = "/api/admin/settings/mail/test", tag = "Admin", request_body = MailTest,
    responses((status = 200, description = "What the server said", body = MailTestAnswer),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 422, description = "No SMTP server is set", body = ErrorBody)))]
async fn platform_mail_test(
    caller: Caller, State(app): State<App>, Body(body): Body<MailTest>,
) -> Result<Json<MailTestAnswer>> {
    let service::MailTried { to, accepted, answer } = service::mail_test(&caller, &app, body.to).await?;
    Ok(Json(MailTestAnswer { to, accepted, answer }))
}

fn problem(field: String, constraint: &str, message: impl Into<String>) -> Problem {
    Problem { field, constraint: constraint.into(), message: message.into() }
}

fn read_only(field: String) -> Problem {
    let message = format!("The field '{field}' tells whether there is one; it cannot be changed.");
    problem(field, "read_only", message)
}

impl PlatformSettingsUpdate {
    /// All that one field alone does not show.
    fn checked(self, before: &SettingsView) -> Result<SettingsChange> {
        let mut problems = Vec::new();
        if let Some(Some(mail)) = &self.mail {
            let present = before.mail.as_ref().is_some_and(|mail| mail.password_set);
            if mail.password_set.is_some_and(|set| set != present) {
                problems.push(read_only("mail.password_set".into()));
            }
            if mail.password.as_ref().is_some_and(|password| password.is_empty() || password.expose().len() > 1024) {
                let message = "A password has 1 to 1024 characters; leave it out to keep the present one.";
                problems.push(problem("mail.password".into(), "length", message));
            }
        }
        let mut ids = HashSet::new();
        for (index, provider) in self.oauth.iter().flatten().enumerate() {
            let field = |name: &str| format!("oauth[{index}].{name}");
            if !ids.insert(provider.id.as_str()) {
                problems.push(problem(field("id"), "unique", format!("'{}' is there twice.", provider.id)));
            }
            let present = before.oauth.iter().any(|known| known.id == provider.id);
            if provider.client_secret_set.is_some_and(|set| set != present) {
                problems.push(read_only(field("client_secret_set")));
            }
            if provider.client_secret.as_ref().is_some_and(|s| s.is_empty() || s.expose().len() > 4096) {
                let message = "A client secret has 1 to 4096 characters; leave it out to keep the present one.";
                problems.push(problem(field("client_secret"), "length", message));
            }
            let wrong = match (provider.kind, &provider.issuer) {
                (OAuthKind::Oidc, None) => Some(("required", "An OpenID Connect provider has an issuer.")),
                (OAuthKind::Google, Some(_)) => Some(("absent", "Google's issuer is known; leave it out.")),
                (_, Some(issuer)) if !issuer_is_safe(issuer) => {
                    Some(("url", "An issuer is an https:// address without query and user."))
                }
                _ => None,
            };
            if let Some((constraint, message)) = wrong {
                problems.push(problem(field("issuer"), constraint, message));
            }
        }
        let mut allowed_networks = Vec::new();
        for (index, text) in self.webhooks.iter().flat_map(|w| &w.allowed_networks).enumerate() {
            match network_parse(text) {
                Some(network) => allowed_networks.push(network),
                None => problems.push(problem(
                    format!("webhooks.allowed_networks[{index}]"),
                    "address",
                    format!("'{text}' is neither an address nor a network like 10.20.0.0/16."),
                )),
            }
        }
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        Ok(SettingsChange {
            signup: self.signup,
            mail: self.mail.map(|mail| mail.map(MailInput::change)),
            oauth: self.oauth.map(|list| list.into_iter().map(OAuthInput::change).collect()),
            webhooks: self.webhooks.map(|_| WebhookSettings { allowed_networks }),
        })
    }
}

impl MailInput {
    fn change(self) -> MailChange {
        let Self { host, port, tls, username, password, from_address, from_name, .. } = self;
        MailChange { host, port, tls, username, password, from_address, from_name }
    }
}

impl OAuthInput {
    fn change(self) -> OAuthChange {
        let Self { id, kind, name, issuer, client_id, client_secret, .. } = self;
        OAuthChange { id, kind, name, issuer, client_id, client_secret }
    }
}
