//! A person with curl: plain HTTP to one controller, with an access token.

use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Requests go to 127.0.0.1 on this port.
#[derive(Clone, Debug)]
pub struct Client {
    pub port: u16,
    pub token: Option<String>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<String>,
    pub body: Value,
}

impl Answer {
    /// The body, when the status is the wanted one.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        let body = self.is(status);
        assert_eq!(body["error"]["code"], code, "{body}");
        body
    }
}

/// Text of a field that must be there.
#[track_caller]
pub fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("no {field} in {body}")).to_owned()
}

impl Client {
    async fn send(
        &self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>,
    ) -> Result<http::Response<Incoming>, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.map_err(|e| e.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, format!("127.0.0.1:{}", self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let bytes = body.map_or(Bytes::new(), |b| Bytes::from(b.to_string()));
        let request = request.body(Full::new(bytes)).map_err(|e| e.to_string())?;
        sender.send_request(request).await.map_err(|e| e.to_string())
    }

    /// One request; an error when nobody answers.
    pub async fn try_call(
        &self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>,
    ) -> Result<Answer, String> {
        let work = async {
            let response = self.send(method, path, headers, body).await?;
            let status = response.status();
            let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok());
            let retry_after = retry_after.map(str::to_owned);
            let bytes = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
            let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
            Ok(Answer { status, retry_after, body })
        };
        tokio::time::timeout(Duration::from_secs(90), work).await.map_err(|_| "no answer in 90 s".to_owned())?
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.try_call(Method::GET, path, &[], None).await.expect("an answer")
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.try_call(Method::POST, path, &[], Some(body)).await.expect("an answer")
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.try_call(Method::DELETE, path, &[], None).await.expect("an answer")
    }

    /// The job, once it has ended. The controller may be away meanwhile.
    pub async fn job_end(&self, job: &str, limit: Duration) -> Value {
        let path = format!("/api/jobs/{job}?wait=30");
        crate::wait_for(&format!("the end of job {job}"), limit, || async {
            let answer = self.try_call(Method::GET, &path, &[], None).await.ok()?;
            let ended = matches!(answer.body["status"].as_str(), Some("succeeded" | "failed" | "cancelled"));
            (answer.status == StatusCode::OK && ended).then_some(answer.body)
        })
        .await
    }

    /// Read an answer to its end; how many bytes it had.
    pub async fn download(&self, path: &str) -> usize {
        let response = self.send(Method::GET, path, &[], None).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = response.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame.expect("a whole answer").into_data().map_or(0, |data| data.len());
        }
        bytes
    }

    /// Open a stream of server-sent events.
    pub async fn events_open(&self, path: &str) -> Events {
        let response = self.send(Method::GET, path, &[("accept", "text/event-stream")], None).await.expect("a stream");
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            let said = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            panic!("{path}: {}: {}", head.status, String::from_utf8_lossy(&said));
        }
        Events { body, buffer: String::new() }
    }

    /// Read a stream of server-sent events, as `(event, id, data)`, until `enough` or the end.
    pub async fn events(
        &self, path: &str, limit: Duration, mut enough: impl FnMut(&str, &str, &Value) -> bool,
    ) -> bool {
        let mut events = self.events_open(path).await;
        let work = async {
            while let Some((event, id, data)) = events.next().await {
                if enough(&event, &id, &data) {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(limit, work).await.unwrap_or(false)
    }

    /// A WebSocket, with the token in its header.
    pub async fn websocket(&self, path: &str) -> Terminal {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection");
        let mut request = format!("ws://127.0.0.1:{}{path}", self.port).into_client_request().expect("a request");
        if let Some(token) = &self.token {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().expect("a header"));
        }
        let (socket, _) = client_async(request, stream).await.unwrap_or_else(|e| panic!("{path}: {e}"));
        Terminal {
            socket,
            seen: String::new(),
            id: None,
            survives_agent: false,
            received: 0,
            exit_code: None,
            refused: None,
        }
    }

    /// Attach to a terminal again, from where it was seen last, as soon as that is possible.
    pub async fn attach_again(&self, path: &str, terminal: &Terminal, limit: Duration) -> Terminal {
        let id = terminal.id.as_deref().expect("it was open");
        let path = format!("{path}?terminal_id={id}&after={}", terminal.received);
        crate::wait_for("a terminal that goes on", limit, || async {
            let mut again = self.websocket(&path).await;
            again.received = terminal.received;
            while again.id.is_none() && again.read().await {}
            again.id.is_some().then_some(again)
        })
        .await
    }
}

/// An open stream of server-sent events. Nothing is read unless asked for.
pub struct Events {
    body: Incoming,
    buffer: String,
}

impl Events {
    /// The next event, as `(event, id, data)`.
    pub async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                let field = |name: &str| {
                    let line = block.lines().find_map(|l| l.strip_prefix(name));
                    line.map(|v| v.trim_start_matches(": ").trim_start()).unwrap_or_default().to_owned()
                };
                let data = serde_json::from_str(&field("data")).unwrap_or_default();
                return Some((field("event"), field("id"), data));
            }
            let frame = self.body.frame().await?.ok()?;
            self.buffer.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
        }
    }
}

/// A terminal in a browser: what was typed, what was seen.
pub struct Terminal {
    socket: WebSocketStream<TcpStream>,
    pub seen: String,
    pub id: Option<String>,
    pub survives_agent: bool,
    /// Offset of the next byte, for attaching again.
    pub received: u64,
    /// Set when its process has ended.
    pub exit_code: Option<i64>,
    refused: Option<Value>,
}

impl Terminal {
    pub async fn type_text(&mut self, text: &str) {
        self.socket.send_binary(text).await;
    }

    /// Read until `text` was seen.
    pub async fn expect(&mut self, text: &str, limit: Duration) {
        let work = async {
            while !self.seen.contains(text) {
                assert!(self.read().await, "the terminal ended; seen: {:?}", self.seen);
                assert_eq!(self.refused, None, "the terminal was refused");
            }
        };
        if tokio::time::timeout(limit, work).await.is_err() {
            panic!("{text:?} was not seen within {limit:?}, but {:?}", self.seen);
        }
    }

    /// Read until the connection ends.
    pub async fn end(&mut self, limit: Duration) {
        let work = async { while self.read().await {} };
        if tokio::time::timeout(limit, work).await.is_err() {
            panic!("the terminal did not end within {limit:?}; seen: {:?}", self.seen);
        }
    }

    /// Take one message. False: the connection has ended.
    async fn read(&mut self) -> bool {
        match self.socket.next().await {
            Some(Ok(Message::Binary(data))) => {
                self.received += data.len() as u64;
                self.seen.push_str(&String::from_utf8_lossy(&data));
            }
            Some(Ok(Message::Text(text))) => {
                let said: Value = serde_json::from_str(&text).unwrap_or_default();
                match said["type"].as_str() {
                    Some("open") => {
                        self.id = said["terminal_id"].as_str().map(str::to_owned);
                        self.survives_agent = said["survives_agent"] == true;
                    }
                    Some("offset") => self.received = said["offset"].as_u64().unwrap_or(self.received),
                    Some("exit") => self.exit_code = said["code"].as_i64(),
                    Some("error") => self.refused = Some(said),
                    _ => {}
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return false,
        }
        true
    }
}

trait SendBinary {
    async fn send_binary(&mut self, text: &str);
}

impl SendBinary for WebSocketStream<TcpStream> {
    async fn send_binary(&mut self, text: &str) {
        use futures::SinkExt;
        self.send(Message::Binary(Bytes::copy_from_slice(text.as_bytes()))).await.expect("the terminal takes input");
    }
}
