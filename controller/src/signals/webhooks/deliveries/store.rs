//! Every query on `webhook_deliveries` and `webhook_attempts`.

use super::model::{DeliveryStatus, WebhookAttempt, WebhookDelivery};
use crate::error::{Error, Result};
use crate::platform::http::Page;
use crate::signals::events::Event;
use crate::signals::events::catalogue::ALL;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{EventId, JobId, OrganizationId, WebhookDeliveryId, WebhookEndpointId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// An endpoint that events are held against.
pub struct Listener {
    pub id: WebhookEndpointId,
    pub url: String,
    organization: OrganizationId,
    events: Vec<String>,
    created_at: DateTime<Utc>,
}

impl Listener {
    /// Only what has happened since it was made.
    pub fn wants(&self, event: &Event) -> bool {
        self.organization == event.organization_id
            && event.created_at > self.created_at
            && self.events.iter().any(|kind| kind == ALL || *kind == event.kind)
    }
}

/// Active endpoints of these organizations; they cannot be removed before this transaction ends.
pub async fn listener_list(connection: &mut PgConnection, organizations: &[Uuid]) -> Result<Vec<Listener>> {
    let list = sqlx::query_as!(
        Listener,
        r#"select id as "id: WebhookEndpointId", url, organization_id as "organization: OrganizationId", events, created_at
           from webhook_endpoints where active and organization_id = any($1) order by id for key share"#,
        organizations
    )
    .fetch_all(connection)
    .await?;
    Ok(list)
}

/// A delivery to be written down.
pub struct NewDelivery<'a> {
    pub id: WebhookDeliveryId,
    pub organization: OrganizationId,
    pub endpoint: WebhookEndpointId,
    pub event: EventId,
    pub event_type: &'a str,
    pub subject: Uuid,
    pub body: &'a str,
    pub replay_of: Option<WebhookDeliveryId>,
}

