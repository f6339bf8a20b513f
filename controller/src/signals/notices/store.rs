//! Every query on `notices`, and on what people have muted.

use super::model::{Finding, Notice, NoticeKind};
use crate::error::Result;
use crate::platform::http::Place;
use crate::signals::events::Subject;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{NoticeId, OrganizationId, UserId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

/// More open notices than these nobody reads.
const MOST: i64 = 5000;

/// Raise a notice. None: it is open already.
pub async fn notice_insert(
    connection: &mut PgConnection, kind: NoticeKind, finding: &Finding, now: DateTime<Utc>,
) -> Result<Option<NoticeId>> {
    let id = sqlx::query_scalar!(
        r#"insert into notices (id, organization_id, kind, subject, message, project_id, environment_id, server_id, raised_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing returning id as "id: NoticeId""#,
        NoticeId::new().0,
        finding.organization.map(|o| o.0),
        kind as NoticeKind,
        Json(&finding.subject) as _,
        finding.message,
        finding.place.project,
        finding.place.environment,
        finding.place.server,
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

/// What a cleared notice was.
pub struct Cleared {
    pub organization: Option<OrganizationId>,
    pub subject: Subject,
    pub message: String,
}

/// Clear a notice. None: somebody else has.
pub async fn notice_clear(connection: &mut PgConnection, id: NoticeId, now: DateTime<Utc>) -> Result<Option<Cleared>> {
    let row = sqlx::query!(
        r#"update notices set cleared_at = $2 where id = $1 and cleared_at is null
           returning organization_id as "organization: OrganizationId", subject as "subject: Json<Subject>", message"#,
        id.0,
        now
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Cleared { organization: row.organization, subject: row.subject.0, message: row.message }))
}

/// Open notices of an organization, newest first.
pub async fn notice_list_open(
    connection: &mut PgConnection, organization: OrganizationId, kind: Option<NoticeKind>,
) -> Result<Vec<Notice>> {
    let rows = sqlx::query!(
        r#"select id as "id: NoticeId", kind as "kind: NoticeKind", subject as "subject: Json<Subject>", message,
                  project_id, environment_id, server_id, raised_at
           from notices
           where organization_id = $1 and cleared_at is null and ($2::text is null or kind = $2)
           order by id desc limit $3"#,
        organization.0,
        kind as Option<NoticeKind>,
        MOST
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Notice {
            id: row.id,
            kind: row.kind,
            organization_id: Some(organization),
            page: row.kind.page(&row.subject.0),
            subject: row.subject.0,
            message: row.message,
            raised_at: row.raised_at,
            place: Place { project: row.project_id, environment: row.environment_id, server: row.server_id },
        })
        .collect())
}

/// Open notices of the platform itself, newest first.
pub async fn notice_list_of_platform(system: &PgPool, kind: Option<NoticeKind>) -> Result<Vec<Notice>> {
    let rows = sqlx::query!(
        r#"select id as "id: NoticeId", kind as "kind: NoticeKind", subject as "subject: Json<Subject>", message, raised_at
           from notices
           where organization_id is null and cleared_at is null and ($1::text is null or kind = $1)
           order by id desc limit $2"#,
        kind as Option<NoticeKind>,
        MOST
    )
    .fetch_all(system)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Notice {
            id: row.id,
            kind: row.kind,
            organization_id: None,
            page: row.kind.page(&row.subject.0),
            subject: row.subject.0,
            message: row.message,
            raised_at: row.raised_at,
            place: Place::default(),
        })
        .collect())
}

/// Forget what has not held for a quarter of a year.
pub async fn notice_prune(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("delete from notices where cleared_at < $1", now - TimeDelta::days(90)).execute(system).await?;
    Ok(())
}

/// Somebody who may be told by mail.
pub struct Recipient {
    pub user: UserId,
    pub name: String,
    pub email: String,
}

/// Members of an organization, or for the platform its administrators, who have not muted the kind.
pub async fn recipient_list(
    system: &PgPool, organization: Option<OrganizationId>, kind: NoticeKind,
) -> Result<Vec<Recipient>> {
    let list = sqlx::query_as!(
        Recipient,
        r#"select u.id as "user: UserId", u.name, u.email from users u
           where u.deactivated_at is null and u.suspended_at is null and not ($2 = any(u.muted_notices))
             and case when $1::uuid is null then u.is_admin
                 else exists (select from memberships m where m.organization_id = $1 and m.user_id = u.id) end
           order by u.id"#,
        organization.map(|o| o.0),
        kind.key()
    )
    .fetch_all(system)
    .await?;
    Ok(list)
}

/// What a person has muted, with the version of their account.
pub async fn muted_get(connection: &mut PgConnection, user: UserId) -> Result<Option<(Vec<String>, i64)>> {
    let row = sqlx::query!(
        "select muted_notices, version from users where id = $1 and deactivated_at is null for update",
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.muted_notices, row.version)))
}

pub async fn muted_set(connection: &mut PgConnection, user: UserId, muted: &[String]) -> Result<()> {
    sqlx::query!(
        "update users set muted_notices = $2, version = version + 1, updated_at = now() where id = $1",
        user.0,
        muted
    )
    .execute(connection)
    .await?;
    Ok(())
}
