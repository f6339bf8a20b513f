//! Every query on the settings of logs, through the system's pool: they are the platform's.

use super::model::Stored;
use crate::error::{Error, Result};
use sqlx::PgConnection;

/// The group of `settings`.
pub const KEY: &str = "logs";
const LOCK: i64 = 0x6f43_6f72_6500_0106;

/// Of two who change them at once, one waits for the other.
pub async fn log_settings_lock(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK).execute(connection).await?;
    Ok(())
}

/// What is stored, and how often it was changed.
pub async fn log_settings_get(connection: &mut PgConnection) -> Result<(Stored, i64)> {
    let row =
        sqlx::query!("select value, version from settings where key = $1", KEY).fetch_optional(connection).await?;
    match row {
        Some(row) => Ok((serde_json::from_value(row.value).map_err(Error::internal)?, row.version)),
        None => Ok((Stored::default(), 0)),
    }
}
