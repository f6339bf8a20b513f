//! The questions, through the system's pool: they are asked of all organizations at once.

use crate::error::Result;
use crate::platform::http::Place;
use crate::signals::events::Subject;
use crate::signals::notices::model::{Audience, Finding};
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{NoticeId, OrganizationId, ReplicaId, UserId};
use sqlx::PgPool;
use uuid::Uuid;

/// How many are told at once; the others have their turn with the next look.
const AT_ONCE: i64 = 1000;

fn on_server(organization: Uuid, server: Uuid, name: String, message: String) -> Finding {
    Finding {
        organization: Some(OrganizationId(organization)),
        subject: Subject::new("server", server, name),
        message,
        place: Place { server: Some(server), ..Place::default() },
        audience: Audience::Everybody,
    }
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

pub async fn server_offline_new(
    system: &PgPool, up_since: DateTime<Utc>, before: DateTime<Utc>,
) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        "select s.id, s.organization_id, s.name, s.last_seen_at from servers s
         where s.status = 'offline' and greatest(s.last_seen_at, $1) < $2
           and not exists (select from notices n where n.cleared_at is null and n.kind = 'server_offline'
                           and n.organization_id = s.organization_id and n.subject ->> 'id' = s.id::text)
         order by s.id limit $3",
        up_since,
        before,
        AT_ONCE
    )
    .fetch_all(system)
    .await?;
    let told = rows.into_iter().map(|row| {
        let since = row.last_seen_at.map(|at| format!(" since {}", day(at))).unwrap_or_default();
        let message = format!(
            "The server {} has not been connected{since}. Check that the machine runs and that `systemctl status \
             ocore-agent` is active there.",
            row.name
        );
        on_server(row.organization_id, row.id, row.name, message)
    });
    Ok(told.collect())
}

pub async fn server_offline_over(system: &PgPool) -> Result<Vec<NoticeId>> {
    let over = sqlx::query_scalar!(
        r#"select n.id as "id: NoticeId" from notices n
           where n.cleared_at is null and n.kind = 'server_offline' and not exists (
               select from servers s where s.id = (n.subject ->> 'id')::uuid and s.status = 'offline')"#
    )
    .fetch_all(system)
    .await?;
    Ok(over)
}

pub async fn disk_full_new(system: &PgPool, since: DateTime<Utc>) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        r#"select s.id, s.organization_id, s.name,
                  (100.0 * m.disk_used_bytes / m.disk_total_bytes)::float8 as "percent!"
           from servers s cross join lateral (
               select disk_used_bytes, disk_total_bytes from metrics_raw
               where server_id = s.id and at > $1 order by at desc limit 1) m
           where m.disk_total_bytes > 0 and m.disk_used_bytes::float8 > m.disk_total_bytes * 0.90
             and s.status <> 'removing'
             and not exists (select from notices n where n.cleared_at is null and n.kind = 'disk_full'
                             and n.organization_id = s.organization_id and n.subject ->> 'id' = s.id::text)
           order by s.id limit $2"#,
        since,
        AT_ONCE
    )
    .fetch_all(system)
    .await?;
    let told = rows.into_iter().map(|row| {
        let message = format!("The disk of {} is {:.0} % full.", row.name, row.percent.floor());
        on_server(row.organization_id, row.id, row.name, message)
    });
    Ok(told.collect())
}

/// Well below where it was raised, so that a disk at the limit does not come and go. Without samples nothing changes.
pub async fn disk_full_over(system: &PgPool, since: DateTime<Utc>) -> Result<Vec<NoticeId>> {
    let over = sqlx::query_scalar!(
        r#"select n.id as "id: NoticeId" from notices n
           left join servers s on s.id = (n.subject ->> 'id')::uuid
           left join lateral (
               select disk_used_bytes, disk_total_bytes from metrics_raw
               where server_id = s.id and at > $1 order by at desc limit 1) m on true
           where n.cleared_at is null and n.kind = 'disk_full'
             and (s.id is null or s.status = 'removing' or m.disk_used_bytes::float8 < m.disk_total_bytes * 0.85)"#,
        since
    )
    .fetch_all(system)
    .await?;
    Ok(over)
}

/// Agents renew their certificate at two thirds of its life: in its last sixth something keeps them from it.
pub async fn certificate_expiring_new(system: &PgPool, now: DateTime<Utc>) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        "select s.id, s.organization_id, s.name, i.not_after
         from servers s cross join lateral (
             select not_after, created_at from server_identities
             where server_id = s.id and revoked_at is null order by not_after desc limit 1) i
         where i.not_after - $1 < (i.not_after - i.created_at) / 6 and s.status <> 'removing'
           and not exists (select from notices n where n.cleared_at is null and n.kind = 'certificate_expiring'
                           and n.organization_id = s.organization_id and n.subject ->> 'id' = s.id::text)
         order by s.id limit $2",
        now,
        AT_ONCE
    )
    .fetch_all(system)
    .await?;
    let told = rows.into_iter().map(|row| {
        let message = format!(
            "The certificate of {}'s agent ends on {} and was not renewed. Connect the server before then; after it, a \
             new install command is needed.",
            row.name,
            day(row.not_after)
        );
        on_server(row.organization_id, row.id, row.name, message)
    });
    Ok(told.collect())
}

