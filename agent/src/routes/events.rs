//! `GET /events` and `POST /events/ack`: what the agent says by itself.

use super::{ApiError, ApiResult, Json, Query};
use crate::events::EventReader;
use crate::host::facts;
use crate::state::AgentState;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{StatusCode, header};
use ocore_shared::protocol::events::{AgentEvent, EventAck, EventEnvelope};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;

pub fn router() -> Router<AgentState> {
    Router::new().route("/events", get(events_read)).route("/events/ack", post(events_ack))
}

#[derive(Deserialize)]
struct ReadQuery {
    #[serde(default)]
    after: u64,
}

async fn events_read(State(agent): State<AgentState>, Query(query): Query<ReadQuery>) -> Response {
    let reader = agent.events.read(query.after);
    let first = stream::once(first_events(agent.clone())).flat_map(stream::iter);
    // A request that hangs must not keep the agent from stopping.
    let live = follow(reader).take_until(agent.stop.clone().cancelled_owned());
    ndjson(first.chain(live))
}

/// What a controller that just connected needs to know, whatever it knew before.
async fn first_events(agent: AgentState) -> Vec<EventEnvelope> {
    let facts = facts::collect(&agent.host).await;
    let mut events = vec![agent.events.envelope(AgentEvent::Facts(Box::new(facts)))];
    match agent.host.containers().await {
        Ok(containers) => events.push(agent.events.envelope(AgentEvent::Containers(containers))),
        // An empty list would say that there are none.
        Err(error) => tracing::warn!(%error, "containers cannot be listed"),
    }
    events
}

fn follow(reader: EventReader) -> impl Stream<Item = EventEnvelope> {
    stream::unfold(reader, |mut reader| async move {
        let events = reader.next().await?;
        Some((stream::iter(events), reader))
    })
    .flatten()
}

async fn events_ack(State(agent): State<AgentState>, Json(ack): Json<EventAck>) -> ApiResult<StatusCode> {
    if ack.journal_id != agent.journal.id() {
        let message = format!("This agent's journal is {}, not {}.", agent.journal.id(), ack.journal_id);
        return Err(ApiError::new(StatusCode::CONFLICT, "other_journal", message));
    }
    let last = *agent.journal.last_seq().borrow();
    if ack.seq > last {
        let message = format!("The newest event is {last}; {} cannot be acknowledged.", ack.seq);
        return Err(ApiError::new(StatusCode::CONFLICT, "not_yet_sent", message));
    }
    agent.events.acknowledge(ack.seq, agent.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One line per item, each a chunk of its own so that it leaves at once.
pub fn ndjson<T: Serialize + Send + 'static>(items: impl Stream<Item = T> + Send + 'static) -> Response {
    let lines = items.filter_map(|item| async move {
        let mut line = serde_json::to_vec(&item).inspect_err(|error| tracing::error!(%error, "a line is lost")).ok()?;
        line.push(b'\n');
        Some(Ok::<_, Infallible>(Bytes::from(line)))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}
