//! Queueing mail.

use super::model::{Mail, MailSettings, MailStatus, Written};
use super::store::{self, NewMail};
use crate::app::App;
use crate::business::settings::service::settings_read;
use crate::error::{Error, Result};
use crate::fleet::enrollment::addresses;
use crate::platform::http::Actor;
use crate::platform::jobs::tasks::NewTask;
use crate::platform::jobs::tasks::store::task_enqueue;
use crate::signals::events::Subject;
use chrono::TimeDelta;
use ocore_shared::ids::{JobId, MailId};
use serde_json::json;
use sqlx::PgConnection;

/// For so long an SMTP server that does not take it is tried again.
const PATIENCE: TimeDelta = TimeDelta::days(1);

/// Write a mail in the caller's transaction, which is the system's. Ring `tasks::task_poke` after the commit.
pub async fn mail_queue(connection: &mut PgConnection, app: &App, mail: &Mail) -> Result<MailId> {
    let words = mail.letter.words();
    let (template, subject) = (words.template, words.subject.clone());
    let written = words.written(&page_url(app, ""))?;
    let id = MailId::new();
    let body = serde_json::to_vec(&written).map_err(Error::internal)?;
    let sealed_body = app.keyring.seal(&seal_context(id), &body);
    let status = if mail_settings(connection, app).await?.is_some() { MailStatus::Queued } else { MailStatus::Kept };
    let new =
        NewMail { id, organization: mail.organization, to: &mail.to, template, subject: &subject, sealed_body, status };
    store::mail_insert(connection, &new).await?;
    if status == MailStatus::Queued {
        mail_enqueue(connection, app, id, &subject).await?;
    }
    Ok(id)
}

/// A job that sends it.
pub async fn mail_enqueue(connection: &mut PgConnection, app: &App, id: MailId, subject: &str) -> Result<()> {
    let now = app.clock.now();
    let task = NewTask {
        id: JobId::new(),
        kind: "mail_send",
        organization: None,
        subject: Subject::new("mail", id.0, subject),
        input: json!({ "mail_id": id }),
        lane: Some("mail".into()),
        run_at: now,
        deadline_at: Some(now + PATIENCE),
        created_by: Actor::system(),
    };
    task_enqueue(connection, &task).await?;
    store::mail_job_set(connection, id, task.id).await
}

/// What a stored mail says.
pub fn mail_unseal(app: &App, id: MailId, sealed: &[u8]) -> Result<Written> {
    let plain = app.keyring.unseal(&seal_context(id), sealed).map_err(Error::Internal)?;
    serde_json::from_slice(&plain).map_err(Error::internal)
}

fn seal_context(id: MailId) -> String {
    format!("mails {id} body")
}

/// The SMTP server in use, if there is one.
pub async fn mail_settings(connection: &mut PgConnection, app: &App) -> Result<Option<MailSettings>> {
    Ok(settings_read(connection, app).await?.mail.clone())
}

/// Address of a page of the console as people reach it, e.g. `page_url(app, "/invite#token=…")`.
pub fn page_url(app: &App, path: &str) -> String {
    let base = addresses::people(&app.config, &app.public_urls.get());
    format!("{}{path}", base.first().map_or("", |url| url.trim_end_matches('/')))
}
