//! The rules of domains.

use super::access::{AccessInput, access_wished};
use super::certificate::certificate_check;
use super::follow::instance_follow;
use super::jobs::{certificate_ask, subject_of};
use super::model::{CertificateSource, Domain, DomainState, check_of, records_of};
use super::names::host_of;
use super::snippets::{Route, snippets};
use super::store::{self, Stored, domain_taken};
use crate::app::App;
use crate::apps::instances::model::Instance;
use crate::apps::instances::service::{instance_get, stays};
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::network::proxies::model::ProxyMode;
use crate::network::proxies::store as proxies;
use crate::network::proxies::wish::{By, proxy_follow};
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::{Accepted, Changed, Ctx, IfMatch, List, Page, Patch};
use crate::platform::secrets::store::{secret_add, secret_delete};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{DomainId, InstanceId, JobId};
use ocore_shared::protocol::proxy::CertificateInfo;
use ocore_shared::secret::Secret;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::net::IpAddr;

/// As many names as one instance has.
const MOST: i64 = 100;

/// An instance with what its domains are shown and judged by.
struct Home {
    instance: Instance,
    mode: ProxyMode,
    addresses: Vec<IpAddr>,
}

impl Home {
    /// The domain with the records to set, and with what a proxy of one's own needs.
    fn shown(&self, stored: Stored) -> Domain {
        let mut domain = stored.domain;
        domain.dns.records = records_of(&domain.host, &self.addresses);
        if self.mode == ProxyMode::External {
            domain.certificate.source = CertificateSource::External;
            let port = self.instance.http_port.unwrap_or(8069);
            let address = self.addresses.first().map_or_else(|| "127.0.0.1".into(), IpAddr::to_string);
            let upstream =
                if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
            domain.snippets = Some(snippets(&Route {
                host: &domain.host,
                upstream: &upstream,
                odoo_version: &self.instance.odoo_version,
                noindex: self.instance.environment_type != "production",
            }));
        }
        domain
    }
}

async fn home(ctx: &Ctx, app: &App, id: InstanceId) -> Result<Home> {
    let instance = instance_get(ctx, app, id).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let (organization, server) = (ctx.organization, instance.server_id);
    let mode = proxies::proxy_get(&mut connection, organization, server).await?.map_or(ProxyMode::None, |p| p.mode);
    let addresses = proxies::server_addresses(&mut connection, organization, server).await?;
    Ok(Home { instance, mode, addresses })
}

async fn found(ctx: &Ctx, connection: &mut PgConnection, instance: InstanceId, id: DomainId) -> Result<Stored> {
    store::domain_get(connection, ctx.organization, instance, id).await?.ok_or(Error::NotFound("domain"))
}

/// Names of an instance, newest first.
pub async fn domain_list(ctx: &Ctx, app: &App, instance: InstanceId, page: &Page) -> Result<List<Domain>> {
    let home = home(ctx, app, instance).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let list = store::domain_list(&mut connection, ctx.organization, instance, page).await?;
    Ok(List::new(list.into_iter().map(|stored| home.shown(stored)).collect(), page, |domain| domain.id.0))
}

pub async fn domain_get(ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId) -> Result<Domain> {
    let home = home(ctx, app, instance).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    Ok(home.shown(found(ctx, &mut connection, instance, id).await?))
}

/// What follows the commit of a change.
fn told(ctx: &Ctx, app: &App, instance: InstanceId) {
    app.jobs.poke.notify_one();
    app.bus.send(Signal::EventsAppended);
    app.bus.changed(ctx.organization, Kind::Instance, instance);
}

/// Add a name. Nothing is looked up yet: the answer says what the DNS is to be.
pub async fn domain_add(ctx: &Ctx, app: &App, instance: InstanceId, host: &str) -> Result<Domain> {
    let host = host_of(host).map_err(|message| Error::field("host", "host", message))?;
    let home = home(ctx, app, instance).await?;
    stays(&home.instance)?;
    let (organization, id) = (ctx.organization, DomainId::new());
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    if store::domain_count(&mut tx, organization, instance).await? >= MOST {
        let message = format!("An instance has at most {MOST} domains; delete one first.");
        return Err(Error::conflict("too_many_domains", message));
    }
    if !store::domain_insert(&mut tx, organization, id, instance, &host, false).await? {
        return Err(domain_taken(&host));
    }
    proxy_follow(&mut tx, organization, home.instance.server_id, &By::actor(ctx.actor()), false).await?;
    let subject = Subject::new("domain", id.0, &host);
    let after = json!({"host": host, "instance_id": instance});
    audit_append(&mut tx, Some(organization), &ctx.caller, "domain.added", &subject, None, Some(after)).await?;
    let data = json!({"instance_id": instance});
    event_append(&mut tx, organization, "domain.added", ctx.actor(), &subject, data).await?;
    let stored = found(ctx, &mut tx, instance, id).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    Ok(home.shown(stored))
}

