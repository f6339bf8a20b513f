//! What can be set, as the code reads it, as it is stored and as administrators see it.

use crate::platform::mail::model::{MailSettings, MailTls};
use moka::future::Cache;
use ocore_shared::ids::SecretId;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use sqlx::types::ipnetwork::IpNetwork;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// Below the promised five seconds, for the time that reading takes.
const CACHE_LIFE: Duration = Duration::from_secs(4);

/// What this replica has read a moment ago.
pub struct SettingsCache(pub(super) Cache<(), Arc<PlatformSettings>>);

impl Default for SettingsCache {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(1).time_to_live(CACHE_LIFE).build())
    }
}

/// All settings, ready for use.
#[derive(Clone, Debug)]
pub struct PlatformSettings {
    pub signup: SignupMode,
    /// None: mail is kept for the administrator.
    pub mail: Option<MailSettings>,
    pub mail_source: MailSource,
    pub oauth: Vec<OAuthProvider>,
    pub webhooks: WebhookSettings,
    /// Grows with every change of any group.
    pub version: i64,
}

/// Who may make an account for themself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignupMode {
    /// Nobody: administrators make accounts.
    #[default]
    Closed,
    /// Whoever holds the link of an invitation into an organization.
    Invitation,
    /// Everybody.
    Open,
}

/// Where the settings of mail come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailSource {
    /// There are none: mail is kept for the administrator.
    None,
    /// Flags and variables of the controller (`SMTP_HOST` and so on).
    Configuration,
    /// Set here.
    Settings,
}

/// What kind of provider vouches for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OAuthKind {
    Github,
    Google,
    /// Any issuer with OpenID Connect discovery.
    Oidc,
}

/// Somebody who vouches for people.
#[derive(Clone, Debug)]
pub struct OAuthProvider {
    /// Its part of the address: `/api/auth/oauth/{id}`.
    pub id: String,
    pub kind: OAuthKind,
    /// As the sign-in page shows it.
    pub name: String,
    /// Always there for `oidc`; for `github` the address of an Enterprise Server; none for `google`.
    pub issuer: Option<String>,
    pub client_id: String,
    pub client_secret: Secret,
}

/// Where webhooks may go beside the public internet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookSettings {
    /// Private networks that are allowed, e.g. `10.20.0.0/16`.
    #[serde(with = "networks")]
    #[schema(value_type = Vec<String>)]
    pub allowed_networks: Vec<IpNetwork>,
}

/// Mail as it is stored: its password is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailStored {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    pub username: Option<String>,
    pub password_secret_id: Option<SecretId>,
    pub from_address: String,
    pub from_name: Option<String>,
}

/// A provider as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthStored {
    pub id: String,
    pub kind: OAuthKind,
    pub name: String,
    pub issuer: Option<String>,
    pub client_id: String,
    pub client_secret_id: SecretId,
}

/// All groups as they are stored; what is None was never set.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub signup: Option<SignupMode>,
    pub mail: Option<MailStored>,
    pub oauth: Option<Vec<OAuthStored>>,
    pub webhooks: Option<WebhookSettings>,
    pub version: i64,
}

impl Stored {
    /// Ids of the secrets that it refers to.
    pub fn secret_ids(&self) -> Vec<SecretId> {
        let mail = self.mail.iter().filter_map(|mail| mail.password_secret_id);
        let oauth = self.oauth.iter().flatten().map(|provider| provider.client_secret_id);
        mail.chain(oauth).collect()
    }
}

/// The settings as administrators see them. Secrets are written, never shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    pub signup: SignupMode,
    /// The SMTP server in use, whether set here or by the configuration; null: mail is kept for the administrator.
    pub mail: Option<MailSettingsView>,
    pub mail_source: MailSource,
    pub oauth: Vec<OAuthView>,
    pub webhooks: WebhookSettings,
    pub version: i64,
}

/// How mail is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailSettingsView {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    pub username: Option<String>,
    pub password_set: bool,
    pub from_address: String,
    pub from_name: Option<String>,
}

/// Somebody who vouches for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthView {
    pub id: String,
    pub kind: OAuthKind,
    pub name: String,
    pub issuer: Option<String>,
    pub client_id: String,
    pub client_secret_set: bool,
}

impl From<&PlatformSettings> for SettingsView {
    fn from(settings: &PlatformSettings) -> Self {
        Self {
            signup: settings.signup,
            mail: settings.mail.as_ref().map(MailSettingsView::from),
            mail_source: settings.mail_source,
            oauth: settings.oauth.iter().map(OAuthView::from).collect(),
            webhooks: settings.webhooks.clone(),
            version: settings.version,
        }
    }
}

impl From<&MailSettings> for MailSettingsView {
    fn from(mail: &MailSettings) -> Self {
        Self {
            host: mail.host.clone(),
            port: mail.port,
            tls: mail.tls,
            username: mail.login.as_ref().map(|(name, _)| name.clone()),
            password_set: mail.login.is_some(),
            from_address: mail.from.address.clone(),
            from_name: mail.from.name.clone(),
        }
    }
}

impl From<&OAuthProvider> for OAuthView {
    fn from(provider: &OAuthProvider) -> Self {
        Self {
            id: provider.id.clone(),
            kind: provider.kind,
            name: provider.name.clone(),
            issuer: provider.issuer.clone(),
            client_id: provider.client_id.clone(),
            client_secret_set: true,
        }
    }
}

/// What is asked for; what is None stays.
#[derive(Debug, Default)]
pub struct SettingsChange {
    pub signup: Option<SignupMode>,
    /// `Some(None)` goes back to the configuration.
    pub mail: Option<Option<MailChange>>,
    pub oauth: Option<Vec<OAuthChange>>,
    pub webhooks: Option<WebhookSettings>,
}

/// How mail is to be sent.
#[derive(Debug)]
pub struct MailChange {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    pub username: Option<String>,
    /// None: the one that there is, for the same server and name.
    pub password: Option<Secret>,
    pub from_address: String,
    pub from_name: Option<String>,
}

/// A provider that there is to be.
#[derive(Debug)]
pub struct OAuthChange {
    pub id: String,
    pub kind: OAuthKind,
    pub name: String,
    pub issuer: Option<String>,
    pub client_id: String,
    /// None: the one that the provider of this id has, for the same issuer.
    pub client_secret: Option<Secret>,
}

/// Networks as the text that people write.
mod networks {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use sqlx::types::ipnetwork::IpNetwork;

    pub fn serialize<S: Serializer>(networks: &[IpNetwork], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(networks.iter().map(IpNetwork::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNetwork>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
    }
}
