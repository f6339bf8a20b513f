//! A PostgreSQL cluster that a test may stop and start.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Runs until it is dropped.
pub struct Cluster {
    bin: PathBuf,
    dir: TempDir,
}

impl Cluster {
    /// Make one and start it. Only durability's waiting for the disk is left out.
    pub fn start() -> Self {
        let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
        let newest = versions
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
            .max();
        let (_, bin) = newest.expect("a version of PostgreSQL");
        let dir = tempfile::Builder::new().prefix("ocore-pg-").tempdir_in("/var/tmp").expect("a directory");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("its mode");
        for name in ["data", "run"] {
            let mut command = Command::new("install");
            command.args(["-d", "-o", "postgres", "-g", "postgres", "-m", "700"]).arg(dir.path().join(name));
            assert!(command.status().is_ok_and(|s| s.success()), "a directory for PostgreSQL's user");
        }
        let this = Self { bin, dir };
        this.execute("initdb", &["-A", "trust", "-U", "postgres", "--no-instructions", "--no-sync"]);
        this.run();
        this
    }

    /// Start it (again) and wait until it takes connections.
    pub fn run(&self) {
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c fsync=off",
            self.dir.path().join("run").display()
        );
        let log = self.dir.path().join("data/log");
        self.execute("pg_ctl", &["start", "-w", "-s", "-l", &log.to_string_lossy(), "-o", &options]);
    }

    /// As a crash would.
    pub fn stop_immediately(&self) {
        self.execute("pg_ctl", &["stop", "-m", "immediate", "-w", "-s"]);
    }

    pub fn url(&self) -> String {
        let socket = self.dir.path().join("run").to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{socket}/postgres")
    }

    fn execute(&self, program: &str, args: &[&str]) {
        assert!(self.try_execute(program, args), "{program} {args:?} failed");
    }

    fn try_execute(&self, program: &str, args: &[&str]) -> bool {
        let data: &Path = &self.dir.path().join("data");
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
        command.arg(self.bin.join(program)).args(args).arg("-D").arg(data);
        // A server that keeps the test's pipes open would keep the test's runner waiting.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.try_execute("pg_ctl", &["stop", "-m", "immediate", "-w", "-s"]);
    }
}
