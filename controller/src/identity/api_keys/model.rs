//! What a key looks like, and where it counts.

use crate::identity::roles::model::ScopeRef;
use crate::platform::http::Place;
use crate::platform::http::surface::Surface;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{ApiKeyId, ServiceAccountId};
use ocore_shared::secret::Secret;
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::types::ipnetwork::IpNetwork;
use utoipa::ToSchema;

/// What keys begin with; either is taken on every surface.
pub const KEY_PREFIXES: [&str; 2] = ["ocore_k_", "shardlyn_api_"];

/// What keys begin with that are made on a surface.
pub fn key_prefix(surface: Surface) -> &'static str {
    match surface {
        Surface::Api => KEY_PREFIXES[0],
        Surface::V1 => KEY_PREFIXES[1],
    }
}

const RANDOM: usize = 32;
const CHECKSUM: usize = 6;
/// Characters of the random part that lists show.
const SHOWN: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new key: prefix, 190 random bits, checksum.
pub fn key_make(prefix: &str) -> Secret {
    let random = Alphanumeric.sample_string(&mut rand::rng(), RANDOM);
    let body = format!("{prefix}{random}");
    let checksum = checksum(&body);
    Secret::new(body + &checksum)
}

/// Whether the text wants to be a key.
pub fn is_key(text: &str) -> bool {
    KEY_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// Whether the text can be a key at all: what was mistyped or made up costs no query.
pub fn key_is_well_formed(text: &str) -> bool {
    let Some(random) = KEY_PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) else { return false };
    if random.len() != RANDOM + CHECKSUM || !random.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let (body, sum) = text.split_at(text.len() - CHECKSUM);
    checksum(body) == sum
}

/// The part that lists show.
pub fn key_shown(key: &Secret) -> String {
    let text = key.expose();
    let prefix = KEY_PREFIXES.iter().find(|prefix| text.starts_with(**prefix)).map_or(0, |prefix| prefix.len());
    text.chars().take(prefix + SHOWN).collect()
}

fn checksum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    let mut number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) as usize;
    let mut text = [b'0'; CHECKSUM];
    for place in text.iter_mut().rev() {
        *place = BASE62[number % 62];
        number /= 62;
    }
    text.iter().map(|b| char::from(*b)).collect()
}

/// A key as everybody sees it after it was made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    /// Its first characters, to recognize it by.
    pub prefix: String,
    pub permissions: Vec<String>,
    pub scope: ScopeRef,
    /// Addresses and networks that it may be used from; empty: all.
    pub allowed_addresses: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// Whose it is, when it is a service account's.
    pub service_account_id: Option<ServiceAccountId>,
    /// Until when the key before its last rotation works as well.
    pub previous_until: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    #[serde(skip)]
    pub place: Place,
}

/// What is asked for.
pub struct NewApiKey {
    pub prefix: &'static str,
    pub name: String,
    pub permissions: Vec<String>,
    pub scope: ScopeRef,
    pub expires_at: Option<DateTime<Utc>>,
    pub allowed_addresses: Vec<IpNetwork>,
    /// Make it this service account's instead of the maker's own.
    pub service_account: Option<ServiceAccountId>,
}

/// What a key becomes.
pub struct ApiKeyChange {
    pub name: String,
    pub allowed_addresses: Vec<IpNetwork>,
}

/// `192.0.2.7` or `192.0.2.0/24`.
pub fn network_parse(text: &str) -> Option<IpNetwork> {
    text.trim().parse().ok()
}

/// Whether every address of `inner` is in one of `outer`.
pub fn networks_contain(outer: &[IpNetwork], inner: &IpNetwork) -> bool {
    outer.iter().any(|network| {
        network.prefix() <= inner.prefix() && network.is_ipv4() == inner.is_ipv4() && network.contains(inner.network())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_carry_their_own_checksum() {
        for prefix in KEY_PREFIXES {
            let key = key_make(prefix);
            assert!(key_is_well_formed(key.expose()), "{}", key.expose());
            assert_eq!(key_shown(&key).len(), prefix.len() + SHOWN);
            let mut mistyped = key.expose().to_owned();
            let last = if mistyped.pop() == Some('0') { '1' } else { '0' };
            mistyped.push(last);
            assert!(!key_is_well_formed(&mistyped));
        }
        for nonsense in ["", "ocore_k_", "ocore_k_abc123xyz", "abc123xyz", "shardlyn_api_ä"] {
            assert!(!key_is_well_formed(nonsense), "{nonsense}");
        }
    }

    #[test]
    fn networks_nest() {
        let outer = [network_parse("10.0.0.0/8").unwrap(), network_parse("2001:db8::/32").unwrap()];
        let inside = |text| networks_contain(&outer, &network_parse(text).unwrap());
        assert!(inside("10.1.2.3") && inside("10.0.0.0/8") && inside("2001:db8:1::/48"));
        assert!(!inside("0.0.0.0/0") && !inside("11.0.0.1") && !inside("::/0"));
        assert!(network_parse("10.0.0.0/40").is_none() && network_parse("example.com").is_none());
    }
}