pub async fn certificate_expiring_over(system: &PgPool, now: DateTime<Utc>) -> Result<Vec<NoticeId>> {
    let over = sqlx::query_scalar!(
        r#"select n.id as "id: NoticeId" from notices n
           where n.cleared_at is null and n.kind = 'certificate_expiring' and n.subject ->> 'type' = 'server'
             and not exists (
                 select from servers s cross join lateral (
                     select not_after, created_at from server_identities
                     where server_id = s.id and revoked_at is null order by not_after desc limit 1) i
                 where s.id = (n.subject ->> 'id')::uuid and s.status <> 'removing'
                   and i.not_after - $1 < (i.not_after - i.created_at) / 6)"#,
        now
    )
    .fetch_all(system)
    .await?;
    Ok(over)
}

/// Notices of certificates that nobody shows any more. What another replica shows is not known here: its notice is left
/// until it is a month old.
pub async fn people_certificate_over(
    system: &PgPool, replica: ReplicaId, own: Option<Uuid>, now: DateTime<Utc>,
) -> Result<Vec<NoticeId>> {
    let over = sqlx::query_scalar!(
        r#"select n.id as "id: NoticeId" from notices n
           where n.cleared_at is null and n.kind = 'certificate_expiring' and n.subject ->> 'type' = 'certificate'
             and ($2::uuid is null or n.subject ->> 'id' <> $2::text)
             and (n.raised_at < $3 or not exists (
                 select from replicas r where r.id <> $1 and r.seen_at > now() - interval '10 seconds'))"#,
        replica.0,
        own,
        now - TimeDelta::days(30)
    )
    .fetch_all(system)
    .await?;
    Ok(over)
}

/// A proxy renews at two thirds of a certificate's life: what ends soon something keeps from it, or a person has uploaded.
pub async fn domain_expiring_new(system: &PgPool, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        r#"select d.id, d.organization_id, d.host, d.not_after as "not_after!", d.reason,
                  d.uploaded_chain is not null as "uploaded!", i.project_id, i.environment_id, i.server_id
           from domains d join instances i on i.id = d.instance_id
           where d.state = 'active' and d.not_after < $1
             -- One that is made for less is renewed in time all the same.
             and (d.uploaded_chain is not null or d.not_after - $2 < (d.not_after - d.not_before) / 6)
             and not exists (select from notices n where n.cleared_at is null and n.kind = 'certificate_expiring'
                             and n.organization_id = d.organization_id and n.subject ->> 'id' = d.id::text)
           order by d.id limit $3"#,
        until,
        now,
        AT_ONCE
    )
    .fetch_all(system)
    .await?;
    let told = rows.into_iter().map(|row| {
        let how = if row.uploaded {
            "Upload a newer one.".to_owned()
        } else {
            let why = row.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            format!("It was not renewed.{why}")
        };
        let message = format!("The certificate of {} ends on {}. {how}", row.host, day(row.not_after));
        Finding {
            organization: Some(OrganizationId(row.organization_id)),
            subject: Subject::new("domain", row.id, row.host),
            message,
            place: Place {
                project: Some(row.project_id),
                environment: Some(row.environment_id),
                server: Some(row.server_id),
            },
            audience: Audience::Everybody,
        }
    });
    Ok(told.collect())
}

pub async fn domain_expiring_over(system: &PgPool, until: DateTime<Utc>) -> Result<Vec<NoticeId>> {
    let over = sqlx::query_scalar!(
        r#"select n.id as "id: NoticeId" from notices n
           where n.cleared_at is null and n.kind = 'certificate_expiring' and n.subject ->> 'type' = 'domain'
             and not exists (select from domains d where d.id = (n.subject ->> 'id')::uuid and d.state = 'active'
                             and d.not_after < $1)"#,
        until
    )
    .fetch_all(system)
    .await?;
    Ok(over)
}

