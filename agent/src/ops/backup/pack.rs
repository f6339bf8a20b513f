//! From plain bytes to what is kept and back: compressed, encrypted, hashed, all of it on the way.

use super::told;
use crate::chunks::Chunks;
use crate::engine::OpError;
use age::x25519::{Identity, Recipient};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use ocore_shared::protocol::backups::BackupPart;
use ocore_shared::secret::Secret;
use ocore_shared::storage::{ByteStream, Storage, StorageError};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use zstd::zstd_safe::CParameter;

/// What zstd does by itself: no other level gives more for its time.
const LEVEL: i32 = 3;
const WORKERS: u32 = 2;
/// What each worker takes at once: the memory of a backup is a few of these.
const TAKEN: u32 = 2 << 20;
/// No backup of ours needs a larger window to be read (8 MiB).
const WINDOW_LOG: u32 = 23;
const CHUNK: usize = 256 * 1024;
/// Chunks between the one side and the other.
const QUEUE: usize = 4;
/// A destination that goes away while it is read is asked again so often in a row, for the rest.
const READS: usize = 5;
const READ_PAUSE: Duration = Duration::from_secs(2);

/// What became of something that was packed.
#[derive(Clone, Debug)]
pub struct Packed<T> {
    /// What was said of it by the one who wrote it.
    pub made: T,
    pub size: u64,
    pub sha256: String,
    pub plain_bytes: u64,
}

impl<T> Packed<T> {
    pub fn part(&self, name: String) -> BackupPart {
        BackupPart { name, size: self.size, sha256: self.sha256.clone(), plain_bytes: self.plain_bytes }
    }
}

/// Keys that a backup is to be read with.
pub fn recipients(keys: &[String]) -> Result<Vec<Recipient>, OpError> {
    let parsed = keys.iter().map(|key| {
        let wrong = |e| OpError::new("invalid_input", format!("{key} is no public key of age: {e}."));
        key.parse().map_err(wrong)
    });
    parsed.collect()
}

/// The key that one is read with.
pub fn identity(secret: &Secret) -> Result<Identity, OpError> {
    let wrong =
        |e| OpError::new("backup_key_wrong", format!("The key that the backup is to be read with is none: {e}."));
    secret.expose().trim().parse().map_err(wrong)
}

/// Take what `write` writes, packed. The stream ends with an error unless `write` and all the rest went well.
pub fn pack<T: Send + 'static>(
    recipients: Vec<Recipient>, write: impl FnOnce(&mut dyn Write) -> io::Result<T> + Send + 'static,
) -> (ByteStream, JoinHandle<Result<Packed<T>, OpError>>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let packing = tokio::task::spawn_blocking(move || {
        let sending = Sending { chunks: Chunks::new(sender.clone(), CHUNK), hash: Sha256::new(), size: 0 };
        packed(sending, &recipients, write).map_err(|error| {
            let error = error_of(error, "pack_failed", "The backup could not be packed");
            drop(sender.blocking_send(Err(StorageError::failed(error.message.clone()))));
            error
        })
    });
    (ReceiverStream::new(receiver).boxed(), packing)
}

fn packed<T>(
    sending: Sending, recipients: &[Recipient], write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<Packed<T>> {
    let mut encoder = zstd::Encoder::new(Sealing::new(sending, recipients)?, LEVEL)?;
    encoder.multithread(WORKERS)?;
    encoder.set_parameter(CParameter::JobSize(TAKEN))?;
    let mut plain = Counted { inner: encoder, bytes: 0 };
    let made = write(&mut plain)?;
    let Counted { inner, bytes: plain_bytes } = plain;
    let mut sending = inner.finish()?.finish()?;
    sending.flush()?;
    Ok(Packed { made, size: sending.size, sha256: hex(&sending.hash.finalize()), plain_bytes })
}

/// An [`OpError`] on its way through a reader or writer is one again.
fn error_of(error: io::Error, code: &str, what: &str) -> OpError {
    let text = error.to_string();
    match error.into_inner().and_then(|inner| inner.downcast::<OpError>().ok()) {
        Some(own) => *own,
        None => OpError::new(code, format!("{what}: {text}.")),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

enum Sealing {
    Open(Sending),
    Sealed(Box<age::stream::StreamWriter<Sending>>),
}

impl Sealing {
    fn new(sending: Sending, recipients: &[Recipient]) -> io::Result<Self> {
        if recipients.is_empty() {
            return Ok(Self::Open(sending));
        }
        let each = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(each).map_err(io::Error::other)?;
        Ok(Self::Sealed(Box::new(encryptor.wrap_output(sending)?)))
    }

    fn finish(self) -> io::Result<Sending> {
        match self {
            Self::Open(sending) => Ok(sending),
            Self::Sealed(writer) => writer.finish(),
        }
    }
}

impl Write for Sealing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(sending) => sending.write(bytes),
            Self::Sealed(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(sending) => sending.flush(),
            Self::Sealed(writer) => writer.flush(),
        }
    }
}

/// Counts and hashes what is sent.
struct Sending {
    chunks: Chunks<StorageError>,
    hash: Sha256,
    size: u64,
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.chunks.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.chunks.flush()
    }
}

