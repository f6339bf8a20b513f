//! The peer for many idle connections: Debian's nats-server, with TLS and one subscription per client, which is what it
//! takes to be reachable.

use crate::backoff::Backoff;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ocore_agent::tls::{self, PinVerifier};
use rcgen::PublicKeyData;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sha2::{Digest, Sha256};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

const PROGRAM: &str = "/usr/sbin/nats-server";
const FIRST_LINE: usize = 4096;

/// Whether Debian's package is there.
pub fn installed() -> bool {
    std::path::Path::new(PROGRAM).exists()
}

pub struct Nats {
    process: Option<Child>,
    dir: TempDir,
    port: u16,
    tls: Arc<ClientConfig>,
}

impl Nats {
    pub fn start() -> Self {
        let dir = tempfile::tempdir_in("/var/tmp").expect("a directory");
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let own = rcgen::generate_simple_self_signed(vec!["nats".into()]).expect("a certificate");
        let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        std::fs::write(&certificate, own.cert.pem()).expect("the certificate is written");
        std::fs::write(&key, own.signing_key.serialize_pem()).expect("the key is written");
        let settings = format!(
            "listen: 127.0.0.1:{port}\nmax_connections: 100000\ntls {{ cert_file: {:?}, key_file: {:?}, timeout: 15 }}\n",
            certificate, key
        );
        std::fs::write(dir.path().join("nats.conf"), settings).expect("the settings are written");
        let pin = Sha256::digest(own.signing_key.subject_public_key_info());
        let pin = PinVerifier::parse(&format!("sha256//{}", STANDARD.encode(pin))).expect("a pin");
        let tls = pin.config().expect("a TLS configuration");
        let mut this = Self { process: None, dir, port, tls };
        this.run();
        this
    }

    /// Start the process (again).
    pub fn run(&mut self) {
        let command = Command::new(PROGRAM)
            .arg("-c")
            .arg(self.dir.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(command.expect("nats-server starts"));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    pub fn clients(&self, count: usize) -> Clients {
        let connected = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for number in 0..count {
            tasks.spawn(keep_connected(self.port, self.tls.clone(), number, connected.clone()));
        }
        Clients { connected, _tasks: tasks }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

pub struct Clients {
    connected: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Clients {
    /// Wait until all of them are connected; false when that takes too long.
    pub async fn all(&self, count: usize, limit: Duration) -> bool {
        let all = async {
            while self.connected.load(Ordering::Relaxed) < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(limit, all).await.is_ok()
    }
}

async fn keep_connected(port: u16, tls: Arc<ClientConfig>, number: usize, connected: Arc<AtomicUsize>) {
    let mut backoff = Backoff::default();
    loop {
        tokio::time::sleep(backoff.next()).await;
        let mut counted = false;
        // However it ended, the next attempt finds out whether the server is there.
        let _ = connection(port, tls.clone(), number, || {
            counted = true;
            connected.fetch_add(1, Ordering::Relaxed);
        })
        .await;
        if counted {
            connected.fetch_sub(1, Ordering::Relaxed);
            backoff = Backoff::default();
        }
    }
}

/// One connection until its end: answers pings.
async fn connection(
    port: u16, tls: Arc<ClientConfig>, number: usize, up: impl FnOnce(),
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut stream = tls::dial(&format!("127.0.0.1:{port}")).await?;
    // The greeting comes before TLS, a byte at a time so that nothing of TLS is read.
    let mut greeting = Vec::new();
    while greeting.last() != Some(&b'\n') && greeting.len() < FIRST_LINE {
        greeting.push(stream.read_u8().await?);
    }
    let stream = TlsConnector::from(tls).connect(ServerName::try_from("nats")?, stream).await?;
    let (reader, mut writer) = tokio::io::split(stream);
    let hello = format!("CONNECT {{\"verbose\":false,\"tls_required\":true}}\r\nSUB agent.{number} 1\r\nPING\r\n");
    writer.write_all(hello.as_bytes()).await?;
    let mut up = Some(up);
    let mut lines = BufReader::with_capacity(512, reader).lines();
    while let Some(line) = lines.next_line().await? {
        match line.trim_end() {
            "PONG" => up.take().into_iter().for_each(|up| up()),
            "PING" => writer.write_all(b"PONG\r\n").await?,
            _ => {}
        }
    }
    Ok(())
}
