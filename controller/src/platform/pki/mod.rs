//! The controller's own certificate authority: it signs the agents' port and the agents, nothing else trusts it.
//!
//! The authority is a row of `pki_authorities`, its key sealed with the master key. The agents' port keeps one key for
//! life, so that install commands can pin it; its certificate is short and made anew. People's port keeps its
//! certificate as long as it can, since their browsers remember that one.

mod people;
mod store;

pub use people::{PeopleCertificate, PeopleTls};

use crate::platform::db::Db;
use crate::platform::secrets::Keyring;
use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::clock::Clock;
use ocore_shared::ids::{OrganizationId, SecretId, ServerId};
use ocore_shared::protocol::CONTROLLER_SERVER_NAME;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use time::OffsetDateTime;

const AUTHORITY_LIFE: TimeDelta = TimeDelta::days(3650);
const LISTENER_LIFE: TimeDelta = TimeDelta::days(825);
/// Agents' clocks may be a little behind ours.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// The authority, ready to sign.
pub struct Pki {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
    listener_key: KeyPair,
}

/// A certificate that was just issued to an agent.
pub struct Issued {
    pub certificate_pem: String,
    pub serial: String,
    pub not_after: DateTime<Utc>,
}

/// Who a client certificate says its holder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentName {
    pub server: ServerId,
    pub organization: OrganizationId,
    pub serial: String,
}

impl Pki {
    /// Read the authority, or make it at the very first start.
    pub async fn load(db: &Db, keyring: &Keyring, clock: &dyn Clock) -> anyhow::Result<Self> {
        let now = clock.now();
        let authority = store::authority_ensure(db.system(), || {
            let key = KeyPair::generate()?;
            let certificate_pem = authority_params(now)?.self_signed(&key)?.pem();
            Ok(seal_pair(keyring, certificate_pem, &key))
        })
        .await?;
        let listener =
            store::listener_key_ensure(db.system(), || Ok(seal_pair(keyring, String::new(), &KeyPair::generate()?)))
                .await?;
        let authority_key = unseal_key(keyring, authority.secret_id, &authority.sealed)?;
        Ok(Self {
            issuer: Issuer::from_ca_cert_pem(&authority.certificate_pem, authority_key)?,
            certificate_pem: authority.certificate_pem,
            listener_key: unseal_key(keyring, listener.secret_id, &listener.sealed)?,
        })
    }

    /// PEM of the authority's certificate.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// `sha256//…` of the agents' port's public key, as `curl --pinnedpubkey` takes it.
    pub fn pin(&self) -> String {
        let digest = Sha256::digest(self.listener_key.subject_public_key_info());
        format!("sha256//{}", STANDARD.encode(digest))
    }

