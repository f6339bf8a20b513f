//! Shells as transient units of systemd: asked of PID 1, outside of the agent's sandbox and control group.

use super::account::Account;
use crate::engine::OpError;
use crate::host::systemd;
use ocore_shared::ids::TerminalId;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::net::unix::pipe;

/// Of every terminal.
pub const ALL: &str = "ocore-terminal-*.service";
/// Until systemd has noticed what we have.
const MOMENT: Duration = Duration::from_millis(50);
const RETRY: Duration = Duration::from_secs(1);

pub fn name(id: TerminalId) -> String {
    format!("ocore-terminal-{id}.service")
}

/// Start the login shell on that terminal. When it is done, the shell has the terminal, which systemd may have reset
/// on the way: what was typed before may be lost.
pub async fn start(unit: &str, terminal: &Path) -> Result<(), OpError> {
    let account = Account::own();
    let mut argv: Vec<String> = ["--quiet", "--service-type=exec", "--slice=system.slice"].map(Into::into).into();
    // Its exit code is there until it was asked for.
    argv.push("--remain-after-exit".into());
    argv.push(format!("--unit={unit}"));
    argv.push("--description=Terminal opened through oCore".into());
    argv.push(format!("--working-directory={}", account.directory()));
    let properties = [
        "StandardInput=tty",
        "StandardOutput=tty",
        "StandardError=tty",
        // A shell that waits for its person ends by a hang-up only.
        "SendSIGHUP=yes",
        "TimeoutStopSec=2s",
        // As in any login: `yes | head` ends quietly, and a command that takes too much memory ends alone.
        "IgnoreSIGPIPE=no",
        "OOMPolicy=continue",
    ];
    argv.extend(properties.map(|property| format!("--property={property}")));
    argv.push(format!("--property=TTYPath={}", terminal.display()));
    argv.extend(account.environment().into_iter().map(|(key, value)| format!("--setenv={key}={value}")));
    argv.extend(["--".into(), account.shell, "-l".into()]);
    systemd::run("systemd-run", &argv).await.map(drop).map_err(super::failed)
}

/// Wait for the shell's end and tell its exit code: 128 and more is a signal, -1 is one that nobody knows.
pub async fn ended(unit: &str) -> i32 {
    loop {
        match Condition::of(unit).await {
            Ok(Condition::Runs(pid)) => exited(pid).await,
            Ok(Condition::Ended(code)) => return code,
            Err(error) => {
                tracing::warn!(%error, unit, "systemd does not tell how a terminal's shell is");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// End everything in it and forget it. Well when there is none.
pub async fn stop(unit: &str) {
    match systemd::run("systemctl", &["stop".into(), unit.into()]).await {
        Err(error) if error.to_string().contains("not loaded") => return,
        Err(error) => tracing::warn!(%error, unit, "a terminal's shell cannot be ended"),
        Ok(_) => {}
    }
    // A shell with a bad exit code stays as failed; any other is gone by now, which is an error here.
    let _ = systemd::run("systemctl", &["reset-failed".into(), unit.into()]).await;
}

/// Units of terminals, whatever their condition.
pub async fn list() -> io::Result<Vec<String>> {
    let argv = ["list-units", "--all", "--plain", "--no-legend", "--full", ALL].map(Into::into);
    let text = systemd::run("systemctl", &argv).await?;
    Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(Into::into).collect())
}

#[derive(Debug, PartialEq)]
enum Condition {
    Runs(Pid),
    Ended(i32),
}

impl Condition {
    async fn of(unit: &str) -> io::Result<Self> {
        let argv = ["show", "--property=MainPID,ExecMainCode,ExecMainStatus", unit].map(Into::into);
        Ok(Self::read(&systemd::run("systemctl", &argv).await?))
    }

    fn read(properties: &str) -> Self {
        let property = |key: &str| -> i32 {
            let value = properties.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            value.and_then(|v| v.parse().ok()).unwrap_or(0)
        };
        if let Some(pid) = Pid::from_raw(property("MainPID")) {
            return Self::Runs(pid);
        }
        let status = property("ExecMainStatus");
        // As in siginfo_t: CLD_EXITED, CLD_KILLED, CLD_DUMPED.
        Self::Ended(match property("ExecMainCode") {
            1 => status,
            2 | 3 => 128 + status,
            _ => -1,
        })
    }
}

/// Wait for the end of a process that is not our child. May return early.
async fn exited(pid: Pid) {
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from);
    // Named after pipes, but as good for everything else that can be waited for.
    match process.and_then(pipe::Receiver::from_owned_fd_unchecked) {
        Ok(process) => {
            let _ = process.readable().await;
            tokio::time::sleep(MOMENT).await;
        }
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => tokio::time::sleep(MOMENT).await,
        Err(error) => {
            tracing::debug!(%error, "this kernel tells no ends of processes; looked for from time to time");
            tokio::time::sleep(RETRY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_read_as_a_shell_would_tell_them() {
        let read = |pid, code, status| {
            Condition::read(&format!("MainPID={pid}\nExecMainCode={code}\nExecMainStatus={status}\n"))
        };
        assert_eq!(read(0, 1, 7), Condition::Ended(7));
        assert_eq!(read(0, 2, 1), Condition::Ended(129));
        assert_eq!(read(0, 0, 0), Condition::Ended(-1), "systemd has forgotten it");
        assert!(matches!(read(12, 0, 0), Condition::Runs(_)));
    }

    #[tokio::test]
    async fn the_end_of_a_process_is_noticed() {
        let mut child = tokio::process::Command::new("sleep").arg("0.2").spawn().unwrap();
        let pid = Pid::from_raw(child.id().unwrap() as i32).unwrap();
        tokio::time::timeout(Duration::from_secs(20), exited(pid)).await.unwrap();
        assert!(child.try_wait().unwrap().is_some());
    }
}
