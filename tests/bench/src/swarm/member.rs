//! One agent of a swarm: its state, and its tunnel.

use super::disk::Disk;
use super::routes;
use chrono::{DateTime, Utc};
use hyper_util::service::TowerToHyperService;
use ocore_agent::host::facts::AGENT_VERSION;
use ocore_agent::tls;
use ocore_shared::clock::{Clock, SystemClock};
use ocore_shared::ids::{JobId, JournalId, ServerId};
use ocore_shared::protocol::events::{AgentEvent, EventEnvelope};
use ocore_shared::protocol::jobs::JobSnapshot;
use ocore_shared::protocol::{HEADER_AGENT_VERSION, HEADER_CLOCK, HEADER_PROTOCOL, PROTOCOL_VERSION};
use ocore_shared::tunnel::{self, WebSocketIo, websocket_config};
use rustls::ClientConfig;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_util::sync::CancellationToken;

/// From the first packet to the WebSocket, as the agent allows.
const HANDSHAKE: Duration = Duration::from_secs(15);

pub struct Member {
    pub server: ServerId,
    pub hostname: String,
    pub journal: JournalId,
    pub disk: Disk,
    /// Highest sequence number of a durable event that is on disk.
    pub committed: watch::Sender<u64>,
    address: String,
    tls: Arc<ClientConfig>,
    state: Mutex<State>,
}

#[derive(Default)]
pub struct State {
    pub epoch: i64,
    pub join_state: String,
    pub jobs: HashMap<JobId, JobSnapshot>,
    /// Durable events that are not yet acknowledged.
    pub outbox: VecDeque<EventEnvelope>,
}

impl Member {
    pub fn new(server: ServerId, hostname: String, address: String, tls: Arc<ClientConfig>, disk: Disk) -> Self {
        Self {
            server,
            hostname,
            journal: JournalId::new(),
            disk,
            committed: watch::Sender::new(0),
            address,
            tls,
            state: Mutex::default(),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> DateTime<Utc> {
        SystemClock.now()
    }

    /// Write a job's state, then tell it.
    pub async fn report(&self, snapshot: JobSnapshot) {
        self.disk.commit(serde_json::to_vec(&snapshot).expect("a snapshot is JSON")).await;
        let mut state = self.state();
        state.jobs.insert(snapshot.id, snapshot.clone());
        let seq = *self.committed.borrow() + 1;
        state.outbox.push_back(self.envelope(Some(seq), AgentEvent::Job(snapshot)));
        // Under the lock, so that numbers are told in their order.
        self.committed.send_replace(seq);
    }

    pub fn envelope(&self, seq: Option<u64>, event: AgentEvent) -> EventEnvelope {
        EventEnvelope { seq, journal_id: self.journal, at: self.now(), event }
    }

    /// One tunnel, from dialling to its end: how long it lived, if it came up.
    pub async fn link(self: &Arc<Self>) -> Option<Duration> {
        let dialled = tokio::time::timeout(HANDSHAKE, self.dial()).await;
        let Ok(Ok(socket)) = dialled else { return None };
        let began = Instant::now();
        let service = TowerToHyperService::new(routes::router(self.clone()));
        // However it ended, the next attempt finds out whether the controller is there.
        let _ = tunnel::serve(socket, service, CancellationToken::new()).await;
        Some(began.elapsed())
    }

    async fn dial(
        &self,
    ) -> Result<
        WebSocketIo<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>,
        Box<dyn std::error::Error + Send + Sync>,
    > {
        let stream = tls::connect(&self.address, self.tls.clone()).await?;
        let mut request = format!("wss://{}/agent/tunnel", self.address).into_client_request()?;
        let clock = self.now().to_rfc3339();
        for (name, value) in
            [(HEADER_PROTOCOL, PROTOCOL_VERSION), (HEADER_AGENT_VERSION, AGENT_VERSION), (HEADER_CLOCK, &clock)]
        {
            request.headers_mut().insert(name, HeaderValue::from_str(value)?);
        }
        let (socket, _) = client_async_with_config(request, stream, Some(websocket_config())).await?;
        Ok(WebSocketIo::new(socket))
    }
}
