//! The rules of proxies.

use super::model::{ProxyInput, ProxyMode, ProxyStatus, ServerProxy, wished};
use super::store;
use super::wish::{By, proxy_follow};
use crate::app::App;
use crate::error::{Error, Result};
use crate::fleet::servers::model::ServerStatus;
use crate::fleet::servers::service::server_get;
use crate::identity::audit::store::audit_append;
use crate::network::domains::follow::store as following;
use crate::network::domains::follow::{instance_follow, zone_follow};
use crate::network::domains::jobs::domains_follow_mode;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::{Accepted, Changed, Ctx, IfMatch, Patch};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::ServerId;
use serde_json::{Value, json};
use sqlx::Connection;

/// The proxy of a server, as it is wished and how far that has come.
pub async fn proxy_get(ctx: &Ctx, app: &App, server: ServerId) -> Result<ServerProxy> {
    server_get(ctx, app, server).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let stored = store::proxy_get(&mut connection, ctx.organization, server).await?;
    Ok(stored.unwrap_or_else(|| ServerProxy::none(server, &app.config.proxy_image)))
}

/// Change the proxy of a server. What a failed job did not bring about is asked for again with the same words.
pub async fn proxy_update(
    ctx: &Ctx, app: &App, id: ServerId, patch: Patch<ProxyInput>, if_match: IfMatch, dry_run: bool,
) -> Result<Changed<ServerProxy>> {
    let server = server_get(ctx, app, id).await?;
    let present = proxy_get(ctx, app, id).await?;
    if_match.check(present.version)?;
    let input = patch.read(&present)?;
    let wanted = wished(&present, input, &app.config.proxy_image).map_err(Error::Invalid)?;
    if server.status == ServerStatus::Removing {
        return Err(Error::conflict("removing", "The server is being removed."));
    }
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    if wanted.mode == ProxyMode::None && present.mode != ProxyMode::None {
        let named = store::domain_count_by_hand(&mut tx, organization, id).await?;
        if named > 0 {
            let message = format!(
                "{named} domain(s) lead to instances of this server; delete them first, or choose external to lead \
                 them there yourself."
            );
            return Err(Error::conflict("proxy_in_use", message));
        }
    }
    if dry_run {
        return Ok(Changed::Settled(Box::new(wanted)));
    }
    let changed = wanted != present;
    let again = !changed && present.status == ProxyStatus::Failed;
    if !changed && !again {
        return Ok(Changed::Settled(Box::new(present)));
    }
    if changed && !store::proxy_write(&mut tx, organization, &wanted, present.version).await? {
        let message = "The proxy has just been changed; read it again, then retry.";
        return Err(Error::conflict("changed_meanwhile", message));
    }
    let by = By::caller(ctx);
    domains_follow_mode(&mut tx, organization, id, wanted.mode).await?;
    let zone = wanted.zone.as_deref().filter(|_| wanted.mode != ProxyMode::None);
    zone_follow(&mut tx, organization, id, None, zone, &by).await?;
    let job = proxy_follow(&mut tx, organization, id, &by, again).await?;
    for instance in following::instance_list_named(&mut tx, organization, id).await? {
        instance_follow(&mut tx, organization, instance, &By::actor(ctx.actor())).await?;
    }
    let subject = Subject::new("server", id, &server.name);
    let (before, after) = (told(&present), told(&wanted));
    audit_append(&mut tx, Some(organization), &ctx.caller, "proxy.updated", &subject, Some(before), Some(after))
        .await?;
    let data = json!({"mode": wanted.mode});
    event_append(&mut tx, organization, "proxy.updated", ctx.actor(), &subject, data).await?;
    tx.commit().await?;
    drop(connection);
    app.jobs.poke.notify_one();
    app.bus.send(Signal::EventsAppended);
    app.bus.changed(organization, Kind::Server, id);
    Ok(match job {
        Some(job_id) => Changed::Accepted(Accepted {
            id: id.0,
            status: "pending".into(),
            message: "The proxy is being brought to that.".into(),
            job_id,
            location: format!("/api/servers/{id}/proxy"),
        }),
        None => Changed::Settled(Box::new(proxy_get(ctx, app, id).await?)),
    })
}

/// What a person has set, for the audit log.
fn told(proxy: &ServerProxy) -> Value {
    json!({"mode": proxy.mode, "http_port": proxy.http_port, "https_port": proxy.https_port, "image": proxy.image,
        "acme_email": proxy.acme_email, "acme_directory": proxy.acme_directory,
        "acme_ca_certificate": proxy.acme_ca_certificate, "zone": proxy.zone})
}
