//! Files of an instance. Paths begin with the name of a root (`addons/my_module/__manifest__.py`); nothing outside of
//! the roots can be named, and no link leads out of one.

use crate::ids::UploadId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The largest file that is read and written as text, in bytes.
pub const MAX_TEXT: u64 = 5 * 1024 * 1024;
/// Header of an agent's answer with a file's bytes: its [`FileInfo`] as JSON in base64 (URL-safe, no padding).
pub const HEADER_FILE: &str = "ocore-file";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Directory,
    File,
    /// A symbolic link; it is followed as long as it stays in its root.
    Link,
    /// A device, a socket or a pipe: nothing that can be read here.
    Other,
}

/// A file or a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct FileInfo {
    pub name: String,
    /// From its root on, e.g. `addons/my_module/README.md`.
    pub path: String,
    #[serde(rename = "type")]
    pub kind: FileKind,
    /// Bytes of a file; 0 of anything else.
    pub size: u64,
    /// Permissions in octal, e.g. `0644`.
    pub mode: String,
    pub modified_at: DateTime<Utc>,
    /// Of a file: changes with its content. For If-Match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Whether it can be changed here without `force`.
    pub writable: bool,
}

/// What an agent tells of a directory: as much as was asked for, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileList {
    pub entries: Vec<FileInfo>,
}

/// Which of a directory's entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileQuery {
    /// Of the directory; empty: the roots.
    #[serde(default)]
    pub path: String,
    /// Only what comes after this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// What goes with a change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WriteQuery {
    pub path: String,
    /// Only if the file's etag is this; `*`: only if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// Whether a file of that name may be replaced.
    #[serde(default)]
    pub overwrite: bool,
    /// Also where files are Odoo's own.
    #[serde(default)]
    pub force: bool,
}

/// A file under another name, or elsewhere in its root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoveQuery {
    pub from: String,
    pub to: String,
    #[serde(default)]
    pub overwrite: bool,
    #[serde(default)]
    pub force: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RemoveQuery {
    pub path: String,
    /// A directory with all that is in it.
    #[serde(default)]
    pub recursive: bool,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
    #[serde(default)]
    pub force: bool,
}

/// What was removed, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct FilesRemoved {
    /// Files and links.
    pub files: u64,
    pub directories: u64,
    /// Sum of the files' sizes.
    pub bytes: u64,
}

/// An upload to begin, of which parts may come one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UploadOpen {
    /// Where the file will be.
    pub path: String,
    /// Bytes of the whole file.
    pub length: u64,
    #[serde(default)]
    pub overwrite: bool,
    #[serde(default)]
    pub force: bool,
}

/// An upload that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Upload {
    pub id: UploadId,
    /// Where the file will be.
    pub path: String,
    /// Bytes that are there.
    pub offset: u64,
    /// Bytes of the whole file.
    pub length: u64,
    /// Forgotten then, if nothing more has come.
    pub expires_at: DateTime<Utc>,
    /// The file, once it is whole and in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileInfo>,
}
