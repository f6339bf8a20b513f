//! Reading and changing the settings of the platform.

use super::model::{
    MailChange, MailSource, MailStored, OAuthChange, OAuthProvider, OAuthStored, PlatformSettings, SettingsChange,
    SettingsView, Stored,
};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::fleet::enrollment::addresses;
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Caller, IfMatch};
use crate::platform::mail::model::{Letter, MailSettings, Sender};
use crate::platform::mail::service::page_url;
use crate::platform::mail::{MailTransport, Refusal};
use crate::signals::events::Subject;
use lettre::message::Mailbox;
use ocore_shared::ids::{MailId, SecretId};
use ocore_shared::secret::Secret;
use sqlx::PgConnection;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// All settings, at most five seconds old.
pub async fn settings_get(app: &App) -> Result<Arc<PlatformSettings>> {
    if let Some(settings) = app.settings.0.get(&()).await {
        return Ok(settings);
    }
    let mut connection = app.db.system().acquire().await?;
    settings_read(&mut connection, app).await
}

/// The same for who has a connection of the system's already, and must not wait for another one.
pub async fn settings_read(connection: &mut PgConnection, app: &App) -> Result<Arc<PlatformSettings>> {
    if let Some(settings) = app.settings.0.get(&()).await {
        return Ok(settings);
    }
    let settings = Arc::new(settings_load(connection, app).await?);
    app.outbound.networks_open(settings.webhooks.allowed_networks.clone());
    app.settings.0.insert((), settings.clone()).await;
    Ok(settings)
}

/// Who vouches for people beside their passwords.
pub async fn oauth_providers(app: &App) -> Result<Vec<OAuthProvider>> {
    Ok(settings_get(app).await?.oauth.clone())
}

/// As often as settings and secrets are read when each time somebody has changed them in between.
const TRIES: usize = 5;

async fn settings_load(connection: &mut PgConnection, app: &App) -> Result<PlatformSettings> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let stored = store::settings_get(connection).await?;
        let ids = stored.secret_ids();
        let sealed = store::secrets_get(connection, &ids).await?;
        if sealed.len() == ids.len() || tries == 0 {
            return opened(app, stored, sealed);
        }
    }
}

/// What is stored, with its secrets opened and the configuration where nothing is.
fn opened(app: &App, stored: Stored, sealed: Vec<(SecretId, Vec<u8>)>) -> Result<PlatformSettings> {
    let mut secrets = HashMap::new();
    for (id, sealed) in sealed {
        let plain = app.keyring.unseal(&seal_context(id), &sealed).map_err(Error::Internal)?;
        secrets.insert(id, Secret::new(String::from_utf8(plain.to_vec()).map_err(Error::internal)?));
    }
    let secret = |id: SecretId| {
        secrets.get(&id).cloned().ok_or_else(|| Error::internal(anyhow::anyhow!("secret {id} of the settings is gone")))
    };
    let (mail, mail_source) = match stored.mail {
        Some(mail) => {
            let login = match mail.username.zip(mail.password_secret_id) {
                Some((name, id)) => Some((name, secret(id)?)),
                None => None,
            };
            let from = Sender { address: mail.from_address, name: mail.from_name };
            let mail = MailSettings { host: mail.host, port: mail.port, tls: mail.tls, login, from };
            (Some(mail), MailSource::Settings)
        }
        None => match mail_of_configuration(app) {
            Some(mail) => (Some(mail), MailSource::Configuration),
            None => (None, MailSource::None),
        },
    };
    let mut oauth = Vec::new();
    for provider in stored.oauth.unwrap_or_default() {
        let client_secret = secret(provider.client_secret_id)?;
        let OAuthStored { id, kind, name, issuer, client_id, .. } = provider;
        oauth.push(OAuthProvider { id, kind, name, issuer, client_id, client_secret });
    }
    Ok(PlatformSettings {
        signup: stored.signup.unwrap_or_default(),
        mail,
        mail_source,
        oauth,
        webhooks: stored.webhooks.unwrap_or_default(),
        version: stored.version,
    })
}

