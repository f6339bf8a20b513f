//! Every query by which reports of agents change instances.

use crate::apps::instances::model::{InstanceHealth, InstanceStatus};
use crate::error::Result;
use ocore_shared::ids::{EnvironmentId, InstanceId, JobId, OrganizationId, ServerId};
use ocore_shared::protocol::inventory::ContainerInfo;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// An instance as a report finds it.
pub struct Present {
    pub name: String,
    pub environment: EnvironmentId,
    pub status: InstanceStatus,
    pub health: InstanceHealth,
    pub desired: String,
    pub container: Option<String>,
    /// A job works on it, or is about to.
    pub busy: bool,
}

/// Lock an instance for a report; with `server`, only one that is there.
pub async fn instance_lock(
    connection: &mut PgConnection, organization: OrganizationId, server: Option<ServerId>, id: Uuid,
) -> Result<Option<Present>> {
    let row = sqlx::query!(
        r#"select name, environment_id, status as "status: InstanceStatus", health as "health: InstanceHealth", desired_state,
               container_id,
               exists (select from jobs j where j.instance_id = instances.id and not j.waiting
                   and j.status in ('queued', 'dispatched', 'running')) as "busy!"
           from instances where organization_id = $1 and id = $2 and ($3::uuid is null or server_id = $3) for no key update"#,
        organization.0,
        id,
        server.map(|s| s.0)
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| Present {
        name: r.name,
        environment: EnvironmentId(r.environment_id),
        status: r.status,
        health: r.health,
        desired: r.desired_state,
        container: r.container_id,
        busy: r.busy,
    }))
}

/// Odoo's container of an instance, as its server has last reported it.
pub async fn instance_container(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId,
) -> Result<Option<ContainerInfo>> {
    let row = sqlx::query_scalar!(
        r#"select c.info as "info: Json<ContainerInfo>" from instances i join server_containers c
               on c.server_id = i.server_id and c.instance_id = i.id and c.role = 'odoo' and c.info -> 'managed' = 'true'
           where i.organization_id = $1 and i.id = $2
           order by (c.info ->> 'created_at')::timestamptz desc nulls last limit 1"#,
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|info| info.0))
}

/// Instances of a server that should have a container and have none, when nobody works on them: with `container`, only
/// the one whose it was. They are in error from now on.
pub async fn instance_mark_lost(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, container: Option<&str>,
    reason: &str,
) -> Result<Vec<(InstanceId, String)>> {
    let rows = sqlx::query!(
        "update instances i set status = 'error', status_reason = $4, health = 'unknown', version = version + 1,
             updated_at = now()
         where i.organization_id = $1 and i.server_id = $2 and i.status = 'running'
           and ($3::text is null or i.container_id = $3)
           and not exists (select from server_containers c where c.server_id = i.server_id and c.instance_id = i.id
               and c.role = 'odoo' and c.info -> 'managed' = 'true')
           and not exists (select from jobs j where j.instance_id = i.id and not j.waiting
               and j.status in ('queued', 'dispatched', 'running'))
         returning i.id, i.name",
        organization.0,
        server.0,
        container,
        reason
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| (InstanceId(r.id), r.name)).collect())
}

/// What a job was told to apply is in force.
pub async fn instance_applied(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, job: JobId,
) -> Result<()> {
    sqlx::query!(
        "update instances i
         set observed_generation = coalesce((coalesce(j.input -> 'spec', j.input) ->> 'generation')::bigint, i.observed_generation)
         from jobs j where i.id = $1 and i.organization_id = $2 and j.id = $3 and j.organization_id = $2",
        id.0,
        organization.0,
        job.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The first report of its provisioning has come.
pub async fn instance_provisioning(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId,
) -> Result<()> {
    sqlx::query!(
        "update instances set status = 'provisioning', updated_at = now()
         where id = $1 and organization_id = $2 and status = 'pending'",
        id.0,
        organization.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What a job's end or an observation changes.
#[derive(Debug, Default)]
pub struct Outcome<'a> {
    /// What is wished, where that is not what was wished last.
    pub desired: Option<&'a str>,
    pub status: Option<InstanceStatus>,
    pub reason: Option<&'a str>,
    pub health: Option<InstanceHealth>,
    pub container: Option<&'a str>,
    pub image_digest: Option<&'a str>,
    pub http_port: Option<i32>,
    /// None within: it has no port of its own any more.
    pub realtime_port: Option<Option<i32>>,
}

pub async fn instance_outcome(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, outcome: &Outcome<'_>,
) -> Result<()> {
    sqlx::query!(
        "update instances set status = coalesce($3, status), status_reason = $4, health = coalesce($5, health),
             container_id = coalesce($6, container_id), image_digest = coalesce($7, image_digest),
             http_port = coalesce($8, http_port), desired_state = coalesce($9, desired_state),
             realtime_port = case when $10 then $11 else realtime_port end,
             version = version + 1, updated_at = now()
         where id = $1 and organization_id = $2",
        id.0,
        organization.0,
        outcome.status as Option<InstanceStatus>,
        outcome.reason,
        outcome.health as Option<InstanceHealth>,
        outcome.container,
        outcome.image_digest,
        outcome.http_port,
        outcome.desired,
        outcome.realtime_port.is_some(),
        outcome.realtime_port.flatten()
    )
    .execute(connection)
    .await?;
    Ok(())
}
