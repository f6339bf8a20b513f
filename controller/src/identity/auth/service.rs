//! The rules of signing in.

pub use super::bootstrap::{bootstrap, bootstrap_needed, bootstrap_status, bootstrap_token_make};

use super::model::{LoginNote, PersonRow, Proof, SignedIn, TokenAge, attempt_key, attempt_key_prefix};
use super::signup::store::signup_password;
use super::store::{self, NewTicket};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::account::store::account_get;
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::{Client, Passwords};
use crate::identity::second_factors::service::{FactorOwed, second_factor_ask};
use crate::platform::http::{Actor, Caller, Principal};
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{OrganizationId, SessionId, UserId};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

const TICKET_LIFE: TimeDelta = TimeDelta::seconds(30);

/// Sign in with a password. Whether there is such an account makes no difference but in the right answer.
pub async fn login(app: &App, client: &Client, email: &str, password: &Secret) -> Result<Login> {
    let person = password_prove(app, client, email, password).await?;
    let mut connection = app.db.system().acquire().await?;
    let hash = person.password_hash.as_deref();
    if let Some(owed) = second_factor_ask(app, &mut connection, person.id, "password", hash).await? {
        return Ok(Login::SecondFactor(owed));
    }
    drop(connection);
    let proof = Proof { user: person.id, name: person.name, method: "password".into(), second_factor: false };
    Ok(Login::Done(sign_in(app, client, &proof).await?))
}

/// What comes of a right password.
pub enum Login {
    Done(SignedIn),
    SecondFactor(FactorOwed),
}

/// Whoever has this address and this password. Each attempt counts, each failure is noted.
async fn password_prove(app: &App, client: &Client, email: &str, password: &Secret) -> Result<PersonRow> {
    let now = app.clock.now();
    let bucket = attempt_key(email, client.address);
    attempt_begin(app, &bucket, now).await?;
    let found = store::person_by_email(app.db.system(), email.trim()).await?;
    let hash = found.as_ref().and_then(|p| p.password_hash.clone());
    let (right, waits) = match password_try(app, email, password, hash, now).await {
        Ok(tried) => tried,
        Err(error) => {
            store::attempt_return(app.db.system(), &bucket).await?;
            return Err(error);
        }
    };
    let mut tx = app.db.system().begin().await?;
    if found.as_ref().is_some_and(|row| right && !row.deactivated) {
        store::attempt_clear(&mut tx, &bucket).await?;
        tx.commit().await?;
        return found.ok_or_else(wrong_credentials);
    }
    store::attempt_failed(&mut tx, &bucket, now).await?;
    let reason = if right { "account_closed" } else { "wrong_password" };
    login_refuse(&mut tx, client, email, found.map(|row| row.id), reason, now).await?;
    tx.commit().await?;
    Err(if waits { email_unverified() } else { wrong_credentials() })
}

/// Whether the password is right; if not, whether it is that of a sign-up whose link was not opened yet. An address that
/// has an account answers, and takes as long, like any other.
async fn password_try(
    app: &App, email: &str, password: &Secret, hash: Option<String>, now: DateTime<Utc>,
) -> Result<(bool, bool)> {
    if app.auth.passwords.verify(password, hash).await? {
        return Ok((true, false));
    }
    let waits = match signup_password(app.db.system(), email.trim(), now).await? {
        Some(hash) => app.auth.passwords.verify(password, Some(hash)).await?,
        None => false,
    };
    Ok((false, waits))
}

fn wrong_credentials() -> Error {
    Error::Unauthenticated { code: "invalid_credentials", message: "Address or password is wrong.".into() }
}

fn email_unverified() -> Error {
    Error::forbidden(
        "email_unverified",
        "Confirm your address first: open the link in the mail that was sent to you. POST /api/auth/verify-email/resend \
         sends it again.",
    )
}

