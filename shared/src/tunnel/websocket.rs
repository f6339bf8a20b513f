//! A WebSocket as a byte stream: what was written since the last flush is one binary frame. One that takes no bytes any more ends
//! with an error: HTTP/2 wants to say goodbye before it gives up, and would wait for that as long as TCP tries.

use super::STALL;
use bytes::{Buf, Bytes, BytesMut};
use futures::{Sink, Stream};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};

const MAX_FRAME: usize = 1024 * 1024;

/// Small buffers: with the library's default of 128 KiB an agent costs the controller 151 KiB instead of 45.
pub fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_FRAME)
        .max_frame_size(Some(MAX_FRAME))
        .max_message_size(Some(MAX_FRAME))
}

/// [`AsyncRead`] and [`AsyncWrite`] over the binary messages of a WebSocket.
pub struct WebSocketIo<S> {
    inner: WebSocketStream<S>,
    unread: Bytes,
    /// What the next flush sends, as one message: HTTP/2 brings a frame's head and body apart, and many small frames.
    unsent: BytesMut,
    /// Until when what was written must have gone out; None when all of it has.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> WebSocketIo<S> {
    pub fn new(inner: WebSocketStream<S>) -> Self {
        Self { inner, unread: Bytes::new(), unsent: BytesMut::new(), stalled: None }
    }

    /// Whether all has gone out, or that nothing moves any more. On a slow link each write has its full time.
    fn progress(&mut self, cx: &mut Context<'_>, polled: Poll<tungstenite::Result<()>>) -> Poll<io::Result<()>> {
        if let Poll::Ready(written) = polled {
            self.stalled = None;
            return Poll::Ready(written.map_err(to_io));
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end takes no bytes any more")))
    }
}

fn to_io(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(e) => e,
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.unread.is_empty() {
                let take = self.unread.len().min(buf.remaining());
                buf.put_slice(&self.unread[..take]);
                self.unread.advance(take);
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(Ok(Message::Binary(data))) => self.unread = data,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "text frame in the tunnel")));
                }
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Err(tungstenite::Error::ConnectionClosed)) => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(to_io(error))),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if self.unsent.len() >= MAX_FRAME {
            ready!(self.as_mut().poll_flush(cx))?;
        }
        let take = data.len().min(MAX_FRAME - self.unsent.len());
        self.unsent.extend_from_slice(&data[..take]);
        Poll::Ready(Ok(take))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // All of what went before and not only the sink's readiness: TLS takes some bytes more while the link stands
        // still.
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        ready!(self.progress(cx, polled))?;
        if self.unsent.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let message = std::mem::take(&mut self.unsent).freeze();
        Pin::new(&mut self.inner).start_send(Message::Binary(message)).map_err(to_io)?;
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.progress(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        let polled = Pin::new(&mut self.inner).poll_close(cx);
        self.progress(cx, polled)
    }
}
