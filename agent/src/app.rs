//! Putting an agent together, and its life from start to stop.

use crate::config::Config;
use crate::connection::{Connector, renew};
use crate::engine::{Engine, EngineParts, Failpoints, Registry, SealKey};
use crate::events::EventHub;
use crate::fd_store::FdStore;
use crate::host::{Host, systemd};
use crate::identity::IdentityStore;
use crate::instance_metrics;
use crate::journal::{JournalStore, RedbJournal, Urgency};
use crate::metrics::{self, MetricsWatcher};
use crate::ops::{self, uninstall};
use crate::state::AgentState;
use crate::status::StatusFile;
use crate::terminals::{Files, Lasting};
use anyhow::Context;
use ocore_shared::clock::Clock;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tasks have that long to end by themselves.
const DRAIN: Duration = Duration::from_secs(5);
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

/// An agent that does nothing yet: no task runs, nothing was resumed.
pub fn build(
    config: Config, journal: Arc<dyn JournalStore>, clock: Arc<dyn Clock>, stop: CancellationToken,
) -> anyhow::Result<AgentState> {
    let config = Arc::new(config);
    let tracker = TaskTracker::new();
    let events = EventHub::new(journal.clone(), clock.clone());
    let host = Host::new(&config, events.clone(), clock.clone());
    crate::config::create_private_dir(&config.identity_dir())?;
    let key = SealKey::load(&config.identity_dir().join("journal.key"))?;
    let mut registry = Registry::new();
    ops::register(&mut registry, &host);
    let leaving = uninstall::Uninstall {
        config: config.clone(),
        journal: journal.clone(),
        tracker: tracker.clone(),
        stop: stop.clone(),
    };
    uninstall::register(&mut registry, leaving);
    let engine = Engine::new(EngineParts {
        journal: journal.clone(),
        events: events.clone(),
        clock: clock.clone(),
        registry,
        key,
        failpoints: Failpoints::from_env(&config.dir),
        tracker: tracker.clone(),
        stop: stop.clone(),
    });
    let metrics = MetricsWatcher::default();
    Ok(AgentState { config, journal, engine, events, metrics, clock, host, tracker, stop })
}

/// Start everything that runs beside the tunnel: what was cut is resumed, the server is watched.
pub fn start(agent: &AgentState) -> anyhow::Result<()> {
    let resumed = agent.engine.resume().context("the journal's jobs cannot be read")?;
    tracing::info!(resumed, kinds = agent.engine.job_kinds().len(), "job engine started");
    agent.host.start(&agent.tracker, agent.stop.clone());
    let (host, events, clock) = (agent.host.clone(), agent.events.clone(), agent.clock.clone());
    agent.tracker.spawn(metrics::run(host, events, clock, agent.metrics.clone(), agent.stop.clone()));
    let (host, events) = (agent.host.clone(), agent.events.clone());
    agent.tracker.spawn(instance_metrics::run(host, events, agent.metrics.clone(), agent.stop.clone()));
    let leaving = uninstall::Uninstall {
        config: agent.config.clone(),
        journal: agent.journal.clone(),
        tracker: agent.tracker.clone(),
        stop: agent.stop.clone(),
    };
    leaving.resume();
    let (engine, stop) = (agent.engine.clone(), agent.stop.clone());
    agent.tracker.spawn(async move {
        let mut hours = tokio::time::interval(PRUNE_INTERVAL);
        while stop.run_until_cancelled(hours.tick()).await.is_some() {
            engine.prune();
        }
    });
    Ok(())
}

/// `ocore-agent run`: until SIGTERM, SIGINT, or the agent's own removal.
pub async fn run(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    let identity = IdentityStore::load(&config)?;
    let journal = Arc::new(RedbJournal::open(&config.journal_path(), clock.as_ref())?);
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let agent = build(config, journal, clock, stop.clone())?;
    outlive(&agent).await.context("host terminals cannot be kept")?;
    start(&agent)?;
    agent.tracker.spawn(systemd::watchdog(stop.clone()));
    agent.tracker.spawn(renew::run(identity.clone(), agent.config.clone(), agent.clock.clone(), stop.clone()));
    let status = StatusFile::new(&agent.config, agent.clock.clone());
    let connector = Connector::new(agent.clone(), identity, status);
    // Ready means that jobs run; whether the controller is there is not the service manager's business.
    systemd::notify("READY=1");
    agent.tracker.spawn(connector.run());

    stop.cancelled().await;
    systemd::notify("STOPPING=1");
    tracing::info!("stopping; running jobs are resumed at the next start");
    agent.tracker.close();
    if tokio::time::timeout(DRAIN, agent.tracker.wait()).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
    // What waits for company is written now.
    let _ = tokio::time::timeout(DRAIN, agent.journal.submit(Vec::new(), Urgency::Now)).await;
    Ok(())
}

/// Where systemd runs us, host terminals outlive us.
async fn outlive(agent: &AgentState) -> std::io::Result<()> {
    let (store, inherited) = FdStore::inherit()?;
    let Some(dir) = std::env::var_os("RUNTIME_DIRECTORY").filter(|_| systemd::is_pid_1()) else { return Ok(()) };
    let files = Files::new(PathBuf::from(dir).join("terminals"), agent.clock.clone())?;
    agent.host.terminals.outlive(Lasting::new(store, files), inherited).await;
    Ok(())
}

fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}
