//! `instance_modules`: install, update, uninstall. Nothing stops before the wish was held against what is on disk; while
//! Odoo stands, a copy of its database is made, and put back when the change does not end well.

use super::plan::{Plan, plan};
use super::scan;
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::ops::odoo::containers::{self, CONF, STOP_SECONDS};
use crate::ops::odoo::init_log::{CHANGE_MODULES, UNINSTALL_MODULES};
use crate::ops::odoo::record::{self, Record};
use crate::ops::odoo::{control, health, oneshot, result};
use crate::ops::postgres::{self, Database};
use crate::ops::sql::literal;
use chrono::{DateTime, Utc};
use ocore_shared::ids::InstanceId;
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::modules::{ModulesChange, ModulesChanged};
use serde_json::Value;
use std::collections::BTreeMap;

const SHELL: &str = include_str!("shell.py");
const UNINSTALL: &str = include_str!("uninstall.py");

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let wish: ModulesChange = ctx.input()?;
    ctx.plan(&[
        ("check", "Look at the modules"),
        ("stop", "Stop Odoo"),
        ("copy", "Copy the database"),
        ("change", "Install and update"),
        ("uninstall", "Uninstall"),
        ("start", "Start Odoo"),
        ("health", "Wait until Odoo answers"),
        ("finish", "Remove the copy"),
    ])
    .await?;
    let record = host.records.get(wish.instance_id)?;
    let change = Change { host: &host, ctx: &ctx, record: &record, wish: &wish };
    let plan: Plan = ctx.step("check", change.check()).await?;
    if plan.is_empty() {
        for step in ["stop", "copy", "change", "uninstall", "start", "health", "finish"] {
            ctx.skip(step, "Everything is as wished already.").await?;
        }
        return result(ModulesChanged::default());
    }
    let down = ctx.attempt(change.forward(&plan), change.back()).await?;
    ctx.step("finish", change.finish()).await?;
    let Plan { install, update, uninstall } = plan;
    result(ModulesChanged {
        installed: install,
        updated: update,
        uninstalled: uninstall,
        down_milliseconds: down.num_milliseconds().unsigned_abs(),
    })
}

/// The copy's name; the same for an attempt that goes on.
fn copy_name(instance: InstanceId) -> String {
    format!("before_{}", instance.0.simple())
}

struct Change<'a> {
    host: &'a Host,
    ctx: &'a JobContext,
    record: &'a Record,
    wish: &'a ModulesChange,
}

