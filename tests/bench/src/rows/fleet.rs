//! P1, P4 and P7: a swarm of agents on one controller, beside as many clients of nats-server.

use crate::events;
use crate::machine::{child, resident};
use crate::nats::{self, Clients, Nats};
use crate::report::Row;
use crate::stats::{milliseconds, percentile};
use crate::swarm::Swarm;
use futures::{StreamExt, stream};
use http::Method;
use ocore_tests::client::Client;
use ocore_tests::processes::Controller;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(180);
/// Until what connecting left behind is cleared away and the first samples have come.
const SETTLE: Duration = Duration::from_secs(15);
const PROBE: Duration = Duration::from_millis(25);
/// Calls under way at once.
const PARALLEL: usize = 64;

#[derive(Default)]
struct Rounds {
    memory: Vec<f64>,
    growth: Vec<f64>,
    comeback: Vec<f64>,
    api: Vec<f64>,
    fan_out: Vec<f64>,
    nats_memory: Vec<f64>,
    nats_comeback: Vec<f64>,
}

pub async fn run(agents: usize, rounds: usize, directory: &Path) -> Vec<Row> {
    let mut controller = Controller::start().await;
    let client = controller.bootstrap().await;
    let began = Instant::now();
    let swarm = Swarm::enroll(&client, controller.agents_port, directory, agents).await;
    println!("{agents} agents enrolled in {:.1} s", began.elapsed().as_secs_f64());
    online(&client, agents).await;
    let mut nats = nats::installed().then(Nats::start);
    let mut measured = Rounds::default();
    for round in 1..=rounds {
        memory(&mut controller, &client, &swarm, agents, &mut measured).await;
        comeback(&mut controller, &client, agents, &mut measured).await;
        fan_out(&client, &swarm, &mut measured).await;
        if let Some(nats) = &mut nats {
            peer(nats, agents, &mut measured).await;
        }
        let last = |values: &[f64]| values.last().copied().unwrap_or(f64::NAN);
        println!(
            "round {round}: {:.1} KiB an agent (nats {:.1}), +{:.1} after a second connect; back in {:.1} s (nats {:.1}), \
             API p99 {:.0} ms; no-op to all {:.1} s",
            last(&measured.memory),
            last(&measured.nats_memory),
            last(&measured.growth),
            last(&measured.comeback),
            last(&measured.nats_comeback),
            last(&measured.api),
            last(&measured.fan_out),
        );
    }
    rows(agents, &measured)
}

fn rows(agents: usize, measured: &Rounds) -> Vec<Row> {
    let memory = Row::of(
        "P1",
        format!("controller memory per idle agent, {agents} agents, TLS and all state included"),
        "KiB",
        &measured.memory,
    );
    let growth = Row::of("P1", "the same, more after all hung up and connected again", "KiB", &measured.growth);
    let comeback = Row::of(
        "P4",
        format!("kill -9 of the controller until all {agents} agents are online"),
        "s",
        &measured.comeback,
    );
    let api = Row::of("P4", "API p99 meanwhile, from its first answer on (list of 50 servers)", "ms", &measured.api);
    let fan_out = Row::of(
        "P7",
        format!("no-op job to all {agents} agents until all results are durable"),
        "s",
        &measured.fan_out,
    );
    let (memory, comeback) = if measured.nats_memory.is_empty() {
        (memory.quoted("nats-server", 42.0), comeback)
    } else {
        let peer = "nats-server 2.9, TLS, one subscription a client";
        (
            memory.against(peer, &measured.nats_memory),
            comeback.against(format!("{peer}, the same back-off"), &measured.nats_comeback),
        )
    };
    vec![memory, growth, comeback, api, fan_out]
}

/// Wait until the controller counts that many tunnels.
async fn online(client: &Client, agents: usize) {
    let began = Instant::now();
    loop {
        let answer = client.try_call(Method::GET, "/ready", &[], None).await;
        let connected = answer.ok().and_then(|a| a.body["agents_connected"].as_u64()).unwrap_or(0);
        if connected == agents as u64 {
            return;
        }
        assert!(began.elapsed() < LIMIT, "{connected} of {agents} agents are online after {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A fresh process without agents, then with all of them, then after all have come a second time.
async fn memory(controller: &mut Controller, client: &Client, swarm: &Swarm, agents: usize, measured: &mut Rounds) {
    swarm.leave();
    controller.kill();
    controller.run().await;
    tokio::time::sleep(SETTLE / 3).await;
    let pid = child("ocore-controller");
    let empty = resident(pid);
    swarm.come();
    online(client, agents).await;
    tokio::time::sleep(SETTLE).await;
    let full = resident(pid);
    swarm.leave();
    online(client, 0).await;
    swarm.come();
    online(client, agents).await;
    tokio::time::sleep(SETTLE).await;
    measured.memory.push((full - empty) / agents as f64);
    measured.growth.push((resident(pid) - full) / agents as f64);
}

async fn comeback(controller: &mut Controller, client: &Client, agents: usize, measured: &mut Rounds) {
    let stop = Arc::new(AtomicBool::new(false));
    controller.kill();
    let began = Instant::now();
    let probe = tokio::spawn(probe(client.clone(), stop.clone()));
    controller.run().await;
    online(client, agents).await;
    measured.comeback.push(began.elapsed().as_secs_f64());
    stop.store(true, Ordering::Relaxed);
    let times = probe.await.expect("the probe ends");
    measured.api.push(percentile(&times, 0.99));
}

/// Milliseconds of the calls that were answered. Until the controller answers there is nothing to time.
async fn probe(client: Client, stop: Arc<AtomicBool>) -> Vec<f64> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = client.try_call(Method::GET, "/api/servers?limit=50", &[], None).await;
        match answer {
            Ok(answer) if answer.status == 200 => times.push(milliseconds(began.elapsed())),
            Ok(answer) => println!("meanwhile: {} {}", answer.status, answer.body),
            Err(_) => {}
        }
        tokio::time::sleep(PROBE).await;
    }
    times
}

async fn fan_out(client: &Client, swarm: &Swarm, measured: &mut Rounds) {
    let mut succeeded = events::succeeded(client).await;
    let servers = swarm.servers();
    let began = Instant::now();
    let calls = stream::iter(servers.clone()).for_each_concurrent(PARALLEL, |server| async move {
        client.post(&format!("/api/servers/{server}/check"), json!({})).await.is(202);
    });
    let ends = async {
        for _ in &servers {
            succeeded.recv().await.expect("the stream of events goes on");
        }
    };
    tokio::time::timeout(LIMIT, futures::future::join(calls, ends)).await.expect("all no-ops end in time");
    measured.fan_out.push(began.elapsed().as_secs_f64());
}

async fn peer(nats: &mut Nats, agents: usize, measured: &mut Rounds) {
    nats.kill();
    nats.run();
    tokio::time::sleep(SETTLE / 3).await;
    let empty = resident(nats.pid());
    let clients: Clients = nats.clients(agents);
    assert!(clients.all(agents, LIMIT).await, "all clients reach nats-server");
    tokio::time::sleep(SETTLE).await;
    measured.nats_memory.push((resident(nats.pid()) - empty) / agents as f64);
    nats.kill();
    let began = Instant::now();
    nats.run();
    // The clients must have seen the end of the connection first.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(clients.all(agents, LIMIT).await, "all clients come back to nats-server");
    measured.nats_comeback.push(began.elapsed().as_secs_f64());
}
