//! A directory of an SSH server. Each piece of work has a connection of its own: none is trusted to last.

use super::connect::{Resolve, dial};
use super::local::PART;
use super::{ByteStream, Entry, Result, StorageError, reader_stream};
use crate::protocol::storage::{SftpPlace, StorageProblemKind};
use crate::secret::Secret;
use bytes::Bytes;
use chrono::DateTime;
use futures::{Stream, StreamExt, TryStreamExt};
use russh::client::{self, AuthResult, Handle, Handler};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::{Config as SftpConfig, SftpSession};
use russh_sftp::protocol::StatusCode;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

const SIGN_IN_TIME: Duration = Duration::from_secs(20);
const ANSWER_SECONDS: u64 = 60;
/// Requests under way at once, of 32 KiB each: enough for 250 Mbit/s over 30 ms.
const REQUESTS: usize = 32;
const QUIET_TIME: Duration = Duration::from_secs(60);

pub struct Sftp {
    place: SftpPlace,
    secret: Secret,
    resolve: Arc<dyn Resolve>,
    /// Fingerprint of the key that the host showed last.
    seen: Arc<Mutex<Option<String>>>,
}

/// A session with the connection that it needs.
struct Session {
    sftp: SftpSession,
    _connection: Handle<Host>,
}

impl Sftp {
    pub(super) fn open(place: &SftpPlace, secret: Option<&Secret>, resolve: Arc<dyn Resolve>) -> Result<Self> {
        let secret = secret.ok_or_else(|| StorageError::refused("A password or a private key is needed"))?;
        Ok(Self { place: place.clone(), secret: secret.clone(), resolve, seen: Arc::default() })
    }

    pub(super) fn host_key_seen(&self) -> Option<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn session(&self) -> Result<Session> {
        let timeout = || StorageError::unreachable(format!("{} says nothing when one signs in", self.place.host));
        tokio::time::timeout(SIGN_IN_TIME, self.sign_in()).await.map_err(|_| timeout())?
    }

    async fn sign_in(&self) -> Result<Session> {
        let place = &self.place;
        let stream = dial(&*self.resolve, &place.host, place.port, true).await?;
        let config = client::Config {
            inactivity_timeout: Some(QUIET_TIME),
            window_size: 8 << 20,
            maximum_packet_size: 65_535,
            ..client::Config::default()
        };
        let host = Host { expected: place.host_key.clone(), seen: self.seen.clone() };
        let connected = client::connect_stream(Arc::new(config), stream, host).await;
        let mut connection = connected.map_err(|e| self.broken(&e))?;
        let secret = self.secret.expose();
        let answer = if secret.trim_start().starts_with("-----BEGIN ") {
            let key = decode_secret_key(secret, None).map_err(|e| {
                StorageError::refused(format!("The private key cannot be read ({e}); give one without a passphrase"))
            })?;
            let hash = connection.best_supported_rsa_hash().await.map_err(|e| self.broken(&e))?.flatten();
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            connection.authenticate_publickey(&place.username, key).await
        } else {
            connection.authenticate_password(&place.username, secret).await
        };
        if !matches!(answer.map_err(|e| self.broken(&e))?, AuthResult::Success) {
            return Err(StorageError::refused(format!(
                "{} does not let {} in with this password or key",
                place.host, place.username
            )));
        }
        let channel = connection.channel_open_session().await.map_err(|e| self.broken(&e))?;
        channel.request_subsystem(true, "sftp").await.map_err(|e| self.broken(&e))?;
        let config = SftpConfig {
            max_concurrent_reads: REQUESTS,
            max_concurrent_writes: REQUESTS,
            request_timeout_secs: ANSWER_SECONDS,
            ..SftpConfig::default()
        };
        let sftp = SftpSession::new_with_config(channel.into_stream(), config).await;
        let sftp =
            sftp.map_err(|_| StorageError::refused(format!("{} offers no SFTP to {}", place.host, place.username)))?;
        Ok(Session { sftp, _connection: connection })
    }

