//! Every query of agents' connections and reports.

use crate::error::{Error, Result};
use crate::fleet::servers::model::ServerStatus;
use crate::platform::pki::AgentName;
use crate::platform::tunnel::Tunnel;
use ocore_shared::ids::{OrganizationId, ReplicaId, ServerId};
use ocore_shared::protocol::inventory::{ContainerInfo, DockerStatus, Facts};
use sqlx::types::Json;
use sqlx::types::ipnetwork::IpNetwork;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use uuid::Uuid;

/// The identity must be known, not revoked, and its server must exist.
pub async fn identity_check(connection: &mut PgConnection, name: &AgentName) -> Result<()> {
    let row = sqlx::query!(
        r#"select i.revoked_at is not null as "revoked!", s.status as "status: ServerStatus"
           from server_identities i join servers s on s.id = i.server_id
           where i.serial = $1 and i.server_id = $2 and i.organization_id = $3"#,
        name.serial,
        name.server.0,
        name.organization.0
    )
    .fetch_optional(connection)
    .await?;
    match row {
        Some(row) if !row.revoked => Ok(()),
        Some(_) => Err(Error::forbidden(
            "certificate_revoked",
            "This server's certificate was revoked or replaced; run a new install command on it.",
        )),
        None => Err(Error::forbidden(
            "server_unknown",
            "This controller does not know this server (any more); run a new install command on it.",
        )),
    }
}

/// Serials of these that are revoked or gone.
pub async fn identity_list_revoked(system: &PgPool, serials: &[String]) -> Result<Vec<String>> {
    let rows = sqlx::query_scalar!(
        r#"select given as "given!" from unnest($1::text[]) given
           where not exists (select from server_identities i where i.serial = given and i.revoked_at is null)"#,
        serials
    )
    .fetch_all(system)
    .await?;
    Ok(rows)
}

/// End all identities of a server.
pub async fn identity_revoke(connection: &mut PgConnection, server: ServerId) -> Result<()> {
    sqlx::query!(
        "update server_identities set revoked_at = coalesce(revoked_at, now()) where server_id = $1",
        server.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What a new session starts from.
pub struct SessionStart {
    pub epoch: i64,
    /// Epoch of the newest session that counted.
    pub confirmed_epoch: i64,
    pub journal: Option<Uuid>,
    pub journal_seq: i64,
    pub server_name: String,
    pub status: ServerStatus,
}

/// Take the next epoch and offer a join state.
pub async fn session_start(system: &PgPool, name: &AgentName, offered: &str) -> Result<SessionStart> {
    let mut tx = system.begin().await?;
    let epoch = sqlx::query_scalar!(r#"select nextval('session_epochs') as "epoch!""#).fetch_one(&mut *tx).await?;
    sqlx::query!("update server_identities set join_state_offered = $2 where serial = $1", name.serial, offered)
        .execute(&mut *tx)
        .await?;
    let row = sqlx::query!(
        r#"select session_epoch, journal_id, journal_seq, name, status as "status: ServerStatus"
           from servers where id = $1"#,
        name.server.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("server"))?;
    tx.commit().await?;
    Ok(SessionStart {
        epoch,
        confirmed_epoch: row.session_epoch,
        journal: row.journal_id,
        journal_seq: row.journal_seq,
        server_name: row.name,
        status: row.status,
    })
}

/// Whether a session is the newest one of its server.
pub async fn session_is_newest(connection: &mut PgConnection, server: ServerId, epoch: i64) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from servers where id = $1 and session_epoch = $2) as "newest!""#,
        server.0,
        epoch
    )
    .fetch_one(connection)
    .await?)
}

/// Those of these sessions that a newer one, perhaps on another replica, has taken the place of.
pub async fn session_list_fenced(system: &PgPool, servers: &[Uuid], epochs: &[i64]) -> Result<Vec<Uuid>> {
    let rows = sqlx::query_scalar!(
        "select s.id from servers s join unnest($1::uuid[], $2::bigint[]) as here (id, epoch) on here.id = s.id
         where s.session_epoch > here.epoch",
        servers,
        epochs
    )
    .fetch_all(system)
    .await?;
    Ok(rows)
}

