//! P11: what an agent costs on a server with 50 containers.

use crate::machine::{child, cpu_seconds, resident};
use crate::report::Row;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const CONTAINERS: usize = 50;
const IMAGE: &str = "localhost:5000/tiny:1";
const SETTLE: Duration = Duration::from_secs(20);
/// Long enough for one sample of the machine in each.
const WINDOW: Duration = Duration::from_secs(60);

/// Containers that are gone with this value.
struct Containers(Vec<String>);

impl Containers {
    fn start() -> Self {
        let mut this = Self(Vec::new());
        for number in 0..CONTAINERS {
            let name = format!("ocore-bench-{}-{number}", std::process::id());
            let run = ["run", "-d", "--network", "none", "--name", &name, IMAGE, "sleep", "3600"];
            let output = Command::new("docker").args(run).output().expect("docker runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            this.0.push(name);
        }
        this
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f"]).args(&self.0).output();
    }
}

pub async fn run(rounds: usize, binaries: &Path) -> Vec<Row> {
    let containers = tokio::task::spawn_blocking(Containers::start).await.expect("the containers start");
    tokio::time::sleep(SETTLE).await;
    let pid = child("ocore-agent");
    let (mut memory, mut cpu) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let (began, before) = (Instant::now(), cpu_seconds(pid));
        tokio::time::sleep(WINDOW).await;
        cpu.push((cpu_seconds(pid) - before) / began.elapsed().as_secs_f64() * 100.0);
        memory.push(resident(pid) / 1024.0);
        println!("round {round}: agent {:.1} MiB, {:.2} % of a core", memory[round - 1], cpu[round - 1]);
    }
    drop(containers);
    let size = |name: &str| {
        let length = std::fs::metadata(binaries.join(name)).map_or(f64::NAN, |m| m.len() as f64);
        [length / f64::from(1 << 20)]
    };
    vec![
        Row::of("P11", format!("agent memory, {CONTAINERS} containers more than before"), "MiB", &memory)
            .quoted("node_exporter", 19.8),
        Row::of("P11", "agent CPU while idle, windows of 60 s", "% core", &cpu),
        Row::of("P11", "agent binary", "MiB", &size("ocore-agent")).quoted("MeshAgent", 3.75),
        Row::of("P11", "controller binary, console included", "MiB", &size("ocore-controller")),
    ]
}
