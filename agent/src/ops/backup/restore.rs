//! `backup_restore`: a backup in place of what an instance holds. It is put beside that first and looked at; then both
//! change names while Odoo stands, and what was there before stays under a name of its own. A failure changes nothing.

mod swap;

use super::filestore;
use super::scratch::{self, Rows, Scratch};
use super::source::Source;
use super::turn;
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::ops::odoo::containers::STOP_SECONDS;
use crate::ops::odoo::databases::has_room;
use crate::ops::odoo::maintenance::Maintenance;
use crate::ops::odoo::record::{Record, disk};
use crate::ops::odoo::{admin, control, health, ownership, provision, result, unless_cancelled};
use crate::ops::postgres;
use crate::ops::sql::literal;
use chrono::{DateTime, Utc};
use ocore_shared::protocol::backups::{BackupManifest, BackupRestore, BackupRestored};
use ocore_shared::protocol::odoo::InstanceSpec;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};

const STEPS: &[(&str, &str)] = &[
    ("check", "Look at the backup and the instance"),
    ("database", "Put the database beside the present one"),
    ("filestore", "Put the attachments beside the present ones"),
    ("stop", "Stop Odoo"),
    ("swap", "Change their places"),
    ("start", "Start Odoo"),
    ("health", "Wait until Odoo answers"),
    ("finish", "Tidy up"),
];

/// The longest name that PostgreSQL takes.
const LONGEST_NAME: usize = 63;

#[derive(Serialize, Deserialize)]
struct Checked {
    manifest: BackupManifest,
    /// What the present database is called afterwards.
    kept: String,
    is_new_role: bool,
}

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let wish: BackupRestore = ctx.input()?;
    ctx.plan(STEPS).await?;
    let record = host.records.get(wish.instance_id)?;
    let restore = Restore { host: &host, ctx: &ctx, wish: &wish, record: &record };
    let mut restored = false;
    let outcome = ctx.attempt(restore.forward(), async { restored = restore.back().await }).await;
    match outcome {
        Ok(done) => {
            // It is restored, whatever becomes of the rest.
            if let Err(error) = ctx.step("finish", restore.finish()).await {
                ctx.log(error.message);
            }
            result(done)
        }
        Err(error) if restored => Err(error.and("The instance is as before.")),
        Err(error) => Err(error),
    }
}

struct Restore<'a> {
    host: &'a Host,
    ctx: &'a JobContext,
    wish: &'a BackupRestore,
    record: &'a Record,
}

