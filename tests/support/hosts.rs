//! Managed servers of the lab: containers with systemd and a Docker engine of their own, each removed when it is
//! dropped, also by a panic.

use std::process::{Command, Output};
use std::sync::Arc;

/// How hosts reach this machine: the bridge's address, where the lab's registry listens too.
pub const LAB_ADDRESS: &str = "172.17.0.1";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lab/host");

/// What a command on a host said, both streams together, and whether it went well.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub text: String,
}

impl Said {
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.ok, "{}", self.text);
        self.text
    }

    /// It failed, and said so in these words.
    #[track_caller]
    pub fn failed(self, words: &str) -> String {
        assert!(!self.ok && self.text.contains(words), "wanted a failure with {words:?}, but: {}", self.text);
        self.text
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = [output.stdout, output.stderr].concat();
        Self { ok: output.status.success(), text: String::from_utf8_lossy(&text).trim().to_owned() }
    }
}

struct Container {
    name: String,
    suite: &'static str,
}

impl Container {
    fn lab(&self, action: &str) -> Said {
        Command::new(SCRIPT).args([&self.name, self.suite, action]).output().expect("tests/lab/host runs").into()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let said = self.lab("down");
        if !said.ok {
            eprintln!("{} was not removed: {}", self.name, said.text);
        }
    }
}

/// A server as a customer hands it over.
#[derive(Clone)]
pub struct Host(Arc<Container>);

impl Host {
    /// Start a fresh one.
    pub async fn start(suite: &'static str) -> Self {
        let name = format!("ocore-test-{}-{suite}", std::process::id());
        let this = Self(Arc::new(Container { name, suite }));
        let said = this.lab("up").await;
        assert!(said.ok, "the lab has no {suite} server (tests/lab/up --hosts makes its image): {}", said.text);
        this
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub async fn reboot(&self) {
        self.lab("reboot").await.ok();
    }

    async fn lab(&self, action: &'static str) -> Said {
        let container = self.0.clone();
        tokio::task::spawn_blocking(move || container.lab(action)).await.expect("no panic")
    }

    /// Run a command as root.
    pub async fn run(&self, argv: &[&str]) -> Said {
        let output = tokio::process::Command::new("docker").args(["exec", self.name()]).args(argv).output().await;
        output.expect("docker runs").into()
    }

    /// Paste a line into root's shell.
    pub async fn paste(&self, line: &str) -> Said {
        self.run(&["sh", "-c", line]).await
    }

    pub async fn has(&self, path: &str) -> bool {
        self.run(&["test", "-e", path]).await.ok
    }
}
