//! `backup_create`: the database as of one moment, then the files that it refers to: they are written before a row names
//! them and are never changed, so whatever comes later is no harm. The manifest comes last; without it there is no backup.

use super::pack::{self, Packed, hex};
use super::snapshot::Snapshot;
use super::{delete, filestore, open, told, turn};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::ExecSpec;
use crate::ops::odoo::containers::STOP_SECONDS;
use crate::ops::odoo::control;
use crate::ops::odoo::databases::stream::read_from;
use crate::ops::odoo::record::{Record, disk};
use crate::ops::odoo::{result, unless_cancelled};
use crate::ops::postgres::{self, Database};
use crate::ops::sql::literal;
use chrono::{DateTime, Utc};
use ocore_shared::protocol::backups::{
    Attachments, BackupCreate, BackupCreated, BackupManifest, BackupPart, DATABASE, ENCRYPTED, FILESTORE, FORMAT,
    MANIFEST,
};
use ocore_shared::storage::{ByteStream, Storage, Upload};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const STEPS: &[(&str, &str)] = &[
    ("check", "Look at the instance and the destination"),
    ("begin", "Begin at the destination"),
    ("database", "Back up the database"),
    ("filestore", "Back up the attachments"),
    ("manifest", "Write down what is in it"),
    ("finish", "Tidy up"),
];

/// Pieces between PostgreSQL and the packing.
const QUEUE: usize = 8;
/// What is there already, in rows of tables and such, must leave that much room at the destination.
const ROOM: u64 = 64 << 20;
/// A dump is packed to less than this part of the database, as a rule.
const PACKED: u64 = 8;

/// Rows of each table, those left out that are made with an extension.
const TABLES: &str = "\
SELECT format('SELECT count(*) || '' '' || %L FROM ONLY %I.%I;',
    CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
\\gexec";

/// Who owns something, or was granted something.
const ROLES: &str = "\
SELECT r.rolname FROM pg_roles r WHERE r.oid IN (
    SELECT s.refobjid FROM pg_shdepend s
    WHERE s.refclassid = 'pg_authid'::regclass AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY 1;";

const IS_ODOO: &str = "SELECT to_regclass('public.ir_attachment') IS NOT NULL;";
const FILES: &str = "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL ORDER BY 1;";
const FILES_SIZE: &str = "SELECT COALESCE(sum(size), 0)::bigint FROM
    (SELECT max(file_size) AS size FROM ir_attachment WHERE store_fname IS NOT NULL GROUP BY store_fname) files;";
const MODULES: &str =
    "SELECT name || ' ' || COALESCE(latest_version, '') FROM ir_module_module WHERE state = 'installed' ORDER BY 1;";
const UUID: &str = "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid';";

#[derive(Serialize, Deserialize)]
struct Checked {
    started_at: DateTime<Utc>,
    database_bytes: u64,
    files_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Uploads {
    database: Upload,
    filestore: Upload,
}

/// What was in the database at that moment.
#[derive(Serialize, Deserialize)]
struct Dumped {
    part: BackupPart,
    snapshot_at: DateTime<Utc>,
    tables: BTreeMap<String, u64>,
    roles: Vec<String>,
    modules: BTreeMap<String, String>,
    postgres_version: String,
    database_uuid: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    part: BackupPart,
    attachments: Attachments,
}

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let wish: BackupCreate = ctx.input()?;
    ctx.plan(STEPS).await?;
    let record = host.records.get(wish.instance_id)?;
    let backup = Backup { host: &host, ctx: &ctx, wish: &wish, record: &record };
    let created = ctx.attempt(backup.forward(), backup.back()).await?;
    // It is a good backup, whatever becomes of the rest.
    if let Err(error) = ctx.step("finish", backup.tidy()).await {
        ctx.log(error.message);
    }
    result(created)
}

struct Backup<'a> {
    host: &'a Host,
    ctx: &'a JobContext,
    wish: &'a BackupCreate,
    record: &'a Record,
}

