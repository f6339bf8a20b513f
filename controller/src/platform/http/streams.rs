//! Every log URL answers as asked: WebSocket, server-sent events with resumable ids, or plain chunked text.

use crate::error::{Error, Result};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde::Serialize;
use serde_json::json;
use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Items that are sent together when they are there together.
const CHUNK: usize = 64;
/// A reader that does not read is not waited for at the end.
pub const FAREWELL: Duration = Duration::from_secs(5);

/// One thing said in a stream.
#[derive(Clone, Debug)]
pub struct StreamItem {
    /// Hand it back in `Last-Event-ID` to go on after it.
    pub id: Option<String>,
    pub event: Cow<'static, str>,
    /// JSON, in one line.
    pub data: Arc<str>,
    /// The line of the plain form; None: not shown there.
    pub text: Option<String>,
}

impl StreamItem {
    /// An event without an id that the plain form does not show.
    pub fn new(event: impl Into<Cow<'static, str>>, data: &impl Serialize) -> Self {
        // What is written here are our own types, whose keys are texts.
        let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
        Self { id: None, event: event.into(), data: data.into(), text: None }
    }

    fn write_event(&self, text: &mut String) {
        text.push_str("event: ");
        text.push_str(&self.event);
        if let Some(id) = &self.id {
            text.push_str("\nid: ");
            text.push_str(id);
        }
        text.push_str("\ndata: ");
        text.push_str(&self.data);
        text.push_str("\n\n");
    }

    fn message(&self) -> String {
        format!(r#"{{"event":{},"id":{},"data":{}}}"#, json!(self.event), json!(self.id), self.data)
    }
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
            let mut response = Body::from_stream(events(items)).into_response();
            let headers = [
                (header::CONTENT_TYPE, "text/event-stream"),
                (header::CACHE_CONTROL, "no-cache"),
                // Proxies buffer event streams unless told not to.
                (HeaderName::from_static("x-accel-buffering"), "no"),
            ];
            for (name, value) in headers {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            response
        }
        StreamForm::Text => {
            let chunks = items.ready_chunks(CHUNK).map(|items| {
                let lines = items.into_iter().filter_map(|item| item.text);
                Ok::<_, Infallible>(Bytes::from(lines.fold(String::new(), |text, line| text + &line + "\n")))
            });
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(chunks)).into_response()
        }
    }
}

/// Server-sent events; what is ready together travels together.
fn events(items: impl Stream<Item = StreamItem> + Send) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    async_stream::stream! {
        let mut chunks = std::pin::pin!(items.ready_chunks(CHUNK));
        loop {
            match tokio::time::timeout(KEEP_ALIVE, chunks.next()).await {
                Ok(Some(items)) => {
                    let mut text = String::new();
                    items.iter().for_each(|item| item.write_event(&mut text));
                    yield Ok(Bytes::from(text));
                }
                Ok(None) => return,
                Err(_) => yield Ok(Bytes::from_static(b":\n\n")),
            }
        }
    }
}

async fn over_websocket(mut socket: WebSocket, items: impl Stream<Item = StreamItem> + Send + 'static) {
    let mut items = std::pin::pin!(items);
    let mut tick = tokio::time::interval(KEEP_ALIVE);
    loop {
        let message = tokio::select! {
            item = items.next() => match item {
                Some(item) => Message::Text(item.message().into()),
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
    // The other end may be gone already, or read nothing.
    let _ = tokio::time::timeout(FAREWELL, socket.send(Message::Close(None))).await;
}
