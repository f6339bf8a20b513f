//! Whatever an address looks like, wherever its name points and whereto it redirects: only what may be called is hit.

use super::{Lookup, Outbound, OutboundError, OutboundRequest};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use futures::future::BoxFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

type Answering = dyn Fn() -> (StatusCode, Vec<(&'static str, String)>, Body) + Send + Sync;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Hit {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Hit {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// An HTTP server on one of this machine's own addresses that keeps what comes and answers as it is told to.
pub struct Receiver {
    pub address: SocketAddr,
    hits: Arc<Mutex<Vec<Hit>>>,
    answering: Arc<Mutex<Arc<Answering>>>,
}

impl Receiver {
    pub async fn start(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let ok: Arc<Answering> = Arc::new(|| (StatusCode::OK, vec![], Body::from("thanks")));
        let receiver = Self { address, hits: Arc::default(), answering: Arc::new(Mutex::new(ok)) };
        let (hits, answering) = (receiver.hits.clone(), receiver.answering.clone());
        let routes = Router::new().fallback(move |request: Request<Body>| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let path = parts.uri.to_string();
            hits.lock().unwrap().push(Hit { method: parts.method, path, headers: parts.headers, body });
            let answer = answering.lock().unwrap().clone();
            let (status, headers, body) = answer();
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(body).unwrap()
        });
        tokio::spawn(async move { axum::serve(listener, routes).await });
        receiver
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }

    /// Answer everything with that from now on.
    pub fn answers(&self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let headers: Vec<(&'static str, String)> = headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        let (status, body) = (StatusCode::from_u16(status).unwrap(), body.to_owned());
        self.answers_with(move || (status, headers.clone(), Body::from(body.clone())));
    }

    pub fn answers_with(
        &self, answer: impl Fn() -> (StatusCode, Vec<(&'static str, String)>, Body) + Send + Sync + 'static,
    ) {
        *self.answering.lock().unwrap() = Arc::new(answer);
    }

    /// Begin an answer that never ends.
    pub fn drips(&self) {
        self.answers_with(|| {
            let drops = futures::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Ok::<_, io::Error>(Bytes::from_static(b".")), ()))
            });
            (StatusCode::OK, vec![], Body::from_stream(drops))
        });
    }
}

/// Answers each question with the next of these, the last one for ever.
struct Fickle(Mutex<Vec<Vec<SocketAddr>>>);

impl Fickle {
    fn of(answers: &[&[&str]]) -> Arc<Self> {
        let addresses = |texts: &&[&str]| texts.iter().map(|t| SocketAddr::new(t.parse().unwrap(), 0)).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(addresses).collect())))
    }
}

impl Lookup for Fickle {
    fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(answer) })
    }
}

/// May call 127.0.0.2 and nothing else of this machine.
fn outbound(lookup: Arc<dyn Lookup>) -> Outbound {
    outbound_within(Duration::from_secs(30), lookup)
}

fn outbound_within(patience: Duration, lookup: Arc<dyn Lookup>) -> Outbound {
    Outbound::with_lookup(&["127.0.0.2/32".parse().unwrap()], patience, lookup)
}

fn resolving_to(addresses: &[&str]) -> Outbound {
    outbound(Fickle::of(&[addresses]))
}

fn request(url: &str, redirects: usize) -> OutboundRequest {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer canary".parse().unwrap());
    OutboundRequest {
        method: Method::POST,
        url: url.parse().unwrap(),
        headers,
        body: Bytes::from_static(b"hello"),
        redirects,
        most: 16,
    }
}

#[tokio::test]
async fn numbers_in_any_form_are_seen_through() {
    let inside = Receiver::start("127.0.0.1").await;
    let port = inside.address.port();
    let outbound = resolving_to(&["127.0.0.1"]);
    let hosts = [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "①②⑦.⓪.⓪.①",
        "127%2e0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "169.254.169.254",
        "10.0.0.1",
        "localhost",
        "LOCALHOST.",
        "innocent.example",
    ];
    for host in hosts {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/");
            assert_eq!(outbound.send(request(&url, 3)).await.unwrap_err(), OutboundError::Refused, "{url}");
        }
    }
    assert!(inside.hits().is_empty());
}

