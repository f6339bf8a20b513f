//! Whether a proxy that somebody runs himself leads a name to its instance. It is asked as a browser asks, and the
//! instance's own log says who was reached.

use super::certificates::{connect_to, described, names};
use crate::engine::OpError;
use crate::host::Host;
use crate::host::docker::lines::LinesOptions;
use crate::ops::odoo::record::Record;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use ocore_shared::odoo::series::{Realtime, Series};
use ocore_shared::odoo::settings::LogLevel;
use ocore_shared::protocol::proxy::{CertificateInfo, NameCheck, NameQuery};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use uuid::Uuid;

/// For a connection to one address.
const CONNECT: Duration = Duration::from_secs(2);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(6);
/// Until what was asked stands in the log.
const WRITTEN: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A poll that is held so long was not refused.
const HELD: Duration = Duration::from_secs(2);
const MAX_BODY: usize = 64 * 1024;
const POLL: &str = r#"{"jsonrpc":"2.0","method":"call","params":{"channels":[],"last":0}}"#;

/// An answer, as far as it is looked at.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// One name and where its proxy answers.
struct Name<'a> {
    host: &'a str,
    port: u16,
    address: SocketAddr,
}

/// Ask for Odoo's sign-in page and its live bus under a name.
pub async fn name_check(host: &Host, query: &NameQuery) -> Result<NameCheck, OpError> {
    let record = host.records.get(query.instance_id)?;
    let mut check = NameCheck::default();
    check.problem = ask(host, &record, query, &mut check.certificate).await.err();
    Ok(check)
}

async fn ask(
    host: &Host, record: &Record, query: &NameQuery, certificate: &mut Option<CertificateInfo>,
) -> Result<(), String> {
    let name = reached(query).await?;
    let shown = {
        let stream = name.open().await?;
        let (_, connection) = stream.get_ref();
        let der = connection.peer_certificates().and_then(<[_]>::first).ok_or("No certificate is shown.")?;
        *certificate = described(name.host, der);
        names(der)
    };
    if !shown.iter().any(|shown| covers(shown, name.host)) {
        let shown = shown.join(", ");
        return Err(format!("The certificate that is shown is for {shown}, not for {}.", name.host));
    }
    if let Some(ended) = certificate.as_ref().filter(|c| c.not_after <= host.clock.now()) {
        return Err(format!("The certificate that is shown has ended on {}.", ended.not_after.format("%Y-%m-%d")));
    }
    let mark = format!("ocore-check-{}", Uuid::now_v7().simple());
    let before = host.clock.now();
    let answer = name.exchange("GET", &format!("/web/login?{mark}"), None, &[]).await?;
    let status = answer.status;
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN || leads_on(&answer, name.host) {
        // Somebody is not let in there, or sent to another name: what is behind is not seen from here.
        return Ok(());
    }
    if status != StatusCode::OK {
        return Err(format!("Under {} the answer is {status} instead of Odoo's sign-in page.", name.host));
    }
    if says_requests(record) && !is_written(host, record, &mark, before).await? {
        return Err(format!(
            "Somebody answers under {}, but not this instance: have your proxy lead to its port {}.",
            name.host, record.http_port
        ));
    }
    live_bus(&name, record).await
}

/// The name's address, or else this machine's own, where somebody listens.
async fn reached(query: &NameQuery) -> Result<Name<'_>, String> {
    let (host, port) = (query.host.as_str(), query.port);
    for address in query.address.into_iter().chain([Ipv4Addr::LOCALHOST.into()]) {
        let address = SocketAddr::new(address, port);
        if let Ok(Ok(_)) = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            return Ok(Name { host, port, address });
        }
    }
    Err(format!("Nobody answers under {host} on port {port}, nor on that port of this server."))
}

