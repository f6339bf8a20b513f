//! WebSocket of a person ↔ attachment on an agent.

use crate::platform::tunnel::Tunnel;
use axum::extract::ws::{Message, WebSocket};
use axum::http::Method;
use bytes::{Bytes, BytesMut};
use futures::SinkExt;
use futures::channel::mpsc;
use http_body_util::BodyExt;
use ocore_shared::ids::TerminalId;
use ocore_shared::protocol::terminals::Frame;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const PING: Duration = Duration::from_secs(15);
/// Keystrokes on their way to the agent; a paste is cut into as many frames.
const INPUT_QUEUE: usize = 64;
const INPUT_CHUNK: usize = 16 * 1024;

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
pub async fn join(
    mut socket: WebSocket, tunnel: Arc<Tunnel>, terminal: TerminalId, after: u64, survives_agent: bool,
    stop: CancellationToken,
) {
    let (mut input, frames) = mpsc::channel::<std::io::Result<Bytes>>(INPUT_QUEUE);
    let path = format!("/terminals/{terminal}/attach?after={after}");
    let mut body = match tunnel.client.stream(Method::POST, &path, frames).await {
        Ok(response) => response.into_body(),
        Err(error) => return refuse(socket, "terminal_lost", &error.to_string()).await,
    };
    let open = json!({"type": "open", "terminal_id": terminal, "offset": after, "survives_agent": survives_agent});
    if socket.send(say(open)).await.is_err() {
        return;
    }
    let mut buffer = BytesMut::new();
    let mut ping = tokio::time::interval(PING);
    let mut expected = after;
    loop {
        tokio::select! {
            frame = body.frame() => {
                let data = match frame {
                    Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                    _ => {
                        let text = "The connection to the server was lost; the terminal goes on there.";
                        let _ = socket.send(say(json!({"type": "reconnecting", "message": text}))).await;
                        break;
                    }
                };
                buffer.extend_from_slice(&data);
                match forward(&mut socket, &mut buffer, &mut expected).await {
                    Ok(true) => {}
                    Ok(false) | Err(()) => break,
                }
            }
            message = socket.recv() => {
                let frames = match message {
                    Some(Ok(Message::Binary(data))) => data_frames(data),
                    Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                        Ok(Control::Resize { cols, rows }) => vec![Frame::Resize { cols, rows }],
                        Err(_) => continue,
                    },
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                };
                for frame in frames {
                    if input.send(Ok(frame.encode())).await.is_err() {
                        break;
                    }
                }
            }
            _ = ping.tick() => {
                if socket.send(Message::Ping(Bytes::new())).await.is_err() {
                    break;
                }
            }
            () = tunnel.end.cancelled() => {
                let text = "The server has lost its connection; the terminal goes on there.";
                let _ = socket.send(say(json!({"type": "reconnecting", "message": text}))).await;
                break;
            }
            () = stop.cancelled() => break,
        }
    }
    let _ = socket.send(Message::Close(None)).await;
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
async fn forward(socket: &mut WebSocket, buffer: &mut BytesMut, expected: &mut u64) -> Result<bool, ()> {
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
                let _ = socket.send(say(json!({"type": "exit", "code": code}))).await;
                return Ok(false);
            }
            Ok(Some(Frame::Resize { .. })) => continue,
            Ok(None) => return Ok(true),
            Err(error) => {
                tracing::warn!(%error, "an agent broke the terminal's protocol");
                return Err(());
            }
        };
        socket.send(message).await.map_err(|_| ())?;
    }
}
