//! Every query on `server_proxies`, and those on the jobs that work on proxies.

use super::model::{ProxyMode, ProxyStatus, ServerProxy};
use crate::error::Result;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, SecretId, ServerId};
use ocore_shared::protocol::inventory::Facts;
use ocore_shared::protocol::proxy::{ConsoleSite, SiteAccess};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use std::net::IpAddr;

struct ProxyRow {
    server_id: uuid::Uuid,
    mode: ProxyMode,
    http_port: i32,
    https_port: i32,
    image: String,
    acme_email: Option<String>,
    acme_directory: Option<String>,
    acme_ca_certificate: Option<String>,
    zone: Option<String>,
    status: ProxyStatus,
    status_message: Option<String>,
    applied_at: Option<DateTime<Utc>>,
    wished_digest: Option<Vec<u8>>,
    console_host: Option<String>,
    version: i64,
}

/// A proxy, and what the newest job was told of it.
pub struct Stored {
    pub proxy: ServerProxy,
    pub wished_digest: Option<Vec<u8>>,
}

impl From<ProxyRow> for Stored {
    fn from(row: ProxyRow) -> Self {
        let proxy = ServerProxy {
            server_id: ServerId(row.server_id),
            mode: row.mode,
            // The table holds nothing else.
            http_port: u16::try_from(row.http_port).unwrap_or(80),
            https_port: u16::try_from(row.https_port).unwrap_or(443),
            image: row.image,
            acme_email: row.acme_email,
            acme_directory: row.acme_directory,
            acme_ca_certificate: row.acme_ca_certificate,
            zone: row.zone,
            status: row.status,
            status_message: row.status_message,
            applied_at: row.applied_at,
            console_host: row.console_host.filter(|_| row.mode == ProxyMode::Managed),
            version: row.version,
        };
        Self { proxy, wished_digest: row.wished_digest }
    }
}

/// The columns of [`ProxyRow`] of a server.
macro_rules! proxy_query {
    ($lock:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            ProxyRow,
            r#"select server_id, mode as "mode: ProxyMode", http_port, https_port, image, acme_email, acme_directory,
                   acme_ca_certificate, zone, status as "status: ProxyStatus", status_message, applied_at,
                   wished_digest, version, (select c.host from console_names c join servers s
                       on s.facts ->> 'machine' = c.machine where s.id = server_id) as "console_host?"
               from server_proxies where organization_id = $1 and server_id = $2 "# + $lock,
            $($argument),+
        )
    };
}

