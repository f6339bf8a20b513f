//! A server's reverse proxy: what it is to serve, and what the agent says of its certificates.

use crate::ids::InstanceId;
use crate::protocol::registries::RegistryLogin;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Input of `proxy_apply`: everything that the proxy of a server serves, always whole. Without sites and with `enabled`
/// it runs and serves nothing; not `enabled`, it is removed. Applied twice it changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyApply {
    pub enabled: bool,
    /// The proxy's image, e.g. `caddy:2`.
    pub image: String,
    /// Host ports.
    pub http_port: u16,
    pub https_port: u16,
    /// Where certificates come from.
    pub acme: Acme,
    pub sites: Vec<Site>,
    /// Registries that the image may come from.
    #[serde(default)]
    pub registries: Vec<RegistryLogin>,
    /// The controller itself, where it runs on the same machine and has a name.
    #[serde(default)]
    pub console: Option<ConsoleSite>,
}

/// The controller's own name. Its certificate is fetched like any other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsoleSite {
    /// The name, in lower case and ASCII.
    pub host: String,
    /// Where its socket is ([`CONSOLE_SOCKET`]) on the machine: an absolute path.
    pub directory: String,
}

/// The controller's socket in its directory: HTTP from whoever ends TLS for it.
pub const CONSOLE_SOCKET: &str = "console.sock";

/// An authority that speaks ACME.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Acme {
    /// Of its directory; none: Let's Encrypt's.
    #[serde(default)]
    pub directory: Option<String>,
    /// Of the account.
    #[serde(default)]
    pub email: Option<String>,
    /// PEM of the authority of the directory's own certificate, where it is none that everybody knows.
    #[serde(default)]
    pub ca_certificate: Option<String>,
}

/// One name that leads to one instance. What its Odoo wants of a proxy the agent knows by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// The name, in lower case and ASCII.
    pub host: String,
    pub instance_id: InstanceId,
    /// Instead of serving, send people on to this name (308), path and query kept.
    #[serde(default)]
    pub redirect_to: Option<String>,
    /// Where its certificate comes from.
    pub certificate: SiteCertificate,
    #[serde(default)]
    pub access: SiteAccess,
    /// Tell search engines to stay away.
    #[serde(default)]
    pub noindex: bool,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SiteCertificate {
    /// None yet: served over HTTP only, until its name has been checked.
    None,
    /// Fetched and renewed by the proxy.
    Acme,
    /// Uploaded: PEM of the chain; the key is the job's secret of that name ([`certificate_secret`]).
    Given { chain: String },
}

/// Name of the private key of an uploaded certificate among a job's secrets.
pub fn certificate_secret(host: &str) -> String {
    format!("certificate.{host}")
}

/// Who may come in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteAccess {
    /// Addresses or networks (CIDR); when there are some, only these.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Addresses or networks (CIDR) that never.
    #[serde(default)]
    pub deny: Vec<String>,
    /// Users and their bcrypt hashes.
    #[serde(default)]
    pub basic_auth: BTreeMap<String, String>,
    /// Seconds that browsers keep to HTTPS; none: not said.
    #[serde(default)]
    pub hsts_seconds: Option<u32>,
}

/// Input of `certificate_issue`: have the certificate of a name, fetched anew when `renew`. The proxy has to serve the name
/// with [`SiteCertificate::Acme`] already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateIssue {
    pub host: String,
    #[serde(default)]
    pub renew: bool,
}

/// A certificate that the proxy shows. Result of `certificate_issue`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateInfo {
    pub host: String,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    /// Common name of who signed it.
    pub issuer: String,
    /// Serial number in hexadecimal.
    pub serial: String,
}

/// Query of `GET /proxy/name`: a name to which somebody's own proxy is to lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameQuery {
    pub host: String,
    /// Where the name leads; when nobody listens there, this server's own loopback is asked.
    pub address: Option<IpAddr>,
    /// Where HTTPS is expected.
    pub port: u16,
    pub instance_id: InstanceId,
}

/// Answer of `GET /proxy/name`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NameCheck {
    /// Why people do not reach the instance by that name, and what to do.
    pub problem: Option<String>,
    /// Whatever certificate is shown for it.
    pub certificate: Option<CertificateInfo>,
}

/// Result of `proxy_apply`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyApplied {
    /// Container of the proxy; none when it was removed.
    pub container_id: Option<String>,
}

/// Answer of `GET /proxy`: what is so now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProxyState {
    pub enabled: bool,
    pub running: bool,
    /// Of every name that is served and has one.
    pub certificates: Vec<CertificateInfo>,
    /// Names without one, with what the authority or the proxy said last.
    pub problems: BTreeMap<String, String>,
}
