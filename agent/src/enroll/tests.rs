//! Enrolment against a controller of a few lines, with a real TLS port.

use super::*;
use crate::config::Settings;
use ocore_shared::clock::{ShiftedClock, SystemClock};
use ocore_shared::ids::{OrganizationId, ServerId};
use rcgen::{CertificateParams, CertificateSigningRequestParams, Issuer, KeyPair, PublicKeyData};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers every request with `refuse`, or with a certificate for its CSR, as another server each time.
async fn controller(refuse: Option<&'static str>) -> (String, String) {
    controller_of(None, refuse).await
}

/// The same, for one server when that is given.
async fn controller_of(server: Option<ServerId>, refuse: Option<&'static str>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["controller".into()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let pin = format!("sha256//{}", base64_of(&Sha256::digest(key.subject_public_key_info())));
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let ca_pem = certificate.pem();
    let issuer = Issuer::new(params, key);
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let body = read_body(&mut stream).await;
            let request: EnrollRequest = serde_json::from_slice(&body).unwrap();
            let (status, answer) = match refuse {
                Some(body) => ("401 Unauthorized", body.to_string()),
                None => {
                    let csr = CertificateSigningRequestParams::from_pem(&request.csr_pem).unwrap();
                    let identity = Identity {
                        server_id: server.unwrap_or_else(ServerId::new),
                        organization_id: OrganizationId::new(),
                        certificate_pem: csr.signed_by(&issuer).unwrap().pem(),
                        ca_pem: ca_pem.clone(),
                        not_after: SystemClock.now() + TimeDelta::days(30),
                        controllers: Vec::new(),
                    };
                    ("200 OK", serde_json::to_string(&identity).unwrap())
                }
            };
            let date = SystemClock.now().to_rfc2822();
            let head = format!("HTTP/1.1 {status}\r\ndate: {date}\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all((head + &answer).as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    (url, pin)
}

async fn read_body(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return bytes[head.len() + 4..].to_vec();
            }
        }
        stream.read_buf(&mut bytes).await.unwrap();
    }
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn config() -> (TempDir, Config) {
    let dir = tempfile::tempdir().unwrap();
    let config =
        Config { dir: dir.path().join("lib"), config_dir: dir.path().join("etc"), settings: Settings::default() };
    (dir, config)
}

fn request(url: &str, pin: &str, force: bool) -> Enroll {
    Enroll { url: url.into(), pin: pin.into(), token: Secret::new("token"), force }
}

#[tokio::test]
async fn a_server_is_enrolled_once() {
    let (url, pin) = controller(None).await;
    let (_dir, config) = config();
    let said = enroll(&config, request(&url, &pin, false), &SystemClock).await.unwrap();
    let first = IdentityStore::load(&config).unwrap().get();
    assert!(said.contains(&first.server_id.to_string()), "{said}");
    assert_eq!(first.controllers, [url.trim_start_matches("https://")]);
    assert!(config.current_link().join("ocore-agent").exists());
    let said = enroll(&config, request(&url, &pin, false), &SystemClock).await.unwrap();
    assert!(said.contains("enrolled already"), "{said}");
    assert_eq!(IdentityStore::load(&config).unwrap().get().server_id, first.server_id);
    enroll(&config, request(&url, &pin, true), &SystemClock).await.unwrap();
    assert_ne!(IdentityStore::load(&config).unwrap().get().server_id, first.server_id);
}

/// What lies where a journal lies, and what was put aside.
fn journals(config: &Config) -> (Option<String>, Vec<String>) {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let entries = std::fs::read_dir(&config.dir).unwrap().map(|e| e.unwrap().path());
    let former = entries.filter(|p| p.to_string_lossy().contains("journal.redb.former-"));
    (read(&config.journal_path()), former.filter_map(|p| read(&p)).collect())
}

#[tokio::test]
async fn a_journal_stays_with_its_server() {
    let (_dir, config) = config();
    let server = ServerId::new();
    let (url, pin) = controller_of(Some(server), None).await;
    enroll(&config, request(&url, &pin, false), &SystemClock).await.unwrap();
    std::fs::write(config.journal_path(), "of the first").unwrap();
    enroll(&config, request(&url, &pin, true), &SystemClock).await.unwrap();
    assert_eq!(journals(&config), (Some("of the first".into()), vec![]), "the same server goes on with it");

    // The same number at a controller with another authority is another server.
    let (url, pin) = controller_of(Some(server), None).await;
    enroll(&config, request(&url, &pin, true), &SystemClock).await.unwrap();
    assert_eq!(journals(&config), (None, vec!["of the first".into()]));
}

#[tokio::test]
async fn a_journal_without_its_identity_is_nobodys() {
    let (_dir, config) = config();
    let (url, pin) = controller(None).await;
    enroll(&config, request(&url, &pin, false), &SystemClock).await.unwrap();
    std::fs::write(config.journal_path(), "of the former").unwrap();
    // What `ocore-agent uninstall` does without systemd.
    std::fs::remove_dir_all(config.identity_dir()).unwrap();
    enroll(&config, request(&url, &pin, false), &SystemClock).await.unwrap();
    assert_eq!(journals(&config), (None, vec!["of the former".into()]));
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_with_another_key() {
    let (url, _) = controller(None).await;
    let (_, other_pin) = controller(None).await;
    let (_dir, config) = config();
    let error = enroll(&config, request(&url, &other_pin, false), &SystemClock).await.unwrap_err();
    assert!(matches!(error, EnrollError::PinMismatch(_)), "{error}");
    assert!(IdentityStore::load(&config).is_err());
}

#[tokio::test]
async fn refusals_are_told_in_the_controllers_words_and_name_a_wrong_clock() {
    let (url, pin) = controller(Some(r#"{"error":{"code":"token_used","message":"The token was used."}}"#)).await;
    let (_dir, config) = config();
    let error = enroll(&config, request(&url, &pin, false), &SystemClock).await.unwrap_err();
    assert_eq!(error.to_string(), "The token was used.");
    let clock = ShiftedClock::default();
    clock.shift(TimeDelta::minutes(-90));
    let error = enroll(&config, request(&url, &pin, false), &clock).await.unwrap_err();
    assert!(error.to_string().contains("minutes behind"), "{error}");
}

#[tokio::test]
async fn what_cannot_work_is_said_before_anything_is_sent() {
    let (_dir, config) = config();
    let said = |url, pin| {
        let request = request(url, pin, false);
        let config = config.clone();
        async move { enroll(&config, request, &SystemClock).await.unwrap_err().to_string() }
    };
    let pin = format!("sha256//{}", base64_of(&[0; 32]));
    assert!(said("http://localhost:8443", &pin).await.contains("https://HOST:PORT"));
    assert!(said("https://localhost:8443", "sha256//short").await.contains("copy the whole install command"));
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    assert!(said(&format!("https://127.0.0.1:{port}"), &pin).await.contains("cannot be reached"));
}
