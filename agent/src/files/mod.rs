//! Files of instances, for people: looked at, changed, fetched and brought, each in its root. A path is only ever resolved
//! by the kernel beneath its root (`openat2`), so that no `..`, no link and no race leads out of it. What is written comes
//! beside its place first and takes it whole.
//!
//! Uploads that may come in parts are kept in `uploads/`, a small record each; their bytes grow beside their place.

mod archive;
mod content;
mod draft;
mod error;
mod listing;
mod path;
mod removal;
pub mod rooted;
mod roots;
#[cfg(test)]
mod tests;
mod uploads;

pub use content::{Opened, Span, Wanted};
pub use error::{FileError, Trouble};

use crate::host::docker::DockerHost;
use crate::ops::odoo::record::Records;
use ocore_shared::clock::Clock;
use ocore_shared::ids::{InstanceId, UploadId};
use ocore_shared::protocol::files::{FileInfo, FileList, FileQuery, FilesRemoved, MoveQuery, RemoveQuery, WriteQuery};
use path::FilePath;
use roots::Root;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

pub type FileResult<T> = Result<T, FileError>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Files(Arc<Inner>);

struct Inner {
    records: Records,
    docker: DockerHost,
    uploads: PathBuf,
    clock: Arc<dyn Clock>,
    /// Held while a file takes its place: nobody else changes it between the look at it and that.
    placing: Mutex<()>,
    /// Uploads that a part comes in for.
    busy: Mutex<HashSet<UploadId>>,
}

impl Files {
    pub fn new(records: Records, docker: DockerHost, uploads: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { records, docker, uploads, clock, placing: Mutex::default(), busy: Mutex::default() }))
    }

    /// Part of a directory, or the roots.
    pub async fn list(&self, instance: InstanceId, query: FileQuery) -> FileResult<FileList> {
        let roots = self.roots(instance).await?;
        match FilePath::parse(&query.path)? {
            None => Ok(FileList { entries: listing::roots(&roots, &query) }),
            Some(path) => {
                blocking(move || Ok(FileList { entries: listing::entries(root_of(&roots, &path)?, &path, &query)? }))
                    .await
            }
        }
    }

    /// A file to read.
    pub async fn open(&self, instance: InstanceId, path: &str, wanted: Wanted) -> FileResult<Opened> {
        let (root, path) = self.place(instance, path).await?;
        blocking(move || content::open(&root, &path, &wanted)).await
    }

    pub async fn make_directory(&self, instance: InstanceId, query: WriteQuery) -> FileResult<FileInfo> {
        let (root, path) = self.changeable(instance, &query.path, query.force).await?;
        blocking(move || {
            let rooted = root.open()?;
            let (parent, name) = path.split()?;
            rooted.directory(&parent)?.make_directory(name, &path)?;
            listing::info(&rooted, &root, &path)
        })
        .await
    }

    /// Another name, in the same root.
    pub async fn rename(&self, instance: InstanceId, query: MoveQuery) -> FileResult<FileInfo> {
        let (root, from) = self.changeable(instance, &query.from, query.force).await?;
        let target = |message: String| FileError::new(Trouble::Invalid, "file_target_invalid", message);
        let to = FilePath::required(&query.to).map_err(|e| target(e.message))?;
        if from.root != to.root {
            return Err(target(format!("A file stays in its root: {from} is in {}/, {to} is not.", from.root)));
        }
        let inner = self.0.clone();
        blocking(move || {
            let rooted = root.open()?;
            let ((from_parent, from_name), (to_parent, to_name)) = (from.split()?, to.split()?);
            let (from_parent, to_parent) = (rooted.directory(&from_parent)?, rooted.directory(&to_parent)?);
            let _placing = inner.placing.lock().unwrap_or_else(|e| e.into_inner());
            from_parent.rename(from_name, &to_parent, to_name, query.overwrite, &to)?;
            listing::info(&rooted, &root, &to)
        })
        .await
    }

    pub async fn remove(&self, instance: InstanceId, query: RemoveQuery) -> FileResult<FilesRemoved> {
        let (root, path) = self.changeable(instance, &query.path, query.force).await?;
        blocking(move || removal::remove(&root.open()?, &path, query.recursive, query.dry_run)).await
    }

    async fn place(&self, instance: InstanceId, path: &str) -> FileResult<(Root, FilePath)> {
        let path = FilePath::required(path)?;
        let roots = self.roots(instance).await?;
        Ok((root_of(&roots, &path)?.clone(), path))
    }

    /// A place inside of a root in which people may change files.
    async fn changeable(&self, instance: InstanceId, path: &str, force: bool) -> FileResult<(Root, FilePath)> {
        let (root, path) = self.place(instance, path).await?;
        path.split()?;
        root.must_be_changeable(force)?;
        Ok((root, path))
    }
}

fn root_of<'a>(roots: &'a [Root], path: &FilePath) -> FileResult<&'a Root> {
    roots.iter().find(|root| root.name == path.root).ok_or_else(|| {
        let names: Vec<_> = roots.iter().map(|root| root.name).collect();
        FileError::invalid(format!("There is no {}/ here; paths begin with {}.", path.root, names.join("/, ") + "/"))
    })
}

/// Files are read and written on threads that may wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> FileResult<T> + Send + 'static) -> FileResult<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(FileError::failed("do that", &e)))
}
