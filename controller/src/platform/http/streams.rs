//! Every log URL answers as asked: WebSocket, server-sent events with resumable ids, or plain chunked text.

use crate::error::{Error, Result};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One thing said in a stream.
#[derive(Clone, Debug)]
pub struct StreamItem {
    /// Hand it back in `Last-Event-ID` to go on after it.
    pub id: Option<String>,
    pub event: String,
    pub data: Value,
    /// The line of the plain form; None: not shown there.
    pub text: Option<String>,
}

/// In which form the request wants its stream.
pub enum StreamForm {
    WebSocket(Box<WebSocketUpgrade>),
    Events,
    Text,
}

impl<S: Send + Sync> FromRequestParts<S> for StreamForm {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let says = |name, word: &str| {
            let value = parts.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
            value.is_some_and(|v| v.to_ascii_lowercase().contains(word))
        };
        if says(header::UPGRADE, "websocket") {
            let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await.map_err(|rejection| {
                Error::field("Upgrade", "websocket", format!("This is no WebSocket handshake: {rejection}."))
            })?;
            return Ok(Self::WebSocket(Box::new(upgrade)));
        }
        Ok(if says(header::ACCEPT, "text/event-stream") { Self::Events } else { Self::Text })
    }
}

/// The id after which a client wants to go on: `Last-Event-ID`, as browsers send it by themselves.
pub fn last_event_id(headers: &axum::http::HeaderMap) -> Option<String> {
    headers.get("last-event-id").and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty()).map(str::to_owned)
}

/// Answer with a stream that ends when `items` does.
pub fn respond(form: StreamForm, items: impl Stream<Item = StreamItem> + Send + 'static) -> Response {
    match form {
        StreamForm::WebSocket(upgrade) => upgrade.on_upgrade(move |socket| over_websocket(socket, items)),
        StreamForm::Events => {
            let events = items.map(|item| {
                let mut event = Event::default().event(item.event).data(item.data.to_string());
                if let Some(id) = item.id {
                    event = event.id(id);
                }
                Ok::<_, Infallible>(event)
            });
            let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
            // Proxies buffer event streams unless told not to.
            response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
            response
        }
        StreamForm::Text => {
            let lines = items.filter_map(async |item| item.text.map(|t| Ok::<_, Infallible>(Bytes::from(t + "\n"))));
            let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (headers, Body::from_stream(lines)).into_response()
        }
    }
}

async fn over_websocket(mut socket: WebSocket, items: impl Stream<Item = StreamItem> + Send + 'static) {
    let mut items = std::pin::pin!(items);
    let mut tick = tokio::time::interval(KEEP_ALIVE);
    loop {
        let message = tokio::select! {
            item = items.next() => match item {
                Some(item) => {
                    Message::Text(json!({"event": item.event, "id": item.id, "data": item.data}).to_string().into())
                }
                None => break,
            },
            _ = tick.tick() => Message::Ping(Bytes::new()),
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
    // The other end may be gone already.
    let _ = socket.send(Message::Close(None)).await;
}
