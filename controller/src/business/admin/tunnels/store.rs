//! Every query on connected agents for the administrator, through the system's pool: it looks at all of them.

use super::model::{AgentFilter, ConnectedAgent, ReplicaTunnels, Sums};
use crate::error::Result;
use crate::platform::http::Page;
use ocore_shared::ids::{OrganizationId, ReplicaId, ServerId};
use sqlx::PgPool;

/// Connected agents, newest server first.
pub async fn agent_list(system: &PgPool, filter: &AgentFilter<'_>, page: &Page) -> Result<Vec<ConnectedAgent>> {
    let rows = sqlx::query!(
        r#"select a.server_id as "server_id: ServerId", s.name as server_name,
                  a.organization_id as "organization_id: OrganizationId", o.name as organization_name,
                  a.replica_id as "replica_id: ReplicaId", host(a.address) as address, a.session_epoch as epoch,
                  s.agent_version, a.connected_at as connected_since
           from agent_sessions a join servers s on s.id = a.server_id join organizations o on o.id = a.organization_id
           where ($1::text is null or s.name = $1) and ($2::uuid is null or a.organization_id = $2)
             and ($3::uuid is null or a.replica_id = $3) and ($4::uuid is null or a.server_id < $4)
           order by a.server_id desc limit $5"#,
        filter.name,
        filter.organization.map(|organization| organization.0),
        filter.replica,
        page.before()?,
        page.fetch()
    )
    .fetch_all(system)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ConnectedAgent {
            server_id: row.server_id,
            server_name: row.server_name,
            organization_id: row.organization_id,
            organization_name: row.organization_name,
            replica_id: row.replica_id,
            address: row.address,
            epoch: row.epoch,
            agent_version: row.agent_version,
            connected_since: row.connected_since,
            streams: None,
        })
        .collect())
}

pub async fn tunnel_sums(system: &PgPool) -> Result<Sums> {
    let sums = sqlx::query_as!(
        Sums,
        r#"select count(a.server_id) as "connected!",
               count(*) filter (where a.server_id is null and s.last_seen_at is not null) as "disconnected!",
               min(a.connected_at) as oldest, max(a.connected_at) as newest
           from servers s left join agent_sessions a on a.server_id = s.id"#
    )
    .fetch_one(system)
    .await?;
    Ok(sums)
}

/// Processes that gave a sign of life a moment ago.
pub async fn replica_list(system: &PgPool) -> Result<Vec<ReplicaTunnels>> {
    let replicas = sqlx::query_as!(
        ReplicaTunnels,
        r#"select id as "replica_id: ReplicaId", version, seen_at,
               (select count(*) from agent_sessions a where a.replica_id = r.id) as "agents!"
           from replicas r where seen_at > now() - interval '30 seconds' order by started_at"#
    )
    .fetch_all(system)
    .await?;
    Ok(replicas)
}