impl Restore<'_> {
    async fn forward(&self) -> Result<BackupRestored, OpError> {
        let Self { host, ctx, record, .. } = self;
        let _turn = turn(host, ctx).await?;
        let Checked { manifest, kept, .. } = ctx.step("check", self.check()).await?;
        let _: Rows = ctx.step("database", self.scratch().fill(&manifest)).await?;
        ctx.step("filestore", self.filestore(&manifest)).await?;
        let maintenance = Maintenance { host, ctx, record };
        let stopped: DateTime<Utc> = ctx
            .step("stop", async {
                let at = ctx.clock().now();
                maintenance.quiet().await?;
                Ok(at)
            })
            .await?;
        ctx.step("swap", async {
            self.swap(&kept).await?;
            self.base_url(manifest.instance_id != record.spec.instance_id).await
        })
        .await?;
        if !record.running {
            ctx.skip("start", "The instance was stopped and stays so.").await?;
            ctx.skip("health", "The instance was stopped and stays so.").await?;
            return self.done(kept, 0).await;
        }
        ctx.step("start", control::start_odoo(host, ctx, record, "start")).await?;
        let down: u64 = ctx
            .step("health", async {
                health::wait(host, ctx, record).await?;
                Ok((ctx.clock().now() - stopped).num_milliseconds().unsigned_abs())
            })
            .await?;
        self.done(kept, down).await
    }

    async fn done(&self, kept: String, down: u64) -> Result<BackupRestored, OpError> {
        let running = provision::running(self.host, self.record, down).await?;
        Ok(BackupRestored {
            container_id: running.container_id,
            container_name: running.container_name,
            image_digest: running.image_digest,
            http_port: running.http_port,
            realtime_port: running.realtime_port,
            kept_database: self.exists(&kept).await?.then_some(kept),
            down_milliseconds: down,
            start_milliseconds: down,
        })
    }

    fn container(&self) -> String {
        self.record.postgres_container()
    }

    fn name(&self) -> &str {
        &self.record.spec.database_name
    }

    fn role(&self) -> &str {
        &self.record.spec.database_role
    }

    fn source(&self) -> Source<'_> {
        let Self { host, ctx, wish, .. } = self;
        let BackupRestore { at, manifest_sha256, is_encrypted, .. } = wish;
        Source { host, ctx, at, manifest_sha256, is_encrypted: *is_encrypted }
    }

    /// The database beside the present one, and how PostgreSQL lists the sessions of this job.
    fn scratch_name(&self) -> String {
        format!("ocore_{}", self.ctx.id().0.simple())
    }

    fn scratch(&self) -> Scratch<'_> {
        Scratch { source: self.source(), container: self.container(), name: self.scratch_name(), role: self.role() }
    }

    async fn sql(&self, database: &str, script: &str) -> Result<String, OpError> {
        postgres::sql(&self.host.docker, &self.container(), database, script).await
    }

    async fn exists(&self, database: &str) -> Result<bool, OpError> {
        let script = format!("SELECT EXISTS (SELECT FROM pg_database WHERE datname = {});", literal(database)?);
        Ok(self.sql("postgres", &script).await? == "t")
    }

    async fn check(&self) -> Result<Checked, OpError> {
        let Self { host, ctx, record, .. } = self;
        let manifest = unless_cancelled(ctx, self.source().manifest()).await?;
        let (theirs, ours) = (&manifest.odoo_version, &record.spec.odoo_version);
        if theirs != ours {
            return Err(OpError::new(
                "series_differs",
                format!("The backup is of Odoo {theirs}, and the instance of {ours}. Restore it into one of {theirs}."),
            ));
        }
        if !record.running {
            ctx.message("The instance is stopped; its PostgreSQL is started for the restore.");
            control::start_postgres(host, ctx, record).await?;
        }
        let server = self.sql("postgres", "SHOW server_version;").await?;
        scratch::can_read(&server, &manifest)?;
        has_room(host, manifest.database_bytes + manifest.attachments.bytes, "The restored data")?;
        let (image, digest) = (&record.spec.image, &record.image_digest);
        if *digest != manifest.image_digest {
            ctx.log(format!(
                "The backup was made with {} ({}); the instance runs {image} ({digest}).",
                manifest.image, manifest.image_digest
            ));
        }
        let stamp = ctx.clock().now().format("%Y%m%d_%H%M%S").to_string();
        let role = literal(&manifest.database_role)?;
        let has_role = self.sql("postgres", &format!("SELECT count(*) FROM pg_roles WHERE rolname = {role};")).await?;
        let is_other = manifest.database_role != self.role();
        if is_other && has_role != "0" {
            return Err(OpError::new(
                "role_taken",
                format!(
                    "The instance's PostgreSQL has a role {} of its own, to whom the backup's tables would belong. Rename that role, then try again.",
                    manifest.database_role
                ),
            ));
        }
        Ok(Checked { kept: kept_name(self.name(), &stamp), is_new_role: is_other, manifest })
    }

    /// Beside Odoo's volume, where nobody but root is.
    fn staging(&self, volume: &Path) -> PathBuf {
        volume.with_file_name(format!("ocore-restore-{}", self.ctx.id().0.simple()))
    }

    async fn filestore(&self, manifest: &BackupManifest) -> Result<(), OpError> {
        let Self { host, ctx, record, .. } = self;
        let volume = filestore::volume_path(host, record).await?;
        let staging = self.staging(&volume);
        self.remove_staging(&volume).await?;
        let owner = ownership::user_of(host, ctx, &record.spec, "filestore").await?;
        unless_cancelled(ctx, self.source().files(manifest, staging, owner)).await.map(drop)
    }

    /// The database comes from another time, perhaps from another place: people reach it as they reach the instance.
    async fn base_url(&self, is_elsewhere: bool) -> Result<(), OpError> {
        let Self { host, record, .. } = self;
        let spec = &record.spec;
        let url = admin::url(&spec.bind_address, record.http_port);
        // A name of the other place leads nowhere here.
        let theirs = is_elsewhere.then(String::new).or_else(|| spec.public_host.clone());
        let from = InstanceSpec { public_host: theirs, ..spec.clone() };
        admin::follow_base_url(host, &self.container(), &from, spec, &url).await
    }

    async fn back(&self) -> bool {
        let Self { host, ctx, record, .. } = self;
        let mut restored = true;
        for step in ["health", "start"] {
            if ctx.has_effects(step) {
                restored &= ctx.undo(step, || async { Ok(()) }).await;
            }
        }
        let checked = ctx.output::<Checked>("check");
        if ctx.has_effects("swap")
            && let Some(checked) = &checked
        {
            restored &= ctx.undo("swap", || self.swap_back(&checked.kept)).await;
        }
        if ctx.has_effects("stop") {
            restored &= ctx.undo("stop", || self.serve_again()).await;
        }
        if ctx.has_effects("filestore") {
            let remove = || async { self.remove_staging(&filestore::volume_path(host, record).await?).await };
            restored &= ctx.undo("filestore", remove).await;
        }
        if ctx.has_effects("database") {
            restored &= ctx.undo("database", || async { self.scratch().remove().await }).await;
        }
        if ctx.has_effects("check") {
            restored &= ctx.undo("check", || self.postgres_as_before()).await;
        }
        restored
    }

    async fn serve_again(&self) -> Result<(), OpError> {
        let Self { host, ctx, record, .. } = self;
        if !record.running {
            return Ok(());
        }
        control::start_odoo(host, ctx, record, "start").await?;
        health::wait_anyway(host, ctx, record).await
    }

    async fn postgres_as_before(&self) -> Result<(), OpError> {
        match self.record.running {
            true => Ok(()),
            false => self.host.docker.stop(&self.container(), STOP_SECONDS).await,
        }
    }

    async fn finish(&self) -> Result<(), OpError> {
        self.postgres_as_before().await
    }

    async fn remove_staging(&self, volume: &Path) -> Result<(), OpError> {
        let staging = self.staging(volume);
        let path = staging.clone();
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(path)).await;
        match removed.map_err(|e| disk(&staging, &e))? {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(disk(&staging, &e)),
            _ => Ok(()),
        }
    }
}

/// What a database is called that was replaced at that time.
fn kept_name(name: &str, stamp: &str) -> String {
    let ending = format!("_until_{stamp}");
    format!("{}{ending}", &name[..name.floor_char_boundary(LONGEST_NAME - ending.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_before_gets_a_name_that_fits() {
        assert_eq!(kept_name("shop", "20261124_080000"), "shop_until_20261124_080000");
        let long = kept_name(&"x".repeat(63), "20261124_080000");
        assert_eq!(long.len(), 63);
        assert!(long.ends_with("x_until_20261124_080000"));
    }
}