    /// TLS of a client that trusts this authority alone, to find out whether an address leads to this controller.
    pub fn authority_tls(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate_pem.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// Sign an agent's request. Only its public key is taken from it: the names are ours.
    pub fn agent_issue(
        &self, csr_pem: &str, organization: OrganizationId, server: ServerId, life: TimeDelta, now: DateTime<Utc>,
    ) -> anyhow::Result<Issued> {
        let mut request =
            CertificateSigningRequestParams::from_pem(csr_pem).context("the signing request is damaged")?;
        let serial: [u8; 16] = rand::random();
        // A leading bit would make the DER integer one byte longer than what is stored.
        let serial: Vec<u8> =
            serial.iter().enumerate().map(|(i, b)| if i == 0 { (b & 0x3f) | 0x40 } else { *b }).collect();
        let not_after = now + life;
        let uri = format!("spiffe://ocore/organization/{organization}/server/{server}");
        request.params = CertificateParams::default();
        request.params.distinguished_name = name(&server.to_string());
        request.params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        request.params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        request.params.serial_number = Some(SerialNumber::from_slice(&serial));
        request.params.not_before = instant(now - CLOCK_TOLERANCE)?;
        request.params.not_after = instant(not_after)?;
        let certificate_pem = request.signed_by(&self.issuer)?.pem();
        Ok(Issued { certificate_pem, serial: hex(&serial), not_after })
    }

    /// TLS of the agents' port: asks for a client certificate, accepts its absence (the routes then refuse), resumes
    /// nothing, so that every connect is checked for revocation.
    pub fn agents_tls(&self, now: DateTime<Utc>) -> anyhow::Result<Arc<ServerConfig>> {
        let mut params = CertificateParams::new(vec![CONTROLLER_SERVER_NAME.to_owned()])?;
        listener_params(&mut params, now)?;
        let certificate = params.signed_by(&self.listener_key, &self.issuer)?;
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes())?;
        roots.add(authority.clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone(), authority], key_der(&self.listener_key))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Read the names from a client certificate that the TLS layer has verified.
pub fn agent_name(certificate: &[u8]) -> anyhow::Result<AgentName> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).context("the certificate is damaged")?;
    let names = certificate.subject_alternative_name()?.context("the certificate has no name")?;
    let uri = names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            x509_parser::extensions::GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .context("the certificate has no URI name")?;
    let rest = uri.strip_prefix("spiffe://ocore/organization/").context("the certificate is not an agent's")?;
    let (organization, server) = rest.split_once("/server/").context("the certificate is not an agent's")?;
    Ok(AgentName {
        server: server.parse()?,
        organization: organization.parse()?,
        serial: hex(certificate.raw_serial()),
    })
}

fn authority_params(now: DateTime<Utc>) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("oCore authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = instant(now - CLOCK_TOLERANCE)?;
    params.not_after = instant(now + AUTHORITY_LIFE)?;
    Ok(params)
}

fn listener_params(params: &mut CertificateParams, now: DateTime<Utc>) -> anyhow::Result<()> {
    params.distinguished_name = name("oCore controller");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.not_before = instant(now - CLOCK_TOLERANCE)?;
    params.not_after = instant(now + LISTENER_LIFE)?;
    Ok(())
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn instant(at: DateTime<Utc>) -> anyhow::Result<OffsetDateTime> {
    Ok(OffsetDateTime::from_unix_timestamp(at.timestamp())?)
}

fn key_der(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn context(id: SecretId) -> String {
    format!("secrets {id}")
}

fn seal_pair(keyring: &Keyring, certificate_pem: String, key: &KeyPair) -> store::SealedPair {
    let secret_id = SecretId::new();
    let sealed = keyring.seal(&context(secret_id), &key.serialize_der());
    store::SealedPair { certificate_pem, secret_id, sealed }
}

fn unseal_key(keyring: &Keyring, secret_id: SecretId, sealed: &[u8]) -> anyhow::Result<KeyPair> {
    let der = keyring.unseal(&context(secret_id), sealed)?;
    Ok(KeyPair::try_from(der.as_slice())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_certificate_carries_our_names_whatever_it_asked_for() {
        let key = KeyPair::generate().unwrap();
        let now = ocore_shared::clock::SystemClock.now();
        let pem = authority_params(now).unwrap().self_signed(&key).unwrap().pem();
        let pki = Pki {
            issuer: Issuer::from_ca_cert_pem(&pem, key).unwrap(),
            certificate_pem: pem,
            listener_key: KeyPair::generate().unwrap(),
        };
        let agent_key = KeyPair::generate().unwrap();
        let csr =
            CertificateParams::new(vec!["evil.example".to_owned()]).unwrap().serialize_request(&agent_key).unwrap();
        let (organization, server) = (OrganizationId::new(), ServerId::new());
        let issued = pki.agent_issue(&csr.pem().unwrap(), organization, server, TimeDelta::days(7), now).unwrap();
        let der = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
        let name = agent_name(&der).unwrap();
        assert_eq!(name, AgentName { server, organization, serial: issued.serial });
        assert!(!String::from_utf8_lossy(&der).contains("evil"));
        assert!(pki.agents_tls(now).is_ok());
        assert!(pki.pin().starts_with("sha256//"));
    }
}