fn accepted(stored: &Stored, state: DomainState, message: &str, job_id: JobId) -> Accepted {
    let (id, instance) = (stored.domain.id, stored.domain.instance_id);
    Accepted {
        id: id.0,
        status: state.word().into(),
        message: message.into(),
        job_id,
        location: format!("/api/instances/{instance}/domains/{id}"),
    }
}

/// Look at the DNS; when it leads to the server (or with `force`), have the name served and its certificate fetched.
pub async fn domain_verify(
    ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId, force: bool,
) -> Result<Changed<Domain>> {
    let home = home(ctx, app, instance).await?;
    stays(&home.instance)?;
    if home.mode == ProxyMode::None {
        let message = "The server has no proxy, so nothing leads there. Set one first: PUT /api/servers/{id}/proxy.";
        return Err(Error::conflict("proxy_missing", message));
    }
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let present = found(ctx, &mut connection, instance, id).await?;
    // Nobody waits for name servers with a connection in hand.
    drop(connection);
    let host = &present.domain.host;
    let now = app.clock.now();
    if let Some(at) = present.domain.retry_at.filter(|at| *at > now && !force) {
        return Err(retry_later(at));
    }
    let check = check_of(host, app.dns.lookup(host).await, &home.addresses, now);
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    store::domain_checked(&mut tx, organization, id, &check).await?;
    let subject = subject_of(&present);
    let after = json!({"dns": check, "force": force});
    audit_append(&mut tx, Some(organization), &ctx.caller, "domain.verified", &subject, None, Some(after)).await?;
    if !check.ok && !force {
        tx.commit().await?;
        drop(connection);
        app.bus.changed(organization, Kind::Instance, instance);
        let message = check.message.unwrap_or_default();
        return Err(Error::Unprocessable { code: "dns_not_ready", message });
    }
    let state = match (present.domain.state, home.mode) {
        (DomainState::Active, _) | (_, ProxyMode::External) => DomainState::Active,
        _ => DomainState::Issuing,
    };
    store::domain_verified(&mut tx, organization, id, state).await?;
    let by = By::caller(ctx);
    let job = match home.mode {
        ProxyMode::Managed => proxy_follow(&mut tx, organization, home.instance.server_id, &by, true).await?,
        _ => instance_follow(&mut tx, organization, instance, &by).await?,
    };
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    Ok(match job {
        Some(job) => {
            let message = match home.mode {
                ProxyMode::Managed => "The name is being served; its certificate follows.",
                _ => "The instance is being told its name.",
            };
            Changed::Accepted(accepted(&present, state, message, job))
        }
        None => Changed::Settled(Box::new(domain_get(ctx, app, instance, id).await?)),
    })
}

/// Make a name the one that Odoo writes into links.
pub async fn domain_primary(
    ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId, if_match: IfMatch,
) -> Result<Domain> {
    let home = home(ctx, app, instance).await?;
    stays(&home.instance)?;
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    let present = found(ctx, &mut tx, instance, id).await?;
    if_match.check(present.domain.version)?;
    if !present.domain.is_primary {
        store::domain_make_primary(&mut tx, organization, instance, id).await?;
        let by = By::actor(ctx.actor());
        proxy_follow(&mut tx, organization, home.instance.server_id, &by, false).await?;
        instance_follow(&mut tx, organization, instance, &by).await?;
        let data = json!({"instance_id": instance});
        event_append(&mut tx, organization, "domain.primary_changed", ctx.actor(), &subject_of(&present), data).await?;
    }
    let action = "domain.primary_changed";
    audit_append(&mut tx, Some(organization), &ctx.caller, action, &subject_of(&present), None, None).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    domain_get(ctx, app, instance, id).await
}

fn retry_later(at: DateTime<Utc>) -> Error {
    let at = at.format("%Y-%m-%d %H:%M UTC");
    let message = format!("The authority has issued enough for now and refuses until {at}; wait for that.");
    Error::conflict("certificate_retry_later", message)
}

/// Only oCore's own proxy shows certificates that oCore has.
fn managed(home: &Home) -> Result<()> {
    match home.mode {
        ProxyMode::Managed => Ok(()),
        ProxyMode::External => {
            let message = "Another proxy leads there, which has its own certificates; give it the certificate.";
            Err(Error::conflict("proxy_external", message))
        }
        ProxyMode::None => {
            let message = "The server has no proxy to show it. Set one first: PUT /api/servers/{id}/proxy.";
            Err(Error::conflict("proxy_missing", message))
        }
    }
}

