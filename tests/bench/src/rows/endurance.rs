//! L1: what ten instances in use leave behind in the controller and in the agent.

use crate::machine::{child, cpu_seconds, open_files, resident};
use crate::report::Row;
use crate::stats::slope;
use http::Method;
use ocore_tests::client::{Client, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const INSTANCES: usize = 10;
/// Caches and pools fill in that time; it is not looked at.
const WARM_UP: Duration = Duration::from_secs(3 * 60);
const SAMPLE: Duration = Duration::from_secs(5);
const JOB: Duration = Duration::from_secs(600);

/// Make ten instances, use them, and remove them whatever happened meanwhile.
pub async fn run(client: &Client, server: &str, minutes: u64) -> Vec<Row> {
    let mut made = Vec::new();
    for number in 1..=INSTANCES {
        let wish = json!({"name": format!("Used {} {number}", std::process::id()), "server_id": server,
            "odoo_version": "14.0", "admin_login": "admin", "admin_password": "a bench only 3",
            "limits": {"cpus": 1, "memory_mb": 1024}});
        let accepted = client.post("/api/instances", wish).await.is(202);
        let job = client.job_end(&text(&accepted, "job_id"), JOB).await;
        println!("instance {number}: {}", job["status"]);
        made.push(text(&accepted, "id"));
    }
    // It outlives every access token.
    let wish = json!({"name": "ten people", "permissions": ["*"]});
    let key = text(&client.post("/api/api-keys", wish).await.is(201), "key");
    let (user, ids) = (Client { token: Some(key), ..client.clone() }, made.clone());
    let watching = user.clone();
    let rows = tokio::spawn(async move { watched(&watching, &ids, Duration::from_secs(minutes * 60)).await })
        .await
        .unwrap_or_else(|error| {
            println!("L1 is left out: {error}");
            Vec::new()
        });
    for id in made {
        let accepted = user.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
        user.job_end(&text(&accepted, "job_id"), JOB).await;
    }
    rows
}

/// One process, looked at again and again.
struct Watched {
    name: &'static str,
    pid: u32,
    /// Hours, KiB.
    memory: Vec<(f64, f64)>,
    /// Hours, open files.
    files: Vec<(f64, f64)>,
    cpu_before: f64,
}

impl Watched {
    fn new(name: &'static str) -> Self {
        let pid = child(name);
        Self { name, pid, memory: Vec::new(), files: Vec::new(), cpu_before: cpu_seconds(pid) }
    }

    fn look(&mut self, hours: f64) {
        self.memory.push((hours, resident(self.pid)));
        self.files.push((hours, open_files(self.pid)));
    }

    fn rows(&self, seconds: f64) -> Vec<Row> {
        let name = self.name;
        let ends = [self.memory.first(), self.memory.last()].map(|end| end.map_or(f64::NAN, |(_, kib)| kib / 1024.0));
        let row = |what: &str, unit: &str, value: f64| Row::of("L1", format!("{name}: {what}"), unit, &[value]);
        // What only fills up grows less and less; what leaks does not.
        let later = &self.memory[self.memory.len() / 2..];
        vec![
            row("memory after the warm-up", "MiB", ends[0]),
            row("memory at the end", "MiB", ends[1]),
            row("slope of its memory", "MiB/h", slope(&self.memory) / 1024.0),
            row("slope of its memory, second half", "MiB/h", slope(later) / 1024.0),
            row("slope of its open files", "/h", slope(&self.files)),
            row("CPU", "% core", (cpu_seconds(self.pid) - self.cpu_before) / seconds * 100.0),
        ]
    }
}

async fn watched(client: &Client, ids: &[String], time: Duration) -> Vec<Row> {
    let began = Instant::now();
    let users: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(number, id)| tokio::spawn(one_user(client.clone(), id.clone(), number, began + time)))
        .collect();
    tokio::time::sleep(WARM_UP).await;
    let mut processes = [Watched::new("ocore-controller"), Watched::new("ocore-agent")];
    let since = Instant::now();
    while began.elapsed() < time {
        processes.iter_mut().for_each(|process| process.look(since.elapsed().as_secs_f64() / 3600.0));
        tokio::time::sleep(SAMPLE).await;
    }
    let seconds = since.elapsed().as_secs_f64();
    let mut rows: Vec<Row> = processes.iter().flat_map(|process| process.rows(seconds)).collect();
    let (mut done, mut failed) = (0, 0);
    for user in users {
        let (good, bad) = user.await.expect("no panic");
        (done, failed) = (done + good, failed + bad);
    }
    let minutes = time.as_secs_f64() / 60.0;
    rows.insert(
        0,
        Row::of("L1", format!("requests by {INSTANCES} people in {minutes} min"), "", &[f64::from(done + failed)]),
    );
    rows.insert(1, Row::of("L1", "of these failed", "", &[f64::from(failed)]));
    rows
}

/// Somebody who works in Odoo, with its pages in the console open: looks, searches, follows the log, types, changes settings
/// and restarts. How many requests went well, and how many did not.
async fn one_user(client: Client, id: String, number: usize, until: Instant) -> (u32, u32) {
    let path = |rest: &str| format!("/api/instances/{id}{rest}");
    let (mut good, mut bad) = (0, 0);
    let mut round = number;
    while Instant::now() < until {
        round += 1;
        let mut count = |ok: bool| if ok { good += 1 } else { bad += 1 };
        for rest in ["", "/config", "/health", "/metrics?period=1h", "/logs/history?q=odoo&limit=100", "/database"] {
            count(asked(&client, &path(rest)).await.is_some());
        }
        let port = asked(&client, &path("")).await.and_then(|body| body["http_port"].as_u64());
        if let Some(port) = port.and_then(|port| u16::try_from(port).ok()) {
            count(asked(&Client { port, token: None }, "/web/login").await.is_some());
        }
        if round.is_multiple_of(4) {
            client.events(&path("/logs?tail=50"), Duration::from_secs(2), |_, _, _| false).await;
            let mut console = client.websocket(&path("/console?mode=shell&cols=80&rows=24")).await;
            console.type_text("exit\n").await;
            console.end(Duration::from_secs(20)).await;
        }
        if round.is_multiple_of(10) {
            let change = json!({"limit_time_real": 600 + round});
            count(changed(&client, Method::PUT, &path("/config"), change).await);
        }
        if round.is_multiple_of(15) {
            count(changed(&client, Method::POST, &path("/restart"), json!({})).await);
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    (good, bad)
}

async fn asked(client: &Client, path: &str) -> Option<Value> {
    let answer = client.try_call(Method::GET, path, &[], None).await.ok()?;
    (answer.status == 200).then_some(answer.body)
}

/// Whether the job that this begins ends well.
async fn changed(client: &Client, method: Method, path: &str, body: Value) -> bool {
    let Ok(answer) = client.try_call(method, path, &[], Some(body)).await else { return false };
    let Some(job) = answer.body["job_id"].as_str() else {
        println!("{path}: {} {}", answer.status, answer.body);
        return false;
    };
    let ended = client.job_end(job, JOB).await;
    let well = ended["status"] == "succeeded";
    if !well {
        println!("{path}: {}", ended["failure"]);
    }
    well
}
