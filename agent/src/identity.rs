//! Who this agent is: its key and certificate, the authority it trusts, and where its controllers are. One file, so
//! that key and certificate are always replaced together.

use crate::config::{Config, create_private_dir, write_atomically};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::enrollment::Identity;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// What `identity/identity.json` holds. No `Debug`: the key is in it.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredIdentity {
    pub server_id: ServerId,
    pub organization_id: OrganizationId,
    pub issued_at: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    /// `host:port`, in the order to try.
    pub controllers: Vec<String>,
    pub certificate_pem: String,
    pub ca_pem: String,
    key_pem: String,
}

impl StoredIdentity {
    pub fn new(issued: Identity, key: &NewKey, issued_at: DateTime<Utc>) -> Self {
        Self {
            server_id: issued.server_id,
            organization_id: issued.organization_id,
            issued_at,
            not_after: issued.not_after,
            controllers: issued.controllers,
            certificate_pem: issued.certificate_pem,
            ca_pem: issued.ca_pem,
            key_pem: key.key_pem.clone(),
        }
    }

    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// When two thirds of the certificate's life are over.
    pub fn renew_at(&self) -> DateTime<Utc> {
        self.issued_at + (self.not_after - self.issued_at) * 2 / 3
    }
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("this server is not enrolled: run the install command that the console shows for it")]
    Missing,
    #[error("the identity {0} cannot be read: {1}; enrol again with --force")]
    Unreadable(PathBuf, String),
    #[error("the identity {0} cannot be written: {1}")]
    Unwritable(PathBuf, std::io::Error),
    #[error("a key cannot be made: {0}")]
    Key(#[from] rcgen::Error),
}

/// The identity in use, shared by the tunnel and the renewal.
#[derive(Clone)]
pub struct IdentityStore {
    path: PathBuf,
    current: Arc<RwLock<Arc<StoredIdentity>>>,
}

fn path_of(config: &Config) -> PathBuf {
    config.identity_dir().join("identity.json")
}

impl IdentityStore {
    pub fn load(config: &Config) -> Result<Self, IdentityError> {
        let path = path_of(config);
        let unreadable = |e: String| IdentityError::Unreadable(path.clone(), e);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(IdentityError::Missing),
            read => read.map_err(|e| unreadable(e.to_string()))?,
        };
        let identity = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
        Ok(Self { path, current: Arc::new(RwLock::new(Arc::new(identity))) })
    }

    /// Store an identity for the first time, or in place of another.
    pub fn create(config: &Config, identity: StoredIdentity) -> Result<Self, IdentityError> {
        let directory = config.identity_dir();
        create_private_dir(&directory).map_err(|e| IdentityError::Unwritable(directory, e))?;
        let store = Self { path: path_of(config), current: Arc::new(RwLock::new(Arc::new(identity.clone()))) };
        store.replace(identity)?;
        Ok(store)
    }

    pub fn get(&self) -> Arc<StoredIdentity> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn replace(&self, identity: StoredIdentity) -> Result<(), IdentityError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        self.write(&identity)?;
        *current = Arc::new(identity);
        Ok(())
    }

    /// The controllers' addresses as announced now.
    pub fn set_controllers(&self, controllers: Vec<String>) -> Result<(), IdentityError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if controllers.is_empty() || current.controllers == controllers {
            return Ok(());
        }
        let identity = StoredIdentity { controllers, ..(**current).clone() };
        self.write(&identity)?;
        *current = Arc::new(identity);
        Ok(())
    }

    fn write(&self, identity: &StoredIdentity) -> Result<(), IdentityError> {
        let failed = |e| IdentityError::Unwritable(self.path.clone(), e);
        let json = zeroize::Zeroizing::new(serde_json::to_vec_pretty(identity).map_err(|e| failed(e.into()))?);
        write_atomically(&self.path, &json, 0o600).map_err(failed)
    }
}

/// A fresh P-256 key and the request to sign it. The key never leaves the server.
pub struct NewKey {
    key_pem: String,
    pub csr_pem: String,
}

impl NewKey {
    pub fn generate() -> Result<Self, IdentityError> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let csr = rcgen::CertificateParams::default().serialize_request(&key)?;
        Ok(Self { key_pem: key.serialize_pem(), csr_pem: csr.pem()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_identity_survives_a_restart_and_only_root_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::load(dir.path().join("lib"), dir.path().join("etc")).unwrap();
        assert!(matches!(IdentityStore::load(&config), Err(IdentityError::Missing)));
        let key = NewKey::generate().unwrap();
        let issued = Identity {
            server_id: ServerId::new(),
            organization_id: OrganizationId::new(),
            certificate_pem: "cert".into(),
            ca_pem: "ca".into(),
            not_after: DateTime::UNIX_EPOCH + TimeDelta::days(30),
            controllers: vec!["one:8443".into()],
        };
        let identity = StoredIdentity::new(issued, &key, DateTime::UNIX_EPOCH);
        assert_eq!(identity.renew_at(), DateTime::UNIX_EPOCH + TimeDelta::days(20));
        let store = IdentityStore::create(&config, identity).unwrap();
        store.set_controllers(vec!["two:8443".into()]).unwrap();
        let again = IdentityStore::load(&config).unwrap().get();
        assert_eq!(again.controllers, ["two:8443"]);
        assert!(again.key_pem().contains("PRIVATE KEY"));
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(path_of(&config)), 0o600);
        assert_eq!(mode(config.identity_dir()), 0o700);
    }
}
