//! Access tokens (JWT, HS256 and nothing else) and refresh tokens.
//!
//! A refresh token is `ocore_r_` + base64url of session id, body and tag. The tag shows that we made it, so any token of
//! a session that is no longer its newest is known as a copy. The next body follows from the present one and our key:
//! a client whose answer was lost gets the same successor again, and two tabs that refresh at once get one.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::platform::http::surface::Surface;
use crate::platform::secrets::Keyring;
use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hkdf::Hkdf;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ocore_shared::ids::{SessionId, UserId};
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::time::Duration;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What clients of `/v1` were promised.
const ACCESS_LIFE_V1: Duration = Duration::from_secs(900);
const ISSUER: &str = "ocore";
const AUDIENCE: &str = "ocore";
const ACCESS: &str = "access";
const SHORTEST_SECRET: usize = 32;
const REFRESH_PREFIX: &str = "ocore_r_";

/// Makes and reads tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    refresh_key: Zeroizing<[u8; 32]>,
    access_life: Duration,
    pub refresh_life: Duration,
}

/// What an access token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    typ: String,
    iat: i64,
    exp: i64,
    pub sub: UserId,
    pub sid: SessionId,
}

/// Why an access token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessProblem {
    Expired,
    Unreadable,
}

impl AccessProblem {
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "token_expired",
            Self::Unreadable => "unauthenticated",
        }
    }

    pub fn message(self) -> &'static str {
        match self {
            Self::Expired => "The access token has expired; refresh it with POST /api/auth/refresh.",
            Self::Unreadable => "The access token cannot be read; sign in again.",
        }
    }
}

impl Tokens {
    pub fn new(config: &Config, keyring: &Keyring) -> anyhow::Result<Self> {
        let secret = match &config.jwt_secret {
            Some(secret) if secret.expose().len() < SHORTEST_SECRET => {
                bail!("JWT_SECRET must have at least {SHORTEST_SECRET} characters, or be left out");
            }
            Some(secret) => Zeroizing::new(secret.expose().as_bytes().to_vec()),
            None => Zeroizing::new(keyring.derive("access tokens").to_vec()),
        };
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // The expiry is compared with the clock that is passed in.
        validation.validate_exp = false;
        Ok(Self {
            encoding: EncodingKey::from_secret(&secret),
            decoding: DecodingKey::from_secret(&secret),
            validation,
            refresh_key: keyring.derive("refresh tokens"),
            access_life: config.access_expiry,
            refresh_life: config.refresh_expiry,
        })
    }

    /// How long access tokens live that are given out on a surface.
    pub fn access_life_on(&self, surface: Surface) -> Duration {
        match surface {
            Surface::Api => self.access_life,
            Surface::V1 => self.access_life.min(ACCESS_LIFE_V1),
        }
    }

    /// An access token for a session.
    pub fn access_make(
        &self, user: UserId, session: SessionId, now: DateTime<Utc>, surface: Surface,
    ) -> Result<String> {
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            typ: ACCESS.into(),
            iat: now.timestamp(),
            exp: now.timestamp().saturating_add_unsigned(self.access_life_on(surface).as_secs()),
            sub: user,
            sid: session,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(Error::internal)
    }

    /// What a token says, if we made it and it has not expired.
    pub fn access_read(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, AccessProblem> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| AccessProblem::Unreadable)?
            .claims;
        if claims.typ != ACCESS {
            return Err(AccessProblem::Unreadable);
        }
        if claims.exp <= now.timestamp() {
            return Err(AccessProblem::Expired);
        }
        Ok(claims)
    }

    /// The first refresh token of a session.
    pub fn refresh_first(&self, session: SessionId) -> RefreshToken {
        RefreshToken { session, body: Zeroizing::new(rand::random()) }
    }

    /// The token after this one: always the same.
    pub fn refresh_next(&self, token: &RefreshToken) -> RefreshToken {
        let body = self.derive("next", token.session, token.body.as_slice());
        RefreshToken { session: token.session, body: Zeroizing::new(body) }
    }

    pub fn refresh_write(&self, token: &RefreshToken) -> Secret {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        bytes.extend(token.session.0.as_bytes());
        bytes.extend(token.body.as_slice());
        bytes.extend(self.tag(token));
        Secret::new(format!("{REFRESH_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// None for everything that we did not make.
    pub fn refresh_read(&self, text: &str) -> Option<RefreshToken> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(REFRESH_PREFIX)?).ok()?);
        let (session, rest) = bytes.split_first_chunk::<16>()?;
        let (body, tag) = rest.split_first_chunk::<32>()?;
        let token = RefreshToken { session: SessionId(Uuid::from_bytes(*session)), body: Zeroizing::new(*body) };
        bool::from(self.tag(&token).ct_eq(tag)).then_some(token)
    }

    fn tag(&self, token: &RefreshToken) -> [u8; 16] {
        self.derive("tag", token.session, token.body.as_slice())
    }

    fn derive<const N: usize>(&self, purpose: &str, session: SessionId, body: &[u8]) -> [u8; N] {
        let mut out = [0u8; N];
        Hkdf::<Sha256>::new(Some(self.refresh_key.as_slice()), body)
            .expand_multi_info(&[purpose.as_bytes(), session.0.as_bytes()], &mut out)
            .expect("up to 32 bytes are a valid length for HKDF-SHA256");
        out
    }
}