impl Change<'_> {
    fn database(&self) -> Database<'_> {
        Database { name: &self.record.spec.database_name, role: &self.record.spec.database_role }
    }

    async fn check(&self) -> Result<Plan, OpError> {
        let Self { host, record, wish, .. } = self;
        if !record.running {
            return Err(OpError::new("instance_stopped", "The instance is stopped; start it first."));
        }
        let known = scan::known(host, record).await?;
        let checksums = wish.update_changed && !known.checksums.is_empty();
        let disk = scan::on_disk(host, &record.odoo_container(), &known, checksums).await?;
        let plan = plan(Series::of(&record.spec.odoo_version), wish, &known, &disk)?;
        if wish.safety_copy && !plan.is_empty() {
            self.has_room().await?;
        }
        // Of a job that could not remove it.
        self.drop_copy().await?;
        Ok(plan)
    }

    /// For a second copy of the database.
    async fn has_room(&self) -> Result<(), OpError> {
        let size = self.database().size(&self.host.docker, &self.record.postgres_container()).await?;
        let root = self.host.docker.root();
        let Ok(stat) = nix::sys::statvfs::statvfs(&root) else { return Ok(()) };
        let free = stat.blocks_available() * stat.fragment_size();
        if free > size / 5 * 6 + 256 * 1024 * 1024 {
            return Ok(());
        }
        let mb = |bytes: u64| bytes / 1024 / 1024;
        Err(OpError::new(
            "not_enough_disk",
            format!(
                "The database has {} MB and the server's disk {} MB free, which is too little for a safety copy. Free some space, or go without (safety_copy=false).",
                mb(size),
                mb(free)
            ),
        ))
    }

    async fn forward(&self, plan: &Plan) -> Result<chrono::TimeDelta, OpError> {
        let Self { host, ctx, record, wish } = self;
        let stopped: DateTime<Utc> = ctx
            .step("stop", async {
                let now = ctx.clock().now();
                host.docker.stop(&record.odoo_container(), STOP_SECONDS).await?;
                Ok(now)
            })
            .await?;
        if wish.safety_copy {
            let copy = copy_name(wish.instance_id);
            ctx.step("copy", async { self.database().copy(&host.docker, &record.postgres_container(), &copy).await })
                .await?;
        } else {
            ctx.skip("copy", "None was wished.").await?;
        }
        let name = record::task_container(&record.spec.slug);
        let args = arguments(plan);
        if args.is_empty() {
            ctx.skip("change", "Nothing is installed or updated.").await?;
        } else {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let conf = host.records.conf_path(wish.instance_id);
            let body = containers::task(&record.spec, ctx.id(), "change", &conf, &host.records, &args);
            ctx.step("change", oneshot::run(host, ctx, &name, body, CHANGE_MODULES, async { Ok(()) })).await?;
        }
        if plan.uninstall.is_empty() {
            ctx.skip("uninstall", "Nothing is uninstalled.").await?;
        } else {
            let body = self.uninstaller(plan)?;
            ctx.step("uninstall", oneshot::run(host, ctx, &name, body, UNINSTALL_MODULES, async { Ok(()) })).await?;
        }
        ctx.step("start", async {
            host.docker.remove(&name).await?;
            self.is_as_planned(plan).await?;
            control::start_odoo(host, ctx, record, "start").await
        })
        .await?;
        ctx.step("health", async {
            health::wait(host, ctx, record).await?;
            Ok(ctx.clock().now() - stopped).map(|down| down.num_milliseconds())
        })
        .await
        .map(chrono::TimeDelta::milliseconds)
    }

    fn uninstaller(&self, plan: &Plan) -> Result<bollard::models::ContainerCreateBody, OpError> {
        let spec = &self.record.spec;
        let names = serde_json::to_string(&plan.uninstall)
            .map_err(|e| OpError::new("internal", format!("The names cannot be written: {e}.")))?;
        let mut argv = ["-c", SHELL, UNINSTALL, "-c", CONF, "-d", &spec.database_name].map(str::to_owned).to_vec();
        argv.extend(["--no-http", "--max-cron-threads=0", "--workers=0"].map(str::to_owned));
        let env = [("OCORE_MODULES", names)];
        Ok(containers::program(spec, self.ctx.id(), "uninstall", &self.host.records, argv, &env))
    }

    /// Odoo ends well with some things that are not well: what it left undone shows in its own table.
    async fn is_as_planned(&self, plan: &Plan) -> Result<(), OpError> {
        let names = |names: &[String]| -> Result<String, OpError> {
            let quoted: Result<Vec<_>, _> = names.iter().map(|name| literal(name)).collect();
            Ok(quoted?.into_iter().chain(["''".into()]).collect::<Vec<_>>().join(","))
        };
        let script = format!(
            "SELECT string_agg(name || ' (' || state || ')', ', ') FROM ir_module_module
             WHERE name IN ({}) AND state <> 'installed' OR name IN ({}) AND state <> 'uninstalled'
                OR state IN ('to install', 'to upgrade', 'to remove');\n",
            names(&[plan.install.clone(), plan.update.clone()].concat())?,
            names(&plan.uninstall)?
        );
        let spec = &self.record.spec;
        let container = self.record.postgres_container();
        let wrong = postgres::sql(&self.host.docker, &container, &spec.database_name, &script).await?;
        if wrong.trim().is_empty() {
            return Ok(());
        }
        Err(OpError::new(
            "modules_stuck",
            format!("Odoo left modules in another state than wished: {}. The job's log has the reason.", wrong.trim()),
        ))
    }

    /// Odoo as it was, on the database as it was. Goes on after a restart, and is not stopped by a cancellation.
    async fn back(&self) {
        let ctx = self.ctx;
        let has_copy = ctx.has_effects("copy");
        for step in ["health", "start", "uninstall", "change"] {
            if ctx.has_effects(step) {
                ctx.undo(step, || async { Ok(()) }).await;
            }
        }
        if has_copy {
            ctx.undo("copy", || self.put_back()).await;
        }
        if ctx.has_effects("stop") {
            ctx.undo("stop", || self.serve_again()).await;
        }
    }

    async fn put_back(&self) -> Result<(), OpError> {
        let Self { host, record, wish, .. } = self;
        self.quiet().await?;
        let copy = copy_name(wish.instance_id);
        self.database().put_back(&host.docker, &record.postgres_container(), &copy).await
    }

    /// Nobody is in the database.
    async fn quiet(&self) -> Result<(), OpError> {
        self.host.docker.remove(&record::task_container(&self.record.spec.slug)).await?;
        self.host.docker.stop(&self.record.odoo_container(), STOP_SECONDS).await
    }

    async fn serve_again(&self) -> Result<(), OpError> {
        let Self { host, ctx, record, .. } = self;
        self.quiet().await?;
        control::start_odoo(host, ctx, record, "start").await?;
        health::wait_anyway(host, ctx, record).await
    }

    /// What is installed now is what later changes are held against. The copy goes; that it could not is no failure.
    async fn finish(&self) -> Result<(), OpError> {
        let Self { host, ctx, record, .. } = self;
        if let Err(error) = self.write_checksums().await {
            ctx.log(format!("The checksums of the modules were not written down: {error}"));
        }
        if let Err(error) = self.drop_copy().await {
            ctx.log(format!("The copy of the database stays on {}: {error}", record.postgres_container()));
        }
        drop(host.docker.remove(&record::task_container(&record.spec.slug)).await);
        Ok(())
    }

    async fn write_checksums(&self) -> Result<(), OpError> {
        let Self { host, record, .. } = self;
        let known = scan::known(host, record).await?;
        let disk = scan::on_disk(host, &record.odoo_container(), &known, true).await?;
        let installed = |name: &str| known.modules.iter().any(|m| m.name == name && m.is_installed());
        let checksums: BTreeMap<String, String> =
            disk.into_iter().filter(|m| installed(&m.name)).filter_map(|m| Some((m.name, m.checksum?))).collect();
        let script = scan::checksums_script(&checksums)?;
        postgres::sql(&host.docker, &record.postgres_container(), &record.spec.database_name, &script).await.map(drop)
    }

    async fn drop_copy(&self) -> Result<(), OpError> {
        let name = copy_name(self.wish.instance_id);
        let copy = Database { name: &name, role: &self.record.spec.database_role };
        copy.drop(&self.host.docker, &self.record.postgres_container()).await
    }
}

/// What Odoo's command is told.
fn arguments(plan: &Plan) -> Vec<String> {
    let mut args = Vec::new();
    for (flag, names) in [("-i", &plan.install), ("-u", &plan.update)] {
        if !names.is_empty() {
            args.extend([flag.to_owned(), names.join(",")]);
        }
    }
    args
}
