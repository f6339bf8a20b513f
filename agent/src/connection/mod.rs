//! The one tunnel: dialled to the controllers in order, kept, and dialled again with jitter, so that a thousand agents
//! do not come back in the same second.

pub mod renew;
#[cfg(test)]
mod tests;

use crate::host::facts::AGENT_VERSION;
use crate::identity::IdentityStore;
use crate::routes::{self, Link};
use crate::state::AgentState;
use crate::status::{Connection, StatusFile};
use crate::tls::{self, DialError};
use hyper_util::service::TowerToHyperService;
use ocore_shared::protocol::{HEADER_AGENT_VERSION, HEADER_CLOCK, HEADER_PROTOCOL, PROTOCOL_VERSION};
use ocore_shared::tunnel::{self, WebSocketIo, websocket_config};
use rand::RngExt;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, http};

/// From the first packet to the WebSocket.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// From the WebSocket to the session.
const SESSION: Duration = Duration::from_secs(15);
/// A session that lived longer was a good one: the next retry is a first one again.
const GOOD: Duration = Duration::from_secs(5);
const MAX_DELAY: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{message}")]
    Refused { message: String },
    #[error("the handshake failed: {0}")]
    Handshake(String),
    #[error("the handshake took longer than {} s", HANDSHAKE.as_secs())]
    HandshakeTimeout,
    #[error("the controller did not open a session within {} s", SESSION.as_secs())]
    NoSession,
    #[error("the connection was lost: {0}")]
    Lost(String),
}

pub struct Connector {
    agent: AgentState,
    identity: IdentityStore,
    status: StatusFile,
}

impl Connector {
    pub fn new(agent: AgentState, identity: IdentityStore, status: StatusFile) -> Self {
        Self { agent, identity, status }
    }

    /// Until the agent stops.
    pub async fn run(self) {
        let stop = self.agent.stop.clone();
        let mut attempt = 0;
        while !stop.is_cancelled() {
            let lived = self.round().await;
            if stop.is_cancelled() {
                break;
            }
            attempt = if lived > GOOD { 0 } else { attempt };
            let delay = rand::rng().random_range(Duration::ZERO..=ceiling(attempt));
            attempt += 1;
            tracing::debug!(?delay, "next attempt");
            if stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
                break;
            }
        }
        self.status.set(Connection::Offline, "The agent was stopped.", None);
    }

    /// Try each controller until one session was open and has ended; how long it lived.
    async fn round(&self) -> Duration {
        let configured = self.agent.config.settings.controllers.clone();
        let controllers = if configured.is_empty() { self.identity.get().controllers.clone() } else { configured };
        for controller in &controllers {
            let lived = match self.dial(controller).await {
                Ok(socket) => self.serve(controller, socket).await,
                Err(error) => Err(error),
            };
            match lived {
                Ok(lived) => return lived,
                Err(_) if self.agent.stop.is_cancelled() => break,
                Err(error) => {
                    tracing::warn!(controller, %error, "cannot connect");
                    let refused = matches!(error, LinkError::Refused { .. });
                    let state = if refused { Connection::Refused } else { Connection::Offline };
                    self.status.set(state, error.to_string(), Some(controller));
                }
            }
        }
        Duration::ZERO
    }

    async fn dial(
        &self, controller: &str,
    ) -> Result<WebSocketIo<impl AsyncRead + AsyncWrite + Unpin + Send + use<>>, LinkError> {
        let config = tls::identity_config(&self.identity.get())?;
        let handshake = async {
            let stream = tls::connect(controller, config).await?;
            let request = self.handshake(controller).map_err(|e| LinkError::Handshake(e.to_string()))?;
            let answered = tokio_tungstenite::client_async_with_config(request, stream, Some(websocket_config())).await;
            answered.map(|(socket, _)| WebSocketIo::new(socket)).map_err(refusal)
        };
        let stopped = || LinkError::Lost("the agent stops".into());
        let handshake = self.agent.stop.run_until_cancelled(tokio::time::timeout(HANDSHAKE, handshake));
        handshake.await.ok_or_else(stopped)?.map_err(|_| LinkError::HandshakeTimeout)?
    }

    fn handshake(&self, controller: &str) -> Result<http::Request<()>, Box<dyn std::error::Error + Send + Sync>> {
        let mut request = format!("wss://{controller}/agent/tunnel").into_client_request()?;
        let clock = self.agent.clock.now().to_rfc3339();
        for (name, value) in
            [(HEADER_PROTOCOL, PROTOCOL_VERSION), (HEADER_AGENT_VERSION, AGENT_VERSION), (HEADER_CLOCK, &clock)]
        {
            request.headers_mut().insert(name, http::HeaderValue::from_str(value)?);
        }
        Ok(request)
    }

    /// Answer the controller until the link ends; how long its session lived. Without one in time the link is dropped.
    async fn serve<S>(&self, controller: &str, socket: WebSocketIo<S>) -> Result<Duration, LinkError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let lost = |ended: Result<(), hyper::Error>| match ended {
            Ok(()) => LinkError::Lost("the controller closed it".into()),
            Err(error) => LinkError::Lost(error.to_string()),
        };
        let link = Link::default();
        let service = TowerToHyperService::new(routes::router(self.agent.clone(), link.clone()));
        let serving = tunnel::serve(socket, service, self.agent.stop.clone());
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            ended = &mut serving => return Err(lost(ended)),
            opened = tokio::time::timeout(SESSION, link.opened()) => {
                let controllers = opened.map_err(|_| LinkError::NoSession)?;
                if let Err(error) = self.identity.set_controllers(controllers) {
                    tracing::warn!(%error, "the controllers' new addresses are not stored");
                }
            }
        }
        let opened = Instant::now();
        tracing::info!(controller, "connected");
        self.status.set(Connection::Connected, "The tunnel is up.", Some(controller));
        let ended = lost(serving.await);
        if !self.agent.stop.is_cancelled() {
            tracing::warn!(controller, error = %ended, "disconnected");
            self.status.set(Connection::Offline, ended.to_string(), Some(controller));
        }
        Ok(opened.elapsed())
    }
}

/// Longest wait before the attempt after that many failed ones: 2 s, then doubling to 60 s.
fn ceiling(attempt: u32) -> Duration {
    Duration::from_secs(2).saturating_mul(1 << attempt.min(5)).min(MAX_DELAY)
}

/// Why the handshake failed, in the controller's words where it has some. Only what stays so until a person does
/// something is a refusal: a controller in trouble is tried again.
fn refusal(error: tungstenite::Error) -> LinkError {
    let tungstenite::Error::Http(response) = error else { return LinkError::Handshake(error.to_string()) };
    let status = response.status();
    let said = response.body().as_ref().and_then(|body| tls::controller_error(body)).map(|(_, message)| message);
    let silent = match status.as_u16() {
        401 => "The controller does not accept this agent's certificate: enrol this server again.",
        403 => "The controller does not let this server connect: look at it in the console.",
        422 | 426 => "The controller does not speak this agent's protocol: update the agent.",
        _ => {
            let said = said.map(|said| format!(": {said}")).unwrap_or_default();
            return LinkError::Handshake(format!("the controller answered {status}{said}"));
        }
    };
    LinkError::Refused { message: said.unwrap_or_else(|| silent.into()) }
}
