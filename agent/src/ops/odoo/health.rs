//! Whether Odoo answers, asked the way its series wants to be asked. A running container is not health.

use super::record::Record;
use crate::engine::{JobContext, OpError};
use crate::host::{Host, http};
use ocore_shared::odoo::series::Series;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The first request builds the assets.
const GRACE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(500);
/// For one question that is not HTTP.
const PATIENCE: Duration = Duration::from_secs(5);
/// The port of the live bus, inside the container.
const REALTIME: u16 = 8072;
const RPC: &str = r#"{"jsonrpc":"2.0","method":"call","params":{}}"#;

/// Where the agent reaches it.
fn address(record: &Record) -> SocketAddr {
    let ip = match record.spec.bind_address.parse::<IpAddr>() {
        _ if record.spec.has_proxy => Ipv4Addr::LOCALHOST.into(),
        Ok(IpAddr::V6(ip)) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        Ok(ip) if !ip.is_unspecified() => ip,
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, record.http_port)
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Ok,
    /// What was wrong.
    Failed(String),
    Unknown,
    /// It is not asked, for that reason.
    NotApplicable(&'static str),
}

impl From<Result<(), String>> for Answer {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Ok)
    }
}

/// Ask once whether all is well. The text says what was wrong.
pub async fn check(record: &Record) -> Result<(), String> {
    check_at(record, address(record)).await
}

async fn check_at(record: &Record, address: SocketAddr) -> Result<(), String> {
    match probe_at(record, address).await {
        (Answer::Failed(problem), _) | (_, Some(Answer::Failed(problem))) => Err(problem),
        _ => Ok(()),
    }
}

/// Ask Odoo once: whether it answers, and what it says of its database, where its build can say.
pub async fn probe(record: &Record) -> (Answer, Option<Answer>) {
    probe_at(record, address(record)).await
}

async fn probe_at(record: &Record, address: SocketAddr) -> (Answer, Option<Answer>) {
    if Series::of(&record.spec.odoo_version).is_some_and(|series| !series.has_health) {
        return match http::request(address, "/web/webclient/version_info", Some(RPC)).await {
            Ok((200, body)) if contains(&body, "server_version") => (Answer::Ok, None),
            Ok((status, _)) => (Answer::Failed(format!("/web/webclient/version_info answers {status}.")), None),
            Err(problem) => (Answer::Failed(format!("Odoo's port gives no answer: {problem}.")), None),
        };
    }
    match http::request(address, "/web/health?db_server_status=1", None).await {
        Ok((status, body)) => read_health(status, &body),
        Err(problem) => (Answer::Failed(format!("Odoo's port gives no answer: {problem}.")), None),
    }
}

/// Builds that do not know the question about the database ignore it. Those that do answer 500 when it is away, although
/// Odoo itself is well.
fn read_health(status: u16, body: &[u8]) -> (Answer, Option<Answer>) {
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match said.get("db_server_status") {
        Some(serde_json::Value::Bool(true)) => (Answer::Ok, Some(Answer::Ok)),
        Some(_) => (Answer::Ok, Some(Answer::Failed("Odoo cannot reach its database.".into()))),
        None if status == 200 && said["status"] == "pass" => (Answer::Ok, None),
        None => (Answer::Failed(format!("/web/health answers {status}.")), None),
    }
}

/// Ask PostgreSQL whether it takes connections, as `pg_isready` does: the beginning of a connection, without a password.
pub async fn database(address: Option<IpAddr>) -> Answer {
    let Some(ip) = address else { return Answer::Failed("PostgreSQL's container does not run.".into()) };
    let asked = tokio::time::timeout(PATIENCE, greet(SocketAddr::new(ip, 5432))).await;
    asked.unwrap_or_else(|_| Err("PostgreSQL gives no answer in time.".into())).into()
}

async fn greet(address: SocketAddr) -> Result<(), String> {
    const BODY: &[u8] = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    let failed = |e: std::io::Error| format!("PostgreSQL does not answer: {e}.");
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    let length = u32::try_from(BODY.len() + 4).unwrap_or_default();
    stream.write_all(&[&length.to_be_bytes()[..], BODY].concat()).await.map_err(failed)?;
    let mut answer = vec![0; 512];
    let count = stream.read(&mut answer).await.map_err(failed)?;
    match answer.first().filter(|_| count > 0) {
        Some(b'R') => Ok(()),
        // It starts, ends or has no room; any other refusal comes from a server that takes connections.
        Some(b'E') if ["57P03", "53300"].iter().any(|code| contains(&answer[..count], code)) => {
            Err("PostgreSQL takes no connections now: it is starting, stopping or full.".into())
        }
        Some(b'E') => Ok(()),
        _ => Err("PostgreSQL ended the connection.".into()),
    }
}

