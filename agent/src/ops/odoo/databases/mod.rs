//! PostgreSQL of an instance: looked at, set, maintained, and the databases that it holds beside the instance's own.

pub mod look;
pub mod maintain;
pub mod others;
pub mod password;
pub mod settings;
pub mod stream;

pub use settings::settings_keep;

use super::record::Record;
use crate::engine::OpError;
use crate::host::Host;
use crate::ops::postgres;
use ocore_shared::ids::InstanceId;
use serde::de::DeserializeOwned;

/// The record of an instance whose PostgreSQL runs.
fn running(host: &Host, instance: InstanceId) -> Result<Record, OpError> {
    let record = host.records.get(instance)?;
    if !record.running {
        return Err(OpError::new("instance_stopped", "The instance is stopped, and its PostgreSQL with it; start it."));
    }
    Ok(record)
}

/// One JSON document that PostgreSQL has put together.
async fn json<T: DeserializeOwned>(host: &Host, record: &Record, database: &str, script: &str) -> Result<T, OpError> {
    let text = postgres::sql(&host.docker, &record.postgres_container(), database, script).await?;
    parsed(&text)
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, OpError> {
    serde_json::from_str(text)
        .map_err(|e| OpError::new("sql_failed", format!("PostgreSQL answered something unexpected: {e}.")))
}

/// Refuse what would fill the server's disk.
pub fn has_room(host: &Host, bytes: u64, what: &str) -> Result<(), OpError> {
    let Ok(stat) = nix::sys::statvfs::statvfs(&host.docker.root()) else { return Ok(()) };
    let free = stat.blocks_available() * stat.fragment_size();
    if free > bytes / 5 * 6 + 256 * 1024 * 1024 {
        return Ok(());
    }
    let mb = |bytes: u64| bytes / 1024 / 1024;
    Err(OpError::new(
        "not_enough_disk",
        format!(
            "{what} takes about {} MB and the server's disk has {} MB free; free some space first.",
            mb(bytes),
            mb(free)
        ),
    ))
}
