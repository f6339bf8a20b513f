//! The controller's end of a WebSocket handshake, by hand: the tunnel wants the raw stream under small buffers.

use crate::error::{Error, Result};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use ocore_shared::protocol::{HEADER_PROTOCOL, PROTOCOL_VERSION};
use ocore_shared::tunnel::{WebSocketIo, websocket_config};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// The stream under a tunnel.
pub type TunnelIo = WebSocketIo<TokioIo<Upgraded>>;

/// Check the handshake; the answer must be sent before the stream can be taken.
pub fn websocket_accept(request: &mut Request) -> Result<(Response, OnUpgrade)> {
    let is_upgrade = request
        .headers()
        .get(header::UPGRADE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.eq_ignore_ascii_case("websocket"));
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).filter(|_| is_upgrade).ok_or_else(|| {
        Error::field("Upgrade", "websocket", "This is the agents' tunnel; it takes a WebSocket handshake.")
    })?;
    let accept = derive_accept_key(key.as_bytes());
    let accept = HeaderValue::from_str(&accept).map_err(Error::internal)?;
    let upgrade = hyper::upgrade::on(request);
    let response = (
        StatusCode::SWITCHING_PROTOCOLS,
        [
            (header::CONNECTION, HeaderValue::from_static("Upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, accept),
            (header::HeaderName::from_static(HEADER_PROTOCOL), HeaderValue::from_static(PROTOCOL_VERSION)),
        ],
        Body::empty(),
    );
    Ok((response.into_response(), upgrade))
}

/// The byte stream, once the answer has been sent.
pub async fn websocket_io(upgrade: OnUpgrade) -> Result<TunnelIo> {
    let upgraded = upgrade.await.map_err(Error::internal)?;
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(websocket_config())).await;
    Ok(WebSocketIo::new(socket))
}
