//! What jobs share that take Odoo away for a while: a copy of its database, modules brought up to date by Odoo's own
//! command, and the way back to how it was.

use super::containers::{self, STOP_SECONDS};
use super::init_log::CHANGE_MODULES;
use super::modules::scan;
use super::oneshot;
use super::record::{self, Record};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::ops::postgres::{self, Database};
use crate::ops::sql::literal;
use ocore_shared::ids::InstanceId;
use std::collections::BTreeMap;
use std::path::Path;

/// One instance while a job works on it.
pub struct Maintenance<'a> {
    pub host: &'a Host,
    pub ctx: &'a JobContext,
    pub record: &'a Record,
}

/// The copy's name; the same for an attempt that goes on.
fn copy_name(instance: InstanceId) -> String {
    format!("before_{}", instance.0.simple())
}

impl Maintenance<'_> {
    fn instance(&self) -> InstanceId {
        self.record.spec.instance_id
    }

    fn database(&self) -> Database<'_> {
        Database { name: &self.record.spec.database_name, role: &self.record.spec.database_role }
    }

    /// Have room for a second copy of the database, and none of a job that could not remove it.
    pub async fn prepare(&self, with_copy: bool) -> Result<(), OpError> {
        self.drop_copy().await?;
        if with_copy { self.has_room().await } else { Ok(()) }
    }

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

    /// Copy the database. Odoo has to stand.
    pub async fn copy(&self) -> Result<(), OpError> {
        let Self { host, record, .. } = self;
        self.database().copy(&host.docker, &record.postgres_container(), &copy_name(self.instance())).await
    }

    /// The database as it was. Well when there is no copy: then it was put back already.
    pub async fn put_back(&self) -> Result<(), OpError> {
        let Self { host, record, .. } = self;
        self.quiet().await?;
        self.database().put_back(&host.docker, &record.postgres_container(), &copy_name(self.instance())).await
    }

    /// Nobody is in the database.
    pub async fn quiet(&self) -> Result<(), OpError> {
        self.host.docker.remove(&record::task_container(&self.record.spec.slug)).await?;
        self.host.docker.stop(&self.record.odoo_container(), STOP_SECONDS).await
    }

    pub async fn drop_copy(&self) -> Result<(), OpError> {
        let name = copy_name(self.instance());
        let copy = Database { name: &name, role: &self.record.spec.database_role };
        copy.drop(&self.host.docker, &self.record.postgres_container()).await
    }

    /// Install and update with Odoo's own command, in the step that runs now.
    pub async fn change(&self, step: &str, conf: &Path, install: &[String], update: &[String]) -> Result<(), OpError> {
        let Self { host, ctx, record } = self;
        let args = arguments(install, update);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let body = containers::task(&record.spec, ctx.id(), step, conf, &host.records, &args);
        let name = record::task_container(&record.spec.slug);
        oneshot::run(host, ctx, &name, body, CHANGE_MODULES, async { Ok(()) }).await
    }

    /// Odoo ends well with some things that are not well: what it left undone shows in its own table.
    pub async fn is_as_planned(&self, installed: &[String], uninstalled: &[String]) -> Result<(), OpError> {
        let names = |names: &[String]| -> Result<String, OpError> {
            let quoted: Result<Vec<_>, _> = names.iter().map(|name| literal(name)).collect();
            Ok(quoted?.into_iter().chain(["''".into()]).collect::<Vec<_>>().join(","))
        };
        let script = format!(
            "SELECT string_agg(name || ' (' || state || ')', ', ') FROM ir_module_module
             WHERE name IN ({}) AND state <> 'installed' OR name IN ({}) AND state <> 'uninstalled'
                OR state IN ('to install', 'to upgrade', 'to remove');\n",
            names(installed)?,
            names(uninstalled)?
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

    /// What is installed now is what later changes are held against. The copy goes; that it could not is no failure.
    pub async fn finish(&self) -> Result<(), OpError> {
        let Self { host, ctx, record } = self;
        self.note_checksums().await;
        if let Err(error) = self.drop_copy().await {
            ctx.log(format!("The copy of the database stays on {}: {error}", record.postgres_container()));
        }
        drop(host.docker.remove(&record::task_container(&record.spec.slug)).await);
        Ok(())
    }

    /// Write down what the files of the installed modules are now. Without it changes are told by version alone.
    pub async fn note_checksums(&self) {
        if let Err(error) = self.write_checksums().await {
            self.ctx.log(format!("The checksums of the modules were not written down: {error}"));
        }
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
}

/// What Odoo's command is told.
fn arguments(install: &[String], update: &[String]) -> Vec<String> {
    let mut args = Vec::new();
    for (flag, names) in [("-i", install), ("-u", update)] {
        if !names.is_empty() {
            args.extend([flag.to_owned(), names.join(",")]);
        }
    }
    args
}
