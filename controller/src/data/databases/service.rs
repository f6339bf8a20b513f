//! The rules of databases: an agent looks at them and changes them; here it is said who may, and written down who did.

use super::model::{self, DatabaseConfig, DatabaseSetting, DatabaseTuning};
use super::routes::{DatabaseConfigInput, DatabaseInput, MaintenanceInput, TuneInput};
use crate::app::App;
use crate::apps::instances::model::{Instance, InstanceStatus};
use crate::apps::instances::service::{accepted, instance_get, job_of, stays, told};
use crate::apps::instances::store as instances;
use crate::error::{Error, Problem, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Accepted, Changed, Ctx, IfMatch, List, Page, Patch};
use crate::platform::jobs::{NewJob, store as jobs};
use crate::platform::secrets::store::secret_add;
use crate::platform::secrets::token_make;
use crate::signals::events::Subject;
use http::Method;
use ocore_shared::ids::{InstanceId, JobId};
use ocore_shared::postgres::settings::{self, merged};
use ocore_shared::postgres::tuning::{self, Machine};
use ocore_shared::protocol::databases::{
    DatabaseEntry, DatabaseInfo, DatabaseList, DatabaseMaintain, DatabaseMetrics, DatabasePassword, DatabaseSettings,
    DatabaseWork, MaintenanceAction, SettingList, TableInfo, TableList, TableQuery, TableSort, is_reserved_database,
};
use ocore_shared::protocol::odoo::{InstanceSpec, secret_names};
use ocore_shared::secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::Connection;
use std::collections::BTreeMap;
use std::time::Duration;

/// A direct look.
const LOOK: Duration = Duration::from_secs(10);
/// Copying or writing anew a large database takes its time.
const LONG_SECONDS: i64 = 12 * 3600;

/// Work can be done on it.
fn provisioned(present: &Instance) -> Result<()> {
    stays(present)?;
    match present.container_id {
        Some(_) => Ok(()),
        None => Err(Error::conflict("not_provisioned", "The instance was never provisioned; start it first.")),
    }
}

/// An instance whose PostgreSQL is meant to run.
async fn running(ctx: &Ctx, app: &App, id: InstanceId) -> Result<Instance> {
    let present = instance_get(ctx, app, id).await?;
    runs(&present)?;
    Ok(present)
}

fn runs(present: &Instance) -> Result<()> {
    provisioned(present)?;
    if present.desired_state == "stopped" {
        let message = "The instance is stopped, and its PostgreSQL with it; start it first.";
        return Err(Error::conflict("instance_stopped", message));
    }
    Ok(())
}

fn spec_of(instance: &Instance) -> Result<&InstanceSpec> {
    instance.spec.as_ref().ok_or(Error::NotFound("instance"))
}

/// Ask the instance's agent.
async fn look<T: DeserializeOwned>(app: &App, instance: &Instance, rest: &str) -> Result<T> {
    let tunnel = app.tunnels.get(instance.server_id)?;
    let path = format!("/instances/{}/database{rest}", instance.id);
    Ok(tunnel.client.call(Method::GET, &path, &(), LOOK).await?.1)
}

pub async fn database_get(ctx: &Ctx, app: &App, id: InstanceId) -> Result<DatabaseInfo> {
    look(app, &running(ctx, app, id).await?, "").await
}

pub async fn database_metrics(ctx: &Ctx, app: &App, id: InstanceId) -> Result<DatabaseMetrics> {
    look(app, &running(ctx, app, id).await?, "/metrics").await
}

pub async fn table_list(
    ctx: &Ctx, app: &App, id: InstanceId, sort: TableSort, q: Option<String>, page: &Page,
) -> Result<List<TableInfo>> {
    let present = running(ctx, app, id).await?;
    let limit = u32::try_from(page.fetch()).unwrap_or(u32::MAX);
    let query = TableQuery { sort, q, limit, offset: page.offset()? };
    let query = serde_urlencoded::to_string(&query).map_err(Error::internal)?;
    let list: TableList = look(app, &present, &format!("/tables?{query}")).await?;
    List::by_offset(list.tables, page)
}

