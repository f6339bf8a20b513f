//! `account_mail`: look whether there is such an account, and write the mail that fits. It is a task so that whoever asked
//! has their answer before, and nobody can tell from its time what was found.

use super::service::{RESET_LIFE, password_link};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::auth::signup::service::{signup_mail, signup_mail_again};
use crate::identity::auth::store::person_by_email;
use crate::platform::jobs::tasks::{Outcome, Task, task_poke};
use crate::platform::mail::model::{Letter, Mail};
use crate::platform::mail::service::mail_queue;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which mail is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum AccountMail {
    /// Somebody signs up.
    Signup { signup_id: Uuid, email: String },
    /// Somebody who has signed up asks for the link again.
    SignupResend { email: String },
    /// Somebody has forgotten a password.
    PasswordForgot { email: String },
}

pub async fn account_mail(app: &App, task: &Task) -> Result<Outcome> {
    match serde_json::from_value(task.input.clone()).map_err(Error::internal)? {
        AccountMail::Signup { signup_id, email } => signup_mail(app, signup_id, &email).await?,
        AccountMail::SignupResend { email } => signup_mail_again(app, &email).await?,
        AccountMail::PasswordForgot { email } => forgot_mail(app, &email).await?,
    }
    task_poke(app);
    Ok(Outcome::Done(None))
}

/// Also for who has no password yet: whoever reads the mailbox may set one.
async fn forgot_mail(app: &App, email: &str) -> Result<()> {
    let person = person_by_email(app.db.system(), email).await?;
    let Some(person) = person.filter(|person| !person.deactivated) else { return Ok(()) };
    let mut tx = app.db.system().begin().await?;
    let link = password_link(&mut tx, app, person.id, &person.email, RESET_LIFE).await?;
    let letter = Letter::ResetPassword { name: person.name, link };
    mail_queue(&mut tx, app, &Mail { organization: None, to: person.email, letter }).await?;
    tx.commit().await?;
    Ok(())
}
