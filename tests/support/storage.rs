//! Where backups go: SeaweedFS, which speaks S3, and OpenSSH, which speaks SFTP.

use crate::{free_port, needed};
use ocore_shared::protocol::storage::{Place, S3Place, StorageRequest, StorageWork};
use ocore_shared::storage::{SystemResolve, storage_work};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
pub const S3_KEY: &str = "lab";
pub const S3_SECRET: &str = "lab-secret";

/// An S3 service with one account and no bucket.
pub struct S3Server {
    pub port: u16,
    dir: tempfile::TempDir,
    ports: [u16; 3],
    server: Option<Child>,
}

impl S3Server {
    pub fn start() -> Self {
        let dir = tempfile::tempdir_in("/var/tmp").expect("a directory");
        let identities = serde_json::json!({"identities": [{
            "name": "ocore",
            "credentials": [{"accessKey": S3_KEY, "secretKey": S3_SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        std::fs::write(dir.path().join("s3.json"), identities.to_string()).expect("its accounts");
        std::fs::create_dir(dir.path().join("data")).expect("its directory");
        // Each has another one, 10,000 above.
        let low = || loop {
            let port = free_port();
            if port < 55_000 {
                return port;
            }
        };
        let mut server = Self { port: low(), ports: [low(), low(), low()], dir, server: None };
        server.run();
        server
    }

    /// Start it (again) and wait until it answers.
    pub fn run(&mut self) {
        let weed = needed("OCORE_WEED");
        let [master, volume, filer] = self.ports;
        let mut command = Command::new(weed);
        command.current_dir(self.dir.path()).arg("server").args(["-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
        command.args([format!("-master.port={master}"), format!("-volume.port={volume}")]);
        command.args([format!("-filer.port={filer}"), format!("-s3.port={}", self.port)]);
        command.args(["-s3", "-s3.config=s3.json", "-s3.autoCreateBucket=false"]);
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]);
        command.arg("-master.volumeSizeLimitMB=64");
        let log = std::fs::File::create(self.dir.path().join("log")).expect("a log");
        let quiet = command.stdout(log.try_clone().expect("its copy")).stderr(log);
        self.server = Some(quiet.spawn().expect("SeaweedFS runs"));
        answers(self.port);
    }

    /// As a crash would.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub async fn bucket_create(&self, bucket: &str) {
        let place = Place::S3(S3Place {
            endpoint: Some(self.endpoint()),
            region: "us-east-1".into(),
            bucket: bucket.into(),
            prefix: String::new(),
            path_style: true,
            access_key_id: S3_KEY.into(),
            ca_certificate: None,
        });
        let work = StorageWork::BucketCreate(bucket.into());
        let request = StorageRequest { place, secret: Some(S3_SECRET.into()), work };
        assert_eq!(storage_work(request, Arc::new(SystemResolve)).await.problem, None);
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An SSH server that lets its user in with a key.
pub struct SftpServer {
    pub port: u16,
    dir: tempfile::TempDir,
    server: Child,
}

impl SftpServer {
    pub fn start() -> Self {
        Self::start_in(Path::new("/var/tmp"))
    }

    /// With what it keeps below that directory.
    pub fn start_in(directory: &Path) -> Self {
        let dir = tempfile::tempdir_in(directory).expect("a directory");
        key_make(dir.path(), "host");
        key_make(dir.path(), "user");
        std::fs::create_dir_all("/run/sshd").expect("the directory that sshd wants");
        let port = free_port();
        let server = Self::run(dir.path(), port);
        Self { port, dir, server }
    }

    fn run(dir: &Path, port: u16) -> Child {
        let path = |name: &str| dir.join(name).display().to_string();
        let options = [
            format!("HostKey={}", path("host")),
            format!("AuthorizedKeysFile={}", path("user.pub")),
            "ListenAddress=127.0.0.1".into(),
            "StrictModes=no".into(),
            "UsePAM=no".into(),
            "PermitRootLogin=yes".into(),
            "PidFile=none".into(),
            "Subsystem=sftp internal-sftp".into(),
        ];
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f", "/dev/null", "-p", &port.to_string()]);
        for option in &options {
            sshd.args(["-o", option]);
        }
        let server = sshd.stderr(Stdio::null()).spawn().expect("sshd runs");
        answers(port);
        server
    }

    /// Another machine answers there from now on.
    pub fn change_host_key(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        for name in ["host", "host.pub"] {
            std::fs::remove_file(self.dir.path().join(name)).expect("a key");
        }
        key_make(self.dir.path(), "host");
        self.server = Self::run(self.dir.path(), self.port);
    }

    /// A directory of its own on that server.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("kept")
    }

    /// The file of the private key that it lets root in with.
    pub fn key_path(&self) -> PathBuf {
        self.dir.path().join("user")
    }

    /// The private key itself.
    pub fn key(&self) -> String {
        std::fs::read_to_string(self.key_path()).expect("a key")
    }
}

impl Drop for SftpServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn key_make(dir: &Path, name: &str) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", name]).current_dir(dir);
    assert!(keygen.status().is_ok_and(|status| status.success()), "a key is made");
}

fn answers(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asked = std::net::TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
            use std::io::{Read, Write};
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            // SSH greets by itself; HTTP has to be asked.
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
            stream.read(&mut [0; 16])
        });
        if asked.is_ok_and(|bytes| bytes > 0) {
            return;
        }
        assert!(Instant::now() < deadline, "nothing answers on port {port}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
