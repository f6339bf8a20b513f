//! `instance_upgrade` and `instance_addons`: another image, other sources of addons, on the same data. Everything is
//! fetched, built and looked at while Odoo serves; then Odoo stands while its database is copied and its modules are
//! brought up to date. What does not come up goes back to how it was, by itself.

use super::containers::{self, STOP_SECONDS};
use super::init_log::TRY_UPGRADE;
use super::maintenance::Maintenance;
use super::modules::{scan, successor};
use super::ownership::{self, User};
use super::packages::{self, Requirements};
use super::record::{self, Record};
use super::{control, health, oneshot, provision, result, update};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::image::{Image, with_tag};
use crate::host::docker::{ExecSpec, failed};
use crate::ops::git;
use chrono::{DateTime, Utc};
use ocore_shared::odoo::conf;
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::addons::{AddonSource, InstanceUpgrade, InstanceUpgraded, UpdateModules};
use ocore_shared::protocol::odoo::InstanceSpec;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

const STEPS: &[(&str, &str)] = &[
    ("check", "Look at the instance"),
    ("fetch", "Fetch the addons"),
    ("pull_image", "Fetch Odoo"),
    ("build", "Add Python packages to the image"),
    ("inspect", "Look at the modules"),
    ("try", "Try it beside the running Odoo"),
    ("stop", "Stop Odoo"),
    ("copy", "Copy the database"),
    ("ownership", "Hand the files over"),
    ("update", "Update the modules"),
    ("switch", "Make the container anew"),
    ("health", "Wait until Odoo answers"),
    ("finish", "Remove the copy"),
];

/// A program that waits to be looked into.
const WAITER: &str = "import signal\nsignal.pause()\n";

/// Before and after.
#[derive(Clone, Serialize, Deserialize)]
struct Change {
    before: Record,
    after: Record,
}

#[derive(Serialize, Deserialize)]
struct Sources {
    addons: Vec<AddonSource>,
    requirements: Vec<Requirements>,
}

/// What the look at the modules came to.
#[derive(Serialize, Deserialize)]
struct Plan {
    update: Vec<String>,
    /// Whose the files are, and whose they are to be, where that differs.
    owners: Option<(User, User)>,
}

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let wish: InstanceUpgrade = ctx.input()?;
    ctx.plan(STEPS).await?;
    let upgrade = Upgrade { host: &host, ctx: &ctx, wish: &wish };
    // As it was before this very job, also for one that goes on after a restart.
    let before: Record = ctx.step("check", upgrade.check()).await?;
    let prepared = upgrade.prepare(&before).await;
    let Change { before, after } = match prepared {
        Ok(change) => change,
        Err(error) => {
            upgrade.forget(&before, None).await?;
            return Err(error);
        }
    };
    if after == before && wish.update != UpdateModules::All {
        for (step, _) in &STEPS[4..] {
            ctx.skip(step, "Everything is as wished already.").await?;
        }
        return upgrade.done(&after, Vec::new(), 0).await;
    }
    let mut restored = false;
    let forward = upgrade.forward(&before, &after);
    let outcome = ctx.attempt(forward, async { restored = upgrade.back(&before, &after).await }).await;
    match outcome {
        Ok((updated, down)) => {
            ctx.step("finish", upgrade.finish(&before, &after)).await?;
            upgrade.done(&after, updated, down).await
        }
        Err(error) => {
            upgrade.forget(&before, after.spec.built_image.as_deref()).await?;
            Err(if restored { error.and("The instance runs as before.") } else { error })
        }
    }
}

struct Upgrade<'a> {
    host: &'a Host,
    ctx: &'a JobContext,
    wish: &'a InstanceUpgrade,
}

