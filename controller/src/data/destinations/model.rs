//! What a destination is.

use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{DestinationId, SecretId};
use ocore_shared::protocol::storage::{LocalPlace, Place, StorageProblem};
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path};
use utoipa::ToSchema;

/// Where a server keeps backups on its own disk, unless somebody says otherwise.
pub const LOCAL_PATH: &str = "/var/backups/ocore";
/// The destination that every organization begins with.
pub const LOCAL_NAME: &str = "The server's own disk";
const LONGEST: usize = 1024;
const LONGEST_CERTIFICATE: usize = 64 * 1024;

/// For whom backups there are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Encryption {
    None,
    /// The organization's own key, which the controller keeps sealed: backups are verified by restoring them.
    Managed,
    /// Keys that only their owners have: backups are verified by their checksums alone.
    Recipients,
}

/// What came of the last try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DestinationStatus {
    /// No server was there to try it.
    Unchecked,
    Ok,
    Failed,
}

/// A place where backups are kept. Its secret is never shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Destination {
    pub id: DestinationId,
    pub name: String,
    pub config: Place,
    pub has_secret: bool,
    pub encryption: Encryption,
    /// `age1…`, of encryption `recipients`.
    pub recipients: Vec<String>,
    /// New backups go there unless another one is named.
    pub is_default: bool,
    /// It outlives the server.
    pub is_off_site: bool,
    pub status: DestinationStatus,
    pub problem: Option<StorageProblem>,
    /// Bytes that were free there, where that can be asked.
    pub free_bytes: Option<u64>,
    pub checked_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a destination is to be.
#[derive(Clone)]
pub struct DestinationInput {
    pub name: String,
    pub config: Place,
    pub secret: NewSecret,
    pub encryption: Encryption,
    pub recipients: Vec<String>,
}

#[derive(Clone)]
pub enum NewSecret {
    Stays,
    Is(Secret),
    None,
}

/// A destination as jobs need it.
pub struct Opened {
    pub place: Place,
    pub secret: Option<SecretId>,
}

/// Whether it is somewhere else than the server itself.
pub fn is_off_site(place: &Place) -> bool {
    !matches!(place, Place::Local(_))
}

/// The place of every organization's first destination.
pub fn local_place() -> Place {
    Place::Local(LocalPlace { path: LOCAL_PATH.into() })
}

/// What cannot be right whoever answers there; with what can be left out filled in.
pub fn place_checked(place: Place) -> Result<Place> {
    match place {
        Place::S3(mut s3) => {
            s3.endpoint = s3.endpoint.filter(|endpoint| !endpoint.is_empty());
            s3.prefix = s3.prefix.trim_matches('/').to_owned();
            if let Some(endpoint) = &s3.endpoint {
                endpoint_check(endpoint)?;
            }
            line("config.region", &s3.region, 64)?;
            let bucket = s3.bucket.as_str();
            let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
            if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(letters) || bucket.starts_with(['-', '.']) {
                let message = "A bucket has 3 to 63 small letters, digits, dots and hyphens.";
                return Err(Error::field("config.bucket", "invalid", message));
            }
            if !s3.prefix.is_empty() && !s3.prefix.split('/').all(is_word) {
                let message = "Use letters, digits, dots, hyphens and slashes, such as ocore/backups.";
                return Err(Error::field("config.prefix", "invalid", message));
            }
            line("config.access_key_id", &s3.access_key_id, 128)?;
            if s3.ca_certificate.as_ref().is_some_and(|pem| pem.len() > LONGEST_CERTIFICATE) {
                return Err(Error::field("config.ca_certificate", "too_long", "This is longer than a certificate."));
            }
            Ok(Place::S3(s3))
        }
        Place::Sftp(sftp) => {
            line("config.host", &sftp.host, 253)?;
            let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
            if !sftp.host.chars().all(host) {
                let message = "Give a name or an address alone, such as backup.example.com.";
                return Err(Error::field("config.host", "invalid", message));
            }
            if sftp.port == 0 {
                return Err(Error::field("config.port", "out_of_range", "A port is between 1 and 65535."));
            }
            line("config.username", &sftp.username, 128)?;
            if !sftp.path.is_empty() {
                line("config.path", &sftp.path, LONGEST)?;
            }
            if sftp.path.split('/').any(|part| part == "..") {
                return Err(Error::field("config.path", "invalid", "The path must not go up (..)."));
            }
            if sftp.host_key.as_ref().is_some_and(|key| !key.starts_with("SHA256:") || key.len() > 60) {
                let message = "Give the key's fingerprint as ssh-keygen -l prints it: SHA256:…";
                return Err(Error::field("config.host_key", "invalid", message));
            }
            Ok(Place::Sftp(sftp))
        }
        Place::Local(local) => {
            line("config.path", &local.path, LONGEST)?;
            let path = Path::new(&local.path);
            if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) || local.path == "/" {
                let message = format!("Give a directory from the root, such as {LOCAL_PATH}.");
                return Err(Error::field("config.path", "invalid", message));
            }
            Ok(Place::Local(LocalPlace { path: local.path.trim_end_matches('/').to_owned() }))
        }
    }
}

fn endpoint_check(endpoint: &str) -> Result<()> {
    let url = reqwest::Url::parse(endpoint).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
    });
    match url {
        Some(_) if endpoint.len() <= LONGEST => Ok(()),
        _ => {
            let message = "Give the address of the service alone, such as https://s3.example.com.";
            Err(Error::field("config.endpoint", "invalid", message))
        }
    }
}

fn is_word(word: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !word.is_empty() && word != "." && word != ".." && word.bytes().all(fits)
}

fn line(field: &'static str, text: &str, most: usize) -> Result<()> {
    match (1..=most).contains(&text.len()) && !text.chars().any(char::is_control) && text.trim() == text {
        true => Ok(()),
        false => Err(Error::field(
            field,
            "invalid",
            format!("Give one line of 1 to {most} characters, without blanks around it."),
        )),
    }
}

/// Keys are told apart from text before a backup is lost to one that nobody has.
pub fn recipients_check(encryption: Encryption, recipients: &[String]) -> Result<()> {
    match (encryption, recipients) {
        (Encryption::Recipients, []) => {
            let message = "Name at least one key (age1…), or choose the encryption managed.";
            Err(Error::field("recipients", "required", message))
        }
        (Encryption::Recipients, keys) => {
            match keys.iter().find(|key| key.parse::<age::x25519::Recipient>().is_err()) {
                Some(key) => Err(Error::field(
                    "recipients",
                    "invalid",
                    format!("{key:?} is no public key of age; give the line that age-keygen prints: age1…"),
                )),
                None => Ok(()),
            }
        }
        (_, []) => Ok(()),
        (_, _) => Err(Error::field("recipients", "other", "Keys are named for the encryption recipients only.")),
    }
}
