//! `backup_verify`: a backup proven by restoring it. It is put into a PostgreSQL of its own, in a network that leads nowhere,
//! and Odoo is started on it there with the instance's image and addons. No scheduled action of it runs, nothing that it
//! sends arrives, and nothing of it stays.
//!
//! What cannot be read here, or has no Odoo any more, is compared with its checksums.

use super::filestore;
use super::scratch::{self, Rows, Scratch};
use super::source::Source;
use super::turn;
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::{failed, labels};
use crate::ops::odoo::databases::has_room;
use crate::ops::odoo::observer::ip_of;
use crate::ops::odoo::record::{Record, disk};
use crate::ops::odoo::{containers, control, health, network, ownership, provision, result, unless_cancelled, volumes};
use crate::ops::postgres::{self, Database};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{EnvironmentId, InstanceId};
use ocore_shared::odoo::conf::Passwords;
use ocore_shared::protocol::backups::{BackupManifest, BackupVerified, BackupVerify, VerifyMethod};
use ocore_shared::protocol::odoo::InstanceSpec;
use ocore_shared::secret::Secret;
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::SocketAddr;

const STEPS: &[(&str, &str)] = &[
    ("check", "Look at the backup"),
    ("postgres", "Start a PostgreSQL for it alone"),
    ("database", "Put the database into it"),
    ("filestore", "Put the attachments beside it"),
    ("start", "Start Odoo on them"),
    ("health", "Wait until Odoo answers"),
    ("finish", "Remove all of it"),
];
const CHECKSUM_STEPS: &[(&str, &str)] =
    &[("check", "Look at the backup"), ("checksums", "Read its files and compare them")];
const PASSWORD_LENGTH: usize = 32;
/// Odoo's, inside its container.
const PORT: u16 = 8069;

#[derive(Serialize, Deserialize)]
struct Checked {
    manifest: BackupManifest,
    begun_at: DateTime<Utc>,
}

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let wish: BackupVerify = ctx.input()?;
    let BackupVerify { at, manifest_sha256, is_encrypted, .. } = &wish;
    let source = Source { host: &host, ctx: &ctx, at, manifest_sha256, is_encrypted: *is_encrypted };
    let Some(instance) = wish.instance_id else {
        return result(checksums(source).await?);
    };
    ctx.plan(STEPS).await?;
    let original = host.records.get(instance)?;
    let trial = trial_of(&ctx, &original);
    let verify = Verify { source, host: &host, ctx: &ctx, original: &original, trial: &trial };
    let outcome = ctx.attempt(verify.forward(), verify.back()).await;
    if outcome.is_ok()
        && let Err(error) = ctx.step("finish", verify.remove()).await
    {
        ctx.log(error.message);
    }
    result(outcome?)
}

async fn checksums(source: Source<'_>) -> Result<BackupVerified, OpError> {
    let Source { host, ctx, .. } = source;
    ctx.plan(CHECKSUM_STEPS).await?;
    let _turn = turn(host, ctx).await?;
    let manifest: BackupManifest = ctx.step("check", unless_cancelled(ctx, source.manifest())).await?;
    let bytes = ctx.step("checksums", unless_cancelled(ctx, source.checksums(&manifest))).await?;
    Ok(BackupVerified {
        method: VerifyMethod::Checksum,
        bytes,
        tables: None,
        rows: None,
        files: None,
        odoo_answered: false,
        restore_milliseconds: None,
    })
}

/// An instance like the original, with names of its own for all that belongs to it. No record of it is written: it is
/// known by this job alone.
fn trial_of(ctx: &JobContext, original: &Record) -> Record {
    let id = ctx.id().0;
    let spec = InstanceSpec {
        instance_id: InstanceId(id),
        environment_id: EnvironmentId(id),
        slug: format!("verify-{}", &id.simple().to_string()[20..]),
        has_proxy: false,
        public_host: None,
        http_port: None,
        ..original.spec.clone()
    };
    Record { spec, job: ctx.id(), ..original.clone() }
}

struct Verify<'a> {
    source: Source<'a>,
    host: &'a Host,
    ctx: &'a JobContext,
    original: &'a Record,
    trial: &'a Record,
}

