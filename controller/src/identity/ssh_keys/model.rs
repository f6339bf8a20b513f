//! Which public keys are taken.

use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use ocore_shared::ids::SshKeyId;
use russh::keys::ssh_key::{Algorithm, HashAlg, PublicKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const RSA_SHORTEST: u32 = 3072;
pub const NAME_LONGEST: usize = 64;
/// Keys of one person.
pub const MOST: i64 = 50;

/// A public key of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshKey {
    pub id: SshKeyId,
    pub name: String,
    /// E.g. `ssh-ed25519`.
    pub key_type: String,
    /// One line, as in `authorized_keys`, without a comment.
    pub public_key: String,
    /// `SHA256:…`, as `ssh-keygen -lf` shows it.
    pub fingerprint: String,
    /// The one that is used where none is chosen.
    pub is_default: bool,
    pub last_used_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A key that was read and found strong enough.
#[derive(Debug)]
pub struct ReadKey {
    pub key_type: String,
    pub line: String,
    pub fingerprint: String,
    pub comment: String,
}

/// What a key becomes.
pub struct SshKeyChange {
    pub name: String,
    pub is_default: bool,
}

fn refused(constraint: &str, message: impl Into<String>) -> Error {
    Error::field("public_key", constraint, message)
}

/// Read one line of a public key.
pub fn key_read(text: &str) -> Result<ReadKey> {
    let text = text.trim();
    if text.contains("PRIVATE KEY") {
        let message =
            "This is the private key: show it to nobody. Give the public one, from the file that ends in .pub.";
        return Err(refused("public", message));
    }
    if text.contains(['\n', '\r']) {
        return Err(refused("format", "A public key is one line; add several keys one by one."));
    }
    let unreadable = || {
        let message =
            "This is no public key; it looks like: ssh-ed25519 AAAA… name@host (from the file that ends in .pub).";
        refused("format", message)
    };
    let mut key: PublicKey = text.parse().map_err(|_| unreadable())?;
    let strong = match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => true,
        Algorithm::Rsa { .. } => {
            let bits = key.key_data().rsa().map_or(0, |rsa| rsa.key_size());
            if bits < RSA_SHORTEST {
                let message = format!(
                    "This RSA key has {bits} bits, and less than {RSA_SHORTEST} are too few; make another one with: \
                     ssh-keygen -t ed25519"
                );
                return Err(refused("strength", message));
            }
            true
        }
        _ => false,
    };
    if !strong {
        let message = "Keys of this kind are not taken; make one with: ssh-keygen -t ed25519";
        return Err(refused("algorithm", message));
    }
    let comment = String::from_utf8_lossy(key.comment().as_bytes()).trim().to_owned();
    key.set_comment("");
    let line = key.to_openssh().map_err(|_| unreadable())?.trim_end().to_owned();
    Ok(ReadKey {
        key_type: key.algorithm().as_str().to_owned(),
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        line,
        comment,
    })
}
