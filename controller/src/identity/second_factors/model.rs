//! Codes, and how they are checked.

use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use hkdf::Hkdf;
use ocore_shared::ids::UserId;
use ocore_shared::secret::Secret;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use totp_rs::{Algorithm, Builder, Totp};
use utoipa::ToSchema;

const ISSUER: &str = "oCore";
const DIGITS: u8 = 6;
const STEP_SECONDS: u64 = 30;
/// Steps before and after the present one that count, for clocks that are a little off.
const SKEW: u16 = 1;

/// Recovery codes in one set.
pub const RECOVERY_CODES: usize = 8;
const RECOVERY_LENGTH: usize = 12;
const RECOVERY_GROUP: usize = 4;
/// Without those that look alike on paper (0 o, 1 i l).
const RECOVERY_ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// For so long a person who has shown their password may show a second factor.
pub const OWED_LIFE: TimeDelta = TimeDelta::minutes(5);
/// So many codes may be tried within the window, right or wrong.
pub const TRIES: i32 = 5;
pub const TRIES_WINDOW: TimeDelta = TimeDelta::minutes(1);

/// How a person's codes are counted.
pub fn tries_key(user: UserId) -> String {
    format!("mfa:{user}")
}

/// Whether codes are asked for at sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpStatus {
    /// A code is asked for after the password.
    pub enabled: bool,
    /// Since when.
    pub enabled_at: Option<DateTime<Utc>>,
    /// Enrolled, but no code was shown yet: nothing is asked for.
    pub pending: bool,
    /// Recovery codes that were not used yet.
    pub recovery_codes_left: i64,
}

/// A key for an authenticator app, shown once.
pub struct Enrollment {
    pub secret: String,
    pub uri: String,
}

/// A stored key, opened.
pub struct TotpKey {
    totp: Totp,
}

impl TotpKey {
    /// A new key of 160 random bits, as RFC 4226 recommends.
    pub fn new_bytes() -> [u8; 20] {
        rand::random()
    }

    pub fn new(bytes: &[u8], email: &str) -> Result<Self> {
        // A colon parts issuer and account in the URI.
        let account: String = email.chars().filter(|c| *c != ':').collect();
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_skew(SKEW)
            .with_step_duration(STEP_SECONDS)
            .with_secret(bytes.to_vec())
            .with_account_name(account)
            .with_issuer(Some(ISSUER))
            .build()
            .map_err(|error| Error::internal(anyhow::anyhow!("a TOTP key cannot be used: {error}")))?;
        Ok(Self { totp })
    }

    pub fn enrollment(&self) -> Result<Enrollment> {
        let uri = self.totp.to_url().map_err(|error| Error::internal(anyhow::anyhow!("no otpauth URI: {error}")))?;
        Ok(Enrollment { secret: self.totp.secret().to_base32(), uri })
    }

    /// The time step that the code belongs to, if it is one of now.
    pub fn step_of(&self, code: &str, now: DateTime<Utc>) -> Option<i64> {
        let seconds = u64::try_from(now.timestamp()).ok()?;
        i64::try_from(self.totp.check(code, seconds)?).ok()
    }

    #[cfg(test)]
    pub fn code_at(&self, now: DateTime<Utc>) -> String {
        self.totp.generate(now.timestamp().unsigned_abs()).to_string()
    }
}

/// What somebody typed.
pub enum Code {
    /// Six digits of an authenticator app.
    Totp(Secret),
    /// A recovery code without its dashes.
    Recovery(Secret),
}

impl Code {
    /// Blanks, dashes and capitals make no difference.
    pub fn read(field: &str, typed: &Secret) -> Result<Self> {
        let wrong = || {
            let message = "A code has six digits (123 456); a recovery code looks like abcd-efgh-jkmn.";
            Error::field(field, "pattern", message)
        };
        if typed.expose().len() > 64 {
            return Err(wrong());
        }
        let plain: String = typed
            .expose()
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let plain = Secret::new(plain);
        let text = plain.expose();
        if text.len() == usize::from(DIGITS) && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self::Totp(plain))
        } else if text.len() == RECOVERY_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self::Recovery(plain))
        } else {
            Err(wrong())
        }
    }

    /// Its name among the ways of signing in.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Totp(_) => "totp",
            Self::Recovery(_) => "recovery_code",
        }
    }
}

