//! A file that is being written: beside its place, under a name of the agent's own, until it takes its place whole.

use super::path::{DRAFT, FilePath};
use super::rooted::{Directory, Looked, Rooted};
use super::{FileError, FileResult, Trouble};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use ocore_shared::ids::UploadId;
use ocore_shared::protocol::files::FileKind;
use serde::{Deserialize, Serialize};
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt, fchown};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// Bytes that are written at once.
const CHUNK: usize = 512 * 1024;
/// What stays free on the server's disk: it has more to do than to keep files.
const RESERVE: u64 = 256 * 1024 * 1024;
/// Of a new file.
const MODE: u32 = 0o644;
/// What a file may keep of its mode: no set-user-id is ever renewed.
const KEPT_MODE: u32 = 0o777;

pub struct Draft {
    directory: Directory,
    draft: String,
    name: String,
    path: FilePath,
    file: Arc<File>,
}

/// What must be so when the file takes its place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Terms {
    #[serde(default)]
    pub if_match: Option<String>,
    pub overwrite: bool,
}

pub fn draft_name(id: UploadId) -> String {
    format!("{DRAFT}{id}")
}

impl Draft {
    /// Begin one of `length` bytes, if that is known.
    pub fn begin(
        rooted: &Rooted, path: &FilePath, id: UploadId, length: Option<u64>, terms: &Terms,
    ) -> FileResult<Self> {
        Self::open(rooted, path, id, |directory, name, draft| {
            terms.check(directory, name, path)?;
            room(directory, length.unwrap_or_default())?;
            directory.create(draft).map_err(|e| FileError::from_io("write a file", path, &e))
        })
    }

    /// Go on with one.
    pub fn resume(rooted: &Rooted, path: &FilePath, id: UploadId) -> FileResult<Self> {
        Self::open(rooted, path, id, |directory, _, draft| {
            directory.reopen(draft).map_err(|e| FileError::from_io("go on with a file", path, &e))
        })
    }

    fn open(
        rooted: &Rooted, path: &FilePath, id: UploadId, open: impl FnOnce(&Directory, &str, &str) -> FileResult<File>,
    ) -> FileResult<Self> {
        let (parent, name) = path.split()?;
        let directory = rooted.directory(&parent)?;
        let draft = draft_name(id);
        let file = open(&directory, name, &draft)?;
        Ok(Self { directory, draft, name: name.to_owned(), path: path.clone(), file: Arc::new(file) })
    }

    /// Bytes that are there.
    pub fn written(&self) -> FileResult<u64> {
        Ok(self.file.metadata().map_err(|e| FileError::from_io("look at a file", &self.path, &e))?.len())
    }

    /// Write what comes, from `offset` on and at most up to `limit`, and make it last. However it ends, what has come so
    /// far is there.
    pub async fn pour<E: std::fmt::Display>(
        &self, offset: u64, limit: u64, body: impl Stream<Item = Result<Bytes, E>>,
    ) -> FileResult<u64> {
        let mut body = std::pin::pin!(body);
        let mut at = offset;
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let mut writing: Option<JoinHandle<io::Result<()>>> = None;
        let mut broken = None;
        loop {
            let chunk = body.next().await;
            let ended = !matches!(chunk, Some(Ok(_)));
            match chunk {
                Some(Ok(bytes)) => buffer.extend_from_slice(&bytes),
                Some(Err(e)) => broken = Some(FileError::failed("take the file in", &e)),
                None => {}
            }
            if at + buffer.len() as u64 > limit {
                broken = Some(FileError::new(
                    Trouble::TooLarge,
                    "file_too_large",
                    format!("More comes than the {limit} bytes that it may have."),
                ));
                break;
            }
            if buffer.len() >= CHUNK || (ended && !buffer.is_empty()) {
                self.landed(writing.take()).await?;
                let bytes = std::mem::replace(&mut buffer, BytesMut::with_capacity(CHUNK)).freeze();
                let (file, from) = (self.file.clone(), at);
                at += bytes.len() as u64;
                writing = Some(tokio::task::spawn_blocking(move || file.write_all_at(&bytes, from)));
            }
            if ended {
                break;
            }
        }
        self.landed(writing.take()).await?;
        let file = self.file.clone();
        self.landed(Some(tokio::task::spawn_blocking(move || file.sync_data()))).await?;
        broken.map_or(Ok(at), Err)
    }

    async fn landed(&self, writing: Option<JoinHandle<io::Result<()>>>) -> FileResult<()> {
        let Some(writing) = writing else { return Ok(()) };
        let written = writing.await.unwrap_or_else(|e| Err(io::Error::other(e)));
        written.map_err(|e| FileError::from_io("write a file", &self.path, &e))
    }

    /// Take the place. The file becomes whose the one before it was, or whose the directory is.
    pub fn place(&self, terms: &Terms, placing: &Mutex<()>) -> FileResult<()> {
        let failed = |e: io::Error| FileError::from_io("write a file", &self.path, &e);
        let _placing = placing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = terms.check(&self.directory, &self.name, &self.path)?;
        let like = match &before {
            Some(before) => before.clone(),
            None => self.directory.look_here().map_err(failed)?,
        };
        let mode = before.as_ref().map_or(MODE, |before| before.mode & KEPT_MODE);
        self.file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
        fchown(&*self.file, Some(like.uid), Some(like.gid)).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        self.directory.rename(&self.draft, &self.directory, &self.name, before.is_some(), &self.path)?;
        self.directory.sync().map_err(failed)
    }

    /// Forget it. Well when it is gone.
    pub fn discard(&self) {
        drop(self.directory.unlink(self.draft.as_bytes()));
    }
}

impl Terms {
    /// The file that is there now, if these terms let it be replaced.
    fn check(&self, directory: &Directory, name: &str, path: &FilePath) -> FileResult<Option<Looked>> {
        let before = match directory.look(name.as_bytes()) {
            Ok(looked) => Some(looked),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(FileError::from_io("look at a file", path, &e)),
        };
        let etag = before.as_ref().and_then(|before| before.etag.as_deref());
        match &self.if_match {
            Some(wanted) if wanted == "*" && etag.is_some() => {}
            Some(wanted) if etag != Some(wanted) => {
                let message = format!("{path} has changed meanwhile; read it again, then retry.");
                return Err(FileError::new(Trouble::Changed, "file_changed", message));
            }
            _ => {}
        }
        match &before {
            None => Ok(None),
            Some(found) if found.kind == FileKind::File && (self.overwrite || self.if_match.is_some()) => Ok(before),
            Some(found) if found.kind == FileKind::File => Err(FileError::exists(path)),
            Some(found) if found.kind == FileKind::Directory => {
                Err(FileError::from_io("write a file", path, &rustix::io::Errno::ISDIR.into()))
            }
            Some(_) => {
                let message = format!("{path} is a link or something else that is no file; remove it first.");
                Err(FileError::new(Trouble::Conflict, "file_special", message))
            }
        }
    }
}

fn room(directory: &Directory, length: u64) -> FileResult<()> {
    match directory.free() {
        Ok(free) if free < RESERVE.saturating_add(length) => Err(FileError::full()),
        // What cannot be asked is seen while it is written.
        _ => Ok(()),
    }
}
