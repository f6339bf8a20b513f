//! The controller's end: an HTTP/2 client over the stream that the agent dialled.

use super::{
    CONNECTION_WINDOW, FRAME, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, MAX_STREAMS, RESERVED_STREAMS, STREAM_WINDOW,
};
use crate::protocol::AgentError;
use bytes::Bytes;
use futures::TryStreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::{Serialize, de::DeserializeOwned};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type RequestBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// No control answer is larger.
const MAX_JSON: usize = 16 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The tunnel is gone or broke while the request was under way: whether it was carried out is unknown.
    #[error("the connection to the agent was lost: {0}")]
    Lost(String),
    #[error("the agent did not answer within {0:?}")]
    Timeout(Duration),
    /// Too many long requests are open on this one agent.
    #[error("too many streams are open on this agent; close some and try again")]
    Busy,
    /// The agent answered with an error.
    #[error("{} ({})", .error.message, .error.code)]
    Agent { status: StatusCode, error: AgentError },
    #[error("the agent's answer cannot be understood: {0}")]
    Malformed(String),
}

impl From<hyper::Error> for TunnelError {
    fn from(error: hyper::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// Sends requests into one tunnel. Cheap to clone.
#[derive(Clone)]
pub struct TunnelClient {
    sender: SendRequest<RequestBody>,
    /// Long streams (logs, events, terminals, files) take a permit for as long as their body lives.
    long: Arc<Semaphore>,
    short: Arc<Semaphore>,
}

/// Start the HTTP/2 client on `io`. The returned future is the connection itself: it must be driven, and ends when the
/// tunnel does.
pub async fn connect<S>(io: S) -> Result<(TunnelClient, impl Future<Output = hyper::Result<()>>), TunnelError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io))
        .await?;
    let client = TunnelClient {
        sender,
        long: Arc::new(Semaphore::new((MAX_STREAMS - RESERVED_STREAMS) as usize)),
        short: Arc::new(Semaphore::new(RESERVED_STREAMS as usize)),
    };
    Ok((client, connection))
}

impl TunnelClient {
    /// Requests that are open now, long ones and short ones.
    pub fn open_streams(&self) -> u32 {
        let free = self.long.available_permits() + self.short.available_permits();
        MAX_STREAMS.saturating_sub(u32::try_from(free).unwrap_or(MAX_STREAMS))
    }

    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// A control request: JSON in, JSON out, within `timeout`. `&()` as body sends none; `()` as answer reads none.
    pub async fn call<I: Serialize + ?Sized, O: DeserializeOwned>(
        &self, method: Method, path: &str, body: &I, timeout: Duration,
    ) -> Result<(StatusCode, O), TunnelError> {
        let work = async {
            let _permit = self.short.acquire().await.map_err(|_| TunnelError::Busy)?;
            let json = serde_json::to_vec(body).map_err(|e| TunnelError::Malformed(e.to_string()))?;
            let json = if json == b"null" { Bytes::new() } else { Bytes::from(json) };
            let response = self.send(method, path, Full::new(json).map_err(|e| match e {}).boxed_unsync()).await?;
            let status = response.status();
            let bytes = http_body_util::Limited::new(response.into_body(), MAX_JSON)
                .collect()
                .await
                .map_err(|e| TunnelError::Lost(e.to_string()))?
                .to_bytes();
            if !status.is_success() {
                return Err(agent_error(status, &bytes));
            }
            let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
            serde_json::from_slice(bytes).map(|o| (status, o)).map_err(|e| TunnelError::Malformed(e.to_string()))
        };
        tokio::time::timeout(timeout, work).await.map_err(|_| TunnelError::Timeout(timeout))?
    }

    /// A long request: raw bytes in while raw bytes come out. Fails at once when too many are open.
    /// Dropping the body ends the stream on the agent.
    pub async fn stream<B>(&self, method: Method, path: &str, body: B) -> Result<Response<ResponseBody>, TunnelError>
    where
        B: futures::Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let permit = self.long.clone().try_acquire_owned().map_err(|_| TunnelError::Busy)?;
        let body = http_body_util::StreamBody::new(body.map_ok(Frame::data)).boxed_unsync();
        let response = self.send(method, path, body).await?;
        if !response.status().is_success() {
            let status = response.status();
            let bytes = http_body_util::Limited::new(response.into_body(), MAX_JSON)
                .collect()
                .await
                .map_err(|e| TunnelError::Lost(e.to_string()))?
                .to_bytes();
            return Err(agent_error(status, &bytes));
        }
        Ok(response.map(|inner| ResponseBody { inner, _permit: permit }))
    }

    /// A long request without a body of its own.
    pub async fn get_stream(&self, path: &str) -> Result<Response<ResponseBody>, TunnelError> {
        self.stream(Method::GET, path, futures::stream::empty()).await
    }

    async fn send(&self, method: Method, path: &str, body: RequestBody) -> Result<Response<Incoming>, TunnelError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://agent{path}"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|e| TunnelError::Malformed(e.to_string()))?;
        let mut sender = self.sender.clone();
        sender.ready().await?;
        Ok(sender.send_request(request).await?)
    }
}

fn agent_error(status: StatusCode, bytes: &[u8]) -> TunnelError {
    let error = serde_json::from_slice(bytes)
        .unwrap_or_else(|_| AgentError { code: "agent_error".into(), message: format!("the agent answered {status}") });
    TunnelError::Agent { status, error }
}

/// The body of a long answer; gives its place back when dropped.
pub struct ResponseBody {
    inner: Incoming,
    _permit: OwnedSemaphorePermit,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>, cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
