//! From rows to what a proxy is to serve, and the job that says so.

use super::model::{ProxyMode, ProxyStatus, ServerProxy};
use super::store::{self, SiteRow};
use crate::apps::registries::service::registries_of;
use crate::error::{Error, Result};
use crate::platform::http::idempotency::store::idempotency_job_store;
use crate::platform::http::{Actor, Ctx};
use crate::platform::jobs::{NewJob, store as jobs};
use crate::signals::events::Subject;
use ocore_shared::ids::{JobId, OrganizationId, SecretId, ServerId};
use ocore_shared::protocol::proxy::{Acme, ProxyApply, Site, SiteCertificate, certificate_secret};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// An image may have to be fetched.
const APPLY_SECONDS: i64 = 900;

/// On whose behalf something is asked for.
#[derive(Clone, Debug)]
pub struct By {
    pub actor: Actor,
    pub idempotency_claim: Option<Uuid>,
}

impl By {
    pub fn caller(ctx: &Ctx) -> Self {
        Self { actor: ctx.actor().clone(), idempotency_claim: ctx.caller.idempotency_claim }
    }

    /// What follows from something else.
    pub fn actor(actor: &Actor) -> Self {
        Self { actor: actor.clone(), idempotency_claim: None }
    }
}

/// What a proxy is to serve, with the secrets that go along.
pub struct Wish {
    pub input: ProxyApply,
    pub secrets: BTreeMap<String, SecretId>,
}

/// Everything that the proxy of a server is to serve.
pub async fn proxy_wish(
    connection: &mut PgConnection, organization: OrganizationId, proxy: &ServerProxy,
) -> Result<Wish> {
    let (registries, mut secrets) = registries_of(connection, organization, &[&proxy.image]).await?;
    let enabled = proxy.mode == ProxyMode::Managed;
    let (mut sites, mut console) = (Vec::new(), None);
    if enabled {
        console = store::console_get(connection, organization, proxy.server_id).await?;
        for row in store::site_list(connection, organization, proxy.server_id).await? {
            if let Some(key) = row.key_secret.filter(|_| row.uploaded_chain.is_some()) {
                secrets.insert(certificate_secret(&row.host), key);
            }
            sites.push(site(row));
        }
    }
    let input = ProxyApply {
        enabled,
        image: proxy.image.clone(),
        http_port: proxy.http_port,
        https_port: proxy.https_port,
        acme: Acme {
            directory: proxy.acme_directory.clone(),
            email: proxy.acme_email.clone(),
            ca_certificate: proxy.acme_ca_certificate.clone(),
        },
        sites,
        registries,
        console,
    };
    Ok(Wish { input, secrets })
}

fn site(row: SiteRow) -> Site {
    let redirect_to = row.primary_host.filter(|primary| row.redirect_to_primary && *primary != row.host);
    let certificate = match row.uploaded_chain {
        Some(chain) => SiteCertificate::Given { chain },
        None if row.verified => SiteCertificate::Acme,
        None => SiteCertificate::None,
    };
    Site {
        host: row.host,
        instance_id: row.instance,
        redirect_to,
        certificate,
        access: row.access,
        // Copies of a shop are nobody's business.
        noindex: row.environment_type != "production",
    }
}

/// Enqueue a job when what is wished is not what the newest job was told; with `again` in any case. None: there is nothing
/// to do. The caller rings for the sweeper after its commit.
pub async fn proxy_follow(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, by: &By, again: bool,
) -> Result<Option<JobId>> {
    let Some(stored) = store::proxy_lock(connection, organization, server).await? else { return Ok(None) };
    let proxy = stored.proxy;
    if proxy.mode != ProxyMode::Managed && proxy.status == ProxyStatus::Off {
        return Ok(None);
    }
    let wish = proxy_wish(connection, organization, &proxy).await?;
    let (input, secrets) = (json!(wish.input), wish.secrets);
    let digest = digest(&input, &secrets)?;
    if !again && stored.wished_digest.as_deref() == Some(digest.as_slice()) {
        return Ok(None);
    }
    let job = match store::proxy_job_unsent(connection, organization, server).await? {
        Some(job) => {
            store::proxy_job_replace(connection, organization, job, &input, &secrets).await?;
            if let Some(claim) = by.idempotency_claim {
                idempotency_job_store(connection, organization, claim, job).await?;
            }
            job
        }
        None => {
            let waiting = store::proxy_is_busy(connection, organization, server).await?;
            let Some(name) = store::server_name(connection, organization, server).await? else { return Ok(None) };
            let subject = Subject::new("server", server, name);
            let job = server_job(organization, server, "proxy_apply", subject, APPLY_SECONDS, by);
            let job = NewJob { input, secrets, ..job };
            jobs::job_enqueue_later(connection, &job, waiting).await?;
            job.id
        }
    };
    store::proxy_asked(connection, organization, server, &digest).await?;
    Ok(Some(job))
}

/// A job on a server's proxy: it is done on return of a server that is away, however late.
pub fn server_job(
    organization: OrganizationId, server: ServerId, kind: &'static str, subject: Subject, seconds: i64, by: &By,
) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind,
        organization,
        server,
        instance: None,
        subject,
        input: json!({}),
        secrets: BTreeMap::new(),
        timeout_seconds: Some(seconds),
        deadline_seconds: None,
        created_by: by.actor.clone(),
        idempotency_claim: by.idempotency_claim,
        queue: true,
    }
}

fn digest(input: &serde_json::Value, secrets: &BTreeMap<String, SecretId>) -> Result<Vec<u8>> {
    let whole = serde_json::to_vec(&(input, secrets)).map_err(Error::internal)?;
    Ok(Sha256::digest(&whole).to_vec())
}