#[tokio::test]
async fn a_name_counts_as_it_is_resolved_for_the_connection() {
    let (open, inside) = same_port().await;
    let url = format!("http://rebound.example:{}/", open.address.port());
    let outbound = outbound(Fickle::of(&[&["127.0.0.2"], &["127.0.0.1"], &["127.0.0.1", "127.0.0.2"], &[]]));
    let once = |headers: &[(&'static str, &str)]| open.answers(200, headers, "");
    once(&[("connection", "close")]);
    outbound.send(request(&url, 0)).await.unwrap();
    assert_eq!(outbound.send(request(&url, 0)).await.unwrap_err(), OutboundError::Refused);
    // Of several addresses only the open one is used.
    outbound.send(request(&url, 0)).await.unwrap();
    assert_eq!(outbound.send(request(&url, 0)).await.unwrap_err(), OutboundError::Unresolved);
    assert_eq!((open.hits().len(), inside.hits().len()), (2, 0));
}

/// One on 127.0.0.2, which may be called, and one on the same port of 127.0.0.1, which may not.
async fn same_port() -> (Receiver, Inside) {
    loop {
        let open = Receiver::start("127.0.0.2").await;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", open.address.port())).await {
            return (open, Inside::watch(listener));
        }
    }
}

/// Counts whoever connects at all.
struct Inside(Arc<Mutex<Vec<SocketAddr>>>);

impl Inside {
    fn watch(listener: TcpListener) -> Self {
        let hits = Arc::new(Mutex::new(Vec::new()));
        let seen = hits.clone();
        tokio::spawn(async move {
            while let Ok((_, peer)) = listener.accept().await {
                seen.lock().unwrap().push(peer);
            }
        });
        Self(hits)
    }

    fn hits(&self) -> Vec<SocketAddr> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn redirects_are_held_against_the_same_rule() {
    let (open, inside) = same_port().await;
    let port = open.address.port();
    let outbound = resolving_to(&["127.0.0.1"]);
    let inward = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("//[::ffff:127.0.0.1]:{port}/"),
        format!("http://innocent.example:{port}/"),
        format!("https://169.254.169.254:{port}/latest/meta-data"),
    ];
    for target in &inward {
        open.answers(307, &[("location", target)], "");
        let refused = outbound.send(request(&open.url("/"), 3)).await.unwrap_err();
        assert_eq!(refused, OutboundError::Refused, "{target}");
        // Who follows none is shown the redirect.
        assert_eq!(outbound.send(request(&open.url("/"), 0)).await.unwrap().status.as_u16(), 307);
    }
    open.answers(302, &[("location", "file:///etc/passwd")], "");
    assert!(matches!(outbound.send(request(&open.url("/"), 3)).await, Err(OutboundError::Url(_))));
    open.answers(302, &[("location", "/again")], "");
    assert_eq!(outbound.send(request(&open.url("/"), 3)).await.unwrap_err(), OutboundError::Redirects(3));
    assert!(inside.hits().is_empty());
    let hits = open.hits();
    assert_eq!((hits[0].method.clone(), &hits[0].body[..]), (Method::POST, &b"hello"[..]));
    let last = hits.last().unwrap();
    assert_eq!((last.method.clone(), last.body.len(), last.path.as_str()), (Method::GET, 0, "/again"));
}

#[tokio::test]
async fn credentials_stay_with_the_host_that_they_are_for() {
    let (first, second) = (Receiver::start("127.0.0.2").await, Receiver::start("127.0.0.2").await);
    first.answers(308, &[("location", &second.url("/next"))], "");
    resolving_to(&[]).send(request(&first.url("/"), 1)).await.unwrap();
    assert_eq!(first.hits()[0].header("authorization"), "Bearer canary");
    let next = &second.hits()[0];
    assert_eq!((next.header("authorization"), next.method.clone(), &next.body[..]), ("", Method::POST, &b"hello"[..]));
}

#[tokio::test]
async fn no_answer_takes_too_long_or_too_much() {
    let receiver = Receiver::start("127.0.0.2").await;
    let outbound = resolving_to(&[]);
    receiver.answers(200, &[], &"x".repeat(100_000));
    let reply = outbound.send(request(&receiver.url("/"), 0)).await.unwrap();
    assert_eq!((reply.body.len(), reply.is_whole), (16, false));
    receiver.answers(200, &[], &"x".repeat(16));
    let reply = outbound.send(request(&receiver.url("/"), 0)).await.unwrap();
    assert_eq!((reply.body.len(), reply.is_whole), (16, true));
    receiver.drips();
    let slow = OutboundRequest { most: 1_000_000, ..request(&receiver.url("/"), 0) };
    let impatient = outbound_within(Duration::from_secs(1), Fickle::of(&[&[]]));
    assert_eq!(impatient.send(slow).await.unwrap_err(), OutboundError::Timeout(1));
    let nobody = format!("http://127.0.0.2:{}/", free_port().await);
    assert!(matches!(outbound.send(request(&nobody, 0)).await, Err(OutboundError::Connect(_))));
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap().port()
}

#[test]
fn addresses_are_refused_where_they_are_given() {
    let outbound = resolving_to(&[]);
    let closed = Outbound::with_lookup(&[], Duration::from_secs(1), Fickle::of(&[&[]]));
    for good in ["https://example.com/hook?x=1", "https://example.com:8443", "http://127.0.0.2:9/x", "http://intra/x"] {
        assert!(outbound.url_read(good).is_ok(), "{good}");
    }
    for bad in ["http://example.com/", "http://127.0.0.2/", "https://127.0.0.1/", "https://10.1/", "https://[::1]/"] {
        assert!(closed.url_read(bad).is_err(), "{bad}");
    }
    let long = format!("https://example.com/{}", "x".repeat(2048));
    for bad in ["", "example.com", "ftp://example.com", "https://a:b@example.com", "https://example.com/#x", &long] {
        assert!(matches!(outbound.url_read(bad), Err(OutboundError::Url(_))), "{bad}");
    }
}
