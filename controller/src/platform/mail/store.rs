//! Every query on `mails`, through the system's pool: a mail may be for somebody in no organization.

use super::model::{MailStatus, MailView};
use crate::error::Result;
use crate::platform::http::Page;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{JobId, MailId, OrganizationId};
use sqlx::{PgConnection, PgPool};

/// A mail to be written.
pub struct NewMail<'a> {
    pub id: MailId,
    pub organization: Option<OrganizationId>,
    pub to: &'a str,
    pub template: &'a str,
    pub subject: &'a str,
    pub sealed_body: Vec<u8>,
    pub status: MailStatus,
}

pub async fn mail_insert(connection: &mut PgConnection, mail: &NewMail<'_>) -> Result<()> {
    sqlx::query!(
        "insert into mails (id, organization_id, recipient, template, subject, sealed_body, status)
         values ($1, $2, $3, $4, $5, $6, $7)",
        mail.id.0,
        mail.organization.map(|o| o.0),
        mail.to,
        mail.template,
        mail.subject,
        mail.sealed_body,
        mail.status as MailStatus
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn mail_job_set(connection: &mut PgConnection, id: MailId, job: JobId) -> Result<()> {
    sqlx::query!(
        "update mails set job_id = $2, status = 'queued', problem = null, version = version + 1, updated_at = now()
         where id = $1",
        id.0,
        job.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What sending needs of a mail.
pub struct MailRow {
    pub recipient: String,
    pub subject: String,
    /// None once it was sent.
    pub sealed_body: Option<Vec<u8>>,
    pub status: MailStatus,
}

pub async fn mail_find(system: &PgPool, id: MailId) -> Result<Option<MailRow>> {
    let row = sqlx::query_as!(
        MailRow,
        r#"select recipient, subject, sealed_body, status as "status: MailStatus" from mails where id = $1"#,
        id.0
    )
    .fetch_optional(system)
    .await?;
    Ok(row)
}

/// The same, locked until the transaction ends.
pub async fn mail_lock(connection: &mut PgConnection, id: MailId) -> Result<Option<MailRow>> {
    let row = sqlx::query_as!(
        MailRow,
        r#"select recipient, subject, sealed_body, status as "status: MailStatus" from mails where id = $1 for update"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// It was taken over by the SMTP server: nobody needs its words any more.
pub async fn mail_sent(system: &PgPool, id: MailId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update mails set status = 'sent', sent_at = $2, sealed_body = null, problem = null, version = version + 1,
             updated_at = now() where id = $1",
        id.0,
        now
    )
    .execute(system)
    .await?;
    Ok(())
}

/// It was not taken, for this reason; for good, or until it is tried again.
pub async fn mail_refused(system: &PgPool, id: MailId, problem: &str, for_good: bool) -> Result<()> {
    sqlx::query!(
        "update mails set status = case when $3 then 'failed' else status end, problem = $2, version = version + 1,
             updated_at = now() where id = $1",
        id.0,
        problem,
        for_good
    )
    .execute(system)
    .await?;
    Ok(())
}

/// Which mails a list shows.
#[derive(Default)]
pub struct MailFilter<'a> {
    pub id: Option<MailId>,
    pub status: Option<MailStatus>,
    /// Part of the recipient's address.
    pub q: Option<&'a str>,
}

pub async fn mail_list(system: &PgPool, filter: &MailFilter<'_>, page: &Page) -> Result<Vec<MailView>> {
    let list = sqlx::query_as!(
        MailView,
        r#"select id as "id: MailId", organization_id as "organization_id: OrganizationId", recipient, template, subject,
                  status as "status: MailStatus", problem, sent_at, created_at
           from mails
           where ($1::uuid is null or id = $1) and ($2::text is null or status = $2)
             and ($3::text is null or strpos(lower(recipient), lower($3)) > 0) and ($4::uuid is null or id < $4)
           order by id desc limit $5"#,
        filter.id.map(|id| id.0),
        filter.status as Option<MailStatus>,
        filter.q,
        page.before()?,
        page.fetch()
    )
    .fetch_all(system)
    .await?;
    Ok(list)
}

/// Forget what was written a month ago; what was given up without a word, while no replica was there, has failed.
pub async fn mail_prune(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update mails m set status = 'failed', problem = coalesce(m.problem, 'It could not be sent in time.'),
             version = m.version + 1, updated_at = now()
         from jobs j where j.id = m.job_id and m.status = 'queued' and j.status in ('failed', 'cancelled')"
    )
    .execute(system)
    .await?;
    sqlx::query!("delete from mails where created_at < $1", now - TimeDelta::days(30)).execute(system).await?;
    Ok(())
}