impl Verify<'_> {
    async fn forward(&self) -> Result<BackupVerified, OpError> {
        let Self { host, ctx, original, trial, .. } = self;
        let _turn = turn(host, ctx).await?;
        let Checked { manifest, begun_at } = ctx.step("check", self.check()).await?;
        ctx.step("postgres", self.postgres(&manifest)).await?;
        let Rows { tables, rows } = ctx.step("database", self.scratch().fill(&manifest)).await?;
        let files: u64 = ctx.step("filestore", self.filestore(&manifest)).await?;
        let mut verified = BackupVerified {
            method: VerifyMethod::Restore,
            bytes: manifest.size(),
            tables: Some(tables),
            rows: Some(rows),
            files: Some(files),
            odoo_answered: false,
            restore_milliseconds: None,
        };
        if original.spec.odoo_version != manifest.odoo_version {
            let why = format!("The instance is of Odoo {} by now.", original.spec.odoo_version);
            ctx.skip("start", &why).await?;
            ctx.skip("health", &why).await?;
            return Ok(verified);
        }
        ctx.step("start", self.start()).await?;
        let milliseconds: u64 = ctx
            .step("health", async {
                let name = trial.odoo_container();
                let found = host.docker.inspect(&name).await?;
                let ip = found.as_ref().and_then(ip_of).ok_or_else(|| {
                    OpError::retryable("odoo_exited", "Odoo's container has no address: it has ended, or was removed.")
                })?;
                health::wait_at(host, ctx, trial, SocketAddr::new(ip, PORT)).await?;
                let took = (ctx.clock().now() - begun_at).num_milliseconds().unsigned_abs();
                ctx.message(format!("Odoo showed its sign-in page {:.1} s after the beginning.", took as f64 / 1000.0));
                Ok(took)
            })
            .await?;
        verified.odoo_answered = true;
        verified.restore_milliseconds = Some(milliseconds);
        Ok(verified)
    }

    fn scratch(&self) -> Scratch<'_> {
        let spec = &self.trial.spec;
        Scratch {
            source: self.source,
            container: self.trial.postgres_container(),
            name: spec.database_name.clone(),
            role: &spec.database_role,
        }
    }

    async fn check(&self) -> Result<Checked, OpError> {
        let Self { host, ctx, .. } = self;
        let begun_at = ctx.clock().now();
        let manifest = unless_cancelled(ctx, self.source.manifest()).await?;
        has_room(host, manifest.database_bytes + manifest.attachments.bytes, "The restored data")?;
        Ok(Checked { manifest, begun_at })
    }

    /// A PostgreSQL like the instance's, and in it the role that the instance's has.
    async fn postgres(&self, manifest: &BackupManifest) -> Result<(), OpError> {
        let Self { host, ctx, trial, .. } = self;
        let (spec, records) = (&trial.spec, &host.records);
        let owner = containers::owner(spec, ctx.id());
        let naming = host.naming.lock().await;
        network::ensure_closed(host, &naming, spec, ctx.id()).await?;
        drop(naming);
        containers::volume_ensure(&host.docker, spec, ctx.id(), "postgres", "postgres").await?;
        containers::volume_ensure(&host.docker, spec, ctx.id(), "odoo", "postgres").await?;
        let probe = owner.labels("probe", "postgres");
        let (uid, gid) = host.docker.image_user(&spec.postgres_image, Some("postgres"), probe).await?;
        records.write_for(&records.password_path(spec.instance_id), password().expose().as_bytes(), uid, gid)?;
        // A password that an attempt before a restart has set is set anew, and written anew.
        control::start_postgres(host, ctx, trial).await?;
        let container = trial.postgres_container();
        let server = postgres::sql(&host.docker, &container, "postgres", "SHOW server_version;").await?;
        scratch::can_read(&server, manifest)?;
        let passwords = Passwords { database: password(), master: password(), smtp: Some(password()) };
        let probe = owner.labels("probe", "config");
        provision::write_conf(host, spec, &passwords, &records.conf_path(spec.instance_id), probe).await?;
        let database = Database { name: &spec.database_name, role: &spec.database_role };
        database.ensure(&host.docker, &container, &passwords.database).await
    }

    async fn filestore(&self, manifest: &BackupManifest) -> Result<u64, OpError> {
        let Self { host, ctx, trial, .. } = self;
        let volume = filestore::volume_path(host, trial).await?;
        let owner = ownership::user_of(host, ctx, &trial.spec, "filestore").await?;
        let all = volume.join("filestore");
        let own = || {
            match std::fs::remove_dir_all(&all) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => std::fs::create_dir(&all)?,
            }
            // Docker gives a volume that has something in it to nobody.
            [&volume, &all]
                .into_iter()
                .try_for_each(|path| std::os::unix::fs::chown(path, Some(owner.0), Some(owner.1)))
        };
        own().map_err(|e| disk(&all, &e))?;
        let directory = all.join(&trial.spec.database_name);
        let files = unless_cancelled(ctx, self.source.files(manifest, directory, owner)).await?;
        Ok(files.files)
    }

    async fn start(&self) -> Result<(), OpError> {
        let Self { host, ctx, original, trial, .. } = self;
        let body = containers::trial(&trial.spec, ctx.id(), "start", &host.records, original.spec.instance_id);
        let name = trial.odoo_container();
        containers::create(&host.docker, &name, body).await?;
        host.docker.start(&name).await.map_err(|e| failed("start Odoo", e))
    }

    async fn back(&self) {
        for step in ["health", "start", "filestore", "database"] {
            if self.ctx.has_effects(step) {
                self.ctx.undo(step, || async { Ok(()) }).await;
            }
        }
        if self.ctx.has_effects("postgres") {
            self.ctx.undo("postgres", || self.remove()).await;
        }
    }

    /// All that this job has made.
    async fn remove(&self) -> Result<(), OpError> {
        let Self { host, ctx, trial, .. } = self;
        for name in [trial.odoo_container(), trial.postgres_container()] {
            host.docker.remove(&name).await?;
        }
        let made = [labels::managed(), labels::filter(labels::JOB, ctx.id())];
        volumes::remove(&host.docker, &made, volumes::PATIENCE).await?;
        network::remove_if_empty(host, trial.spec.environment_id).await?;
        host.records.remove(trial.spec.instance_id)
    }
}

fn password() -> Secret {
    Secret::new(Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LENGTH))
}
