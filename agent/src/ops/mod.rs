//! What jobs do. Every operation is a list of steps, each an idempotent "make it so" that may be cut anywhere.

pub mod backup;
pub mod git;
pub mod noop;
pub mod odoo;
pub mod postgres;
pub mod proxy;
pub mod sql;
#[cfg(test)]
mod tests;
pub mod uninstall;

use crate::engine::{JobContext, OpError, Registry};
use crate::host::Host;
use serde_json::Value;

/// Every kind of job that this agent carries out, but its own removal, which needs more than the host.
pub fn register(registry: &mut Registry, host: &Host) {
    noop::register(registry);
    add(registry, host, "instance_provision", odoo::provision::run);
    add(registry, host, "instance_start", odoo::control::start);
    add(registry, host, "instance_stop", odoo::control::stop);
    add(registry, host, "instance_restart", odoo::control::restart);
    add(registry, host, "instance_kill", odoo::control::kill);
    add(registry, host, "instance_update", odoo::update::run);
    add(registry, host, "instance_upgrade", odoo::upgrade::run);
    add(registry, host, "instance_addons", odoo::upgrade::run);
    add(registry, host, "instance_modules", odoo::modules::change::run);
    add(registry, host, "instance_admin_password", odoo::admin::password_set);
    add(registry, host, "proxy_apply", proxy::proxy_apply);
    add(registry, host, "certificate_issue", proxy::certificate_issue);
    add(registry, host, "database_settings", odoo::databases::settings::run);
    add(registry, host, "database_maintain", odoo::databases::maintain::run);
    add(registry, host, "database_password", odoo::databases::password::run);
    add(registry, host, "database_create", odoo::databases::others::create);
    add(registry, host, "database_duplicate", odoo::databases::others::duplicate);
    add(registry, host, "database_rename", odoo::databases::others::rename);
    add(registry, host, "database_drop", odoo::databases::others::drop_one);
    add(registry, host, "backup_create", backup::create::run);
    add(registry, host, "backup_restore", backup::restore::run);
    add(registry, host, "backup_delete", backup::delete::run);
    add(registry, host, "backup_verify", backup::verify::run);
    add(registry, host, "instance_remove", odoo::remove::run);
}

/// Jobs after which an Odoo serves again that stood meanwhile.
const AWAY: [&str; 8] = [
    "instance_restart",
    "instance_update",
    "instance_upgrade",
    "instance_addons",
    "instance_modules",
    "database_settings",
    "database_password",
    "backup_restore",
];

fn add<F>(registry: &mut Registry, host: &Host, kind: &'static str, run: fn(Host, JobContext) -> F)
where
    F: Future<Output = Result<Value, OpError>> + Send + 'static,
{
    let host = host.clone();
    registry.add(kind, move |ctx| {
        let host = host.clone();
        Box::pin(async move {
            if !AWAY.contains(&kind) {
                return run(host, ctx).await;
            }
            let standing = host.standing.clone().read_owned().await;
            let result = run(host.clone(), ctx).await;
            drop(standing);
            proxy::follow(&host).await;
            result
        })
    });
}