/// Keys that were made for less than the time of warning say nothing new.
pub async fn api_key_expiring_new(system: &PgPool, now: DateTime<Utc>, warning: TimeDelta) -> Result<Vec<Finding>> {
    let until = now + warning;
    let rows = sqlx::query!(
        r#"select k.id, k.organization_id, k.name, k.expires_at as "expires_at!", k.scope_type, k.scope_id,
                  k.created_by, k.service_account_id, e.project_id as "project?"
           from api_keys k left join environments e on k.scope_type = 'environment' and e.id = k.scope_id
           where k.revoked_at is null and k.expires_at > $1 and k.expires_at <= $2
             and k.created_at < k.expires_at - ($2::timestamptz - $1::timestamptz)
             and not exists (select from notices n where n.cleared_at is null and n.kind = 'api_key_expiring'
                             and n.organization_id = k.organization_id and n.subject ->> 'id' = k.id::text)
           order by k.id limit $3"#,
        now,
        until,
        AT_ONCE
    )
    .fetch_all(system)
    .await?;
    let told = rows.into_iter().map(|row| {
        let part = |kind: &str| (row.scope_type == kind).then_some(row.scope_id);
        let message = format!(
            "The API key {} ends on {}. Make a new one and put it in its place before then.",
            row.name,
            day(row.expires_at)
        );
        // A service account's keys are everybody's affair; one's own keys are one's own.
        let maker = row.created_by.filter(|_| row.service_account_id.is_none());
        Finding {
            organization: Some(OrganizationId(row.organization_id)),
            message,
            place: Place {
                project: part("project").or(row.project),
                environment: part("environment"),
                server: part("server"),
            },
            audience: maker.map_or(Audience::Everybody, |user| Audience::Person(Some(UserId(user)))),
            subject: Subject::new("api_key", row.id, row.name),
        }
    });
    Ok(told.collect())
}

pub async fn api_key_expiring_over(system: &PgPool, now: DateTime<Utc>, warning: TimeDelta) -> Result<Vec<NoticeId>> {
    let over = sqlx::query_scalar!(
        r#"select n.id as "id: NoticeId" from notices n
           where n.cleared_at is null and n.kind = 'api_key_expiring' and not exists (
               select from api_keys k where k.id = (n.subject ->> 'id')::uuid and k.revoked_at is null
                 and k.expires_at > $1 and k.expires_at <= $2)"#,
        now,
        now + warning
    )
    .fetch_all(system)
    .await?;
    Ok(over)
}

pub async fn webhook_disabled_new(system: &PgPool) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        r#"select w.id, w.organization_id, w.url, w.disabled_reason as "reason!" from webhook_endpoints w
           where not w.active and w.disabled_reason is not null
             and not exists (select from notices n where n.cleared_at is null and n.kind = 'webhook_disabled'
                             and n.organization_id = w.organization_id and n.subject ->> 'id' = w.id::text)
           order by w.id limit $1"#,
        AT_ONCE
    )
    .fetch_all(system)
    .await?;
    let told = rows.into_iter().map(|row| Finding {
        organization: Some(OrganizationId(row.organization_id)),
        message: format!(
            "The webhook {} was switched off: {} Mend its receiver, switch it on and send again what is missing.",
            row.url, row.reason
        ),
        subject: Subject::new("webhook_endpoint", row.id, row.url),
        place: Place::default(),
        audience: Audience::Everybody,
    });
    Ok(told.collect())
}

pub async fn webhook_disabled_over(system: &PgPool) -> Result<Vec<NoticeId>> {
    let over = sqlx::query_scalar!(
        r#"select n.id as "id: NoticeId" from notices n
           where n.cleared_at is null and n.kind = 'webhook_disabled' and not exists (
               select from webhook_endpoints w where w.id = (n.subject ->> 'id')::uuid
                 and not w.active and w.disabled_reason is not null)"#
    )
    .fetch_all(system)
    .await?;
    Ok(over)
}

/// Where a job works, and which person stands behind a key that has started it.
pub async fn job_place(
    system: &PgPool, organization: OrganizationId, job: Uuid, key: Option<Uuid>,
) -> Result<(Place, Option<UserId>)> {
    let row = sqlx::query!(
        r#"select i.project_id as "project?", i.environment_id as "environment?",
                  coalesce(i.server_id, j.server_id) as server,
                  (select k.created_by from api_keys k where k.organization_id = $1 and k.id = $3
                   and k.service_account_id is null) as maker
           from jobs j left join instances i on i.id = j.instance_id
           where j.organization_id = $1 and j.id = $2"#,
        organization.0,
        job,
        key
    )
    .fetch_optional(system)
    .await?;
    Ok(row.map_or((Place::default(), None), |row| {
        let place = Place { project: row.project, environment: row.environment, server: row.server };
        (place, row.maker.map(UserId))
    }))
}

pub async fn job_failed_over(system: &PgPool, before: DateTime<Utc>) -> Result<Vec<NoticeId>> {
    let over = sqlx::query_scalar!(
        r#"select n.id as "id: NoticeId" from notices n
           where n.cleared_at is null and n.kind = 'job_failed' and (n.raised_at < $1 or exists (
               select from jobs failed
               join jobs later on later.organization_id = failed.organization_id and later.kind = failed.kind
                    and later.id > failed.id and later.subject ->> 'id' = failed.subject ->> 'id'
               where failed.id = (n.subject ->> 'id')::uuid and later.status = 'succeeded'))"#,
        before
    )
    .fetch_all(system)
    .await?;
    Ok(over)
}
