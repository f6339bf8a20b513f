//! The chain: what of an entry is hashed, and what of a chain is signed.

pub mod store;

use crate::platform::secrets::Keyring;
use anyhow::Context;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use uuid::Uuid;

/// The chain of what belongs to no organization.
pub const PLATFORM: Uuid = Uuid::nil();
const ENTRY: &[u8] = b"ocore audit entry 1\0";
const HEAD: &[u8] = b"ocore audit head 1\0";
const START: &[u8] = b"ocore audit start 1\0";
/// In place of the length of what is absent; no text is that long.
const ABSENT: u32 = u32::MAX;

/// A SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Before the first entry.
    pub const NONE: Self = Self([0; 32]);

    /// As stored; what has another length is no hash and equals none.
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a hash"))
    }
}

/// An entry as the chain sees it: every column, in the database's own words.
pub struct Entry {
    pub id: Uuid,
    pub organization: Option<Uuid>,
    pub action: String,
    pub actor: String,
    pub subject: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: DateTime<Utc>,
    pub xid: String,
    /// None until it is sealed.
    pub seq: Option<i64>,
    pub hash: Option<Vec<u8>>,
}

impl Entry {
    /// The chain that it belongs to.
    pub fn chain(&self) -> Uuid {
        self.organization.unwrap_or(PLATFORM)
    }

    /// Its hash as number `seq` after an entry with that hash. `buffer` is only kept to be filled again.
    pub fn hash_at(&self, seq: i64, previous: &Hash, buffer: &mut Vec<u8>) -> Hash {
        buffer.clear();
        buffer.extend_from_slice(ENTRY);
        buffer.extend_from_slice(&previous.0);
        buffer.extend_from_slice(&seq.to_be_bytes());
        buffer.extend_from_slice(self.id.as_bytes());
        buffer.push(u8::from(self.organization.is_some()));
        buffer.extend_from_slice(self.chain().as_bytes());
        buffer.extend_from_slice(&self.created_at.timestamp_micros().to_be_bytes());
        let texts = [
            Some(&self.action),
            Some(&self.actor),
            Some(&self.subject),
            self.before.as_ref(),
            self.after.as_ref(),
            self.address.as_ref(),
            self.request_id.as_ref(),
            self.user_agent.as_ref(),
            Some(&self.xid),
        ];
        for text in texts {
            // With its length first, no two entries have the same bytes.
            let length = text.map_or(ABSENT, |text| text.len() as u32);
            buffer.extend_from_slice(&length.to_be_bytes());
            buffer.extend_from_slice(text.map_or(&[], |text| text.as_bytes()));
        }
        Hash(Sha256::digest(&buffer).into())
    }

    pub fn has_hash(&self, hash: &Hash) -> bool {
        self.hash.as_deref() == Some(hash.0.as_slice())
    }
}

/// The signed end of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Nil for the platform's own chain.
    pub organization_id: Uuid,
    pub seq: i64,
    pub hash: Hash,
    pub sealed_at: DateTime<Utc>,
    #[serde(with = "base64_text")]
    pub signature: Vec<u8>,
}

impl Head {
    /// The signature, Base64.
    pub fn signature_text(&self) -> String {
        STANDARD.encode(&self.signature)
    }
}

/// The signed place before the first entry that is kept.
#[derive(Clone, Debug)]
pub struct Start {
    pub organization_id: Uuid,
    /// Number of the first entry that is kept, or of the next one when none is.
    pub seq: i64,
    /// Hash of the entry before it.
    pub hash: Hash,
    pub signature: Vec<u8>,
}

/// A chain's row.
pub struct Chain {
    pub head: Head,
    pub start: Start,
}

/// Signs heads and starts with a key that only who has the master key can make.
pub struct Signer {
    pair: Ed25519KeyPair,
}

