//! The agent's way out: names, TLS by authority (tunnel, renewal) or by pin (enrolment), and one HTTPS request.

use crate::identity::StoredIdentity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use ocore_shared::protocol::CONTROLLER_SERVER_NAME;
use ocore_shared::tunnel::STALL;
use rustix::net::sockopt;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// No answer to enrolment or renewal is larger.
const MAX_ANSWER: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("{0} is not an address of the form HOST:PORT")]
    Address(String),
    #[error("the name {0} cannot be resolved: {1}")]
    Name(String, String),
    #[error("{0} cannot be reached: {1}; is the controller running, and does a firewall allow this port?")]
    Unreachable(String, std::io::Error),
    #[error("{0} does not speak TLS as expected: {1}")]
    Tls(String, std::io::Error),
    #[error("this agent's certificate cannot be used: {0}; enrol again with --force")]
    Identity(String),
    #[error("{0} did not answer as expected: {1}")]
    Http(String, String),
}

/// Connect to `host:port`, trying each of the name's addresses.
pub async fn dial(address: &str) -> Result<TcpStream, DialError> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let (host, port) = parts.ok_or_else(|| DialError::Address(address.into()))?;
    let mut last = std::io::Error::other("the name has no address");
    for ip in resolve(host.trim_start_matches('[').trim_end_matches(']')).await? {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(SocketAddr::new(ip, port))).await;
        match connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                prepare(&stream).map_err(|e| DialError::Unreachable(address.into(), e))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(DialError::Unreachable(address.into(), last))
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    // A keystroke must not wait for more bytes.
    stream.set_nodelay(true)?;
    // What nobody acknowledges is not sent again for a quarter of an hour.
    Ok(sockopt::set_tcp_user_timeout(stream, u32::try_from(STALL.as_millis()).unwrap_or(u32::MAX))?)
}

/// With a resolver of our own: the system's one reaches NSS, which a static binary cannot.
pub async fn resolve(host: &str) -> Result<Vec<IpAddr>, DialError> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    let failed = |e: hickory_resolver::net::NetError| DialError::Name(host.into(), e.to_string());
    let resolver = hickory_resolver::TokioResolver::builder_tokio().map_err(failed)?.build().map_err(failed)?;
    Ok(resolver.lookup_ip(host).await.map_err(failed)?.iter().collect())
}

fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

/// TLS with this agent's certificate, trusting only the authorities of its identity.
pub fn identity_config(identity: &StoredIdentity) -> Result<Arc<ClientConfig>, DialError> {
    let bad = |e: &dyn std::fmt::Display| DialError::Identity(e.to_string());
    let certificates = |pem: &str| CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let mut roots = RootCertStore::empty();
    for authority in certificates(&identity.ca_pem).map_err(|e| bad(&e))? {
        roots.add(authority).map_err(|e| bad(&e))?;
    }
    let chain = certificates(&identity.certificate_pem).map_err(|e| bad(&e))?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes()).map_err(|e| bad(&e))?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(&e))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|e| bad(&e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Every connect shows the certificate anew, so that revocation is seen.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// TLS to the agents' port at `address`; it has one name wherever it is.
pub async fn connect(address: &str, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, DialError> {
    let stream = dial(address).await?;
    let name = ServerName::try_from(CONTROLLER_SERVER_NAME).map_err(|e| DialError::Address(e.to_string()))?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|e| DialError::Tls(address.into(), e))
}

/// Trusts exactly one public key, whatever certificate it comes in.
#[derive(Debug)]
pub struct PinVerifier {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
    mismatch: AtomicBool,
}

impl PinVerifier {
    /// `sha256//BASE64`, as curl's `--pinnedpubkey` writes it.
    pub fn parse(pin: &str) -> Option<Arc<Self>> {
        let bytes = STANDARD.decode(pin.strip_prefix("sha256//")?).ok()?;
        let pin = bytes.try_into().ok()?;
        Some(Arc::new(Self { pin, provider: provider(), mismatch: AtomicBool::new(false) }))
    }

    /// Whether a server was seen that has another key.
    pub fn saw_other_key(&self) -> bool {
        self.mismatch.load(Ordering::Relaxed)
    }

    pub fn config(self: &Arc<Self>) -> Result<Arc<ClientConfig>, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(self.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self, end_entity: &CertificateDer<'_>, _: &[CertificateDer<'_>], _: &ServerName<'_>, _: &[u8], _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        if Sha256::digest(key.as_ref())[..] == self.pin {
            return Ok(ServerCertVerified::assertion());
        }
        self.mismatch.store(true, Ordering::Relaxed);
        Err(rustls::Error::General("the server's key is not the pinned one".into()))
    }

    fn verify_tls12_signature(
        &self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

pub struct Answer {
    pub status: StatusCode,
    /// The `Date` header as it was sent.
    pub date: Option<String>,
    pub body: Bytes,
}

/// `POST` JSON over an established connection, once.
pub async fn post_json<T: serde::Serialize>(
    stream: TlsStream<TcpStream>, address: &str, path: &str, body: &T,
) -> Result<Answer, DialError> {
    let failed = |e: &dyn std::fmt::Display| DialError::Http(address.into(), e.to_string());
    let json = serde_json::to_vec(body).map_err(|e| failed(&e))?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, address)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(json)))
        .map_err(|e| failed(&e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| failed(&e))?;
        let status = response.status();
        let date = response.headers().get(header::DATE).and_then(|d| d.to_str().ok()).map(String::from);
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|e| failed(&e))?.to_bytes();
        Ok(Answer { status, date, body })
    };
    let mut connection = std::pin::pin!(connection);
    let mut exchange = std::pin::pin!(exchange);
    // The connection may end before its last answer is read.
    tokio::select! {
        answer = &mut exchange => answer,
        _ = &mut connection => exchange.await,
    }
}

/// `{"error": {"code", "message"}}`, as the agents' port answers.
pub fn controller_error(body: &[u8]) -> Option<(String, String)> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let error = value.get("error")?;
    let text = |key: &str| error.get(key).and_then(|v| v.as_str()).map(String::from);
    Some((text("code").unwrap_or_default(), text("message")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dialled_connection_gives_up_in_time() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = dial(&listener.local_addr().unwrap().to_string()).await.unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(u128::from(sockopt::tcp_user_timeout(&stream).unwrap()), STALL.as_millis());
    }
}
