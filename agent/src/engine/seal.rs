//! Secrets of a job lie sealed in the journal, under a key of the identity directory: whoever copies the journal
//! alone has nothing.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ocore_shared::ids::JobId;
use ocore_shared::secret::Secret;
use std::collections::BTreeMap;
use std::path::Path;
use zeroize::Zeroizing;

const NONCE: usize = 24;

/// Seals and opens the secrets of jobs. The job's id is associated data.
pub struct SealKey(XChaCha20Poly1305);

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the key of the journal's secrets, {0}, cannot be used: {1}")]
    Key(std::path::PathBuf, std::io::Error),
    #[error("the job's secrets cannot be sealed")]
    Seal,
    #[error("the job's secrets cannot be opened: they were sealed with another key or damaged")]
    Open,
}

impl SealKey {
    /// Read the key file, or make it.
    pub fn load(path: &Path) -> Result<Self, SealError> {
        let failed = |e| SealError::Key(path.to_path_buf(), e);
        let key = match std::fs::read(path) {
            Ok(key) => Zeroizing::new(key),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let key = Zeroizing::new(rand::random::<[u8; 32]>().to_vec());
                crate::config::write_atomically(path, &key, 0o600).map_err(failed)?;
                key
            }
            Err(e) => return Err(failed(e)),
        };
        let cipher = XChaCha20Poly1305::new_from_slice(&key)
            .map_err(|_| failed(std::io::Error::other("it does not have 32 bytes")))?;
        Ok(Self(cipher))
    }

    pub fn seal(&self, job: JobId, secrets: &BTreeMap<String, String>) -> Result<Vec<u8>, SealError> {
        let text = Zeroizing::new(serde_json::to_vec(secrets).map_err(|_| SealError::Seal)?);
        let nonce = rand::random::<[u8; NONCE]>();
        let payload = Payload { msg: &text, aad: job.0.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Seal)?;
        Ok([&nonce[..], &sealed].concat())
    }

    pub fn open(&self, job: JobId, sealed: &[u8]) -> Result<BTreeMap<String, Secret>, SealError> {
        let (nonce, text) = sealed.split_at_checked(NONCE).ok_or(SealError::Open)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| SealError::Open)?;
        let payload = Payload { msg: text, aad: job.0.as_bytes() };
        let text = Zeroizing::new(self.0.decrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Open)?);
        serde_json::from_slice(&text).map_err(|_| SealError::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_open_for_their_job_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.key");
        let secrets = BTreeMap::from([("password".to_string(), "hunter2".to_string())]);
        let job = JobId::new();
        let sealed = SealKey::load(&path).unwrap().seal(job, &secrets).unwrap();
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
        let again = SealKey::load(&path).unwrap();
        assert_eq!(again.open(job, &sealed).unwrap()["password"].expose(), "hunter2");
        assert!(again.open(JobId::new(), &sealed).is_err());
        assert!(again.open(job, &sealed[..20]).is_err());
    }
}
