//! One agent's session, from its handshake to its end.

use super::ingest;
use super::store::{self, Opened, SessionStart};
use crate::app::App;
use crate::apps::instances::health::store::spans_end;
use crate::error::{Error, Result};
use crate::fleet::enrollment::addresses;
use crate::fleet::enrollment::store::stage_reached;
use crate::fleet::servers;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::Actor;
use crate::platform::jobs::store::job_reports_forget;
use crate::platform::jobs::{dispatch, report};
use crate::platform::pki::AgentName;
use crate::platform::public_urls::public_urls_load;
use crate::platform::secrets::token_make;
use crate::platform::tunnel::Tunnel;
use crate::platform::tunnel::accept::TunnelIo;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use http::Method;
use ocore_shared::ids::ServerId;
use ocore_shared::protocol::enrollment::InstallStage;
use ocore_shared::protocol::jobs::JobStatus;
use ocore_shared::protocol::session::{SessionOpen, SessionOpened};
use ocore_shared::tunnel::{self, TunnelClient, TunnelError};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const HOUSEKEEPING: Duration = Duration::from_secs(2);

/// Whether this agent may connect at all.
pub async fn agent_admit(app: &App, name: &AgentName) -> Result<()> {
    let mut connection = app.db.fleet().acquire().await?;
    store::identity_check(&mut connection, name).await
}

/// Open the session on the agent. One that has seen a newer session than this database refuses, and a person is told.
pub(super) async fn session_open(
    app: &App, server: ServerId, client: &TunnelClient, open: &SessionOpen,
) -> Result<SessionOpened> {
    match client.call(Method::POST, "/session", open, OPEN_TIMEOUT).await {
        Ok((_, SessionOpened { previous_epoch, .. })) if previous_epoch > open.session_epoch => {}
        Ok((_, opened)) => return Ok(opened),
        Err(TunnelError::Agent { error, .. }) if error.code == "session_epoch_old" => {}
        Err(error) => return Err(error.into()),
    }
    let reason = "The agent has seen a newer session than this database: was an older backup restored?";
    store::session_refused(app.db.fleet(), server, reason).await?;
    Err(Error::conflict("database_went_back", reason))
}

/// Drive a tunnel until either end gives up.
pub async fn session_run(app: App, name: AgentName, address: IpAddr, io: TunnelIo) {
    if let Err(error) = session(&app, &name, address, io).await {
        tracing::info!(server = %name.server, %error, "an agent's session ended");
    }
}

