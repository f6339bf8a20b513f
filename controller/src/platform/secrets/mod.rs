//! Sealing: XChaCha20-Poly1305 under the master key file, which every replica has.
//!
//! The row's id is associated data: a sealed value copied to another row does not open.

pub mod store;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use ocore_shared::secret::Secret;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use uuid::Uuid;
use zeroize::Zeroizing;

const NONCE: usize = 24;

/// Seals and opens with keys derived from the master key.
pub struct Keyring {
    master: Zeroizing<[u8; 32]>,
}

impl Keyring {
    /// Read the master key file, or make it when there is none. It must be readable by its owner only.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let mode = fs::metadata(path)?.permissions().mode() & 0o077;
                if mode != 0 {
                    bail!("{} can be read by others; run chmod 600 on it", path.display());
                }
                Self::parse(&text).with_context(|| format!("{} is damaged", path.display()))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let key: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
                // Written whole or not at all: a half-written key would lock everything away.
                let temporary = path.with_extension(Uuid::now_v7().to_string());
                let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
                writeln!(file, "{}", STANDARD.encode(key.as_slice()))?;
                file.sync_all()?;
                let linked = fs::hard_link(&temporary, path);
                fs::remove_file(&temporary)?;
                match linked {
                    // Another process of ours was faster: its key counts.
                    Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Self::open(path),
                    linked => linked?,
                }
                if let Some(directory) = path.parent() {
                    fs::File::open(directory)?.sync_all()?;
                }
                Ok(Self { master: key })
            }
            Err(e) => Err(e).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim())?);
        let master: [u8; 32] = bytes.as_slice().try_into().context("a master key has 32 bytes")?;
        Ok(Self { master: Zeroizing::new(master) })
    }

    /// A key for one purpose, e.g. `access tokens`.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0u8; 32]);
        Hkdf::<Sha256>::new(None, self.master.as_slice())
            .expand(purpose.as_bytes(), key.as_mut_slice())
            .expect("32 bytes are a valid length for HKDF-SHA256");
        key
    }

    /// Seal `plain`; `context` (row id and column) must be the same when opening.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = rand::random();
        let cipher = XChaCha20Poly1305::new(self.derive("sealing").as_slice().try_into().expect("32 bytes"));
        let mut sealed = nonce.to_vec();
        sealed.extend(
            cipher
                .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: context.as_bytes() })
                .expect("sealing fails only beyond 256 GiB"),
        );
        sealed
    }

    /// Open what was sealed under the same context.
    pub fn unseal(&self, context: &str, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_at_checked(NONCE).context("a sealed value is cut short")?;
        let nonce: [u8; NONCE] = nonce.try_into()?;
        let cipher = XChaCha20Poly1305::new(self.derive("sealing").as_slice().try_into().expect("32 bytes"));
        cipher
            .decrypt(&XNonce::from(nonce), Payload { msg: text, aad: context.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| anyhow::anyhow!("a sealed value does not open: was it sealed with another master key?"))
    }
}

/// A random text of 32 bytes for tokens: 43 URL-safe characters.
pub fn token_make() -> Secret {
    let bytes: [u8; 32] = rand::random();
    Secret::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of a token: tokens have 256 bits, so a plain hash cannot be guessed back.
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring() -> Keyring {
        Keyring { master: Zeroizing::new([7; 32]) }
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_own_row() {
        let ring = keyring();
        let sealed = ring.seal("row 1", b"canary");
        assert!(!sealed.windows(6).any(|w| w == b"canary"));
        assert_eq!(ring.unseal("row 1", &sealed).unwrap().as_slice(), b"canary");
        assert!(ring.unseal("row 2", &sealed).is_err());
        assert!(ring.unseal("row 1", &sealed[..10]).is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_refused_when_others_can_read_it() {
        let path = std::env::temp_dir().join(format!("ocore-key-{}", uuid::Uuid::now_v7()));
        let sealed = Keyring::open(&path).unwrap().seal("x", b"y");
        assert_eq!(Keyring::open(&path).unwrap().unseal("x", &sealed).unwrap().as_slice(), b"y");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Keyring::open(&path).err().unwrap().to_string().contains("chmod 600"));
        fs::remove_file(path).unwrap();
    }
}
