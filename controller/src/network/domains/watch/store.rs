//! Questions about domains that are asked of all organizations at once.

use crate::error::Result;
use crate::network::domains::model::DnsCheck;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{DomainId, InstanceId, OrganizationId, ServerId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

/// How many are looked at in one go.
const AT_ONCE: i64 = 200;

/// A name whose DNS nobody asks to be looked at.
pub struct Unchecked {
    pub organization: OrganizationId,
    pub instance: InstanceId,
    pub server: ServerId,
    pub domain: DomainId,
    pub host: String,
}

/// Names that come of zones, and were not looked at since `before`.
pub async fn domain_list_unchecked(system: &PgPool, before: DateTime<Utc>) -> Result<Vec<Unchecked>> {
    let rows = sqlx::query!(
        r#"select d.organization_id, d.instance_id, i.server_id, d.id, d.host
           from domains d join instances i on i.id = d.instance_id
           join server_proxies p on p.server_id = i.server_id and p.mode <> 'none'
           where d.automatic and d.state = 'pending_dns'
             and (d.dns is null or (d.dns ->> 'checked_at')::timestamptz < $1)
           order by d.id limit $2"#,
        before,
        AT_ONCE
    )
    .fetch_all(system)
    .await?;
    let unchecked = rows.into_iter().map(|row| Unchecked {
        organization: OrganizationId(row.organization_id),
        instance: InstanceId(row.instance_id),
        server: ServerId(row.server_id),
        domain: DomainId(row.id),
        host: row.host,
    });
    Ok(unchecked.collect())
}

/// Instances that are made otherwise than their domains want it, with nobody at work on them.
pub async fn instance_list_behind(system: &PgPool) -> Result<Vec<(OrganizationId, InstanceId)>> {
    let rows = sqlx::query!(
        r#"select i.organization_id, i.id from instances i
           where i.desired_state <> 'removed'
             and (i.spec ->> 'has_proxy' = 'true' or i.spec ? 'public_host'
                  or exists (select from domains d where d.instance_id = i.id and d.activated_at is not null))
             and (coalesce((i.spec ->> 'has_proxy')::boolean, false) <> (
                      exists (select from server_proxies p where p.server_id = i.server_id and p.mode = 'managed')
                      and exists (select from domains d where d.instance_id = i.id and d.activated_at is not null))
                  or (i.spec ->> 'public_host') is distinct from (
                      select d.host from domains d where d.instance_id = i.id and d.activated_at is not null
                      order by d.is_primary desc, d.automatic, d.id limit 1))
             and not exists (select from jobs j where j.instance_id = i.id
                             and j.status in ('queued', 'dispatched', 'running'))
           order by i.id limit $1"#,
        AT_ONCE
    )
    .fetch_all(system)
    .await?;
    Ok(rows.into_iter().map(|row| (OrganizationId(row.organization_id), InstanceId(row.id))).collect())
}

/// A name to which somebody's own proxy is to lead.
pub struct OwnName {
    pub organization: OrganizationId,
    pub server: ServerId,
    pub https_port: u16,
    pub instance: InstanceId,
    pub domain: DomainId,
    pub host: String,
}

/// Verified names of running instances on servers with a proxy of somebody's own.
pub async fn name_list_own(system: &PgPool) -> Result<Vec<OwnName>> {
    let rows = sqlx::query!(
        "select d.organization_id, i.server_id, p.https_port, d.instance_id, d.id, d.host
         from domains d join instances i on i.id = d.instance_id join server_proxies p on p.server_id = i.server_id
         where p.mode = 'external' and d.verified_at is not null and i.status = 'running' order by i.server_id, d.id"
    )
    .fetch_all(system)
    .await?;
    let own = rows.into_iter().map(|row| OwnName {
        organization: OrganizationId(row.organization_id),
        server: ServerId(row.server_id),
        https_port: u16::try_from(row.https_port).unwrap_or(443),
        instance: InstanceId(row.instance_id),
        domain: DomainId(row.id),
        host: row.host,
    });
    Ok(own.collect())
}

/// A certificate that ends in a few days.
pub struct Ending {
    pub organization: OrganizationId,
    pub domain: DomainId,
    pub host: String,
    pub instance: InstanceId,
    pub not_after: DateTime<Utc>,
    /// Fewest days that were told of.
    pub warned_days: Option<i32>,
}

/// Certificates that end before `until`, each kept for this transaction.
pub async fn certificate_list_ending(
    connection: &mut PgConnection, now: DateTime<Utc>, until: DateTime<Utc>,
) -> Result<Vec<Ending>> {
    let rows = sqlx::query!(
        r#"select organization_id, id, host, instance_id, not_after as "not_after!", warned_days from domains
           where state = 'active' and not_after > $1 and not_after < $2
             and (warned_days is null or not_after < $1 + make_interval(days => case when warned_days > 7 then 7
                      when warned_days > 3 then 3 else 0 end))
           order by id limit $3 for update skip locked"#,
        now,
        until,
        AT_ONCE
    )
    .fetch_all(connection)
    .await?;
    let ending = rows.into_iter().map(|row| Ending {
        organization: OrganizationId(row.organization_id),
        domain: DomainId(row.id),
        host: row.host,
        instance: InstanceId(row.instance_id),
        not_after: row.not_after,
        warned_days: row.warned_days,
    });
    Ok(ending.collect())
}

/// It was told of.
pub async fn certificate_warned(
    connection: &mut PgConnection, organization: OrganizationId, domain: DomainId, days: i32,
) -> Result<()> {
    sqlx::query!(
        "update domains set warned_days = $3 where organization_id = $1 and id = $2",
        organization.0,
        domain.0,
        days
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Write down what a look at the DNS of a name found that nobody has asked for.
pub async fn domain_looked_at(
    connection: &mut PgConnection, organization: OrganizationId, domain: DomainId, check: &DnsCheck,
) -> Result<()> {
    sqlx::query!(
        "update domains set dns = $3 where organization_id = $1 and id = $2",
        organization.0,
        domain.0,
        Json(check) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}
