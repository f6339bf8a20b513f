//! `backup_restore`: a backup in place of what an instance holds. It is put beside that first and looked at; then both
//! change names while Odoo stands, and what was there before stays under a name of its own. A failure changes nothing.

mod swap;

use super::filestore;
use super::pack::{self, hex};
use super::{create, open, told, turn};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::ExecSpec;
use crate::ops::odoo::containers::STOP_SECONDS;
use crate::ops::odoo::databases::has_room;
use crate::ops::odoo::databases::stream::write_to;
use crate::ops::odoo::maintenance::Maintenance;
use crate::ops::odoo::record::{Record, disk};
use crate::ops::odoo::{admin, control, health, ownership, provision, result, unless_cancelled};
use crate::ops::postgres::{self, Database};
use crate::ops::sql::{ident, literal};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use ocore_shared::protocol::backups::{
    BackupManifest, BackupRestore, BackupRestored, FORMAT, IDENTITY_SECRET, MANIFEST, MOST_MANIFEST,
};
use ocore_shared::protocol::odoo::InstanceSpec;
use ocore_shared::storage::Storage;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

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

/// Pieces between the unpacking and PostgreSQL.
const QUEUE: usize = 8;
const PIECE: usize = 128 * 1024;
/// Code of a failure that another one explains.
const NOT_TAKEN: &str = "not_taken";
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
        ctx.step("database", self.database(&manifest)).await?;
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

    /// The database beside the present one, and how PostgreSQL lists the sessions of this job.
    fn scratch(&self) -> String {
        format!("ocore_{}", self.ctx.id().0.simple())
    }

    async fn storage(&self) -> Result<Storage, OpError> {
        open(self.host, self.ctx, &self.wish.at).await
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
        let manifest = unless_cancelled(ctx, self.manifest()).await?;
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
        if major(&server) < major(&manifest.postgres_version) {
            return Err(OpError::new(
                "postgres_too_old",
                format!(
                    "The backup is of PostgreSQL {}, and the instance has {server}, which cannot read it. Restore it into an instance with a newer one.",
                    manifest.postgres_version
                ),
            ));
        }
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

    /// The manifest, if it is the one that was written then.
    async fn manifest(&self) -> Result<BackupManifest, OpError> {
        let storage = self.storage().await?;
        let key = format!("{}{MANIFEST}", self.wish.at.prefix);
        let damaged = |what: &str| {
            OpError::new(
                "backup_damaged",
                format!("The backup's manifest at the destination {what}. Use another backup."),
            )
        };
        let text = storage.read_whole(&key, MOST_MANIFEST).await.map_err(told)?;
        if hex(&Sha256::digest(&text)) != self.wish.manifest_sha256 {
            return Err(damaged("is not the one that was written"));
        }
        let manifest: BackupManifest = serde_json::from_slice(&text).map_err(|_| damaged("cannot be understood"))?;
        match manifest.format {
            FORMAT => Ok(manifest),
            format => Err(OpError::new(
                "backup_format_unknown",
                format!("The backup is of format {format}, which this agent does not know; update the agent."),
            )),
        }
    }

    async fn identity(&self) -> Result<Option<age::x25519::Identity>, OpError> {
        match self.wish.is_encrypted {
            true => pack::identity(&self.ctx.secret_awaited(IDENTITY_SECRET).await?).map(Some),
            false => Ok(None),
        }
    }

    async fn database(&self, manifest: &BackupManifest) -> Result<(), OpError> {
        self.remove_scratch().await?;
        let (scratch, role) = (self.scratch(), ident(self.role())?);
        let made = self.roles_make(manifest).await?;
        let name = ident(&scratch)?;
        let script = format!(
            "CREATE DATABASE {name} OWNER {role} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C';\n\
             REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC;\n"
        );
        self.sql("postgres", &script).await?;
        self.sql(&scratch, postgres::EXTENSIONS).await?;
        unless_cancelled(self.ctx, self.fill(manifest, &scratch, !made.is_empty())).await?;
        // What belonged to those who are not here is the instance's own.
        let mut script = String::new();
        for made in &made {
            let made = ident(made)?;
            script
                .push_str(&format!("REASSIGN OWNED BY {made} TO {role};\nDROP OWNED BY {made};\nDROP ROLE {made};\n"));
        }
        script.push_str("ANALYZE;\n");
        self.sql(&scratch, &script).await?;
        let rows = create::tables_of(self.host, &self.container(), &scratch, &scratch).await?;
        compare(&manifest.tables, &rows)?;
        self.ctx.message(format!("{} tables, each with as many rows as then.", rows.len()));
        Ok(())
    }

    /// Have every role that the backup names, for as long as it is put back; those that were made.
    async fn roles_make(&self, manifest: &BackupManifest) -> Result<Vec<String>, OpError> {
        let mut made = Vec::new();
        for role in manifest.roles.iter().chain([&manifest.database_role]) {
            let text = literal(role)?;
            let known = format!(
                "SELECT COALESCE(shobj_description(oid, 'pg_authid') = {}, false) FROM pg_roles WHERE rolname = {text};",
                literal(&self.scratch())?
            );
            match self.sql("postgres", &known).await?.as_str() {
                // Of an attempt before a restart.
                "t" if !made.contains(role) => made.push(role.clone()),
                "" => {
                    let name = ident(role)?;
                    let script = format!(
                        "BEGIN;\nCREATE ROLE {name} NOLOGIN;\nCOMMENT ON ROLE {name} IS {};\nCOMMIT;\n",
                        literal(&self.scratch())?
                    );
                    self.sql("postgres", &script).await?;
                    made.push(role.clone());
                }
                _ => {}
            }
        }
        Ok(made)
    }

    /// Unpack the dump into the empty database.
    async fn fill(&self, manifest: &BackupManifest, scratch: &str, is_elsewhere: bool) -> Result<(), OpError> {
        let storage = self.storage().await?;
        let identity = self.identity().await?;
        let mut spec = ExecSpec::new(["pg_restore", "-w", "-U", "postgres", "--exit-on-error", "-d", scratch]);
        if is_elsewhere {
            // What was granted to them means nobody here.
            spec.argv.push("--no-acl".into());
        }
        spec.env = vec![format!("PGAPPNAME={scratch}")];
        let (sender, receiver) = mpsc::channel(QUEUE);
        let total = manifest.database.size;
        let passed = |bytes| self.ctx.progress(bytes, Some(total), "bytes");
        let failing = sender.clone();
        let unpacking = async {
            let fed = move |plain: &mut dyn Read| feed(plain, &sender);
            let done = pack::unpack(&storage, &self.wish.at.prefix, &manifest.database, identity, passed, fed).await;
            if let Err(error) = &done {
                drop(failing.send(Err(error.clone())).await);
            }
            drop(failing);
            done
        };
        let container = self.container();
        let filling = write_to(&self.host.docker, &container, spec.user("postgres"), receiver);
        let (unpacked, filled) = tokio::join!(unpacking, filling);
        match (unpacked, filled) {
            (Ok(()), filled) => filled,
            // PostgreSQL has ended before it was given all, and knows why.
            (Err(error), Err(postgres)) if error.code == NOT_TAKEN => Err(postgres),
            (Err(error), _) => Err(error),
        }
    }

    /// Beside Odoo's volume, where nobody but root is.
    fn staging(&self, volume: &Path) -> PathBuf {
        volume.with_file_name(format!("ocore-restore-{}", self.ctx.id().0.simple()))
    }

    async fn filestore(&self, manifest: &BackupManifest) -> Result<(), OpError> {
        let Self { host, ctx, record, wish } = self;
        let volume = filestore::volume_path(host, record).await?;
        let staging = self.staging(&volume);
        self.remove_staging(&volume).await?;
        let owner = ownership::user_of(host, ctx, &record.spec, "filestore").await?;
        let storage = self.storage().await?;
        let identity = self.identity().await?;
        let known = manifest.attachments.clone();
        let total = manifest.filestore.size;
        let passed = |bytes| ctx.progress(bytes, Some(total), "bytes");
        let read = move |plain: &mut dyn Read| filestore::read(plain, &staging, owner, &known, |_| {});
        let unpacking = pack::unpack(&storage, &wish.at.prefix, &manifest.filestore, identity, passed, read);
        let told = unless_cancelled(ctx, unpacking).await?;
        ctx.message(format!("{} files of {} MB, each of which is what its name says.", told.files, told.bytes >> 20));
        Ok(())
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
            restored &= ctx.undo("database", || self.remove_scratch()).await;
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

    /// The database of an attempt, and the roles that were made for it.
    async fn remove_scratch(&self) -> Result<(), OpError> {
        let scratch = self.scratch();
        let script = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = {};\n",
            literal(&scratch)?
        );
        self.sql("postgres", &script).await?;
        let database = Database { name: &scratch, role: self.role() };
        database.drop(&self.host.docker, &self.container()).await?;
        let script = format!(
            "SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = {} \\gexec\n",
            literal(&scratch)?
        );
        self.sql("postgres", &script).await.map(drop)
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

/// Hand all of it on.
fn feed(plain: &mut dyn Read, pieces: &mpsc::Sender<Result<Bytes, OpError>>) -> io::Result<()> {
    loop {
        let mut piece = BytesMut::zeroed(PIECE);
        let read = plain.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        piece.truncate(read);
        let sent = pieces.blocking_send(Ok(piece.freeze()));
        sent.map_err(|_| io::Error::other(OpError::new(NOT_TAKEN, "PostgreSQL did not take the dump.")))?;
    }
}

/// What a database is called that was replaced at that time.
fn kept_name(name: &str, stamp: &str) -> String {
    let ending = format!("_until_{stamp}");
    format!("{}{ending}", &name[..name.floor_char_boundary(LONGEST_NAME - ending.len())])
}

/// `13` of `13.16 (Debian 13.16-1)`.
fn major(version: &str) -> u32 {
    version.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

/// Whether each table has as many rows as it had then.
fn compare(then: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> Result<(), OpError> {
    let differ = then.keys().chain(now.keys()).filter(|table| then.get(*table) != now.get(*table));
    let differ: BTreeSet<&String> = differ.collect();
    if differ.is_empty() {
        return Ok(());
    }
    let said = |rows: Option<&u64>| rows.map_or("none".into(), u64::to_string);
    let tables: Vec<String> = differ
        .iter()
        .take(5)
        .map(|table| format!("{table} ({} instead of {})", said(now.get(*table)), said(then.get(*table))))
        .collect();
    Err(OpError::new(
        "backup_damaged",
        format!("{} tables have other rows than when the backup was made: {}.", differ.len(), tables.join(", ")),
    ))
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

    #[test]
    fn versions_have_a_major() {
        assert_eq!(major("13.16 (Debian 13.16-1.pgdg120+1)"), 13);
        assert_eq!(major("18beta1"), 18);
    }

    #[test]
    fn other_rows_are_told() {
        let then = BTreeMap::from([("res_users".to_owned(), 5), ("sale".to_owned(), 1)]);
        assert!(compare(&then, &then).is_ok());
        let now = BTreeMap::from([("res_users".to_owned(), 4), ("new".to_owned(), 0)]);
        let error = compare(&then, &now).unwrap_err();
        assert!(error.message.contains("3 tables") && error.message.contains("res_users (4 instead of 5)"), "{error}");
    }
}
