//! A directory of this machine. A file has its name only once it is whole and on the disk.

use super::{ByteStream, Entry, Result, StorageError, reader_stream};
use crate::protocol::storage::{LocalPlace, StorageProblemKind};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, TryStreamExt};
use std::io;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

/// What is not whole yet is called so.
pub(super) const PART: &str = ".part";

pub struct Local {
    root: PathBuf,
}

impl Local {
    pub(super) fn open(place: &LocalPlace) -> Result<Self> {
        let root = PathBuf::from(&place.path);
        let is_plain = root.is_absolute() && !root.components().any(|c| c == std::path::Component::ParentDir);
        match is_plain {
            true => Ok(Self { root }),
            false => Err(StorageError::new(
                StorageProblemKind::NotAllowed,
                "The directory must be given from the root, such as /var/backups/ocore",
            )),
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    fn part(&self, key: &str) -> PathBuf {
        self.root.join(format!("{key}{PART}"))
    }

    pub(super) async fn upload(
        &self, key: &str, mut bytes: impl Stream<Item = Result<Bytes>> + Send + Unpin,
    ) -> Result<u64> {
        let (path, part) = (self.path(key), self.part(key));
        directory_ensure(path.parent().unwrap_or(&self.root)).await?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&part).await.map_err(|e| StorageError::io(&e))?;
        let written = async {
            let mut written = 0;
            while let Some(bytes) = bytes.try_next().await? {
                file.write_all(&bytes).await.map_err(|e| StorageError::io(&e))?;
                written += bytes.len() as u64;
            }
            file.flush().await.map_err(|e| StorageError::io(&e))?;
            file.sync_all().await.map_err(|e| StorageError::io(&e))?;
            fs::rename(&part, &path).await.map_err(|e| StorageError::io(&e))?;
            sync(path.parent().unwrap_or(&self.root)).await?;
            Ok(written)
        };
        let written = written.await;
        if written.is_err() {
            // Above all when the disk is full.
            let _ = fs::remove_file(&part).await;
        }
        written
    }

    pub(super) async fn upload_abort(&self, key: &str) -> Result<()> {
        absent_is_fine(fs::remove_file(self.part(key)).await)
    }

    pub(super) async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        let mut file = File::open(self.path(key)).await.map_err(|e| StorageError::io(&e))?;
        Ok(match range {
            None => reader_stream(file),
            Some(range) => {
                file.seek(io::SeekFrom::Start(range.start)).await.map_err(|e| StorageError::io(&e))?;
                reader_stream(file.take(range.end.saturating_sub(range.start)))
            }
        })
    }

    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>> {
        match fs::metadata(self.path(key)).await {
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StorageError::io(&e)),
        }
    }

    pub(super) async fn list(&self, below: &str) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        let mut directories = vec![self.root.join(below)];
        while let Some(directory) = directories.pop() {
            let mut entries = match fs::read_dir(&directory).await {
                Ok(entries) => entries,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(StorageError::io(&e)),
            };
            while let Some(entry) = entries.next_entry().await.map_err(|e| StorageError::io(&e))? {
                // Links are not followed.
                let Ok(metadata) = entry.metadata().await else { continue };
                let path = entry.path();
                if metadata.is_dir() {
                    directories.push(path);
                    continue;
                }
                let Some(key) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else { continue };
                if !metadata.is_file() || key.ends_with(PART) {
                    continue;
                }
                let modified_at = metadata.modified().ok().map(DateTime::<Utc>::from);
                found.push(Entry { key: key.to_owned(), size: metadata.len(), modified_at });
            }
        }
        Ok(found)
    }

    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        absent_is_fine(fs::remove_file(self.path(key)).await)?;
        // Directories that held nothing else go too.
        let mut directory = PathBuf::from(key);
        while directory.pop() && directory != Path::new("") {
            if fs::remove_dir(self.root.join(&directory)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn free_bytes(&self) -> Result<u64> {
        directory_ensure(&self.root).await?;
        let found = rustix::fs::statvfs(&self.root).map_err(|e| StorageError::io(&e.into()))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

/// Backups are for root alone.
async fn directory_ensure(directory: &Path) -> Result<()> {
    let path = directory.to_owned();
    let made = tokio::task::spawn_blocking(move || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path));
    let made = made.await.map_err(|e| StorageError::failed(e.to_string()))?;
    made.map_err(|e| match e.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => StorageError::new(
            StorageProblemKind::Missing,
            format!("{} is no directory; remove what is there, or choose another", directory.display()),
        ),
        _ => StorageError::io(&e),
    })
}

async fn sync(directory: &Path) -> Result<()> {
    let opened = File::open(directory).await.map_err(|e| StorageError::io(&e))?;
    opened.sync_all().await.map_err(|e| StorageError::io(&e))
}

fn absent_is_fine(done: io::Result<()>) -> Result<()> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(|e| StorageError::io(&e)),
    }
}
