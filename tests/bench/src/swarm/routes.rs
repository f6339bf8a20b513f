//! The agent's HTTP API, as far as an idle agent and a no-op job need it.

use super::member::Member;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::StatusCode;
use ocore_agent::host::facts::AGENT_VERSION;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::AgentError;
use ocore_shared::protocol::events::{AgentEvent, EventAck, EventEnvelope};
use ocore_shared::protocol::inventory::{DockerStatus, Facts, MetricsSample};
use ocore_shared::protocol::jobs::{JobRequest, JobSnapshot, JobStatus, StepSnapshot, StepStatus};
use ocore_shared::protocol::session::{SessionOpen, SessionOpened};
use rand::RngExt;
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, Interval};

/// As the agent samples when nobody looks.
const METRICS: Duration = Duration::from_secs(60);

pub fn router(member: Arc<Member>) -> Router {
    Router::new()
        .route("/session", post(session_open))
        .route("/events", get(events_read))
        .route("/events/ack", post(events_ack))
        .route("/metrics/watch", post(async || StatusCode::NO_CONTENT))
        .route("/jobs/{id}", get(job_get).put(job_put))
        .with_state(member)
}

async fn session_open(State(member): State<Arc<Member>>, Json(open): Json<SessionOpen>) -> Response {
    let (previous_epoch, previous_join_state) = {
        let state = member.state();
        (state.epoch, state.join_state.clone())
    };
    if open.session_epoch < previous_epoch {
        let error = AgentError { code: "session_epoch_old".into(), message: "Another controller took over.".into() };
        return (StatusCode::CONFLICT, Json(error)).into_response();
    }
    member.disk.commit(format!("{} session {}", member.server, open.session_epoch).into_bytes()).await;
    {
        let mut state = member.state();
        (state.epoch, state.join_state) = (open.session_epoch, open.offered_join_state);
    }
    let opened = SessionOpened {
        previous_epoch,
        previous_join_state,
        journal_id: member.journal,
        last_seq: *member.committed.borrow(),
        agent_version: AGENT_VERSION.into(),
        features: Vec::new(),
        job_kinds: vec!["noop".into()],
    };
    Json(opened).into_response()
}

#[derive(Deserialize)]
struct ReadQuery {
    #[serde(default)]
    after: u64,
}

async fn events_read(State(member): State<Arc<Member>>, Query(query): Query<ReadQuery>) -> Body {
    let first = [AgentEvent::Facts(Box::new(facts(&member.hostname))), AgentEvent::Containers(Vec::new())];
    let first = first.map(|event| member.envelope(None, event));
    let lines = stream::iter(first).chain(follow(member, query.after)).map(|envelope| {
        let mut line = serde_json::to_vec(&envelope).expect("an event is JSON");
        line.push(b'\n');
        Ok::<_, Infallible>(Bytes::from(line))
    });
    Body::from_stream(lines)
}

struct Reader {
    committed: watch::Receiver<u64>,
    metrics: Interval,
    after: u64,
    member: Arc<Member>,
}

/// Durable events as they come, and a sample each minute.
fn follow(member: Arc<Member>, after: u64) -> impl Stream<Item = EventEnvelope> {
    // Thousands that start together must not all speak in the same second.
    let first = Instant::now() + rand::rng().random_range(Duration::ZERO..METRICS);
    let metrics = tokio::time::interval_at(first, METRICS);
    let reader = Reader { committed: member.committed.subscribe(), metrics, after, member };
    stream::unfold(reader, |mut reader| async move {
        loop {
            let committed = *reader.committed.borrow_and_update();
            if committed > reader.after {
                let after = std::mem::replace(&mut reader.after, committed);
                let new = |e: &&EventEnvelope| e.seq.is_some_and(|seq| seq > after && seq <= committed);
                let events: Vec<EventEnvelope> = reader.member.state().outbox.iter().filter(new).cloned().collect();
                return Some((stream::iter(events), reader));
            }
            tokio::select! {
                changed = reader.committed.changed() => changed.ok()?,
                _ = reader.metrics.tick() => {
                    let event = AgentEvent::Metrics(vec![sample(&reader.member)]);
                    let envelope = reader.member.envelope(None, event);
                    return Some((stream::iter(vec![envelope]), reader));
                }
            }
        }
    })
    .flatten()
}