pub async fn delivery_insert(
    connection: &mut PgConnection, new: &NewDelivery<'_>, job: JobId, now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into webhook_deliveries (id, organization_id, endpoint_id, event_id, event_type, subject_id, body,
                                         replay_of, job_id, next_attempt_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        new.id.0,
        new.organization.0,
        new.endpoint.0,
        new.event.0,
        new.event_type,
        new.subject,
        new.body,
        new.replay_of.map(|id| id.0),
        job.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What sending needs of a delivery.
pub struct DueDelivery {
    pub id: WebhookDeliveryId,
    pub organization: OrganizationId,
    pub endpoint: WebhookEndpointId,
    pub url: String,
    pub active: bool,
    pub event: EventId,
    pub event_type: String,
    pub subject: Uuid,
    pub body: String,
    pub status: DeliveryStatus,
    pub replay_of: Option<WebhookDeliveryId>,
    pub attempts: i32,
    pub created_at: DateTime<Utc>,
}

pub async fn delivery_find(connection: &mut PgConnection, id: WebhookDeliveryId) -> Result<Option<DueDelivery>> {
    let row = sqlx::query_as!(
        DueDelivery,
        r#"select d.id as "id: WebhookDeliveryId", d.organization_id as "organization: OrganizationId",
                  d.endpoint_id as "endpoint: WebhookEndpointId", e.url, e.active, d.event_id as "event: EventId",
                  d.event_type, d.subject_id as subject, d.body, d.status as "status: DeliveryStatus",
                  d.replay_of as "replay_of: WebhookDeliveryId", d.attempts, d.created_at
           from webhook_deliveries d join webhook_endpoints e on e.id = d.endpoint_id where d.id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Where a delivery stands among those of the same subject.
pub struct Order {
    /// An earlier one has not come through yet; a replay waits for nobody.
    pub behind: bool,
    /// A later one has come through already.
    pub overtaken: bool,
}

pub async fn delivery_order(connection: &mut PgConnection, due: &DueDelivery) -> Result<Order> {
    let order = sqlx::query_as!(
        Order,
        r#"with own as (
               select d.endpoint_id, d.subject_id, d.replay_of, coalesce(o.seq, d.seq) as seq
               from webhook_deliveries d left join webhook_deliveries o on o.id = d.replay_of
               where d.organization_id = $1 and d.id = $2)
           select own.replay_of is null and exists (
                      select from webhook_deliveries d
                      where d.endpoint_id = own.endpoint_id and d.subject_id = own.subject_id and d.seq < own.seq
                        and d.status = 'pending' and d.replay_of is null) as "behind!",
                  exists (
                      select from webhook_deliveries d
                      where d.endpoint_id = own.endpoint_id and d.subject_id = own.subject_id and d.seq > own.seq
                        and d.status = 'delivered' and d.replay_of is null) as "overtaken!"
           from own"#,
        due.organization.0,
        due.id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(order.unwrap_or(Order { behind: false, overtaken: false }))
}

/// Lock a delivery for writing its next attempt. False: it has ended, or somebody else has written one.
pub async fn delivery_lock_pending(
    connection: &mut PgConnection, id: WebhookDeliveryId, attempts: i32,
) -> Result<bool> {
    let row = sqlx::query!(
        "select id from webhook_deliveries where id = $1 and status = 'pending' and attempts = $2 for update",
        id.0,
        attempts
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

pub async fn attempt_insert(
    connection: &mut PgConnection, due: &DueDelivery, made: &WebhookAttempt, out_of_order: bool,
) -> Result<()> {
    sqlx::query!(
        "with counted as (
             update webhook_deliveries set attempts = $3, out_of_order = out_of_order or $11
             where organization_id = $2 and id = $1)
         insert into webhook_attempts (delivery_id, organization_id, number, started_at, milliseconds, status,
                                       request_headers, response_headers, response_body, problem)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        due.id.0,
        due.organization.0,
        made.number,
        made.started_at,
        made.milliseconds,
        made.status,
        Json(&made.request_headers) as _,
        made.response_headers.as_ref().map(Json) as _,
        made.response_body,
        made.problem,
        out_of_order
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When its first attempt began.
pub async fn first_attempt_at(connection: &mut PgConnection, id: WebhookDeliveryId) -> Result<Option<DateTime<Utc>>> {
    let at = sqlx::query_scalar!("select min(started_at) from webhook_attempts where delivery_id = $1", id.0)
        .fetch_one(connection)
        .await?;
    Ok(at)
}

pub async fn delivery_again(connection: &mut PgConnection, id: WebhookDeliveryId, at: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update webhook_deliveries set next_attempt_at = $2 where id = $1", id.0, at)
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn delivery_end(
    connection: &mut PgConnection, id: WebhookDeliveryId, status: DeliveryStatus, now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update webhook_deliveries set status = $2, finished_at = $3, next_attempt_at = null
         where id = $1 and status = 'pending'",
        id.0,
        status as DeliveryStatus,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What still waits for an endpoint is not sent any more.
pub async fn delivery_cancel_all(
    connection: &mut PgConnection, organization: OrganizationId, endpoint: WebhookEndpointId, now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update webhook_deliveries set status = 'cancelled', finished_at = $3, next_attempt_at = null
         where organization_id = $1 and endpoint_id = $2 and status = 'pending'",
        organization.0,
        endpoint.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deliveries whose job has ended without them: it was cancelled, or stumbled. Their log says how far they came.
pub async fn delivery_end_abandoned(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update webhook_deliveries d set finished_at = $1, next_attempt_at = null,
             status = case when exists (select from jobs j where j.id = d.job_id and j.status = 'cancelled')
                      then 'cancelled' else 'failed' end
         where d.status = 'pending' and not exists (
             select from jobs j where j.id = d.job_id and j.status in ('queued', 'dispatched', 'running'))",
        now
    )
    .execute(system)
    .await?;
    Ok(())
}

/// Forget deliveries of a month ago.
pub async fn delivery_prune(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "delete from webhook_deliveries where created_at < $1 and status <> 'pending'",
        now - TimeDelta::days(30)
    )
    .execute(system)
    .await?;
    Ok(())
}

/// Which deliveries a list shows.
#[derive(Default)]
pub struct DeliveryFilter<'a> {
    pub id: Option<WebhookDeliveryId>,
    pub endpoint: Option<WebhookEndpointId>,
    pub status: Option<DeliveryStatus>,
    pub event_type: Option<&'a str>,
    pub event: Option<EventId>,
    pub subject: Option<Uuid>,
}

pub async fn delivery_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &DeliveryFilter<'_>, page: &Page,
) -> Result<Vec<WebhookDelivery>> {
    let rows = sqlx::query!(
        r#"select id, endpoint_id, event_id, event_type, subject_id, body, status as "status: DeliveryStatus",
                  out_of_order, replay_of, attempts, next_attempt_at, finished_at, created_at
           from webhook_deliveries
           where organization_id = $1 and ($2::uuid is null or id = $2) and ($3::uuid is null or endpoint_id = $3)
             and ($4::text is null or status = $4) and ($5::text is null or event_type = $5)
             and ($6::uuid is null or event_id = $6) and ($7::uuid is null or subject_id = $7)
             and ($8::uuid is null or id < $8)
           order by id desc limit $9"#,
        organization.0,
        filter.id.map(|id| id.0),
        filter.endpoint.map(|id| id.0),
        filter.status as Option<DeliveryStatus>,
        filter.event_type,
        filter.event.map(|id| id.0),
        filter.subject,
        page.before()?,
        page.fetch()
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut attempts = attempt_list(connection, organization, &ids).await?;
    rows.into_iter()
        .map(|row| {
            Ok(WebhookDelivery {
                id: row.id.into(),
                endpoint_id: row.endpoint_id.into(),
                event_id: row.event_id.into(),
                event_type: row.event_type,
                subject_id: row.subject_id,
                status: row.status,
                out_of_order: row.out_of_order,
                replay_of: row.replay_of.map(Into::into),
                attempt_count: row.attempts,
                attempts: attempts.remove(&row.id).unwrap_or_default(),
                payload: serde_json::from_str(&row.body).map_err(Error::internal)?,
                next_attempt_at: row.next_attempt_at,
                finished_at: row.finished_at,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// The newest ten attempts at each of these, the newest first.
async fn attempt_list(
    connection: &mut PgConnection, organization: OrganizationId, deliveries: &[Uuid],
) -> Result<HashMap<Uuid, Vec<WebhookAttempt>>> {
    let rows = sqlx::query!(
        r#"select a.delivery_id, a.number, a.started_at, a.milliseconds, a.status,
                  a.request_headers as "request_headers: Json<BTreeMap<String, String>>",
                  a.response_headers as "response_headers: Json<BTreeMap<String, String>>", a.response_body, a.problem
           from webhook_deliveries d join webhook_attempts a on a.delivery_id = d.id and a.number > d.attempts - 10
           where d.organization_id = $1 and d.id = any($2)
           order by a.number desc"#,
        organization.0,
        deliveries
    )
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<Uuid, Vec<WebhookAttempt>> = HashMap::new();
    for row in rows {
        found.entry(row.delivery_id).or_default().push(WebhookAttempt {
            number: row.number,
            started_at: row.started_at,
            milliseconds: row.milliseconds,
            status: row.status,
            request_headers: row.request_headers.0,
            response_headers: row.response_headers.map(|headers| headers.0),
            response_body: row.response_body,
            problem: row.problem,
        });
    }
    Ok(found)
}
