//! The rules of forgotten passwords: nobody learns who has an account, and a link works once.

use super::jobs::AccountMail;
use super::store::{self, NewToken, Purpose};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::auth::model::{attempt_key_prefix, client_key, mail_key};
use crate::identity::auth::service::{attempt_begin, person_of_system};
use crate::identity::auth::store::{attempt_take_of, attempts_clear, password_set, person_by_id, sessions_revoke};
use crate::identity::authentication::{Client, Passwords};
use crate::platform::http::Actor;
use crate::platform::jobs::tasks::store::task_enqueue;
use crate::platform::jobs::tasks::{NewTask, task_poke};
use crate::platform::mail::model::{Letter, Mail};
use crate::platform::mail::service::{mail_queue, page_url};
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use chrono::TimeDelta;
use ocore_shared::ids::{JobId, UserId};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

/// Life of a link for a new password that somebody has asked for.
pub const RESET_LIFE: TimeDelta = TimeDelta::hours(1);
/// So many mails of this kind one address gets in a quarter of an hour, whoever asks for them.
const MAILS: i32 = 3;
const PATIENCE: TimeDelta = TimeDelta::hours(1);

/// Mail a link for a new password, if there is such an account. The answer and its time are the same if not: looking is
/// the work of a task.
pub async fn password_forgot(app: &App, client: &Client, email: &str) -> Result<()> {
    attempt_begin(app, &client_key("forgot", client.address), app.clock.now()).await?;
    account_mail(app, email, &AccountMail::PasswordForgot { email: email.to_owned() }).await
}

/// Have a mail about an account written, unless its address has had enough of them.
pub async fn account_mail(app: &App, email: &str, mail: &AccountMail) -> Result<()> {
    if !mail_allowed(app, email).await? {
        return Ok(());
    }
    let mut tx = app.db.system().begin().await?;
    account_mail_enqueue(&mut tx, app, email, mail).await?;
    tx.commit().await?;
    task_poke(app);
    Ok(())
}

/// Whether this address may be sent another mail that anybody can ask for.
pub async fn mail_allowed(app: &App, email: &str) -> Result<bool> {
    let locked = attempt_take_of(app.db.system(), &mail_key(email), MAILS, app.clock.now()).await?;
    Ok(locked.is_none())
}

/// The same in the caller's transaction.
pub async fn account_mail_enqueue(
    connection: &mut PgConnection, app: &App, email: &str, mail: &AccountMail,
) -> Result<()> {
    let now = app.clock.now();
    let task = NewTask {
        id: JobId::new(),
        kind: "account_mail",
        organization: None,
        subject: Subject::new("account", Uuid::nil(), email),
        input: serde_json::to_value(mail).map_err(Error::internal)?,
        lane: None,
        run_at: now,
        deadline_at: Some(now + PATIENCE),
        created_by: Actor::system(),
    };
    task_enqueue(connection, &task).await
}

/// The address of a page where that person chooses a password, once, within `life`. It counts as a credential.
pub async fn password_link(
    connection: &mut PgConnection, app: &App, user: UserId, email: &str, life: TimeDelta,
) -> Result<String> {
    let token = token_make();
    let hash = token_hash(token.expose());
    let expires_at = app.clock.now() + life;
    let new = NewToken { hash: &hash, user, purpose: Purpose::ResetPassword, email, expires_at };
    store::token_insert(connection, &new).await?;
    Ok(page_url(app, &format!("/reset-password#token={}", token.expose())))
}

/// Choose a password by a mailed link. All sessions end, and so do lockouts and other such links.
pub async fn password_reset(app: &App, client: &Client, token: &Secret, password: &Secret) -> Result<()> {
    Passwords::check("password", password)?;
    let now = app.clock.now();
    let hash = token_hash(token.expose());
    // What was made up costs no hashing.
    if !store::token_works(app.db.system(), &hash, Purpose::ResetPassword, now).await? {
        return Err(link_void());
    }
    let password_hash = app.auth.passwords.hash(password).await?;
    let mut tx = app.db.system().begin().await?;
    let taken = store::token_take(&mut tx, &hash, Purpose::ResetPassword, now).await?.ok_or_else(link_void)?;
    let person = person_by_id(&mut tx, taken.user).await?.filter(|person| !person.deactivated).ok_or_else(link_void)?;
    if person.email != taken.email {
        return Err(link_void());
    }
    password_set(&mut tx, person.id, &password_hash).await?;
    let ended = sessions_revoke(&mut tx, person.id, now).await?;
    attempts_clear(&mut tx, &attempt_key_prefix(&person.email)).await?;
    store::tokens_void(&mut tx, person.id, Purpose::ResetPassword).await?;
    let letter = Letter::PasswordChanged { name: person.name.clone() };
    mail_queue(&mut tx, app, &Mail { organization: None, to: person.email.clone(), letter }).await?;
    let subject = Subject::new("user", person.id.0, &person.name);
    let after = json!({ "by": "link", "sessions_ended": ended.len() });
    let caller = person_of_system(client);
    audit_append(&mut tx, None, &caller, "auth.password_reset", &subject, None, Some(after)).await?;
    tx.commit().await?;
    task_poke(app);
    for session in ended {
        app.auth.forget_session(session).await;
    }
    Ok(())
}

/// A link that does not work, whyever: who shows it learns nothing else.
pub fn link_void() -> Error {
    Error::field("token", "valid", "This link was used before, has expired, or is cut short; ask for another one.")
}