impl Signer {
    pub fn new(keyring: &Keyring) -> anyhow::Result<Self> {
        let seed = keyring.derive("audit heads");
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).context("the key of the audit log's heads")?;
        Ok(Self { pair })
    }

    /// The public key, Base64, by which anybody can check the heads.
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.pair.public_key())
    }

    pub fn head(&self, organization_id: Uuid, seq: i64, hash: Hash, now: DateTime<Utc>) -> Head {
        // The database keeps no finer time, and what is signed must be what is read back.
        let sealed_at = now.trunc_subsecs(6);
        let signature = self.sign(&head_bytes(organization_id, seq, &hash, sealed_at));
        Head { organization_id, seq, hash, sealed_at, signature }
    }

    pub fn start(&self, organization_id: Uuid, seq: i64, hash: Hash) -> Start {
        let signature = self.sign(&start_bytes(organization_id, seq, &hash));
        Start { organization_id, seq, hash, signature }
    }

    /// Whether we have signed it.
    pub fn head_holds(&self, head: &Head) -> bool {
        let bytes = head_bytes(head.organization_id, head.seq, &head.hash, head.sealed_at);
        self.holds(&bytes, &head.signature)
    }

    pub fn start_holds(&self, start: &Start) -> bool {
        self.holds(&start_bytes(start.organization_id, start.seq, &start.hash), &start.signature)
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }

    fn holds(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.pair.public_key().as_ref()).verify(bytes, signature).is_ok()
    }
}

fn head_bytes(organization: Uuid, seq: i64, hash: &Hash, sealed_at: DateTime<Utc>) -> Vec<u8> {
    let at = sealed_at.timestamp_micros().to_be_bytes();
    [HEAD, organization.as_bytes(), &seq.to_be_bytes(), &hash.0, &at].concat()
}

fn start_bytes(organization: Uuid, seq: i64, hash: &Hash) -> Vec<u8> {
    [START, organization.as_bytes(), &seq.to_be_bytes(), &hash.0].concat()
}

mod base64_text {
    use super::{Engine, STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            id: Uuid::from_u128(1),
            organization: Some(Uuid::from_u128(2)),
            action: "role.created".into(),
            actor: "{}".into(),
            subject: "{}".into(),
            before: None,
            after: Some("{}".into()),
            address: None,
            request_id: Some("a".into()),
            user_agent: Some("b".into()),
            created_at: DateTime::UNIX_EPOCH,
            xid: "7".into(),
            seq: None,
            hash: None,
        }
    }

    #[test]
    fn whatever_changes_changes_the_hash() {
        let hash = |entry: Entry| entry.hash_at(1, &Hash::NONE, &mut Vec::new());
        let mut seen = vec![
            hash(entry()),
            entry().hash_at(2, &Hash::NONE, &mut Vec::new()),
            entry().hash_at(1, &Hash([1; 32]), &mut Vec::new()),
            hash(Entry { organization: None, ..entry() }),
            // The same letters elsewhere.
            hash(Entry { before: Some("{}".into()), after: None, ..entry() }),
            hash(Entry { request_id: Some("ab".into()), user_agent: Some(String::new()), ..entry() }),
            hash(Entry { request_id: Some("ab".into()), user_agent: None, ..entry() }),
            hash(Entry { xid: "8".into(), ..entry() }),
        ];
        let all = seen.len();
        seen.sort_by_key(|hash| hash.0);
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn heads_hold_as_they_were_signed_and_no_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let signer = |name| Signer::new(&Keyring::open(&directory.path().join(name)).unwrap()).unwrap();
        let (ours, other) = (signer("ours"), signer("other"));
        let head = ours.head(PLATFORM, 7, Hash([3; 32]), DateTime::UNIX_EPOCH);
        let read: Head = serde_json::from_str(&serde_json::to_string(&head).unwrap()).unwrap();
        assert_eq!(read, head);
        assert!(ours.head_holds(&read) && !other.head_holds(&read));
        assert!(!ours.head_holds(&Head { seq: 8, ..head.clone() }));
        assert!(!ours.head_holds(&Head { hash: Hash([4; 32]), ..head.clone() }));
        assert!(!ours.head_holds(&Head { organization_id: Uuid::from_u128(1), ..head.clone() }));
        // A head is no start, though it has the same number and hash.
        let start = Start { organization_id: PLATFORM, seq: 7, hash: Hash([3; 32]), signature: head.signature };
        assert!(!ours.start_holds(&start) && ours.start_holds(&ours.start(PLATFORM, 7, Hash([3; 32]))));
    }
}