/// Write down that somebody was not let in: for the administrator, and for whose account it is.
async fn login_refuse(
    connection: &mut PgConnection, client: &Client, email: &str, user: Option<UserId>, reason: &str, now: DateTime<Utc>,
) -> Result<()> {
    // The same steps where there is nobody.
    let user = user.unwrap_or(UserId(Uuid::nil()));
    let note = LoginNote { user, method: "password", refused: Some(reason), client };
    store::login_history_add(connection, &note, now).await?;
    let subject = Subject::new("user", Uuid::nil(), email.trim());
    audit_append(connection, None, &person_of_system(client), "auth.login_failed", &subject, None, None).await
}

/// Begin a session for somebody who has proved who they are.
pub async fn sign_in(app: &App, client: &Client, proof: &Proof) -> Result<SignedIn> {
    let mut tx = app.db.system().begin().await?;
    let tokens = session_begin(app, &mut tx, client, SessionId::new(), proof, app.clock.now()).await?;
    tx.commit().await?;
    signed_in(app, proof.user, tokens).await
}

/// The same in the caller's transaction, to be finished by [`signed_in`] after its commit.
pub async fn session_begin(
    app: &App, connection: &mut PgConnection, client: &Client, session: SessionId, proof: &Proof, now: DateTime<Utc>,
) -> Result<(String, Secret)> {
    let tokens = &app.auth.tokens;
    let refresh = tokens.refresh_write(&tokens.refresh_first(session));
    let expires_at = now + life(tokens.refresh_life);
    let hash = token_hash(refresh.expose());
    store::session_insert(connection, session, proof, &hash, client, now, expires_at).await?;
    store::login_note(connection, proof.user, now).await?;
    let note = LoginNote { user: proof.user, method: &proof.method, refused: None, client };
    store::login_history_add(connection, &note, now).await?;
    let caller = person(client, proof.user, session, false, &proof.name);
    let subject = Subject::new("session", session.0, &proof.name);
    let after = json!({ "method": proof.method, "second_factor": proof.second_factor });
    audit_append(connection, None, &caller, "auth.login", &subject, None, Some(after)).await?;
    Ok((tokens.access_make(proof.user, session, now, client.surface)?, refresh))
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
    let access = tokens.access_make(row.user, token.session, now, client.surface)?;
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
pub async fn attempt_begin(app: &App, bucket: &str, now: DateTime<Utc>) -> Result<()> {
    let Some(until) = store::attempt_take(app.db.system(), bucket, now).await? else { return Ok(()) };
    let retry_after = u64::try_from((until - now).num_seconds() + 1).unwrap_or(1);
    let minutes = retry_after.div_ceil(60);
    let message = format!("Too many attempts; try again in {minutes} minutes.");
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
    let caller = caller_of_host();
    let subject = Subject::new("user", row.id.0, &row.name);
    audit_append(&mut tx, None, &caller, "auth.password_reset", &subject, None, None).await?;
    tx.commit().await?;
    for session in ended {
        app.auth.forget_session(session).await;
    }
    Ok(())
}

/// What whoever has just signed in gets.
pub async fn signed_in(app: &App, user: UserId, (access_token, refresh_token): (String, Secret)) -> Result<SignedIn> {
    let account = account_get(app.db.system(), user).await?.ok_or_else(refused)?;
    Ok(SignedIn { access_token, refresh_token, account })
}

fn life(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(365))
}

/// The caller that somebody is from now on.
pub fn person(client: &Client, user: UserId, session: SessionId, is_admin: bool, name: &str) -> Caller {
    let actor = Actor { kind: "user".into(), id: user.0, name: name.into() };
    client.caller(Principal::Person { user, session, is_admin }, actor)
}

pub fn person_of_system(client: &Client) -> Caller {
    client.caller(nobody(), Actor::system())
}

/// Whoever has a shell on the host.
pub fn caller_of_host() -> Caller {
    Caller {
        principal: nobody(),
        actor: Actor::system(),
        request_id: "host".into(),
        address: None,
        user_agent: None,
        idempotency_claim: None,
    }
}

fn nobody() -> Principal {
    Principal::Person { user: UserId(Uuid::nil()), session: SessionId(Uuid::nil()), is_admin: false }
}
