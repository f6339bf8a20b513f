//! The one-line install, as a customer does it: on two fresh servers at once, again, over a reboot, when it cannot
//! work, and away again. Needs the lab's servers.

use futures::future::join;
use ocore_tests::client::{Client, Terminal, text};
use ocore_tests::hosts::{Host, LAB_ADDRESS, Said};
use ocore_tests::processes::Controller;
use ocore_tests::wait_for;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};

const ONLINE_AFTER_DOWNLOAD: Duration = Duration::from_secs(20);
const INSTALL: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(30);
const TINY: &str = "172.17.0.1:5000/tiny:1";
const MANAGED: &str = "sh.ocore.managed=true";

/// A server that waits for its agent: its id and what to paste.
struct Expected {
    id: String,
    install: Value,
}

impl Expected {
    async fn new(ada: &Client, name: &str) -> Self {
        let made = ada.post("/api/servers", json!({"name": name})).await.is(201);
        Self { id: text(&made["server"], "id"), install: made["install"].clone() }
    }

    fn command(&self) -> String {
        text(&self.install, "command")
    }

    async fn get(&self, ada: &Client) -> Value {
        ada.get(&format!("/api/servers/{}", self.id)).await.is(200)
    }

    /// What the server's page shows as gone wrong.
    async fn problem(&self, ada: &Client) -> String {
        text(&self.get(ada).await, "install_problem")
    }

    fn terminals(&self) -> String {
        format!("/api/servers/{}/terminal", self.id)
    }

    async fn shell(&self, ada: &Client) -> Terminal {
        ada.websocket(&format!("{}?cols=80&rows=24", self.terminals())).await
    }

    async fn shell_again(&self, ada: &Client, shell: &Terminal) -> Terminal {
        ada.attach_again(&self.terminals(), shell, SOON).await
    }

