//! Terminals: opened by one request, attached to by others.

use super::{ApiError, ApiResult, Json, Path, Query};
use crate::engine::OpError;
use crate::state::AgentState;
use crate::terminals::{Input, Terminal};
use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bytes::BytesMut;
use futures::StreamExt;
use http::StatusCode;
use ocore_shared::ids::TerminalId;
use ocore_shared::protocol::terminals::{Frame, TerminalInfo, TerminalOpen};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;

pub fn router() -> Router<AgentState> {
    Router::new()
        .route("/terminals", get(terminal_list))
        .route("/terminals", post(terminal_open))
        .route("/terminals/{id}/attach", post(terminal_attach))
        .route("/terminals/{id}", delete(terminal_close))
}

async fn terminal_list(State(state): State<AgentState>) -> Json<Vec<TerminalInfo>> {
    Json(state.host.terminals.list())
}

async fn terminal_open(State(state): State<AgentState>, Json(request): Json<TerminalOpen>) -> ApiResult<Response> {
    let info = state.host.terminals.open(request).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(info)).into_response())
}

fn refused(error: OpError) -> ApiError {
    let status = match error.code.as_str() {
        "forbidden_by_policy" => StatusCode::FORBIDDEN,
        "too_many_terminals" => StatusCode::TOO_MANY_REQUESTS,
        "instance_not_found" => StatusCode::NOT_FOUND,
        "instance_not_running" => StatusCode::CONFLICT,
        _ => return error.into(),
    };
    ApiError::new(status, &error.code, error.message)
}

#[derive(Deserialize)]
struct AttachQuery {
    #[serde(default)]
    after: u64,
}

async fn terminal_attach(
    State(state): State<AgentState>, Path(id): Path<TerminalId>, Query(query): Query<AttachQuery>, request: Request,
) -> ApiResult<Response> {
    let terminal = state.host.terminals.find(id).ok_or_else(|| {
        ApiError::not_found("That terminal has ended, or the agent was restarted since. Open a new one.")
    })?;
    let attachment = terminal.attach(query.after);
    tokio::spawn(take_input(terminal, request.into_body().into_data_stream()));
    let frames = futures::stream::unfold(attachment, |mut attachment| async {
        attachment.next().await.map(|frame| (Ok::<_, Infallible>(frame.encode()), attachment))
    });
    Ok(([("content-type", "application/octet-stream")], Body::from_stream(frames)).into_response())
}

/// Ends with the request's body, that is with the attachment.
async fn take_input(terminal: Arc<Terminal>, mut body: BodyDataStream) {
    let mut buffer = BytesMut::new();
    while let Some(Ok(part)) = body.next().await {
        buffer.extend_from_slice(&part);
        loop {
            let input = match Frame::decode(&mut buffer) {
                Ok(Some(Frame::Data(data))) => Input::Data(data),
                Ok(Some(Frame::Resize { cols, rows })) => Input::Resize { cols, rows },
                Ok(Some(Frame::Offset(_) | Frame::Exit(_))) => continue,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "a terminal's input is not understood");
                    return;
                }
            };
            if !terminal.send(input).await {
                return;
            }
        }
    }
}

async fn terminal_close(State(state): State<AgentState>, Path(id): Path<TerminalId>) -> StatusCode {
    state.host.terminals.close(id).await;
    StatusCode::NO_CONTENT
}
