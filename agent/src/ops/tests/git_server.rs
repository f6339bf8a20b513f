//! A real git server on loopback: git's own `http-backend` behind TLS and a password, and OpenSSH. It also offers a list
//! of Python packages, as an index of one's own does.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

pub const USER: &str = "deployer";
pub const TOKEN: &str = "a token: with 'everything'";

pub struct GitServer {
    pub dir: tempfile::TempDir,
    pub address: SocketAddr,
    pub ca_certificate: String,
    sshd: Child,
    pub ssh_port: u16,
}

impl GitServer {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("repositories")).unwrap();
        let (acceptor, ca_certificate) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(serve).with_state(dir.path().join("repositories"));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, app) = (acceptor.clone(), app.clone());
                tokio::spawn(async move {
                    let Ok(socket) = acceptor.accept(socket).await else { return };
                    let service = TowerToHyperService::new(app);
                    let served =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
                    drop(served.await);
                });
            }
        });
        let (sshd, ssh_port) = sshd(dir.path());
        Self { dir, address, ca_certificate, sshd, ssh_port }
    }

    pub fn https(&self, name: &str) -> String {
        format!("https://{}/{name}.git", self.address)
    }

    pub fn ssh(&self, name: &str) -> String {
        format!("ssh://root@127.0.0.1:{}{}", self.ssh_port, self.repository(name).display())
    }

    /// The private key that may read.
    pub fn ssh_key(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("client")).unwrap()
    }

    fn repository(&self, name: &str) -> PathBuf {
        self.dir.path().join("repositories").join(format!("{name}.git"))
    }

    /// Commit these files to a branch on top of what is there, and say the commit.
    pub fn commit(&self, name: &str, branch: &str, files: &[(&str, &str)]) -> String {
        let bare = self.repository(name);
        if !bare.exists() {
            git(self.dir.path(), &["init", "--quiet", "--bare", "--initial-branch", branch, bare.to_str().unwrap()]);
        }
        let work = self.dir.path().join(format!("{name}-work"));
        if !work.exists() {
            git(self.dir.path(), &["clone", "--quiet", bare.to_str().unwrap(), work.to_str().unwrap()]);
        }
        git(&work, &["checkout", "--quiet", "-B", branch]);
        for (file, text) in files {
            let path = work.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "--message", "change"]);
        git(&work, &["push", "--quiet", "origin", branch]);
        git(&work, &["rev-parse", "HEAD"])
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        drop(self.sshd.kill());
        drop(self.sshd.wait());
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").args(identity).args(args).current_dir(dir).output().expect("needs git");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A certificate for 127.0.0.1 by an authority that nobody knows.
fn tls() -> (tokio_rustls::TlsAcceptor, String) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
    (Arc::new(config).into(), certificate.pem())
}

async fn serve(State(root): State<PathBuf>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{TOKEN}")));
    let text = |name: header::HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if text(header::AUTHORIZATION) != expected {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")]).into_response();
    }
    let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let input = to_bytes(body, 64 * 1024 * 1024).await.unwrap();
    let mut child = tokio::process::Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_USER", USER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeding = tokio::spawn(async move { stdin.write_all(&input).await });
    let output = child.wait_with_output().await.unwrap().stdout;
    drop(feeding.await);
    let end = output.windows(4).position(|w| w == b"\r\n\r\n").expect("a CGI answer has headers");
    let mut answer = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        answer = match name {
            "Status" => answer.status(value.split(' ').next().unwrap()),
            _ => answer.header(name, value),
        };
    }
    answer.body(Body::from(output[end + 4..].to_vec())).unwrap()
}

/// OpenSSH on a free port, for one key.
fn sshd(dir: &Path) -> (Child, u16) {
    for name in ["host", "client"] {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f", dir.join(name).to_str().unwrap()])
            .status()
            .expect("needs openssh-client");
        assert!(made.success());
    }
    std::fs::copy(dir.join("client.pub"), dir.join("authorized_keys")).unwrap();
    std::fs::create_dir_all("/run/sshd").unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized_keys\nPidFile none\n\
         PermitRootLogin prohibit-password\nPasswordAuthentication no\nStrictModes no\nUsePAM no\n",
        dir.display()
    );
    std::fs::write(dir.join("sshd_config"), config).unwrap();
    let log = std::fs::File::create(dir.join("sshd.log")).unwrap();
    let sshd = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f", dir.join("sshd_config").to_str().unwrap()])
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("needs openssh-server");
    (sshd, port)
}

/// An index with one package in it, `ocore-probe-lib`, that containers on Docker's own bridge reach.
pub async fn package_index() -> String {
    let wheel = wheel();
    let app = Router::new().fallback(move |request: Request| {
        let wheel = wheel.clone();
        async move {
            match request.uri().path() {
                path if path.ends_with(".whl") => wheel.into_response(),
                "/simple/ocore-probe-lib/" => {
                    axum::response::Html(format!("<a href=\"/files/{WHEEL}\">{WHEEL}</a>")).into_response()
                }
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        }
    });
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("--index-url http://172.17.0.1:{port}/simple/\n--trusted-host 172.17.0.1\n")
}

const WHEEL: &str = "ocore_probe_lib-1.0-py3-none-any.whl";

fn wheel() -> Vec<u8> {
    const MAKER: &str = "
import io, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, 'w') as wheel:
    info = 'ocore_probe_lib-1.0.dist-info/'
    wheel.writestr('ocore_probe_lib.py', 'ANSWER = 42\\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: ocore-probe-lib\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', 'ocore_probe_lib.py,,\\n' + info + 'METADATA,,\\n' + info + 'WHEEL,,\\n' + info + 'RECORD,,\\n')
sys.stdout.buffer.write(out.getvalue())
";
    let output = Command::new("python3").args(["-c", MAKER]).output().expect("needs python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