/// Ask the process of the live bus.
pub async fn realtime(record: &Record, address: Option<IpAddr>) -> Answer {
    let Some(ip) = address else { return Answer::Unknown };
    let address = SocketAddr::new(ip, REALTIME);
    if Series::of(&record.spec.odoo_version).is_some_and(|series| !series.has_health) {
        let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
        return match connected {
            Ok(Ok(_)) => Answer::Ok,
            Ok(Err(e)) => Answer::Failed(format!("Nobody listens on the port {REALTIME} of the live bus: {e}.")),
            Err(_) => Answer::Failed(format!("The port {REALTIME} of the live bus does not answer in time.")),
        };
    }
    match http::request(address, "/web/health", None).await {
        Ok((200, _)) => Answer::Ok,
        Ok((status, _)) => Answer::Failed(format!("The live bus answers {status} on port {REALTIME}.")),
        Err(problem) => Answer::Failed(format!("The live bus does not answer on port {REALTIME}: {problem}.")),
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

/// Wait until it answers and shows its sign-in page; fail at once when its container ends.
pub async fn wait(host: &Host, ctx: &JobContext, record: &Record) -> Result<(), OpError> {
    super::unless_cancelled(ctx, until_healthy(host, ctx, record, address(record))).await
}

/// The same for one whose port is not published.
pub async fn wait_at(host: &Host, ctx: &JobContext, record: &Record, address: SocketAddr) -> Result<(), OpError> {
    super::unless_cancelled(ctx, until_healthy(host, ctx, record, address)).await
}

/// The same in what takes a step back, which no cancellation stops.
pub async fn wait_anyway(host: &Host, ctx: &JobContext, record: &Record) -> Result<(), OpError> {
    until_healthy(host, ctx, record, address(record)).await
}

async fn until_healthy(host: &Host, ctx: &JobContext, record: &Record, address: SocketAddr) -> Result<(), OpError> {
    let name = record.odoo_container();
    let deadline = Instant::now() + GRACE;
    // Docker starts it again when it ends; restarts of long ago do not count.
    let mut restarts_before = None;
    loop {
        let found = match host.docker.inspect(&name).await {
            // Docker is away for a moment; that it starts its containers again afterwards is no failure of Odoo's.
            Err(e) if e.retryable && Instant::now() < deadline => {
                restarts_before = None;
                ctx.message(e.message);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            found => found?.ok_or_else(|| {
                OpError::new("container_missing", format!("The container {name} was removed by someone."))
            })?,
        };
        let restarts = found.restart_count.unwrap_or(0);
        let restarted = restarts > *restarts_before.get_or_insert(restarts);
        let state = found.state.unwrap_or_default();
        if state.running != Some(true) || state.restarting == Some(true) || restarted {
            let log = host.docker.last_lines(&name, 15).await.unwrap_or_default();
            let why = match state.oom_killed {
                Some(true) => "it used more memory than it may".into(),
                _ => format!("exit code {}", state.exit_code.unwrap_or(-1)),
            };
            return Err(OpError::new(
                "odoo_exited",
                format!("Odoo ended right after its start ({why}). Its last lines:\n{log}"),
            ));
        }
        let problem = match sign_in_page(record, address).await {
            Ok(()) => {
                host.watched.set_health(found.id.as_deref().unwrap_or_default(), "healthy");
                return Ok(());
            }
            Err(problem) => problem,
        };
        if Instant::now() > deadline {
            let log = host.docker.last_lines(&name, 15).await.unwrap_or_default();
            return Err(OpError::retryable(
                "odoo_not_healthy",
                format!("Odoo did not answer within {} s ({problem}). Its last lines:\n{log}", GRACE.as_secs()),
            ));
        }
        ctx.message(format!("Odoo does not answer yet ({problem})."));
        tokio::time::sleep(PAUSE).await;
    }
}

async fn sign_in_page(record: &Record, address: SocketAddr) -> Result<(), String> {
    check_at(record, address).await?;
    match http::request(address, "/web/login", None).await? {
        (200, _) => Ok(()),
        (status, _) => Err(format!("/web/login answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_that_know_of_the_database_are_told_from_those_that_do_not() {
        let well = br#"{"status": "pass", "db_server_status": true}"#;
        assert_eq!(read_health(200, well), (Answer::Ok, Some(Answer::Ok)));
        let away = br#"{"status": "fail", "db_server_status": false}"#;
        assert!(matches!(read_health(500, away), (Answer::Ok, Some(Answer::Failed(_)))));
        assert_eq!(read_health(200, br#"{"status": "pass"}"#), (Answer::Ok, None));
        assert!(matches!(read_health(502, b"<html>"), (Answer::Failed(_), None)));
    }

    #[tokio::test]
    async fn a_postgresql_that_starts_takes_no_connections() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            for answer in [&b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"[..], b"E\0\0\0\x20SFATAL\0C57P03\0\0", b""] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = vec![0; 8];
                stream.read_exact(&mut asked).await.unwrap();
                assert_eq!(asked, [0, 0, 0, 41, 0, 3, 0, 0]);
                stream.write_all(answer).await.unwrap();
            }
        });
        assert_eq!(greet(address).await, Ok(()));
        assert!(greet(address).await.unwrap_err().contains("starting"));
        assert!(greet(address).await.is_err());
        server.await.unwrap();
    }
}
