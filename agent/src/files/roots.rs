//! What of an instance can be seen as files.

use super::rooted::Rooted;
use super::{FileError, FileResult, Files, Trouble};
use crate::config::{create_private_dir, write_atomically};
use crate::host::docker::{absent_is_none, failed};
use crate::ops::odoo::record::{self, Record, Records};
use ocore_shared::ids::InstanceId;
use ocore_shared::odoo::conf;
use std::path::PathBuf;

/// Modules that people bring themselves; Odoo sees them at `/mnt/extra-addons`.
const ADDONS: &str = "addons";
/// Modules from git, as each commit was checked out.
const SOURCES: &str = "sources";
/// odoo.conf as it is, without its secrets.
const CONFIG: &str = "config";
/// Attachments, named by their content.
const FILESTORE: &str = "filestore";

/// Whether people change what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Open,
    /// Odoo's own: only for who says that they know.
    Guarded,
    /// Written by the agent, which would write over it.
    Closed,
}

#[derive(Clone, Debug)]
pub struct Root {
    pub name: &'static str,
    pub access: Access,
    /// A directory that only the server's root can replace.
    base: PathBuf,
    /// From there on it may be somebody else's, and is looked up beneath the base.
    within: Option<String>,
}

impl Root {
    fn own(name: &'static str, access: Access, base: PathBuf) -> Self {
        Self { name, access, base, within: None }
    }

    pub fn open(&self) -> FileResult<Rooted> {
        let opened = Rooted::open(&self.base).and_then(|base| match &self.within {
            Some(path) => base.descend(path),
            None => Ok(base),
        });
        opened.map_err(|e| FileError::from_io("open a root", format_args!("{}/", self.name), &e))
    }

    pub fn must_be_changeable(&self, force: bool) -> FileResult<()> {
        let message = match self.access {
            Access::Open => return Ok(()),
            Access::Guarded if force => return Ok(()),
            Access::Guarded => {
                "The files in filestore/ are Odoo's: each is named by its content and listed in the database. Say force to change one all the same."
            }
            Access::Closed if self.name == CONFIG => {
                "odoo.conf is written from the instance's configuration; change that instead."
            }
            Access::Closed => "Modules from git are changed in their repository; bring your own into addons/.",
        };
        Err(FileError::new(Trouble::Conflict, "file_read_only", message))
    }
}

impl Files {
    /// The roots of an instance that is set up, as far as each is there.
    pub(super) async fn roots(&self, instance: InstanceId) -> FileResult<Vec<Root>> {
        let records = &self.0.records;
        let record = records.get(instance)?;
        let mut roots = vec![Root::own(ADDONS, Access::Open, records.addons_dir(instance))];
        if let Some(shown) = shown_conf(records, instance)? {
            roots.push(Root::own(CONFIG, Access::Closed, shown));
        }
        roots.extend(self.filestore(&record).await?);
        let sources = records.sources_dir(instance);
        if sources.is_dir() {
            roots.push(Root::own(SOURCES, Access::Closed, sources));
        }
        Ok(roots)
    }

    /// In Odoo's volume, which Odoo itself may change as it likes.
    async fn filestore(&self, record: &Record) -> FileResult<Option<Root>> {
        let volume = record::volume(record.spec.instance_id, "odoo");
        // Without Docker the other roots are there all the same.
        let Ok(docker) = self.0.docker.client().await else { return Ok(None) };
        let found = absent_is_none(docker.inspect_volume(&volume).await);
        let Some(found) = found.map_err(|e| failed("look at a volume", e))? else { return Ok(None) };
        let base = PathBuf::from(found.mountpoint);
        let within = format!("filestore/{}", record.spec.database_name);
        let root = Root { name: FILESTORE, access: Access::Guarded, base, within: Some(within) };
        // Before the first attachment there is none.
        Ok(root.open().is_ok().then_some(root))
    }
}

/// The directory with odoo.conf as people may see it, written anew when it is not that any more.
fn shown_conf(records: &Records, instance: InstanceId) -> FileResult<Option<PathBuf>> {
    let Ok(text) = std::fs::read_to_string(records.conf_path(instance)) else { return Ok(None) };
    let dir = records.dir(instance).join("shown");
    let path = dir.join("odoo.conf");
    let shown = conf::text_masked(&text);
    if std::fs::read_to_string(&path).ok().as_deref() != Some(&shown) {
        let written = create_private_dir(&dir).and_then(|()| write_atomically(&path, shown.as_bytes(), 0o600));
        written.map_err(|e| FileError::failed("show odoo.conf", &e))?;
    }
    Ok(Some(dir))
}
