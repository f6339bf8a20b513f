//! `instance_modules`: install, update, uninstall. Nothing stops before the wish was held against what is on disk; while
//! Odoo stands, a copy of its database is made, and put back when the change does not end well.

use super::plan::{Plan, plan};
use super::scan;
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::ops::odoo::containers::{self, CONF, STOP_SECONDS};
use crate::ops::odoo::init_log::UNINSTALL_MODULES;
use crate::ops::odoo::maintenance::Maintenance;
use crate::ops::odoo::record::{self, Record};
use crate::ops::odoo::{control, health, oneshot, result};
use chrono::{DateTime, Utc};
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::modules::{ModulesChange, ModulesChanged};
use serde_json::Value;

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
    ctx.step("finish", change.maintenance().finish()).await?;
    let Plan { install, update, uninstall } = plan;
    result(ModulesChanged {
        installed: install,
        updated: update,
        uninstalled: uninstall,
        down_milliseconds: down.num_milliseconds().unsigned_abs(),
    })
}

struct Change<'a> {
    host: &'a Host,
    ctx: &'a JobContext,
    record: &'a Record,
    wish: &'a ModulesChange,
}

impl Change<'_> {
    fn maintenance(&self) -> Maintenance<'_> {
        Maintenance { host: self.host, ctx: self.ctx, record: self.record }
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
        self.maintenance().prepare(wish.safety_copy && !plan.is_empty()).await?;
        Ok(plan)
    }

    async fn forward(&self, plan: &Plan) -> Result<chrono::TimeDelta, OpError> {
        let Self { host, ctx, record, wish } = self;
        let maintenance = self.maintenance();
        let stopped: DateTime<Utc> = ctx
            .step("stop", async {
                let now = ctx.clock().now();
                host.docker.stop(&record.odoo_container(), STOP_SECONDS).await?;
                Ok(now)
            })
            .await?;
        if wish.safety_copy {
            ctx.step("copy", maintenance.copy()).await?;
        } else {
            ctx.skip("copy", "None was wished.").await?;
        }
        if plan.install.is_empty() && plan.update.is_empty() {
            ctx.skip("change", "Nothing is installed or updated.").await?;
        } else {
            let conf = host.records.conf_path(wish.instance_id);
            ctx.step("change", maintenance.change("change", &conf, &plan.install, &plan.update)).await?;
        }
        let name = record::task_container(&record.spec.slug);
        if plan.uninstall.is_empty() {
            ctx.skip("uninstall", "Nothing is uninstalled.").await?;
        } else {
            let body = self.uninstaller(plan)?;
            ctx.step("uninstall", oneshot::run(host, ctx, &name, body, UNINSTALL_MODULES, async { Ok(()) })).await?;
        }
        ctx.step("start", async {
            host.docker.remove(&name).await?;
            let there = [plan.install.clone(), plan.update.clone()].concat();
            maintenance.is_as_planned(&there, &plan.uninstall).await?;
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
        let fixed = ["--no-http", "--max-cron-threads=0", "--workers=0"];
        argv.extend(fixed.iter().chain(&containers::TOLD).map(|&arg| arg.to_owned()));
        let env = [("OCORE_MODULES", names)];
        let records = &self.host.records;
        let conf = records.conf_path(spec.instance_id);
        Ok(containers::program(spec, self.ctx.id(), "uninstall", &conf, records, argv, &env))
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
            ctx.undo("copy", || async { self.maintenance().put_back().await }).await;
        }
        if ctx.has_effects("stop") {
            ctx.undo("stop", || self.serve_again()).await;
        }
    }

    async fn serve_again(&self) -> Result<(), OpError> {
        let Self { host, ctx, record, .. } = self;
        self.maintenance().quiet().await?;
        control::start_odoo(host, ctx, record, "start").await?;
        health::wait_anyway(host, ctx, record).await
    }
}
