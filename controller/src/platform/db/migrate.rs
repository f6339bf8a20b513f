//! Forward-only migrations, embedded in the binary.

use anyhow::Context;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Bring the database to this version's schema. Several replicas may call it at once: the first one works.
pub async fn migrate(options: &PgConnectOptions) -> anyhow::Result<()> {
    let mut connection = options.connect().await.context("cannot connect to the database")?;
    MIGRATOR.run(&mut connection).await.context("the database's schema cannot be brought up to date")?;
    connection.close().await?;
    Ok(())
}

/// Whether every migration of this version has run.
pub async fn schema_is_current(options: &PgConnectOptions) -> anyhow::Result<bool> {
    let mut connection = options.connect().await.context("cannot connect to the database")?;
    let applied: Result<Vec<i64>, _> =
        sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(&mut connection).await;
    connection.close().await?;
    let applied = applied.unwrap_or_default();
    Ok(MIGRATOR.iter().all(|migration| applied.contains(&migration.version)))
}

/// A short text that differs when any migration differs.
#[cfg(test)]
pub fn fingerprint() -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for migration in MIGRATOR.iter() {
        hash.update(&migration.checksum);
    }
    hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect()
}