impl Upgrade<'_> {
    async fn check(&self) -> Result<Record, OpError> {
        let record = self.host.records.get(self.wish.instance_id)?;
        if !record.running {
            return Err(OpError::new("instance_stopped", "The instance is stopped; start it first."));
        }
        update::tidy(self.host, &record)?;
        Maintenance { host: self.host, ctx: self.ctx, record: &record }.prepare(self.wish.safety_copy).await?;
        Ok(record)
    }

    /// Everything that can be done while Odoo serves.
    async fn prepare(&self, before: &Record) -> Result<Change, OpError> {
        let Self { ctx, wish, .. } = self;
        let sources: Option<Sources> = match &wish.addons {
            Some(addons) => Some(ctx.step("fetch", self.fetch(addons)).await?),
            // The packages of the present sources are in the image only if they are put into the new one too.
            None if wish.image.is_some() && before.spec.built_image.is_some() => {
                Some(ctx.step("fetch", self.fetch(&pinned(&before.spec.addons))).await?)
            }
            None => {
                ctx.skip("fetch", "The addons stay.").await?;
                None
            }
        };
        let reference = wish.image.as_deref().map(with_tag);
        let image: Option<Image> = match &reference {
            Some(reference) => Some(ctx.step("pull_image", self.pull(before, reference)).await?),
            None => {
                ctx.skip("pull_image", "The image stays.").await?;
                None
            }
        };
        let mut spec = before.spec.clone();
        spec.image = reference.unwrap_or(spec.image);
        match sources {
            Some(Sources { addons, requirements }) => {
                spec.addons = match &wish.addons {
                    Some(_) => addons,
                    None => spec.addons,
                };
                let build = packages::image_with_packages(self.host, ctx, &spec, &requirements);
                spec.built_image = ctx.step("build", super::unless_cancelled(ctx, build)).await?;
            }
            None => ctx.skip("build", "Nothing is asked for.").await?,
        }
        let image_digest = image.map_or_else(|| before.image_digest.clone(), |image| image.digest);
        Ok(Change { before: before.clone(), after: Record { spec, image_digest, ..before.clone() } })
    }

    async fn fetch(&self, addons: &[AddonSource]) -> Result<Sources, OpError> {
        let Self { host, ctx, wish } = self;
        let mut sources = Sources { addons: Vec::new(), requirements: Vec::new() };
        for (number, source) in addons.iter().enumerate() {
            ctx.progress(number as u64, Some(addons.len() as u64), "sources");
            let name = source.secret_name();
            let secret = match &source.credential {
                // Their files are here, as a rule.
                Some(_) if wish.addons.is_none() => ctx.secret(&name).ok(),
                Some(_) => Some(super::unless_cancelled(ctx, ctx.secret_awaited(&name)).await?),
                None => None,
            };
            let fetched = git::source_fetch(ctx, &host.records, wish.instance_id, source, secret.as_ref()).await?;
            let lists = fetched.requirements.into_iter().map(|(path, text)| (source.name.clone(), path, text));
            sources.requirements.extend(lists);
            sources.addons.push(fetched.source);
        }
        Ok(sources)
    }

    async fn pull(&self, before: &Record, reference: &str) -> Result<Image, OpError> {
        let Self { host, ctx, wish } = self;
        let progress = |done, total| ctx.progress(done, total, "bytes");
        let fetch = async {
            let logins = super::logins(ctx, &wish.registries).await?;
            host.docker.image_ensure(reference, &logins, progress).await
        };
        let image = super::unless_cancelled(ctx, fetch).await?;
        // Before anything is built of it.
        let spec = InstanceSpec { image: reference.into(), built_image: None, ..before.spec.clone() };
        let conf = host.records.conf_path(wish.instance_id);
        let said = self.looked(&spec, &conf, "pull_image", async |name| {
            host.docker.exec(name, ExecSpec::new(["odoo", "--version"]), b"").await.map(|output| output.stdout)
        });
        has_series(reference, &spec, &said.await?)?;
        Ok(image)
    }

    /// Do something in a container of that image which runs nothing of Odoo.
    async fn looked<T>(
        &self, spec: &InstanceSpec, conf: &Path, step: &str, look: impl AsyncFnOnce(&str) -> Result<T, OpError>,
    ) -> Result<T, OpError> {
        let Self { host, ctx, .. } = self;
        let name = record::task_container(&spec.slug);
        host.docker.remove(&name).await?;
        let argv = vec!["-c".to_owned(), WAITER.to_owned()];
        let body = containers::program(spec, ctx.id(), step, conf, &host.records, argv, &[]);
        containers::create(&host.docker, &name, body).await?;
        let looked = match host.docker.start(&name).await {
            Ok(()) => look(&name).await,
            Err(e) => {
                let error = OpError::new("image_unsuitable", failed("start the new image", e).message);
                Err(error.and("Use an image that follows the official one's contract."))
            }
        };
        host.docker.remove(&name).await?;
        looked
    }

    async fn forward(&self, before: &Record, after: &Record) -> Result<(Vec<String>, u64), OpError> {
        let Self { host, ctx, wish } = self;
        let id = wish.instance_id;
        let plan: Plan = ctx.step("inspect", self.inspect(before, after)).await?;
        let conf = host.records.conf_next_path(id);
        if plan.update.is_empty() {
            let body = containers::task(&after.spec, ctx.id(), "try", &conf, &host.records, &[]);
            let name = record::task_container(&after.spec.slug);
            ctx.step("try", oneshot::run(host, ctx, &name, body, TRY_UPGRADE, async { Ok(()) })).await?;
        } else {
            ctx.skip("try", "The database has to be brought up to it first.").await?;
        }
        let now = Maintenance { host, ctx, record: before };
        let next = Maintenance { host, ctx, record: after };
        let stopped: DateTime<Utc> = ctx
            .step("stop", async {
                let at = ctx.clock().now();
                now.quiet().await?;
                Ok(at)
            })
            .await?;
        if !wish.safety_copy {
            ctx.skip("copy", "None was wished.").await?;
        } else if plan.update.is_empty() && before.spec.effective_image() == after.spec.effective_image() {
            ctx.skip("copy", "Nothing is changed in it.").await?;
        } else {
            ctx.step("copy", now.copy()).await?;
        }
        match plan.owners {
            Some((_, to)) => ctx.step("ownership", ownership::hand_over(host, ctx, &after.spec, to)).await?,
            None => ctx.skip("ownership", "They are its user's already.").await?,
        }
        if plan.update.is_empty() {
            ctx.skip("update", "No module has changed.").await?;
        } else {
            ctx.step("update", next.change("update", &conf, &[], &plan.update)).await?;
        }
        ctx.step("switch", async {
            next.is_as_planned(&plan.update, &[]).await?;
            update::keep_conf(host, before)?;
            host.records.write(after)?;
            let passwords = update::passwords_known(host, id)?;
            update::write_conf(host, ctx, after, &passwords, &host.records.conf_path(id)).await?;
            update::recreate(host, ctx, before, after).await
        })
        .await?;
        let down: u64 = ctx
            .step("health", async {
                health::wait(host, ctx, after).await?;
                Ok((ctx.clock().now() - stopped).num_milliseconds().unsigned_abs())
            })
            .await?;
        Ok((plan.update, down))
    }

    /// Look into the new image with the new addons.
    async fn inspect(&self, before: &Record, after: &Record) -> Result<Plan, OpError> {
        let Self { host, ctx, wish } = self;
        let conf = host.records.conf_next_path(wish.instance_id);
        let sources = host.records.sources_dir(wish.instance_id);
        std::fs::create_dir_all(&sources).map_err(|e| record::disk(&sources, &e))?;
        let passwords = update::passwords_known(host, wish.instance_id)?;
        conf::render(&after.spec, "", &passwords)?;
        update::write_conf(host, ctx, after, &passwords, &conf).await?;
        let mut known = scan::known(host, before).await?;
        let old = scan::on_disk(host, &before.odoo_container(), &known, true).await?;
        // What nobody wrote down is as it is now: the database was brought up to these files.
        for module in &old {
            if let Some(checksum) = &module.checksum {
                known.checksums.entry(module.name.clone()).or_insert_with(|| checksum.clone());
            }
        }
        let look = async |name: &str| scan::on_disk(host, name, &known, true).await;
        let disk = self.looked(&after.spec, &conf, "inspect", look).await?;
        let series = Series::of(&after.spec.odoo_version);
        let update = successor::updates(series, &known, &old, &disk, wish.update)?;
        for module in disk.iter().filter(|module| module.problem.is_some()) {
            let problem = module.problem.as_deref().unwrap_or_default();
            ctx.log(format!("{} is not installed and cannot be: {problem}", module.name));
        }
        let from = ownership::user_of(host, ctx, &before.spec, "inspect").await?;
        let to = ownership::user_of(host, ctx, &after.spec, "inspect").await?;
        ctx.message(match update.len() {
            0 => "No module has changed.".into(),
            count => format!("{count} modules are updated: {}.", update.join(", ")),
        });
        Ok(Plan { update, owners: (from != to).then_some((from, to)) })
    }

    /// Take back what was begun. Says whether all is as before.
    async fn back(&self, before: &Record, after: &Record) -> bool {
        let Self { host, ctx, .. } = self;
        let mut restored = true;
        if ctx.has_effects("health") {
            restored &= ctx.undo("health", || async { Ok(()) }).await;
        }
        if ctx.has_effects("switch") {
            restored &= ctx.undo("switch", || self.switch_back(before)).await;
        }
        if ctx.has_effects("update") {
            restored &= ctx.undo("update", || async { Ok(()) }).await;
        }
        let now = Maintenance { host, ctx, record: before };
        if ctx.has_effects("ownership") {
            restored &= ctx.undo("ownership", || self.hand_back(before)).await;
        }
        if ctx.has_effects("copy") {
            restored &= ctx.undo("copy", || now.put_back()).await;
        }
        if ctx.has_effects("stop") {
            restored &= ctx.undo("stop", || self.serve_again(before)).await;
        }
        for step in ["try", "inspect"] {
            let name = record::task_container(&after.spec.slug);
            if ctx.has_effects(step) {
                restored &= ctx.undo(step, || host.docker.remove(&name)).await;
            }
        }
        restored
    }

    /// The old files and record; the new container goes, its log stays.
    async fn switch_back(&self, before: &Record) -> Result<(), OpError> {
        let Self { host, ctx, .. } = self;
        let name = before.odoo_container();
        host.docker.stop(&name, STOP_SECONDS).await?;
        host.logs.archive(before.spec.instance_id, &name).await?;
        host.docker.remove(&name).await?;
        host.records.write(before)?;
        match host.records.conf_before_path(before.spec.instance_id).exists() {
            true => update::put_conf_back(host, ctx, before).await,
            false => Ok(()),
        }
    }

    async fn hand_back(&self, before: &Record) -> Result<(), OpError> {
        let Self { host, ctx, .. } = self;
        let user = ownership::user_of(host, ctx, &before.spec, "inspect").await?;
        ownership::hand_over(host, ctx, &before.spec, user).await
    }

    async fn serve_again(&self, before: &Record) -> Result<(), OpError> {
        let Self { host, ctx, .. } = self;
        Maintenance { host, ctx, record: before }.quiet().await?;
        control::start_odoo(host, ctx, before, "start").await?;
        health::wait_anyway(host, ctx, before).await?;
        if let Some(stopped) = ctx.began("stop") {
            let down = (ctx.clock().now() - stopped).num_milliseconds();
            ctx.log(format!(
                "The old one serves again; nobody was served for {}.{} s.",
                down / 1000,
                down % 1000 / 100
            ));
        }
        Ok(())
    }

    async fn finish(&self, before: &Record, after: &Record) -> Result<(), OpError> {
        let Self { host, ctx, .. } = self;
        Maintenance { host, ctx, record: after }.finish().await?;
        update::tidy(host, after)?;
        git::sources_tidy(&host.records, after.spec.instance_id, &after.spec.addons)?;
        if let Some(old) = before.spec.built_image.as_ref().filter(|old| after.spec.built_image.as_ref() != Some(old)) {
            host.docker.image_forget(old).await?;
        }
        Ok(())
    }

    /// After a failure: what only the new one would have used.
    async fn forget(&self, before: &Record, built: Option<&str>) -> Result<(), OpError> {
        update::tidy(self.host, before)?;
        if let Some(built) = built.filter(|built| before.spec.built_image.as_deref() != Some(built)) {
            self.host.docker.image_forget(built).await?;
        }
        git::sources_tidy(&self.host.records, before.spec.instance_id, &before.spec.addons)
    }

    async fn done(&self, after: &Record, updated: Vec<String>, down: u64) -> Result<Value, OpError> {
        let running = provision::running(self.host, after, down).await?;
        result(InstanceUpgraded {
            container_id: running.container_id,
            container_name: running.container_name,
            image_digest: running.image_digest,
            http_port: running.http_port,
            realtime_port: running.realtime_port,
            image: after.spec.image.clone(),
            built_image: after.spec.built_image.clone(),
            addons: after.spec.addons.clone(),
            updated,
            down_milliseconds: down,
            start_milliseconds: down,
        })
    }
}