async fn events_ack(State(member): State<Arc<Member>>, Json(ack): Json<EventAck>) -> StatusCode {
    member.state().outbox.retain(|e| e.seq.is_none_or(|seq| seq > ack.seq));
    StatusCode::NO_CONTENT
}

/// On disk before the answer; done right after it, and told when that is on disk, too.
async fn job_put(
    State(member): State<Arc<Member>>, Path(id): Path<JobId>, Json(request): Json<JobRequest>,
) -> (StatusCode, Json<JobSnapshot>) {
    if let Some(known) = member.state().jobs.get(&id).cloned() {
        return (StatusCode::OK, Json(known));
    }
    let mut snapshot = JobSnapshot {
        id,
        kind: request.kind,
        status: JobStatus::Queued,
        steps: Vec::new(),
        result: None,
        failure: None,
        last_log_seq: 0,
        accepted_at: member.now(),
        finished_at: None,
    };
    let accepted = snapshot.clone();
    member.disk.commit(serde_json::to_vec(&snapshot).expect("a snapshot is JSON")).await;
    member.state().jobs.insert(id, snapshot.clone());
    tokio::spawn(async move {
        snapshot.status = JobStatus::Succeeded;
        snapshot.finished_at = Some(member.now());
        snapshot.result = Some(json!({"steps": 1}));
        snapshot.steps = vec![StepSnapshot {
            name: "noop".into(),
            title: "Do nothing".into(),
            status: StepStatus::Succeeded,
            started_at: Some(snapshot.accepted_at),
            finished_at: snapshot.finished_at,
            progress: None,
            message: None,
        }];
        member.report(snapshot).await;
    });
    (StatusCode::CREATED, Json(accepted))
}

async fn job_get(State(member): State<Arc<Member>>, Path(id): Path<JobId>) -> Response {
    match member.state().jobs.get(&id) {
        Some(job) => Json(job).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Of a small server of this name.
pub fn facts(hostname: &str) -> Facts {
    Facts {
        hostname: hostname.into(),
        os_name: "Debian GNU/Linux".into(),
        os_version: "12".into(),
        kernel: "6.1.0-18-amd64".into(),
        arch: std::env::consts::ARCH.into(),
        cpu_model: "swarm".into(),
        cpu_cores: 2,
        memory_total_bytes: 4 << 30,
        swap_total_bytes: 0,
        disk_total_bytes: 40 << 30,
        timezone: "UTC".into(),
        addresses: vec!["192.0.2.7".into()],
        systemd: true,
        agent_version: AGENT_VERSION.into(),
        docker: DockerStatus { available: true, version: Some("24.0.7".into()), ..DockerStatus::default() },
        ..Facts::default()
    }
}

fn sample(member: &Member) -> MetricsSample {
    let mut random = rand::rng();
    MetricsSample {
        at: member.now(),
        cpu_percent: random.random_range(0.0..100.0),
        load_1m: 0.4,
        load_5m: 0.3,
        load_15m: 0.2,
        memory_total_bytes: 4 << 30,
        memory_used_bytes: random.random_range(1 << 30..2 << 30),
        memory_available_bytes: 2 << 30,
        swap_used_bytes: 0,
        disk_total_bytes: 40 << 30,
        disk_used_bytes: 10 << 30,
        disk_read_bytes_per_second: random.random_range(0..1 << 20),
        disk_write_bytes_per_second: random.random_range(0..1 << 20),
        network_rx_bytes_per_second: random.random_range(0..1 << 20),
        network_tx_bytes_per_second: random.random_range(0..1 << 20),
        containers_running: 4,
        containers_total: 5,
        processes: 150,
        uptime_seconds: 86_400,
        agent_memory_bytes: 10 << 20,
    }
}
