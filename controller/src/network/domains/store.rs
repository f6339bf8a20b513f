//! Every query on `domains`, and those by which they change instances.

use super::access::DomainAccess;
use super::model::{CertificateSource, DnsCheck, Domain, DomainCertificate, DomainDns, DomainState};
use super::names::readable;
use crate::error::{Error, Result};
use crate::network::proxies::model::ProxyMode;
use crate::platform::http::Page;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{DomainId, InstanceId, JobId, OrganizationId, SecretId, ServerId};
use ocore_shared::protocol::proxy::{CertificateInfo, NameCheck, SiteAccess};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

struct DomainRow {
    id: Uuid,
    instance_id: Uuid,
    host: String,
    is_primary: bool,
    automatic: bool,
    state: DomainState,
    reason: Option<String>,
    retry_at: Option<DateTime<Utc>>,
    dns: Option<Json<DnsCheck>>,
    verified_at: Option<DateTime<Utc>>,
    uploaded: bool,
    not_before: Option<DateTime<Utc>>,
    not_after: Option<DateTime<Utc>>,
    issuer: Option<String>,
    serial: Option<String>,
    access: Json<SiteAccess>,
    redirect_to_primary: bool,
    reach: Option<Json<Reach>>,
    active_job_id: Option<Uuid>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A domain, and what of it is not shown.
#[derive(Clone)]
pub struct Stored {
    /// Without the records to set and the snippets, which take its server's addresses.
    pub domain: Domain,
    pub access: SiteAccess,
    pub verified: bool,
    /// What was found through somebody's own proxy.
    pub reach: Option<Reach>,
}

/// What a server has found when it asked for a name through somebody's own proxy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reach {
    #[serde(flatten)]
    pub check: NameCheck,
    pub checked_at: DateTime<Utc>,
}

impl From<DomainRow> for Stored {
    fn from(row: DomainRow) -> Self {
        let source = if row.uploaded { CertificateSource::Uploaded } else { CertificateSource::Acme };
        let domain = Domain {
            id: DomainId(row.id),
            instance_id: InstanceId(row.instance_id),
            name: readable(&row.host),
            url: format!("https://{}", row.host),
            host: row.host,
            is_primary: row.is_primary,
            automatic: row.automatic,
            state: row.state,
            reason: row.reason,
            retry_at: row.retry_at,
            dns: DomainDns { records: Vec::new(), checked: row.dns.map(|dns| dns.0) },
            certificate: DomainCertificate {
                source,
                not_before: row.not_before,
                not_after: row.not_after,
                issuer: row.issuer,
                serial: row.serial,
            },
            access: DomainAccess::new(&row.access.0, row.redirect_to_primary),
            reach: None,
            snippets: None,
            active_job_id: row.active_job_id.map(JobId),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Self { domain, access: row.access.0, verified: row.verified_at.is_some(), reach: row.reach.map(|r| r.0) }
    }
}

/// The columns of [`DomainRow`], of the rows that the rest of the query says.
macro_rules! domain_query {
    ($rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            DomainRow,
            r#"select id, instance_id, host, is_primary, automatic, state as "state: DomainState", reason, retry_at,
                   dns as "dns: Json<DnsCheck>", verified_at, uploaded_chain is not null as "uploaded!", not_before,
                   not_after, issuer, serial, access as "access: Json<SiteAccess>", redirect_to_primary,
                   reach as "reach: Json<Reach>",
                   (select j.id from jobs j
                    where j.server_id = (select i.server_id from instances i where i.id = domains.instance_id)
                      and j.status in ('queued', 'dispatched', 'running')
                      and (j.kind = 'certificate_issue' and j.subject ->> 'id' = domains.id::text
                           or j.kind = 'proxy_apply' and domains.state = 'issuing')
                    order by j.kind, j.id limit 1) as active_job_id, version, created_at, updated_at
               from domains "# + $rest,
            $($argument),+
        )
    };
}

/// Domains of an instance, newest first.
pub async fn domain_list(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId, page: &Page,
) -> Result<Vec<Stored>> {
    let rows = domain_query!(
        "where organization_id = $1 and instance_id = $2 and ($3::uuid is null or id < $3) order by id desc limit $4",
        organization.0,
        instance.0,
        page.before()?,
        page.fetch()
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(Stored::from).collect())
}

pub async fn domain_get(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId, id: DomainId,
) -> Result<Option<Stored>> {
    let row =
        domain_query!("where organization_id = $1 and instance_id = $2 and id = $3", organization.0, instance.0, id.0);
    Ok(row.fetch_optional(connection).await?.map(Stored::from))
}