pub async fn database_list(ctx: &Ctx, app: &App, id: InstanceId, page: &Page) -> Result<List<DatabaseEntry>> {
    let present = running(ctx, app, id).await?;
    let list: DatabaseList = look(app, &present, "/databases").await?;
    let after = page.after_name()?;
    let mut rest: Vec<DatabaseEntry> =
        list.databases.into_iter().filter(|entry| after.as_ref().is_none_or(|after| entry.name > *after)).collect();
    rest.sort_by(|a, b| a.name.cmp(&b.name));
    rest.truncate(usize::try_from(page.fetch()).unwrap_or(usize::MAX));
    Ok(List::by_name(rest, page, |entry| &entry.name))
}

/// What is set, and what of it the server can be asked about now.
pub async fn config_get(ctx: &Ctx, app: &App, id: InstanceId) -> Result<DatabaseConfig> {
    let present = instance_get(ctx, app, id).await?;
    let spec = spec_of(&present)?;
    let (told, problem) = settings_told(app, &present).await?;
    Ok(config(&present, spec, told.as_ref(), problem, model::available(spec, told.as_ref())))
}

async fn settings_told(app: &App, present: &Instance) -> Result<(Option<SettingList>, Option<String>)> {
    let asked = match runs(present) {
        Ok(()) => look(app, present, "/settings").await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(list) => Ok((Some(list), None)),
        Err(error @ Error::Internal(_)) => Err(error),
        Err(error) => Ok((None, Some(error.to_string()))),
    }
}

fn config(
    present: &Instance, spec: &InstanceSpec, told: Option<&SettingList>, problem: Option<String>,
    available: Vec<DatabaseSetting>,
) -> DatabaseConfig {
    DatabaseConfig {
        instance_id: present.id,
        settings: spec.database_settings.clone(),
        available,
        postgres_version: told.map(|list| list.version.clone()),
        problem,
        active_job_id: present.active_job_id,
        version: present.version,
    }
}

/// Change the settings. What is wrong is refused at once; what only PostgreSQL itself can tell is tried by the job.
pub async fn config_update(
    ctx: &Ctx, app: &App, id: InstanceId, patch: Patch<DatabaseConfigInput>, if_match: IfMatch, dry_run: bool,
) -> Result<Changed<DatabaseConfig>> {
    let present = instance_get(ctx, app, id).await?;
    if_match.check(present.version)?;
    let before = spec_of(&present)?;
    let (told, problem) = settings_told(app, &present).await?;
    let shown = config(&present, before, told.as_ref(), problem.clone(), model::available(before, told.as_ref()));
    let asked = asked(patch.read(&shown)?.settings)?;
    let spec = InstanceSpec { database_settings: merged(&before.database_settings, &asked), ..before.clone() };
    let problems: Vec<Problem> = tuning::problems(&spec)
        .into_iter()
        .map(|(name, message)| Problem { field: format!("settings.{name}"), constraint: "memory".into(), message })
        .collect();
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    if dry_run {
        let foreseen = model::foreseen(&spec, told.as_ref());
        let config = config(&present, &spec, told.as_ref(), problem, foreseen);
        return Ok(Changed::Settled(Box::new(config)));
    }
    if spec.database_settings == before.database_settings {
        return Ok(Changed::Settled(Box::new(shown)));
    }
    provisioned(&present)?;
    let work = Work {
        kind: "database_settings",
        input: json!(DatabaseSettings { instance_id: id, settings: asked.clone() }),
        status: InstanceStatus::Updating,
        action: "database.tune_requested",
        before: Some(json!(before.database_settings)),
        after: Some(json!({ "settings": asked })),
        message: "The settings are tried, then applied.",
        ..Work::default()
    };
    begin(ctx, app, &present, work).await.map(Changed::Accepted)
}