async fn session(app: &App, name: &AgentName, address: IpAddr, io: TunnelIo) -> Result<()> {
    let (client, connection) = tunnel::connect(io).await?;
    let end = CancellationToken::new();
    let ended = end.clone();
    let driver = app.tracker.spawn(async move {
        // An error here is the tunnel's end, which everybody on it learns by their own requests.
        let _ = connection.await;
        ended.cancel();
    });
    let _abort = AbortOnDrop(driver.abort_handle());

    let offered = token_make();
    let start = store::session_start(app.db.fleet(), name, offered.expose()).await?;
    let open = SessionOpen {
        session_epoch: start.epoch,
        offered_join_state: offered.expose().to_owned(),
        controllers: addresses::agents(&app.config, &app.public_urls.get()),
        controller_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let opened = session_open(app, name.server, &client, &open).await?;
    let known = journal_is_known(&start, &opened);
    let journal_seq = if known { start.journal_seq } else { 0 };
    let now = app.clock.now();
    let mut tx = app.db.fleet().begin().await?;
    if !known {
        // Its numbers are given a second time: what they meant before must not hide what they mean now.
        job_reports_forget(&mut tx, name.server).await?;
    }
    let confirmed = Opened {
        epoch: start.epoch,
        replica: app.replica,
        address,
        offered: offered.expose(),
        agent_version: &opened.agent_version,
        features: &opened.features,
        job_kinds: &opened.job_kinds,
        journal: opened.journal_id.0,
        journal_seq,
    };
    if !store::session_confirm(&mut tx, name, &confirmed).await? {
        return Err(Error::conflict("fenced", "A newer connection of this server has taken over."));
    }
    stage_reached(&mut tx, name.server, InstallStage::Tunnel, now).await?;
    let subject = Subject::new("server", name.server, &start.server_name);
    let data = json!({"agent_version": opened.agent_version, "address": address.to_string()});
    event_append(&mut tx, name.organization, "server.online", &Actor::system(), &subject, data).await?;
    tx.commit().await?;

    let tunnel = Arc::new(Tunnel {
        server: name.server,
        organization: name.organization,
        address,
        epoch: start.epoch,
        serial: name.serial.clone(),
        client,
        end: end.clone(),
    });
    if !app.tunnels.insert(tunnel.clone()) {
        return Err(Error::conflict("fenced", "A newer connection of this server has taken over."));
    }
    metrics::gauge!("ocore_agents_connected").set(app.tunnels.len() as f64);
    app.bus.send(Signal::EventsAppended);
    app.bus.changed(name.organization, Kind::Server, name.server);
    tracing::info!(server = %name.server, epoch = start.epoch, %address, "agent connected");

    let offers = {
        let (app, server) = (app.clone(), name.server);
        async move { dispatch::job_offer_all(&app, server).await }
    };
    app.spawn(offers);
    let result = tokio::select! {
        result = ingest::events_follow(app, &tunnel, opened.journal_id, journal_seq) => result,
        () = end.cancelled() => Ok(()),
        () = app.stop.cancelled() => Ok(()),
    };
    end.cancel();
    app.tunnels.remove(&tunnel);
    metrics::gauge!("ocore_agents_connected").set(app.tunnels.len() as f64);
    session_over_patiently(app, &tunnel).await?;
    result
}

/// Whether the agent's journal goes on where it was left. It does not when it is a new one, or when the machine went
/// back to a snapshot: then everything that it has not seen acknowledged is sent again, and open jobs are offered again.
pub(super) fn journal_is_known(start: &SessionStart, opened: &SessionOpened) -> bool {
    let same = start.journal == Some(opened.journal_id.0);
    // An agent stores each epoch before it counts here, so that an older one is a journal that went back.
    same && start.journal_seq as u64 <= opened.last_seq && start.confirmed_epoch <= opened.previous_epoch
}

/// End the session's rows, also when the database is away now: else the server would look online for ever.
async fn session_over_patiently(app: &App, tunnel: &Tunnel) -> Result<()> {
    loop {
        match session_over(app, tunnel).await {
            Err(Error::Unavailable { .. }) if !app.stop.is_cancelled() => {
                tokio::time::sleep(ingest::DATABASE_RETRY).await;
            }
            result => return result,
        }
    }
}

async fn session_over(app: &App, tunnel: &Tunnel) -> Result<()> {
    let mut tx = app.db.fleet().begin().await?;
    // A controller that stops says nothing about its agents: they are about to reconnect.
    if let Some(name) = store::session_end(&mut tx, tunnel.server, tunnel.epoch).await?
        && !app.stop.is_cancelled()
    {
        spans_end(&mut tx, tunnel.organization, tunnel.server, app.clock.now()).await?;
        let subject = Subject::new("server", tunnel.server, name);
        event_append(&mut tx, tunnel.organization, "server.offline", &Actor::system(), &subject, json!({})).await?;
    }
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    app.bus.changed(tunnel.organization, Kind::Server, tunnel.server);
    Ok(())
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Every two seconds: this replica lives, its agents were seen, revoked ones are cut off.
pub async fn housekeeping(app: App) {
    loop {
        if let Err(error) = housekeep(&app).await {
            tracing::warn!(%error, "housekeeping of connections failed; it is tried again");
        }
        tokio::time::sleep(HOUSEKEEPING).await;
    }
}

/// One round of it; the first is before anybody is served.
pub async fn housekeep(app: &App) -> Result<()> {
    // Not behind thousands of agents that reconnect: a replica that is late here looks dead to the others.
    let system = app.db.system();
    store::replica_seen(system, app.replica, env!("CARGO_PKG_VERSION")).await?;
    let alone = app.config.database_url.is_none();
    store::session_end_all_of_dead_replicas(system, app.replica, alone).await?;
    public_urls_load(app).await?;
    let tunnels = app.tunnels.all();
    let servers: Vec<_> = tunnels.iter().map(|t| t.server.0).collect();
    store::last_seen_store(system, &servers).await?;
    sessions_reassert(app, &tunnels).await?;
    let epochs: Vec<_> = tunnels.iter().map(|t| t.epoch).collect();
    let fenced = store::session_list_fenced(system, &servers, &epochs).await?;
    for tunnel in tunnels.iter().filter(|t| fenced.contains(&t.server.0)) {
        tracing::info!(server = %tunnel.server, epoch = tunnel.epoch, "a newer session has taken over; this tunnel ends");
        tunnel.end.cancel();
    }
    let serials: Vec<_> = tunnels.iter().map(|t| t.serial.clone()).collect();
    let revoked = store::identity_list_revoked(system, &serials).await?;
    for tunnel in tunnels.iter().filter(|t| revoked.contains(&t.serial)) {
        tracing::info!(server = %tunnel.server, "the certificate was revoked; its tunnel ends");
        tunnel.end.cancel();
    }
    for (organization, job) in servers::store::uninstall_list_unconfirmed(system).await? {
        // It took the job on, which is durable, and went away: the server is forgotten as if its last word had come.
        report::job_end_here(app, organization, job, JobStatus::Succeeded, None).await?;
    }
    Ok(())
}

/// Say again what another replica took back because this one, or the database, was silent for a while.
pub(super) async fn sessions_reassert(app: &App, tunnels: &[Arc<Tunnel>]) -> Result<()> {
    let changed = store::session_reassert(app.db.system(), app.replica, tunnels).await?;
    if changed.is_empty() {
        return Ok(());
    }
    let here = app.tunnels.all();
    for tunnel in tunnels.iter().filter(|t| changed.contains(&t.server)) {
        tracing::info!(server = %tunnel.server, "a live session was taken for dead; it counts again");
        app.bus.changed(tunnel.organization, Kind::Server, tunnel.server);
        // One that ended meanwhile has been told to end before this, so it is told again.
        if !here.iter().any(|t| Arc::ptr_eq(t, tunnel)) {
            session_over(app, tunnel).await?;
        }
    }
    Ok(())
}
