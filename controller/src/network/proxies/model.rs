//! A server's proxy as the API shows it.

use crate::error::Problem;
use crate::network::domains::names::host_of;
use crate::platform::http::patch::present;
use crate::platform::http::{HasVersion, PatchFields};
use chrono::{DateTime, Utc};
use garde::Validate;
use ocore_shared::ids::ServerId;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who leads people to the instances of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ProxyMode {
    /// oCore's own, with certificates that it fetches by itself.
    Managed,
    /// Another one, which is told of domains by whoever runs it.
    External,
    /// Nobody: instances answer on their ports.
    None,
}

/// How far the wish has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ProxyStatus {
    /// oCore runs none.
    Off,
    /// A job is on its way.
    Pending,
    /// As wished.
    Active,
    /// The newest job has failed.
    Failed,
}

/// What leads people to the instances of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServerProxy {
    pub server_id: ServerId,
    pub mode: ProxyMode,
    /// Of the server, for HTTP.
    pub http_port: u16,
    pub https_port: u16,
    /// The proxy's image.
    pub image: String,
    /// Whom the authority writes to, before a certificate ends.
    pub acme_email: Option<String>,
    /// Of an authority that speaks ACME; null: Let's Encrypt's.
    pub acme_directory: Option<String>,
    /// PEM of the authority that signed the directory's own certificate, where it is none that everybody knows.
    pub acme_ca_certificate: Option<String>,
    /// Each instance of the server is reached as SLUG.ZONE.
    pub zone: Option<String>,
    pub status: ProxyStatus,
    /// What went wrong and what to do.
    pub status_message: Option<String>,
    pub applied_at: Option<DateTime<Utc>>,
    /// The name of the controller itself, which runs on the same machine: served too, while oCore's own proxy runs.
    pub console_host: Option<String>,
    pub version: i64,
}

impl HasVersion for ServerProxy {
    fn version(&self) -> i64 {
        self.version
    }
}

impl ServerProxy {
    /// Of a server that nobody has set one for.
    pub fn none(server: ServerId, image: &str) -> Self {
        Self {
            server_id: server,
            mode: ProxyMode::None,
            http_port: 80,
            https_port: 443,
            image: image.to_owned(),
            acme_email: None,
            acme_directory: None,
            acme_ca_certificate: None,
            zone: None,
            status: ProxyStatus::Off,
            status_message: None,
            applied_at: None,
            console_host: None,
            version: 0,
        }
    }
}

/// What a server's proxy becomes; what is left out stays, null goes back to what oCore decides.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyInput {
    #[garde(skip)]
    pub mode: Option<ProxyMode>,
    #[garde(inner(range(min = 1)))]
    pub http_port: Option<u16>,
    #[garde(inner(range(min = 1)))]
    pub https_port: Option<u16>,
    /// Null: the controller's own.
    #[garde(inner(inner(length(min = 1, max = 255), pattern("^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$"))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub image: Option<Option<String>>,
    #[garde(inner(inner(email, length(max = 254))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Email)]
    pub acme_email: Option<Option<String>>,
    #[garde(inner(inner(length(max = 500), custom(directory))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "https://acme-v02.api.letsencrypt.org/directory")]
    pub acme_directory: Option<Option<String>>,
    #[garde(inner(inner(length(max = 65536), custom(certificates))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub acme_ca_certificate: Option<Option<String>>,
    #[garde(inner(inner(length(max = 200))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "apps.example.com")]
    pub zone: Option<Option<String>>,
}

impl PatchFields for ProxyInput {
    const FIELDS: &'static [&'static str] =
        &["mode", "http_port", "https_port", "image", "acme_email", "acme_directory", "acme_ca_certificate", "zone"];
}

fn directory(url: &str, (): &()) -> garde::Result {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    if rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && rest.bytes().all(|b| b.is_ascii_graphic())
        && !rest.contains('@')
    {
        return Ok(());
    }
    Err(garde::Error::new("must be an address that begins with https://, without credentials in it"))
}

fn certificates(pem: &str, (): &()) -> garde::Result {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let readable = |der: &CertificateDer<'_>| x509_parser::parse_x509_certificate(der).is_ok();
    match all {
        Ok(all) if !all.is_empty() && all.iter().all(readable) => Ok(()),
        _ => Err(garde::Error::new("must be a certificate in PEM, beginning with -----BEGIN CERTIFICATE-----")),
    }
}

/// What is wished, with everything that a look at it alone can tell to be wrong.
pub fn wished(present: &ServerProxy, input: ProxyInput, default_image: &str) -> Result<ServerProxy, Vec<Problem>> {
    let mut problems = Vec::new();
    let zone = match input.zone {
        None => present.zone.clone(),
        Some(None) => None,
        Some(Some(zone)) => match host_of(&zone) {
            Ok(zone) => Some(zone),
            Err(message) => {
                problems.push(Problem { field: "zone".into(), constraint: "host".into(), message: message.into() });
                None
            }
        },
    };
    let wished = ServerProxy {
        mode: input.mode.unwrap_or(present.mode),
        http_port: input.http_port.unwrap_or(present.http_port),
        https_port: input.https_port.unwrap_or(present.https_port),
        image: match input.image {
            None => present.image.clone(),
            Some(image) => image.unwrap_or_else(|| default_image.to_owned()),
        },
        acme_email: input.acme_email.unwrap_or_else(|| present.acme_email.clone()),
        acme_directory: input.acme_directory.unwrap_or_else(|| present.acme_directory.clone()),
        acme_ca_certificate: input.acme_ca_certificate.unwrap_or_else(|| present.acme_ca_certificate.clone()),
        zone,
        ..present.clone()
    };
    if wished.http_port == wished.https_port {
        let message = "HTTP and HTTPS cannot share a port; give them different ones.";
        problems.push(Problem { field: "https_port".into(), constraint: "different".into(), message: message.into() });
    }
    if problems.is_empty() { Ok(wished) } else { Err(problems) }
}
