//! What can be wrong with a file.

use crate::engine::OpError;
use std::io;

/// What kind of trouble it is: it decides the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    NotFound,
    Invalid,
    Conflict,
    /// It is not the file that was read.
    Changed,
    /// There are that many bytes, none of which was asked for.
    Range(u64),
    TooLarge,
    /// It may pass by itself.
    Failed,
    Job,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FileError {
    pub trouble: Trouble,
    pub code: String,
    pub message: String,
}

impl FileError {
    pub fn new(trouble: Trouble, code: &str, message: impl Into<String>) -> Self {
        Self { trouble, code: code.into(), message: message.into() }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Trouble::NotFound, "file_not_found", message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Trouble::Invalid, "file_path_invalid", message)
    }

    pub fn exists(path: impl std::fmt::Display) -> Self {
        let message = format!("{path} is there already; say overwrite to replace a file.");
        Self::new(Trouble::Conflict, "file_exists", message)
    }

    /// The server could not do it.
    pub fn failed(what: &str, cause: &dyn std::fmt::Display) -> Self {
        Self::new(Trouble::Failed, "file_failed", format!("The server could not {what}: {cause}."))
    }

    /// What the kernel said about `path`.
    pub fn from_io(what: &str, path: impl std::fmt::Display, error: &io::Error) -> Self {
        use rustix::io::Errno;
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT) => Self::not_found(format!("There is no {path}.")),
            Some(Errno::NOTDIR) => Self::new(
                Trouble::Conflict,
                "file_not_directory",
                format!("{path} is no directory, or goes through something that is none."),
            ),
            Some(Errno::EXIST) => Self::exists(path),
            Some(Errno::ISDIR) => {
                Self::new(Trouble::Conflict, "file_is_directory", format!("{path} is a directory, not a file."))
            }
            Some(Errno::NOTEMPTY) => Self::new(
                Trouble::Conflict,
                "file_not_empty",
                format!(
                    "{path} is a directory with something in it, which goes only when it is removed with recursive."
                ),
            ),
            // Beneath its root there is no such place, whatever a link says.
            Some(Errno::XDEV | Errno::LOOP) => Self::new(
                Trouble::Conflict,
                "file_outside",
                format!("{path} leads out of its root, or round in a circle; links may only lead inside."),
            ),
            Some(Errno::INVAL) => Self::invalid(format!("{path} cannot be there: nothing can be moved into itself.")),
            Some(Errno::NAMETOOLONG) => Self::invalid(format!("{path} is too long a name for the server.")),
            Some(Errno::NOSPC | Errno::DQUOT) => Self::full(),
            _ => Self::failed(what, error),
        }
    }

    pub fn full() -> Self {
        Self::new(
            Trouble::TooLarge,
            "disk_full",
            "The server has no room for that; make some, then try again. Nothing was changed.",
        )
    }
}

impl From<OpError> for FileError {
    fn from(error: OpError) -> Self {
        let trouble = match error.code.as_str() {
            "instance_not_found" => Trouble::NotFound,
            _ if error.retryable => Trouble::Failed,
            _ => Trouble::Job,
        };
        Self { trouble, code: error.code, message: error.message }
    }
}
