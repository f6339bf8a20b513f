//! The certificate of people's port: theirs, or one of our own that stays the same over restarts.

use super::{Pki, context, listener_params, store};
use crate::config::Config;
use crate::platform::db::Db;
use crate::platform::secrets::Keyring;
use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::SecretId;
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;
use x509_parser::extensions::GeneralName;

/// A certificate is replaced that long before its end.
const RENEW_BEFORE: TimeDelta = TimeDelta::days(60);

/// TLS of people's port and what they can compare in their browser.
pub struct PeopleTls {
    pub config: Arc<ServerConfig>,
    /// SHA-256 of the certificate, `AA:BB:…`.
    pub fingerprint: String,
    pub certificate: PeopleCertificate,
}

/// The certificate that people's port shows.
#[derive(Clone, Debug)]
pub struct PeopleCertificate {
    /// The same for the same certificate.
    pub id: Uuid,
    pub not_after: DateTime<Utc>,
}

impl PeopleCertificate {
    fn of(der: &CertificateDer<'_>) -> anyhow::Result<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).context("the certificate cannot be read")?;
        let seconds = certificate.validity().not_after.timestamp();
        let not_after = DateTime::from_timestamp(seconds, 0).context("the certificate ends at no time")?;
        Ok(Self { id: Uuid::from_slice(&Sha256::digest(der)[..16])?, not_after })
    }
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Pki {
    /// TLS of people's port: the given certificate, or one of our own for these hosts, which is kept as long as it
    /// serves, since whoever has trusted it in a browser would be asked again.
    pub async fn people_tls(
        &self, db: &Db, keyring: &Keyring, config: &Config, hosts: &[String], now: DateTime<Utc>,
    ) -> anyhow::Result<PeopleTls> {
        let (chain, key) = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => {
                let chain = CertificateDer::pem_file_iter(certificate)
                    .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                    .with_context(|| format!("--tls-certificate {} cannot be read", certificate.display()))?;
                if chain.is_empty() {
                    bail!("--tls-certificate {} holds no certificate", certificate.display());
                }
                let key = PrivateKeyDer::from_pem_file(key)
                    .with_context(|| format!("--tls-key {} cannot be read", key.display()))?;
                (chain, key)
            }
            _ => self.people_own(db, keyring, hosts, now).await?,
        };
        let fingerprint = fingerprint(&chain[0]);
        let certificate = PeopleCertificate::of(&chain[0])?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("certificate and key do not fit together")?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(PeopleTls { config: Arc::new(tls), fingerprint, certificate })
    }

    async fn people_own(
        &self, db: &Db, keyring: &Keyring, hosts: &[String], now: DateTime<Utc>,
    ) -> anyhow::Result<Pair> {
        let mut pair = None;
        store::people_certificate_ensure(db.system(), |stored| {
            let stored = match stored {
                Some((id, sealed)) => Some(keyring.unseal(&context(id), &sealed)?),
                None => None,
            };
            let mut wanted: BTreeSet<String> = hosts.iter().map(|host| normal(host)).collect();
            if let Some(pem) = &stored
                && let Some(left) = certified(pem, now)
            {
                if wanted.is_subset(&left) {
                    pair = Some(read(pem)?);
                    return Ok(None);
                }
                // Another replica may have other addresses.
                wanted.extend(left);
            }
            let pem = self.people_make(&wanted, now)?;
            pair = Some(read(pem.as_bytes())?);
            let id = SecretId::new();
            Ok(Some((id, keyring.seal(&context(id), pem.as_bytes()))))
        })
        .await?;
        pair.context("people's port has no certificate")
    }

    /// PEM of a certificate and its key.
    fn people_make(&self, hosts: &BTreeSet<String>, now: DateTime<Utc>) -> anyhow::Result<String> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        for host in hosts {
            params.subject_alt_names.push(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.as_str().try_into()?),
            });
        }
        listener_params(&mut params, now)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(certificate.pem() + &key.serialize_pem())
    }
}

/// As a certificate's names are compared.
fn normal(host: &str) -> String {
    host.parse::<IpAddr>().map_or_else(|_| host.to_lowercase(), |address| address.to_string())
}

fn read(pem: &[u8]) -> anyhow::Result<Pair> {
    Ok((vec![CertificateDer::from_pem_slice(pem)?], PrivateKeyDer::from_pem_slice(pem)?))
}

/// The hosts of a certificate that is good for some time still.
fn certified(pem: &[u8], now: DateTime<Utc>) -> Option<BTreeSet<String>> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
    if certificate.validity().not_after.timestamp() < (now + RENEW_BEFORE).timestamp() {
        return None;
    }
    let names = certificate.subject_alternative_name().ok()??;
    let names = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
            _ => <[u8; 16]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
        },
        _ => None,
    });
    Some(names.collect())
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    Sha256::digest(certificate).iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;

    #[tokio::test]
    async fn a_certificate_stays_while_it_serves() {
        let test = TestApp::start().await;
        let now = test.app.clock.now();
        let fingerprint = async |hosts: &[&str], now| {
            let app = test.restart().await;
            let hosts: Vec<String> = hosts.iter().map(|&host| host.into()).collect();
            app.pki.people_tls(&app.db, &app.keyring, &app.config, &hosts, now).await.unwrap().fingerprint
        };
        let first = fingerprint(&["localhost", "192.0.2.7", "2001:db8::1"], now).await;
        assert_eq!(first, fingerprint(&["2001:DB8::1", "LocalHost"], now).await);
        // Another replica's addresses are added, and then both are content.
        let second = fingerprint(&["localhost", "192.0.2.8"], now).await;
        assert_ne!(first, second);
        assert_eq!(second, fingerprint(&["192.0.2.7", "192.0.2.8"], now).await);
        assert_ne!(second, fingerprint(&["localhost"], now + TimeDelta::days(800)).await);
    }
}
