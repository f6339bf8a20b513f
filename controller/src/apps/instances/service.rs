//! Rules of instances.

use super::creation::{provision_job, sane_env, sane_limits};
use super::logs::log_download_note;
use super::model::{Instance, InstanceStatus};
use super::store::{self, InstanceFilter};
use crate::app::App;
use crate::apps::odoo::config::service::update_secrets;
use crate::error::{Error, Result};
use crate::fleet::servers::service::{labels_fit, visible};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::{Accepted, Ctx, IfMatch, List, Page, Patch, PatchFields};
use crate::platform::jobs::logs::store as job_logs;
use crate::platform::jobs::model::Enqueued;
use crate::platform::jobs::{NewJob, dispatch, store as jobs};
use crate::signals::events::Subject;
use garde::Validate;
use http::Method;
use ocore_shared::ids::{InstanceId, JobId, ServerId};
use ocore_shared::postgres::tuning;
use ocore_shared::protocol::inventory::ContainerStats;
use ocore_shared::protocol::jobs::JobLogLine;
use ocore_shared::protocol::odoo::{InstanceControl, InstanceRemove, Limits};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

/// Odoo is given an hour to initialise.
pub(super) const PROVISION_SECONDS: i64 = 3600;
const CONTROL_SECONDS: i64 = 600;
/// A server that stays away longer fails the job.
const WAIT_SECONDS: i64 = 24 * 3600;

/// Instances that the caller may see.
pub async fn instance_list(ctx: &Ctx, app: &App, mut filter: InstanceFilter, page: &Page) -> Result<List<Instance>> {
    filter.before = page.before()?;
    filter.limit = page.fetch();
    let mut connection = app.db.org(ctx.organization).await?;
    let instances = store::instance_list(&mut connection, ctx.organization, &ctx.reach(), &filter).await?;
    Ok(List::new(instances, page, |instance| instance.id.0))
}

/// One instance, if it is in reach.
pub async fn instance_get(ctx: &Ctx, app: &App, id: InstanceId) -> Result<Instance> {
    let mut connection = app.db.org(ctx.organization).await?;
    instance_find(ctx, &mut connection, id).await
}

/// A job on an instance, as most are.
pub fn job_of(
    ctx: &Ctx, id: JobId, kind: &'static str, server: ServerId, instance: InstanceId, subject: &Subject, input: Value,
) -> NewJob {
    NewJob {
        id,
        kind,
        organization: ctx.organization,
        server,
        instance: Some(instance),
        subject: subject.clone(),
        input,
        secrets: BTreeMap::new(),
        timeout_seconds: Some(CONTROL_SECONDS),
        deadline_seconds: Some(WAIT_SECONDS),
        created_by: ctx.actor().clone(),
        idempotency_claim: ctx.caller.idempotency_claim,
        queue: false,
    }
}

/// Refuse settings for one that a job works on: it would apply others than were asked for.
pub fn idle(instance: &Instance) -> Result<()> {
    match instance.active_job_id {
        None => Ok(()),
        Some(job) => Err(Error::conflict(
            "operation_in_progress",
            format!("A job is under way for this instance (job {job}); wait for it, then change its settings."),
        )),
    }
}

/// Refuse work on one that is being deleted.
pub fn stays(instance: &Instance) -> Result<()> {
    match instance.status {
        InstanceStatus::Removing => Err(Error::conflict("removing", "The instance is being deleted.")),
        _ => Ok(()),
    }
}

/// The answer when a job works on an instance.
pub fn accepted(id: InstanceId, status: &str, message: &str, job_id: JobId) -> Accepted {
    let location = format!("/api/instances/{id}");
    Accepted { id: id.0, status: status.into(), message: message.into(), job_id, location }
}

/// What follows the commit of a job on an instance.
pub fn told(ctx: &Ctx, app: &App, id: InstanceId, enqueued: Enqueued) {
    dispatch::job_dispatch_soon(app, enqueued);
    app.bus.send(Signal::EventsAppended);
    app.bus.changed(ctx.organization, Kind::Instance, id);
}

/// What can be done to an instance with one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    Start,
    Stop,
    Restart,
    Kill,
}

