//! WebSocket of a person ↔ attachment on an agent.

use crate::platform::http::streams::FAREWELL;
use crate::platform::tunnel::Tunnel;
use axum::extract::ws::{Message, WebSocket};
use axum::http::Method;
use bytes::{Bytes, BytesMut};
use futures::channel::mpsc;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use ocore_shared::ids::TerminalId;
use ocore_shared::protocol::terminals::Frame;
use ocore_shared::tunnel::ResponseBody;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const PING: Duration = Duration::from_secs(15);
/// Keystrokes on their way to the agent; a paste is cut into as many frames.
const INPUT_QUEUE: usize = 64;
const INPUT_CHUNK: usize = 16 * 1024;

type Sink = SplitSink<WebSocket, Message>;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Control {
    Resize { cols: u16, rows: u16 },
}

/// What the person is told.
fn say(value: Value) -> Message {
    Message::Text(value.to_string().into())
}

/// Tell why there is no terminal and close.
pub async fn refuse(mut socket: WebSocket, code: &str, message: &str) {
    let _ = socket.send(say(json!({"type": "error", "code": code, "message": message}))).await;
    let _ = socket.send(Message::Close(None)).await;
}

/// Join both until one ends. `stop`: the controller stops, or the person may no longer.
///
/// The two directions never wait for each other: a process that does not read its input still shows its output.
pub async fn join(
    mut socket: WebSocket, tunnel: Arc<Tunnel>, terminal: TerminalId, after: u64, survives_agent: bool,
    stop: CancellationToken,
) {
    let (input, frames) = mpsc::channel::<std::io::Result<Bytes>>(INPUT_QUEUE);
    let path = format!("/terminals/{terminal}/attach?after={after}");
    let body = match tunnel.client.stream(Method::POST, &path, frames).await {
        Ok(response) => response.into_body(),
        Err(error) => return refuse(socket, "terminal_lost", &error.to_string()).await,
    };
    let open = json!({"type": "open", "terminal_id": terminal, "offset": after, "survives_agent": survives_agent});
    if socket.send(say(open)).await.is_err() {
        return;
    }
    let (mut sink, source) = socket.split();
    let lost = tokio::select! {
        lost = output(&mut sink, body, after) => lost,
        () = typed(source, input) => false,
        () = tunnel.end.cancelled() => true,
        () = stop.cancelled() => false,
    };
    let farewell = async {
        if lost {
            let text = "The connection to the server was lost; the terminal goes on there.";
            let _ = sink.send(say(json!({"type": "reconnecting", "message": text}))).await;
        }
        let _ = sink.send(Message::Close(None)).await;
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

/// From the agent to the person. True: the agent's end was lost, not the person's.
async fn output(sink: &mut Sink, mut body: ResponseBody, after: u64) -> bool {
    let mut buffer = BytesMut::new();
    let mut ping = tokio::time::interval(PING);
    let mut expected = after;
    loop {
        tokio::select! {
            frame = body.frame() => {
                let Some(Ok(frame)) = frame else { return true };
                buffer.extend_from_slice(&frame.into_data().unwrap_or_default());
                if !matches!(forward(sink, &mut buffer, &mut expected).await, Ok(true)) {
                    return false;
                }
            }
            _ = ping.tick() => {
                if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return false;
                }
            }
        }
    }
}

/// From the person to the agent, until the person goes.
async fn typed(mut source: SplitStream<WebSocket>, mut input: mpsc::Sender<std::io::Result<Bytes>>) {
    loop {
        let frames = match source.next().await {
            Some(Ok(Message::Binary(data))) => data_frames(data),
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(Control::Resize { cols, rows }) => vec![Frame::Resize { cols, rows }],
                Err(_) => continue,
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
        };
        for frame in frames {
            if input.send(Ok(frame.encode())).await.is_err() {
                // The agent's end is gone, which its output tells.
                return std::future::pending().await;
            }
        }
    }
}

fn data_frames(data: Bytes) -> Vec<Frame> {
    let mut rest = data;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        frames.push(Frame::Data(rest.split_to(rest.len().min(INPUT_CHUNK))));
    }
    frames
}

/// Send whole frames on. False: the process has ended.
async fn forward(sink: &mut Sink, buffer: &mut BytesMut, expected: &mut u64) -> Result<bool, ()> {
    loop {
        let message = match Frame::decode(buffer) {
            Ok(Some(Frame::Data(data))) => {
                *expected += data.len() as u64;
                Message::Binary(data)
            }
            Ok(Some(Frame::Offset(offset))) => {
                let dropped = offset.saturating_sub(*expected);
                *expected = offset;
                say(json!({"type": "offset", "offset": offset, "dropped": dropped}))
            }
            Ok(Some(Frame::Exit(code))) => {
                let _ = sink.send(say(json!({"type": "exit", "code": code}))).await;
                return Ok(false);
            }
            Ok(Some(Frame::Resize { .. })) => continue,
            Ok(None) => return Ok(true),
            Err(error) => {
                tracing::warn!(%error, "an agent broke the terminal's protocol");
                return Err(());
            }
        };
        sink.send(message).await.map_err(|_| ())?;
    }
}