    fn broken(&self, error: &russh::Error) -> StorageError {
        let host = &self.place.host;
        match error {
            russh::Error::UnknownKey => StorageError::new(
                StorageProblemKind::HostKeyChanged,
                format!(
                    "{host} shows the key {}, not the one that was accepted. If its key was changed, accept the new \
                     one; otherwise another machine answers",
                    self.host_key_seen().unwrap_or_default()
                ),
            ),
            error => StorageError::unreachable(format!("The connection to {host} broke: {error}")),
        }
    }

    fn path(&self, key: &str) -> String {
        let root = self.place.path.trim_end_matches('/');
        match (root, self.place.path.starts_with('/')) {
            ("", true) => format!("/{key}"),
            ("" | ".", false) => key.to_owned(),
            _ => format!("{root}/{key}"),
        }
    }

    pub(super) async fn upload(
        &self, key: &str, mut bytes: impl Stream<Item = Result<Bytes>> + Send + Unpin,
    ) -> Result<u64> {
        let Session { sftp, _connection } = self.session().await?;
        let (path, part) = (self.path(key), self.path(&format!("{key}{PART}")));
        self.directories_ensure(&sftp, &path).await?;
        let file = sftp.create(&part).await.map_err(told)?;
        let mut file = tokio::io::BufWriter::with_capacity(256 << 10, file);
        let written = async {
            let mut written = 0;
            while let Some(bytes) = bytes.try_next().await? {
                file.write_all(&bytes).await.map_err(told_io)?;
                written += bytes.len() as u64;
            }
            file.flush().await.map_err(told_io)?;
            let file = file.into_inner();
            // Some servers cannot, and say so.
            let _ = file.sync_all().await;
            file.close().await.map_err(told_io)?;
            // Not every server replaces a file by renaming another.
            if sftp.try_exists(&path).await.map_err(told)? {
                sftp.remove_file(&path).await.map_err(told)?;
            }
            sftp.rename(&part, &path).await.map_err(told)?;
            Ok(written)
        };
        let written = written.await;
        if written.is_err() {
            let _ = sftp.remove_file(&part).await;
        }
        written
    }

    pub(super) async fn upload_abort(&self, key: &str) -> Result<()> {
        let Session { sftp, _connection } = self.session().await?;
        absent_is_fine(sftp.remove_file(self.path(&format!("{key}{PART}"))).await)
    }

    /// Make the directories above a file.
    async fn directories_ensure(&self, sftp: &SftpSession, path: &str) -> Result<()> {
        let Some((directory, _)) = path.rsplit_once('/') else { return Ok(()) };
        let mut missing = Vec::new();
        let mut at = directory;
        while !at.is_empty() && !sftp.try_exists(at).await.map_err(told)? {
            missing.push(at);
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        for directory in missing.into_iter().rev() {
            if let Err(error) = sftp.create_dir(directory).await
                // Another may have made it just now.
                && !sftp.try_exists(directory).await.map_err(told)?
            {
                let why = told(error);
                let message = format!("The directory {directory} is not there and cannot be made: {}", why.message);
                return Err(StorageError::new(StorageProblemKind::Missing, message));
            }
        }
        Ok(())
    }

    pub(super) async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        let Session { sftp, _connection } = self.session().await?;
        let mut file = sftp.open(self.path(key)).await.map_err(told)?;
        let stream = match range {
            None => reader_stream(file),
            Some(range) => {
                file.seek(io::SeekFrom::Start(range.start)).await.map_err(told_io)?;
                reader_stream(file.take(range.end.saturating_sub(range.start)))
            }
        };
        // The connection lives as long as what is read over it.
        let held = (sftp, _connection);
        Ok(stream
            .map(move |bytes| {
                let _ = &held;
                bytes
            })
            .boxed())
    }

    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>> {
        let Session { sftp, _connection } = self.session().await?;
        match sftp.metadata(self.path(key)).await {
            Ok(found) => Ok(found.size),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(told(error)),
        }
    }

