//! The rules of modules: an agent looks at them and changes them; here it is said who may, and written down who did.

use super::routes::{AdminPasswordInput, ModulesInput};
use crate::app::App;
use crate::apps::instances::model::{Instance, InstanceStatus};
use crate::apps::instances::service::{accepted, instance_get, job_of, stays, told};
use crate::apps::instances::store as instances;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Accepted, Ctx, List, Page};
use crate::platform::jobs::model::Enqueued;
use crate::platform::jobs::{NewJob, store as jobs};
use crate::platform::secrets::store::secret_add;
use crate::signals::events::Subject;
use http::Method;
use ocore_shared::ids::{InstanceId, JobId};
use ocore_shared::protocol::modules::{ModuleInfo, ModuleList, ModulesChange};
use ocore_shared::protocol::odoo::{AdminPassword, secret_names};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use std::time::Duration;

/// Updating all modules of a large database takes its time.
const CHANGE_SECONDS: i64 = 4 * 3600;
/// Looking at every file of every module does too.
const LOOK: Duration = Duration::from_secs(30);

/// What a list of modules is filtered by.
#[derive(Debug, Default)]
pub struct ModuleFilter {
    pub name: Option<String>,
    pub state: Option<String>,
    pub needs_update: Option<bool>,
    pub q: Option<String>,
}

impl ModuleFilter {
    fn admits(&self, module: &ModuleInfo) -> bool {
        let part = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let texts = [Some(&module.name), module.title.as_ref(), module.author.as_ref()];
        self.name.as_ref().is_none_or(|name| *name == module.name)
            && self.state.as_ref().is_none_or(|state| *state == module.state)
            && self.needs_update.is_none_or(|wanted| wanted == module.needs_update)
            && self.q.as_ref().is_none_or(|q| texts.iter().flatten().any(|text| part(text, q)))
    }
}

/// The modules as the agent sees them now.
pub async fn module_list(
    ctx: &Ctx, app: &App, id: InstanceId, filter: &ModuleFilter, page: &Page,
) -> Result<List<ModuleInfo>> {
    let instance = instance_get(ctx, app, id).await?;
    if instance.container_id.is_none() {
        return Err(not_provisioned());
    }
    let tunnel = app.tunnels.get(instance.server_id)?;
    let path = format!("/instances/{id}/modules");
    let (_, list): (_, ModuleList) = tunnel.client.call(Method::GET, &path, &(), LOOK).await?;
    let after = page.after_name()?;
    let rest = list.modules.into_iter().filter(|module| after.as_ref().is_none_or(|after| module.name > *after));
    let rest = rest.filter(|module| filter.admits(module)).take(usize::try_from(page.fetch()).unwrap_or(usize::MAX));
    Ok(List::by_name(rest.collect(), page, |module| &module.name))
}

fn not_provisioned() -> Error {
    Error::conflict("not_provisioned", "The instance was never provisioned; start it first.")
}

/// Install, update, uninstall.
pub async fn module_change(ctx: &Ctx, app: &App, id: InstanceId, input: ModulesInput, queue: bool) -> Result<Accepted> {
    let present = ready(ctx, app, id).await?;
    if input.install.is_empty() && input.update.is_empty() && input.uninstall.is_empty() && !input.update_changed {
        let message = "Name a module to install, update or uninstall, or say update_changed.";
        return Err(Error::field("install", "required", message));
    }
    let going: BTreeSet<&String> = input.uninstall.iter().collect();
    if let Some(name) = input.install.iter().chain(&input.update).find(|name| going.contains(name)) {
        let message = format!("{name} cannot stay and go; name it once.");
        return Err(Error::field("uninstall", "disjoint", message));
    }
    let change = ModulesChange {
        instance_id: id,
        install: input.install,
        update: input.update,
        uninstall: input.uninstall,
        update_changed: input.update_changed,
        with_dependents: input.with_dependents,
        safety_copy: input.safety_copy,
    };
    let after = json!({
        "install": change.install, "update": change.update, "uninstall": change.uninstall,
        "update_changed": change.update_changed, "with_dependents": change.with_dependents,
        "safety_copy": change.safety_copy,
    });
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let subject = Subject::new("instance", id, &present.name);
    let job = NewJob {
        timeout_seconds: Some(CHANGE_SECONDS),
        queue,
        ..job_of(ctx, JobId::new(), "instance_modules", present.server_id, id, &subject, json!(change))
    };
    let what =
        Asked { job, status: InstanceStatus::Updating, action: "instance.modules_requested", after: Some(after) };
    let enqueued = ask(ctx, app, &mut tx, id, &what).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, id, enqueued);
    Ok(accepted(id, what.status.word(), "The modules are looked at, then changed.", what.job.id))
}

async fn ready(ctx: &Ctx, app: &App, id: InstanceId) -> Result<Instance> {
    let present = instance_get(ctx, app, id).await?;
    stays(&present)?;
    if present.container_id.is_none() {
        return Err(not_provisioned());
    }
    Ok(present)
}

struct Asked {
    job: NewJob,
    status: InstanceStatus,
    action: &'static str,
    after: Option<Value>,
}

async fn ask(ctx: &Ctx, app: &App, connection: &mut PgConnection, id: InstanceId, what: &Asked) -> Result<Enqueued> {
    let (organization, subject) = (ctx.organization, &what.job.subject);
    let enqueued = jobs::job_enqueue(connection, app.replica, &what.job).await?;
    instances::instance_intend(connection, organization, id, what.job.id, None, what.status).await?;
    audit_append(connection, Some(organization), &ctx.caller, what.action, subject, None, what.after.clone()).await?;
    Ok(enqueued)
}

/// Set a user's password in Odoo. It is kept, sealed, until the job has ended.
pub async fn admin_password_set(
    ctx: &Ctx, app: &App, id: InstanceId, input: AdminPasswordInput, queue: bool,
) -> Result<Accepted> {
    let present = ready(ctx, app, id).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let purpose = secret_names::ADMIN_PASSWORD;
    let secret = secret_add(&mut tx, ctx.organization, &app.keyring, purpose, &input.password).await?;
    let subject = Subject::new("instance", id, &present.name);
    let after = json!({"login": input.login});
    let password = AdminPassword { instance_id: id, login: input.login };
    let job = NewJob {
        secrets: [(purpose.to_owned(), secret)].into(),
        queue,
        ..job_of(ctx, JobId::new(), "instance_admin_password", present.server_id, id, &subject, json!(password))
    };
    let action = "instance.admin_password_requested";
    let what = Asked { job, status: present.status, action, after: Some(after) };
    let enqueued = ask(ctx, app, &mut tx, id, &what).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, id, enqueued);
    Ok(accepted(id, what.status.word(), "The password is being set.", what.job.id))
}
