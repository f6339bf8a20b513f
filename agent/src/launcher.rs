//! `ocore-agent launch`: starts the release that `current` points at, passes signals on, and starts it again when it
//! ends. It also holds the terminals of an agent for the next one. Tiny, so that it need not be updated with the agent.

use crate::config::Config;
use crate::fd_store::Keeper;
use crate::ops::uninstall;
use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// A release that lived longer is started again at once.
const GOOD: Duration = Duration::from_secs(60);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// Until SIGTERM or SIGINT, or until the agent was uninstalled.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let mut keeper = Keeper::from_systemd();
    let mut signals = Signals::new()?;
    let mut failures = 0;
    loop {
        let started = Instant::now();
        let ended = match start(config, &keeper) {
            Ok((mut child, link)) => match supervise(&mut child, &mut signals, &mut keeper, &link).await? {
                Ended::Asked => return Ok(()),
                Ended::ByItself(status) => status.to_string(),
            },
            Err(error) => format!("it cannot be started: {error:#}"),
        };
        if uninstall::marker(config).exists() || !config.dir.exists() {
            tracing::info!("the agent was uninstalled");
            return Ok(());
        }
        failures = if started.elapsed() > GOOD { 0 } else { failures + 1 };
        let delay = Duration::from_secs(1).saturating_mul(1 << u32::min(failures, 5)).min(MAX_DELAY);
        tracing::warn!(ended, ?delay, "the agent ended; started again after a pause");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            signal = signals.next() => if signal != Signal::SIGHUP { return Ok(()) },
        }
    }
}

fn start(config: &Config, keeper: &Keeper) -> anyhow::Result<(Child, UnixDatagram)> {
    let binary = config.current_link().join("ocore-agent");
    let (link, stdin) = keeper.hand_over().context("what the last agent kept cannot be handed over")?;
    let child = Command::new(&binary)
        .arg("run")
        .arg("--dir")
        .arg(&config.dir)
        .arg("--config-dir")
        .arg(&config.config_dir)
        .stdin(stdin)
        .spawn();
    Ok((child.with_context(|| binary.display().to_string())?, link))
}

enum Ended {
    /// We were told to end, and so it was.
    Asked,
    ByItself(ExitStatus),
}

async fn supervise(
    child: &mut Child, signals: &mut Signals, keeper: &mut Keeper, link: &UnixDatagram,
) -> anyhow::Result<Ended> {
    let mut asked = false;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status?;
                keeper.finish(link);
                return Ok(if asked { Ended::Asked } else { Ended::ByItself(status) });
            }
            () = keeper.serve(link) => {}
            signal = signals.next() => {
                asked |= signal != Signal::SIGHUP;
                if let Some(id) = child.id() {
                    // It may have ended in this moment.
                    let _ = kill(Pid::from_raw(id as i32), signal);
                }
            }
        }
    }
}

struct Signals {
    term: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.term.recv() => Signal::SIGTERM,
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.hangup.recv() => Signal::SIGHUP,
        }
    }
}
