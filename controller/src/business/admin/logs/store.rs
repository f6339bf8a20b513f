//! Every query on the settings of logs, through the system's pool: they are the platform's.

use super::model::Stored;
use crate::error::{Error, Result};
use sqlx::PgConnection;

const KEY: &str = "logs";
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

pub async fn log_settings_set(connection: &mut PgConnection, stored: &Stored) -> Result<()> {
    let value = serde_json::to_value(stored).map_err(Error::internal)?;
    sqlx::query!(
        "insert into settings (key, value) values ($1, $2)
         on conflict (key) do update set value = excluded.value, version = settings.version + 1, updated_at = now()",
        KEY,
        value
    )
    .execute(connection)
    .await?;
    Ok(())
}
