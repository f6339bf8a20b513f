//! The rules of signing in.

use super::model::{Bootstrap, SignedIn, TokenAge, attempt_key, attempt_key_prefix};
use super::store::{self, NewTicket};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::account::store::account_get;
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::{Client, Passwords};
use crate::identity::organizations::model::NewOrganization;
use crate::identity::organizations::service::organization_create;
use crate::platform::bus::Signal;
use crate::platform::http::{Actor, Caller, Principal};
use crate::platform::public_urls::{self, public_urls_check_form, public_urls_check_reach};
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{OrganizationId, SessionId, UserId};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::PgConnection;
use std::fmt::Write;
use std::time::Duration;
use subtle::ConstantTimeEq;
use uuid::Uuid;

const TICKET_LIFE: TimeDelta = TimeDelta::seconds(30);

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
    let tokens = session_start(app, &mut tx, client, user, session, now).await?;
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

/// Sign in with a password. Whether there is such an account makes no difference but in the right answer.
pub async fn login(app: &App, client: &Client, email: &str, password: &Secret) -> Result<SignedIn> {
    let now = app.clock.now();
    let bucket = attempt_key(email, client.address);
    attempt_begin(app, &bucket, now).await?;
    let found = store::person_by_email(app.db.system(), email.trim()).await?;
    let hash = found.as_ref().and_then(|p| p.password_hash.clone());
    let right = match app.auth.passwords.verify(password, hash).await {
        Ok(right) => right,
        Err(error) => {
            store::attempt_return(app.db.system(), &bucket).await?;
            return Err(error);
        }
    };

    let mut tx = app.db.system().begin().await?;
    let Some(row) = found.filter(|row| right && !row.deactivated) else {
        store::attempt_failed(&mut tx, &bucket, now).await?;
        let caller = person_of_system(client);
        let subject = Subject::new("user", Uuid::nil(), email.trim());
        audit_append(&mut tx, None, &caller, "auth.login_failed", &subject, None, None).await?;
        tx.commit().await?;
        return Err(Error::Unauthenticated {
            code: "invalid_credentials",
            message: "Address or password is wrong.".into(),
        });
    };
    store::attempt_clear(&mut tx, &bucket).await?;
    store::login_note(&mut tx, row.id, now).await?;
    let session = SessionId::new();
    let tokens = session_start(app, &mut tx, client, row.id, session, now).await?;
    let caller = person(client, row.id, session, false, &row.name);
    let subject = Subject::new("session", session.0, &row.name);
    audit_append(&mut tx, None, &caller, "auth.login", &subject, None, Some(json!({ "method": "password" }))).await?;
    tx.commit().await?;
    signed_in(app, row.id, tokens).await
}

/// Exchange a refresh token for the next pair. A token that was replaced a moment ago gets the same successor again; an
/// older one is a stolen copy and ends the session.
pub async fn refresh(app: &App, client: &Client, token: &str) -> Result<SignedIn> {
    let tokens = &app.auth.tokens;
    let token = tokens.refresh_read(token).ok_or_else(refused)?;
    let hash = token_hash(tokens.refresh_write(&token).expose());
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    let row = store::session_for_refresh(&mut tx, token.session).await?.ok_or_else(refused)?;
    if row.ended || row.expires_at <= now {
        return Err(refused());
    }
    let next = tokens.refresh_write(&tokens.refresh_next(&token));
    match row.age_of(&hash, now) {
        TokenAge::Newest => {
            let expires_at = now + life(tokens.refresh_life);
            store::session_rotate(&mut tx, token.session, &token_hash(next.expose()), now, expires_at).await?;
        }
        TokenAge::JustReplaced => {}
        TokenAge::Reused => {
            store::session_revoke(&mut tx, token.session, now).await?;
            let caller = person(client, row.user, token.session, false, &row.user_name);
            let subject = Subject::new("session", token.session.0, &row.user_name);
            audit_append(&mut tx, None, &caller, "auth.refresh_reused", &subject, None, None).await?;
            tx.commit().await?;
            app.auth.forget_session(token.session).await;
            return Err(Error::Unauthenticated {
                code: "refresh_reused",
                message: "This refresh token was used before; to be safe, the session has ended. Sign in again.".into(),
            });
        }
    }
    tx.commit().await?;
    let access = tokens.access_make(row.user, token.session, now)?;
    signed_in(app, row.user, (access, next)).await
}

fn refused() -> Error {
    Error::Unauthenticated {
        code: "invalid_refresh_token",
        message: "This refresh token is not valid any more; sign in again.".into(),
    }
}

/// End the caller's session.
pub async fn logout(app: &App, caller: &Caller) -> Result<()> {
    let (_, session) = caller.person()?;
    let mut tx = app.db.system().begin().await?;
    if store::session_revoke(&mut tx, session, app.clock.now()).await? {
        let subject = Subject::new("session", session.0, &caller.actor.name);
        audit_append(&mut tx, None, caller, "auth.logout", &subject, None, None).await?;
    }
    tx.commit().await?;
    app.auth.forget_session(session).await;
    Ok(())
}