    pub(super) async fn list(&self, below: &str) -> Result<Vec<Entry>> {
        let Session { sftp, _connection } = self.session().await?;
        let mut found = Vec::new();
        let mut directories = vec![below.trim_end_matches('/').to_owned()];
        while let Some(directory) = directories.pop() {
            let path = if directory.is_empty() { self.root().to_owned() } else { self.path(&directory) };
            let entries = match sftp.read_dir(path).await {
                Ok(entries) => entries,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(told(error)),
            };
            for entry in entries {
                let (name, metadata) = (entry.file_name(), entry.metadata());
                let key = if directory.is_empty() { name } else { format!("{directory}/{name}") };
                if metadata.is_dir() {
                    directories.push(key);
                } else if metadata.is_regular() && !key.ends_with(PART) {
                    let modified_at = metadata.mtime.and_then(|time| DateTime::from_timestamp(time.into(), 0));
                    found.push(Entry { key, size: metadata.size.unwrap_or_default(), modified_at });
                }
            }
        }
        Ok(found)
    }

    fn root(&self) -> &str {
        if self.place.path.is_empty() { "." } else { &self.place.path }
    }

    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        let Session { sftp, _connection } = self.session().await?;
        absent_is_fine(sftp.remove_file(self.path(key)).await)?;
        // Directories that held nothing else go too.
        let mut directory = key;
        while let Some((above, _)) = directory.rsplit_once('/') {
            if sftp.remove_dir(self.path(above)).await.is_err() {
                break;
            }
            directory = above;
        }
        Ok(())
    }

    pub(super) async fn free_bytes(&self) -> Result<Option<u64>> {
        let Session { sftp, _connection } = self.session().await?;
        let found = sftp.fs_info(self.root()).await.map_err(told)?;
        Ok(found.map(|found| found.blocks_avail.saturating_mul(found.fragment_size)))
    }
}

/// Holds the host's key against the one that was accepted.
struct Host {
    expected: Option<String>,
    seen: Arc<Mutex<Option<String>>>,
}

impl Handler for Host {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let shown = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256),
            PublicKeyOrCertificate::Certificate(certificate) => certificate.public_key().fingerprint(HashAlg::Sha256),
        };
        let shown = shown.to_string();
        let is_expected = self.expected.as_ref().is_none_or(|expected| *expected == shown);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(is_expected)
    }
}

fn is_absent(error: &SftpError) -> bool {
    matches!(error, SftpError::Status(status) if status.status_code == StatusCode::NoSuchFile)
}

fn absent_is_fine(done: Result<(), SftpError>) -> Result<()> {
    match done {
        Err(error) if is_absent(&error) => Ok(()),
        done => done.map_err(told),
    }
}

fn told(error: SftpError) -> StorageError {
    match &error {
        SftpError::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => {
                StorageError::new(StorageProblemKind::NotFound, format!("It is not there: {}", status.error_message))
            }
            StatusCode::PermissionDenied => {
                StorageError::refused(format!("The server does not allow it: {}", status.error_message))
            }
            // OpenSSH has no other word for a full disk.
            StatusCode::Failure => StorageError::failed(format!(
                "The server could not do it ({}); its disk may be full",
                status.error_message
            )),
            _ => StorageError::unreachable(format!("The connection broke: {}", status.error_message)),
        },
        SftpError::Timeout => StorageError::unreachable(format!("No answer within {ANSWER_SECONDS} s")),
        error => StorageError::unreachable(format!("The connection broke: {error}")),
    }
}

fn told_io(error: io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::StorageFull => StorageError::io(&error),
        _ => StorageError::unreachable(format!("Sending broke off ({error}); the server's disk may be full")),
    }
}
