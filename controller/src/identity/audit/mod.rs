//! The audit log: every change and every sensitive read writes its row in its own transaction. Once a second a sealer
//! numbers what is committed, chains it by hashes and signs the chain's end, so that nobody, the database's superuser
//! included, changes, removes or reorders entries unseen. Tables `audit_log`, `audit_chains`; permission `view:audit`.

pub mod chain;
#[cfg(test)]
mod coverage_tests;
pub mod export;
pub mod heads;
pub mod model;
pub mod retention;
pub mod routes;
pub mod sealer;
pub mod service;
pub mod store;
#[cfg(test)]
mod tamper_tests;
#[cfg(test)]
pub mod tests;
pub mod verify;

use crate::config::Config;
use crate::platform::secrets::Keyring;
use chain::Signer;
use heads::{HeadFile, HeadSinks};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Verifications at once in this replica: each reads a whole chain.
const VERIFICATIONS: usize = 2;

/// What sealing and verifying share with the rest.
pub struct AuditState {
    pub signer: Signer,
    /// Where heads are kept outside the database. A store of objects would be one more.
    pub sinks: HeadSinks,
    pub verifying: Semaphore,
}

impl AuditState {
    pub fn new(config: &Config, keyring: &Keyring) -> anyhow::Result<Self> {
        let file = HeadFile::new(config.data_dir.join("audit").join("heads.jsonl"));
        Ok(Self {
            signer: Signer::new(keyring)?,
            sinks: HeadSinks::new(vec![Arc::new(file)]),
            verifying: Semaphore::new(VERIFICATIONS),
        })
    }
}
