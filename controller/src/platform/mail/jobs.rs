//! `mail_send`: hand one mail to the SMTP server.

use super::model::MailStatus;
use super::service::mail_unseal;
use super::store;
use super::transport::MailTransport;
use crate::app::App;
use crate::business::settings::service::settings_get;
use crate::error::{Error, Result};
use crate::platform::jobs::tasks::{Outcome, Task};
use chrono::TimeDelta;
use ocore_shared::ids::MailId;
use ocore_shared::protocol::jobs::JobFailure;
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    mail_id: MailId,
}

/// Sent twice only when this process dies between the server's word and the row.
pub async fn mail_send(app: &App, task: &Task) -> Result<Outcome> {
    let Input { mail_id } = serde_json::from_value(task.input.clone()).map_err(Error::internal)?;
    let system = app.db.system();
    let Some(mail) = store::mail_find(system, mail_id).await? else {
        return Ok(Outcome::failed("mail_removed", "The mail was removed before it was sent."));
    };
    let Some(sealed) = mail.sealed_body.filter(|_| mail.status == MailStatus::Queued) else {
        return Ok(Outcome::Done(None));
    };
    let body = mail_unseal(app, mail_id, &sealed)?;
    let settings = settings_get(app).await?;
    let Some(settings) = &settings.mail else {
        let message = "No SMTP server is configured any more.";
        store::mail_refused(system, mail_id, message, true).await?;
        return Ok(Outcome::failed("no_smtp_server", message));
    };
    let sent = match MailTransport::new(settings) {
        Ok(transport) => transport.send(mail_id, &mail.recipient, &mail.subject, &body).await,
        Err(refusal) => Err(refusal),
    };
    match sent {
        Ok(_) => {
            store::mail_sent(system, mail_id, app.clock.now()).await?;
            Ok(Outcome::Done(None))
        }
        Err(mut refusal) => {
            let at = app.clock.now() + pause(task.attempt);
            refusal.for_good |= task.deadline_at.is_some_and(|deadline| at > deadline);
            store::mail_refused(system, mail_id, &refusal.message, refusal.for_good).await?;
            tracing::warn!(mail = %mail_id, problem = %refusal.message, "a mail was not taken");
            if refusal.for_good {
                return Ok(Outcome::failed("mail_refused", refusal.message));
            }
            let failure = JobFailure { code: "mail_refused".into(), message: refusal.message, retryable: true };
            Ok(Outcome::Again { at, failure })
        }
    }
}

/// A minute, then twice as long each time, at most an hour.
fn pause(attempt: i32) -> TimeDelta {
    TimeDelta::minutes(1_i64 << attempt.clamp(1, 7).saturating_sub(1)).min(TimeDelta::hours(1))
}
