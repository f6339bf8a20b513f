//! `POST /session`: the first request inside a tunnel. Who comes with an epoch that is older than the stored one is a
//! controller that was replaced, and is refused.

use super::{ApiError, ApiResult, Json};
use crate::host::facts::AGENT_VERSION;
use crate::journal::{StoredSession, Urgency, Write};
use crate::state::AgentState;
use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use ocore_shared::protocol::session::{SessionOpen, SessionOpened};
use std::sync::Arc;
use tokio::sync::watch;

/// One tunnel: whether its session is open, and which addresses the controller announced.
#[derive(Clone)]
pub struct Link(Arc<watch::Sender<Option<Vec<String>>>>);

impl Default for Link {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Link {
    /// The controllers' addresses, once the session is open.
    pub async fn opened(&self) -> Vec<String> {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so that it cannot be closed.
        receiver.wait_for(Option::is_some).await.ok().and_then(|controllers| controllers.clone()).unwrap_or_default()
    }

    fn is_open(&self) -> bool {
        self.0.borrow().is_some()
    }
}

pub fn router(link: Link) -> Router<AgentState> {
    Router::new().route("/session", post(session_open)).layer(Extension(link))
}

/// Nothing is answered before the session is open.
pub async fn require(State(link): State<Link>, request: Request, next: Next) -> Result<Response, ApiError> {
    if link.is_open() {
        return Ok(next.run(request).await);
    }
    Err(ApiError::new(StatusCode::PRECONDITION_REQUIRED, "session_required", "Open the session of this tunnel first."))
}

async fn session_open(
    State(agent): State<AgentState>, Extension(link): Extension<Link>, Json(open): Json<SessionOpen>,
) -> ApiResult<Json<SessionOpened>> {
    let previous = agent.journal.session()?;
    if open.session_epoch < previous.epoch {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "session_epoch_old",
            format!(
                "The epoch {} is older than {}, which this agent has stored: another controller has taken over.",
                open.session_epoch, previous.epoch
            ),
        ));
    }
    let session = StoredSession { epoch: open.session_epoch, join_state: open.offered_join_state };
    agent.journal.submit(vec![Write::Session(session)], Urgency::NowOrFail).await?;
    tracing::info!(epoch = open.session_epoch, controller = open.controller_version, "session opened");
    link.0.send_replace(Some(open.controllers));
    let mut features = Vec::new();
    if agent.host.terminals.survive_restart() {
        features.push("terminals.survive_restart".into());
    }
    Ok(Json(SessionOpened {
        previous_epoch: previous.epoch,
        previous_join_state: previous.join_state,
        journal_id: agent.journal.id(),
        last_seq: *agent.journal.last_seq().borrow(),
        agent_version: AGENT_VERSION.into(),
        features,
        job_kinds: agent.engine.job_kinds(),
    }))
}