/// A server's proxy, where one was ever set.
pub async fn proxy_get(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Option<ServerProxy>> {
    let row = proxy_query!("", organization.0, server.0).fetch_optional(connection).await?;
    Ok(row.map(|row| Stored::from(row).proxy))
}

/// The same, kept for this transaction: whoever changes what a proxy is to do takes its turn here.
pub async fn proxy_lock(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Option<Stored>> {
    let row = proxy_query!("for update", organization.0, server.0).fetch_optional(connection).await?;
    Ok(row.map(Stored::from))
}

/// Write what is wished, new or changed. False: somebody else was faster.
pub async fn proxy_write(
    connection: &mut PgConnection, organization: OrganizationId, proxy: &ServerProxy, version: i64,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into server_proxies (server_id, organization_id, mode, http_port, https_port, image, acme_email,
             acme_directory, acme_ca_certificate, zone)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (server_id) do update set mode = excluded.mode, http_port = excluded.http_port,
             https_port = excluded.https_port, image = excluded.image, acme_email = excluded.acme_email,
             acme_directory = excluded.acme_directory, acme_ca_certificate = excluded.acme_ca_certificate,
             zone = excluded.zone, version = server_proxies.version + 1, updated_at = now()
         where server_proxies.organization_id = excluded.organization_id and server_proxies.version = $11",
        proxy.server_id.0,
        organization.0,
        proxy.mode as ProxyMode,
        i32::from(proxy.http_port),
        i32::from(proxy.https_port),
        proxy.image,
        proxy.acme_email,
        proxy.acme_directory,
        proxy.acme_ca_certificate,
        proxy.zone,
        version
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A job was told that wish.
pub async fn proxy_asked(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, digest: &[u8],
) -> Result<()> {
    sqlx::query!(
        "update server_proxies set status = 'pending', status_message = null, wished_digest = $3, updated_at = now()
         where organization_id = $1 and server_id = $2",
        organization.0,
        server.0,
        digest
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How a job ended, if none is open that comes after it.
pub async fn proxy_settled(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, status: ProxyStatus,
    message: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "update server_proxies set status = $3, status_message = $4, updated_at = now(),
             applied_at = case when $3 = 'failed' then applied_at else now() end
         where organization_id = $1 and server_id = $2
           and not exists (select from jobs where server_id = $2 and kind = 'proxy_apply'
                           and status in ('queued', 'dispatched', 'running'))",
        organization.0,
        server.0,
        status as ProxyStatus,
        message
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A job on a server's proxy that its agent surely has not heard of; it stays so for this transaction.
pub async fn proxy_job_unsent(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Option<JobId>> {
    let id = sqlx::query_scalar!(
        "select id from jobs where organization_id = $1 and server_id = $2 and kind = 'proxy_apply'
           and status = 'queued' and attempts = 0 and cancel_requested_at is null
         order by id desc limit 1 for update",
        organization.0,
        server.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(JobId))
}

/// Tell a job that was not sent something newer.
pub async fn proxy_job_replace(
    connection: &mut PgConnection, organization: OrganizationId, job: JobId, input: &Value,
    secrets: &BTreeMap<String, SecretId>,
) -> Result<()> {
    sqlx::query!(
        "update jobs set input = $3, secret_ids = $4, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        job.0,
        input,
        Json(secrets) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a job works on a server's proxy, or is about to.
pub async fn proxy_is_busy(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from jobs where organization_id = $1 and server_id = $2 and kind = 'proxy_apply'
               and status in ('queued', 'dispatched', 'running')) as "busy!""#,
        organization.0,
        server.0
    )
    .fetch_one(connection)
    .await?)
}

/// A job on a server's proxy has ended: let the next one go.
pub async fn proxy_job_release(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<()> {
    sqlx::query!(
        "update jobs set waiting = false, run_at = now() where id = (
             select id from jobs where organization_id = $1 and server_id = $2 and kind = 'proxy_apply' and waiting
               and status = 'queued' order by id limit 1)
           and not exists (select from jobs r where r.organization_id = $1 and r.server_id = $2
               and r.kind = 'proxy_apply' and not r.waiting and r.status in ('queued', 'dispatched', 'running'))",
        organization.0,
        server.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Addresses of a server: those of its interfaces, and the one that its agent connects from.
pub async fn server_addresses(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Vec<IpAddr>> {
    let row = sqlx::query!(
        r#"select facts as "facts: Json<Facts>",
                  (select host(a.address) from agent_sessions a where a.server_id = s.id) as session
           from servers s where organization_id = $1 and id = $2"#,
        organization.0,
        server.0
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let own = row.facts.map(|facts| facts.0.addresses).unwrap_or_default();
    let mut all: Vec<IpAddr> = Vec::new();
    for address in own.into_iter().chain(row.session).filter_map(|address| address.parse::<IpAddr>().ok()) {
        let address = address.to_canonical();
        if !address.is_loopback() && !all.contains(&address) {
            all.push(address);
        }
    }
    Ok(all)
}

/// What every server's proxy is compared with its wish for.
pub async fn proxy_list_kept(system: &PgPool) -> Result<Vec<(OrganizationId, ServerId)>> {
    let rows = sqlx::query!(
        "select p.organization_id, p.server_id from server_proxies p join servers s on s.id = p.server_id
         where (p.mode = 'managed' or p.status <> 'off') and s.removing_at is null"
    )
    .fetch_all(system)
    .await?;
    Ok(rows.into_iter().map(|row| (OrganizationId(row.organization_id), ServerId(row.server_id))).collect())
}

/// A name as the proxy of its server is to serve it.
pub struct SiteRow {
    pub host: String,
    pub instance: InstanceId,
    pub verified: bool,
    pub uploaded_chain: Option<String>,
    pub key_secret: Option<SecretId>,
    pub access: SiteAccess,
    pub redirect_to_primary: bool,
    /// Where it is served itself.
    pub primary_host: Option<String>,
    pub environment_type: String,
}

/// All names of a server's instances, in an order that stays the same.
pub async fn site_list(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Vec<SiteRow>> {
    let rows = sqlx::query!(
        r#"select d.host, d.instance_id, d.verified_at is not null as "verified!", d.uploaded_chain, d.key_secret_id,
                  d.access as "access: Json<SiteAccess>", d.redirect_to_primary, e.type as environment_type,
                  (select p.host from domains p where p.instance_id = i.id and p.is_primary and p.activated_at is not null)
                      as primary_host
           from domains d join instances i on i.id = d.instance_id join environments e on e.id = i.environment_id
           where d.organization_id = $1 and i.server_id = $2 and i.desired_state <> 'removed' order by d.host"#,
        organization.0,
        server.0
    )
    .fetch_all(connection)
    .await?;
    let site = rows.into_iter().map(|row| SiteRow {
        host: row.host,
        instance: InstanceId(row.instance_id),
        verified: row.verified,
        uploaded_chain: row.uploaded_chain,
        key_secret: row.key_secret_id.map(SecretId),
        access: row.access.0,
        redirect_to_primary: row.redirect_to_primary,
        primary_host: row.primary_host,
        environment_type: row.environment_type,
    });
    Ok(site.collect())
}

/// The controller that shares a machine with a server, if it has a name.
pub async fn console_get(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Option<ConsoleSite>> {
    let row = sqlx::query!(
        "select c.host, c.directory from console_names c join servers s on s.facts ->> 'machine' = c.machine
         where s.organization_id = $1 and s.id = $2",
        organization.0,
        server.0
    );
    let row = row.fetch_optional(connection).await?;
    Ok(row.map(|row| ConsoleSite { host: row.host, directory: row.directory }))
}

/// What this machine's controller is called from now on; None: it has no name.
pub async fn console_set(system: &PgPool, machine: &str, console: Option<&ConsoleSite>) -> Result<()> {
    match console {
        Some(console) => {
            sqlx::query!(
                "insert into console_names (machine, host, directory) values ($1, $2, $3)
                 on conflict (machine) do update set host = excluded.host, directory = excluded.directory,
                     updated_at = now()",
                machine,
                console.host,
                console.directory
            )
            .execute(system)
            .await?
        }
        None => sqlx::query!("delete from console_names where machine = $1", machine).execute(system).await?,
    };
    Ok(())
}

/// How many domains of a server's instances people have added.
pub async fn domain_count_by_hand(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from domains d join instances i on i.id = d.instance_id
           where d.organization_id = $1 and i.server_id = $2 and not d.automatic"#,
        organization.0,
        server.0
    )
    .fetch_one(connection)
    .await?)
}

pub async fn server_name(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Option<String>> {
    let name = sqlx::query_scalar!(
        "select name from servers where organization_id = $1 and id = $2",
        organization.0,
        server.0
    );
    Ok(name.fetch_optional(connection).await?)
}
