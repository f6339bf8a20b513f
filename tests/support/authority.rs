//! An authority for certificates and the names of the internet: Pebble, which asks for proof over HTTP, and its DNS.

use crate::client::Client;
use crate::{free_port, wait_for};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where containers find it: the bridge of this machine.
const HOST: &str = "172.17.0.1";
/// Where every name leads that was not set: nobody is there.
pub const ELSEWHERE: &str = "192.0.2.1";

pub struct Authority {
    children: Vec<Child>,
    names: Client,
    /// Of ACME.
    pub directory: String,
    /// What signed the certificate of that directory itself, as PEM.
    pub ca: String,
    /// `IP:PORT` of the name server.
    pub dns: String,
    _dir: tempfile::TempDir,
}

impl Authority {
    /// Start one that looks for proofs on that port.
    pub async fn start(http_port: u16) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let mut ca = CertificateParams::new(vec![]).expect("parameters");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = ca.self_signed(&key).expect("a certificate").pem();
        let leaf_key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec![HOST.into()]).expect("parameters");
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(ca, key)).expect("a certificate");
        let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        let (port, management, dns) = (free_port(), free_port(), free_port());
        let names = Client { port: free_port(), token: None };
        let config = json!({"pebble": {"listenAddress": format!("0.0.0.0:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"), "certificate": path("cert.pem"),
            "privateKey": path("key.pem"), "httpPort": http_port, "tlsPort": 1, "ocspResponderURL": "",
            "externalAccountBindingRequired": false}});
        for (name, text) in
            [("cert.pem", leaf.pem()), ("key.pem", leaf_key.serialize_pem()), ("pebble.json", config.to_string())]
        {
            std::fs::write(path(name), text).expect("a file");
        }
        let dns = format!("127.0.0.1:{dns}");
        let start = |command: &mut Command| {
            let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
            quiet.spawn().expect("needs pebble, installed by tests/lab/up")
        };
        let mut internet = Command::new("pebble-challtestsrv");
        internet.args(["-dns01", &dns, "-http01", "", "-https01", "", "-tlsalpn01", ""]).args([
            "-management",
            &format!("127.0.0.1:{}", names.port),
            "-defaultIPv4",
            ELSEWHERE,
            "-defaultIPv6",
            "",
        ]);
        let mut pebble = Command::new("pebble");
        pebble
            .args(["-config", &path("pebble.json"), "-dnsserver", &dns])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0");
        let children = vec![start(&mut internet), start(&mut pebble)];
        for port in [port, names.port] {
            wait_for("an authority that listens", Duration::from_secs(20), || async {
                tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
            })
            .await;
        }
        let directory = format!("https://{HOST}:{port}/dir");
        Self { children, names, directory, ca: pem, dns, _dir: dir }
    }

    /// Have a name lead to an address from now on.
    pub async fn name_set(&self, host: &str, address: &str) {
        self.names.post("/clear-a", json!({"host": host})).await.is(200);
        self.names.post("/add-a", json!({"host": host, "addresses": [address]})).await.is(200);
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
