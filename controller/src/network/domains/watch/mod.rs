//! What changes by itself: certificates that a proxy renews, names whose DNS is set at last, and wishes that nobody was
//! there for. Without input, it may be run at any time, by any replica, by several at once.

pub mod store;

use super::follow::instance_follow;
use super::jobs::certified;
use super::model::{DomainState, check_of};
use super::reach::{Way, name_reach};
use super::store as domains;
use crate::app::App;
use crate::error::Result;
use crate::network::proxies::model::ProxyMode;
use crate::network::proxies::store as proxies;
use crate::network::proxies::wish::{By, proxy_follow};
use crate::platform::bus::Signal;
use crate::platform::http::Actor;
use crate::platform::tunnel::Tunnel;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt, stream};
use http::Method;
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::proxy::ProxyState;
use serde_json::json;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(30);
/// Looks from one visit of all proxies to the next: ten minutes.
const VISIT: u32 = 20;
const ANSWER: Duration = Duration::from_secs(10);
/// A name that leads nowhere is looked at again then.
const DNS_AGAIN: TimeDelta = TimeDelta::minutes(5);
/// Names that are asked for at the same time.
const AT_ONCE: usize = 8;
/// Days before the end of a certificate that are told of.
const WARNINGS: [i64; 3] = [3, 7, 14];

pub async fn watch_task(app: App) {
    for look in 0_u32.. {
        if let Err(error) = names_look(&app).await {
            tracing::warn!(%error, "the DNS of names could not be looked at; it is tried again");
        }
        if look.is_multiple_of(VISIT)
            && let Err(error) = domains_reconcile(&app).await
        {
            tracing::warn!(%error, "domains could not be brought up to date; it is tried again");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Names that come of zones are verified by nobody: their DNS is looked at until it leads here.
pub async fn names_look(app: &App) -> Result<()> {
    let now = app.clock.now();
    for name in store::domain_list_unchecked(app.db.system(), now - DNS_AGAIN).await? {
        let organization = name.organization;
        let mut connection = app.db.system().acquire().await?;
        let addresses = proxies::server_addresses(&mut connection, organization, name.server).await?;
        drop(connection);
        let check = check_of(&name.host, app.dns.lookup(&name.host).await, &addresses, now);
        let mut tx = app.db.system().begin().await?;
        let proxy = proxies::proxy_lock(&mut tx, organization, name.server).await?.map(|stored| stored.proxy);
        store::domain_looked_at(&mut tx, organization, name.domain, &check).await?;
        if let Some(proxy) = proxy.filter(|_| check.ok) {
            let by = By::actor(&Actor::system());
            let state = match proxy.mode {
                ProxyMode::Managed => DomainState::Issuing,
                _ => DomainState::Active,
            };
            domains::domain_verified(&mut tx, organization, name.domain, state).await?;
            proxy_follow(&mut tx, organization, name.server, &by, false).await?;
            instance_follow(&mut tx, organization, name.instance, &by).await?;
        }
        tx.commit().await?;
        app.jobs.poke.notify_one();
    }
    Ok(())
}

/// Bring everything to what is wished, and learn what proxies have done by themselves.
pub async fn domains_reconcile(app: &App) -> Result<()> {
    let system = app.db.system();
    let by = By::actor(&Actor::system());
    for (organization, server) in proxies::proxy_list_kept(system).await? {
        let mut tx = system.begin().await?;
        proxy_follow(&mut tx, organization, server, &by, false).await?;
        tx.commit().await?;
        if let Err(error) = proxy_visit(app, organization, server).await {
            tracing::debug!(%server, %error, "a proxy did not tell of its certificates; it is asked again");
        }
    }
    for (organization, instance) in store::instance_list_behind(system).await? {
        let mut tx = system.begin().await?;
        instance_follow(&mut tx, organization, instance, &by).await?;
        tx.commit().await?;
    }
    certificates_warn(app).await?;
    names_visit(app).await?;
    app.jobs.poke.notify_one();
    Ok(())
}

/// Ask a proxy which certificates it shows now.
async fn proxy_visit(app: &App, organization: OrganizationId, server: ServerId) -> Result<()> {
    // Whoever has its tunnel asks it.
    let Ok(tunnel) = app.tunnels.get(server) else { return Ok(()) };
    let tunnel: &Tunnel = &tunnel;
    let (_, state): (_, ProxyState) = tunnel.client.call(Method::GET, "/proxy", &(), ANSWER).await?;
    let actor = Actor::system();
    let mut signals = Vec::new();
    let mut tx = app.db.system().begin().await?;
    for stored in domains::domain_list_of_server(&mut tx, organization, server).await? {
        let Some(certificate) = state.certificates.iter().find(|c| c.host == stored.domain.host) else { continue };
        let known = stored.domain.certificate.serial.as_deref() == Some(&certificate.serial);
        if known && stored.domain.state == DomainState::Active || certificate.not_after <= app.clock.now() {
            continue;
        }
        signals.extend(certified(&mut tx, organization, &stored, certificate, &actor).await?);
    }
    tx.commit().await?;
    signals.into_iter().for_each(|signal| app.bus.send(signal));
    Ok(())
}

/// Have names asked for to which somebody's own proxy leads.
async fn names_visit(app: &App) -> Result<()> {
    let names = store::name_list_own(app.db.system()).await?;
    let visit = |name: store::OwnName| async move {
        // Whoever has its tunnel asks it.
        let mut connection = app.db.system().acquire().await?;
        let addresses = proxies::server_addresses(&mut connection, name.organization, name.server).await?;
        drop(connection);
        let (host, addresses) = (name.host.as_str(), addresses.as_slice());
        let way = Way { host, instance: name.instance, server: name.server, addresses, port: name.https_port };
        let reach = name_reach(app, &way).await;
        let Some(reach) = reach else { return Ok(()) };
        let mut tx = app.db.system().begin().await?;
        domains::domain_reached(&mut tx, name.organization, name.domain, &reach).await?;
        tx.commit().await?;
        Ok(())
    };
    stream::iter(names).map(visit).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

/// Tell of certificates that end in 14, 7 and 3 days.
async fn certificates_warn(app: &App) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    let mut told = false;
    for ending in store::certificate_list_ending(&mut tx, now, now + TimeDelta::days(14)).await? {
        let left = ending.not_after - now;
        let Some(days) = WARNINGS.into_iter().find(|days| left <= TimeDelta::days(*days)) else { continue };
        if ending.warned_days.is_some_and(|warned| i64::from(warned) <= days) {
            continue;
        }
        let subject = Subject::new("domain", ending.domain.0, ending.host);
        let data = json!({"instance_id": ending.instance, "not_after": ending.not_after, "days": days});
        event_append(&mut tx, ending.organization, "certificate.expiring", &Actor::system(), &subject, data).await?;
        store::certificate_warned(&mut tx, ending.organization, ending.domain, days as i32).await?;
        told = true;
    }
    tx.commit().await?;
    if told {
        app.bus.send(Signal::EventsAppended);
    }
    Ok(())
}
