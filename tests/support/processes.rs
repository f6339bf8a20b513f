//! Controller and agents as processes, each in a directory of its own, ended by their own ids.

use crate::client::{Client, text};
use crate::hosts::LAB_ADDRESS;
use crate::wire::Wire;
use crate::{free_port, needed, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub const PASSWORD: &str = "a quiet place 7";

fn binary(name: &str) -> PathBuf {
    let path = Path::new(&needed("OCORE_BIN_DIR")).join(name);
    assert!(path.exists(), "{} is missing; run the tests by tests/run", path.display());
    path
}

/// Tests want to know more than a measurement can afford to have written.
fn log_level(tests: &str) -> String {
    std::env::var("OCORE_LOG").unwrap_or_else(|_| tests.to_owned())
}

/// A directory that PostgreSQL's user may pass through, with a path short enough for a socket.
fn directory() -> TempDir {
    let dir = tempfile::Builder::new().prefix("ocore-").tempdir_in("/var/tmp").expect("a directory");
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).expect("its mode");
    dir
}

struct Process(Option<Child>);

impl Process {
    fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("a log");
        let command = command.stdin(Stdio::null()).stdout(file.try_clone().expect("a log")).stderr(file);
        Self(Some(command.spawn().expect("the process starts")))
    }

    fn signal(&mut self, signal: Signal) {
        if let Some(mut child) = self.0.take() {
            let _ = kill(Pid::from_raw(child.id() as i32), signal);
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
    }
}

/// A controller on an embedded PostgreSQL.
pub struct Controller {
    process: Process,
    dir: TempDir,
    pub port: u16,
    pub agents_port: u16,
    /// The address that agents are given.
    address: &'static str,
    /// None: the embedded one.
    database: Option<String>,
    /// Whether its configuration says where it is reached.
    addressed: bool,
    /// More of its configuration.
    env: Vec<(&'static str, String)>,
}

impl Controller {
    /// Start one and wait until it is ready.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1", None).await
    }

    /// Start one on a database that was made for it.
    pub async fn start_on(database: &str) -> Self {
        Self::start_at("127.0.0.1", Some(database.to_owned())).await
    }

    /// Start one whose agents' port servers of the lab reach.
    pub async fn start_for_hosts() -> Self {
        Self::start_at(LAB_ADDRESS, None).await
    }

