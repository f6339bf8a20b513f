//! What this server is and can do: its containers, their logs, terminals, ports, files. Passed to routes and operations.

pub mod docker;
pub mod facts;
pub mod http;
pub mod ports;
pub mod pty;
pub mod systemd;

use crate::config::Config;
use crate::engine::OpError;
use crate::events::EventHub;
use crate::files::Files;
use crate::logs::LogHub;
use crate::ops::odoo::observer::{self, HealthBoard};
use crate::ops::odoo::record::Records;
use crate::ops::proxy::{self, ProxyFiles};
use crate::terminals::Terminals;
use docker::DockerHost;
use docker::watch::Containers;
use ocore_shared::clock::Clock;
use ocore_shared::protocol::inventory::{ContainerInfo, DockerStatus};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// One takes a core or two and tens of megabytes.
const BACKUPS_AT_ONCE: usize = 2;

/// Cheap to clone.
#[derive(Clone)]
pub struct Host {
    pub docker: DockerHost,
    pub watched: Containers,
    pub records: Records,
    pub logs: LogHub,
    pub files: Files,
    pub terminals: Terminals,
    pub proxy: ProxyFiles,
    /// Held while the proxy or what it serves is changed.
    pub proxy_lock: Arc<tokio::sync::Mutex<()>>,
    /// Read by jobs that take an Odoo away for a while; written while the proxy is given another configuration, which would
    /// end the requests that it holds for that Odoo.
    pub standing: Arc<tokio::sync::RwLock<()>>,
    pub health: HealthBoard,
    pub clock: Arc<dyn Clock>,
    /// Held while objects with well-known names are made, so that two jobs do not make the same one.
    pub naming: Arc<tokio::sync::Mutex<()>>,
    /// Backups that may be made or put back at once.
    pub backup_turns: Arc<tokio::sync::Semaphore>,
    /// Where `policy.toml` is.
    pub config_dir: PathBuf,
    /// Host ports for instances that wish none.
    pub instance_ports: RangeInclusive<u16>,
}

impl Host {
    /// Does nothing yet: no connection, no task.
    pub fn new(config: &Config, events: EventHub, clock: Arc<dyn Clock>) -> Host {
        let docker = DockerHost::new(&config.docker_socket());
        let watched = Containers::new(docker.clone(), events.clone());
        let records = Records::new(config.instances_dir());
        Host {
            logs: LogHub::new(docker.clone(), config.spool_dir(), watched.changes(), clock.clone()),
            files: Files::new(records.clone(), docker.clone(), config.uploads_dir(), clock.clone()),
            terminals: Terminals::new(docker.clone(), &config.config_dir),
            proxy: ProxyFiles::new(config.proxy_dir()),
            proxy_lock: Arc::default(),
            standing: Arc::default(),
            health: HealthBoard::new(events),
            docker,
            watched,
            records,
            clock,
            naming: Arc::default(),
            backup_turns: Arc::new(tokio::sync::Semaphore::new(BACKUPS_AT_ONCE)),
            config_dir: config.config_dir.clone(),
            instance_ports: config.instance_ports(),
        }
    }

    /// Watch the containers and the instances' health, and end forgotten terminals, until `stop`.
    pub fn start(&self, tracker: &TaskTracker, stop: CancellationToken) {
        tracker.spawn(self.watched.clone().run(stop.clone()));
        tracker.spawn(observer::run(self.clone(), stop.clone()));
        tracker.spawn(proxy::keep(self.clone(), stop.clone()));
        tracker.spawn(self.files.clone().sweep(stop.clone()));
        tracker.spawn(self.terminals.clone().run(stop));
    }

    /// As of the last look, of which there is one by then.
    pub async fn docker_status(&self) -> DockerStatus {
        self.docker.status_known().await
    }

    /// Look now.
    pub async fn docker_probe(&self) -> DockerStatus {
        self.docker.probe().await
    }

    /// All containers, ours in detail.
    pub async fn containers(&self) -> Result<Vec<ContainerInfo>, OpError> {
        self.watched.list().await
    }

    /// Running and all, as last seen.
    pub fn container_counts(&self) -> (i32, i32) {
        self.watched.counts()
    }

    /// Where Docker keeps its data, for questions about disk space.
    pub fn docker_root(&self) -> PathBuf {
        self.docker.root()
    }
}
