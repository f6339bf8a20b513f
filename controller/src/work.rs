//! Every kind of job, in one list, with what its reports mean for its subject.

use crate::apps::instances;
use crate::error::Result;
use crate::fleet::servers;
use crate::platform::bus::Signal;
use crate::platform::jobs::model::Reported;
use ocore_shared::protocol::jobs::JobSnapshot;
use sqlx::PgConnection;

/// Apply a report to the job's subject, in the transaction that stores the report.
pub async fn job_effect(connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot) -> Result<Vec<Signal>> {
    match job.kind.as_str() {
        "instance_provision" | "instance_start" | "instance_stop" | "instance_restart" | "instance_kill"
        | "instance_update" | "instance_remove" => instances::jobs::instance_effect(connection, job, snapshot).await,
        "agent_uninstall" => servers::jobs::agent_uninstall_effect(connection, job, snapshot).await,
        // `noop` measures and proves the way; it changes nothing.
        _ => Ok(Vec::new()),
    }
}