/// The same sources at the commits that they are at.
fn pinned(addons: &[AddonSource]) -> Vec<AddonSource> {
    let pin = |source: &AddonSource| AddonSource {
        reference: source.commit.clone().or_else(|| source.reference.clone()),
        ..source.clone()
    };
    addons.iter().map(pin).collect()
}

/// `Odoo Server 17.0-20251001` is 17.0. Another series needs its database migrated, which this job does not do.
fn has_series(image: &str, spec: &InstanceSpec, said: &str) -> Result<(), OpError> {
    let version = said.split_whitespace().last().unwrap_or_default();
    let (Some(theirs), Some(ours)) = (Series::of(version), Series::of(&spec.odoo_version)) else { return Ok(()) };
    if theirs.major == ours.major {
        return Ok(());
    }
    Err(OpError::new(
        "series_differs",
        format!(
            "The image {image} has Odoo {}.0, and the instance's database is of {}. Choose an image of that series.",
            theirs.major, spec.odoo_version
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::spec;
    use super::*;

    #[test]
    fn an_image_says_its_series() {
        let spec = spec();
        assert!(has_series("i", &spec, "Odoo Server 14.0\n").is_ok());
        assert!(has_series("i", &spec, "Odoo Server 14.0-20230101").is_ok());
        assert!(has_series("i", &spec, "something else").is_ok());
        assert_eq!(has_series("i", &spec, "Odoo Server 19.0+e-20251001").unwrap_err().code, "series_differs");
    }
}