/// A new set of recovery codes, as they are shown: `xxxx-xxxx-xxxx`, 59 random bits each.
pub fn recovery_codes_make() -> Vec<String> {
    let mut rng = rand::rng();
    (0..RECOVERY_CODES)
        .map(|_| {
            let mut code = String::with_capacity(RECOVERY_LENGTH + 2);
            for place in 0..RECOVERY_LENGTH {
                if place > 0 && place % RECOVERY_GROUP == 0 {
                    code.push('-');
                }
                code.push(char::from(RECOVERY_ALPHABET[rng.random_range(0..RECOVERY_ALPHABET.len())]));
            }
            code
        })
        .collect()
}

/// What is stored of a recovery code: HMAC-SHA256 under a key of ours (which is what HKDF's first half is), so that
/// the table alone cannot be tried through.
pub fn recovery_hash(key: &[u8], user: UserId, code: &str) -> Vec<u8> {
    let plain: String = code.chars().filter(|c| *c != '-').collect();
    Hkdf::<Sha256>::extract(Some(key), format!("{user} {plain}").as_bytes()).0.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocore_shared::clock::{Clock, SystemClock};

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, the last six of its eight digits.
        let key = TotpKey::new(b"12345678901234567890", "ada@example.com").unwrap();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            assert_eq!(key.code_at(at), code);
            assert_eq!(key.step_of(code, at), Some(seconds / 30));
        }
    }

    #[test]
    fn one_step_off_counts_and_two_do_not() {
        let key = TotpKey::new(&TotpKey::new_bytes(), "ada@example.com").unwrap();
        let now = SystemClock.now();
        let step = now.timestamp() / 30;
        let code = |offset: i64| key.code_at(now + TimeDelta::seconds(30 * offset));
        for offset in [-1, 0, 1] {
            assert_eq!(key.step_of(&code(offset), now), Some(step + offset));
        }
        for offset in [-2, 2] {
            // Unless it is by chance the code of a step that counts.
            let code = code(offset);
            assert!(
                key.step_of(&code, now).is_none() || [-1, 0, 1].iter().any(|o| self::code_is(&key, &code, now, *o))
            );
        }
        assert_eq!(key.step_of("12345", now), None);
    }

    fn code_is(key: &TotpKey, code: &str, now: DateTime<Utc>, offset: i64) -> bool {
        key.code_at(now + TimeDelta::seconds(30 * offset)) == code
    }

    #[test]
    fn apps_can_read_the_uri() {
        let key = TotpKey::new(b"12345678901234567890", "ada@example.com").unwrap().enrollment().unwrap();
        assert_eq!(key.secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(key.uri.starts_with("otpauth://totp/oCore:ada%40example.com?"), "{}", key.uri);
        assert!(key.uri.contains(&format!("secret={}", key.secret)) && key.uri.contains("issuer=oCore"), "{}", key.uri);
    }

    #[test]
    fn what_people_type_is_read_kindly() {
        let read = |text: &str| Code::read("code", &Secret::new(text));
        assert!(matches!(read(" 123 456 "), Ok(Code::Totp(code)) if code.expose() == "123456"));
        assert!(matches!(read("ABCD-efgh-jkm2"), Ok(Code::Recovery(code)) if code.expose() == "abcdefghjkm2"));
        for wrong in ["", "12345", "1234567", "abcd-efgh", "abcd-efgh-jkm_", &"1".repeat(1000)] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn recovery_codes_differ_and_hide() {
        let codes = recovery_codes_make();
        let user = UserId::new();
        assert_eq!(codes.len(), RECOVERY_CODES);
        for code in &codes {
            assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4]);
            assert!(matches!(Code::read("code", &Secret::new(code.as_str())), Ok(Code::Recovery(_))));
            assert_eq!(codes.iter().filter(|other| *other == code).count(), 1);
            assert_ne!(recovery_hash(b"key", user, code), recovery_hash(b"other", user, code));
            assert_ne!(recovery_hash(b"key", user, code), recovery_hash(b"key", UserId::new(), code));
            assert_eq!(recovery_hash(b"key", user, code), recovery_hash(b"key", user, &code.replace('-', "")));
        }
    }
}
