//! systemd, where there is one: readiness, watchdog and `systemctl`.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The agent's service.
pub const UNIT: &str = "ocore-agent.service";

/// Whether systemd is PID 1.
pub fn is_pid_1() -> bool {
    std::path::Path::new("/run/systemd/system").is_dir()
}

/// Run `systemctl` with these arguments.
pub fn systemctl(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("systemctl").arg("--no-ask-password").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("systemctl {}: {}", arguments.join(" "), text.trim())))
}

/// Run one of systemd's commands; what it says.
pub async fn run(program: &str, arguments: &[String]) -> io::Result<String> {
    let output = tokio::process::Command::new(program).arg("--no-ask-password").args(arguments).output().await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program}: {}", text.trim())))
}

/// While the service ends: whether nobody has asked for its next start.
pub async fn is_stopping_for_good() -> bool {
    let argv = ["list-jobs", "--no-legend", "--full", UNIT].map(Into::into);
    match run("systemctl", &argv).await {
        Ok(jobs) => is_to_stop(&jobs),
        Err(error) => {
            tracing::warn!(%error, "systemd does not tell why the service ends; taken for a restart");
            false
        }
    }
}

/// `1234 ocore-agent.service stop running`. A restart is a job of that name until the service has ended; who is killed
/// or crashes has none.
fn is_to_stop(jobs: &str) -> bool {
    jobs.lines().any(|job| {
        let mut words = job.split_whitespace().skip(1);
        words.next() == Some(UNIT) && words.next() == Some("stop")
    })
}

/// Tell the service manager, if it listens; e.g. `READY=1`.
pub fn notify(state: &str) {
    let told = notify_socket().and_then(|socket| socket.map(|s| s.send(state.as_bytes())).transpose());
    if let Err(error) = told {
        tracing::debug!(%error, "the service manager does not listen");
    }
}

/// Where the service manager listens; None when no service manager has started us.
pub fn notify_socket() -> io::Result<Option<UnixDatagram>> {
    std::env::var_os("NOTIFY_SOCKET").map(|name| connect(&name.to_string_lossy())).transpose()
}

fn connect(name: &str) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// Say twice per watchdog period that we live; from a task, so that a stuck runtime is seen.
pub async fn watchdog(stop: CancellationToken) {
    let period = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok()).map(Duration::from_micros);
    let Some(period) = period.filter(|p| !p.is_zero()) else { return };
    let mut ticks = tokio::time::interval(period / 2);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        notify("WATCHDOG=1");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_told_from_a_restart() {
        assert!(is_to_stop("  71 docker.service start waiting\n 1234 ocore-agent.service stop running\n"));
        assert!(!is_to_stop("1234 ocore-agent.service restart running\n"));
        assert!(!is_to_stop("1234 ocore-agent.service start waiting\n"));
        assert!(!is_to_stop("1234 ocore-agent-uninstall.service stop running\n"));
        assert!(!is_to_stop(""));
    }

    #[test]
    fn readiness_reaches_a_named_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        connect(path.to_str().unwrap()).unwrap().send(b"READY=1").unwrap();
        let mut buffer = [0; 32];
        let read = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"READY=1");
    }
}
