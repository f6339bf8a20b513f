//! Every query on `servers` and `server_containers` that requests make.

use super::model::{Server, ServerStatus, StageReached};
use crate::error::{Error, Result};
use crate::platform::http::Reach;
use ocore_shared::ids::{JobId, OrganizationId, ServerId};
use ocore_shared::protocol::inventory::{ContainerInfo, DockerStatus, Facts};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Add a server that waits for its agent.
pub async fn server_insert(
    connection: &mut PgConnection, organization: OrganizationId, id: ServerId, name: &str, description: &str,
    labels: &BTreeMap<String, String>,
) -> Result<()> {
    let done = sqlx::query!(
        "insert into servers (id, organization_id, name, description, labels) values ($1, $2, $3, $4, $5)",
        id.0,
        organization.0,
        name,
        description,
        Json(labels) as _
    )
    .execute(connection)
    .await;
    match done {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(name_taken(name)),
        other => Ok(other.map(|_| ())?),
    }
}

fn name_taken(name: &str) -> Error {
    Error::conflict("name_taken", format!("There is a server named '{name}' already; choose another name."))
}

/// What a list of servers is filtered by.
#[derive(Debug, Default)]
pub struct ServerFilter {
    pub id: Option<Uuid>,
    pub name: Option<String>,
    pub status: Option<Vec<ServerStatus>>,
    pub q: Option<String>,
    /// `key` or `key=value`.
    pub label: Option<(String, Option<String>)>,
    pub before: Option<Uuid>,
    pub limit: i64,
}

/// Servers that the caller may see, newest first. `usage` is filled in by the service.
pub async fn server_list(
    connection: &mut PgConnection, organization: OrganizationId, reach: &Reach, filter: &ServerFilter,
) -> Result<Vec<Server>> {
    let (label, label_value) = match &filter.label {
        Some((key, value)) => (Some(key.as_str()), value.as_deref()),
        None => (None, None),
    };
    let rows = sqlx::query!(
        r#"select s.id, s.name, s.description, s.labels as "labels: Json<BTreeMap<String, String>>", s.schedulable,
               s.status as "status: ServerStatus", s.status_reason,
               s.install_stages as "install_stages: Json<Vec<StageReached>>", s.install_problem,
               s.facts as "facts: Json<Facts>", s.docker as "docker: Json<DockerStatus>", s.agent_version,
               s.last_seen_at, s.version, s.created_at, s.updated_at,
               (select count(*) from instances i where i.server_id = s.id) as "instances_count!"
           from servers s
           where s.organization_id = $1 and ($2 or s.id = any($3))
             and ($4::uuid is null or s.id = $4)
             and ($5::text is null or s.name = $5)
             and ($6::text[] is null or s.status = any($6))
             and ($7::text is null or s.name ilike '%' || $7 || '%' or s.description ilike '%' || $7 || '%'
                  or s.facts ->> 'hostname' ilike '%' || $7 || '%')
             and ($8::text is null or (s.labels ? $8 and ($9::text is null or s.labels ->> $8 = $9)))
             and ($10::uuid is null or s.id < $10)
           order by s.id desc limit $11"#,
        organization.0,
        reach.all,
        &reach.servers,
        filter.id,
        filter.name,
        filter.status.as_deref() as Option<&[ServerStatus]>,
        filter.q,
        label,
        label_value,
        filter.before,
        filter.limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut facts = row.facts.map(|f| f.0);
            if let (Some(facts), Some(docker)) = (&mut facts, row.docker) {
                facts.docker = docker.0;
            }
            Server {
                id: ServerId(row.id),
                name: row.name,
                description: row.description,
                labels: row.labels.0,
                schedulable: row.schedulable,
                status: row.status,
                status_reason: row.status_reason,
                install_stage: row.install_stages.0.last().map(|s| s.stage),
                install_stages: row.install_stages.0,
                install_problem: row.install_problem,
                facts,
                agent_version: row.agent_version,
                last_seen_at: row.last_seen_at,
                usage: None,
                instances_count: row.instances_count,
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
            }
        })
        .collect())
}

/// Change what a person may change.
pub async fn server_update(connection: &mut PgConnection, organization: OrganizationId, server: &Server) -> Result<()> {
    let done = sqlx::query!(
        "update servers set name = $3, description = $4, labels = $5, schedulable = $6, version = version + 1,
             updated_at = now() where id = $1 and organization_id = $2",
        server.id.0,
        organization.0,
        server.name,
        server.description,
        Json(&server.labels) as _,
        server.schedulable
    )
    .execute(connection)
    .await;
    match done {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(name_taken(&server.name)),
        other => Ok(other.map(|_| ())?),
    }
}

/// Mark a server as being removed.
pub async fn server_mark_removing(
    connection: &mut PgConnection, organization: OrganizationId, id: ServerId,
) -> Result<()> {
    sqlx::query!(
        "update servers set status = 'removing', removing_at = coalesce(removing_at, now()), schedulable = false,
             version = version + 1, updated_at = now() where id = $1 and organization_id = $2",
        id.0,
        organization.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Remove a server and what hangs on it. Its instances must be gone, or `force` takes their rows along.
pub async fn server_delete(connection: &mut PgConnection, organization: OrganizationId, id: ServerId) -> Result<()> {
    for table_delete in [
        "delete from secrets where organization_id = $1 and id in (
             select value::uuid from instances i, jsonb_each_text(i.secret_ids)
             where i.organization_id = $1 and i.server_id = $2)",
        "delete from instances where organization_id = $1 and server_id = $2",
        "delete from database_clusters where organization_id = $1 and server_id = $2",
        "delete from servers where organization_id = $1 and id = $2",
    ] {
        sqlx::query(table_delete).bind(organization.0).bind(id.0).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Uninstalls that an agent took on and has had the time for, and that it can no longer tell the end of.
pub async fn uninstall_list_unconfirmed(system: &PgPool) -> Result<Vec<(OrganizationId, JobId)>> {
    let rows = sqlx::query!(
        "select s.organization_id, j.id from servers s join jobs j on j.server_id = s.id
         where s.status = 'removing' and j.kind = 'agent_uninstall' and j.status = 'running'
           and j.started_at < now() - make_interval(secs => j.timeout_seconds)
           and not exists (select from agent_sessions a where a.server_id = s.id)"
    )
    .fetch_all(system)
    .await?;
    Ok(rows.into_iter().map(|r| (OrganizationId(r.organization_id), JobId(r.id))).collect())
}

/// Containers as last reported, by name.
pub async fn container_list(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Vec<ContainerInfo>> {
    let rows = sqlx::query!(
        r#"select info as "info: Json<ContainerInfo>" from server_containers
           where organization_id = $1 and server_id = $2 order by info ->> 'name'"#,
        organization.0,
        server.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.info.0).collect())
}

/// How many instances are on a server.
pub async fn server_count_instances(
    connection: &mut PgConnection, organization: OrganizationId, id: ServerId,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from instances where organization_id = $1 and server_id = $2"#,
        organization.0,
        id.0
    )
    .fetch_one(connection)
    .await?)
}

/// A server by its exact name.
pub async fn server_find_by_name(
    connection: &mut PgConnection, organization: OrganizationId, name: &str,
) -> Result<Option<ServerId>> {
    let id =
        sqlx::query_scalar!("select id from servers where organization_id = $1 and name = $2", organization.0, name)
            .fetch_optional(connection)
            .await?;
    Ok(id.map(ServerId))
}
