//! Making the first admin, once.

use super::model::{Bootstrap, Proof, SignedIn};
use super::service::{person, session_begin, signed_in};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::{Client, Passwords};
use crate::identity::organizations::model::NewOrganization;
use crate::identity::organizations::service::organization_create;
use crate::platform::bus::Signal;
use crate::platform::public_urls::{self, public_urls_check_form, public_urls_check_reach};
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::SessionId;
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::PgConnection;
use std::fmt::Write;
use subtle::ConstantTimeEq;

/// Whether the first admin is still to be made, and whether this client needs the token for it.
pub async fn bootstrap_status(app: &App, client: &Client) -> Result<(bool, bool)> {
    Ok((bootstrap_needed(app).await?, !client.is_local))
}

/// Whether the first admin is still to be made.
pub async fn bootstrap_needed(app: &App) -> Result<bool> {
    let mut connection = app.db.system().acquire().await?;
    Ok(!store::any_user_exists(&mut connection).await?)
}

/// A new one-time token for making the first admin from elsewhere; the older one is void.
pub async fn bootstrap_token_make(app: &App) -> Result<Secret> {
    let token = token_make();
    let mut tx = app.db.system().begin().await?;
    store::bootstrap_lock(&mut tx).await?;
    if store::any_user_exists(&mut tx).await? {
        return Err(already_bootstrapped());
    }
    store::bootstrap_token_set(&mut tx, &hex(&token_hash(token.expose()))).await?;
    tx.commit().await?;
    Ok(token)
}

/// Make the first admin with an organization, and sign them in. Of many at once, one wins.
pub async fn bootstrap(app: &App, client: &Client, new: &Bootstrap) -> Result<SignedIn> {
    let mut connection = app.db.system().acquire().await?;
    bootstrap_allowed(&mut connection, client, new.token.as_ref()).await?;
    drop(connection);
    Passwords::check("password", &new.password)?;
    public_urls_check_form("public_urls", &new.public_urls)?;
    if !new.public_urls_unchecked {
        public_urls_check_reach(app, "public_urls", &new.public_urls).await?;
    }
    let password_hash = app.auth.passwords.hash(&new.password).await?;

    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    store::bootstrap_lock(&mut tx).await?;
    bootstrap_allowed(&mut tx, client, new.token.as_ref()).await?;
    store::bootstrap_token_remove(&mut tx).await?;
    if !new.public_urls.is_empty() {
        public_urls::store::public_urls_set(&mut tx, &new.public_urls).await?;
    }
    let user = store::user_insert(&mut tx, new.email.trim(), new.name.trim(), &password_hash, true).await?;
    let session = SessionId::new();
    let caller = person(client, user, session, true, new.name.trim());
    let organization = NewOrganization { name: new.organization_name.trim().to_owned(), slug: None };
    let organization = organization_create(&mut tx, &caller, user, &organization, now).await?;
    let subject = Subject::new("user", user.0, new.name.trim());
    let after = json!({ "email": new.email.trim(), "is_admin": true });
    audit_append(&mut tx, Some(organization.id), &caller, "user.created", &subject, None, Some(after)).await?;
    event_append(&mut tx, organization.id, "user.created", &caller.actor, &subject, json!({})).await?;
    let proof = Proof { user, name: new.name.trim().to_owned(), method: "bootstrap".into(), second_factor: false };
    let tokens = session_begin(app, &mut tx, client, session, &proof, now).await?;
    tx.commit().await?;
    public_urls::public_urls_load(app).await?;
    app.bus.send(Signal::EventsAppended);
    signed_in(app, user, tokens).await
}

/// 409 once there is a user; from elsewhere the token is needed.
async fn bootstrap_allowed(connection: &mut PgConnection, client: &Client, token: Option<&Secret>) -> Result<()> {
    if store::any_user_exists(connection).await? {
        return Err(already_bootstrapped());
    }
    match token {
        Some(token) => {
            let given = hex(&token_hash(token.expose()));
            let stored = store::bootstrap_token_get(connection).await?.unwrap_or_default();
            if bool::from(given.as_bytes().ct_eq(stored.as_bytes())) {
                return Ok(());
            }
            Err(Error::forbidden(
                "bootstrap_token_invalid",
                "This bootstrap token is not the newest one; run 'ocore-controller admin bootstrap-link' on the host.",
            ))
        }
        None if client.is_local => Ok(()),
        None => Err(Error::forbidden(
            "bootstrap_token_required",
            "From another machine the first admin is made with the one-time link that the controller prints; run \
             'ocore-controller admin bootstrap-link' on the host.",
        )),
    }
}

fn already_bootstrapped() -> Error {
    Error::conflict("already_bootstrapped", "The first admin has been made already; sign in instead.")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
