//! An endpoint, and how what it gets is signed (https://www.standardwebhooks.com).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hkdf::hmac::{Hmac, KeyInit, Mac};
use ocore_shared::ids::WebhookEndpointId;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

const PREFIX: &str = "whsec_";

/// An address that events are sent to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookEndpoint {
    pub id: WebhookEndpointId,
    #[schema(example = "https://example.com/hook")]
    pub url: String,
    pub description: String,
    /// Types of events that it gets; `*` stands for all.
    #[schema(example = json!(["instance.started", "instance.error"]))]
    pub events: Vec<String>,
    pub active: bool,
    /// Why it was switched off, where that was not done by hand.
    pub disabled_reason: Option<String>,
    /// Since when nothing has come through.
    pub failing_since: Option<DateTime<Utc>>,
    /// Until when deliveries are signed with the secret before the last rotation as well.
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What can be chosen about an endpoint.
#[derive(Clone, Debug)]
pub struct WebhookEndpointInput {
    pub url: String,
    pub description: String,
    pub events: Vec<String>,
    pub active: bool,
}

/// A new secret: 256 random bits in the form that the libraries of receivers expect.
pub fn secret_make() -> Secret {
    let bytes: [u8; 32] = rand::random();
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// `v1,…` over id, time and body. None: the text is no secret of ours.
pub fn signature(secret: &str, id: &str, timestamp: i64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_the_standard_gives() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        let own = secret_make();
        let of = |body: &str| signature(own.expose(), "id", 1, body);
        assert!(of("a").is_some() && of("a") == of("a") && of("a") != of("b"));
        assert!(signature("canary", "id", 1, "a").is_none());
    }
}
