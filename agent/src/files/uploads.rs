//! Files on their way in. Each has a record in `uploads/` before its first byte is written, so that whatever happens to the
//! agent, its draft is gone on with or cleared away, and nothing else is.

use super::draft::{Draft, Terms};
use super::listing::info;
use super::path::FilePath;
use super::{FileError, FileResult, Files, Trouble, blocking};
use crate::config::{create_private_dir, write_atomically};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::Stream;
use ocore_shared::ids::{InstanceId, UploadId};
use ocore_shared::protocol::files::{FileInfo, Upload, UploadOpen, WriteQuery};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// An upload that nothing comes for is forgotten.
const LIFE: TimeDelta = TimeDelta::hours(24);
const SWEEP: Duration = Duration::from_secs(600);
/// Uploads of one instance at the same time.
const MOST: usize = 64;

/// `uploads/<id>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    id: UploadId,
    instance: InstanceId,
    path: String,
    /// None: it comes at once or not at all.
    length: Option<u64>,
    #[serde(flatten)]
    terms: Terms,
    force: bool,
    touched_at: DateTime<Utc>,
    /// It has taken its place; kept for who did not hear of it.
    #[serde(default)]
    done: Option<FileInfo>,
}

/// Nobody else writes to an upload while this lives.
struct Busy {
    files: Files,
    id: UploadId,
}