/// Read a part of a backup: `read` is given what was packed, while it comes. Ends well only if all of it was there and
/// was what was written then. `passed` is told the bytes so far.
pub async fn unpack<T: Send + 'static>(
    storage: &Storage, prefix: &str, part: &BackupPart, identity: Option<Identity>, passed: impl Fn(u64),
    read: impl FnOnce(&mut dyn Read) -> io::Result<T> + Send + 'static,
) -> Result<T, OpError> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let most = part.plain_bytes;
    let unpacking =
        tokio::task::spawn_blocking(move || unpacked(Arriving { receiver, chunk: Bytes::new() }, identity, most, read));
    let fetched = fetched(storage, &format!("{prefix}{}", part.name), part, passed, sender).await;
    let unpacked = unpacking.await.unwrap_or_else(|e| Err(io::Error::other(e)));
    match (fetched, unpacked) {
        // What was read is not what was written, whatever became of it.
        (Err(error), _) => Err(error),
        (Ok(()), Ok(done)) => Ok(done),
        (Ok(()), Err(error)) => Err(error_of(error, "backup_damaged", "The backup cannot be unpacked")),
    }
}

/// Read a part as it is kept. Ends well only if it is what was written then.
pub async fn checksum(storage: &Storage, prefix: &str, part: &BackupPart, passed: impl Fn(u64)) -> Result<(), OpError> {
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let key = format!("{prefix}{}", part.name);
    let fetching = fetched(storage, &key, part, passed, sender);
    let passing = async { while receiver.recv().await.is_some() {} };
    tokio::join!(fetching, passing).0
}