/// The SMTP server of flags and variables, if there is one.
fn mail_of_configuration(app: &App) -> Option<MailSettings> {
    let config = &app.config;
    let host = config.smtp_host.clone()?;
    let login = config.smtp_username.clone().zip(config.smtp_password.clone());
    let from = match &config.smtp_from {
        Some(text) => sender_read(text),
        None => Sender { address: format!("noreply@{}", sender_domain(app)), name: Some("oCore".into()) },
    };
    Some(MailSettings { host, port: config.smtp_port, tls: config.smtp_tls, login, from })
}

/// `Name <address>` or an address. What is neither is kept, and told when it is used.
fn sender_read(text: &str) -> Sender {
    match text.parse::<Mailbox>() {
        Ok(mailbox) => Sender { address: mailbox.email.to_string(), name: mailbox.name },
        Err(_) => Sender { address: text.to_owned(), name: None },
    }
}

/// The host of the first public address, where it can be one of mail.
fn sender_domain(app: &App) -> String {
    let host = addresses::host_of(&page_url(app, "")).unwrap_or_default();
    if host.contains('.') && !host.contains(':') { host } else { "localhost.localdomain".into() }
}

fn seal_context(id: SecretId) -> String {
    format!("secrets {id}")
}

/// Change settings; what is left out stays.
pub async fn settings_update(
    caller: &Caller, app: &App, if_match: IfMatch, change: impl FnOnce(&SettingsView) -> Result<SettingsChange>,
) -> Result<SettingsView> {
    let mut tx = app.db.system().begin().await?;
    store::settings_lock(&mut tx).await?;
    let stored = store::settings_get(&mut tx).await?;
    let sealed = store::secrets_get(&mut tx, &stored.secret_ids()).await?;
    let present = opened(app, stored.clone(), sealed)?;
    let before = SettingsView::from(&present);
    if_match.check(before.version)?;
    let change = change(&before)?;
    if let Some(signup) = change.signup.filter(|signup| *signup != before.signup) {
        store::group_set(&mut tx, "signup", &signup).await?;
    }
    if let Some(mail) = change.mail {
        mail_set(&mut tx, app, &stored, &present, mail).await?;
    }
    if let Some(oauth) = change.oauth {
        oauth_set(&mut tx, app, &stored, &present, oauth).await?;
    }
    if let Some(webhooks) = change.webhooks.filter(|webhooks| *webhooks != before.webhooks) {
        store::group_set(&mut tx, "webhooks", &webhooks).await?;
    }
    let after = SettingsView::from(&settings_load(&mut tx, app).await?);
    if after.version != before.version {
        let value = |view: &SettingsView| serde_json::to_value(view).map_err(Error::internal);
        let (earlier, later) = (value(&before)?, value(&after)?);
        let subject = Subject::new("settings", Uuid::nil(), "platform");
        audit_append(&mut tx, None, caller, "settings.updated", &subject, Some(earlier), Some(later)).await?;
    }
    tx.commit().await?;
    app.settings.0.invalidate(&()).await;
    Ok(after)
}

async fn mail_set(
    connection: &mut PgConnection, app: &App, stored: &Stored, present: &PlatformSettings, wanted: Option<MailChange>,
) -> Result<()> {
    let Some(wanted) = wanted else {
        if let Some(mail) = &stored.mail {
            store::group_set(connection, "mail", &None::<MailStored>).await?;
            store::secrets_delete(connection, mail.password_secret_id.as_slice()).await?;
        }
        return Ok(());
    };
    if present.mail.as_ref().is_some_and(|mail| is_as_it_was(mail, &wanted)) {
        return Ok(());
    }
    let MailChange { host, port, tls, username, password, from_address, from_name } = wanted;
    let password = match (&username, password) {
        (None, Some(_)) => {
            return Err(Error::field("mail.username", "required", "A password needs the username that it belongs to."));
        }
        (None, None) => None,
        (Some(_), Some(password)) => Some(password),
        (Some(name), None) => {
            // A stored password goes to the server that it was given for, and to no other.
            let same = |mail: &&MailSettings| mail.host == host && mail.port == port && mail.tls == tls;
            let login = present.mail.as_ref().filter(same).and_then(|mail| mail.login.as_ref());
            let kept = login.filter(|(present, _)| present == name).map(|(_, password)| password.clone());
            Some(kept.ok_or_else(|| {
                let message = "Give the password again: the server or the username is another one.";
                Error::field("mail.password", "required", message)
            })?)
        }
    };
    let password_secret_id = match &password {
        Some(password) => Some(secret_seal(connection, app, "smtp_password", password).await?),
        None => None,
    };
    let new = MailStored { host, port, tls, username, password_secret_id, from_address, from_name };
    store::group_set(connection, "mail", &new).await?;
    let old = stored.mail.as_ref().and_then(|mail| mail.password_secret_id);
    store::secrets_delete(connection, old.as_slice()).await
}