impl Backup<'_> {
    async fn forward(&self) -> Result<BackupCreated, OpError> {
        let Self { ctx, .. } = self;
        let _turn = turn(self.host, ctx).await?;
        let checked: Checked = ctx.step("check", self.check()).await?;
        let uploads: Uploads = ctx.step("begin", self.begin(&checked)).await?;
        let dumped: Dumped = ctx.step("database", self.database(&uploads.database)).await?;
        let stored: Stored = ctx.step("filestore", self.filestore(&uploads.filestore, &checked)).await?;
        ctx.step("manifest", self.manifest(checked, dumped, stored)).await
    }

    fn container(&self) -> String {
        self.record.postgres_container()
    }

    fn database_name(&self) -> &str {
        &self.record.spec.database_name
    }

    /// How PostgreSQL lists the sessions of this job.
    fn application(&self) -> String {
        format!("ocore_{}", self.ctx.id().0.simple())
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.wish.at.prefix)
    }

    /// What a part is called, which says whether it is encrypted.
    fn name(&self, name: &str) -> String {
        let ending = if self.wish.recipients.is_empty() { "" } else { ENCRYPTED };
        format!("{name}{ending}")
    }

    /// The names of the files that are to go with the database.
    fn list_path(&self) -> PathBuf {
        self.host.records.dir(self.wish.instance_id).join("backup.files")
    }

    async fn storage(&self) -> Result<Storage, OpError> {
        open(self.host, self.ctx, &self.wish.at).await
    }

    async fn check(&self) -> Result<Checked, OpError> {
        let Self { host, ctx, record, wish } = self;
        let started_at = ctx.clock().now();
        pack::recipients(&wish.recipients)?;
        let storage = unless_cancelled(ctx, self.storage()).await?;
        if !record.running {
            ctx.message("The instance is stopped; its PostgreSQL is started for the backup.");
            control::start_postgres(host, ctx, record).await?;
        }
        let database = Database { name: self.database_name(), role: &record.spec.database_role };
        let database_bytes = database.size(&host.docker, &self.container()).await?;
        let files_bytes = match self.sql(IS_ODOO).await?.as_str() {
            "t" => self.sql(FILES_SIZE).await?.parse().unwrap_or(0),
            _ => 0,
        };
        let needed = database_bytes / PACKED + files_bytes + ROOM;
        let free = unless_cancelled(ctx, async { storage.free_bytes().await.map_err(told) }).await?;
        match free {
            Some(free) if free < needed => Err(OpError::new(
                "destination_full",
                format!(
                    "The backup takes about {} MB, and there are {} MB free at the destination; make room there, or choose another one.",
                    needed >> 20,
                    free >> 20
                ),
            )),
            _ => Ok(Checked { started_at, database_bytes, files_bytes }),
        }
    }

    async fn sql(&self, script: &str) -> Result<String, OpError> {
        postgres::sql(&self.host.docker, &self.container(), self.database_name(), script).await
    }

    /// The uploads get their names here, so that one that is cut goes on under the same one or is taken away.
    async fn begin(&self, checked: &Checked) -> Result<Uploads, OpError> {
        let storage = self.storage().await?;
        let begin =
            async |name: &str, bytes| storage.upload_begin(&self.key(&self.name(name)), bytes).await.map_err(told);
        unless_cancelled(self.ctx, async {
            Ok(Uploads {
                database: begin(DATABASE, checked.database_bytes).await?,
                filestore: begin(FILESTORE, checked.files_bytes).await?,
            })
        })
        .await
    }

    async fn database(&self, upload: &Upload) -> Result<Dumped, OpError> {
        self.end_sessions().await?;
        unless_cancelled(self.ctx, self.dump(upload)).await
    }

    async fn dump(&self, upload: &Upload) -> Result<Dumped, OpError> {
        let Self { host, ctx, wish, .. } = self;
        let storage = self.storage().await?;
        let application = self.application();
        let mut snapshot = Snapshot::open(&host.docker, &self.container(), self.database_name(), &application).await?;
        let snapshot_at = ctx.clock().now();
        let mut dump = ExecSpec::new(["pg_dump", "-w", "-U", "postgres", "--format=custom", "--compress=0"]);
        dump.argv.push(format!("--snapshot={}", snapshot.name));
        // As an argument, a name could be read as a whole connection string.
        dump.env = vec![format!("PGDATABASE={}", self.database_name()), format!("PGAPPNAME={application}")];
        let (sender, mut receiver) = mpsc::channel::<Result<bytes::Bytes, OpError>>(QUEUE);
        let (stream, packing) = pack::pack(pack::recipients(&wish.recipients)?, move |out| {
            while let Some(piece) = receiver.blocking_recv() {
                out.write_all(&piece.map_err(io::Error::other)?)?;
            }
            Ok(())
        });
        let container = self.container();
        let passed = |bytes| ctx.progress(bytes, None, "bytes");
        let dumping = read_from(&host.docker, &container, dump.user("postgres"), sender, passed);
        let (_, packed) = tokio::join!(dumping, self.sent(&storage, upload, stream, packing));
        let packed = packed?;
        let dumped = Dumped {
            part: packed.part(self.name(DATABASE)),
            snapshot_at,
            tables: tables(&mut snapshot).await?,
            roles: snapshot.lines(ROLES).await?,
            modules: BTreeMap::new(),
            postgres_version: snapshot.line("SHOW server_version;").await?,
            database_uuid: None,
        };
        let dumped = match snapshot.line(IS_ODOO).await?.as_str() {
            "t" => Dumped {
                modules: modules(&snapshot.lines(MODULES).await?),
                database_uuid: Some(snapshot.line(UUID).await?).filter(|uuid| !uuid.is_empty()),
                ..dumped
            },
            _ => dumped,
        };
        self.list(&mut snapshot).await?;
        ctx.message(format!(
            "{} MB of {} tables, packed to {} MB.",
            packed.plain_bytes >> 20,
            dumped.tables.len(),
            packed.size >> 20
        ));
        Ok(dumped)
    }

    /// Bring what is packed to the destination. What went wrong first is what is told.
    async fn sent<T>(
        &self, storage: &Storage, upload: &Upload, stream: ByteStream, packing: JoinHandle<Result<Packed<T>, OpError>>,
    ) -> Result<Packed<T>, OpError> {
        let sent = async { storage.upload(&storage.upload_again(upload.clone()).await?, stream).await };
        let sent = sent.await;
        let packed = packing.await.map_err(|e| OpError::new("internal", format!("The packing broke: {e}.")))?;
        match (sent, packed) {
            (Ok(_), packed) => packed,
            // Nobody took what was packed.
            (Err(e), Err(packing)) if packing.code == "pack_failed" => Err(told(e)),
            (Err(_), Err(packing)) => Err(packing),
            (Err(e), Ok(_)) => Err(told(e)),
        }
    }

    /// Keep the names of the files that the database refers to.
    async fn list(&self, snapshot: &mut Snapshot) -> Result<(), OpError> {
        let path = self.list_path();
        let failed = |e: io::Error| disk(&path, &e);
        let mut file = BufWriter::new(File::create(&path).map_err(failed)?);
        if snapshot.line(IS_ODOO).await? == "t" {
            snapshot.ask(FILES, |line| writeln!(file, "{line}").map_err(failed)).await?;
        }
        let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
        file.sync_all().map_err(failed)
    }

    async fn filestore(&self, upload: &Upload, checked: &Checked) -> Result<Stored, OpError> {
        let Self { host, ctx, wish, record } = self;
        let storage = self.storage().await?;
        let volume = filestore::volume_path(host, record).await?;
        let (list, database) = (self.list_path(), self.database_name().to_owned());
        let (progress, total) = ((*ctx).clone(), checked.files_bytes);
        let (stream, packing) = pack::pack(pack::recipients(&wish.recipients)?, move |out| {
            let passed = |bytes| progress.progress(bytes, Some(total.max(bytes)), "bytes");
            filestore::write(out, &volume, &database, &list, passed)
        });
        let packed = unless_cancelled(ctx, self.sent(&storage, upload, stream, packing)).await?;
        let attachments = packed.made.clone();
        ctx.message(said(&attachments, packed.size));
        Ok(Stored { part: packed.part(self.name(FILESTORE)), attachments })
    }

    async fn manifest(&self, checked: Checked, dumped: Dumped, stored: Stored) -> Result<BackupCreated, OpError> {
        let Self { ctx, wish, record, .. } = self;
        let spec = &record.spec;
        let manifest = BackupManifest {
            format: FORMAT,
            backup_id: wish.backup_id,
            kind: wish.kind,
            organization_id: spec.organization_id,
            environment_id: spec.environment_id,
            instance_id: spec.instance_id,
            slug: spec.slug.clone(),
            odoo_version: spec.odoo_version.clone(),
            image: spec.image.clone(),
            image_digest: record.image_digest.clone(),
            addons: spec.addons.clone(),
            modules: dumped.modules,
            postgres_version: dumped.postgres_version,
            database_name: spec.database_name.clone(),
            database_role: spec.database_role.clone(),
            database_uuid: dumped.database_uuid,
            database_bytes: checked.database_bytes,
            tables: dumped.tables,
            roles: dumped.roles,
            attachments: stored.attachments,
            recipients: wish.recipients.clone(),
            database: dumped.part,
            filestore: stored.part,
            snapshot_at: dumped.snapshot_at,
            started_at: checked.started_at,
            finished_at: ctx.clock().now(),
            agent_version: env!("CARGO_PKG_VERSION").into(),
        };
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|e| OpError::new("internal", format!("The manifest cannot be written: {e}.")))?;
        let manifest_sha256 = hex(&Sha256::digest(&text));
        let storage = self.storage().await?;
        storage.write(&self.key(MANIFEST), text.into()).await.map_err(told)?;
        Ok(BackupCreated { manifest, manifest_sha256 })
    }

    /// A session that an agent was killed over, or that was cancelled, would keep a transaction open.
    async fn end_sessions(&self) -> Result<(), OpError> {
        let script = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = {};\n",
            literal(&self.application())?
        );
        postgres::sql(&self.host.docker, &self.container(), "postgres", &script).await.map(drop)
    }

    async fn tidy(&self) -> Result<(), OpError> {
        let Self { host, record, .. } = self;
        host.records.remove_file(&self.list_path())?;
        match record.running {
            true => Ok(()),
            false => host.docker.stop(&self.container(), STOP_SECONDS).await,
        }
    }

    async fn back(&self) {
        let Self { ctx, .. } = self;
        for step in ["manifest", "filestore"] {
            if ctx.has_effects(step) {
                ctx.undo(step, || async { Ok(()) }).await;
            }
        }
        if ctx.has_effects("database") {
            ctx.undo("database", || self.end_sessions()).await;
        }
        if ctx.has_effects("begin") {
            ctx.undo("begin", || self.remove()).await;
        }
        if ctx.has_effects("check") {
            ctx.undo("check", || self.tidy()).await;
        }
    }

    async fn remove(&self) -> Result<(), OpError> {
        let storage = self.storage().await?;
        if let Some(uploads) = self.ctx.output::<Uploads>("begin") {
            storage.upload_abort(&uploads.database).await.map_err(told)?;
            storage.upload_abort(&uploads.filestore).await.map_err(told)?;
        }
        delete::remove(&storage, &self.wish.at.prefix).await
    }
}

