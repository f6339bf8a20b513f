//! The tunnel over an in-memory pipe: the freeze, silence, cuts.

use super::*;
use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

async fn websocket(io: DuplexStream, role: Role) -> WebSocketIo<DuplexStream> {
    WebSocketIo::new(WebSocketStream::from_raw_socket(io, role, Some(websocket_config())).await)
}

/// `/echo` answers the body, `/flood` never stops sending, `/swallow` never reads its body.
async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    let body = match request.uri().path() {
        "/echo" => {
            let bytes = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
            Full::new(bytes).boxed_unsync()
        }
        "/flood" => {
            let chunk = Bytes::from(vec![7u8; 16 * 1024]);
            StreamBody::new(futures::stream::repeat(chunk).map(|c| Ok(Frame::data(c)))).boxed_unsync()
        }
        _ => {
            let body = request.into_body();
            let never = async move {
                let _held = body;
                futures::future::pending::<Result<Frame<Bytes>, Infallible>>().await
            };
            StreamBody::new(futures::stream::once(never)).boxed_unsync()
        }
    };
    Ok(Response::new(body))
}

async fn pair() -> TunnelClient {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let agent = websocket(far, Role::Client).await;
    tokio::spawn(serve(agent, service_fn(answer), CancellationToken::new()));
    let (client, connection) = connect(websocket(near, Role::Server).await).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn keystroke(client: &TunnelClient) -> Duration {
    let started = tokio::time::Instant::now();
    let (_, echoed): (_, String) =
        client.call(Method::POST, "/echo", "x", Duration::from_secs(5)).await.expect("a keystroke goes through");
    assert_eq!(echoed, "x");
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_transfers_freeze_nobody() {
    let client = pair().await;
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(client.get_stream("/flood").await.unwrap());
        let endless = futures::stream::repeat(Bytes::from(vec![1u8; 16 * 1024])).map(Ok);
        held.push(client.stream(Method::POST, "/swallow", endless).await.unwrap());
    }
    // Every window is full when no keystroke gets any slower: ask until the flood has had time to fill them.
    for _ in 0..50 {
        keystroke(&client).await;
    }
    assert_eq!(held.len(), 64);
}

/// Two ends, and what stops the way from the controller and that to it without closing anything, which is what a dead
/// NAT entry looks like.
async fn link() -> (WebSocketIo<DuplexStream>, WebSocketIo<DuplexStream>, [CancellationToken; 2]) {
    let (near, near_wire) = tokio::io::duplex(64 * 1024);
    let (far, far_wire) = tokio::io::duplex(64 * 1024);
    let stalls = [(); 2].map(|()| CancellationToken::new());
    let (from_near, to_near) = tokio::io::split(near_wire);
    let (from_far, to_far) = tokio::io::split(far_wire);
    for ((mut from, mut to), stall) in [(from_near, to_far), (from_far, to_near)].into_iter().zip(stalls.clone()) {
        tokio::spawn(async move {
            let _ = stall.run_until_cancelled(tokio::io::copy(&mut from, &mut to)).await;
            let _held = (from, to);
            futures::future::pending::<()>().await;
        });
    }
    (websocket(near, Role::Server).await, websocket(far, Role::Client).await, stalls)
}

#[tokio::test(start_paused = true)]
async fn a_half_open_link_is_noticed_at_both_ends_within_15_seconds() {
    for full in [false, true] {
        let (near, far, [from_controller, to_controller]) = link().await;
        let agent = tokio::spawn(serve(far, service_fn(answer), CancellationToken::new()));
        let (client, connection) = connect(near).await.unwrap();
        let controller = tokio::spawn(connection);
        keystroke(&client).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        keystroke(&client).await;

        to_controller.cancel();
        let started = tokio::time::Instant::now();
        if full {
            // The agent still hears that it shall say more than the wire takes.
            let client = client.clone();
            tokio::spawn(async move { client.get_stream("/flood").await.map(drop) });
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        from_controller.cancel();
        controller.await.unwrap().expect_err("the controller's end gives up");
        agent.await.unwrap().expect_err("the agent's end gives up");
        assert!(started.elapsed() <= Duration::from_secs(15), "{full}: {:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_link_is_cut_only_when_it_stands_still() {
    let (near, mut wire) = tokio::io::duplex(1024);
    let mut near = websocket(near, Role::Server).await;
    let write = tokio::spawn(async move {
        loop {
            near.write_all(&[7; 1024]).await?;
            near.flush().await?;
        }
    });
    // Each write goes out just in time, for longer than any single one may take.
    let mut bytes = [0; 1024];
    for _ in 0..10 {
        tokio::time::sleep(STALL - Duration::from_secs(1)).await;
        wire.read_exact(&mut bytes).await.unwrap();
    }
    assert!(!write.is_finished(), "it moves");
    let stopped = tokio::time::Instant::now();
    let ended: std::io::Result<()> = write.await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert!(stopped.elapsed() <= STALL, "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn a_cut_link_is_an_error_and_not_a_hang() {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let agent = websocket(far, Role::Client).await;
    let stop = tokio::spawn(serve(agent, service_fn(answer), CancellationToken::new()));
    let (client, connection) = connect(websocket(near, Role::Server).await).await.unwrap();
    tokio::spawn(connection);
    keystroke(&client).await;
    stop.abort();
    let lost = client.call::<_, String>(Method::POST, "/echo", "x", Duration::from_secs(5)).await;
    assert!(matches!(lost, Err(TunnelError::Lost(_))), "{lost:?}");
    assert!(client.is_closed());
}

#[tokio::test]
async fn more_long_streams_than_places_are_refused_and_short_ones_still_go() {
    let client = pair().await;
    let mut held = Vec::new();
    let refused = loop {
        match client.get_stream("/swallow").await {
            Ok(response) => held.push(response),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, TunnelError::Busy));
    assert_eq!(held.len(), (MAX_STREAMS - RESERVED_STREAMS) as usize);
    keystroke(&client).await;
    drop(held);
    client.get_stream("/flood").await.expect("places are given back");
}
