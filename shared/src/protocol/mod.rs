//! What travels inside the tunnel. JSON bodies for control, raw bytes for bulk and terminals.
//!
//! The agent's HTTP API, seen only by its controller (see [`crate::tunnel`]):
//!
//! | route | body → answer |
//! |---|---|
//! | `POST /session` | [`session::SessionOpen`] → [`session::SessionOpened`]; 409 when the epoch is older than the stored one |
//! | `GET /events?after=SEQ` | NDJSON of [`events::EventEnvelope`], never ends |
//! | `POST /events/ack` | [`events::EventAck`] → 204 |
//! | `GET /jobs` | [`jobs::JobSnapshot`] of every job that is not yet acknowledged as ended |
//! | `PUT /jobs/{id}` | [`jobs::JobRequest`] → 201 new, 200 known, 409 another body, or cancelled before it came, 503 cannot write; [`jobs::JobSnapshot`] |
//! | `GET /jobs/{id}` | [`jobs::JobSnapshot`] |
//! | `DELETE /jobs/{id}` | cancels just that job → 202 [`jobs::JobSnapshot`] |
//! | `GET /jobs/{id}/log?after=SEQ&follow=1` | NDJSON of [`jobs::JobLogLine`] |
//! | `GET /inventory/system` | [`inventory::Facts`] |
//! | `GET /inventory/containers` | list of [`inventory::ContainerInfo`] |
//! | `POST /metrics/watch` | [`inventory::MetricsWatch`] → 204; 10 s samples until it runs out |
//! | `GET /containers/{id}/stats` | [`inventory::ContainerStats`] |
//! | `GET /instances/{id}/logs?after=CURSOR&tail=N&follow=1` | NDJSON of [`logs::LogRecord`] |
//! | `GET /proxy` | [`proxy::ProxyState`] |
//! | `GET /instances/{id}/logs/history?before=CURSOR&limit=N&q=TEXT&level=L` | [`logs::LogPage`] |
//! | `GET /instances/{id}/modules` | [`modules::ModuleList`] |
//! | `GET /instances/{id}/database` | [`databases::DatabaseInfo`] |
//! | `GET /instances/{id}/database/settings` | [`databases::SettingList`] |
//! | `GET /instances/{id}/database/metrics` | [`databases::DatabaseMetrics`] |
//! | `GET /instances/{id}/database/tables?sort=S&q=TEXT&limit=N&offset=N` | [`databases::TableList`] |
//! | `GET /instances/{id}/database/databases` | [`databases::DatabaseList`] |
//! | `GET /instances/{id}/files` ? [`files::FileQuery`] | [`files::FileList`] |
//! | `DELETE /instances/{id}/files` ? [`files::RemoveQuery`] | [`files::FilesRemoved`] |
//! | `GET /instances/{id}/files/content?path=P&range=R` | the bytes, or 206 those of `Range` R; [`files::HEADER_FILE`] |
//! | `PUT /instances/{id}/files/content` ? [`files::WriteQuery`] | raw bytes → [`files::FileInfo`] |
//! | `POST /instances/{id}/files/mkdir` ? [`files::WriteQuery`] | [`files::FileInfo`] |
//! | `POST /instances/{id}/files/move` | [`files::MoveQuery`] → [`files::FileInfo`] |
//! | `GET /instances/{id}/files/zip?path=P` | the directory as a zip |
//! | `POST /instances/{id}/files/uploads` | [`files::UploadOpen`] → 201 [`files::Upload`] |
//! | `GET /instances/{id}/files/uploads/{upload}` | [`files::Upload`] |
//! | `PATCH /instances/{id}/files/uploads/{upload}?offset=N` | raw bytes → [`files::Upload`] |
//! | `DELETE /instances/{id}/files/uploads/{upload}` | 204 |
//! | `POST /terminals` | [`terminals::TerminalOpen`] → 201 [`terminals::TerminalInfo`] |
//! | `GET /terminals` | list of [`terminals::TerminalInfo`] |
//! | `POST /terminals/{id}/attach?after=OFFSET` | duplex [`terminals::Frame`]s |
//! | `DELETE /terminals/{id}` | ends its process group → 204 |
//!
//! Errors are [`AgentError`] with a fitting status.

pub mod addons;
pub mod backups;
pub mod databases;
pub mod enrollment;
pub mod events;
pub mod files;
pub mod health;
pub mod inventory;
pub mod jobs;
pub mod logs;
pub mod modules;
pub mod odoo;
pub mod proxy;
pub mod registries;
pub mod session;
pub mod storage;
pub mod terminals;

use serde::{Deserialize, Serialize};

/// `MAJOR.MINOR` of this build. The controller accepts its own major and the one before.
pub const PROTOCOL_VERSION: &str = "1.0";
pub const PROTOCOL_MAJOR: u32 = 1;

/// Header of the WebSocket handshake, both ways: [`PROTOCOL_VERSION`].
pub const HEADER_PROTOCOL: &str = "ocore-protocol";
/// Header of the WebSocket handshake: the agent's own version.
pub const HEADER_AGENT_VERSION: &str = "ocore-agent-version";
/// Header of the WebSocket handshake: the agent's clock, RFC 3339, so that skew is named instead of guessed.
pub const HEADER_CLOCK: &str = "ocore-clock";

/// The one name in the certificate of the agents' port, whatever address the agent dials.
pub const CONTROLLER_SERVER_NAME: &str = "controller.ocore.internal";

/// The body of every answer of the agent that is not a success.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentError {
    /// Stable word, e.g. `port_taken`.
    pub code: String,
    /// A sentence that says what to do.
    pub message: String,
}

/// What `ocore-protocol: MAJOR.MINOR` says, if it says it.
pub fn protocol_major(header: &str) -> Option<u32> {
    header.split('.').next()?.trim().parse().ok()
}

/// Whether this controller speaks with an agent of that major version.
pub fn protocol_supported(major: u32) -> bool {
    major == PROTOCOL_MAJOR || major + 1 == PROTOCOL_MAJOR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_major_is_supported_and_the_next_is_not() {
        assert_eq!(protocol_major(PROTOCOL_VERSION), Some(PROTOCOL_MAJOR));
        assert!(protocol_supported(PROTOCOL_MAJOR));
        assert!(!protocol_supported(PROTOCOL_MAJOR + 1));
        assert_eq!(protocol_major("nonsense"), None);
    }
}
