//! The whole API through a real tunnel over an in-memory pipe: what the controller sees.

use super::*;
use crate::app;
use crate::config::{Config, Settings};
use crate::host::docker::fake::FakeDocker;
use crate::journal::{RedbJournal, Urgency};
use axum::routing::get;
use bytes::BytesMut;
use http::Method;
use http_body_util::BodyExt;
use hyper_util::service::TowerToHyperService;
use ocore_shared::clock::SystemClock;
use ocore_shared::ids::{JobId, OrganizationId};
use ocore_shared::protocol::events::{AgentEvent, EventAck, EventEnvelope};
use ocore_shared::protocol::inventory::{ContainerInfo, Facts};
use ocore_shared::protocol::jobs::{JobLogLine, JobSnapshot, JobStatus};
use ocore_shared::protocol::session::{SessionOpen, SessionOpened};
use ocore_shared::tunnel::{self, ResponseBody, TunnelClient, TunnelError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// An agent without Docker, and a way to connect to it.
struct Rig {
    _dir: TempDir,
    agent: AgentState,
}

/// A controller's end of one tunnel.
struct Controller(TunnelClient);

impl Rig {
    fn new() -> Self {
        Self::with_docker(Path::new("/no-docker.sock"))
    }

    fn with_docker(socket: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { docker_socket: Some(socket.to_owned()), ..Default::default() };
        let config = Config { dir: dir.path().into(), config_dir: dir.path().join("etc"), settings };
        let clock = Arc::new(SystemClock);
        let journal = Arc::new(RedbJournal::open(&config.journal_path(), clock.as_ref()).unwrap());
        let agent = app::build(config, journal, clock, CancellationToken::new()).unwrap();
        Self { _dir: dir, agent }
    }

    async fn connect(&self) -> Controller {
        let (near, far) = tokio::io::duplex(256 * 1024);
        let service = TowerToHyperService::new(router(self.agent.clone(), Link::default()));
        tokio::spawn(tunnel::serve(far, service, self.agent.stop.clone()));
        let (client, connection) = tunnel::connect(near).await.unwrap();
        tokio::spawn(connection);
        Controller(client)
    }

    async fn connect_with_epoch(&self, epoch: i64) -> Controller {
        let controller = self.connect().await;
        controller.open(epoch).await.unwrap();
        controller
    }
}

impl Controller {
    async fn call<I: Serialize, O: DeserializeOwned>(
        &self, method: Method, path: &str, body: I,
    ) -> Result<(u16, O), TunnelError> {
        let (status, body) = self.0.call(method, path, &body, Duration::from_secs(10)).await?;
        Ok((status.as_u16(), body))
    }

    async fn open(&self, session_epoch: i64) -> Result<SessionOpened, TunnelError> {
        let open = SessionOpen {
            session_epoch,
            offered_join_state: format!("state {session_epoch}"),
            controllers: vec!["controller:8443".into()],
            controller_version: "0.0.0".into(),
        };
        Ok(self.call(Method::POST, "/session", open).await?.1)
    }

    async fn put(&self, id: JobId, kind: &str, input: Value) -> Result<(u16, JobSnapshot), TunnelError> {
        let body = json!({ "kind": kind, "organization_id": OrganizationId::new(), "input": input });
        self.call(Method::PUT, &format!("/jobs/{id}"), body).await
    }

    async fn lines(&self, path: &str) -> Lines {
        Lines { body: self.0.get_stream(path).await.unwrap().into_body(), buffer: BytesMut::new() }
    }
}

/// An NDJSON answer, line by line.
struct Lines {
    body: ResponseBody,
    buffer: BytesMut,
}

impl Lines {
    async fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame()).await.expect("in time")?;
            self.buffer.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
    }

    async fn until_ended(&mut self, id: JobId) -> EventEnvelope {
        loop {
            let event: EventEnvelope = self.next().await.expect("the stream goes on");
            if matches!(&event.event, AgentEvent::Job(job) if job.id == id && job.status.is_terminal()) {
                return event;
            }
        }
    }
}