/// Values as PostgreSQL writes them, each refused by its name.
fn asked(settings: BTreeMap<String, Value>) -> Result<BTreeMap<String, Option<String>>> {
    let mut problems = Vec::new();
    let mut asked = BTreeMap::new();
    for (name, value) in settings {
        let mut say = |constraint: &str, message: String| {
            problems.push(Problem { field: format!("settings.{name}"), constraint: constraint.into(), message });
        };
        let Some(setting) = settings::find(&name) else {
            say("unknown_field", "There is no such setting to change here; GET lists those that there are.".into());
            continue;
        };
        let text = match value {
            Value::Null => {
                asked.insert(name, None);
                continue;
            }
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(on) => if on { "on" } else { "off" }.to_owned(),
            Value::Array(_) | Value::Object(_) => {
                say("type", "Write it as a text, a number, true or false, or null.".into());
                continue;
            }
        };
        match setting.read(&text) {
            Ok(text) => drop(asked.insert(name, Some(text))),
            Err(message) => say("value", message),
        }
    }
    if problems.is_empty() { Ok(asked) } else { Err(Error::Invalid(problems)) }
}

pub async fn database_tune(ctx: &Ctx, app: &App, id: InstanceId, input: &TuneInput) -> Result<DatabaseTuning> {
    let present = instance_get(ctx, app, id).await?;
    let spec = spec_of(&present)?;
    Ok(model::tuned(spec, Machine::with(spec, input.memory_mb, input.cpus)))
}

pub async fn database_maintain(
    ctx: &Ctx, app: &App, id: InstanceId, input: MaintenanceInput, queue: bool,
) -> Result<Accepted> {
    let present = running(ctx, app, id).await?;
    let message = match input.action {
        MaintenanceAction::VacuumFull => "Tables are written anew; who needs one waits until it is done.",
        MaintenanceAction::Vacuum | MaintenanceAction::Analyze | MaintenanceAction::Reindex => {
            "The work begins; nobody has to wait for it."
        }
    };
    let work = Work {
        kind: "database_maintain",
        after: Some(json!({"action": input.action, "table": input.table})),
        input: json!(DatabaseMaintain { instance_id: id, action: input.action, table: input.table }),
        status: present.status,
        action: "database.maintenance_requested",
        message,
        queue,
        ..Work::default()
    };
    begin(ctx, app, &present, work).await
}

/// A new password is made here and kept, sealed; when the job fails it is forgotten, and the one before stays.
pub async fn password_rotate(ctx: &Ctx, app: &App, id: InstanceId, queue: bool) -> Result<Accepted> {
    let present = running(ctx, app, id).await?;
    let work = Work {
        kind: "database_password",
        input: json!(DatabasePassword { instance_id: id }),
        secret: Some((secret_names::DATABASE_PASSWORD, token_make())),
        status: InstanceStatus::Updating,
        action: "database.password_requested",
        message: "The password is being changed; Odoo is restarted.",
        queue,
        ..Work::default()
    };
    begin(ctx, app, &present, work).await
}

pub async fn database_create(
    ctx: &Ctx, app: &App, id: InstanceId, input: DatabaseInput, queue: bool,
) -> Result<Accepted> {
    let present = running(ctx, app, id).await?;
    new_name(&present, &input.name)?;
    let after = json!({"name": input.name, "from": input.from});
    let (kind, action, message, input) = match input.from {
        Some(from) => (
            "database_duplicate",
            "database.duplicate_requested",
            "The database is being copied; it goes on serving meanwhile.",
            DatabaseWork { instance_id: id, name: from, to: Some(input.name) },
        ),
        None => (
            "database_create",
            "database.create_requested",
            "The database is being made.",
            DatabaseWork { instance_id: id, name: input.name, to: None },
        ),
    };
    let status = present.status;
    let work =
        Work { kind, input: json!(input), status, action, after: Some(after), message, queue, ..Work::default() };
    begin(ctx, app, &present, work).await
}

pub async fn database_rename(
    ctx: &Ctx, app: &App, id: InstanceId, name: String, to: String, queue: bool,
) -> Result<Accepted> {
    let present = running(ctx, app, id).await?;
    not_served(&present, &name)?;
    new_name(&present, &to)?;
    let work = Work {
        kind: "database_rename",
        before: Some(json!({"name": name})),
        after: Some(json!({"name": to})),
        input: json!(DatabaseWork { instance_id: id, name, to: Some(to) }),
        status: present.status,
        action: "database.rename_requested",
        message: "The database is being renamed.",
        queue,
        ..Work::default()
    };
    begin(ctx, app, &present, work).await
}

