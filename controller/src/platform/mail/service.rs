//! Queueing mail.

use super::model::{Mail, MailOpened, MailSettings, MailStatus, MailView, Written};
use super::store::{self, MailFilter, NewMail};
use crate::app::App;
use crate::business::settings::service::settings_read;
use crate::error::{Error, Result};
use crate::fleet::enrollment::addresses;
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Actor, Caller, List, Page};
use crate::platform::jobs::tasks::store::task_enqueue;
use crate::platform::jobs::tasks::{NewTask, task_poke};
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

pub async fn mail_list(app: &App, filter: &MailFilter<'_>, page: &Page) -> Result<List<MailView>> {
    let list = store::mail_list(app.db.system(), filter, page).await?;
    Ok(List::new(list, page, |mail| mail.id.0))
}

async fn found(app: &App, id: MailId) -> Result<MailView> {
    let filter = MailFilter { id: Some(id), ..MailFilter::default() };
    let mut list = store::mail_list(app.db.system(), &filter, &Page::default()).await?;
    list.pop().ok_or(Error::NotFound("mail"))
}

/// A mail with its words: whoever reads its link can use it, so the reading is written down.
pub async fn mail_open(caller: &Caller, app: &App, id: MailId) -> Result<MailOpened> {
    let mail = found(app, id).await?;
    let row = store::mail_find(app.db.system(), id).await?.ok_or(Error::NotFound("mail"))?;
    let Some(sealed) = row.sealed_body else { return Ok(MailOpened { mail, text: None, link: None }) };
    let written = mail_unseal(app, id, &sealed)?;
    let mut connection = app.db.system().acquire().await?;
    let after = json!({ "recipient": mail.recipient, "template": mail.template });
    let subject = Subject::new("mail", id.0, &mail.subject);
    audit_append(&mut connection, mail.organization_id, caller, "mail.opened", &subject, None, Some(after)).await?;
    Ok(MailOpened { mail, text: Some(written.text), link: written.link })
}

/// Send a mail that was kept or refused. Of many who ask at once, one does.
pub async fn mail_retry(caller: &Caller, app: &App, id: MailId) -> Result<MailView> {
    let mut tx = app.db.system().begin().await?;
    if mail_settings(&mut tx, app).await?.is_none() {
        return Err(Error::Unprocessable {
            code: "no_smtp_server",
            message: "There is no SMTP server to send it by; set one first (PUT /api/admin/settings).".into(),
        });
    }
    let row = store::mail_lock(&mut tx, id).await?.ok_or(Error::NotFound("mail"))?;
    match row.status {
        MailStatus::Kept | MailStatus::Failed => {}
        MailStatus::Queued => return Err(Error::conflict("mail_queued", "This mail is on its way already.")),
        MailStatus::Sent => return Err(Error::conflict("mail_sent", "This mail was sent; nothing of it is left.")),
    }
    mail_enqueue(&mut tx, app, id, &row.subject).await?;
    let subject = Subject::new("mail", id.0, &row.subject);
    let before = json!({ "status": row.status, "recipient": row.recipient });
    audit_append(&mut tx, None, caller, "mail.retried", &subject, Some(before), None).await?;
    tx.commit().await?;
    task_poke(app);
    found(app, id).await
}

/// Address of a page of the console as people reach it, e.g. `page_url(app, "/invite#token=…")`.
pub fn page_url(app: &App, path: &str) -> String {
    let base = addresses::people(&app.config, &app.public_urls.get());
    format!("{}{path}", base.first().map_or("", |url| url.trim_end_matches('/')))
}