/// All bytes of the part, handed on until nobody wants them any more.
async fn fetched(
    storage: &Storage, key: &str, part: &BackupPart, passed: impl Fn(u64), sender: mpsc::Sender<Bytes>,
) -> Result<(), OpError> {
    let damaged = |what: String| {
        Err(OpError::new(
            "backup_damaged",
            format!("The backup is damaged at its destination: {key} {what}. Use another one."),
        ))
    };
    match storage.size(key).await.map_err(told)? {
        None => return damaged("is not there".into()),
        Some(size) if size != part.size => return damaged(format!("has {size} bytes instead of {}", part.size)),
        Some(_) => {}
    }
    let (mut hash, mut bytes, mut tries) = (Sha256::new(), 0, 0);
    while bytes < part.size {
        let came = async {
            let mut stream = storage.read(key, Some(bytes..part.size)).await?;
            while let Some(chunk) = stream.try_next().await? {
                bytes += chunk.len() as u64;
                tries = 0;
                hash.update(&chunk);
                passed(bytes);
                if sender.send(chunk).await.is_err() {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match came.await {
            // Who unpacks it has ended, and says why.
            Ok(false) => return Ok(()),
            Ok(true) if bytes == part.size => break,
            Err(e @ StorageError { .. }) if !e.kind.may_pass() || tries >= READS => return Err(told(e)),
            Ok(true) if tries >= READS => return damaged(format!("ends after {bytes} bytes")),
            Ok(true) | Err(_) => {
                tries += 1;
                tokio::time::sleep(READ_PAUSE).await;
            }
        }
    }
    match hex(&hash.finalize()) == part.sha256 {
        true => Ok(()),
        false => damaged("is not what was written".into()),
    }
}

fn unpacked<T>(
    arriving: Arriving, identity: Option<Identity>, most: u64, read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> io::Result<T> {
    let opened: Box<dyn Read> = match identity {
        None => Box::new(arriving),
        Some(identity) => {
            let decryptor = age::Decryptor::new(arriving).map_err(unreadable)?;
            Box::new(decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(unreadable)?)
        }
    };
    let mut decoder = zstd::Decoder::new(opened)?;
    decoder.window_log_max(WINDOW_LOG)?;
    let mut plain = Limited { inner: decoder, left: most };
    let done = read(&mut plain)?;
    // To the end, so that the end is seen.
    io::copy(&mut plain, &mut io::sink())?;
    match plain.left {
        0 => Ok(done),
        left => Err(io::Error::other(format!("{left} bytes are missing"))),
    }
}

fn unreadable(error: age::DecryptError) -> io::Error {
    let message = match error {
        age::DecryptError::NoMatchingKeys => {
            "The backup is encrypted for another key than the one that was given.".to_owned()
        }
        error => format!("The backup cannot be decrypted: {error}."),
    };
    io::Error::other(OpError::new("backup_key_wrong", message))
}

/// What comes over the channel.
struct Arriving {
    receiver: mpsc::Receiver<Bytes>,
    chunk: Bytes,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        buffer[..length].copy_from_slice(&self.chunk.split_to(length));
        Ok(length)
    }
}

/// No more than was packed: a few bytes can be made to unpack to a full disk.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::other(OpError::new(
                "backup_damaged",
                "The backup unpacks to more than was packed. Use another one.",
            ))
        })?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocore_shared::protocol::storage::{LocalPlace, Place};
    use ocore_shared::storage::SystemResolve;
    use rand::RngExt;
    use std::sync::Arc;

    const KEY: &str = "b/database.dump.zst";

    fn storage(dir: &tempfile::TempDir) -> Storage {
        let place = Place::Local(LocalPlace { path: dir.path().to_string_lossy().into_owned() });
        Storage::open(&place, None, Arc::new(SystemResolve)).unwrap()
    }

    fn content() -> Vec<u8> {
        let mut content = vec![7; 3 << 20];
        rand::rng().fill(&mut content[..1 << 20]);
        content
    }

    async fn stored(storage: &Storage, recipients: Vec<Recipient>, content: Vec<u8>) -> BackupPart {
        let (stream, packing) = pack(recipients, move |out| out.write_all(&content));
        let upload = storage.upload_begin(KEY, 0).await.unwrap();
        let size = storage.upload(&upload, stream).await.unwrap();
        let packed = packing.await.unwrap().unwrap();
        assert_eq!(packed.size, size);
        packed.part("database.dump.zst".into())
    }

    async fn read(storage: &Storage, part: &BackupPart, identity: Option<Identity>) -> Result<Vec<u8>, OpError> {
        unpack(
            storage,
            "b/",
            part,
            identity,
            |_| {},
            |plain| {
                let mut whole = Vec::new();
                plain.read_to_end(&mut whole).map(|_| whole)
            },
        )
        .await
    }

    #[tokio::test]
    async fn what_is_packed_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let (storage, content, key) = (storage(&dir), content(), Identity::generate());
        for recipients in [vec![], vec![key.to_public(), Identity::generate().to_public()]] {
            let identity = (!recipients.is_empty()).then(|| key.clone());
            let part = stored(&storage, recipients, content.clone()).await;
            assert_eq!(part.plain_bytes, content.len() as u64);
            assert!(part.size < part.plain_bytes / 2, "{part:?}");
            assert_eq!(read(&storage, &part, identity).await.unwrap(), content);
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_of_what_failed() {
        let dir = tempfile::tempdir().unwrap();
        let storage = storage(&dir);
        let (stream, packing) = pack(vec![], |out| {
            out.write_all(&[1; 1 << 20])?;
            Err::<(), _>(io::Error::other(OpError::new("copy_failed", "The dump broke.")))
        });
        let upload = storage.upload_begin(KEY, 0).await.unwrap();
        assert!(storage.upload(&upload, stream).await.is_err());
        assert_eq!(packing.await.unwrap().unwrap_err().code, "copy_failed");
        assert_eq!(storage.size(KEY).await.unwrap(), None);
    }

    #[tokio::test]
    async fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (storage, key) = (storage(&dir), Identity::generate());
        let part = stored(&storage, vec![key.to_public()], content()).await;
        let error = read(&storage, &part, Some(Identity::generate())).await.unwrap_err();
        assert_eq!(error.code, "backup_key_wrong");
        let whole = std::fs::read(dir.path().join(KEY)).unwrap();
        for place in [10, whole.len() / 2, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            std::fs::write(dir.path().join(KEY), flipped).unwrap();
            let error = read(&storage, &part, Some(key.clone())).await.unwrap_err();
            assert!(["backup_damaged", "backup_key_wrong"].contains(&error.code.as_str()), "{place}: {error}");
        }
        std::fs::write(dir.path().join(KEY), &whole[..whole.len() - 1]).unwrap();
        let error = read(&storage, &part, Some(key.clone())).await.unwrap_err();
        assert_eq!(error.code, "backup_damaged");
        storage.delete(KEY).await.unwrap();
        assert_eq!(read(&storage, &part, Some(key)).await.unwrap_err().code, "backup_damaged");
    }

    #[tokio::test]
    async fn a_bomb_does_not_go_off() {
        let dir = tempfile::tempdir().unwrap();
        let storage = storage(&dir);
        let part = stored(&storage, vec![], vec![0; 64 << 20]).await;
        let error = read(&storage, &BackupPart { plain_bytes: 1 << 20, ..part }, None).await.unwrap_err();
        assert_eq!(error.code, "backup_damaged");
    }
}