/// A file that comes at once: when it has not taken its place by its end, nothing is left of it.
struct Passing {
    draft: Draft,
    busy: Busy,
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.draft.discard();
        self.busy.files.forget(self.busy.id);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.files.0.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Files {
    /// Write a file at once. When it breaks off, nothing was changed.
    pub async fn write<E: std::fmt::Display>(
        &self, instance: InstanceId, query: WriteQuery, limit: u64, body: impl Stream<Item = Result<Bytes, E>>,
    ) -> FileResult<FileInfo> {
        let terms = Terms { if_match: query.if_match, overwrite: query.overwrite };
        let kept = self.new_kept(instance, query.path, None, terms, query.force);
        let busy = self.busy(kept.id)?;
        let draft = self.begin(&kept).await?;
        let passing = Passing { draft, busy };
        passing.draft.pour(0, limit, body).await?;
        let (root, path) = self.place(kept.instance, &kept.path).await?;
        blocking(move || {
            passing.draft.place(&kept.terms, &passing.busy.files.0.placing)?;
            info(&root.open()?, &root, &path)
        })
        .await
    }

    /// Begin an upload whose parts may come one after the other.
    pub async fn upload_open(&self, instance: InstanceId, open: UploadOpen) -> FileResult<Upload> {
        let path = FilePath::required(&open.path)?.to_string();
        let terms = Terms { if_match: None, overwrite: open.overwrite };
        let kept = self.new_kept(instance, path, Some(open.length), terms, open.force);
        if self.all().iter().filter(|other| other.instance == instance && other.done.is_none()).count() >= MOST {
            let message = format!("{MOST} uploads to this instance are under way; end some first.");
            return Err(FileError::new(Trouble::Conflict, "too_many_uploads", message));
        }
        let _busy = self.busy(kept.id)?;
        let draft = self.begin(&kept).await?;
        if open.length > 0 {
            return Ok(kept.shown(0));
        }
        // There is nothing to wait for.
        self.finish(kept, draft).await
    }

    /// How far an upload is.
    pub async fn upload_get(&self, instance: InstanceId, id: UploadId) -> FileResult<Upload> {
        let kept = self.kept(instance, id)?;
        if kept.done.is_some() {
            return Ok(kept.shown(kept.length.unwrap_or_default()));
        }
        let draft = self.draft(&kept).await?;
        let written = draft.written()?;
        if Some(written) == kept.length
            && let Ok(_busy) = self.busy(id)
        {
            // All of it had come when something kept it from its place.
            let kept = self.kept(instance, id)?;
            if kept.done.is_some() {
                return Ok(kept.shown(written));
            }
            return self.finish(kept, draft).await;
        }
        Ok(kept.shown(written))
    }

    /// Take the next part in. With the last byte the file takes its place.
    pub async fn upload_append<E: std::fmt::Display>(
        &self, instance: InstanceId, id: UploadId, offset: u64, body: impl Stream<Item = Result<Bytes, E>>,
    ) -> FileResult<Upload> {
        let _busy = self.busy(id)?;
        let mut kept = self.kept(instance, id)?;
        let length = kept.length.unwrap_or_default();
        if kept.done.is_some() {
            return if offset == length { Ok(kept.shown(length)) } else { Err(elsewhere(length)) };
        }
        let draft = self.draft(&kept).await?;
        let written = draft.written()?;
        if written != offset {
            return Err(elsewhere(written));
        }
        kept.touched_at = self.0.clock.now();
        let (files, touched) = (self.clone(), kept.clone());
        blocking(move || files.keep(&touched)).await?;
        let written = draft.pour(offset, length, body).await?;
        if written < length {
            return Ok(kept.shown(written));
        }
        self.finish(kept, draft).await
    }

    /// Forget an upload with what has come of it.
    pub async fn upload_remove(&self, instance: InstanceId, id: UploadId) -> FileResult<()> {
        let _busy = self.busy(id)?;
        let kept = self.kept(instance, id)?;
        self.drop_upload(kept).await;
        Ok(())
    }

    /// Clear away what nothing comes for any more: at the start, all that could not be gone on with.
    pub async fn sweep(self, stop: CancellationToken) {
        let mut first = true;
        loop {
            let now = self.0.clock.now();
            for kept in self.all() {
                let is_over = kept.touched_at + LIFE < now || (first && kept.length.is_none());
                let busy = if is_over { self.busy(kept.id).ok() } else { None };
                if busy.is_some() {
                    self.drop_upload(kept).await;
                }
            }
            first = false;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
        }
    }

    fn new_kept(&self, instance: InstanceId, path: String, length: Option<u64>, terms: Terms, force: bool) -> Kept {
        Kept { id: UploadId::new(), instance, path, length, terms, force, touched_at: self.0.clock.now(), done: None }
    }

    /// The record, then the draft.
    async fn begin(&self, kept: &Kept) -> FileResult<Draft> {
        let (root, path) = self.changeable(kept.instance, &kept.path, kept.force).await?;
        let (files, kept) = (self.clone(), kept.clone());
        blocking(move || {
            files.keep(&kept)?;
            let begun = root.open().and_then(|root| Draft::begin(&root, &path, kept.id, kept.length, &kept.terms));
            begun.inspect_err(|_| files.forget(kept.id))
        })
        .await
    }

    async fn draft(&self, kept: &Kept) -> FileResult<Draft> {
        let (root, path) = self.place(kept.instance, &kept.path).await?;
        let id = kept.id;
        let resumed = blocking(move || Draft::resume(&root.open()?, &path, id)).await;
        resumed.map_err(|e| if e.trouble == Trouble::NotFound { gone() } else { e })
    }

    async fn finish(&self, mut kept: Kept, draft: Draft) -> FileResult<Upload> {
        let (root, path) = self.place(kept.instance, &kept.path).await?;
        let files = self.clone();
        blocking(move || {
            // A refusal leaves the upload as it is: what stands in the way may be taken out of it.
            draft.place(&kept.terms, &files.0.placing)?;
            kept.done = Some(info(&root.open()?, &root, &path)?);
            files.keep(&kept)?;
            Ok(kept.shown(kept.length.unwrap_or_default()))
        })
        .await
    }

    async fn drop_upload(&self, kept: Kept) {
        if kept.done.is_none() {
            // An instance that is gone has taken its drafts along.
            if let Ok(draft) = self.draft(&kept).await {
                draft.discard();
            }
        }
        self.forget(kept.id);
    }

    fn busy(&self, id: UploadId) -> FileResult<Busy> {
        let is_first = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        if !is_first {
            let message = "Another part of this upload is coming in at this moment; wait for it.";
            return Err(FileError::new(Trouble::Conflict, "upload_busy", message));
        }
        Ok(Busy { files: self.clone(), id })
    }

    fn record_path(&self, id: UploadId) -> PathBuf {
        self.0.uploads.join(format!("{id}.json"))
    }

    fn kept(&self, instance: InstanceId, id: UploadId) -> FileResult<Kept> {
        let text = std::fs::read(self.record_path(id)).map_err(|_| gone())?;
        let kept: Kept = serde_json::from_slice(&text).map_err(|_| gone())?;
        if kept.instance != instance || kept.length.is_none() {
            return Err(gone());
        }
        Ok(kept)
    }

    fn keep(&self, kept: &Kept) -> FileResult<()> {
        let text = serde_json::to_vec(kept).map_err(|e| FileError::failed("note an upload", &e))?;
        let written = create_private_dir(&self.0.uploads)
            .and_then(|()| write_atomically(&self.record_path(kept.id), &text, 0o600));
        written.map_err(|e| FileError::from_io("note an upload", "the upload's record", &e))
    }

    fn forget(&self, id: UploadId) {
        if let Err(e) = std::fs::remove_file(self.record_path(id))
            && e.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%id, error = %e, "an upload's record cannot be removed");
        }
    }

    fn all(&self) -> Vec<Kept> {
        let Ok(entries) = std::fs::read_dir(&self.0.uploads) else { return Vec::new() };
        let texts = entries.flatten().filter_map(|entry| std::fs::read(entry.path()).ok());
        texts.filter_map(|text| serde_json::from_slice(&text).ok()).collect()
    }
}

impl Kept {
    fn shown(&self, offset: u64) -> Upload {
        Upload {
            id: self.id,
            path: self.path.clone(),
            offset,
            length: self.length.unwrap_or_default(),
            expires_at: self.touched_at + LIFE,
            file: self.done.clone(),
        }
    }
}

fn gone() -> FileError {
    let message = "There is no such upload; it was ended or nothing came for it for a day. Begin it again.";
    FileError::new(Trouble::NotFound, "upload_not_found", message)
}

fn elsewhere(written: u64) -> FileError {
    let message = format!("{written} bytes of this upload are there; go on from that offset.");
    FileError::new(Trouble::Conflict, "upload_offset", message)
}
