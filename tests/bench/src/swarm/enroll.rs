//! From an install command to an agent with a certificate of its own, as `ocore-agent enroll` does it.

use super::disk::Disk;
use super::member::Member;
use ocore_agent::host::facts::AGENT_VERSION;
use ocore_agent::identity::{NewKey, StoredIdentity};
use ocore_agent::tls::{self, PinVerifier};
use ocore_shared::clock::{Clock, SystemClock};
use ocore_shared::protocol::CONTROLLER_SERVER_NAME;
use ocore_shared::protocol::enrollment::{EnrollRequest, Identity};
use ocore_tests::client::{Client, text};
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio_rustls::TlsConnector;

/// One more server, enrolled.
pub async fn member(client: &Client, agents_port: u16, disk: Disk, number: usize) -> Member {
    let made = client.post("/api/servers", json!({"name": format!("swarm-{number}")})).await.is(201);
    let install = &made["install"];
    let token = text(install, "command").split("--token ").nth(1).expect("the command has a token").trim().to_owned();
    let address = format!("127.0.0.1:{agents_port}");
    let key = NewKey::generate().expect("a key");
    let hostname = format!("swarm-{number}");
    let request = EnrollRequest {
        token,
        csr_pem: key.csr_pem.clone(),
        hostname: hostname.clone(),
        agent_version: AGENT_VERSION.into(),
        arch: std::env::consts::ARCH.into(),
        os: "bench".into(),
        clock: SystemClock.now(),
    };
    let pin = PinVerifier::parse(&text(install, "pin")).expect("the command has a pin");
    let config = pin.config().expect("a TLS configuration");
    let stream = tls::dial(&address).await.expect("the agents' port answers");
    let name = ServerName::try_from(CONTROLLER_SERVER_NAME).expect("a constant name");
    let stream = TlsConnector::from(config).connect(name, stream).await.expect("the pinned key");
    let answer = tls::post_json(stream, &address, "/agent/enroll", &request).await.expect("an answer");
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    let issued: Identity = serde_json::from_slice(&answer.body).expect("an identity");
    let server = issued.server_id;
    let identity = StoredIdentity::new(issued, &key, SystemClock.now());
    let config = tls::identity_config(&identity).expect("a usable certificate");
    Member::new(server, hostname, address, config, disk)
}
