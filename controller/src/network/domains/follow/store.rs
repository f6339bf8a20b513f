//! Queries by which domains change instances, and a server's zone gives names to them.

use crate::error::Result;
use crate::network::proxies::model::ProxyMode;
use ocore_shared::ids::{DomainId, InstanceId, OrganizationId, SecretId, ServerId};
use ocore_shared::protocol::odoo::InstanceSpec;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;

/// Instances of a server that have domains, or are made as if they had.
pub async fn instance_list_named(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Vec<InstanceId>> {
    let rows = sqlx::query_scalar!(
        "select i.id from instances i where i.organization_id = $1 and i.server_id = $2
           and (i.spec ->> 'has_proxy' = 'true' or i.spec ? 'public_host'
                or exists (select from domains d where d.instance_id = i.id))
         order by i.id",
        organization.0,
        server.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(InstanceId).collect())
}

/// Names that a zone gives to a server's instances, or to one of them.
pub async fn instance_list_slugs(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, instance: Option<InstanceId>,
) -> Result<Vec<(InstanceId, String)>> {
    let rows = sqlx::query!(
        "select id, slug from instances where organization_id = $1 and server_id = $2 and ($3::uuid is null or id = $3)
           and container_id is not null and desired_state <> 'removed' order by id",
        organization.0,
        server.0,
        instance.map(|id| id.0)
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (InstanceId(row.id), row.slug)).collect())
}

/// Names of a server's instances that its zone gave them and gives them no more.
pub async fn domain_list_outside(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, zone: Option<&str>,
) -> Result<Vec<(InstanceId, DomainId)>> {
    let rows = sqlx::query!(
        "select d.instance_id, d.id from domains d join instances i on i.id = d.instance_id
         where d.organization_id = $1 and i.server_id = $2 and d.automatic
           and ($3::text is null or d.host <> i.slug || '.' || $3)",
        organization.0,
        server.0,
        zone
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (InstanceId(row.instance_id), DomainId(row.id))).collect())
}

/// An instance as domains find it.
pub struct Followed {
    pub name: String,
    pub server: ServerId,
    pub spec: InstanceSpec,
    pub secrets: BTreeMap<String, SecretId>,
    pub version: i64,
    /// The generation of the spec that is in force on the server.
    pub observed_generation: i64,
    pub has_container: bool,
    pub is_removed: bool,
    /// A job works on it, or is about to.
    pub busy: bool,
    pub mode: ProxyMode,
    /// It has been reached by some name.
    pub is_reached: bool,
    /// Its primary name, or another one while it has not been reached by that.
    pub primary_host: Option<String>,
}

/// An instance and what its domains make of it, kept for this transaction.
pub async fn instance_followed(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId,
) -> Result<Option<Followed>> {
    let row = sqlx::query!(
        r#"select i.name, i.server_id, i.spec as "spec: Json<InstanceSpec>",
                  i.secret_ids as "secrets: Json<BTreeMap<String, SecretId>>", i.version,
                  i.observed_generation, i.container_id is not null as "has_container!", i.desired_state = 'removed' as "is_removed!",
                  exists (select from jobs j where j.instance_id = i.id
                      and j.status in ('queued', 'dispatched', 'running')) as "busy!",
                  coalesce((select p.mode from server_proxies p where p.server_id = i.server_id), 'none')
                      as "mode!: ProxyMode",
                  exists (select from domains d where d.instance_id = i.id and d.activated_at is not null)
                      as "is_reached!",
                  (select d.host from domains d where d.instance_id = i.id and d.activated_at is not null
                   order by d.is_primary desc, d.automatic, d.id limit 1) as primary_host
           from instances i where i.organization_id = $1 and i.id = $2 for no key update of i"#,
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Followed {
        name: row.name,
        server: ServerId(row.server_id),
        spec: row.spec.0,
        secrets: row.secrets.0,
        version: row.version,
        observed_generation: row.observed_generation,
        has_container: row.has_container,
        is_removed: row.is_removed,
        busy: row.busy,
        mode: row.mode,
        is_reached: row.is_reached,
        primary_host: row.primary_host,
    }))
}
