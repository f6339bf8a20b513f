//! An authority for certificates and the names of the internet: Pebble, which asks for proof over HTTP, and its DNS.

use crate::client::Client;
use crate::free_port;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where containers find it: the bridge of this machine.
const HOST: &str = "172.17.0.1";
/// Where every name leads that was not set: nobody is there.
pub const ELSEWHERE: &str = "192.0.2.1";

/// Between the choice of a port and its use another program may take it.
const TRIES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Authority {
    _processes: Processes,
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
        for _ in 0..TRIES {
            if let Some(started) = Self::try_start(http_port).await {
                return started;
            }
        }
        panic!("an authority that listens: it ended {TRIES} times");
    }

    /// None: one of its processes has ended, as they do whose port is taken.
    async fn try_start(http_port: u16) -> Option<Self> {
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
        let mut processes = Processes(vec![start(&mut internet), start(&mut pebble)]);
        let listens = async |port| tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        let deadline = Instant::now() + PATIENCE;
        while !(listens(port).await && listens(names.port).await) {
            if processes.has_ended() {
                return None;
            }
            assert!(Instant::now() < deadline, "an authority that listens: not within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let directory = format!("https://{HOST}:{port}/dir");
        Some(Self { _processes: processes, names, directory, ca: pem, dns, _dir: dir })
    }

    /// Have a name lead to an address from now on.
    pub async fn name_set(&self, host: &str, address: &str) {
        self.names.post("/clear-a", json!({"host": host})).await.is(200);
        self.names.post("/add-a", json!({"host": host, "addresses": [address]})).await.is(200);
    }
}

/// What it consists of, ended with it.
struct Processes(Vec<Child>);

impl Processes {
    fn has_ended(&mut self) -> bool {
        self.0.iter_mut().any(|child| child.try_wait().is_ok_and(|ended| ended.is_some()))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
