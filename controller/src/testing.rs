//! Helpers of tests: the application over a database of its own, copied from a migrated template.

use crate::app::App;
use crate::config::{Cli, Config};
use crate::platform::db::{self, Db};
use crate::platform::secrets::Keyring;
use crate::platform::tunnel::Tunnel;
use hyper_util::service::TowerToHyperService;
use ocore_shared::clock::ShiftedClock;
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::tunnel::{self, TunnelClient};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Template databases are made once per set of migrations; tests that start together wait for the first.
const TEMPLATE_LOCK: i64 = 0x6f43_6f72_6500_00ff;

/// An application without listeners and background tasks.
pub struct TestApp {
    pub app: App,
    /// Moves the application's time.
    pub clock: ShiftedClock,
    /// Connects as the database's superuser, past row-level security.
    pub options: PgConnectOptions,
    directory: tempfile::TempDir,
    configure: Box<dyn Fn(&mut Config) + Send + Sync>,
}

impl TestApp {
    /// A fresh one. Needs a PostgreSQL whose superuser DATABASE_URL names; `tests/run` starts one.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same with another configuration.
    pub async fn start_with(configure: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let url = std::env::var("DATABASE_URL").expect("tests need DATABASE_URL; run them by tests/run");
        let server = PgConnectOptions::from_str(&url).expect("DATABASE_URL is a PostgreSQL URL");
        let options = database_make(&server).await;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (app, clock) = Self::open(&options, directory.path(), &configure).await;
        Self { app, clock, options, directory, configure: Box::new(configure) }
    }

    /// The same database and master key in a new process, as after a restart.
    pub async fn restart(&self) -> App {
        Self::open(&self.options, self.directory.path(), &*self.configure).await.0
    }

    async fn open(
        options: &PgConnectOptions, directory: &std::path::Path, configure: &(dyn Fn(&mut Config) + Send + Sync),
    ) -> (App, ShiftedClock) {
        let mut config = config(directory);
        configure(&mut config);
        let keyring = Keyring::open(&directory.join("master.key")).expect("a master key");
        let db = Db::new(options.clone(), 10).expect("pools");
        let clock = ShiftedClock::default();
        let app = App::new(config, db, Arc::new(clock.clone()), keyring, None).await.expect("an application");
        crate::fleet::metrics::service::maintain(&app).await.expect("partitions");
        (app, clock)
    }
}

impl Drop for TestApp {
    /// Some hundred databases would fill a small disk. That of a test that failed stays to be looked at.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let options = self.options.clone();
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let name = options.get_database().expect("a database of its own").to_owned();
                let mut admin = options.database("postgres").connect().await.expect("the tests' PostgreSQL answers");
                run(&mut admin, format!("drop database {name} with (force)")).await;
            });
        });
        dropped.join().expect("the test's database is dropped");
    }
}

/// The controller's end of a tunnel in memory to an agent that answers with `routes`.
pub async fn tunnel_to(routes: axum::Router) -> TunnelClient {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(tunnel::serve(far, TowerToHyperService::new(routes), CancellationToken::new()));
    let (client, connection) = tunnel::connect(near).await.expect("a tunnel");
    tokio::spawn(connection);
    client
}

/// An agent that answers with `routes`; its tunnel is known to the application like any other.
pub async fn agent(
    app: &App, organization: OrganizationId, server: ServerId, epoch: i64, routes: axum::Router,
) -> Arc<Tunnel> {
    let tunnel = tunnel_of(organization, server, epoch, routes).await;
    assert!(app.tunnels.insert(tunnel.clone()), "a newer tunnel is there");
    tunnel
}

/// A tunnel in memory of that server, whose agent answers with `routes`.
pub async fn tunnel_of(
    organization: OrganizationId, server: ServerId, epoch: i64, routes: axum::Router,
) -> Arc<Tunnel> {
    Arc::new(Tunnel {
        server,
        organization,
        address: Ipv4Addr::new(192, 0, 2, 8).into(),
        epoch,
        serial: server.to_string(),
        client: tunnel_to(routes).await,
        end: CancellationToken::new(),
    })
}

/// Wait for a condition.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), met).await.unwrap_or_else(|_| panic!("{what} did not come"));
}

/// The default configuration in a temporary directory, with limits that do not get in a test's way.
fn config(directory: &std::path::Path) -> Config {
    let mut cli = Cli::read(["ocore-controller".into()], |_| None).expect("defaults");
    cli.config.data_dir = directory.to_owned();
    cli.config.database_url = None;
    cli.config.rate_limit_burst = 0;
    // Nothing listens there: no test asks the machine's name servers.
    cli.config.dns_server = Some(([127, 0, 0, 1], 9).into());
    cli.config.public_url = vec!["https://localhost:8080".to_owned()];
    cli.config
}

async fn database_make(server: &PgConnectOptions) -> PgConnectOptions {
    let mut admin = server.clone().database("postgres").connect().await.expect("the tests' PostgreSQL answers");
    let template = format!("ocore_template_{}", db::fingerprint());
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut admin).await.expect("a lock");
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&template)
        .fetch_one(&mut admin)
        .await
        .expect("a look at the databases");
    if !exists {
        run(&mut admin, format!("create database {template}")).await;
        db::migrate(&server.clone().database(&template)).await.expect("migrations");
    }
    sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(&mut admin).await.expect("an unlock");
    let name = format!("ocore_test_{}", Uuid::now_v7().simple());
    run(&mut admin, format!("create database {name} template {template}")).await;
    server.clone().database(&name)
}

async fn run(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.expect("the statement runs");
}