/// Start, stop, restart or kill. Starting one that was never provisioned provisions it again.
pub async fn instance_control(ctx: &Ctx, app: &App, id: InstanceId, control: Control, queue: bool) -> Result<Accepted> {
    let instance = instance_get(ctx, app, id).await?;
    let provisioned = instance.container_id.is_some();
    let (kind, desired, status, action) = match control {
        Control::Start | Control::Restart if !provisioned => {
            ("instance_provision", Some("running"), InstanceStatus::Provisioning, "instance.provision_retried")
        }
        Control::Stop | Control::Kill if !provisioned => {
            return Err(Error::conflict(
                "not_provisioned",
                "The instance was never provisioned; start it or delete it.",
            ));
        }
        Control::Start => ("instance_start", Some("running"), InstanceStatus::Starting, "instance.start_requested"),
        Control::Stop => ("instance_stop", Some("stopped"), InstanceStatus::Stopping, "instance.stop_requested"),
        Control::Restart => {
            ("instance_restart", Some("running"), InstanceStatus::Restarting, "instance.restart_requested")
        }
        Control::Kill => ("instance_kill", Some("stopped"), InstanceStatus::Stopping, "instance.kill_requested"),
    };
    stays(&instance)?;
    let subject = Subject::new("instance", id, &instance.name);
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let job = match instance.spec.clone().filter(|_| kind == "instance_provision") {
        Some(spec) => {
            let secrets = store::instance_secrets(&mut tx, ctx.organization, id).await?;
            provision_job(ctx, &mut tx, JobId::new(), instance.server_id, &subject, spec, secrets).await?
        }
        None => job_of(ctx, JobId::new(), kind, instance.server_id, id, &subject, control_input(&instance)),
    };
    let job = NewJob { queue, ..job };
    let enqueued = jobs::job_enqueue(&mut tx, app.replica, &job).await?;
    store::instance_intend(&mut tx, ctx.organization, id, job.id, desired, status).await?;
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, None, None).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, id, enqueued);
    Ok(accepted(id, status.word(), "The job is on its way.", job.id))
}

fn control_input(instance: &Instance) -> Value {
    json!(InstanceControl {
        instance_id: instance.id,
        environment_id: instance.environment_id,
        slug: instance.slug.clone(),
        odoo_version: instance.odoo_version.clone(),
    })
}

/// An instance whose removal was asked for in a transaction, and is told of after its commit.
pub struct RemovalBegun {
    id: InstanceId,
    job: JobId,
    purge: bool,
    enqueued: Enqueued,
}

impl RemovalBegun {
    /// Tell everybody; the job that does it.
    /// What follows the commit of a job on an instance.
    pub fn told(self, ctx: &Ctx, app: &App) -> JobId {
        told(ctx, app, self.id, self.enqueued);
        self.job
    }
}

/// Delete an instance. Development goes at once; elsewhere volumes stay for a later purge unless `purge`.
pub async fn instance_remove(ctx: &Ctx, app: &App, id: InstanceId, purge: bool, if_match: IfMatch) -> Result<Accepted> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let instance = instance_find(ctx, &mut tx, id).await?;
    if_match.check(instance.version)?;
    let begun = removal_begin(ctx, app, &mut tx, &instance, purge).await?;
    tx.commit().await?;
    drop(connection);
    let message = if begun.purge {
        "The instance and its data are being deleted."
    } else {
        "The instance is being deleted; its volumes stay."
    };
    let job = begun.told(ctx, app);
    Ok(accepted(id, "removing", message, job))
}

/// Delete an instance along with what it is in, in the same transaction.
pub async fn instance_remove_in(
    ctx: &Ctx, app: &App, connection: &mut PgConnection, id: InstanceId,
) -> Result<RemovalBegun> {
    let instance = instance_find(ctx, connection, id).await?;
    removal_begin(ctx, app, connection, &instance, false).await
}

async fn instance_find(ctx: &Ctx, connection: &mut PgConnection, id: InstanceId) -> Result<Instance> {
    let found = store::instance_get(connection, ctx.organization, &ctx.reach(), id).await?;
    found.ok_or(Error::NotFound("instance"))
}

async fn removal_begin(
    ctx: &Ctx, app: &App, connection: &mut PgConnection, instance: &Instance, purge: bool,
) -> Result<RemovalBegun> {
    let id = instance.id;
    let purge = purge || instance.environment_type == "development";
    let input = json!(InstanceRemove {
        instance_id: id,
        environment_id: instance.environment_id,
        slug: instance.slug.clone(),
        purge,
    });
    let subject = Subject::new("instance", id, &instance.name);
    // A server that is away now does it when it comes back, however late.
    let job = NewJob {
        deadline_seconds: None,
        ..job_of(ctx, JobId::new(), "instance_remove", instance.server_id, id, &subject, input)
    };
    let enqueued = jobs::job_enqueue(connection, app.replica, &job).await?;
    let removing = InstanceStatus::Removing;
    store::instance_intend(connection, ctx.organization, id, job.id, Some("removed"), removing).await?;
    let after = json!({"purge": purge});
    let (organization, caller) = (ctx.organization, &ctx.caller);
    audit_append(connection, Some(organization), caller, "instance.delete_requested", &subject, None, Some(after))
        .await?;
    Ok(RemovalBegun { id, job: job.id, purge, enqueued })
}

/// Body of `PATCH /api/instances/{id}`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstancePatch {
    #[garde(inner(length(chars, min = 3, max = 64), custom(visible)))]
    pub name: Option<String>,
    #[garde(inner(custom(labels_fit)))]
    pub labels: Option<BTreeMap<String, String>>,
    #[garde(inner(custom(sane_env)))]
    pub env: Option<BTreeMap<String, String>>,
    #[garde(inner(custom(sane_limits)))]
    pub limits: Option<Limits>,
}

impl PatchFields for InstancePatch {
    const FIELDS: &'static [&'static str] = &["name", "labels", "env", "limits"];
}

