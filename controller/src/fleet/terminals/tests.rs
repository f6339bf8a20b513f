//! How terminals end.

use super::bridge;
use super::service::watch_access;
use crate::identity::authentication::tests::{first_admins_request, run};
use crate::platform::http::Ctx;
use crate::testing::{TestApp, agent, tunnel_of};
use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::{any, delete, post};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use ocore_shared::ids::{OrganizationId, ServerId, TerminalId};
use ocore_shared::protocol::terminals::Frame;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Ada at a terminal, and an agent that tells which terminals it was asked to end.
async fn at_a_terminal(test: &TestApp) -> (Ctx, ServerId, mpsc::UnboundedReceiver<String>) {
    let ctx = first_admins_request(&test.app).await;
    let (ended, seen) = mpsc::unbounded_channel();
    let routes = Router::new().route(
        "/terminals/{id}",
        delete(|axum::extract::Path(id): axum::extract::Path<String>| async move {
            ended.send(id).unwrap();
            axum::http::StatusCode::NO_CONTENT
        }),
    );
    let server = ServerId::new();
    agent(&test.app, ctx.organization, server, 1, routes).await;
    (ctx, server, seen)
}

#[tokio::test]
async fn a_shell_ends_with_the_permission_for_it() {
    let test = TestApp::start().await;
    let (ctx, server, mut ended) = at_a_terminal(&test).await;
    let (shown, left, closed) = (TerminalId::new(), TerminalId::new(), TerminalId::new());
    let stop = watch_access(&ctx, &test.app, server, shown);
    // A page that its person closes leaves the shell as it is.
    watch_access(&ctx, &test.app, server, left).cancel();
    let closing = watch_access(&ctx, &test.app, server, closed);
    tokio::time::timeout(Duration::from_secs(4), stop.cancelled()).await.unwrap_err();
    assert!(ended.try_recv().is_err());

    run(&test.app, "update sessions set revoked_at = now()").await;
    // Logging out closes the page before anybody has asked.
    closing.cancel();
    let all = async { [ended.recv().await.unwrap(), ended.recv().await.unwrap()] };
    let all = tokio::time::timeout(Duration::from_secs(5), all).await.expect("both are ended");
    assert_eq!(all, [closed.to_string(), shown.to_string()]);
    assert!(stop.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_reads_nothing_does_not_keep_a_terminal() {
    let flood = || async {
        let frame = Frame::Data(vec![b'x'; 16 * 1024].into()).encode();
        Body::from_stream(futures::stream::repeat_with(move || Ok::<_, std::io::Error>(frame.clone())))
    };
    let routes = Router::new().route("/terminals/{id}/attach", post(flood));
    let tunnel = tunnel_of(OrganizationId::new(), ServerId::new(), 1, routes).await;
    let stop = CancellationToken::new();
    let (ended, mut over) = mpsc::channel(1);
    let (stop_, ended_) = (stop.clone(), ended.clone());
    let handshake = any(move |upgrade: WebSocketUpgrade| async move {
        upgrade.on_upgrade(move |socket| async move {
            bridge::join(socket, tunnel, TerminalId::new(), 0, false, stop_).await;
            let _ = ended_.send(()).await;
        })
    });
    let (near, mut browser) = tokio::io::duplex(1024);
    let service = TowerToHyperService::new(Router::new().route("/", handshake));
    let builder = hyper::server::conn::http1::Builder::new();
    tokio::spawn(builder.serve_connection(TokioIo::new(near), service).with_upgrades());
    let asked = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    browser.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    browser.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");

    // Long enough for its output to stand still.
    tokio::time::timeout(Duration::from_secs(60), over.recv()).await.unwrap_err();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(60), over.recv()).await.expect("it ends").unwrap();
}
