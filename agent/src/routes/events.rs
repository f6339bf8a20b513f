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
use std::time::Duration;

/// Nothing newer is told before Docker has listed its containers, or has taken this long.
const DOCKER_PATIENCE: Duration = Duration::from_secs(10);

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
    // A request that hangs must not keep the agent from stopping.
    let stop = agent.stop.clone().cancelled_owned();
    ndjson(told(agent, reader).take_until(stop))
}

/// How far a stream is. The list of containers comes after what was to be told before: older news about a container
/// would bring one back that is not in it. And a Docker that hangs does not hold back the ends of jobs.
enum Stage {
    Facts,
    Backlog,
    Live,
}

fn told(agent: AgentState, reader: EventReader) -> impl Stream<Item = EventEnvelope> {
    stream::unfold((agent, reader, Stage::Facts), |(agent, mut reader, stage)| async move {
        let (events, next) = match stage {
            Stage::Facts => {
                let facts = facts::collect(&agent.host).await;
                (vec![agent.events.envelope(AgentEvent::Facts(Box::new(facts)))], Stage::Backlog)
            }
            Stage::Backlog => match reader.next_of_backlog()? {
                events if events.is_empty() => (containers(&agent).await, Stage::Live),
                events => (events, Stage::Backlog),
            },
            Stage::Live => (reader.next().await?, Stage::Live),
        };
        Some((stream::iter(events), (agent, reader, next)))
    })
    .flatten()
}

/// All containers, then the health of all instances; or nothing when Docker does not say: an empty list would mean that there are none.
async fn containers(agent: &AgentState) -> Vec<EventEnvelope> {
    match tokio::time::timeout(DOCKER_PATIENCE, agent.host.containers()).await {
        Ok(Ok(containers)) => {
            let healths = AgentEvent::InstanceHealths(agent.host.health.reports());
            return [AgentEvent::Containers(containers), healths].map(|event| agent.events.envelope(event)).into();
        }
        Ok(Err(error)) => tracing::warn!(%error, "containers cannot be listed"),
        Err(_) => tracing::warn!("containers cannot be listed: Docker does not answer"),
    }
    Vec::new()
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
