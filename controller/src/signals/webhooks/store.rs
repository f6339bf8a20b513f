//! Every query on `webhook_endpoints`.

use super::model::{WebhookEndpoint, WebhookEndpointInput};
use crate::error::Result;
use crate::platform::http::Page;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, SecretId, WebhookEndpointId};
use sqlx::PgConnection;

/// Which endpoints a list shows.
#[derive(Default)]
pub struct EndpointFilter<'a> {
    pub id: Option<WebhookEndpointId>,
    /// Exact address.
    pub url: Option<&'a str>,
    /// Part of address or description.
    pub q: Option<&'a str>,
    pub active: Option<bool>,
}

pub async fn endpoint_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &EndpointFilter<'_>, page: &Page,
    now: DateTime<Utc>,
) -> Result<Vec<WebhookEndpoint>> {
    let list = sqlx::query_as!(
        WebhookEndpoint,
        r#"select id as "id: WebhookEndpointId", url, description, events, active, disabled_reason, failing_since,
                  case when previous_until > $8 then previous_until end as previous_secret_until, version, created_at,
                  updated_at
           from webhook_endpoints
           where organization_id = $1 and ($2::uuid is null or id = $2) and ($3::text is null or url = $3)
             and ($4::text is null or strpos(lower(url || ' ' || description), lower($4)) > 0)
             and ($5::boolean is null or active = $5) and ($6::uuid is null or id < $6)
           order by id desc limit $7"#,
        organization.0,
        filter.id.map(|id| id.0),
        filter.url,
        filter.q,
        filter.active,
        page.before()?,
        page.fetch(),
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(list)
}

/// How many there are, counted so that nobody else adds one meanwhile.
pub async fn endpoint_count(connection: &mut PgConnection, organization: OrganizationId) -> Result<i64> {
    sqlx::query!("select id from organizations where id = $1 for no key update", organization.0)
        .fetch_optional(&mut *connection)
        .await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from webhook_endpoints where organization_id = $1"#,
        organization.0
    )
    .fetch_one(connection)
    .await?;
    Ok(count)
}

pub async fn endpoint_insert(
    connection: &mut PgConnection, organization: OrganizationId, id: WebhookEndpointId, new: &WebhookEndpointInput,
    secret: SecretId,
) -> Result<()> {
    sqlx::query!(
        "insert into webhook_endpoints (id, organization_id, url, description, events, active, secret_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id.0,
        organization.0,
        new.url,
        new.description,
        &new.events,
        new.active,
        secret.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Lock an endpoint for a change. False: there is none.
pub async fn endpoint_lock(
    connection: &mut PgConnection, organization: OrganizationId, id: WebhookEndpointId,
) -> Result<bool> {
    let row = sqlx::query!(
        "select id from webhook_endpoints where organization_id = $1 and id = $2 for update",
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Change an endpoint; one that is switched on begins anew, whatever was wrong with it.
pub async fn endpoint_update(
    connection: &mut PgConnection, organization: OrganizationId, id: WebhookEndpointId, to: &WebhookEndpointInput,
) -> Result<()> {
    sqlx::query!(
        "update webhook_endpoints set url = $3, description = $4, events = $5,
             disabled_reason = case when $6 then null else disabled_reason end,
             failing_since = case when $6 and not active then null else failing_since end, active = $6,
             version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        to.url,
        to.description,
        &to.events,
        to.active
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Another secret; the one before counts until then, the one before that no more.
pub async fn endpoint_rotate(
    connection: &mut PgConnection, organization: OrganizationId, id: WebhookEndpointId, secret: SecretId,
    until: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "with before as (select previous_secret_id as oldest from webhook_endpoints where organization_id = $1 and id = $2),
              changed as (
                  update webhook_endpoints set previous_secret_id = secret_id, previous_until = $4, secret_id = $3,
                      version = version + 1, updated_at = now()
                  where organization_id = $1 and id = $2)
         delete from secrets where organization_id = $1 and id = (select oldest from before)",
        organization.0,
        id.0,
        secret.0,
        until
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Remove an endpoint with its deliveries and secrets.
pub async fn endpoint_delete(
    connection: &mut PgConnection, organization: OrganizationId, id: WebhookEndpointId,
) -> Result<()> {
    let secrets = sqlx::query!(
        "delete from webhook_endpoints where organization_id = $1 and id = $2 returning secret_id, previous_secret_id",
        organization.0,
        id.0
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<_> = secrets.iter().flat_map(|row| [Some(row.secret_id), row.previous_secret_id]).flatten().collect();
    sqlx::query!("delete from secrets where organization_id = $1 and id = any($2)", organization.0, &ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// The secrets that sign at this time, the newest first.
pub async fn endpoint_secrets(
    connection: &mut PgConnection, organization: OrganizationId, id: WebhookEndpointId, now: DateTime<Utc>,
) -> Result<Vec<(SecretId, Vec<u8>)>> {
    let rows = sqlx::query!(
        r#"select s.id as "id: SecretId", s.sealed from webhook_endpoints e
           join secrets s on s.id = e.secret_id or (s.id = e.previous_secret_id and e.previous_until > $3)
           where e.organization_id = $1 and e.id = $2
           order by s.id = e.secret_id desc"#,
        organization.0,
        id.0,
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.sealed)).collect())
}

/// Forget secrets whose grace has ended.
pub async fn secrets_prune(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "with ended as (
             select id, previous_secret_id from webhook_endpoints
             where previous_secret_id is not null and previous_until <= $1 for update),
         changed as (
             update webhook_endpoints set previous_secret_id = null, previous_until = null
             where id in (select id from ended))
         delete from secrets where id in (select previous_secret_id from ended)",
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Something came through. True: nothing had for a while.
pub async fn endpoint_recovered(
    connection: &mut PgConnection, organization: OrganizationId, id: WebhookEndpointId,
) -> Result<bool> {
    let done = sqlx::query!(
        "update webhook_endpoints set failing_since = null
         where organization_id = $1 and id = $2 and failing_since is not null",
        organization.0,
        id.0
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Something did not come through. Since when nothing has.
pub async fn endpoint_failing(
    connection: &mut PgConnection, organization: OrganizationId, id: WebhookEndpointId, at: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    let since = sqlx::query_scalar!(
        r#"update webhook_endpoints set failing_since = coalesce(failing_since, $3)
           where organization_id = $1 and id = $2 returning failing_since as "since!""#,
        organization.0,
        id.0,
        at
    )
    .fetch_optional(connection)
    .await?;
    Ok(since.unwrap_or(at))
}

/// Switch an endpoint off for a reason. None: it was off already; else its address.
pub async fn endpoint_disable(
    connection: &mut PgConnection, organization: OrganizationId, id: WebhookEndpointId, reason: &str,
) -> Result<Option<String>> {
    let url = sqlx::query_scalar!(
        "update webhook_endpoints set active = false, disabled_reason = $3, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and active returning url",
        organization.0,
        id.0,
        reason
    )
    .fetch_optional(connection)
    .await?;
    Ok(url)
}
