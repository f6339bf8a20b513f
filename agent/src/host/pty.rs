//! A login shell of the agent's own user in a terminal of its own.
//!
//! Where systemd is PID 1 the shell is a transient unit, so that it neither lives in the agent's sandbox nor counts
//! against its limits. It still ends with the agent, which holds the terminal.

use super::systemd;
use crate::engine::OpError;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ocore_shared::ids::TerminalId;
use pty_process::{Command, OwnedReadPty, OwnedWritePty, Size};
use std::path::Path;
use std::time::Duration;
use tokio::process::Child;

const TERM: &str = "xterm-256color";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Between a hang-up and a kill.
const HANG_UP: Duration = Duration::from_secs(2);

pub struct Shell {
    pub read: OwnedReadPty,
    pub write: OwnedWritePty,
    pub child: Child,
    pub unit: Option<String>,
}

/// Open a terminal and start the shell in it.
pub fn open(id: TerminalId, cols: u16, rows: u16) -> Result<Shell, OpError> {
    let wrong = |e: pty_process::Error| {
        OpError::retryable("terminal_failed", format!("The server cannot open a terminal: {e}."))
    };
    let account = Account::own();
    let unit = systemd::is_pid_1().then(|| format!("ocore-terminal-{id}.service"));
    let argv = match &unit {
        Some(unit) => transient(unit, &account),
        None => vec![account.shell.clone(), "-l".into()],
    };
    let (pty, pts) = pty_process::open().map_err(wrong)?;
    pty.resize(Size::new(rows.max(1), cols.max(1))).map_err(wrong)?;
    let command = Command::new(&argv[0])
        .args(&argv[1..])
        .env_clear()
        .envs(account.environment())
        .current_dir(if Path::new(&account.home).is_dir() { &account.home } else { "/" })
        .kill_on_drop(true);
    let child = command.spawn(pts).map_err(wrong)?;
    let (read, write) = pty.into_split();
    Ok(Shell { read, write, child, unit })
}

fn transient(unit: &str, account: &Account) -> Vec<String> {
    let mut argv: Vec<String> =
        ["systemd-run", "--quiet", "--collect", "--pty", "--wait", "--service-type=exec", "--slice=system.slice"]
            .map(Into::into)
            .into();
    argv.push(format!("--unit={unit}"));
    argv.push(format!("--working-directory={}", account.home));
    argv.extend(account.environment().into_iter().map(|(key, value)| format!("--setenv={key}={value}")));
    argv.extend(["--".into(), account.shell.clone(), "-l".into()]);
    argv
}

/// End everything that was started in the terminal.
pub async fn end(leader: u32, unit: Option<&str>) {
    if let Some(unit) = unit {
        let argv = ["stop", "--no-block", unit].map(str::to_owned);
        let _ = tokio::process::Command::new("systemctl").args(argv).status().await;
    }
    end_session(leader).await;
}

/// Hang up on every process of the session that `leader` began, then kill what is left of it.
pub async fn end_session(leader: u32) {
    for signal in [Signal::SIGHUP, Signal::SIGKILL] {
        let members = session(Path::new("/proc"), leader);
        if members.is_empty() {
            return;
        }
        for pid in members {
            let _ = kill(Pid::from_raw(pid), signal);
            let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
        }
        let deadline = tokio::time::Instant::now() + HANG_UP;
        while tokio::time::Instant::now() < deadline {
            if session(Path::new("/proc"), leader).is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Processes of a session, zombies left out.
fn session(proc: &Path, leader: u32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir(proc) else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(proc.join(format!("{pid}/stat"))).unwrap_or_default();
        stat_session(&stat) == Some(leader)
    })
    .collect()
}

/// `pid (name) state ppid pgrp session …`; the name may contain anything.
fn stat_session(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    if state == "Z" { None } else { fields.nth(2)?.parse().ok() }
}

/// The user that this process runs as, from `/etc/passwd` alone: a directory service that hangs must not keep an
/// administrator out.
struct Account {
    name: String,
    home: String,
    shell: String,
}

impl Account {
    fn own() -> Self {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self::find(&passwd, nix::unistd::geteuid().as_raw())
    }

    fn find(passwd: &str, uid: u32) -> Self {
        let found = passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, number, _, _, home, shell] = fields[..] else { return None };
            (number.parse() == Ok(uid)).then(|| (name.to_owned(), home.to_owned(), shell.to_owned()))
        });
        let (name, home, shell) = found.unwrap_or_else(|| ("root".into(), "/root".into(), String::new()));
        let refuses = shell.is_empty() || shell.ends_with("/nologin") || shell.ends_with("/false");
        let shell = match (refuses, Path::new("/bin/bash").exists()) {
            (false, _) => shell,
            (true, true) => "/bin/bash".into(),
            (true, false) => "/bin/sh".into(),
        };
        Self { name, home, shell }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let lang = std::env::var("LANG").unwrap_or_else(|_| "C.UTF-8".into());
        vec![
            ("TERM", TERM.into()),
            ("LANG", lang),
            ("PATH", PATH.into()),
            ("HOME", self.home.clone()),
            ("USER", self.name.clone()),
            ("LOGNAME", self.name.clone()),
            ("SHELL", self.shell.clone()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_read_without_a_directory_service() {
        let account = Account::find("root:x:0:0:root:/root:/bin/sh\napp:x:5:5::/srv:/usr/sbin/nologin\n", 0);
        assert_eq!((account.name.as_str(), account.shell.as_str()), ("root", "/bin/sh"));
        let account = Account::find("root:x:0:0:root:/root:/bin/sh\napp:x:5:5::/srv:/usr/sbin/nologin\n", 5);
        assert_eq!(account.home, "/srv");
        assert!(!account.shell.ends_with("nologin"));
    }

    #[test]
    fn names_with_brackets_do_not_confuse() {
        assert_eq!(stat_session("12 (a) b) S 1 12 77 0 -1"), Some(77));
        assert_eq!(stat_session("12 (sh) Z 1 12 77 0 -1"), None);
    }
}
