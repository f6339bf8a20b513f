//! The port of people and programs: plain HTTP from loopback, HTTPS from everywhere, told apart by the first byte.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

const HANDSHAKE: u8 = 0x16;
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
/// What a connection may hold of an answer that nobody reads, and of a request's head.
const CONNECTION_BUFFER: usize = 64 * 1024;
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// The other end of a request's connection, in its extensions.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    pub tls: bool,
    /// It came by the socket that only a proxy on this machine may use: what that says of who asks is believed.
    pub is_proxy: bool,
    /// DER of the client certificate that the TLS layer has verified.
    pub certificate: Option<Arc<[u8]>>,
}

impl Peer {
    /// Somebody on this very machine, and not the proxy that stands for everybody.
    pub fn is_here(&self) -> bool {
        !self.is_proxy && self.address.ip().to_canonical().is_loopback()
    }
}

/// How a port answers.
pub struct Port {
    pub listener: TcpListener,
    pub tls: Arc<ServerConfig>,
    /// Who may speak without TLS.
    pub plain: Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    Nobody,
    Loopback,
    Everybody,
}

/// Serve until `stop`; then open requests get `drain` to finish.
pub async fn serve(port: Port, router: Router, stop: CancellationToken, drain: Duration) {
    let tracker = TaskTracker::new();
    let acceptor = TlsAcceptor::from(port.tls);
    loop {
        let accepted = tokio::select! {
            accepted = port.listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: the next connections wait until some are given back.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, acceptor, stop, plain) = (router.clone(), acceptor.clone(), stop.clone(), port.plain);
        tracker.spawn(async move {
            if let Err(error) = connection(stream, address, router, acceptor, plain, stop).await {
                tracing::debug!(%address, %error, "connection ended");
            }
        });
    }
    tracker.close();
    if tokio::time::timeout(drain, tracker.wait()).await.is_err() {
        tracing::info!(open = tracker.len(), "some connections did not end in time");
    }
}

/// Serve what comes by a socket of this machine from root, or from whoever runs this: a proxy that ends TLS.
pub async fn socket_serve(listener: UnixListener, router: Router, stop: CancellationToken, drain: Duration) {
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let Ok((stream, _)) = accepted.inspect_err(|error| tracing::warn!(%error, "cannot accept a connection")) else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let user = stream.peer_cred().map(|peer| peer.uid());
        if !user.is_ok_and(|user| user == 0 || user == nix::unistd::geteuid().as_raw()) {
            tracing::warn!("somebody who is not the proxy has tried the proxy's socket");
            continue;
        }
        let (router, stop) = (router.clone(), stop.clone());
        tracker.spawn(async move {
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            let peer = Peer { address, tls: false, is_proxy: true, certificate: None };
            if let Err(error) = http(stream, peer, router, stop).await {
                tracing::debug!(%error, "connection of the proxy ended");
            }
        });
    }
    tracker.close();
    if tokio::time::timeout(drain, tracker.wait()).await.is_err() {
        tracing::info!(open = tracker.len(), "some connections of the proxy did not end in time");
    }
}

async fn connection(
    mut stream: TcpStream, address: SocketAddr, router: Router, acceptor: TlsAcceptor, plain: Plain,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0u8; 1];
    if tokio::time::timeout(FIRST_BYTE_TIMEOUT, stream.peek(&mut first)).await?? == 0 {
        return Ok(());
    }
    if first[0] == HANDSHAKE {
        let stream = tokio::time::timeout(FIRST_BYTE_TIMEOUT, acceptor.accept(stream)).await??;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|c| c.first()).map(|c| Arc::from(c.as_ref()));
        return http(stream, Peer { address, tls: true, is_proxy: false, certificate }, router, stop).await;
    }
    let allowed = match plain {
        Plain::Everybody => true,
        Plain::Loopback => address.ip().to_canonical().is_loopback(),
        Plain::Nobody => false,
    };
    if !allowed {
        let text = "This port speaks HTTPS; use https:// in the address.\n";
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        return Ok(stream.shutdown().await?);
    }
    http(stream, Peer { address, tls: false, is_proxy: false, certificate: None }, router, stop).await
}

async fn http<S>(stream: S, peer: Peer, router: Router, stop: CancellationToken) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let begun = CancellationToken::new();
    let first = begun.clone();
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        first.cancel();
        request.extensions_mut().insert(peer.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(CONNECTION_BUFFER);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // Which version it speaks is waited for without an end otherwise.
    let silent = async {
        if tokio::time::timeout(HEADER_TIMEOUT, begun.cancelled()).await.is_ok() {
            std::future::pending().await
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = silent => return Ok(()),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(|error| anyhow::anyhow!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn peer() -> Peer {
        Peer { address: ([127, 0, 0, 1], 9).into(), tls: false, is_proxy: false, certificate: None }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_nothing_is_hung_up_on() {
        let (near, _far) = tokio::io::duplex(1024);
        let serving = http(near, peer(), Router::new(), CancellationToken::new());
        tokio::time::timeout(HEADER_TIMEOUT * 2, serving).await.expect("it ends").expect("without an error");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_answer_is_not_cut_off() {
        let router = Router::new().fallback(|| async {
            tokio::time::sleep(HEADER_TIMEOUT * 4).await;
            "late"
        });
        let (near, mut far) = tokio::io::duplex(1024);
        let serving = tokio::spawn(http(near, peer(), router, CancellationToken::new()));
        far.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("asked");
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.ends_with("late"), "{answer}");
        serving.await.expect("it ends").expect("without an error");
    }
}