pub async fn database_drop(
    ctx: &Ctx, app: &App, id: InstanceId, name: String, confirm: Option<&str>, queue: bool,
) -> Result<Accepted> {
    let present = running(ctx, app, id).await?;
    not_served(&present, &name)?;
    if confirm != Some(name.as_str()) {
        // What is lost is said as closely as it is known.
        let list = look::<DatabaseList>(app, &present, "/databases").await.ok();
        let entry = list.and_then(|list| list.databases.into_iter().find(|entry| entry.name == name));
        let what = entry.map_or_else(String::new, |e| {
            format!(" ({} MB, {} connections)", e.size_bytes / 1024 / 1024, e.connections)
        });
        let message = format!(
            "Everything in the database {name}{what} would be lost for good: no copy is made. Say so with confirm={name}."
        );
        return Err(Error::Unprocessable { code: "confirmation_required", message });
    }
    let work = Work {
        kind: "database_drop",
        before: Some(json!({"name": name})),
        input: json!(DatabaseWork { instance_id: id, name, to: None }),
        status: present.status,
        action: "database.drop_requested",
        message: "The database is being dropped, with everything in it.",
        queue,
        ..Work::default()
    };
    begin(ctx, app, &present, work).await
}

fn new_name(present: &Instance, name: &str) -> Result<()> {
    if is_reserved_database(name) {
        let message = "That name is kept for PostgreSQL or for jobs; choose another one.";
        return Err(Error::field("name", "reserved", message));
    }
    if present.database_name == name {
        let message = format!("The instance's own database is named {name}; choose another name.");
        return Err(Error::conflict("name_taken", message));
    }
    Ok(())
}

fn not_served(present: &Instance, name: &str) -> Result<()> {
    if present.database_name == name {
        let message = format!("{name} is the database that the instance serves; it goes only with the instance.");
        return Err(Error::conflict("database_in_use", message));
    }
    if name.is_empty() || name.len() > 63 || name.chars().any(char::is_control) || is_reserved_database(name) {
        return Err(Error::NotFound("database"));
    }
    Ok(())
}

/// A job on an instance's PostgreSQL.
struct Work {
    kind: &'static str,
    input: Value,
    /// Its name at the agent, and the value.
    secret: Option<(&'static str, Secret)>,
    /// What the instance shows meanwhile.
    status: InstanceStatus,
    action: &'static str,
    before: Option<Value>,
    after: Option<Value>,
    message: &'static str,
    queue: bool,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            kind: "",
            input: Value::Null,
            secret: None,
            status: InstanceStatus::Running,
            action: "",
            before: None,
            after: None,
            message: "",
            queue: false,
        }
    }
}

async fn begin(ctx: &Ctx, app: &App, present: &Instance, work: Work) -> Result<Accepted> {
    let (organization, id) = (ctx.organization, present.id);
    let subject = Subject::new("instance", id, &present.name);
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    let mut secrets = BTreeMap::new();
    if let Some((name, value)) = &work.secret {
        let secret = secret_add(&mut tx, organization, &app.keyring, name, value).await?;
        secrets.insert((*name).to_owned(), secret);
    }
    let job = NewJob {
        secrets,
        timeout_seconds: Some(LONG_SECONDS),
        queue: work.queue,
        ..job_of(ctx, JobId::new(), work.kind, present.server_id, id, &subject, work.input)
    };
    let enqueued = jobs::job_enqueue(&mut tx, app.replica, &job).await?;
    instances::instance_intend(&mut tx, organization, id, job.id, None, work.status).await?;
    let caller = &ctx.caller;
    audit_append(&mut tx, Some(organization), caller, work.action, &subject, work.before, work.after).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, id, enqueued);
    Ok(accepted(id, work.status.word(), work.message, job.id))
}
