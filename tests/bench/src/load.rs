//! Requests on connections that stay open: as many as go through, or so many a second.

use crate::stats::milliseconds;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;

/// Enough to keep two cores busy.
const CONNECTIONS: usize = 16;

/// Whom requests go to, on 127.0.0.1, and in whose name.
#[derive(Clone)]
pub struct Target {
    pub port: u16,
    pub token: Option<String>,
}

struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    authorization: Option<String>,
}

impl Connection {
    async fn open(target: &Target) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", target.port)).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        Self { sender, authorization: target.token.as_ref().map(|token| format!("Bearer {token}")) }
    }

    async fn get(&mut self, path: &str) {
        let mut request = Request::get(path).header(header::HOST, "127.0.0.1");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::new()).expect("a request");
        self.sender.ready().await.expect("the connection stays");
        let response = self.sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200, "{path}");
        response.into_body().collect().await.expect("a whole answer");
    }
}

/// Requests a second that were answered, for so long, with the path that `path` gives for the n-th one.
pub async fn saturate(target: &Target, time: Duration, path: impl Fn(usize) -> String + Send + Sync + 'static) -> f64 {
    let path = Arc::new(path);
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(target).await);
    }
    let began = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .enumerate()
        .map(|(first, mut connection)| {
            let path = path.clone();
            tokio::spawn(async move {
                let mut answered = 0;
                while began.elapsed() < time {
                    connection.get(&path(first + answered * CONNECTIONS)).await;
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let mut answered = 0;
    for task in tasks {
        answered += task.await.expect("all requests are answered");
    }
    answered as f64 / began.elapsed().as_secs_f64()
}

/// Milliseconds of requests that begin so often, whether or not the one before is answered, until `stop`.
pub async fn pace(target: &Target, path: &str, every: Duration, stop: Arc<AtomicBool>) -> Vec<f64> {
    let (sender, mut times) = tokio::sync::mpsc::unbounded_channel();
    let mut rested: Vec<Connection> = Vec::new();
    let (back, mut returned) = tokio::sync::mpsc::unbounded_channel();
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !stop.load(Ordering::Relaxed) {
        let due = ticks.tick().await.into_std();
        while let Ok(connection) = returned.try_recv() {
            rested.push(connection);
        }
        let mut connection = match rested.pop() {
            Some(connection) => connection,
            None => Connection::open(target).await,
        };
        let (path, sender, back) = (path.to_owned(), sender.clone(), back.clone());
        tokio::spawn(async move {
            connection.get(&path).await;
            // Both ends live as long as this function.
            let _ = sender.send(milliseconds(due.elapsed()));
            let _ = back.send(connection);
        });
    }
    drop(sender);
    let mut all = Vec::new();
    while let Some(time) = times.recv().await {
        all.push(time);
    }
    all
}
