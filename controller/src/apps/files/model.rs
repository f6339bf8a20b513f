//! What the API tells of files beside what agents tell.

use chrono::{DateTime, Utc};
use ocore_shared::ids::ServerId;
use ocore_shared::protocol::files::FileInfo;
use serde::Serialize;
use utoipa::ToSchema;

use crate::signals::events::Subject;

/// Whose files: where their agent has them, and what the audit log calls it.
#[derive(Clone, Debug)]
pub struct FilePlace {
    pub server: ServerId,
    /// Path at the agent, e.g. `/instances/{id}/files`.
    pub base: String,
    pub subject: Subject,
}

/// A text with what is known of its file.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileContent {
    /// From its root on, e.g. `addons/my_module/README.md`.
    pub path: String,
    /// UTF-8.
    pub content: String,
    /// Bytes.
    pub size: u64,
    /// Permissions in octal, e.g. `0644`.
    pub mode: String,
    pub modified_at: DateTime<Utc>,
    /// Changes with the content; for If-Match.
    pub etag: String,
    /// Whether it can be changed here without `force`.
    pub writable: bool,
}

impl FileContent {
    pub fn new(info: FileInfo, content: String) -> Self {
        let FileInfo { path, size, mode, modified_at, etag, writable, .. } = info;
        Self { path, content, size, mode, modified_at, etag: etag.unwrap_or_default(), writable }
    }
}

/// A file that is brought: where to, and on which terms.
#[derive(Clone, Debug, Default)]
pub struct FileTarget {
    pub path: String,
    /// Only if the file's etag is this; `*`: only if there is one.
    pub if_match: Option<String>,
    pub overwrite: bool,
    /// Also where files are Odoo's own.
    pub force: bool,
}
