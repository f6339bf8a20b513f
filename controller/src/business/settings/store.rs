//! Every query on the groups of `settings` and on their secrets.

use super::model::Stored;
use crate::error::{Error, Result};
use ocore_shared::ids::SecretId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// Any number that nothing else locks: "settings".
const LOCK: i64 = 0x7365_7474_696e_6773;
const GROUPS: [&str; 4] = ["signup", "mail", "oauth", "webhooks"];

/// Of two who change settings at once, one waits for the other.
pub async fn settings_lock(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK).execute(connection).await?;
    Ok(())
}

pub async fn settings_get(connection: &mut PgConnection) -> Result<Stored> {
    let groups = GROUPS.map(str::to_owned);
    let rows = sqlx::query!("select key, value, version from settings where key = any($1)", &groups[..])
        .fetch_all(connection)
        .await?;
    let mut stored = Stored::default();
    for row in rows {
        stored.version += row.version;
        match row.key.as_str() {
            "signup" => stored.signup = read(row.value)?,
            "mail" => stored.mail = read(row.value)?,
            "oauth" => stored.oauth = read(row.value)?,
            _ => stored.webhooks = read(row.value)?,
        }
    }
    Ok(stored)
}

fn read<T: DeserializeOwned>(value: Value) -> Result<Option<T>> {
    serde_json::from_value(value).map_err(Error::internal)
}

/// Write one group. What is taken back is null, so that its count of changes goes on.
pub async fn group_set(connection: &mut PgConnection, group: &str, value: &impl Serialize) -> Result<()> {
    let value = serde_json::to_value(value).map_err(Error::internal)?;
    sqlx::query!(
        "insert into settings (key, value) values ($1, $2)
         on conflict (key) do update set value = excluded.value, version = settings.version + 1, updated_at = now()",
        group,
        value
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Secrets of the platform, still sealed.
pub async fn secrets_get(connection: &mut PgConnection, ids: &[SecretId]) -> Result<Vec<(SecretId, Vec<u8>)>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!("select id, sealed from secrets where organization_id is null and id = any($1)", &ids[..])
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (SecretId(row.id), row.sealed)).collect())
}

pub async fn secret_insert(connection: &mut PgConnection, id: SecretId, purpose: &str, sealed: &[u8]) -> Result<()> {
    sqlx::query!("insert into secrets (id, purpose, sealed) values ($1, $2, $3)", id.0, purpose, sealed)
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn secrets_delete(connection: &mut PgConnection, ids: &[SecretId]) -> Result<()> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query!("delete from secrets where organization_id is null and id = any($1)", &ids[..])
        .execute(connection)
        .await?;
    Ok(())
}