/// A domain whatever its instance is, kept for this transaction.
pub async fn domain_lock(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId,
) -> Result<Option<Stored>> {
    let row = domain_query!("where organization_id = $1 and id = $2 for update", organization.0, id.0);
    Ok(row.fetch_optional(connection).await?.map(Stored::from))
}

/// Domains of a server's instances that wait for their certificate.
pub async fn domain_list_issuing(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Vec<Stored>> {
    let rows = domain_query!(
        "where organization_id = $1 and state = 'issuing'
           and instance_id in (select id from instances where organization_id = $1 and server_id = $2)
         order by id for update",
        organization.0,
        server.0
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(Stored::from).collect())
}

/// Domains of a server's instances that the proxy there may know more of.
pub async fn domain_list_of_server(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Vec<Stored>> {
    let rows = domain_query!(
        "where organization_id = $1 and verified_at is not null and uploaded_chain is null
           and instance_id in (select id from instances where organization_id = $1 and server_id = $2)
         order by id for update",
        organization.0,
        server.0
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(Stored::from).collect())
}

/// Add a domain: the first of an instance is its primary one. False: the name is taken, by whomever, or the controller's. An attempt that was
/// refused leaves the transaction as it was.
pub async fn domain_insert(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId, instance: InstanceId, host: &str,
    automatic: bool,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into domains (id, organization_id, instance_id, host, automatic, is_primary)
         select $1, $2, $3, $4, $5, not exists (select from domains where organization_id = $2 and instance_id = $3
             and is_primary)
         where not exists (select from console_names where host = $4)
         on conflict on constraint domains_host do nothing",
        id.0,
        organization.0,
        instance.0,
        host,
        automatic
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn domain_count(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from domains where organization_id = $1 and instance_id = $2"#,
        organization.0,
        instance.0
    )
    .fetch_one(connection)
    .await?)
}

/// Remove a domain; of those that stay the oldest becomes primary, if none is.
pub async fn domain_delete(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId, id: DomainId,
) -> Result<()> {
    sqlx::query!("delete from domains where organization_id = $1 and id = $2", organization.0, id.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "update domains set is_primary = true, version = version + 1, updated_at = now()
         where id = (select id from domains where organization_id = $1 and instance_id = $2
                     order by activated_at is null, automatic, id limit 1)
           and not exists (select from domains where organization_id = $1 and instance_id = $2 and is_primary)",
        organization.0,
        instance.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Exactly one primary.
pub async fn domain_make_primary(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId, id: DomainId,
) -> Result<()> {
    sqlx::query!(
        "update domains set is_primary = false, version = version + 1, updated_at = now()
         where organization_id = $1 and instance_id = $2 and is_primary and id <> $3",
        organization.0,
        instance.0,
        id.0
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update domains set is_primary = true, version = version + 1, updated_at = now()
         where organization_id = $1 and instance_id = $2 and id = $3 and not is_primary",
        organization.0,
        instance.0,
        id.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The name under which an instance is reached first of all, if it is by any.
pub async fn primary_host(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId,
) -> Result<Option<String>> {
    let host = sqlx::query_scalar!(
        "select host from domains where organization_id = $1 and instance_id = $2 and is_primary
           and activated_at is not null",
        organization.0,
        instance.0
    );
    Ok(host.fetch_optional(connection).await?)
}

/// Write down what was found through somebody's own proxy.
pub async fn domain_reached(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId, reach: &Reach,
) -> Result<()> {
    sqlx::query!(
        "update domains set reach = $3, updated_at = now() where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        Json(reach) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Write down what a look at the DNS found.
pub async fn domain_checked(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId, check: &DnsCheck,
) -> Result<()> {
    sqlx::query!(
        "update domains set dns = $3, updated_at = now() where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        Json(check) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Its name may be served: with `state` from now on.
pub async fn domain_verified(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId, state: DomainState,
) -> Result<()> {
    sqlx::query!(
        "update domains set state = $3, reason = null, retry_at = null, verified_at = coalesce(verified_at, now()),
             activated_at = case when $3 = 'active' then coalesce(activated_at, now()) else activated_at end,
             version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        state as DomainState
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// It is reached, with this certificate.
pub async fn domain_certified(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId, certificate: &CertificateInfo,
) -> Result<()> {
    sqlx::query!(
        "update domains set state = 'active', reason = null, retry_at = null, not_before = $3, not_after = $4,
             issuer = $5, serial = $6, activated_at = coalesce(activated_at, now()), version = version + 1,
             warned_days = case when not_after = $4 then warned_days end, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        certificate.not_before,
        certificate.not_after,
        certificate.issuer,
        certificate.serial
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Why it has no certificate, or no newer one. One that still has a good one stays as it is.
pub async fn domain_failed(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId, reason: &str,
    retry_at: Option<DateTime<Utc>>, now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update domains set reason = $3, retry_at = $4, version = version + 1, updated_at = now(),
             state = case when not_after > $5 then state else 'failed' end
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        reason,
        retry_at,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What keeps domains of a server's instances from going on.
pub async fn domain_stuck(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, reason: &str,
) -> Result<()> {
    sqlx::query!(
        "update domains set reason = $3, updated_at = now() where organization_id = $1 and state = 'issuing'
           and instance_id in (select id from instances where organization_id = $1 and server_id = $2)",
        organization.0,
        server.0,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The key of a domain's uploaded certificate, if it has one; the domain is kept for this transaction.
async fn domain_key_lock(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId,
) -> Result<Option<SecretId>> {
    let key = sqlx::query_scalar!(
        "select key_secret_id from domains where organization_id = $1 and id = $2 for update",
        organization.0,
        id.0
    );
    Ok(key.fetch_optional(connection).await?.flatten().map(SecretId))
}

/// Put an uploaded certificate in; the key that it replaces.
pub async fn domain_upload(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId, chain: &str, key: SecretId,
    certificate: &CertificateInfo,
) -> Result<Option<SecretId>> {
    let old = domain_key_lock(connection, organization, id).await?;
    sqlx::query!(
        "update domains set uploaded_chain = $3, key_secret_id = $4, not_before = $5, not_after = $6, issuer = $7,
             serial = $8, verified_at = coalesce(verified_at, now()), reason = null, retry_at = null, warned_days = null,
             state = case when state = 'active' then state else 'issuing' end, version = version + 1,
             updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        chain,
        key.0,
        certificate.not_before,
        certificate.not_after,
        certificate.issuer,
        certificate.serial
    )
    .execute(connection)
    .await?;
    Ok(old)
}

/// Take an uploaded certificate out, so that one is fetched; its key.
pub async fn domain_upload_drop(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId,
) -> Result<Option<SecretId>> {
    let key = domain_key_lock(connection, organization, id).await?;
    sqlx::query!(
        "update domains set uploaded_chain = null, key_secret_id = null, not_before = null, not_after = null,
             issuer = null, serial = null, warned_days = null, reason = null, retry_at = null, state = 'issuing',
             version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0
    )
    .execute(connection)
    .await?;
    Ok(key)
}

/// Who may come in. False: somebody else was faster.
pub async fn domain_access_store(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId, access: &SiteAccess, redirect: bool,
    version: i64,
) -> Result<bool> {
    let done = sqlx::query!(
        "update domains set access = $3, redirect_to_primary = $4, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and version = $5",
        organization.0,
        id.0,
        Json(access) as _,
        redirect,
        version
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A server's proxy of another kind: names that it has no certificate for get one, or need none.
pub async fn domain_mode_changed(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, mode: ProxyMode,
) -> Result<()> {
    sqlx::query!(
        "update domains set version = version + 1, updated_at = now(),
             state = case when $3 = 'managed' then 'issuing' else 'active' end,
             reason = null, retry_at = null,
             activated_at = case when $3 = 'managed' then activated_at else coalesce(activated_at, now()) end
         where organization_id = $1 and verified_at is not null
           and instance_id in (select id from instances where organization_id = $1 and server_id = $2)
           and case when $3 = 'managed' then state = 'active' and not_after is null
                    when $3 = 'external' then state in ('issuing', 'failed') else false end",
        organization.0,
        server.0,
        mode as ProxyMode
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a job fetches the certificate of a domain now.
pub async fn certificate_is_asked(
    connection: &mut PgConnection, organization: OrganizationId, id: DomainId,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from jobs where organization_id = $1 and kind = 'certificate_issue'
               and subject ->> 'id' = $2 and status in ('queued', 'dispatched', 'running')) as "asked!""#,
        organization.0,
        id.0.to_string()
    )
    .fetch_one(connection)
    .await?)
}

/// The name is somebody's; whose, nobody is told.
pub fn domain_taken(host: &str) -> Error {
    let message = format!("{host} leads to an instance already. Delete it there first, or choose another name.");
    Error::conflict("domain_taken", message)
}