impl Name<'_> {
    async fn open(&self) -> Result<TlsStream<TcpStream>, String> {
        let opened = tokio::time::timeout(PATIENCE, connect_to(self.address, self.host)).await;
        let why = match opened {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(why)) => why,
            Err(_) => "no answer in time".into(),
        };
        Err(format!("Under {} there is no HTTPS on port {}: {why}.", self.host, self.port))
    }

    /// One request on a connection of its own.
    async fn exchange(
        &self, method: &str, path: &str, json: Option<&str>, headers: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let asked = tokio::time::timeout(PATIENCE, self.talk(method, path, json, headers));
        let answer = asked.await.unwrap_or_else(|_| Err("no answer in time".into()));
        answer.map_err(|why| {
            format!("https://{}{} gives no answer: {why}.", self.host, path.split('?').next().unwrap_or(path))
        })
    }

    async fn talk(
        &self, method: &str, path: &str, json: Option<&str>, headers: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let stream = self.open().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        let authority = if self.port == 443 { self.host.to_owned() } else { format!("{}:{}", self.host, self.port) };
        let talk = async {
            let mut request = Request::builder().method(method).uri(path).header(header::HOST, authority);
            request = request.header(header::USER_AGENT, "ocore-agent");
            if json.is_some() {
                request = request.header(header::CONTENT_TYPE, "application/json");
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let body = Full::new(Bytes::from(json.unwrap_or_default().to_owned()));
            let response = sender.send_request(request.body(body).map_err(|e| e.to_string())?).await;
            let (head, body) = response.map_err(|e| e.to_string())?.into_parts();
            // What follows an upgrade is no body, and a page may be longer than what is looked at.
            let body = match head.status {
                StatusCode::SWITCHING_PROTOCOLS => Bytes::new(),
                _ => Limited::new(body, MAX_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default(),
            };
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let mut talk = std::pin::pin!(talk);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            answer = &mut talk => answer,
            // The connection may end with the answer's last byte.
            _ = &mut connection => talk.await,
        }
    }
}

/// Whether people are sent on to another name.
fn leads_on(answer: &Answer, host: &str) -> bool {
    let location = answer.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    let target = location.and_then(|location| location.strip_prefix("https://"));
    let other = target.and_then(|target| target.split(['/', ':', '?']).next());
    answer.status.is_redirection() && other.is_some_and(|other| other != host)
}

/// Whether a certificate's name is that one, or has a star for its first label.
fn covers(shown: &str, host: &str) -> bool {
    let shown = shown.to_ascii_lowercase();
    let below = |parent: &str| host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent);
    shown == host || shown.strip_prefix("*.").is_some_and(below)
}

/// Whether Odoo writes each request down.
fn says_requests(record: &Record) -> bool {
    use LogLevel::{Critical, Error, Warn};
    let settings = &record.spec.settings;
    !matches!(settings.log_level, Critical | Error | Warn) && settings.log_handler.is_empty()
}

/// Whether the instance has written down that it was asked this.
async fn is_written(host: &Host, record: &Record, mark: &str, since: DateTime<Utc>) -> Result<bool, String> {
    let look = async {
        loop {
            let options = LinesOptions { since: Some(since.timestamp()), ..LinesOptions::default() };
            let mut lines = host.docker.lines(&record.odoo_container(), options).await.map_err(|e| e.message)?;
            while let Some(Ok(line)) = lines.next().await {
                if line.text.contains(mark) {
                    return Ok(true);
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(WRITTEN, look).await.unwrap_or(Ok(false))
}

/// Chat and notifications come through: the handshake of the websocket, or a poll that is held.
async fn live_bus(name: &Name<'_>, record: &Record) -> Result<(), String> {
    let Some(series) = Series::of(&record.spec.odoo_version) else { return Ok(()) };
    let broken = |what: String| {
        let to = record.published_realtime_port().unwrap_or(record.http_port);
        Err(format!("The live bus (chat, notifications) does not come through: {what} Lead it to port {to}."))
    };
    match series.realtime {
        Realtime::Websocket => {
            let origin = match name.port {
                443 => format!("https://{}", name.host),
                port => format!("https://{}:{port}", name.host),
            };
            let headers = [
                ("connection", "Upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "b0NvcmUgY2hlY2tzIGl0Lg=="),
                ("origin", origin.as_str()),
            ];
            match name.exchange("GET", "/websocket", None, &headers).await {
                Ok(answer) if answer.status == StatusCode::SWITCHING_PROTOCOLS => Ok(()),
                Ok(answer) => broken(format!("/websocket answers {}.", answer.status)),
                Err(why) => broken(why),
            }
        }
        Realtime::LongPolling => {
            let poll = name.exchange("POST", "/longpolling/poll", Some(POLL), &[]);
            match tokio::time::timeout(HELD, poll).await {
                Err(_) => Ok(()),
                Ok(Ok(answer)) if answer.status == StatusCode::OK && !contains(&answer.body, "\"error\"") => Ok(()),
                // The module with the live bus need not be installed.
                Ok(Ok(answer)) if answer.status == StatusCode::NOT_FOUND => Ok(()),
                Ok(Ok(answer)) => broken(format!("/longpolling/poll answers {} at once.", answer.status)),
                Ok(Err(why)) => broken(why),
            }
        }
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(covers("shop.example.com", "shop.example.com") && covers("*.Example.com", "shop.example.com"));
        for shown in ["example.com", "*.shop.example.com", "*.com", "other.example.com"] {
            assert!(!covers(shown, "shop.example.com"), "{shown}");
        }
    }

    #[test]
    fn another_name_is_another_place() {
        let answer = |status: u16, to: &str| Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::from_iter([(header::LOCATION, to.parse().unwrap())]),
            body: Bytes::new(),
        };
        assert!(leads_on(&answer(308, "https://www.example.com/web/login?x"), "example.com"));
        assert!(!leads_on(&answer(303, "/web/login"), "example.com"));
        assert!(!leads_on(&answer(308, "https://example.com/x"), "example.com"));
        assert!(!leads_on(&answer(200, "https://www.example.com/"), "example.com"));
    }
}
