//! What jobs on servers mean for them.

use super::store;
use crate::error::Result;
use crate::fleet::connection;
use crate::platform::bus::{Kind, Signal};
use crate::platform::jobs::model::Reported;
use crate::signals::events::store::event_append;
use ocore_shared::protocol::jobs::JobSnapshot;
use serde_json::json;
use sqlx::PgConnection;

/// `agent_uninstall` ended, well or not: the server is forgotten and its certificates are worth nothing any more.
pub async fn agent_uninstall_effect(
    connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot,
) -> Result<Vec<Signal>> {
    let (true, Some(server)) = (snapshot.status.is_terminal(), job.server) else { return Ok(Vec::new()) };
    connection::store::identity_revoke(connection, server).await?;
    let data = json!({"agent": snapshot.status});
    event_append(connection, job.organization, "server.deleted", &job.created_by, &job.subject, data).await?;
    store::server_delete(connection, job.organization, server).await?;
    Ok(vec![
        Signal::EventsAppended,
        Signal::Changed { organization: job.organization, kind: Kind::Server, id: server.0 },
    ])
}
