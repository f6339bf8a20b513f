//! What goes wrong with a destination, for people.

use crate::protocol::storage::{StorageProblem, StorageProblemKind};
use std::io;

/// Why something at a destination was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StorageError {
    pub kind: StorageProblemKind,
    /// A sentence that says what to do.
    pub message: String,
}

impl StorageError {
    pub fn new(kind: StorageProblemKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if !message.ends_with(['.', '!', '?']) {
            message.push('.');
        }
        Self { kind, message }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(StorageProblemKind::Failed, message)
    }

    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(StorageProblemKind::Unreachable, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(StorageProblemKind::Refused, message)
    }

    pub(super) fn io(error: &io::Error) -> Self {
        use StorageProblemKind as Kind;
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::new(Kind::Full, "There is no room left at the destination")
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::refused(format!("Writing there is not allowed: {error}"))
            }
            io::ErrorKind::NotFound => Self::new(Kind::NotFound, format!("It is not there: {error}")),
            _ => Self::failed(format!("The destination failed: {error}")),
        }
    }
}

impl From<StorageError> for StorageProblem {
    fn from(error: StorageError) -> Self {
        Self { kind: error.kind, message: error.message }
    }
}

impl From<StorageProblem> for StorageError {
    fn from(problem: StorageProblem) -> Self {
        Self { kind: problem.kind, message: problem.message }
    }
}

/// The cause that says most.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string().trim_end_matches('.').to_owned()
}

/// What was said by ourselves further down.
pub(super) fn own<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a StorageError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(own) = error.downcast_ref() {
            return Some(own);
        }
        next = error.source();
    }
    None
}
