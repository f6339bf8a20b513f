//! Which certificates the proxy shows. It is asked as a browser asks: what counts is what is served.

use super::CONTAINER;
use crate::engine::OpError;
use crate::host::Host;
use crate::host::docker::lines::LinesOptions;
use chrono::DateTime;
use futures::StreamExt;
use ocore_shared::protocol::proxy::{CertificateInfo, ProxyState, SiteCertificate};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

const PATIENCE: Duration = Duration::from_secs(5);

/// What is so now.
pub async fn proxy_state(host: &Host) -> Result<ProxyState, OpError> {
    let Some(wish) = host.proxy.wish() else { return Ok(ProxyState::default()) };
    let found = host.docker.inspect(CONTAINER).await?;
    let running = found.and_then(|c| c.state).and_then(|s| s.running) == Some(true);
    let mut state = ProxyState { enabled: true, running, ..ProxyState::default() };
    if !running {
        return Ok(state);
    }
    let mut said = None;
    let sites = wish.sites.iter().filter(|site| site.certificate != SiteCertificate::None).map(|site| &site.host);
    for host_name in wish.console.iter().map(|console| &console.host).chain(sites) {
        match certificate_shown(wish.https_port, host_name).await {
            Some(certificate) => state.certificates.push(certificate),
            None => {
                if said.is_none() {
                    said = Some(refusals(host, 0).await?);
                }
                let why = said.as_ref().and_then(|said| said.get(host_name).cloned());
                state.problems.insert(host_name.clone(), why.unwrap_or_else(|| "It has no certificate yet.".into()));
            }
        }
    }
    Ok(state)
}

/// The certificate that is shown for a name, if there is one that names it.
pub async fn certificate_shown(port: u16, host: &str) -> Option<CertificateInfo> {
    tokio::time::timeout(PATIENCE, handshake(port, host)).await.ok()?
}

async fn handshake(port: u16, host: &str) -> Option<CertificateInfo> {
    let stream = connect(port, host).await?;
    let (_, connection) = stream.get_ref();
    described(host, connection.peer_certificates()?.first()?)
}

/// A connection to this machine's own proxy; whoever answers is taken.
pub async fn connect(port: u16, host: &str) -> Option<TlsStream<TcpStream>> {
    connect_to(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), host).await.ok()
}

/// A connection for that name; whoever answers is taken. The error says what was wrong.
pub async fn connect_to(address: SocketAddr, host: &str) -> Result<TlsStream<TcpStream>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let config = config
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(
            provider.signature_verification_algorithms.supported_schemes(),
        )))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
    let socket = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.map_err(|e| e.to_string())
}

/// Names that a certificate is for.
pub fn names(der: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

pub fn described(host: &str, der: &CertificateDer<'_>) -> Option<CertificateInfo> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let at = |time: x509_parser::time::ASN1Time| DateTime::from_timestamp(time.timestamp(), 0);
    let issuer = certificate.issuer();
    let name = issuer.iter_common_name().chain(issuer.iter_organization()).find_map(|part| part.as_str().ok());
    Some(CertificateInfo {
        host: host.to_owned(),
        not_before: at(certificate.validity().not_before)?,
        not_after: at(certificate.validity().not_after)?,
        issuer: name.unwrap_or_default().to_owned(),
        serial: certificate.raw_serial().iter().map(|b| format!("{b:02x}")).collect(),
    })
}

/// Takes whatever is shown: it is looked at, and nothing is said to it.
#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self, _: &CertificateDer<'_>, _: &[CertificateDer<'_>], _: &ServerName<'_>, _: &[u8], _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// What Caddy logs when an authority refuses.
#[derive(Deserialize)]
struct Refusal {
    level: String,
    #[serde(default)]
    identifier: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    ts: f64,
}

/// The newest refusal of each name since then (Unix seconds), in the authority's words.
pub async fn refusals(host: &Host, since: i64) -> Result<BTreeMap<String, String>, OpError> {
    let options = LinesOptions { since: (since > 0).then_some(since), ..LinesOptions::default() };
    let mut lines = host.docker.lines(CONTAINER, options).await?;
    let mut found = BTreeMap::new();
    while let Some(Ok(line)) = lines.next().await {
        let Ok(said) = serde_json::from_str::<Refusal>(&line.text) else { continue };
        // One that we have cut ourselves, by loading another configuration, is no refusal.
        let is_cut = said.error.contains("context canceled");
        let is_one = said.level == "error" && !said.identifier.is_empty() && !said.error.is_empty() && !is_cut;
        if is_one && said.ts >= since as f64 {
            found.insert(said.identifier, said.error);
        }
    }
    Ok(found)
}
