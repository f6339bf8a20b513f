//! Whether Odoo answers, asked the way its series wants to be asked. A running container is not health.

use super::record::Record;
use crate::engine::{JobContext, OpError};
use crate::host::{Host, http};
use ocore_shared::odoo::series::Series;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;

/// The first request builds the assets.
const GRACE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(500);
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

/// Ask once. The text says what was wrong.
pub async fn check(record: &Record) -> Result<(), String> {
    let address = address(record);
    if Series::of(&record.spec.odoo_version).is_some_and(|series| !series.has_health) {
        let (status, body) = http::request(address, "/web/webclient/version_info", Some(RPC)).await?;
        return match status {
            200 if contains(&body, "server_version") => Ok(()),
            _ => Err(format!("/web/webclient/version_info answers {status}")),
        };
    }
    // Builds that do not know the question about the database ignore it.
    match http::request(address, "/web/health?db_server_status=1", None).await? {
        (200, body) if contains(&body, "pass") => Ok(()),
        (status, _) => Err(format!("/web/health answers {status}")),
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

/// Wait until it answers and shows its sign-in page; fail at once when its container ends.
pub async fn wait(host: &Host, ctx: &JobContext, record: &Record) -> Result<(), OpError> {
    super::unless_cancelled(ctx, until_healthy(host, ctx, record)).await
}

/// The same in what takes a step back, which no cancellation stops.
pub async fn wait_anyway(host: &Host, ctx: &JobContext, record: &Record) -> Result<(), OpError> {
    until_healthy(host, ctx, record).await
}

async fn until_healthy(host: &Host, ctx: &JobContext, record: &Record) -> Result<(), OpError> {
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
        let problem = match sign_in_page(record).await {
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

async fn sign_in_page(record: &Record) -> Result<(), String> {
    check(record).await?;
    match http::request(address(record), "/web/login", None).await? {
        (200, _) => Ok(()),
        (status, _) => Err(format!("/web/login answers {status}")),
    }
}