async fn tables(snapshot: &mut Snapshot) -> Result<BTreeMap<String, u64>, OpError> {
    let mut tables = BTreeMap::new();
    snapshot
        .ask(TABLES, |line| {
            if let Some((count, name)) = line.split_once(' ')
                && let Ok(count) = count.parse()
            {
                tables.insert(name.to_owned(), count);
            }
            Ok(())
        })
        .await?;
    Ok(tables)
}

fn modules(lines: &[String]) -> BTreeMap<String, String> {
    lines.iter().filter_map(|line| line.split_once(' ')).map(|(name, version)| (name.into(), version.into())).collect()
}

/// What became of the attachments, for people.
fn said(attachments: &Attachments, size: u64) -> String {
    let Attachments { files, bytes, missing, damaged } = attachments;
    let mut said = format!("{files} files of {} MB, packed to {} MB.", bytes >> 20, size >> 20);
    if *missing > 0 {
        said.push_str(&format!(" {missing} files that the database names are not on the server."));
    }
    if *damaged > 0 {
        said.push_str(&format!(" {damaged} files are not what Odoo once wrote."));
    }
    said
}

/// Rows of each table of a database now, as a backup counts them.
pub async fn tables_of(
    host: &Host, container: &str, database: &str, application: &str,
) -> Result<BTreeMap<String, u64>, OpError> {
    let mut snapshot = Snapshot::open(&host.docker, container, database, application).await?;
    tables(&mut snapshot).await
}
