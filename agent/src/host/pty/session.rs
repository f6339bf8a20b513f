//! The processes of a session: all that a shell has started, unless it went to some length to leave.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::time::Duration;

/// Between a hang-up and a kill.
const HANG_UP: Duration = Duration::from_secs(2);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_do_not_confuse() {
        assert_eq!(stat_session("12 (a) b) S 1 12 77 0 -1"), Some(77));
        assert_eq!(stat_session("12 (sh) Z 1 12 77 0 -1"), None);
    }
}