    /// Paste the command, and follow on the server's page until it is online.
    async fn install(&self, ada: &Client, host: &Host) {
        let mut downloaded = None;
        let look = async {
            let deadline = Instant::now() + INSTALL;
            loop {
                let server = self.get(ada).await;
                if server["install_stages"].as_array().is_some_and(|stages| stages.len() >= 2) {
                    downloaded.get_or_insert_with(Instant::now);
                }
                if server["status"] == "online" && server["install_stage"] == "docker" {
                    return server;
                }
                assert!(Instant::now() < deadline, "not online within {INSTALL:?}: {server:#}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let command = self.command();
        let paste = async { host.paste(&command).await.ok() };
        let (said, server) = join(paste, look).await;
        let took = downloaded.expect("it was downloaded").elapsed();
        println!("{}: script's end and online {took:?} after the download", host.name());
        assert!(took < ONLINE_AFTER_DOWNLOAD, "{}: {took:?}: {said}", host.name());
        let stages: Vec<_> = server["install_stages"].as_array().unwrap().iter().map(|s| text(s, "stage")).collect();
        assert_eq!(stages, ["fetched", "verified", "enrolled", "tunnel", "docker"]);
        assert_eq!(server["install_problem"], Value::Null);
        assert!(said.ends_with("connected; this server is online"), "{said}");
    }
}

async fn main_pid(host: &Host) -> String {
    host.run(&["systemctl", "show", "--property=MainPID", "--value", "ocore-agent"]).await.ok()
}

/// Someone between server and controller: TLS with a key of their own.
async fn interceptor(dir: &std::path::Path) -> (tokio::process::Child, u16) {
    let port = std::net::TcpListener::bind((LAB_ADDRESS, 0)).and_then(|l| l.local_addr()).expect("a port").port();
    let openssl = || {
        let mut command = tokio::process::Command::new("openssl");
        command.current_dir(dir).kill_on_drop(true).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let certificate = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out certificate -days 2 -subj /CN=between";
    assert!(openssl().args(certificate.split(' ')).status().await.expect("openssl").success());
    let address = format!("{LAB_ADDRESS}:{port}");
    let serve = ["s_server", "-accept", &address, "-key", "key", "-cert", "certificate", "-www"];
    let child = openssl().args(serve).spawn().expect("openssl");
    wait_for("somebody in between", SOON, || async { tokio::net::TcpStream::connect(&address).await.ok() }).await;
    (child, port)
}

/// Containers and volumes on the host, ours and a stranger's.
async fn make_objects(host: &Host) {
    for (name, label) in [("ours", MANAGED), ("strange", "some.other=thing")] {
        let volume = format!("{name}-data");
        host.run(&["docker", "volume", "create", "--label", label, &volume]).await.ok();
        let mount = format!("{volume}:/data");
        let container = ["docker", "run", "-d", "--name", name, "--label", label, "-v", &mount, TINY, "sleep", "3600"];
        host.run(&container).await.ok();
    }
    host.run(&["mkdir", "-p", "/var/lib/ocore-agent/instances/one"]).await.ok();
    host.run(&["touch", "/var/lib/ocore-agent/instances/one/odoo.conf"]).await.ok();
}

async fn objects(host: &Host) -> Vec<String> {
    let mut names = host.run(&["docker", "ps", "-a", "--format", "{{.Names}}"]).await.ok();
    names.push('\n');
    names.push_str(&host.run(&["docker", "volume", "ls", "-q"]).await.ok());
    let mut names: Vec<_> = names.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// Neither an agent nor a shell that it opened runs, nor what was started in one.
async fn has_stopped(host: &Host) {
    wait_for("a server without agent", SOON, || async {
        let processes = host.run(&["ps", "--no-headers", "-o", "pid", "-C", "ocore-agent,tail"]).await.text;
        let shells = host.run(&["systemctl", "list-units", "--all", "--no-legend", "ocore-terminal-*"]).await.ok();
        (processes.is_empty() && shells.is_empty()).then_some(())
    })
    .await;
}

/// Nothing of the agent itself is left.
async fn is_gone(host: &Host) {
    has_stopped(host).await;
    for path in ["/run/ocore-agent", "/etc/systemd/system/ocore-agent.service", "/usr/local/bin/ocore-agent"] {
        assert!(!host.has(path).await, "{path} is left");
    }
    assert!(!host.run(&["systemctl", "is-enabled", "ocore-agent"]).await.ok);
    let left = host.run(&["find", "/var/lib/ocore-agent", "-mindepth", "1", "-maxdepth", "1"]).await;
    assert!(!left.ok || left.text.lines().all(|l| l.ends_with("/instances") || l.ends_with("/proxy")), "{}", left.text);
}

/// The service is shut in; shells of people are not.
async fn sandbox_and_shell(ada: &Client, server: &Expected, host: &Host) {
    let agent = main_pid(host).await;
    for path in ["/etc/ocore-agent/proof", "/usr/local/bin/proof", "/root/proof"] {
        let said = host.run(&["nsenter", "--target", &agent, "--mount", "touch", path]).await;
        said.failed("Read-only file system");
    }
    let mut shell = server.shell(ada).await;
    shell.type_text("touch /usr/local/bin/proof && echo wrote-$((40+2)); stty size; hostname\r").await;
    for seen in ["wrote-42", "24 80", host.name()] {
        shell.expect(seen, SOON).await;
    }
    assert!(host.has("/usr/local/bin/proof").await);
    shell.type_text("exit 3\r").await;
    shell.end(SOON).await;
    assert_eq!(shell.exit_code, Some(3));
    no_terminal_is_left(host).await;
}

/// A shell that somebody has left open, with something in it that does not mind a hang-up.
async fn open_shell(ada: &Client, server: &Expected) {
    let mut shell = server.shell(ada).await;
    shell.type_text("nohup tail -f /dev/null & echo left-$((1+1))\r").await;
    shell.expect("left-2", SOON).await;
}

/// The agent itself, below the launcher.
async fn agent_pid(host: &Host) -> String {
    let launcher = main_pid(host).await;
    wait_for("the launcher's agent", SOON, || async {
        let said = host.run(&["pgrep", "-P", &launcher, "-x", "ocore-agent"]).await;
        said.ok.then_some(said.text)
    })
    .await
}

/// Neither in systemd nor in /run.
async fn no_terminal_is_left(host: &Host) {
    wait_for("a server without terminals", SOON, || async {
        let units = host.run(&["systemctl", "list-units", "--all", "--no-legend", "ocore-terminal-*"]).await.ok();
        let files = host.run(&["find", "/run/ocore-agent/terminals", "-type", "f"]).await.ok();
        let open = ["systemctl", "show", "--property=NFileDescriptorStore", "--value", "ocore-agent"];
        let open = host.run(&open).await.ok();
        (units.is_empty() && files.is_empty() && open == "0").then_some(())
    })
    .await;
}

/// A person's shell goes on, whatever becomes of the agent.
async fn shell_outlives_the_agent(ada: &Client, server: &Expected, host: &Host) {
    let mut shell = server.shell(ada).await;
    // What it says next is said when the test wants it, not when the clock does.
    shell.type_text("go() { until [ -e /run/go-$1 ]; do sleep .1; done; }\r").await;
    shell.type_text("kept=$((6*7)); echo set-$kept\r").await;
    shell.expect("set-42", SOON).await;
    assert!(shell.survives_agent);

    let agent = agent_pid(host).await;
    let ends: [&[&str]; 3] = [
        &["kill", "-KILL", &agent],
        &["systemctl", "kill", "--signal=KILL", "ocore-agent"],
        &["systemctl", "restart", "ocore-agent"],
    ];
    for (round, end) in ends.into_iter().enumerate() {
        // What nobody can go on with is tidied up at the next start.
        host.run(&["systemd-run", &format!("--unit=ocore-terminal-stray-{round}"), "sleep", "3600"]).await.ok();
        host.run(&["touch", &format!("/run/ocore-agent/terminals/stray-{round}.output")]).await.ok();
        shell.type_text(&format!("go {round}; echo away-$kept-{round}\r")).await;
        shell.expect(&format!("away-$kept-{round}"), SOON).await;
        let ended = Instant::now();
        host.run(end).await.ok();
        host.run(&["touch", &format!("/run/go-{round}")]).await.ok();
        shell.end(SOON).await;
        let mut again = server.shell_again(ada, &shell).await;
        println!("{}: {end:?}: attached again after {:?}", host.name(), ended.elapsed());
        again.expect(&format!("away-42-{round}"), SOON).await;
        again.type_text(&format!("echo still-$kept-{round}\r")).await;
        again.expect(&format!("still-42-{round}"), SOON).await;
        assert!(!again.seen.contains("set-42"), "what was seen is not shown twice: {}", again.seen);
        assert!(again.survives_agent);
        shell = again;
    }

    // The shell ends while nobody can notice.
    shell.type_text("go last; echo last-$kept; exit 7\r").await;
    shell.expect("exit 7", SOON).await;
    let agent = agent_pid(host).await;
    host.run(&["kill", "-STOP", &agent]).await.ok();
    host.run(&["touch", "/run/go-last"]).await.ok();
    let unit = format!("ocore-terminal-{}.service", shell.id.as_deref().expect("an id"));
    wait_for("the end of the shell", SOON, || async {
        let state = host.run(&["systemctl", "show", "--property=SubState", "--value", &unit]).await.ok();
        (state == "failed").then_some(())
    })
    .await;
    host.run(&["kill", "-KILL", &agent]).await.ok();
    shell.end(SOON).await;
    let mut again = server.shell_again(ada, &shell).await;
    again.end(SOON).await;
    assert!(again.seen.contains("last-42"), "{}", again.seen);
    assert_eq!(again.exit_code, Some(7));
    no_terminal_is_left(host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_line_makes_a_server_and_one_removes_it() {
    let (bookworm, trixie) = join(Host::start("bookworm"), Host::start("trixie")).await;
    let controller = Controller::start_for_hosts().await;
    let ada = controller.bootstrap().await;
    let (first, second) = (Expected::new(&ada, "first").await, Expected::new(&ada, "second").await);

    join(first.install(&ada, &bookworm), second.install(&ada, &trixie)).await;
    for (server, host) in [(&first, &bookworm), (&second, &trixie)] {
        sandbox_and_shell(&ada, server, host).await;
        make_objects(host).await;
    }
    join(shell_outlives_the_agent(&ada, &first, &bookworm), shell_outlives_the_agent(&ada, &second, &trixie)).await;

    // Again: the token is used, the identity is good, nothing is wrong.
    let before = main_pid(&bookworm).await;
    let said = bookworm.paste(&first.command()).await.ok();
    assert!(said.contains(&format!("This server is enrolled already, as {}", first.id)), "{said}");
    assert_ne!(main_pid(&bookworm).await, before, "it was restarted");
    let server = ada.server_online(&first.id).await;
    assert_eq!((server["install_stages"].as_array().unwrap().len(), &server["install_problem"]), (5, &Value::Null));

    bookworm.reboot().await;
    wait_for("the agent after a reboot", SOON, || async {
        bookworm.run(&["ocore-agent", "status"]).await.text.contains("Connected").then_some(())
    })
    .await;
    ada.server_online(&first.id).await;

    // Removed there: the agent goes by itself, out of its sandbox, and people's shells with it.
    open_shell(&ada, &second).await;
    let accepted = ada.delete(&format!("/api/servers/{}", second.id)).await.is(202);
    let job = ada.job_end(&text(&accepted, "job_id"), SOON).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    is_gone(&trixie).await;
    assert_eq!(objects(&trixie).await, ["ours", "ours-data", "strange", "strange-data"]);
    assert!(trixie.has("/var/lib/ocore-agent/instances/one/odoo.conf").await);
    ada.get(&format!("/api/servers/{}", second.id)).await.refused(404, "not_found");

    what_cannot_work_says_so(&ada, &controller, &first, &trixie).await;
    let fourth = moves(&ada, &first, &bookworm, &trixie).await;

    // Removed here, though not from within what ends with the agent.
    let uninstall = text(&fourth.install, "uninstall_command");
    let mut shell = fourth.shell(&ada).await;
    shell.type_text(&format!("{uninstall}\r")).await;
    shell.expect("this terminal is oCore's own", SOON).await;
    open_shell(&ada, &fourth).await;
    bookworm.paste(&uninstall).await.ok();
    is_gone(&bookworm).await;
    assert_eq!(objects(&bookworm).await, ["ours", "ours-data", "strange", "strange-data"]);
    assert!(bookworm.has("/var/lib/ocore-agent/instances/one/odoo.conf").await);
    let purge = uninstall.replace("--uninstall", "--purge");
    for _ in 0..2 {
        bookworm.paste(&purge).await.ok();
        assert_eq!(objects(&bookworm).await, ["strange", "strange-data"]);
        assert!(!bookworm.has("/var/lib/ocore-agent").await && !bookworm.has("/etc/ocore-agent").await);
    }
}

/// On a server without agent: each reason is a sentence there, and on the server's page where that can be reached.
async fn what_cannot_work_says_so(ada: &Client, controller: &Controller, used: &Expected, host: &Host) {
    let third = Expected::new(ada, "third").await;
    let address = format!("{LAB_ADDRESS}:{}", controller.agents_port);
    let (fetch, arguments) = third.command().split_once(" | ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let script_with = |arguments: &str| format!("{fetch} | {arguments}");

    let dir = tempfile::tempdir().unwrap();
    let (_between, port) = interceptor(dir.path()).await;
    let between = format!("{LAB_ADDRESS}:{port}");
    let whole: Said = host.paste(&third.command().replace(&address, &between)).await;
    assert!(whole.text.contains("public key does not match pinned public key"), "{}", whole.text);
    let said = host.paste(&script_with(&arguments.replace(&address, &between))).await;
    said.failed(&format!("https://{between}: the key is not the pinned one; something in between ends TLS"));

    let closed = format!("{LAB_ADDRESS}:1");
    let said = host.paste(&script_with(&arguments.replace(&address, &closed))).await;
    said.failed(&format!("https://{closed}: the connection is refused; is the port open in every firewall between?"));
    // A second address that answers is enough.
    let closed_first = arguments.replace(" --url ", &format!(" --url https://{closed} --url "));
    let token = text(&third.install, "command").rsplit(' ').next().unwrap().to_owned();
    let said = host.paste(&script_with(&closed_first.replace(&token, "no-such-token"))).await;
    said.failed("This join token is not known; make a new install command in the console.");
    assert_eq!(third.get(ada).await["install_problem"], Value::Null, "nobody knows whose it was");

    host.paste(&used.command()).await.failed("This join token was used already");
    assert_eq!(used.get(ada).await["install_problem"], Value::Null, "its own server is there");
    let renewed = ada.post(&format!("/api/servers/{}/install-command", third.id), json!({})).await.is(200);
    host.paste(&third.command()).await.failed("This join token has expired");
    assert!(third.problem(ada).await.starts_with("This join token has expired"));
    for path in ["/var/lib/ocore-agent/current", "/etc/systemd/system/ocore-agent.service"] {
        assert!(!host.has(path).await, "{path}: nothing was installed");
    }

    // Each was said; with a good command it works here as well, and the page forgets the problem.
    let third = Expected { id: third.id, install: renewed };
    third.install(ada, host).await;
    let other = Expected::new(ada, "other").await;
    host.paste(&other.command()).await.failed("this machine is enrolled as another server already");
    assert!(other.problem(ada).await.contains("add --force to the command"));
    ada.server_online(&third.id).await;
    // With its service end people's shells, and what was left running in them. Removed while its agent was away: the
    // agent goes when it is back.
    open_shell(ada, &third).await;
    host.run(&["systemctl", "stop", "ocore-agent"]).await.ok();
    has_stopped(host).await;
    let gone = ada.delete(&format!("/api/servers/{}", third.id)).await;
    assert!(gone.status.is_success(), "{}", gone.body);
    host.run(&["systemctl", "start", "ocore-agent"]).await.ok();
    is_gone(host).await;
}

/// A server moves to another machine; the one that it was gets a new identity by a new command.
async fn moves(ada: &Client, server: &Expected, from: &Host, to: &Host) -> Expected {
    let install = ada.post(&format!("/api/servers/{}/install-command", server.id), json!({})).await.is(200);
    Expected { id: server.id.clone(), install }.install(ada, to).await;
    wait_for("a refused agent", SOON, || async {
        from.run(&["ocore-agent", "status"]).await.text.contains("Refused").then_some(())
    })
    .await;
    let fourth = Expected::new(ada, "fourth").await;
    fourth.install(ada, from).await;
    ada.server_online(&server.id).await;
    fourth
}
