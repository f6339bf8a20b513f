//! Every query on the health of instances.

use super::model::UptimeDay;
use crate::error::Result;
use chrono::{DateTime, NaiveDate, Utc};
use ocore_shared::ids::{InstanceId, OrganizationId, ServerId};
use ocore_shared::protocol::health::{HealthState, InstanceHealthReport};
use sqlx::PgConnection;
use sqlx::types::Json;

/// What was reported of an instance.
pub struct Stored {
    pub since: DateTime<Utc>,
    pub is_told: bool,
    pub report: InstanceHealthReport,
    pub reported_at: DateTime<Utc>,
}

/// The newest report.
pub async fn health_find(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId,
) -> Result<Option<Stored>> {
    let row = sqlx::query!(
        r#"select since, is_told, report as "report: Json<InstanceHealthReport>", reported_at from instance_health
           where organization_id = $1 and instance_id = $2"#,
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| Stored { since: r.since, is_told: r.is_told, report: r.report.0, reported_at: r.reported_at }))
}

pub async fn health_store(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, stored: &Stored,
) -> Result<()> {
    sqlx::query!(
        "insert into instance_health (instance_id, organization_id, state, since, is_told, report, reported_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (instance_id) do update set state = excluded.state, since = excluded.since,
             is_told = excluded.is_told, report = excluded.report, reported_at = excluded.reported_at",
        id.0,
        organization.0,
        stored.report.state().word(),
        stored.since,
        stored.is_told,
        Json(&stored.report) as _,
        stored.reported_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// From `at` on it is in that state. Nothing happens when it is so already.
pub async fn span_begin(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, state: HealthState, at: DateTime<Utc>,
) -> Result<()> {
    let closed = sqlx::query!(
        "update instance_health_spans set ended_at = greatest(began_at, $4)
         where organization_id = $1 and instance_id = $2 and ended_at is null and state <> $3",
        organization.0,
        id.0,
        state.word(),
        at
    )
    .execute(&mut *connection)
    .await?;
    let opened = sqlx::query!(
        "insert into instance_health_spans (instance_id, organization_id, began_at, state)
         select $2, $1, $4, $3
         where not exists (select from instance_health_spans where instance_id = $2 and ended_at is null)
         on conflict (instance_id, began_at) do update set state = excluded.state, ended_at = null",
        organization.0,
        id.0,
        state.word(),
        at
    )
    .execute(&mut *connection)
    .await?;
    if closed.rows_affected() + opened.rows_affected() > 0 {
        sqlx::query!(
            "delete from instance_health_spans
             where organization_id = $1 and instance_id = $2 and ended_at < $3::timestamptz - interval '91 days'",
            organization.0,
            id.0,
            at
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Nothing is known any more of the instances of a server that went away.
pub async fn spans_end(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update instance_health_spans s set ended_at = greatest(s.began_at, $3) from instances i
         where i.id = s.instance_id and i.organization_id = $1 and i.server_id = $2 and s.organization_id = $1
           and s.ended_at is null",
        organization.0,
        server.0,
        at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Seconds of each day from `first` on, up to `now`: healthy and not, oldest day first.
pub async fn uptime_list(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, first: NaiveDate, now: DateTime<Utc>,
) -> Result<Vec<UptimeDay>> {
    let rows = sqlx::query!(
        r#"with days as (
               select day::date as day, day as starts, day + interval '1 day' as ends
               from generate_series($3::date::timestamp, ($4::timestamptz at time zone 'UTC')::date::timestamp, '1 day') day
           )
           select d.day as "day!",
               coalesce(sum(s.seconds) filter (where s.state = 'healthy'), 0)::bigint as "healthy!",
               coalesce(sum(s.seconds) filter (where s.state in ('unhealthy', 'crash_looping')), 0)::bigint as "unhealthy!"
           from days d left join lateral (
               select state, extract(epoch from least(coalesce(ended_at, $4), d.ends at time zone 'UTC')
                   - greatest(began_at, d.starts at time zone 'UTC')) as seconds
               from instance_health_spans
               where organization_id = $1 and instance_id = $2 and began_at < d.ends at time zone 'UTC'
                 and coalesce(ended_at, $4) > d.starts at time zone 'UTC' and began_at < $4
           ) s on true
           group by d.day order by d.day"#,
        organization.0,
        id.0,
        first,
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| UptimeDay::new(r.day, r.healthy, r.unhealthy)).collect())
}

/// Whether the instance's server is connected.
pub async fn server_is_connected(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"select status in ('online', 'degraded') as "connected!" from servers where organization_id = $1 and id = $2"#,
        organization.0,
        server.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.unwrap_or(false))
}
