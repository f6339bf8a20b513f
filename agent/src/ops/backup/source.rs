//! What is read of a backup: its manifest, which must be the one that was written, and its parts, as the manifest says.

use super::filestore;
use super::pack::{self, hex};
use super::{open, told};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use age::x25519::Identity;
use ocore_shared::protocol::backups::{
    Attachments, BackupManifest, BackupPlace, FORMAT, IDENTITY_SECRET, MANIFEST, MOST_MANIFEST,
};
use ocore_shared::storage::Storage;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::PathBuf;

/// A backup at its destination.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub host: &'a Host,
    pub ctx: &'a JobContext,
    pub at: &'a BackupPlace,
    /// Of the manifest, when the backup was made.
    pub manifest_sha256: &'a str,
    pub is_encrypted: bool,
}

impl Source<'_> {
    pub async fn storage(&self) -> Result<Storage, OpError> {
        open(self.host, self.ctx, self.at).await
    }

    /// The manifest, if it is the one that was written then.
    pub async fn manifest(&self) -> Result<BackupManifest, OpError> {
        let storage = self.storage().await?;
        let key = format!("{}{MANIFEST}", self.at.prefix);
        let damaged = |what: &str| {
            OpError::new(
                "backup_damaged",
                format!("The backup's manifest at the destination {what}. Use another backup."),
            )
        };
        if storage.size(&key).await.map_err(told)?.is_none() {
            return Err(damaged("is not there"));
        }
        let text = storage.read_whole(&key, MOST_MANIFEST).await.map_err(told)?;
        if hex(&Sha256::digest(&text)) != self.manifest_sha256 {
            return Err(damaged("is not the one that was written"));
        }
        let manifest: BackupManifest = serde_json::from_slice(&text).map_err(|_| damaged("cannot be understood"))?;
        match manifest.format {
            FORMAT => Ok(manifest),
            format => Err(OpError::new(
                "backup_format_unknown",
                format!("The backup is of format {format}, which this agent does not know; update the agent."),
            )),
        }
    }

    pub async fn identity(&self) -> Result<Option<Identity>, OpError> {
        match self.is_encrypted {
            true => pack::identity(&self.ctx.secret_awaited(IDENTITY_SECRET).await?).map(Some),
            false => Ok(None),
        }
    }

    /// Put the attachments into a directory that nobody else writes.
    pub async fn files(
        &self, manifest: &BackupManifest, directory: PathBuf, owner: (u32, u32),
    ) -> Result<Attachments, OpError> {
        let storage = self.storage().await?;
        let identity = self.identity().await?;
        let known = manifest.attachments.clone();
        let total = manifest.filestore.size;
        let passed = |bytes| self.ctx.progress(bytes, Some(total), "bytes");
        let read = move |plain: &mut dyn Read| filestore::read(plain, &directory, owner, &known, |_| {});
        let told = pack::unpack(&storage, &self.at.prefix, &manifest.filestore, identity, passed, read).await?;
        let megabytes = told.bytes >> 20;
        self.ctx.message(format!("{} files of {megabytes} MB, each of which is what its name says.", told.files));
        Ok(told)
    }

    /// Read the parts as they are kept, and compare their checksums. Bytes of both.
    pub async fn checksums(&self, manifest: &BackupManifest) -> Result<u64, OpError> {
        let storage = self.storage().await?;
        let (mut before, total) = (0, manifest.size());
        for part in [&manifest.database, &manifest.filestore] {
            let passed = |bytes| self.ctx.progress(before + bytes, Some(total), "bytes");
            pack::checksum(&storage, &self.at.prefix, part, passed).await?;
            before += part.size;
        }
        Ok(total)
    }
}
