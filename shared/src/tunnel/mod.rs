//! The tunnel: HTTP/2 inside one outbound WebSocket, roles reversed.
//!
//! The agent dials; inside the WebSocket the *controller* is the HTTP/2 client and the *agent* the server. Both are
//! generic over a byte stream, so that they are tested over an in-memory pipe.
//!
//! The connection window is shared by all streams: the sum of unread streams' windows must stay below it, or one
//! stopped reader freezes the whole tunnel. Hence [`STREAM_WINDOW`] × [`MAX_STREAMS`] <= [`CONNECTION_WINDOW`].

mod client;
mod server;
#[cfg(test)]
mod tests;
mod websocket;

pub use client::{ResponseBody, TunnelClient, TunnelError, connect};
pub use server::serve;
pub use websocket::{WebSocketIo, websocket_config};

use std::time::Duration;

pub const STREAM_WINDOW: u32 = 256 * 1024;
pub const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
/// What bulk is cut into: with the protocol's default of 16 KiB its overhead shows.
pub const FRAME: u32 = 64 * 1024;
pub const MAX_STREAMS: u32 = 256;
/// Streams that short requests may always take, whatever long ones are open.
pub const RESERVED_STREAMS: u32 = 32;
/// Both ends ping an idle or silent tunnel this often …
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// … and give up that long after an unanswered ping: a half-open link is seen within 13 s.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(8);
/// As long for bytes that do not go out: then there is no way for a ping either.
pub const STALL: Duration = Duration::from_secs(KEEP_ALIVE_INTERVAL.as_secs() + KEEP_ALIVE_TIMEOUT.as_secs());

const _: () = assert!(STREAM_WINDOW as u64 * MAX_STREAMS as u64 <= CONNECTION_WINDOW as u64);
