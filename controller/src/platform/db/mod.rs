//! Connections: one pool that serves requests under row-level security, one small pool for the system's own work, and
//! one for what agents cause, so that nobody waits to sign in behind thousands that reconnect.
//!
//! A request's connection remembers the organization that it was last set to, and sets it only when it differs: the
//! only way of having row-level security that costs nearly nothing.

pub mod embedded;
mod migrate;

#[cfg(test)]
pub use migrate::fingerprint;
pub use migrate::{migrate, schema_is_current};

use crate::error::{Error, Result};
use deadpool::managed::{self, Metrics, Object, RecycleError, RecycleResult};
use ocore_shared::ids::OrganizationId;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that has not answered for so long is asked before it is used.
const PING_AFTER: Duration = Duration::from_secs(1);
const FLEET_PATIENCE: Duration = Duration::from_secs(30);
const SYSTEM_CONNECTIONS: u32 = 8;
const FLEET_CONNECTIONS: u32 = 8;

/// All pools. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    app: managed::Pool<OrgManager>,
    system: PgPool,
    fleet: PgPool,
    options: PgConnectOptions,
    generation: Arc<AtomicU64>,
}

impl Db {
    /// Pools over a migrated database. Nothing is connected yet.
    pub fn new(options: PgConnectOptions, connections: usize) -> anyhow::Result<Self> {
        let options = options.application_name("ocore").log_statements(log_level());
        let generation = Arc::new(AtomicU64::new(0));
        let manager = OrgManager { options: options.clone(), generation: generation.clone() };
        let app = managed::Pool::builder(manager)
            .max_size(connections)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .runtime(deadpool::Runtime::Tokio1)
            .build()?;
        let system = system_pool(&options, SYSTEM_CONNECTIONS, CONNECT_TIMEOUT);
        // Thousands may wait here for their turn, and should: giving up would only make them come again.
        let fleet = system_pool(&options, FLEET_CONNECTIONS, FLEET_PATIENCE);
        Ok(Self { app, system, fleet, options, generation })
    }

    /// A connection that sees one organization's rows.
    pub async fn org(&self, organization: OrganizationId) -> Result<OrgConnection> {
        let mut object = self.app.get().await.map_err(|error| match error {
            managed::PoolError::Backend(e) => Error::from(e),
            other => {
                tracing::warn!(error = %other, "no database connection");
                Error::Unavailable { message: "The database is busy or away; try again.".into(), retry_after: 2 }
            }
        })?;
        if object.organization != Some(organization) {
            object.organization = None;
            sqlx::query("select set_config('ocore.org', $1, false)")
                .bind(organization.to_string())
                .execute(&mut object.connection)
                .await?;
            object.organization = Some(organization);
        }
        Ok(OrgConnection(Some(object)))
    }

    /// The pool of the system's own work: signing in and housekeeping.
    pub fn system(&self) -> &PgPool {
        &self.system
    }

    /// The pool of what agents cause: sessions, jobs handed over, reports.
    pub fn fleet(&self) -> &PgPool {
        &self.fleet
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("select 1").execute(&self.system).await?;
        Ok(())
    }

    /// Close everything; open connections end with their holders.
    pub async fn close(&self) {
        self.app.close();
        self.system.close().await;
        self.fleet.close().await;
    }

    /// Watch one connection of our own: when it breaks, every pooled one is doubtful and is replaced before its next
    /// use, so that a restarted database costs no request after it is back.
    pub async fn watch(&self, stop: CancellationToken) {
        let mut watched: Option<PgConnection> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
            let healthy = match &mut watched {
                Some(connection) => {
                    matches!(tokio::time::timeout(CONNECT_TIMEOUT, connection.ping()).await, Ok(Ok(())))
                }
                None => false,
            };
            if !healthy {
                if watched.take().is_some() {
                    tracing::warn!("the database went away");
                }
                self.generation.fetch_add(1, Ordering::SeqCst);
                watched = self.options.connect().await.ok();
            }
        }
    }
}

/// Connections that see all organizations.
fn system_pool(options: &PgConnectOptions, connections: u32, patience: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::query("set role ocore_system").execute(connection).await.map(|_| ()) })
        })
        .connect_lazy_with(options.clone())
}

fn log_level() -> tracing::log::LevelFilter {
    tracing::log::LevelFilter::Trace
}

/// A pooled connection, set to one organization.
pub struct OrgConnection(Option<Object<OrgManager>>);

const HELD: &str = "a connection is held until it is dropped";

impl Deref for OrgConnection {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.0.as_ref().expect(HELD).connection
    }
}

impl DerefMut for OrgConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0.as_mut().expect(HELD).connection
    }
}

impl Drop for OrgConnection {
    /// A transaction that was given up has its ROLLBACK only in the connection's buffer: it is sent before the
    /// connection rests in the pool, where it would keep its locks.
    fn drop(&mut self) {
        let Some(mut object) = self.0.take() else { return };
        let runtime = tokio::runtime::Handle::try_current();
        if let (true, Ok(runtime)) = (object.connection.should_flush(), runtime) {
            runtime.spawn(async move {
                if !matches!(tokio::time::timeout(CONNECT_TIMEOUT, object.connection.ping()).await, Ok(Ok(()))) {
                    drop(Object::take(object));
                }
            });
        }
    }
}

pub struct OrgSlot {
    connection: PgConnection,
    organization: Option<OrganizationId>,
    generation: u64,
    /// When it last answered a ping.
    checked: Instant,
}

pub struct OrgManager {
    options: PgConnectOptions,
    generation: Arc<AtomicU64>,
}

impl managed::Manager for OrgManager {
    type Type = OrgSlot;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<OrgSlot, sqlx::Error> {
        let generation = self.generation.load(Ordering::SeqCst);
        let mut connection = self.options.connect().await?;
        sqlx::query("set role ocore_app").execute(&mut connection).await?;
        Ok(OrgSlot { connection, organization: None, generation, checked: Instant::now() })
    }

    async fn recycle(&self, slot: &mut OrgSlot, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if slot.generation != self.generation.load(Ordering::SeqCst) {
            return Err(RecycleError::message("the database was away since"));
        }
        // Not since its last use: one that is broken would be used, and fail, for ever.
        if slot.checked.elapsed() > PING_AFTER {
            slot.connection.ping().await?;
            slot.checked = Instant::now();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::TestApp;
    use ocore_shared::ids::OrganizationId;
    use sqlx::Connection;
    use std::time::Duration;

    #[tokio::test]
    async fn a_transaction_that_was_given_up_keeps_no_lock() {
        let test = TestApp::start().await;
        let organization = OrganizationId::new();
        let mut connection = test.app.db.org(organization).await.unwrap();
        let mut tx = connection.begin().await.unwrap();
        sqlx::query("select pg_advisory_xact_lock(7)").execute(&mut *tx).await.unwrap();
        drop(tx);
        drop(connection);
        let free = async {
            loop {
                let mut connection = test.app.db.system().acquire().await.unwrap();
                let got: bool =
                    sqlx::query_scalar("select pg_try_advisory_lock(7)").fetch_one(&mut *connection).await.unwrap();
                if got {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), free).await.expect("the lock is given back");
    }
}
