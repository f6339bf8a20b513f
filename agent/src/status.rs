//! `status.json`: how the connection is, for `ocore-agent status` and for whoever looks at the server.

use crate::config::{Config, write_atomically};
use chrono::{DateTime, Utc};
use ocore_shared::clock::Clock;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    Connected,
    /// No controller could be reached, or the connection was lost. Tried again.
    Offline,
    /// A controller answered that this agent may not connect. Tried again, too.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub connection: Connection,
    /// Why, and what to do.
    pub message: String,
    /// `host:port` of the controller in question.
    pub controller: Option<String>,
    pub since: DateTime<Utc>,
    pub agent_version: String,
}

/// Writes the file when something changes.
pub struct StatusFile {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(Connection, String, Option<String>)>>,
}

impl StatusFile {
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self { path: config.status_path(), clock, last: Mutex::default() }
    }

    pub fn set(&self, connection: Connection, message: impl Into<String>, controller: Option<&str>) {
        let now = (connection, message.into(), controller.map(String::from));
        {
            let mut last = self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if last.as_ref() == Some(&now) {
                return;
            }
            *last = Some(now.clone());
        }
        let (connection, message, controller) = now;
        let agent_version = crate::host::facts::AGENT_VERSION.into();
        let status = Status { connection, message, controller, since: self.clock.now(), agent_version };
        let written = serde_json::to_vec_pretty(&status)
            .map_err(std::io::Error::other)
            .and_then(|json| write_atomically(&self.path, &json, 0o644));
        if let Err(error) = written {
            tracing::warn!(%error, path = %self.path.display(), "the status cannot be written");
        }
    }
}

/// What the file says, if there is one.
pub fn read(config: &Config) -> Option<Status> {
    serde_json::from_slice(&std::fs::read(config.status_path()).ok()?).ok()
}
