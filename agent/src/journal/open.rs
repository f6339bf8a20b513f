//! Opening the journal: a damaged one is moved aside, so that the agent lives on with a new one, and says so.

use super::tables::{self, Index};
use ocore_shared::clock::Clock;
use ocore_shared::ids::JournalId;
use redb::{Database, Error};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Larger files are compacted when the agent starts.
const COMPACT_ABOVE: u64 = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the journal {0} is in use by another agent; stop that one first")]
    InUse(std::path::PathBuf),
    #[error("the journal {0} cannot be opened: {1}")]
    Failed(std::path::PathBuf, String),
}

pub fn open(path: &Path, clock: &dyn Clock) -> Result<(Database, JournalId, Index), OpenError> {
    match try_open(path) {
        Ok(opened) => return Ok(opened),
        Err(Error::DatabaseAlreadyOpen) => return Err(OpenError::InUse(path.to_path_buf())),
        Err(error) if !is_damage(&error) => return Err(OpenError::Failed(path.to_path_buf(), error.to_string())),
        Err(error) => {
            let aside = path.with_extension(format!("redb.damaged-{}", clock.now().format("%Y%m%dT%H%M%SZ")));
            tracing::error!(
                %error, kept = %aside.display(),
                "the journal is damaged: it was moved aside and a new one begins; \
                 jobs that it held are unknown to this agent from now on"
            );
            std::fs::rename(path, &aside).map_err(|e| OpenError::Failed(path.to_path_buf(), e.to_string()))?;
        }
    }
    try_open(path).map_err(|e| OpenError::Failed(path.to_path_buf(), e.to_string()))
}

fn try_open(path: &Path) -> Result<(Database, JournalId, Index), Error> {
    // A damaged file may trip a check inside redb.
    let opened = catch_unwind(AssertUnwindSafe(|| -> Result<_, Error> {
        let (mut database, id, index) = tables::open(path)?;
        if std::fs::metadata(path)?.len() > COMPACT_ABOVE {
            database.compact()?;
        }
        Ok((database, id, index))
    }));
    opened.unwrap_or_else(|_| Err(Error::Corrupted("reading it failed a check".into())))
}

fn is_damage(error: &Error) -> bool {
    match error {
        Error::Io(e) => matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
        Error::Corrupted(_) | Error::UpgradeRequired(_) | Error::RepairAborted => true,
        Error::TableTypeMismatch { .. } | Error::TypeDefinitionChanged { .. } => true,
        _ => false,
    }
}
