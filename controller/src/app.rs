//! Everything that handlers and tasks share, passed and never global.

use crate::apps::instances::log_hub::LogHub;
use crate::apps::instances::metrics::store as instance_metrics;
use crate::business::settings::model::SettingsCache;
use crate::config::Config;
use crate::fleet::metrics::service::MetricsBuffer;
use crate::fleet::metrics::store as server_metrics;
use crate::identity::audit::AuditState;
use crate::identity::authentication::AuthState;
use crate::network::dns::Dns;
use crate::platform::bus::Bus;
use crate::platform::db::Db;
use crate::platform::http::limit::Limiter;
use crate::platform::jobs::JobsRuntime;
use crate::platform::outbound::Outbound;
use crate::platform::pki::{PeopleCertificate, Pki};
use crate::platform::public_urls::PublicUrls;
use crate::platform::secrets::Keyring;
use crate::platform::telemetry::LogLevel;
use crate::platform::tunnel::Tunnels;
use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use ocore_shared::clock::Clock;
use ocore_shared::ids::ReplicaId;
use std::ops::Deref;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The application's state. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<AppState>);

pub struct AppState {
    pub config: Config,
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub started_at: DateTime<Utc>,
    pub keyring: Keyring,
    /// This process among its replicas; new at every start.
    pub replica: ReplicaId,
    pub auth: AuthState,
    pub audit: AuditState,
    pub settings: SettingsCache,
    pub pki: Pki,
    /// What people's port shows, once it is open.
    pub people_certificate: ArcSwapOption<PeopleCertificate>,
    pub public_urls: PublicUrls,
    pub tunnels: Tunnels,
    pub jobs: JobsRuntime,
    pub bus: Bus,
    pub logs: LogHub,
    pub metrics_buffer: MetricsBuffer<server_metrics::Arrived>,
    pub instance_metrics_buffer: MetricsBuffer<instance_metrics::Arrived>,
    pub limiter: Limiter,
    /// How much the process writes into its log.
    pub log: LogLevel,
    /// For addresses that users give.
    pub outbound: Outbound,
    /// For names that users give.
    pub dns: Dns,
    /// None where the process has no recorder (tests).
    pub metrics: Option<PrometheusHandle>,
    /// Background tasks: they end with the application.
    pub tracker: TaskTracker,
    pub stop: CancellationToken,
}

impl Deref for App {
    type Target = AppState;
    fn deref(&self) -> &AppState {
        &self.0
    }
}

impl App {
    /// Put the state together. The database is migrated already.
    pub async fn new(
        config: Config, db: Db, clock: Arc<dyn Clock>, keyring: Keyring, metrics: Option<PrometheusHandle>,
    ) -> anyhow::Result<Self> {
        let auth = AuthState::new(&config, &keyring)?;
        let audit = AuditState::new(&config, &keyring)?;
        let pki = Pki::load(&db, &keyring, clock.as_ref()).await?;
        let limiter = Limiter::new(&config);
        let outbound = Outbound::new(&config);
        let dns = Dns::new(config.dns_server);
        Ok(Self(Arc::new(AppState {
            config,
            db,
            started_at: clock.now(),
            clock,
            keyring,
            replica: ReplicaId::new(),
            auth,
            audit,
            settings: SettingsCache::default(),
            pki,
            people_certificate: ArcSwapOption::empty(),
            public_urls: PublicUrls::default(),
            tunnels: Tunnels::default(),
            jobs: JobsRuntime::default(),
            bus: Bus::new(),
            logs: LogHub::default(),
            metrics_buffer: MetricsBuffer::default(),
            instance_metrics_buffer: MetricsBuffer::default(),
            limiter,
            log: LogLevel::default(),
            outbound,
            dns,
            metrics,
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        })))
    }

    /// Run `task` until it ends or the application stops.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = task => {}
                () = stop.cancelled() => {}
            }
        });
    }
}
