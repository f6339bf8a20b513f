//! P10: a file of 1 GiB to an instance and back, beside scp, and what is typed on the same agent meanwhile.

use crate::keys::keystrokes;
use crate::machine::{child, resident};
use crate::report::Row;
use crate::stats::percentile;
use ocore_tests::client::Client;
use ocore_tests::storage::SftpServer;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SIZE: usize = 1024 * 1024 * 1024;
const MEGABYTE: f64 = 1e6;
const SAMPLE: Duration = Duration::from_millis(50);

/// A file of 1 GiB, and OpenSSH's own server beside it.
struct Rig {
    // It ends before its directory goes.
    server: SftpServer,
    dir: TempDir,
}

impl Rig {
    fn start(directory: &Path) -> Self {
        let dir = tempfile::tempdir_in(directory).expect("a directory");
        // Nothing on the way can make it smaller.
        let mut bytes = Command::new("openssl");
        bytes.args(["rand", "-out", "source", &SIZE.to_string()]);
        done(bytes.current_dir(dir.path()));
        let server = SftpServer::start_in(dir.path());
        Self { server, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Megabytes per second of one copy by scp.
    fn scp(&self, from: &str, to: &str) -> f64 {
        let place = |name: &str| {
            name.strip_prefix(':').map_or_else(
                || self.path(name).display().to_string(),
                |name| format!("root@127.0.0.1:{}", self.path(name).display()),
            )
        };
        let mut scp = Command::new("scp");
        scp.args(["-q", "-P", &self.server.port.to_string(), "-i", &self.server.key_path().display().to_string()]);
        scp.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]);
        timed(scp.args([place(from), place(to)]))
    }

    fn is_same(&self, name: &str) -> bool {
        let sum = |name: &str| {
            Command::new("sha256sum").stdin(std::fs::File::open(self.path(name)).expect("a file")).output()
        };
        sum(name).expect("sha256sum runs").stdout == sum("source").expect("sha256sum runs").stdout
    }
}

fn done(command: &mut Command) {
    let status = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(status.success(), "{command:?}: {status}");
}

fn timed(command: &mut Command) -> f64 {
    let began = Instant::now();
    done(command);
    SIZE as f64 / began.elapsed().as_secs_f64() / MEGABYTE
}

/// curl, as its owner.
fn curl(client: &Client, arguments: &[&str], path: &str) -> Command {
    let mut curl = Command::new("curl");
    let key = client.token.as_deref().expect("a token");
    curl.args(["-sS", "-f", "-H", &format!("Authorization: Bearer {key}")]).args(arguments);
    curl.arg(format!("http://127.0.0.1:{}{path}", client.port)).stdout(Stdio::null());
    curl
}

async fn up(client: &Client, rig: &Rig, id: &str) -> f64 {
    let form = format!("file=@{}", rig.path("source").display());
    let mut curl =
        curl(client, &["-F", &form], &format!("/api/instances/{id}/files/upload?path=addons&overwrite=true"));
    tokio::task::spawn_blocking(move || timed(&mut curl)).await.expect("no panic")
}

async fn down(client: &Client, rig: &Rig, id: &str) -> f64 {
    let to = rig.path("back").display().to_string();
    let mut curl = curl(client, &["-o", &to], &format!("/api/instances/{id}/files/download?path=addons/source"));
    tokio::task::spawn_blocking(move || timed(&mut curl)).await.expect("no panic")
}

/// The most that a process grows by meanwhile, in MiB.
async fn growth<T>(name: &'static str, work: impl Future<Output = T>) -> (f64, T) {
    let pid = child(name);
    let (before, mut most) = (resident(pid), 0.0_f64);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return (most / 1024.0, result),
            () = tokio::time::sleep(SAMPLE) => most = most.max(resident(pid) - before),
        }
    }
}

/// Measure on an instance that is there.
pub async fn run(client: &Client, id: &str, rounds: usize, directory: &Path) -> Vec<Row> {
    let rig = Rig::start(directory);
    let (mut ours_up, mut ours_down, mut scp_up, mut scp_down) = (vec![], vec![], vec![], vec![]);
    let (mut controller, mut agent) = (vec![], vec![]);
    for round in 1..=rounds {
        scp_up.push(rig.scp("source", ":theirs"));
        let (of_controller, (of_agent, speed)) =
            growth("ocore-controller", growth("ocore-agent", up(client, &rig, id))).await;
        controller.push(of_controller);
        agent.push(of_agent);
        ours_up.push(speed);
        scp_down.push(rig.scp(":theirs", "back"));
        assert!(rig.is_same("back"), "scp brings back what was sent");
        ours_down.push(down(client, &rig, id).await);
        assert!(rig.is_same("back"), "what comes back is what was brought");
        let last = round - 1;
        println!(
            "round {round}: 1 GiB up {:.0} MB/s (scp {:.0}), down {:.0} MB/s (scp {:.0}), {of_controller:.1} MiB in the controller, {of_agent:.1} in the agent",
            ours_up[last], scp_up[last], ours_down[last], scp_down[last]
        );
    }
    let mut console = client.websocket(&format!("/api/instances/{id}/console?mode=shell&cols=80&rows=24")).await;
    let mut typed = vec![];
    for _ in 0..rounds {
        let bringing = async {
            up(client, &rig, id).await;
            down(client, &rig, id).await;
        };
        let mut bringing = std::pin::pin!(bringing);
        tokio::select! {
            keys = keystrokes(&mut console) => typed.push(percentile(&keys, 0.99)),
            () = &mut bringing => panic!("the file was there before the keys were typed"),
        }
        bringing.await;
    }
    let gone = client.delete(&format!("/api/instances/{id}/files?path=addons/source")).await.is(200);
    println!("{} MB removed", gone["bytes"].as_f64().unwrap_or_default() / MEGABYTE);
    vec![
        Row::of("P10", "1 GiB to an instance", "MB/s", &ours_up).against("scp", &scp_up),
        Row::of("P10", "1 GiB from an instance", "MB/s", &ours_down).against("scp", &scp_down),
        Row::of("P10", "controller memory for the transfer", "MiB", &controller),
        Row::of("P10", "agent memory for the transfer", "MiB", &agent),
        Row::of("P10", "key to echo on the same agent meanwhile, p99", "ms", &typed),
    ]
}