    /// Start one with more configuration.
    pub async fn start_with(env: Vec<(&'static str, String)>) -> Self {
        let mut this = Self::prepare("127.0.0.1", None);
        this.env = env;
        this.run().await;
        this
    }

    /// Start one that is not told where it is reached.
    pub async fn start_unaddressed() -> Self {
        let mut this = Self::prepare("127.0.0.1", None);
        this.addressed = false;
        this.run().await;
        this
    }

    async fn start_at(address: &'static str, database: Option<String>) -> Self {
        let mut this = Self::prepare(address, database);
        this.run().await;
        this
    }

    fn prepare(address: &'static str, database: Option<String>) -> Self {
        let (port, agents_port) = (free_port(), free_port());
        Self {
            process: Process(None),
            dir: directory(),
            port,
            agents_port,
            address,
            database,
            addressed: true,
            env: Vec::new(),
        }
    }

    /// Start the process (again) and wait until it is ready.
    pub async fn run(&mut self) {
        let mut command = self.command();
        self.process = Process::start(command.arg("serve"), &self.dir.path().join("controller.log"));
        let client = Client { port: self.port, token: None };
        wait_for("a ready controller", Duration::from_secs(60), || async {
            let answer = client.try_call(http::Method::GET, "/ready", &[], None).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary("ocore-controller"));
        command
            .env_remove("DATABASE_URL")
            .env("OCORE_DATA_DIR", self.dir.path().join("data"))
            .env("OCORE_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("OCORE_AGENTS_LISTEN", format!("{}:{}", self.address, self.agents_port))
            .env("OCORE_ODOO_IMAGE", "localhost:5000/odoo:{version}")
            .env("OCORE_POSTGRES_IMAGE", "localhost:5000/postgres:13")
            .env("OCORE_AGENT_BINARY", binary("ocore-agent"))
            .env("OCORE_LOG", log_level("info,ocore_controller=debug"))
            .env("OCORE_RATE_LIMIT_BURST", "0");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if self.addressed {
            command.env("OCORE_PUBLIC_URL", format!("https://{}:{}", self.address, self.port));
        }
        if let Some(database) = &self.database {
            command.env("DATABASE_URL", database);
        }
        command
    }

    /// Run `ocore-controller admin …` beside it.
    pub fn admin(&self, args: &[&str]) -> Result<String, String> {
        let output = self.command().arg("admin").args(args).output().expect("the command runs");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// SIGKILL: nothing is said, nothing is saved.
    pub fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
    }

    /// Make the first admin, and be them.
    pub async fn bootstrap(&self) -> Client {
        let mut client = Client { port: self.port, token: None };
        let admin =
            json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "organization_name": "Example"});
        let answer = client.post("/api/auth/bootstrap", admin).await.is(201);
        client.token = Some(text(&answer, "access_token"));
        client
    }

    /// Register a server and enrol an agent as it.
    pub async fn add_server(&self, client: &Client, name: &str) -> (Agent, Value) {
        self.add_server_at(client, name, None).await
    }

    /// The same, with the agent's only way being a wire that the test holds.
    pub async fn add_server_by_wire(&self, client: &Client, name: &str) -> (Wire, Agent, Value) {
        let wire = Wire::to(self.agents_port).await;
        let (agent, server) = self.add_server_at(client, name, Some(wire.port)).await;
        (wire, agent, server)
    }

    async fn add_server_at(&self, client: &Client, name: &str, wire: Option<u16>) -> (Agent, Value) {
        let made = client.post("/api/servers", json!({"name": name})).await.is(201);
        let install = &made["install"];
        let command = text(install, "command");
        let token = command.split("--token ").nth(1).expect("a token").trim().to_owned();
        let mut agent = Agent { process: Process(None), dir: directory(), failpoint: None };
        agent.enroll(self.agents_port, &text(install, "pin"), &token);
        // Agents of tests that run at the same time know nothing of each other's stopped instances.
        let first = 20000 + std::process::id() % 99 * 100;
        let mut settings = format!("instance_ports = [{first}, {}]\n", first + 99);
        if let Some(port) = wire {
            settings += &format!("controllers = [\"127.0.0.1:{port}\"]\n");
        }
        std::fs::write(agent.dir.path().join("etc/agent.toml"), settings).expect("the agent's settings");
        agent.run();
        let id = text(&made["server"], "id");
        let server = client.server_online(&id).await;
        (agent, server)
    }

    /// End the embedded database as a crash would.
    pub fn kill_database(&self) {
        let pid = self.database_pid().expect("a database");
        kill(pid, Signal::SIGQUIT).expect("it can be signalled");
    }

    /// Where the embedded database is reached, as its superuser.
    pub fn database_url(&self) -> String {
        let socket = self.dir.path().join("data/postgres/run").to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{socket}/ocore")
    }

    fn database_pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.dir.path().join("data/postgres/data/postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok().map(Pid::from_raw)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("controller.log")).unwrap_or_default()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.process.signal(Signal::SIGTERM);
        // A controller that was killed has left its PostgreSQL to the next start, which does not come.
        if let Some(pid) = self.database_pid() {
            let _ = kill(pid, Signal::SIGQUIT);
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- controller's log, its end ---");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

impl Client {
    /// The server, once it is online.
    pub async fn server_online(&self, id: &str) -> Value {
        self.server_is(id, "online").await;
        let path = format!("/api/servers/{id}");
        wait_for("a server's facts", Duration::from_secs(30), || async {
            let answer = self.try_call(http::Method::GET, &path, &[], None).await.ok()?;
            (!answer.body["facts"].is_null()).then_some(answer.body)
        })
        .await
    }

    /// Wait until the server has this status.
    pub async fn server_is(&self, id: &str, status: &str) {
        let path = format!("/api/servers/{id}");
        wait_for(&format!("a server that is {status}"), Duration::from_secs(30), || async {
            let answer = self.try_call(http::Method::GET, &path, &[], None).await.ok()?;
            (answer.body["status"] == status).then_some(())
        })
        .await;
    }
}

/// An agent on this machine.
pub struct Agent {
    process: Process,
    dir: TempDir,
    failpoint: Option<String>,
}

impl Agent {
    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(binary("ocore-agent"));
        command
            .arg(verb)
            .env("OCORE_AGENT_DIR", self.dir.path().join("agent"))
            .env("OCORE_AGENT_CONFIG_DIR", self.dir.path().join("etc"))
            .env("OCORE_LOG", log_level("info,ocore_agent=debug"));
        command
    }

    fn enroll(&self, port: u16, pin: &str, token: &str) {
        let mut command = self.command("enroll");
        command.args(["--url", &format!("https://127.0.0.1:{port}"), "--pin", pin]).env("OCORE_JOIN_TOKEN", token);
        let output = command.output().expect("enroll runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Start the process, in the foreground form.
    pub fn run(&mut self) {
        let mut command = self.command("run");
        if let Some(failpoint) = &self.failpoint {
            command.env("OCORE_FAILPOINT", failpoint);
        }
        self.process = Process::start(&mut command, &self.dir.path().join("agent.log"));
    }

    /// Start it such that it kills itself at this point, once.
    pub fn run_with_failpoint(&mut self, failpoint: &str) {
        self.kill();
        self.failpoint = Some(failpoint.to_owned());
        self.run();
    }

    pub fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
    }

    /// Wait until it has ended by itself, then start it again.
    pub async fn run_again_after_its_end(&mut self, limit: Duration) {
        let child = self.process.0.as_mut().expect("a process");
        let deadline = std::time::Instant::now() + limit;
        while child.try_wait().expect("its status").is_none() {
            assert!(std::time::Instant::now() < deadline, "the agent did not end within {limit:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.process.0 = None;
        self.run();
    }

    /// Wait until its log has this.
    pub async fn says(&self, words: &str) {
        wait_for(words, Duration::from_secs(30), || async { self.log().contains(words).then_some(()) }).await;
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("agent.log")).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- agent's log, its end ---");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}