fn code(error: TunnelError) -> (u16, String) {
    match error {
        TunnelError::Agent { status, error } => (status.as_u16(), error.code),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_job_from_start_to_finish() {
    let rig = Rig::new();
    let controller = rig.connect_with_epoch(1).await;
    let mut events = controller.lines("/events?after=0").await;
    let first: EventEnvelope = events.next().await.unwrap();
    assert!(first.seq.is_none() && matches!(first.event, AgentEvent::Facts(f) if f.cpu_cores > 0));

    let id = JobId::new();
    let (status, job) = controller.put(id, "noop", json!({ "log_lines": 3 })).await.unwrap();
    assert_eq!((status, job.status), (201, JobStatus::Queued));
    let ended = events.until_ended(id).await;
    let AgentEvent::Job(job) = &ended.event else { unreachable!() };
    assert_eq!((job.status, job.last_log_seq), (JobStatus::Succeeded, 3));

    assert_eq!(controller.put(id, "noop", json!({ "log_lines": 3 })).await.unwrap().0, 200);
    assert_eq!(code(controller.put(id, "noop", json!({})).await.unwrap_err()), (409, "other_job".into()));
    let early = JobId::new();
    let cancelled = controller.call::<_, JobSnapshot>(Method::DELETE, &format!("/jobs/{early}"), ()).await;
    assert_eq!(code(cancelled.unwrap_err()), (404, "not_found".into()));
    let late = controller.put(early, "noop", json!({})).await;
    assert_eq!(code(late.unwrap_err()), (409, "job_cancelled".into()));
    let mut log = controller.lines(&format!("/jobs/{id}/log?after=1&follow=1")).await;
    assert_eq!(log.next::<JobLogLine>().await.unwrap().seq, 2);
    assert_eq!(log.next::<JobLogLine>().await.unwrap().seq, 3);
    assert!(log.next::<JobLogLine>().await.is_none(), "the log of an ended job ends");
}

#[tokio::test]
async fn events_come_again_until_they_are_acknowledged() {
    let rig = Rig::new();
    let controller = rig.connect_with_epoch(1).await;
    let id = JobId::new();
    controller.put(id, "noop", json!({})).await.unwrap();
    let mut events = controller.lines("/events?after=0").await;
    let seq = events.until_ended(id).await.seq.unwrap();
    // The connection is lost before the acknowledgement.
    let controller = rig.connect_with_epoch(2).await;
    let mut again = controller.lines("/events?after=0").await;
    let event = again.until_ended(id).await;
    assert_eq!(event.seq, Some(seq));
    loop {
        // The newer reader has ended the older stream.
        if events.next::<EventEnvelope>().await.is_none() {
            break;
        }
    }
    let jobs: Vec<JobSnapshot> = controller.call(Method::GET, "/jobs", ()).await.unwrap().1;
    assert_eq!(jobs.len(), 1);
    let wrong = EventAck { journal_id: ocore_shared::ids::JournalId::new(), seq };
    let refused = controller.call::<_, ()>(Method::POST, "/events/ack", wrong).await.unwrap_err();
    assert_eq!(code(refused), (409, "other_journal".into()));
    let ack = EventAck { journal_id: event.journal_id, seq };
    assert_eq!(controller.call::<_, ()>(Method::POST, "/events/ack", ack).await.unwrap().0, 204);
    let jobs: Vec<JobSnapshot> = controller.call(Method::GET, "/jobs", ()).await.unwrap().1;
    assert!(jobs.is_empty(), "an acknowledged end is not listed any more");
    assert!(rig.agent.journal.events(0, 10).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_comes_after_what_was() {
    let docker = FakeDocker::start(Router::new().route("/containers/json", get(async || Json(json!([])))));
    let rig = Rig::with_docker(docker.host.socket());
    let removed_while_the_agent_was_down: ContainerInfo = serde_json::from_value(
        json!({ "id": "c", "name": "shop", "image": "odoo", "state": "running", "managed": true }),
    )
    .unwrap();
    rig.agent.events.durable(AgentEvent::Container(removed_while_the_agent_was_down));
    rig.agent.journal.submit(Vec::new(), Urgency::Now).await.unwrap();
    let controller = rig.connect_with_epoch(1).await;
    let mut events = controller.lines("/events?after=0").await;
    let mut next = async || events.next::<EventEnvelope>().await.unwrap().event;
    assert!(matches!(next().await, AgentEvent::Facts(_)));
    assert!(matches!(next().await, AgentEvent::Container(c) if c.id == "c"));
    assert!(matches!(next().await, AgentEvent::Containers(all) if all.is_empty()), "the last word is that it is gone");
    assert!(matches!(next().await, AgentEvent::InstanceHealths(all) if all.is_empty()), "nor is there an instance");
    rig.agent.events.durable(AgentEvent::ContainerRemoved { id: "d".into() });
    assert!(matches!(next().await, AgentEvent::ContainerRemoved { .. }), "and so it goes on");
}

#[tokio::test]
async fn a_docker_that_hangs_holds_back_no_end_of_a_job() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let rig = Rig::with_docker(&socket);
    let controller = rig.connect_with_epoch(1).await;
    let id = JobId::new();
    controller.put(id, "noop", json!({})).await.unwrap();
    let ended = async {
        while !rig.agent.journal.job(id).unwrap().unwrap().snapshot.status.is_terminal() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("in time");
    controller.lines("/events?after=0").await.until_ended(id).await;
}

#[tokio::test]
async fn an_older_controller_is_fenced() {
    let rig = Rig::new();
    let stranger = rig.connect().await;
    let early = stranger.call::<_, Facts>(Method::GET, "/inventory/system", ()).await.unwrap_err();
    assert_eq!(code(early), (428, "session_required".into()));
    let opened = rig.connect().await.open(5).await.unwrap();
    assert_eq!((opened.previous_epoch, opened.previous_join_state.as_str()), (0, ""));
    assert!(opened.job_kinds.contains(&"noop".into()) && opened.job_kinds.contains(&"agent_uninstall".into()));
    let opened = rig.connect().await.open(7).await.unwrap();
    assert_eq!((opened.previous_epoch, opened.previous_join_state.as_str()), (5, "state 5"));
    let old = rig.connect().await.open(6).await.unwrap_err();
    assert_eq!(code(old), (409, "session_epoch_old".into()));
    assert_eq!(rig.agent.journal.session().unwrap().epoch, 7);
}

#[tokio::test]
async fn refusals_are_readable() {
    let rig = Rig::new();
    let controller = rig.connect_with_epoch(1).await;
    let unknown = controller.call::<_, JobSnapshot>(Method::GET, &format!("/jobs/{}", JobId::new()), ()).await;
    assert_eq!(code(unknown.unwrap_err()), (404, "not_found".into()));
    let bad = controller.call::<_, JobSnapshot>(Method::GET, "/jobs/nonsense", ()).await;
    assert_eq!(code(bad.unwrap_err()), (400, "invalid".into()));
    let bad = controller.call::<_, JobSnapshot>(Method::PUT, &format!("/jobs/{}", JobId::new()), json!({})).await;
    assert_eq!(code(bad.unwrap_err()), (422, "invalid".into()));
    let no_route = controller.call::<_, ()>(Method::GET, "/nothing", ()).await;
    assert_eq!(code(no_route.unwrap_err()), (404, "not_found".into()));
    let watch = json!({ "seconds": 60 });
    assert_eq!(controller.call::<_, ()>(Method::POST, "/metrics/watch", watch).await.unwrap().0, 204);
}
