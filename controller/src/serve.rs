//! Put together, run, and drain.

use crate::app::App;
use crate::business::admin::logs::service as logs_settings;
use crate::config::Config;
use crate::fleet::enrollment::addresses;
use crate::fleet::{connection, metrics};
use crate::identity;
use crate::network::proxies::store as proxies;
use crate::platform::db::embedded::Embedded;
use crate::platform::db::{self, Db};
use crate::platform::http::idempotency::store::idempotency_prune;
use crate::platform::http::listener::{self, Plain, Port};
use crate::platform::jobs::{dispatch, logs, tasks};
use crate::platform::mail;
use crate::platform::public_urls::public_urls_load;
use crate::platform::secrets::Keyring;
use crate::platform::telemetry;
use crate::{network, router, signals};
use anyhow::Context;
use ocore_shared::clock::SystemClock;
use ocore_shared::machine::{MACHINE_ID, machine_key};
use ocore_shared::protocol::proxy::{CONSOLE_SOCKET, ConsoleSite};
use sqlx::postgres::PgConnectOptions;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};

const PRUNE: Duration = Duration::from_secs(600);
const UPKEEP: Duration = Duration::from_secs(5);

/// The database: the given one, or the embedded cluster, started.
pub struct Database {
    pub options: PgConnectOptions,
    embedded: Option<Embedded>,
}

impl Database {
    /// Find or start it.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        if let Some(url) = &config.database_url {
            let options = PgConnectOptions::from_str(url.expose())
                .context("DATABASE_URL cannot be understood; it looks like postgres://user:password@host/database")?;
            return Ok(Self { options, embedded: None });
        }
        data_directory(&config.data_dir)?;
        let embedded = Embedded::start(&config.data_dir).await?;
        Ok(Self { options: embedded.options(), embedded: Some(embedded) })
    }

    /// Stop the embedded cluster, if that is what it is.
    pub fn close(self) {
        if let Some(embedded) = self.embedded
            && let Err(error) = embedded.stop()
        {
            tracing::warn!(%error, "the embedded PostgreSQL did not stop in order");
        }
    }
}

/// The data directory: others may pass through it to the database's socket, not look into it.
fn data_directory(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).with_context(|| format!("the data directory {} cannot be made", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o711))?;
    Ok(())
}

/// Everything but listeners and tasks.
pub async fn app_open(config: Config, database: &Database, recorder: bool) -> anyhow::Result<App> {
    data_directory(&config.data_dir)?;
    let keyring = Keyring::open(&config.data_dir.join("master.key"))?;
    let db = Db::new(database.options.clone(), config.database_connections)?;
    let metrics = if recorder { Some(telemetry::metrics_install()?) } else { None };
    let app = App::new(config, db, Arc::new(SystemClock), keyring, metrics).await?;
    public_urls_load(&app).await?;
    Ok(app)
}

/// Start every background task.
pub async fn tasks_start(app: &App) -> anyhow::Result<()> {
    metrics::service::maintain(app).await.context("the metrics' tables cannot be prepared")?;
    connection::service::housekeep(app).await.context("what an earlier run left cannot be tidied up")?;
    app.spawn(dispatch::job_sweep(app.clone()));
    app.spawn(tasks::task_runner(app.clone()));
    app.spawn(connection::service::housekeeping(app.clone()));
    app.spawn(metrics::service::flush_task(app.clone()));
    app.spawn(metrics::service::maintain_task(app.clone()));
    app.spawn(identity::authentication::flush_task(app.clone()));
    app.spawn(identity::audit::sealer::seal_task(app.clone()));
    app.spawn(logs_settings::log_level_task(app.clone()));
    app.spawn(signals::webhooks::deliveries::fan_out::fan_out_task(app.clone()));
    app.spawn(signals::notices::watch::watch_task(app.clone()));
    app.spawn(network::domains::watch::watch_task(app.clone()));
    app.spawn(prune_task(app.clone()));
    let (db, stop) = (app.db.clone(), app.stop.clone());
    app.spawn(async move { db.watch(stop).await });
    if let Some(recorder) = app.metrics.clone() {
        // Samples are kept one by one until somebody reads them, or this.
        app.spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                recorder.run_upkeep();
            }
        });
    }
    Ok(())
}

async fn prune_task(app: App) {
    loop {
        let system = app.db.system();
        let pruned = async {
            let keep = logs_settings::log_settings_get(&app).await?;
            logs::store::job_log_prune(system, keep.job_log_days).await?;
            signals::events::store::event_prune(system, keep.event_days).await?;
            tasks::store::task_prune(system, app.clock.now()).await?;
            mail::store::mail_prune(system, app.clock.now()).await?;
            identity::audit::retention::audit_prune(&app).await?;
            signals::webhooks::service::webhooks_prune(&app).await?;
            signals::notices::store::notice_prune(system, app.clock.now()).await?;
            identity::auth::recovery::store::links_prune(system, app.clock.now()).await?;
            identity::sessions::store::login_history_prune(system, app.clock.now()).await?;
            idempotency_prune(system).await
        };
        if let Err(error) = pruned.await {
            tracing::warn!(%error, "old rows could not be removed; it is tried again");
        }
        app.limiter.shrink();
        tokio::time::sleep(PRUNE).await;
    }
}

