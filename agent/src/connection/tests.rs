//! The way out over a real socket: mutual TLS, the WebSocket, the session, refusals, renewal.

use super::*;
use crate::config::{Config, Settings};
use crate::identity::{NewKey, StoredIdentity};
use crate::journal::RedbJournal;
use crate::status;
use ::http::Method;
use chrono::TimeDelta;
use ocore_shared::clock::{Clock, ShiftedClock, SystemClock};
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::CONTROLLER_SERVER_NAME;
use ocore_shared::protocol::enrollment::{Identity, RenewRequest};
use ocore_shared::protocol::session::{SessionOpen, SessionOpened};
use ocore_shared::tunnel::TunnelClient;
use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

/// A controller's port that demands a certificate of its own authority.
struct Port {
    ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Port {
    async fn open() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let server_key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec![CONTROLLER_SERVER_NAME.into()]).unwrap();
        let server = server.signed_by(&server_key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(
                vec![server.der().clone()],
                PrivateKeyDer::from_pem_slice(server_key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { ca_pem: authority.pem(), issuer, listener, acceptor: TlsAcceptor::from(Arc::new(tls)) }
    }

    fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    fn issue(&self, csr_pem: &str) -> Identity {
        let csr = CertificateSigningRequestParams::from_pem(csr_pem).unwrap();
        Identity {
            server_id: ServerId::new(),
            organization_id: OrganizationId::new(),
            certificate_pem: csr.signed_by(&self.issuer).unwrap().pem(),
            ca_pem: self.ca_pem.clone(),
            not_after: SystemClock.now() + TimeDelta::days(30),
            controllers: vec![self.address()],
        }
    }

    async fn accept(&self) -> TlsStream<TcpStream> {
        let (stream, _) = self.listener.accept().await.unwrap();
        self.acceptor.accept(stream).await.expect("the agent shows its certificate")
    }

    /// Take the next connection as a tunnel.
    async fn tunnel(&self) -> TunnelClient {
        #[allow(clippy::result_large_err, reason = "the library's signature")]
        let headers = |request: &Request, response: Response| {
            assert_eq!(request.uri().path(), "/agent/tunnel");
            assert_eq!(request.headers()[HEADER_PROTOCOL], PROTOCOL_VERSION);
            assert!(request.headers().contains_key(HEADER_CLOCK));
            Ok(response)
        };
        let stream = self.accept().await;
        let config = Some(websocket_config());
        let socket = tokio_tungstenite::accept_hdr_async_with_config(stream, headers, config).await.unwrap();
        let (client, connection) = tunnel::connect(WebSocketIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Take the next connection as a renewal.
    async fn renew(&self) {
        let mut stream = self.accept().await;
        let mut bytes = Vec::new();
        let body = loop {
            stream.read_buf(&mut bytes).await.unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((_, body)) = text.split_once("\r\n\r\n")
                && let Ok(request) = serde_json::from_str::<RenewRequest>(body)
            {
                break request;
            }
        };
        let json = serde_json::to_string(&self.issue(&body.csr_pem)).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", json.len());
        stream.write_all((head + &json).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

struct Rig {
    _dir: tempfile::TempDir,
    config: Config,
    identity: IdentityStore,
    agent: AgentState,
}

impl Rig {
    fn new(port: &Port) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { docker_socket: Some(dir.path().join("no-docker.sock")), ..Default::default() };
        let config = Config { dir: dir.path().into(), config_dir: dir.path().join("etc"), settings };
        let key = NewKey::generate().unwrap();
        let stored = StoredIdentity::new(port.issue(&key.csr_pem), &key, SystemClock.now());
        let identity = IdentityStore::create(&config, stored).unwrap();
        let journal = Arc::new(RedbJournal::open(&config.journal_path(), &SystemClock).unwrap());
        let stop = CancellationToken::new();
        let agent = crate::app::build(config.clone(), journal, Arc::new(SystemClock), stop).unwrap();
        Self { _dir: dir, config, identity, agent }
    }

    fn start(&self) {
        let status = StatusFile::new(&self.config, self.agent.clock.clone());
        tokio::spawn(Connector::new(self.agent.clone(), self.identity.clone(), status).run());
    }

    async fn until_status(&self, wanted: Connection) -> status::Status {
        let seen = async {
            loop {
                match status::read(&self.config) {
                    Some(status) if status.connection == wanted => return status,
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.expect("in time")
    }
}

async fn open(client: &TunnelClient, session_epoch: i64, controllers: Vec<String>) -> SessionOpened {
    let controller_version = "0.0.0".into();
    let open = SessionOpen { session_epoch, offered_join_state: "state".into(), controllers, controller_version };
    client.call(Method::POST, "/session", &open, Duration::from_secs(5)).await.unwrap().1
}

#[tokio::test]
async fn it_connects_and_comes_back_after_a_loss() {
    let port = Port::open().await;
    let rig = Rig::new(&port);
    rig.start();
    let client = port.tunnel().await;
    let controllers = vec![port.address(), "second:8443".to_string()];
    open(&client, 1, controllers.clone()).await;
    rig.until_status(Connection::Connected).await;
    assert_eq!(rig.identity.get().controllers, controllers);
    drop(client);
    let client = port.tunnel().await;
    assert_eq!(open(&client, 2, controllers).await.previous_epoch, 1);
    rig.until_status(Connection::Connected).await;
    rig.agent.stop.cancel();
    rig.until_status(Connection::Offline).await;
}

#[tokio::test]
async fn a_refusal_is_written_down() {
    let port = Port::open().await;
    let rig = Rig::new(&port);
    rig.start();
    #[allow(clippy::result_large_err, reason = "the library's signature")]
    let refuse = |_: &Request, _: Response| -> Result<Response, ErrorResponse> {
        let body = r#"{"error":{"code":"revoked","message":"This server was removed from its organization."}}"#;
        Err(::http::Response::builder().status(403).body(Some(body.into())).unwrap())
    };
    let stream = port.accept().await;
    assert!(tokio_tungstenite::accept_hdr_async(stream, refuse).await.is_err());
    let status = rig.until_status(Connection::Refused).await;
    assert_eq!(status.message, "This server was removed from its organization.");
    rig.agent.stop.cancel();
}

#[tokio::test]
async fn a_certificate_is_renewed_with_the_old_one() {
    let port = Port::open().await;
    let rig = Rig::new(&port);
    let before = rig.identity.get();
    let (renewed, ()) = tokio::join!(renew::renew(&rig.identity, &rig.config, &SystemClock), port.renew());
    renewed.unwrap();
    let after = IdentityStore::load(&rig.config).unwrap().get();
    assert_ne!(after.certificate_pem, before.certificate_pem);
    assert_ne!(after.key_pem(), before.key_pem());
}

#[tokio::test]
async fn a_certificate_that_is_over_when_it_comes_is_asked_for_again_in_an_hour() {
    let port = Port::open().await;
    let rig = Rig::new(&port);
    let before = rig.identity.get().certificate_pem.clone();
    let clock = ShiftedClock::default();
    clock.shift(TimeDelta::days(40));
    let config = rig.agent.config.clone();
    tokio::spawn(renew::run(rig.identity.clone(), config, Arc::new(clock), rig.agent.stop.clone()));
    port.renew().await;
    let stored = async {
        while rig.identity.get().certificate_pem == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), stored).await.expect("in time");
    // From here on time passes only while everybody waits for it.
    tokio::time::pause();
    let renewed = tokio::time::Instant::now();
    port.listener.accept().await.unwrap();
    assert!(renewed.elapsed() >= Duration::from_secs(3600 - 1), "{:?}", renewed.elapsed());
    rig.agent.stop.cancel();
}

#[test]
fn retries_slow_down_to_a_minute() {
    let ceilings: Vec<u64> = (0..8).map(|attempt| ceiling(attempt).as_secs()).collect();
    assert_eq!(ceilings, [2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn a_refusal_is_told_in_the_controllers_words() {
    let answered = |status: u16, body: Option<&[u8]>| {
        let response = ::http::Response::builder().status(status).body(body.map(<[u8]>::to_vec)).unwrap();
        refusal(tungstenite::Error::Http(response.into()))
    };
    let body: &[u8] = br#"{"error":{"code":"revoked","message":"This server was removed."}}"#;
    for status in [401, 403, 422, 426] {
        let error = answered(status, Some(body));
        assert!(matches!(&error, LinkError::Refused { message } if message == "This server was removed."), "{error}");
    }
    assert!(answered(426, None).to_string().contains("update the agent"));
    // A controller in trouble has not said that this server is none of its own.
    for status in [404, 429, 500, 502, 503] {
        let error = answered(status, Some(body));
        assert!(matches!(&error, LinkError::Handshake(why) if why.ends_with("This server was removed.")), "{error}");
        assert!(answered(status, None).to_string().contains(&status.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_session_is_a_failed_one() {
    let rig = Rig::new(&Port::open().await);
    let status = StatusFile::new(&rig.config, rig.agent.clock.clone());
    let connector = Connector::new(rig.agent.clone(), rig.identity.clone(), status);
    let (near, far) = tokio::io::duplex(64 * 1024);
    let io =
        async |end, role| WebSocketIo::new(WebSocketStream::from_raw_socket(end, role, Some(websocket_config())).await);
    let (_client, connection) = tunnel::connect(io(near, Role::Server).await).await.unwrap();
    tokio::spawn(connection);
    let ended = connector.serve("silent:8443", io(far, Role::Client).await).await;
    assert!(matches!(ended, Err(LinkError::NoSession)), "{ended:?}");
}