fn is_as_it_was(mail: &MailSettings, wanted: &MailChange) -> bool {
    wanted.password.is_none()
        && mail.host == wanted.host
        && mail.port == wanted.port
        && mail.tls == wanted.tls
        && mail.login.as_ref().map(|(name, _)| name) == wanted.username.as_ref()
        && mail.from.address == wanted.from_address
        && mail.from.name == wanted.from_name
}

async fn oauth_set(
    connection: &mut PgConnection, app: &App, stored: &Stored, present: &PlatformSettings, wanted: Vec<OAuthChange>,
) -> Result<()> {
    let mut new = Vec::new();
    for (index, provider) in wanted.into_iter().enumerate() {
        let OAuthChange { id, kind, name, issuer, client_id, client_secret } = provider;
        let client_secret = match client_secret {
            Some(secret) => secret,
            None => {
                // A stored secret is shown to the issuer that it was given for, and to no other.
                let same =
                    |p: &&OAuthProvider| p.id == id && p.kind == kind && p.issuer == issuer && p.client_id == client_id;
                let known = present.oauth.iter().find(same).map(|p| p.client_secret.clone());
                known.ok_or_else(|| {
                    let message = format!("Give the client secret of '{id}': the provider is new, or another one.");
                    Error::field(&format!("oauth[{index}].client_secret"), "required", message)
                })?
            }
        };
        let client_secret_id = secret_seal(connection, app, "oauth_client_secret", &client_secret).await?;
        new.push(OAuthStored { id, kind, name, issuer, client_id, client_secret_id });
    }
    store::group_set(connection, "oauth", &new).await?;
    let old: Vec<SecretId> = stored.oauth.iter().flatten().map(|provider| provider.client_secret_id).collect();
    store::secrets_delete(connection, &old).await
}

async fn secret_seal(connection: &mut PgConnection, app: &App, purpose: &str, secret: &Secret) -> Result<SecretId> {
    let id = SecretId::new();
    let sealed = app.keyring.seal(&seal_context(id), secret.expose().as_bytes());
    store::secret_insert(connection, id, purpose, &sealed).await?;
    Ok(id)
}

/// What became of a mail that was sent to try the settings out.
pub struct MailTried {
    pub to: String,
    pub accepted: bool,
    /// The SMTP server's words, or why it was not reached.
    pub answer: String,
}

/// Send a mail now, to an address or to whoever asks, and tell what the server says.
pub async fn mail_test(caller: &Caller, app: &App, to: Option<String>) -> Result<MailTried> {
    let (user, _) = caller.person()?;
    let to = match to {
        Some(to) => to,
        None => {
            let account = crate::identity::account::store::account_get(app.db.system(), user).await?;
            account.ok_or(Error::NotFound("account"))?.email
        }
    };
    let settings = settings_get(app).await?;
    let mail = settings.mail.as_ref().ok_or_else(|| Error::Unprocessable {
        code: "no_smtp_server",
        message: "There is no SMTP server to try; set one first (PUT /api/admin/settings).".into(),
    })?;
    let words = Letter::Test.words();
    let subject = words.subject.clone();
    let written = words.written(&page_url(app, ""))?;
    let sent = match MailTransport::new(mail) {
        Ok(transport) => transport.send(MailId::new(), &to, &subject, &written).await,
        Err(refusal) => Err(refusal),
    };
    let (accepted, answer) = match sent {
        Ok(answer) => (true, answer),
        Err(Refusal { message, .. }) => (false, message),
    };
    let mut connection = app.db.system().acquire().await?;
    let what = Subject::new("settings", Uuid::nil(), "mail");
    let after = serde_json::json!({ "to": to, "host": mail.host, "accepted": accepted });
    audit_append(&mut connection, None, caller, "settings.mail_tested", &what, None, Some(after)).await?;
    Ok(MailTried { to, accepted, answer })
}