/// Put a certificate of one's own in. It is served from then on, whatever the DNS says, and not renewed.
pub async fn domain_certificate(
    ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId, chain: &str, key: &Secret, if_match: IfMatch,
) -> Result<Accepted> {
    let home = home(ctx, app, instance).await?;
    stays(&home.instance)?;
    managed(&home)?;
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    let present = found(ctx, &mut tx, instance, id).await?;
    if_match.check(present.domain.version)?;
    let host = present.domain.host.clone();
    let read = certificate_check(&host, chain, key.expose(), app.clock.now())
        .map_err(|problem| Error::Invalid(vec![problem]))?;
    let secret = secret_add(&mut tx, organization, &app.keyring, "certificate_key", key).await?;
    let certificate = CertificateInfo {
        host,
        not_before: read.not_before,
        not_after: read.not_after,
        issuer: read.issuer,
        serial: read.serial,
    };
    let old = store::domain_upload(&mut tx, organization, id, &read.chain, secret, &certificate).await?;
    let by = By::caller(ctx);
    let job = proxy_follow(&mut tx, organization, home.instance.server_id, &by, true).await?;
    // A job that is under way has the old key already, or gets the new one.
    if let Some(old) = old {
        secret_delete(&mut tx, organization, old).await?;
    }
    let after = json!({"certificate": certificate});
    let action = "certificate.uploaded";
    audit_append(&mut tx, Some(organization), &ctx.caller, action, &subject_of(&present), None, Some(after)).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    let job = job.ok_or_else(|| Error::internal(anyhow::anyhow!("a managed proxy has no job")))?;
    let state = match present.domain.state {
        DomainState::Active => DomainState::Active,
        _ => DomainState::Issuing,
    };
    Ok(accepted(&present, state, "The certificate is being put in place.", job))
}

/// Fetch a certificate anew.
pub async fn domain_renew(ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId) -> Result<Accepted> {
    let home = home(ctx, app, instance).await?;
    stays(&home.instance)?;
    managed(&home)?;
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    let present = found(ctx, &mut tx, instance, id).await?;
    if present.domain.certificate.source == CertificateSource::Uploaded {
        let message = "The certificate was uploaded; upload the newer one.";
        return Err(Error::conflict("certificate_uploaded", message));
    }
    if !present.verified {
        return Err(Error::conflict("domain_unverified", "Verify the domain first; its certificate comes with that."));
    }
    if let Some(at) = present.domain.retry_at.filter(|at| *at > app.clock.now()) {
        return Err(retry_later(at));
    }
    let by = By::caller(ctx);
    let asked = certificate_ask(&mut tx, organization, home.instance.server_id, &present, true, &by).await?;
    let Some(job) = asked else {
        let message = "The certificate is being fetched at this moment; wait for that.";
        return Err(Error::conflict("operation_in_progress", message));
    };
    let action = "certificate.renew_requested";
    audit_append(&mut tx, Some(organization), &ctx.caller, action, &subject_of(&present), None, None).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    Ok(accepted(&present, present.domain.state, "The certificate is being fetched anew.", job))
}

/// Change who may come in by a name.
pub async fn domain_access(
    ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId, patch: Patch<AccessInput>, if_match: IfMatch,
    dry_run: bool,
) -> Result<Domain> {
    let home = home(ctx, app, instance).await?;
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let present = found(ctx, &mut connection, instance, id).await?;
    drop(connection);
    if_match.check(present.domain.version)?;
    let input = patch.read(&present.domain.access)?;
    let redirect = present.domain.access.redirect_to_primary;
    let (access, redirect) = access_wished(&present.access, redirect, input).await?;
    let after = super::access::DomainAccess::new(&access, redirect);
    if dry_run {
        let mut domain = home.shown(present);
        domain.access = after;
        return Ok(domain);
    }
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    if !store::domain_access_store(&mut tx, organization, id, &access, redirect, present.domain.version).await? {
        let message = "The domain has just been changed; read it again, then retry.";
        return Err(Error::conflict("changed_meanwhile", message));
    }
    proxy_follow(&mut tx, organization, home.instance.server_id, &By::actor(ctx.actor()), false).await?;
    let value = |access: &super::access::DomainAccess| -> Result<Value> {
        serde_json::to_value(access).map_err(Error::internal)
    };
    let (before, after) = (value(&present.domain.access)?, value(&after)?);
    let (action, subject) = ("domain.access_changed", subject_of(&present));
    audit_append(&mut tx, Some(organization), &ctx.caller, action, &subject, Some(before), Some(after)).await?;
    let data = json!({"instance_id": instance});
    event_append(&mut tx, organization, action, ctx.actor(), &subject, data).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    domain_get(ctx, app, instance, id).await
}

/// Remove a name: the proxy serves it no more, and its certificate goes.
pub async fn domain_delete(
    ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId, if_match: IfMatch, dry_run: bool,
) -> Result<()> {
    let home = home(ctx, app, instance).await?;
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    let present = found(ctx, &mut tx, instance, id).await?;
    if_match.check(present.domain.version)?;
    if dry_run {
        return Ok(());
    }
    store::domain_delete(&mut tx, organization, instance, id).await?;
    let by = By::actor(ctx.actor());
    proxy_follow(&mut tx, organization, home.instance.server_id, &by, false).await?;
    instance_follow(&mut tx, organization, instance, &by).await?;
    let subject = subject_of(&present);
    let before = json!({"host": present.domain.host, "instance_id": instance});
    audit_append(&mut tx, Some(organization), &ctx.caller, "domain.removed", &subject, Some(before), None).await?;
    let data = json!({"instance_id": instance});
    event_append(&mut tx, organization, "domain.removed", ctx.actor(), &subject, data).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    Ok(())
}
