//! The rules of domains.

use super::access::{AccessInput, access_wished};
use super::certificates::retry_later;
use super::follow::instance_follow;
use super::jobs::subject_of;
use super::model::{CertificateSource, Domain, DomainCertificate, DomainReach, DomainState, check_of, records_of};
use super::names::host_of;
use super::reach::{Way, name_reach, upstream};
use super::snippets::{Route, snippets};
use super::store::{self, Reach, Stored, domain_taken};
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
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{DomainId, InstanceId, JobId};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::net::IpAddr;

/// As many names as one instance has.
const MOST: i64 = 100;

/// An instance with what its domains are shown and judged by.
pub struct Home {
    pub instance: Instance,
    pub mode: ProxyMode,
    https_port: u16,
    addresses: Vec<IpAddr>,
    /// The name to which others may send people on.
    primary: Option<String>,
}

impl Home {
    /// The domain with the records to set, and with what a proxy of one's own needs.
    fn shown(&self, stored: Stored) -> Domain {
        let mut domain = stored.domain;
        domain.dns.records = records_of(&domain.host, &self.addresses);
        if self.mode == ProxyMode::External {
            let shown = stored.reach.as_ref().and_then(|reach| reach.check.certificate.as_ref());
            domain.certificate = DomainCertificate {
                source: CertificateSource::External,
                not_before: shown.map(|certificate| certificate.not_before),
                not_after: shown.map(|certificate| certificate.not_after),
                issuer: shown.map(|certificate| certificate.issuer.clone()),
                serial: shown.map(|certificate| certificate.serial.clone()),
            };
            domain.reach = stored.reach.map(|Reach { check, checked_at }| DomainReach {
                ok: check.problem.is_none(),
                message: check.problem,
                checked_at,
            });
            let upstream = |port: u16| upstream(&self.instance.bind_address, port);
            domain.snippets = Some(snippets(&Route {
                host: &domain.host,
                http: &upstream(self.instance.http_port.unwrap_or(8069)),
                realtime: self.instance.realtime_port.map(upstream).as_deref(),
                odoo_version: &self.instance.odoo_version,
                noindex: self.instance.environment_type != "production",
                access: &stored.access,
                redirect_to: self
                    .primary
                    .as_deref()
                    .filter(|primary| domain.access.redirect_to_primary && *primary != domain.host),
            }));
        }
        domain
    }
}

pub async fn home(ctx: &Ctx, app: &App, id: InstanceId) -> Result<Home> {
    let instance = instance_get(ctx, app, id).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let (organization, server) = (ctx.organization, instance.server_id);
    let proxy = proxies::proxy_get(&mut connection, organization, server).await?;
    let (mode, https_port) = proxy.map_or((ProxyMode::None, 443), |proxy| (proxy.mode, proxy.https_port));
    let addresses = proxies::server_addresses(&mut connection, organization, server).await?;
    let primary = store::primary_host(&mut connection, organization, id).await?;
    Ok(Home { instance, mode, https_port, addresses, primary })
}

pub async fn found(ctx: &Ctx, connection: &mut PgConnection, instance: InstanceId, id: DomainId) -> Result<Stored> {
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
pub fn told(ctx: &Ctx, app: &App, instance: InstanceId) {
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

pub fn accepted(stored: &Stored, state: DomainState, message: &str, job_id: JobId) -> Accepted {
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
    let reach = match home.mode {
        ProxyMode::External if check.ok || force => {
            let (server, addresses, port) = (home.instance.server_id, home.addresses.as_slice(), home.https_port);
            name_reach(app, &Way { host, instance, server, addresses, port }).await
        }
        _ => None,
    };
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    store::domain_checked(&mut tx, organization, id, &check).await?;
    if let Some(reach) = &reach {
        store::domain_reached(&mut tx, organization, id, reach).await?;
    }
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
