//! Counting.

use super::model::{AdminMetrics, AuditFigures, JobFigures, MailFigures, UserFigures};
use super::store;
use crate::app::App;
use crate::error::Result;

/// How the platform is now.
pub async fn metrics_get(app: &App) -> Result<AdminMetrics> {
    let (system, now) = (app.db.system(), app.clock.now());
    let counts = store::counts(system, now).await?;
    Ok(AdminMetrics {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: now,
        users: UserFigures {
            total: counts.users,
            admins: counts.admins,
            suspended: counts.suspended,
            signed_in_24h: counts.signed_in_24h,
            with_second_factor: counts.with_second_factor,
            open_sessions: counts.open_sessions,
        },
        organizations: counts.organizations,
        servers: store::servers_by_status(system).await?,
        instances: store::instances_by_status(system).await?,
        jobs: JobFigures {
            queued: counts.jobs_queued,
            running: counts.jobs_running,
            succeeded_24h: counts.jobs_succeeded_24h,
            failed_24h: counts.jobs_failed_24h,
        },
        mails: MailFigures {
            queued: counts.mails_queued,
            kept: counts.mails_kept,
            failed_24h: counts.mails_failed_24h,
        },
        audit: AuditFigures { entries_24h: counts.audit_entries_24h, unsealed: counts.audit_unsealed },
        replicas: store::replicas(system).await?,
        database_bytes: counts.database_bytes,
    })
}
