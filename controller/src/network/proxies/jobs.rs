//! What jobs on proxies mean for them.

use super::model::{ProxyMode, ProxyStatus};
use super::store;
use super::wish::By;
use crate::error::Result;
use crate::network::domains::jobs::{certificates_ask, sites_stuck};
use crate::platform::bus::{Kind, Signal};
use crate::platform::jobs::model::Reported;
use ocore_shared::protocol::jobs::{JobSnapshot, JobStatus};
use sqlx::PgConnection;

/// `proxy_apply` ended: the next one has its turn, and certificates are asked for where the name is served now.
pub async fn proxy_apply_effect(
    connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot,
) -> Result<Vec<Signal>> {
    let (true, Some(server)) = (snapshot.status.is_terminal(), job.server) else { return Ok(Vec::new()) };
    let organization = job.organization;
    let Some(stored) = store::proxy_lock(connection, organization, server).await? else { return Ok(Vec::new()) };
    store::proxy_job_release(connection, organization, server).await?;
    let mut signals = vec![Signal::Changed { organization, kind: Kind::Server, id: server.0 }];
    match snapshot.status {
        JobStatus::Succeeded => {
            let status = if stored.proxy.mode == ProxyMode::Managed { ProxyStatus::Active } else { ProxyStatus::Off };
            store::proxy_settled(connection, organization, server, status, None).await?;
            // What has been wished meanwhile is not served yet; the end of the job that it waits for comes here again.
            let is_last = !store::proxy_is_busy(connection, organization, server).await?;
            if status == ProxyStatus::Active && is_last {
                let by = By::actor(&job.created_by);
                signals.extend(certificates_ask(connection, organization, server, &by).await?);
            }
        }
        _ => {
            let cancelled = "The job was cancelled; set the proxy again to have it done.";
            let said = snapshot.failure.as_ref().map_or(cancelled, |failure| failure.message.as_str());
            store::proxy_settled(connection, organization, server, ProxyStatus::Failed, Some(said)).await?;
            sites_stuck(connection, organization, server, said).await?;
        }
    }
    Ok(signals)
}