/// What an agent has said of itself when its session opened.
pub struct Opened<'a> {
    pub epoch: i64,
    pub replica: ReplicaId,
    pub address: std::net::IpAddr,
    pub offered: &'a str,
    pub agent_version: &'a str,
    pub features: &'a [String],
    pub job_kinds: &'a [String],
    pub journal: Uuid,
    pub journal_seq: i64,
}

/// The session counts: fence older ones, confirm the join state. False: a newer session was faster.
pub async fn session_confirm(connection: &mut PgConnection, name: &AgentName, opened: &Opened<'_>) -> Result<bool> {
    let done = sqlx::query!(
        "update servers set session_epoch = $2, agent_version = $3, features = $4, job_kinds = $5, journal_id = $6,
             journal_seq = $7, last_seen_at = now(), updated_at = now(),
             status = case when status in ('removing', 'maintenance') then status else 'online' end, status_reason = null
         where id = $1 and session_epoch < $2",
        name.server.0,
        opened.epoch,
        opened.agent_version,
        opened.features,
        opened.job_kinds,
        opened.journal,
        opened.journal_seq
    )
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "update server_identities set join_state_confirmed = $2 where serial = $1 and join_state_offered = $2",
        name.serial,
        opened.offered
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into agent_sessions (server_id, organization_id, replica_id, session_epoch, address)
         values ($1, $2, $3, $4, $5)
         on conflict (server_id) do update set replica_id = $3, session_epoch = $4, address = $5, connected_at = now()",
        name.server.0,
        name.organization.0,
        opened.replica.0,
        opened.epoch,
        IpNetwork::from(opened.address) as _
    )
    .execute(connection)
    .await?;
    Ok(true)
}

/// A session ended. None: a newer one has taken over, or the server is being removed.
pub async fn session_end(connection: &mut PgConnection, server: ServerId, epoch: i64) -> Result<Option<String>> {
    sqlx::query!("delete from agent_sessions where server_id = $1 and session_epoch = $2", server.0, epoch)
        .execute(&mut *connection)
        .await?;
    let name = sqlx::query_scalar!(
        "update servers set status = 'offline', status_reason = 'The agent is not connected.', updated_at = now()
         where id = $1 and session_epoch = $2 and status in ('online', 'degraded') returning name",
        server.0,
        epoch
    )
    .fetch_optional(connection)
    .await?;
    Ok(name)
}

/// Why a server that is not connected cannot connect.
pub async fn session_refused(fleet: &PgPool, server: ServerId, reason: &str) -> Result<()> {
    sqlx::query!(
        "update servers set status_reason = $2, updated_at = now()
         where id = $1 and status in ('provisioning', 'offline') and status_reason is distinct from $2",
        server.0,
        reason
    )
    .execute(fleet)
    .await?;
    Ok(())
}

/// Servers that this database believes connected though their replica has died. With the embedded database this
/// replica is the only one, so all others are dead; else those that were not seen for 10 s are.
pub async fn session_end_all_of_dead_replicas(system: &PgPool, own: ReplicaId, alone: bool) -> Result<()> {
    sqlx::query!(
        "with gone as (delete from agent_sessions where replica_id <> $1 and ($2 or replica_id not in (
             select id from replicas where seen_at > now() - interval '10 seconds')) returning server_id)
         update servers set status = 'offline', status_reason = 'The controller has restarted; the agent is reconnecting.'
         where id in (select server_id from gone) and status in ('online', 'degraded')",
        own.0,
        alone
    )
    .execute(system)
    .await?;
    Ok(())
}