/// A refresh token that we made.
pub struct RefreshToken {
    pub session: SessionId,
    body: Zeroizing<[u8; 32]>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use chrono::TimeDelta;
    use ocore_shared::clock::{Clock, SystemClock};
    use serde_json::{Value, json};

    fn tokens(secret: &str) -> anyhow::Result<Tokens> {
        let arguments = ["ocore-controller", "--jwt-secret", secret].map(Into::into);
        let path = std::env::temp_dir().join(format!("ocore-tokens-{}", Uuid::now_v7()));
        let keyring = Keyring::open(&path)?;
        std::fs::remove_file(path)?;
        Tokens::new(&Cli::read(arguments, |_| None)?.config, &keyring)
    }

    const SECRET: &str = "a secret of more than 32 characters";

    fn forged(algorithm: Algorithm, change: impl Fn(&mut Value)) -> String {
        let now = SystemClock.now().timestamp();
        let mut claims = json!({
            "iss": "ocore", "aud": "ocore", "typ": "access", "iat": now, "exp": now + 60,
            "sub": UserId::new(), "sid": SessionId::new(),
        });
        change(&mut claims);
        jsonwebtoken::encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
    }

    #[test]
    fn only_our_tokens_of_the_right_kind_count() {
        let tokens = tokens(SECRET).unwrap();
        let now = SystemClock.now();
        let good = forged(Algorithm::HS256, |_| {});
        assert!(tokens.access_read(&good, now).is_ok());
        assert_eq!(tokens.access_read(&good, now + TimeDelta::seconds(61)).unwrap_err(), AccessProblem::Expired);

        let unsigned = {
            let claims = good.split('.').nth(1).unwrap();
            format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#))
        };
        let swapped = format!("{}.", good.rsplit_once('.').unwrap().0);
        let wrong = [
            unsigned,
            swapped,
            forged(Algorithm::HS384, |_| {}),
            forged(Algorithm::HS512, |_| {}),
            forged(Algorithm::HS256, |c| c["typ"] = json!("mfa")),
            forged(Algorithm::HS256, |c| c["iss"] = json!("other")),
            forged(Algorithm::HS256, |c| c["aud"] = json!("other")),
            forged(Algorithm::HS256, |c| drop(c.as_object_mut().unwrap().remove("exp"))),
            forged(Algorithm::HS256, |c| drop(c.as_object_mut().unwrap().remove("sub"))),
            forged(Algorithm::HS256, |c| drop(c.as_object_mut().unwrap().remove("sid"))),
            forged(Algorithm::HS256, |c| drop(c.as_object_mut().unwrap().remove("typ"))),
            "not.a.token".into(),
            String::new(),
        ];
        for token in wrong {
            assert_eq!(tokens.access_read(&token, now).unwrap_err(), AccessProblem::Unreadable, "{token}");
        }
        let other = self::tokens("another secret of more than 32 chars").unwrap();
        assert!(other.access_read(&good, now).is_err());
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(tokens("too short").err().unwrap().to_string().contains("at least 32"));
    }

    #[test]
    fn refresh_tokens_have_one_successor_and_cannot_be_made_up() {
        let tokens = tokens(SECRET).unwrap();
        let first = tokens.refresh_first(SessionId::new());
        let written = tokens.refresh_write(&first);
        let read = tokens.refresh_read(written.expose()).unwrap();
        let next = tokens.refresh_write(&tokens.refresh_next(&read));
        assert_eq!(next.expose(), tokens.refresh_write(&tokens.refresh_next(&first)).expose());
        assert_ne!(next.expose(), written.expose());

        let mut bytes = URL_SAFE_NO_PAD.decode(&written.expose()[REFRESH_PREFIX.len()..]).unwrap();
        bytes[20] ^= 1;
        assert!(tokens.refresh_read(&format!("{REFRESH_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))).is_none());
        assert!(tokens.refresh_read("ocore_r_").is_none());
        assert!(self::tokens(SECRET).unwrap().refresh_read(written.expose()).is_none());
    }
}