/// Change an instance. New limits or environment are applied on the server by a job, which the answer names.
pub async fn instance_update(
    ctx: &Ctx, app: &App, id: InstanceId, patch: Patch<InstancePatch>, if_match: IfMatch,
) -> Result<Instance> {
    let present = instance_get(ctx, app, id).await?;
    if_match.check(present.version)?;
    let changes = patch.read(&present)?;
    let mut spec = present.spec.clone().ok_or(Error::NotFound("instance"))?;
    let mut wanted = present.clone();
    wanted.name = changes.name.unwrap_or(wanted.name);
    wanted.labels = changes.labels.unwrap_or(wanted.labels);
    // What a failed job did not bring about is asked for again with the same words.
    let again = (changes.env.is_some() || changes.limits.is_some()) && spec.generation > present.observed_generation;
    spec.env = changes.env.unwrap_or(spec.env);
    spec.limits = changes.limits.unwrap_or(spec.limits);
    let changed = spec.env != present.env || spec.limits != present.limits;
    let applies = changed || (again && present.container_id.is_some());
    if !applies && wanted.name == present.name && wanted.labels == present.labels {
        return Ok(present);
    }
    // What a person has set of PostgreSQL has to fit, too; its connections follow the workers by themselves.
    let unfit = tuning::problems(&spec).into_iter().find(|(name, _)| changed && name != "max_connections");
    if let Some((name, message)) = unfit {
        return Err(Error::field(
            "limits.memory_mb",
            "memory",
            format!("PostgreSQL's {name} was set by hand. {message}"),
        ));
    }
    if applies {
        idle(&present)?;
    }
    if changed {
        spec.generation += 1;
    }
    let subject = Subject::new("instance", id, &wanted.name);
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::instance_update(&mut tx, ctx.organization, &wanted, &spec).await?;
    let mut enqueued = None;
    if applies && present.container_id.is_some() {
        let input = json!({"spec": spec});
        let secrets = update_secrets(&store::instance_secrets(&mut tx, ctx.organization, id).await?);
        let job =
            NewJob { secrets, ..job_of(ctx, JobId::new(), "instance_update", present.server_id, id, &subject, input) };
        enqueued = Some(jobs::job_enqueue(&mut tx, app.replica, &job).await?);
        let updating = InstanceStatus::Updating;
        store::instance_intend(&mut tx, ctx.organization, id, job.id, None, updating).await?;
    }
    let state = |name: &str, labels: &BTreeMap<String, String>, env: Value, limits: &Limits| json!({"name": name, "labels": labels, "env": env, "limits": limits});
    let before = state(&present.name, &present.labels, env_masked(&present.env, &present.env), &present.limits);
    let after = state(&wanted.name, &wanted.labels, env_masked(&spec.env, &present.env), &spec.limits);
    let (organization, caller) = (ctx.organization, &ctx.caller);
    audit_append(&mut tx, Some(organization), caller, "instance.settings_updated", &subject, Some(before), Some(after))
        .await?;
    tx.commit().await?;
    drop(connection);
    if let Some(enqueued) = enqueued {
        told(ctx, app, id, enqueued);
    }
    app.bus.changed(ctx.organization, Kind::Instance, id);
    instance_get(ctx, app, id).await
}

/// Variables for the audit log: which there are and which were changed, never what they hold.
pub(super) fn env_masked(env: &BTreeMap<String, String>, before: &BTreeMap<String, String>) -> Value {
    let masked = |(name, value): (&String, &String)| {
        let word = if before.get(name) == Some(value) { "•••" } else { "••• (changed)" };
        (name.clone(), Value::from(word))
    };
    env.iter().map(masked).collect::<serde_json::Map<_, _>>().into()
}

/// What an instance's container uses now.
pub async fn instance_stats(ctx: &Ctx, app: &App, id: InstanceId) -> Result<ContainerStats> {
    let instance = instance_get(ctx, app, id).await?;
    let container = instance.container_id.ok_or_else(|| {
        Error::conflict("not_running", "The instance has no container yet; there is nothing to measure.")
    })?;
    let tunnel = app.tunnels.get(instance.server_id)?;
    let path = format!("/containers/{container}/stats");
    let (_, stats) = tunnel.client.call(Method::GET, &path, &(), Duration::from_secs(10)).await?;
    Ok(stats)
}

/// The log of the job that provisioned an instance.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct InstallLog {
    pub job_id: Option<JobId>,
    pub data: Vec<JobLogLine>,
}

pub async fn instance_install_log(ctx: &Ctx, app: &App, id: InstanceId) -> Result<InstallLog> {
    log_download_note(ctx, app, id, "install_log.downloaded").await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let job = store::instance_provision_job(&mut connection, ctx.organization, id).await?;
    let data = match job {
        Some(job) => job_logs::job_log_list(&mut connection, ctx.organization, job, 0, 10_000).await?,
        None => Vec::new(),
    };
    Ok(InstallLog { job_id: job, data })
}