/// Live tunnels whose sessions another replica took for dead count again. Returns their servers.
pub async fn session_reassert(system: &PgPool, replica: ReplicaId, tunnels: &[Arc<Tunnel>]) -> Result<Vec<ServerId>> {
    let rows = sqlx::query_scalar!(
        r#"with live as (
               select s.id, s.organization_id, s.session_epoch, l.address
               from unnest($2::uuid[], $3::bigint[], $4::inet[]) as l (id, epoch, address)
               join servers s on s.id = l.id and s.session_epoch = l.epoch
           ), asserted as (
               insert into agent_sessions (server_id, organization_id, replica_id, session_epoch, address)
               select l.id, l.organization_id, $1, l.session_epoch, l.address from live l
               where not exists (select from agent_sessions a where a.server_id = l.id and a.session_epoch >= l.session_epoch)
               on conflict (server_id) do update set replica_id = excluded.replica_id,
                   session_epoch = excluded.session_epoch, address = excluded.address, connected_at = now()
                   where agent_sessions.session_epoch < excluded.session_epoch
               returning server_id
           ), shown as (
               update servers s set updated_at = now(),
                   status = case when s.docker -> 'available' = 'false' then 'degraded' else 'online' end,
                   status_reason = case when s.docker -> 'available' = 'false'
                                        then coalesce(s.docker ->> 'problem', 'Docker does not answer.') end
               from live l where s.id = l.id and s.session_epoch = l.session_epoch and s.status = 'offline'
               returning s.id
           )
           select server_id as "id!" from asserted union select id from shown"#,
        replica.0,
        &tunnels.iter().map(|t| t.server.0).collect::<Vec<_>>(),
        &tunnels.iter().map(|t| t.epoch).collect::<Vec<_>>(),
        &tunnels.iter().map(|t| IpNetwork::from(t.address)).collect::<Vec<_>>(),
    )
    .fetch_all(system)
    .await?;
    Ok(rows.into_iter().map(ServerId).collect())
}

/// Facts of a server.
pub async fn facts_store(connection: &mut PgConnection, server: ServerId, facts: &Facts) -> Result<()> {
    sqlx::query!(
        "update servers set facts = $2, docker = $3, updated_at = now() where id = $1",
        server.0,
        Json(facts) as _,
        Json(&facts.docker) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Docker came or went: the status follows. True: it changed.
pub async fn docker_store(
    connection: &mut PgConnection, server: ServerId, docker: &DockerStatus, status: ServerStatus, reason: Option<&str>,
) -> Result<bool> {
    sqlx::query!("update servers set docker = $2 where id = $1", server.0, Json(docker) as _)
        .execute(&mut *connection)
        .await?;
    let done = sqlx::query!(
        "update servers set status = $2, status_reason = $3, updated_at = now()
         where id = $1 and status in ('online', 'degraded', 'offline') and (status <> $2 or status_reason is distinct from $3)",
        server.0,
        status as ServerStatus,
        reason
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Remember up to where the journal of this session's agent has been taken in.
pub async fn journal_position_store(
    connection: &mut PgConnection, server: ServerId, journal: Uuid, seq: i64,
) -> Result<()> {
    sqlx::query!(
        "update servers set journal_seq = greatest(journal_seq, $3) where id = $1 and journal_id = $2",
        server.0,
        journal,
        seq
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A container as reported now.
pub async fn container_store(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, container: &ContainerInfo,
) -> Result<()> {
    let instance: Option<Uuid> = container.labels.get("sh.ocore.instance").and_then(|id| id.parse().ok());
    sqlx::query!(
        "insert into server_containers (server_id, organization_id, container_id, instance_id, role, info)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (server_id, container_id) do update set instance_id = $4, role = $5, info = $6, updated_at = now()",
        server.0,
        organization.0,
        container.id,
        instance,
        container.labels.get("sh.ocore.role").cloned(),
        Json(container) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A container is gone.
pub async fn container_delete(connection: &mut PgConnection, server: ServerId, id: &str) -> Result<()> {
    sqlx::query!("delete from server_containers where server_id = $1 and container_id = $2", server.0, id)
        .execute(connection)
        .await?;
    Ok(())
}

/// All containers of a server: what is not listed does not exist.
pub async fn container_retain(connection: &mut PgConnection, server: ServerId, ids: &[String]) -> Result<()> {
    sqlx::query!("delete from server_containers where server_id = $1 and container_id <> all($2)", server.0, ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// Agents that are connected here were seen now.
pub async fn last_seen_store(system: &PgPool, servers: &[Uuid]) -> Result<()> {
    sqlx::query!("update servers set last_seen_at = now() where id = any($1)", servers).execute(system).await?;
    Ok(())
}

/// This replica lives.
pub async fn replica_seen(system: &PgPool, replica: ReplicaId, version: &str) -> Result<()> {
    sqlx::query!(
        "insert into replicas (id, version) values ($1, $2) on conflict (id) do update set seen_at = now()",
        replica.0,
        version
    )
    .execute(system)
    .await?;
    Ok(())
}
