//! Lines that say when they were written, and how long it took until they were seen. Both ends are on one machine, so
//! that one clock counts.

use ocore_shared::clock::{Clock, SystemClock};
use ocore_tests::client::Client;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const LINES: usize = 100;
const LIMIT: Duration = Duration::from_secs(60);
/// Until a follower surely follows.
const SETTLE: Duration = Duration::from_secs(2);

/// Writes to the output of the container's first process, in Odoo's own form.
const WRITER: &str = "\
import sys, time
out = open('/proc/1/fd/1', 'wb', buffering=0)
for number in range(int(sys.argv[2])):
    out.write(b'2026-01-01 00:00:00,000 1 INFO bench bench.line: %s %d\\n' % (sys.argv[1].encode(), time.time_ns()))
    time.sleep(0.02)
";

fn write(container: &str, mark: &str) -> Child {
    let script = ["exec", container, "python3", "-c", WRITER, mark];
    let command = Command::new("docker").args(script).arg(LINES.to_string()).kill_on_drop(true).spawn();
    command.expect("docker runs")
}

/// Milliseconds since a line of this mark was written.
fn age(line: &str, mark: &str) -> Option<f64> {
    let now = SystemClock.now().timestamp_nanos_opt()?;
    let written: i64 = line.split_once(&format!("bench.line: {mark} "))?.1.trim().parse().ok()?;
    Some((now - written) as f64 / 1e6)
}

/// Through `docker logs -f`.
pub async fn docker_lines(container: &str, mark: &str) -> Vec<f64> {
    let follow = ["logs", "-f", "--tail", "0", container];
    let command =
        Command::new("docker").args(follow).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn();
    let mut follower = command.expect("docker runs");
    let mut lines = BufReader::new(follower.stdout.take().expect("its output is piped")).lines();
    tokio::time::sleep(SETTLE).await;
    let mut writer = write(container, mark);
    let mut times = Vec::with_capacity(LINES);
    let read = async {
        while times.len() < LINES {
            let line = lines.next_line().await.expect("docker logs can be read").expect("docker logs goes on");
            times.extend(age(&line, mark));
        }
    };
    tokio::time::timeout(LIMIT, read).await.expect("docker logs shows every line");
    assert!(writer.wait().await.is_ok_and(|status| status.success()), "the lines are written");
    let _ = follower.kill().await;
    times
}

/// Through agent, tunnel and controller, as server-sent events.
pub async fn our_lines(client: &Client, instance: &str, container: &str, mark: &str) -> Vec<f64> {
    let path = format!("/api/instances/{instance}/logs?tail=0");
    let mut times = Vec::with_capacity(LINES);
    let writing = async {
        tokio::time::sleep(SETTLE).await;
        let done = write(container, mark).wait().await;
        assert!(done.is_ok_and(|status| status.success()), "the lines are written");
    };
    let reading = client.events(&path, LIMIT, |event, _, data| {
        if event == "log" {
            times.extend(age(data["text"].as_str().unwrap_or_default(), mark));
        }
        times.len() == LINES
    });
    let (whole, ()) = futures::future::join(reading, writing).await;
    assert!(whole, "the stream shows every line");
    times
}
