//! Reading and writing where backups are kept: S3, SFTP, a local directory. Both ends need it: agents move backups,
//! the controller keeps its own. Bytes pass through, never whole through memory; what was not written to its end is
//! never seen under its name.

mod connect;
mod error;
mod local;
mod s3;
mod sftp;
#[cfg(test)]
mod tests;

pub use connect::{Resolve, SystemResolve};
pub use error::StorageError;

use crate::protocol::storage::{Place, StorageAnswer, StorageRequest, StorageWork};
use crate::secret::Secret;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use rand::RngExt;
use std::ops::Range;
use std::sync::Arc;

pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// Bytes on their way.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

const PROBE_BYTES: usize = 4096;
/// What parts of an upload are made of: S3 takes 10,000 of at least 5 MiB.
const PART: u64 = 8 << 20;
const MOST_PARTS: u64 = 9000;

/// Something that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub size: u64,
    pub modified_at: Option<DateTime<Utc>>,
}

/// An upload that has begun. The same one begun again after a restart replaces what it had sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Upload {
    pub key: String,
    /// What the place calls it, where it has a name for that.
    id: Option<String>,
    part_bytes: u64,
}

/// A place that is open.
#[derive(Clone)]
pub enum Storage {
    S3(Arc<s3::S3>),
    Sftp(Arc<sftp::Sftp>),
    Local(Arc<local::Local>),
}

impl Storage {
    /// Nothing is asked yet. `resolve` says which addresses may be connected to.
    pub fn open(place: &Place, secret: Option<&Secret>, resolve: Arc<dyn Resolve>) -> Result<Self> {
        Ok(match place {
            Place::S3(place) => Self::S3(Arc::new(s3::S3::open(place, secret, resolve)?)),
            Place::Sftp(place) => Self::Sftp(Arc::new(sftp::Sftp::open(place, secret, resolve)?)),
            Place::Local(place) => Self::Local(Arc::new(local::Local::open(place)?)),
        })
    }

    /// Begin an upload of about that many bytes.
    pub async fn upload_begin(&self, key: &str, expected_bytes: u64) -> Result<Upload> {
        key_check(key)?;
        let id = match self {
            Self::S3(s3) => Some(s3.upload_begin(key).await?),
            Self::Sftp(_) | Self::Local(_) => None,
        };
        Ok(Upload { key: key.into(), id, part_bytes: part_bytes(expected_bytes) })
    }

    /// The same upload to write again from its start. One that was ended already, by whoever could not write that down any
    /// more, is begun anew.
    pub async fn upload_again(&self, upload: Upload) -> Result<Upload> {
        match self {
            Self::S3(s3) if s3.size(&upload.key).await?.is_some() => {
                s3.delete(&upload.key).await?;
                Ok(Upload { id: Some(s3.upload_begin(&upload.key).await?), ..upload })
            }
            _ => Ok(upload),
        }
    }

    /// Write all of it; how many bytes that were. Nothing is under its key before the end, nor if `bytes` ends with
    /// an error.
    pub async fn upload(
        &self, upload: &Upload, bytes: impl Stream<Item = Result<Bytes>> + Send + Unpin,
    ) -> Result<u64> {
        let written = match self {
            Self::S3(s3) => s3.upload(upload, bytes).await?,
            Self::Sftp(sftp) => sftp.upload(&upload.key, bytes).await?,
            Self::Local(local) => local.upload(&upload.key, bytes).await?,
        };
        match self.size(&upload.key).await? {
            Some(size) if size == written => Ok(written),
            size => Err(StorageError::failed(format!(
                "{written} bytes of {} were sent, and {} are there",
                upload.key,
                size.unwrap_or_default()
            ))),
        }
    }

    /// Forget an upload that was not ended. One that is unknown is fine.
    pub async fn upload_abort(&self, upload: &Upload) -> Result<()> {
        match self {
            Self::S3(s3) => s3.upload_abort(upload).await,
            Self::Sftp(sftp) => sftp.upload_abort(&upload.key).await,
            Self::Local(local) => local.upload_abort(&upload.key).await,
        }
    }

    /// Write something small, whole.
    pub async fn write(&self, key: &str, bytes: Bytes) -> Result<()> {
        key_check(key)?;
        let stream = || futures::stream::iter([Ok(bytes.clone())]);
        match self {
            Self::S3(s3) => s3.write(key, bytes.clone()).await,
            Self::Sftp(sftp) => sftp.upload(key, stream()).await.map(drop),
            Self::Local(local) => local.upload(key, stream()).await.map(drop),
        }
    }

