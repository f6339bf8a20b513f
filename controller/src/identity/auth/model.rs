//! Sessions, limits of signing in, and what is asked for.

use crate::identity::account::model::Account;
use crate::identity::authentication::Client;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::UserId;
use ocore_shared::secret::Secret;
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// A person who has just signed in or refreshed.
pub struct SignedIn {
    pub access_token: String,
    pub refresh_token: Secret,
    pub account: Account,
}

/// The first admin and organization.
pub struct Bootstrap {
    pub email: String,
    pub password: Secret,
    pub name: String,
    pub organization_name: String,
    pub token: Option<Secret>,
    /// Where people and servers reach this controller.
    pub public_urls: Vec<String>,
    /// Keep them although they do not lead here from here.
    pub public_urls_unchecked: bool,
}

/// A person with a password, as signing in needs them.
pub struct PersonRow {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub password_hash: Option<String>,
    pub deactivated: bool,
}

/// Somebody who has proved who they are, and how.
pub struct Proof {
    pub user: UserId,
    pub name: String,
    /// `password`, `passkey`, `oauth:google`…
    pub method: String,
    /// With more than one factor.
    pub second_factor: bool,
}

/// One sign-in, or an attempt at one, as its person sees it later.
pub struct LoginNote<'a> {
    pub user: UserId,
    pub method: &'a str,
    /// Why it was refused; None: it succeeded.
    pub refused: Option<&'a str>,
    pub client: &'a Client,
}

/// A session as refreshing needs it.
pub struct SessionRow {
    pub user: UserId,
    pub user_name: String,
    pub refresh_hash: Vec<u8>,
    pub previous_hash: Option<Vec<u8>>,
    pub rotated_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ended: bool,
}

/// What a refresh token is to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAge {
    Newest,
    /// The one before, a moment after the rotation: a lost answer, or a second tab.
    JustReplaced,
    /// A copy that somebody kept.
    Reused,
}

/// For so long the token before the newest still answers.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

impl SessionRow {
    pub fn age_of(&self, hash: &[u8], now: DateTime<Utc>) -> TokenAge {
        if self.refresh_hash == hash {
            TokenAge::Newest
        } else if self.previous_hash.as_deref() == Some(hash) && now - self.rotated_at <= GRACE {
            TokenAge::JustReplaced
        } else {
            TokenAge::Reused
        }
    }
}

/// So many failures within the window lock an account for an address.
pub const FAILURES: i32 = 10;
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
pub const LOCK: TimeDelta = TimeDelta::minutes(15);

/// The bucket of an account and an address. Whether there is such an account makes no difference.
pub fn attempt_key(email: &str, address: Option<IpAddr>) -> String {
    format!("{}{}", attempt_key_prefix(email), network(address))
}

/// The bucket of what one client asks for without an account.
pub fn client_key(what: &str, address: Option<IpAddr>) -> String {
    format!("client:{what}:{}", network(address))
}

/// The bucket of mails that anybody can have sent to an address.
pub fn mail_key(email: &str) -> String {
    format!("mail:{}", email_hash(email))
}

fn network(address: Option<IpAddr>) -> String {
    match address {
        // One customer has at least a /64 of IPv6.
        Some(IpAddr::V6(v6)) => format!("{:x}", u128::from(v6) >> 64),
        Some(v4) => v4.to_string(),
        None => "unknown".into(),
    }
}

/// What all buckets of an account begin with. The address of the person is hashed: it may be mistyped, or a password.
pub fn attempt_key_prefix(email: &str) -> String {
    format!("login:{}:", email_hash(email))
}

fn email_hash(email: &str) -> String {
    use std::fmt::Write;
    let mut key = String::new();
    for byte in Sha256::digest(email.trim().to_lowercase().as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocore_shared::clock::{Clock, SystemClock};

    #[test]
    fn buckets_are_per_account_and_network() {
        let address = |text: &str| Some(text.parse().unwrap());
        assert_eq!(attempt_key("A@x.org ", address("192.0.2.1")), attempt_key("a@X.org", address("192.0.2.1")));
        assert_ne!(attempt_key("a@x.org", address("192.0.2.1")), attempt_key("a@x.org", address("192.0.2.2")));
        assert_eq!(attempt_key("a@x.org", address("2001:db8::1")), attempt_key("a@x.org", address("2001:db8::2")));
        assert!(attempt_key("a@x.org", None).starts_with(&attempt_key_prefix("a@x.org")));
    }

    #[test]
    fn a_replaced_token_has_ten_seconds() {
        let now = SystemClock.now();
        let session = SessionRow {
            user: UserId::new(),
            user_name: "Ada".into(),
            refresh_hash: vec![2],
            previous_hash: Some(vec![1]),
            rotated_at: now,
            expires_at: now,
            ended: false,
        };
        assert_eq!(session.age_of(&[2], now + TimeDelta::hours(1)), TokenAge::Newest);
        assert_eq!(session.age_of(&[1], now + GRACE), TokenAge::JustReplaced);
        assert_eq!(session.age_of(&[1], now + GRACE + TimeDelta::seconds(1)), TokenAge::Reused);
        assert_eq!(session.age_of(&[0], now), TokenAge::Reused);
    }
}
