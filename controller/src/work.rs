//! Every kind of job, in one list, with what its reports mean for its subject.

use crate::app::App;
use crate::apps::instances;
use crate::data::{backups, databases};
use crate::error::Result;
use crate::fleet::servers;
use crate::identity;
use crate::network::{domains, proxies};
use crate::platform::bus::Signal;
use crate::platform::jobs::model::Reported;
use crate::platform::jobs::tasks::{Outcome, Task};
use crate::platform::mail;
use crate::signals::webhooks;
use ocore_shared::protocol::jobs::JobSnapshot;
use sqlx::PgConnection;

/// Apply a report to the job's subject, in the transaction that stores the report.
pub async fn job_effect(connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot) -> Result<Vec<Signal>> {
    match job.kind.as_str() {
        "instance_provision"
        | "instance_start"
        | "instance_stop"
        | "instance_restart"
        | "instance_kill"
        | "instance_update"
        | "instance_upgrade"
        | "instance_addons"
        | "instance_modules"
        | "instance_admin_password"
        | "instance_remove" => {
            domains::jobs::proxy_hold(connection, job, snapshot).await?;
            let mut signals = instances::jobs::instance_effect(connection, job, snapshot).await?;
            signals.extend(domains::jobs::instance_jobs_effect(connection, job, snapshot).await?);
            Ok(signals)
        }
        "proxy_apply" => proxies::jobs::proxy_apply_effect(connection, job, snapshot).await,
        "certificate_issue" => domains::jobs::certificate_issue_effect(connection, job, snapshot).await,
        kind if databases::jobs::KINDS.contains(&kind) => {
            instances::jobs::instance_effect(connection, job, snapshot).await
        }
        "backup_create" | "backup_restore" => {
            let mut signals = backups::jobs::backup_effect(connection, job, snapshot).await?;
            signals.extend(instances::jobs::instance_effect(connection, job, snapshot).await?);
            Ok(signals)
        }
        "backup_delete" => backups::jobs::backup_effect(connection, job, snapshot).await,
        "agent_uninstall" => servers::jobs::agent_uninstall_effect(connection, job, snapshot).await,
        // `noop` measures and proves the way; it changes nothing.
        _ => Ok(Vec::new()),
    }
}

/// Carry out a job of the controller's own. Done twice it does no more harm than done once.
pub async fn task_run(app: &App, task: &Task) -> Result<Outcome> {
    match task.kind.as_str() {
        "mail_send" => mail::jobs::mail_send(app, task).await,
        "webhook_deliver" => webhooks::deliveries::jobs::webhook_deliver(app, task).await,
        "account_mail" => identity::auth::recovery::jobs::account_mail(app, task).await,
        kind => {
            Ok(Outcome::failed("unknown_kind", format!("This version of oCore does not know jobs of kind {kind}.")))
        }
    }
}