    /// Read it, or a part of it.
    pub async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        key_check(key)?;
        match self {
            Self::S3(s3) => s3.read(key, range).await,
            Self::Sftp(sftp) => sftp.read(key, range).await,
            Self::Local(local) => local.read(key, range).await,
        }
    }

    /// Read something small, whole. More than `most` bytes are an error.
    pub async fn read_whole(&self, key: &str, most: usize) -> Result<Vec<u8>> {
        let mut stream = self.read(key, None).await?;
        let mut whole = Vec::new();
        while let Some(bytes) = stream.try_next().await? {
            if whole.len() + bytes.len() > most {
                return Err(StorageError::failed(format!("{key} has more than {most} bytes")));
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// How large it is. None: it is not there.
    pub async fn size(&self, key: &str) -> Result<Option<u64>> {
        key_check(key)?;
        match self {
            Self::S3(s3) => s3.size(key).await,
            Self::Sftp(sftp) => sftp.size(key).await,
            Self::Local(local) => local.size(key).await,
        }
    }

    /// All that is kept below a key that ends with a slash, or everything for an empty one. In no order.
    pub async fn list(&self, below: &str) -> Result<Vec<Entry>> {
        if !below.is_empty() {
            key_check(below.strip_suffix('/').unwrap_or(below))?;
        }
        match self {
            Self::S3(s3) => s3.list(below).await,
            Self::Sftp(sftp) => sftp.list(below).await,
            Self::Local(local) => local.list(below).await,
        }
    }

    /// Remove it. What is not there is fine.
    pub async fn delete(&self, key: &str) -> Result<()> {
        key_check(key)?;
        match self {
            Self::S3(s3) => s3.delete(key).await,
            Self::Sftp(sftp) => sftp.delete(key).await,
            Self::Local(local) => local.delete(key).await,
        }
    }

    /// Bytes that are free there, where that can be asked.
    pub async fn free_bytes(&self) -> Result<Option<u64>> {
        match self {
            Self::S3(_) => Ok(None),
            Self::Sftp(sftp) => sftp.free_bytes().await,
            Self::Local(local) => local.free_bytes().await.map(Some),
        }
    }

    /// Write something, read it again, remove it.
    async fn probe(&self) -> StorageAnswer {
        let key = format!(".probe-{:032x}", rand::rng().random::<u128>());
        let problem = self.probe_with(&key).await.err();
        let host_key = match self {
            Self::Sftp(sftp) => sftp.host_key_seen(),
            Self::S3(_) | Self::Local(_) => None,
        };
        let free_bytes = match problem {
            None => self.free_bytes().await.unwrap_or_default(),
            Some(_) => None,
        };
        StorageAnswer { problem: problem.map(Into::into), host_key, free_bytes, buckets: Vec::new() }
    }

    async fn probe_with(&self, key: &str) -> Result<()> {
        let mut bytes = vec![0; PROBE_BYTES];
        rand::rng().fill(&mut bytes[..]);
        self.write(key, bytes.clone().into()).await?;
        let read = self.read_whole(key, PROBE_BYTES).await;
        self.delete(key).await?;
        match read? == bytes {
            true => Ok(()),
            false => Err(StorageError::failed("What was written there came back otherwise")),
        }
    }
}

/// Do what does not move a backup: what is wrong is in the answer.
pub async fn storage_work(request: StorageRequest, resolve: Arc<dyn Resolve>) -> StorageAnswer {
    let StorageRequest { place, secret, work } = request;
    let secret = secret.map(Secret::new);
    let done = match (work, &place) {
        (StorageWork::Probe, place) => match Storage::open(place, secret.as_ref(), resolve) {
            Ok(storage) => return storage.probe().await,
            Err(error) => Err(error),
        },
        (StorageWork::Buckets, Place::S3(place)) => match s3::Account::open(place, secret.as_ref(), resolve) {
            Ok(account) => account.bucket_list().await,
            Err(error) => Err(error),
        },
        (StorageWork::BucketCreate(name), Place::S3(place)) => match s3::Account::open(place, secret.as_ref(), resolve)
        {
            Ok(account) => account.bucket_create(&name).await.map(|()| vec![name]),
            Err(error) => Err(error),
        },
        _ => Err(StorageError::failed("Only S3 has buckets")),
    };
    match done {
        Ok(buckets) => StorageAnswer { buckets, ..StorageAnswer::default() },
        Err(error) => StorageAnswer { problem: Some(error.into()), ..StorageAnswer::default() },
    }
}

/// How large the parts of an upload of about that many bytes are.
fn part_bytes(expected_bytes: u64) -> u64 {
    PART.max(expected_bytes.div_ceil(MOST_PARTS).next_multiple_of(1 << 20))
}

/// Keys are ours: short words with slashes in between.
fn key_check(key: &str) -> Result<()> {
    let word = |word: &str| {
        let bytes = word.bytes();
        !word.is_empty()
            && word != "."
            && word != ".."
            && bytes.into_iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match key.split('/').all(word) {
        true => Ok(()),
        false => Err(StorageError::failed(format!("{key:?} is no key of a backup"))),
    }
}

/// From what an open file gives, piece by piece.
fn reader_stream(reader: impl tokio::io::AsyncRead + Send + 'static) -> ByteStream {
    tokio_util::io::ReaderStream::with_capacity(reader, 256 << 10).map_err(|e| StorageError::io(&e)).boxed()
}