/// Ask a signed-in person for their password again. Wrong ones count like failed attempts to sign in.
pub async fn password_confirm(app: &App, caller: &Caller, password: &Secret) -> Result<()> {
    let (user, _) = caller.person()?;
    let now = app.clock.now();
    let bucket = attempt_key(&format!("confirm {user}"), caller.address);
    attempt_begin(app, &bucket, now).await?;
    let hash = store::password_hash_get(app.db.system(), user).await?;
    if hash.is_none() {
        store::attempt_return(app.db.system(), &bucket).await?;
        return Err(Error::Unprocessable {
            code: "no_password",
            message: "This account has no password yet; set one first (POST /api/user/set-password).".into(),
        });
    }
    match app.auth.passwords.verify(password, hash).await {
        Ok(true) => {
            let mut connection = app.db.system().acquire().await?;
            store::attempt_clear(&mut connection, &bucket).await
        }
        Ok(false) => {
            let mut connection = app.db.system().acquire().await?;
            store::attempt_failed(&mut connection, &bucket, now).await?;
            Err(Error::forbidden("wrong_password", "The password is wrong."))
        }
        Err(error) => {
            store::attempt_return(app.db.system(), &bucket).await?;
            Err(error)
        }
    }
}

/// Count an attempt before it is made; refused while the bucket is locked.
async fn attempt_begin(app: &App, bucket: &str, now: DateTime<Utc>) -> Result<()> {
    let Some(until) = store::attempt_take(app.db.system(), bucket, now).await? else { return Ok(()) };
    let retry_after = u64::try_from((until - now).num_seconds() + 1).unwrap_or(1);
    let minutes = retry_after.div_ceil(60);
    let message = format!("Too many failed attempts; try again in {minutes} minutes.");
    Err(Error::RateLimited { message, retry_after })
}

/// A ticket for one WebSocket at one path, once, within 30 seconds.
pub async fn ticket_create(
    app: &App, caller: &Caller, organization: OrganizationId, target: &str,
) -> Result<(Secret, i64)> {
    if !target.starts_with('/') || target.contains(['?', '#']) {
        return Err(Error::field(
            "target",
            "path",
            "target is the path of the WebSocket, e.g. /api/instances/ID/console.",
        ));
    }
    let (session, key) = match caller.principal {
        Principal::Person { session, .. } => (Some(session), None),
        Principal::Key { key, .. } => (None, Some(key)),
    };
    let ticket = token_make();
    let expires_at = app.clock.now() + TICKET_LIFE;
    let new = NewTicket { organization, session, key, target, expires_at };
    store::ticket_insert(app.db.system(), &token_hash(ticket.expose()), &new).await?;
    Ok((ticket, TICKET_LIFE.num_seconds()))
}

/// Set a person's password from the host's shell: the way back in. Their sessions and lockouts end.
pub async fn password_reset_by_host(app: &App, email: &str, password: Secret) -> Result<()> {
    Passwords::check("password", &password)?;
    let row = store::person_by_email(app.db.system(), email.trim()).await?.ok_or(Error::NotFound("user"))?;
    let hash = app.auth.passwords.hash(&password).await?;
    let mut tx = app.db.system().begin().await?;
    store::password_set(&mut tx, row.id, &hash).await?;
    let ended = store::sessions_revoke(&mut tx, row.id, app.clock.now()).await?;
    store::attempts_clear(&mut tx, &attempt_key_prefix(email)).await?;
    let caller = Caller {
        principal: nobody(),
        actor: Actor::system(),
        request_id: "host".into(),
        address: None,
        user_agent: None,
        idempotency_claim: None,
    };
    let subject = Subject::new("user", row.id.0, &row.name);
    audit_append(&mut tx, None, &caller, "auth.password_reset", &subject, None, None).await?;
    tx.commit().await?;
    for session in ended {
        app.auth.forget_session(session).await;
    }
    Ok(())
}

async fn session_start(
    app: &App, connection: &mut PgConnection, client: &Client, user: UserId, session: SessionId, now: DateTime<Utc>,
) -> Result<(String, Secret)> {
    let tokens = &app.auth.tokens;
    let refresh = tokens.refresh_write(&tokens.refresh_first(session));
    let expires_at = now + life(tokens.refresh_life);
    let hash = token_hash(refresh.expose());
    store::session_insert(connection, session, user, &hash, client, now, expires_at).await?;
    Ok((tokens.access_make(user, session, now)?, refresh))
}

async fn signed_in(app: &App, user: UserId, (access_token, refresh_token): (String, Secret)) -> Result<SignedIn> {
    let account = account_get(app.db.system(), user).await?.ok_or_else(refused)?;
    Ok(SignedIn { access_token, refresh_token, account })
}

fn life(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(365))
}

fn person(client: &Client, user: UserId, session: SessionId, is_admin: bool, name: &str) -> Caller {
    let actor = Actor { kind: "user".into(), id: user.0, name: name.into() };
    client.caller(Principal::Person { user, session, is_admin }, actor)
}

fn person_of_system(client: &Client) -> Caller {
    client.caller(nobody(), Actor::system())
}

fn nobody() -> Principal {
    Principal::Person { user: UserId(Uuid::nil()), session: SessionId(Uuid::nil()), is_admin: false }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
