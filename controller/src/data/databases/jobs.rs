//! What jobs on databases mean.

use super::store;
use crate::apps::instances::store::job_secrets_delete;
use crate::error::Result;
use crate::platform::jobs::model::Reported;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::databases::DatabaseSettingsSet;
use ocore_shared::protocol::jobs::{JobSnapshot, JobStatus};
use sqlx::PgConnection;

/// All of them. They leave the instance as it is: its status is afterwards what its container is.
pub const KINDS: [&str; 7] = [
    "database_settings",
    "database_maintain",
    "database_password",
    "database_create",
    "database_duplicate",
    "database_rename",
    "database_drop",
];

/// Keep what an ended job has brought about, and forget what it was given when it has not.
pub async fn database_effect(
    connection: &mut PgConnection, job: &Reported, instance: InstanceId, snapshot: &JobSnapshot,
) -> Result<()> {
    let organization = job.organization;
    match (job.kind.as_str(), snapshot.status) {
        ("database_settings", JobStatus::Succeeded) => {
            let set = snapshot.result.clone().map(serde_json::from_value::<DatabaseSettingsSet>);
            if let Some(Ok(set)) = set {
                store::settings_store(connection, organization, instance, &set.settings).await?;
            }
        }
        ("database_password", JobStatus::Succeeded) => {
            store::password_settle(connection, organization, instance, job.id).await?;
        }
        ("database_password", _) => job_secrets_delete(connection, organization, job.id).await?,
        _ => {}
    }
    Ok(())
}
