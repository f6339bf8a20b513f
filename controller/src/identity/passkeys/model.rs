//! Passkeys as people see them, and what browsers send of them.

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{PasskeyId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, WebauthnError,
};

/// For so long a browser may take.
pub const CHALLENGE_LIFE: TimeDelta = TimeDelta::minutes(5);
/// A person has at most so many.
pub const MOST: i64 = 20;

/// A passkey as its person sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Passkey {
    pub id: PasskeyId,
    pub device_name: String,
    /// The host name on which it works.
    pub host: String,
    /// How browsers reach the device: `internal`, `hybrid`, `usb`, `nfc`, `ble`.
    pub transports: Vec<String>,
    /// It may be copied to the person's other devices.
    pub backup_eligible: bool,
    /// It was.
    pub backup_state: bool,
    pub last_used_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A registration that was begun.
#[derive(Serialize, Deserialize)]
pub struct Registering {
    pub host: String,
    pub device_name: String,
    pub state: PasskeyRegistration,
}

/// A sign-in that was begun.
#[derive(Serialize, Deserialize)]
pub struct SigningIn {
    pub host: String,
    pub state: DiscoverableAuthentication,
    pub who: Who,
    /// Hash of the token of a sign-in that waits for its second factor.
    pub owed: Option<Vec<u8>>,
}

/// Who may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// Whoever the device knows.
    Anybody,
    /// Nobody: the address that was given is not known.
    Nobody,
    Person(UserId),
}

impl Who {
    pub fn allows(self, user: UserId, named_by_device: Option<UserId>) -> bool {
        let named = named_by_device.is_none_or(|named| named == user);
        match self {
            // Nobody was named before, so the device must.
            Self::Anybody => named_by_device == Some(user),
            Self::Nobody => false,
            Self::Person(expected) => named && expected == user,
        }
    }
}

/// The parts of a registration, as base64url.
pub struct RegistrationParts<'a> {
    pub raw_id: &'a str,
    pub client_data: &'a str,
    pub attestation: &'a str,
}

/// The parts of an assertion, as base64url.
pub struct AssertionParts<'a> {
    pub raw_id: &'a str,
    pub client_data: &'a str,
    pub authenticator_data: &'a str,
    pub signature: &'a str,
    pub user_handle: Option<&'a str>,
}

fn decoded(field: &str, text: &str) -> Result<Vec<u8>> {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| Error::field(field, "base64url", format!("{field} is not base64url; send what the browser gave.")))
}

pub fn registration_read(parts: &RegistrationParts<'_>) -> Result<RegisterPublicKeyCredential> {
    let mut credential: RegisterPublicKeyCredential = serde_json::from_value(serde_json::json!({
        "id": parts.raw_id, "rawId": "", "type": "public-key",
        "response": { "attestationObject": "", "clientDataJSON": "" },
    }))
    .map_err(Error::internal)?;
    credential.raw_id = decoded("rawId", parts.raw_id)?;
    credential.response.attestation_object = decoded("response.attestationObject", parts.attestation)?;
    credential.response.client_data_json = decoded("response.clientDataJSON", parts.client_data)?;
    Ok(credential)
}

pub fn assertion_read(parts: &AssertionParts<'_>) -> Result<PublicKeyCredential> {
    let mut credential: PublicKeyCredential = serde_json::from_value(serde_json::json!({
        "id": parts.raw_id, "rawId": "", "type": "public-key",
        "response": { "authenticatorData": "", "clientDataJSON": "", "signature": "", "userHandle": null },
    }))
    .map_err(Error::internal)?;
    credential.raw_id = decoded("rawId", parts.raw_id)?;
    let response = &mut credential.response;
    response.authenticator_data = decoded("response.authenticatorData", parts.authenticator_data)?;
    response.client_data_json = decoded("response.clientDataJSON", parts.client_data)?;
    response.signature = decoded("response.signature", parts.signature)?;
    let handle = parts.user_handle.filter(|handle| !handle.is_empty());
    response.user_handle = handle.map(|handle| decoded("response.userHandle", handle)).transpose()?;
    Ok(credential)
}

/// The person that the device names. `Some(Err)`: it names what is no person of ours.
pub fn named_by_device(credential: &PublicKeyCredential) -> Option<Result<UserId, ()>> {
    let handle = credential.get_user_unique_id()?;
    Some(uuid::Uuid::from_slice(handle).map(UserId).map_err(|_| ()))
}

/// The challenge that an answer is for: it is what the answer is found by.
pub fn challenge_of(client_data: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct ClientData {
        challenge: String,
    }
    serde_json::from_slice::<ClientData>(client_data).ok().map(|data| data.challenge)
}

/// A challenge as browsers give it back.
pub fn challenge_text(challenge: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(challenge)
}

pub fn id_text(id: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(id)
}

/// Why an answer was refused, for people.
pub fn refusal_text(error: &WebauthnError) -> &'static str {
    match error {
        WebauthnError::InvalidRPOrigin | WebauthnError::InvalidRPIDHash => {
            "The passkey answered for another address than this one."
        }
        WebauthnError::UserNotVerified | WebauthnError::UserNotPresent => {
            "The device did not ask for your finger, face or PIN; set one up on it and try again."
        }
        _ => "The answer of the passkey does not fit; try again.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_person_answers() {
        let (ada, eve) = (UserId::new(), UserId::new());
        assert!(Who::Anybody.allows(ada, Some(ada)));
        assert!(!Who::Anybody.allows(ada, Some(eve)) && !Who::Anybody.allows(ada, None));
        assert!(Who::Person(ada).allows(ada, None) && Who::Person(ada).allows(ada, Some(ada)));
        assert!(!Who::Person(ada).allows(eve, None) && !Who::Person(ada).allows(ada, Some(eve)));
        assert!(!Who::Nobody.allows(ada, Some(ada)));
    }

    #[test]
    fn what_is_not_base64url_is_named() {
        let parts = RegistrationParts { raw_id: "AA", client_data: "e30", attestation: "not base64!" };
        let Err(Error::Invalid(problems)) = registration_read(&parts) else { panic!("it was read") };
        assert_eq!(problems[0].field, "response.attestationObject");
    }

    #[test]
    fn an_answer_is_found_by_its_challenge() {
        assert_eq!(challenge_of(br#"{"type":"webauthn.get","challenge":"abc"}"#).as_deref(), Some("abc"));
        assert_eq!(challenge_of(b"nonsense"), None);
    }
}
