//! Changing what one signs in with: the password and the address.

use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::auth::recovery::service::{link_void, mail_allowed};
use crate::identity::auth::recovery::store::{NewToken, Purpose, token_insert, token_take, token_used, tokens_void};
use crate::identity::auth::service::{password_confirm, person};
use crate::identity::auth::signup::service::known_mail;
use crate::identity::auth::signup::store::signups_clear;
use crate::identity::auth::store::{password_set, person_by_email, person_by_id};
use crate::identity::authentication::{Client, Passwords};
use crate::identity::sessions::service::recent_require;
use crate::identity::sessions::store::sessions_end_others;
use crate::platform::http::Caller;
use crate::platform::jobs::tasks::task_poke;
use crate::platform::mail::model::{Letter, Mail};
use crate::platform::mail::service::{mail_queue, page_url};
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use chrono::TimeDelta;
use ocore_shared::ids::SessionId;
use ocore_shared::secret::Secret;
use serde_json::json;
use uuid::Uuid;

/// Life of the link that proves a new address.
const LINK_LIFE: TimeDelta = TimeDelta::hours(24);

/// Choose another password; the present one is asked for again.
pub async fn password_change(
    caller: &Caller, app: &App, present: &Secret, new: &Secret, end_others: bool,
) -> Result<()> {
    caller.person()?;
    Passwords::check("new_password", new)?;
    password_confirm(app, caller, present).await?;
    if present.expose() == new.expose() {
        return Err(Error::field(
            "new_password",
            "different",
            "This is the password that you have; choose another one.",
        ));
    }
    password_write(caller, app, new, end_others, true).await
}

/// Choose a first password, where one has signed in by other means, and lately.
pub async fn password_add(caller: &Caller, app: &App, new: &Secret) -> Result<()> {
    caller.person()?;
    Passwords::check("password", new)?;
    recent_require(caller, app).await?;
    password_write(caller, app, new, false, false).await
}

async fn password_write(caller: &Caller, app: &App, new: &Secret, end_others: bool, had_one: bool) -> Result<()> {
    let (user, session) = caller.person()?;
    let hash = app.auth.passwords.hash(new).await?;
    let mut tx = app.db.system().begin().await?;
    let person = person_by_id(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    if !had_one && person.password_hash.is_some() {
        let message = "This account has a password; change it with POST /api/user/password.";
        return Err(Error::conflict("has_password", message));
    }
    password_set(&mut tx, user, &hash).await?;
    tokens_void(&mut tx, user, Purpose::ResetPassword).await?;
    let ended = match end_others {
        true => sessions_end_others(&mut tx, user, session, app.clock.now()).await?,
        false => Vec::new(),
    };
    let letter = Letter::PasswordChanged { name: person.name.clone() };
    mail_queue(&mut tx, app, &Mail { organization: None, to: person.email, letter }).await?;
    let subject = Subject::new("user", user.0, &person.name);
    let after = json!({ "by": "password", "sessions_ended": ended.len() });
    let action = if had_one { "user.password_changed" } else { "user.password_set" };
    audit_append(&mut tx, None, caller, action, &subject, None, Some(after)).await?;
    tx.commit().await?;
    task_poke(app);
    for session in ended {
        app.auth.forget_session(session).await;
    }
    Ok(())
}

/// Ask for another address: a link goes to it, and nothing changes before that is opened. The answer is the same where
/// the address has an account, whose owner is told.
pub async fn email_change(caller: &Caller, app: &App, email: &str, password: &Secret) -> Result<()> {
    let (user, _) = caller.person()?;
    password_confirm(app, caller, password).await?;
    let account = super::service::account_get(caller, app).await?;
    if account.email == email {
        return Err(Error::field("email", "different", "This is your address already."));
    }
    if !mail_allowed(app, email).await? {
        return Ok(());
    }
    let taken = person_by_email(app.db.system(), email).await?;
    if taken.is_some_and(|other| other.id != user) {
        return known_mail(app, email).await;
    }
    let token = token_make();
    let hash = token_hash(token.expose());
    let expires_at = app.clock.now() + LINK_LIFE;
    let mut tx = app.db.system().begin().await?;
    tokens_void(&mut tx, user, Purpose::ChangeEmail).await?;
    let new = NewToken { hash: &hash, user, purpose: Purpose::ChangeEmail, email, expires_at };
    token_insert(&mut tx, &new).await?;
    let link = page_url(app, &format!("/api/auth/verify-email-change?token={}", token.expose()));
    let letter = Letter::ChangeEmail { name: account.name.clone(), link };
    mail_queue(&mut tx, app, &Mail { organization: None, to: email.to_owned(), letter }).await?;
    let subject = Subject::new("user", user.0, &account.name);
    let after = json!({ "email": email });
    audit_append(&mut tx, None, caller, "user.email_change_requested", &subject, None, Some(after)).await?;
    tx.commit().await?;
    task_poke(app);
    Ok(())
}

/// Open the link that went to a new address. Opened again, it does no harm: mail filters do that.
pub async fn email_change_confirm(app: &App, client: &Client, token: &Secret) -> Result<()> {
    let now = app.clock.now();
    let hash = token_hash(token.expose());
    let mut tx = app.db.system().begin().await?;
    let Some(taken) = token_take(&mut tx, &hash, Purpose::ChangeEmail, now).await? else {
        let used = token_used(&mut tx, &hash, Purpose::ChangeEmail, now).await?.ok_or_else(link_void)?;
        let person = person_by_id(&mut tx, used.user).await?.ok_or_else(link_void)?;
        return if person.email == used.email { Ok(()) } else { Err(link_void()) };
    };
    let person_row = person_by_id(&mut tx, taken.user).await?.filter(|row| !row.deactivated).ok_or_else(link_void)?;
    if !store::email_set(&mut tx, taken.user, &taken.email, now).await? {
        return Err(link_void());
    }
    // Links that went to the address before are void, and so are wishes for an account of the new one.
    tokens_void(&mut tx, taken.user, Purpose::ResetPassword).await?;
    signups_clear(&mut tx, &taken.email).await?;
    let letter = Letter::EmailChanged { name: person_row.name.clone(), new_address: taken.email.clone() };
    mail_queue(&mut tx, app, &Mail { organization: None, to: person_row.email.clone(), letter }).await?;
    let subject = Subject::new("user", taken.user.0, &person_row.name);
    let (before, after) = (json!({ "email": person_row.email }), json!({ "email": taken.email }));
    let caller = person(client, taken.user, SessionId(Uuid::nil()), false, &person_row.name);
    audit_append(&mut tx, None, &caller, "user.email_changed", &subject, Some(before), Some(after)).await?;
    tx.commit().await?;
    task_poke(app);
    Ok(())
}
