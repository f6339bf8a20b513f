//! A domain as the API shows it.

use super::access::DomainAccess;
use super::snippets::Snippets;
use crate::platform::http::HasVersion;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{DomainId, InstanceId, JobId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DomainState {
    /// Its DNS was not seen to lead to the server.
    PendingDns,
    /// The proxy is about to have a certificate for it.
    Issuing,
    Active,
    /// It has no certificate; `reason` says why.
    Failed,
}

impl DomainState {
    pub fn word(self) -> &'static str {
        match self {
            Self::PendingDns => "pending_dns",
            Self::Issuing => "issuing",
            Self::Active => "active",
            Self::Failed => "failed",
        }
    }
}

/// A name that leads to an instance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Domain {
    pub id: DomainId,
    pub instance_id: InstanceId,
    /// In lower case and ASCII.
    #[schema(example = "shop.example.com")]
    pub host: String,
    /// As people write it.
    #[schema(example = "shop.example.com")]
    pub name: String,
    pub url: String,
    /// The one that Odoo writes into links.
    pub is_primary: bool,
    /// It comes of the zone of its server.
    pub automatic: bool,
    pub state: DomainState,
    /// What went wrong and what to do.
    pub reason: Option<String>,
    /// Before then the authority refuses.
    pub retry_at: Option<DateTime<Utc>>,
    pub dns: DomainDns,
    pub certificate: DomainCertificate,
    pub access: DomainAccess,
    /// What was found when it was last asked for through a proxy of one's own (`external`); null before the first time.
    pub reach: Option<DomainReach>,
    /// For a proxy of one's own (`external`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippets: Option<Snippets>,
    /// The job by which its server's proxy serves it or fetches its certificate now.
    pub active_job_id: Option<JobId>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl HasVersion for Domain {
    fn version(&self) -> i64 {
        self.version
    }
}

/// The DNS of a domain: as it is to be, and as it was found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DomainDns {
    /// Records to set: all of them, and no others of these types.
    pub records: Vec<DnsRecord>,
    /// What the last look found; null before the first.
    pub checked: Option<DnsCheck>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DnsRecord {
    /// `A` or `AAAA`.
    #[serde(rename = "type")]
    pub kind: String,
    #[schema(example = "shop.example.com")]
    pub name: String,
    #[schema(example = "198.51.100.7")]
    pub value: String,
}

/// What a look at the DNS found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DnsCheck {
    /// It leads to the server and to nowhere else.
    pub ok: bool,
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
    /// Names that it is another name for.
    pub aliases: Vec<String>,
    /// What is to be changed.
    pub message: Option<String>,
    pub checked_at: DateTime<Utc>,
}

/// Whether people reach an instance through somebody's own proxy: its server has asked there for the sign-in page and the
/// live bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DomainReach {
    pub ok: bool,
    /// What is to be changed.
    pub message: Option<String>,
    pub checked_at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSource {
    /// Fetched and renewed by the server's proxy.
    Acme,
    /// By a person.
    Uploaded,
    /// The proxy is another one, which has its own.
    External,
}

/// The certificate of a domain.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DomainCertificate {
    pub source: CertificateSource,
    pub not_before: Option<DateTime<Utc>>,
    pub not_after: Option<DateTime<Utc>>,
    /// Who signed it.
    pub issuer: Option<String>,
    /// Hexadecimal.
    pub serial: Option<String>,
}

/// Records that lead a host to these addresses: to the public ones, where there are some.
pub fn records_of(host: &str, addresses: &[IpAddr]) -> Vec<DnsRecord> {
    let public = addresses.iter().any(|address| crate::platform::outbound::is_public(*address));
    let kept = addresses.iter().filter(|address| !public || crate::platform::outbound::is_public(**address));
    let record = |address: &IpAddr| DnsRecord {
        kind: if address.is_ipv4() { "A" } else { "AAAA" }.into(),
        name: host.to_owned(),
        value: address.to_string(),
    };
    kept.map(record).collect()
}

/// Whether what was found leads to the server and to nowhere else.
pub fn check_of(
    host: &str, found: Result<crate::network::dns::Found, String>, addresses: &[IpAddr], now: DateTime<Utc>,
) -> DnsCheck {
    let (found, told) = match found {
        Ok(found) => (found, None),
        Err(message) => (Default::default(), Some(message)),
    };
    let list = |all: &[IpAddr]| all.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    let strange: Vec<IpAddr> = found.addresses.iter().filter(|a| !addresses.contains(a)).copied().collect();
    let wanted = list(&records_of(host, addresses).iter().filter_map(|r| r.value.parse().ok()).collect::<Vec<_>>());
    let message = if told.is_some() {
        told
    } else if addresses.is_empty() {
        Some("The server has reported no addresses yet; connect it first.".into())
    } else if found.addresses.is_empty() {
        Some(format!("{host} has no address in the DNS. Set it to {wanted}; a new record may take a while to be seen."))
    } else if !strange.is_empty() {
        let strange = list(&strange);
        Some(format!(
            "{host} leads to {strange}, which is not this server ({wanted}). Correct the DNS, or go on all the same \
             (force) where a proxy of your own stands before the server."
        ))
    } else {
        None
    };
    DnsCheck { ok: message.is_none(), addresses: found.addresses, aliases: found.aliases, message, checked_at: now }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::dns::Found;

    fn moment() -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000, 0).unwrap()
    }

    #[test]
    fn every_address_has_to_be_the_servers() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let server = [ip("10.0.0.5"), ip("9.9.9.9"), ip("2620:fe::fe")];
        let records: Vec<_> = records_of("a.example.com", &server).into_iter().map(|r| (r.kind, r.value)).collect();
        assert_eq!(records, [("A".into(), "9.9.9.9".into()), ("AAAA".into(), "2620:fe::fe".into())]);
        let check = |addresses: &[&str]| {
            let found = Found { addresses: addresses.iter().map(|a| ip(a)).collect(), aliases: vec![] };
            check_of("a.example.com", Ok(found), &server, moment())
        };
        assert!(check(&["9.9.9.9"]).ok && check(&["9.9.9.9", "2620:fe::fe"]).ok && check(&["10.0.0.5"]).ok);
        let mixed = check(&["9.9.9.9", "8.8.8.8"]);
        assert!(!mixed.ok && mixed.message.unwrap().contains("leads to 8.8.8.8"));
        assert!(!check(&[]).ok);
        assert!(!check_of("a.example.com", Err("They do not answer.".into()), &server, moment()).ok);
    }
}