/// Run until SIGTERM or SIGINT.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let log = telemetry::log_install(&config)?;
    let database = Database::open(&config).await?;
    db::migrate(&database.options).await?;
    let app = app_open(config, &database, true).await?;
    app.log.attach(log, &app.config.log_filter);
    let people = TcpListener::bind(app.config.listen)
        .await
        .with_context(|| format!("cannot listen on {} (--listen): is another program there?", app.config.listen))?;
    let agents = TcpListener::bind(app.config.agents_listen).await.with_context(|| {
        format!("cannot listen on {} (--agents-listen): is another program there?", app.config.agents_listen)
    })?;
    tasks_start(&app).await?;
    let keeper = database.embedded.clone().map(|embedded| tokio::spawn(embedded.keep(app.stop.clone())));
    let ports = ports_serve(&app, people, agents).await?;
    let socket = console_serve(&app).await?;
    greet(&app, &ports.fingerprint).await?;
    stop_asked().await?;
    tracing::info!("stopping: open requests may finish");
    app.stop.cancel();
    app.tracker.close();
    let drain = Duration::from_secs(app.config.drain_seconds);
    let socket = async {
        if let Some(socket) = socket {
            let _ = socket.await;
        }
    };
    let ended = futures::future::join4(ports.people, ports.agents, socket, app.tracker.wait());
    if tokio::time::timeout(drain + Duration::from_secs(2), ended).await.is_err() {
        tracing::warn!("some work did not end in time; it goes on at the next start");
    }
    metrics::service::flush(&app).await;
    app.db.close().await;
    // It must not start what is stopped next.
    if let Some(keeper) = keeper {
        let _ = keeper.await;
    }
    database.close();
    Ok(())
}

/// Under its own name people reach this controller by the proxy of this machine, which comes by a socket.
async fn console_serve(app: &App) -> anyhow::Result<Option<tokio::task::JoinHandle<()>>> {
    let machine = fs::read_to_string(MACHINE_ID).ok().and_then(|id| machine_key(&id));
    let Some(host) = app.config.domain.clone() else {
        if let Some(machine) = &machine {
            proxies::console_set(app.db.system(), machine, None).await?;
        }
        return Ok(None);
    };
    let machine = machine.with_context(|| format!("--domain needs a machine with an identity ({MACHINE_ID})"))?;
    let directory = fs::canonicalize(&app.config.data_dir)?.join("console");
    data_directory(&directory)?;
    let path = directory.join(CONSOLE_SOCKET);
    // Of an earlier run.
    if let Err(error) = fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("{} cannot be made anew", path.display()));
    }
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
    // In its container the proxy has no power over files: whoever connects is asked who they are instead.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    let console = ConsoleSite { host, directory: directory.to_string_lossy().into_owned() };
    proxies::console_set(app.db.system(), &machine, Some(&console)).await?;
    let drain = Duration::from_secs(app.config.drain_seconds);
    Ok(Some(tokio::spawn(listener::socket_serve(listener, router::people(app), app.stop.clone(), drain))))
}

/// Both ports, being served.
pub struct Ports {
    pub people: tokio::task::JoinHandle<()>,
    pub agents: tokio::task::JoinHandle<()>,
    pub fingerprint: String,
}

/// Serve both ports until the application stops.
pub async fn ports_serve(app: &App, people: TcpListener, agents: TcpListener) -> anyhow::Result<Ports> {
    let now = app.clock.now();
    let drain = Duration::from_secs(app.config.drain_seconds);
    let hosts = addresses::certificate_hosts(&app.config, &app.public_urls.get());
    let tls = app.pki.people_tls(&app.db, &app.keyring, &app.config, &hosts, now).await?;
    app.people_certificate.store(Some(Arc::new(tls.certificate)));
    let plain = if app.config.allow_plain_http { Plain::Everybody } else { Plain::Loopback };
    let port = Port { listener: people, tls: tls.config, plain };
    let people = tokio::spawn(listener::serve(port, router::people(app), app.stop.clone(), drain));
    let port = Port { listener: agents, tls: app.pki.agents_tls(now)?, plain: Plain::Nobody };
    let agents = tokio::spawn(listener::serve(port, router::agents(app), app.stop.clone(), drain));
    Ok(Ports { people, agents, fingerprint: tls.fingerprint })
}

/// Say where the console is, and how the first admin is made.
async fn greet(app: &App, fingerprint: &str) -> anyhow::Result<()> {
    let addresses = addresses::people(&app.config, &app.public_urls.get());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), console = %addresses.join(" "), "oCore is ready");
    let mut text = format!("oCore {} is ready.\n", env!("CARGO_PKG_VERSION"));
    for address in &addresses {
        text.push_str(&format!("  console      {address}\n"));
    }
    if app.config.tls_certificate.is_none() {
        text.push_str(&format!("  certificate  SHA-256 {fingerprint}\n"));
    }
    if !is_journal() && identity::auth::service::bootstrap_needed(app).await? {
        let token = identity::auth::service::bootstrap_token_make(app).await?;
        let address = addresses.first().map_or("", String::as_str);
        text.push_str(&format!("  first admin  {address}/bootstrap#token={}\n", token.expose()));
    }
    // The one thing on standard output.
    println!("{text}");
    Ok(())
}

/// Whether standard output goes to systemd's journal, where a secret link must not stay.
fn is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    nix::sys::stat::fstat(std::io::stdout()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

async fn stop_asked() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Everything a command on the host needs: database and state, no listener.
pub async fn offline(config: Config) -> anyhow::Result<(App, Database)> {
    let database = Database::open(&config).await?;
    db::migrate(&database.options).await?;
    let app = app_open(config, &database, false).await?;
    Ok((app, database))
}
