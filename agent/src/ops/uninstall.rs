//! `agent_uninstall`: the agent leaves the server. Containers, volumes, instances' files and `/etc/ocore-agent` stay.
//!
//! The job only decides; the removal follows once the controller has acknowledged the job's end, or after 20 s. A
//! marker file carries the decision over a restart in between.

use crate::config::Config;
use crate::engine::{JobContext, OpError, Registry};
use crate::host::pty::unit;
use crate::host::systemd::{self, UNIT};
use crate::journal::JournalStore;
use ocore_shared::ids::JobId;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The controller has that long to fetch the result.
const DELIVERY: Duration = Duration::from_secs(20);
const UNIT_FILE: &str = "/etc/systemd/system/ocore-agent.service";
/// What outlives a restart of the service: terminals' output.
const RUNTIME_DIR: &str = "/run/ocore-agent";
/// Where the install script links the command to.
const COMMAND: &str = "/usr/local/bin/ocore-agent";

/// What the job needs besides its context.
#[derive(Clone)]
pub struct Uninstall {
    pub config: Arc<Config>,
    pub journal: Arc<dyn JournalStore>,
    pub tracker: TaskTracker,
    pub stop: CancellationToken,
}

/// The decision to leave, or that the agent has left: nothing is started while it exists.
pub fn marker(config: &Config) -> PathBuf {
    config.dir.join("removed")
}

pub fn register(registry: &mut Registry, uninstall: Uninstall) {
    registry.add("agent_uninstall", move |ctx| Box::pin(run(uninstall.clone(), ctx)));
}

async fn run(uninstall: Uninstall, ctx: JobContext) -> Result<Value, OpError> {
    ctx.plan(&[("schedule_removal", "Schedule the agent's removal")]).await?;
    ctx.step("schedule_removal", async {
        crate::config::write_atomically(&marker(&uninstall.config), b"", 0o600)
            .map_err(|e| OpError::retryable("not_writable", format!("The removal cannot be noted on disk: {e}")))
    })
    .await?;
    let id = ctx.id();
    uninstall.tracker.clone().spawn(async move { uninstall.leave(Some(id)).await });
    Ok(json!({ "containers": "kept", "volumes": "kept", "configuration": "kept" }))
}

impl Uninstall {
    /// Take up a removal that a restart cut.
    pub fn resume(self) {
        if marker(&self.config).exists() {
            self.tracker.clone().spawn(async move { self.leave(None).await });
        }
    }

    /// Wait until the controller knows the job's end, then go.
    async fn leave(self, job: Option<JobId>) {
        let delivered = async {
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let record = job.and_then(|id| self.journal.job(id).ok().flatten());
                if record.is_some_and(|r| r.acknowledged_at.is_some()) {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(DELIVERY, delivered).await;
        let config = self.config.clone();
        match tokio::task::spawn_blocking(move || remove_from_within(&config)).await {
            Ok(Ok(())) => tracing::info!("the agent leaves this server"),
            Ok(Err(error)) => tracing::error!(%error, "the agent could not remove everything of itself"),
            Err(error) => tracing::error!(%error, "the removal of the agent failed"),
        }
        self.stop.cancel();
    }
}

/// The service may write in its own directories only, so PID 1 is asked to run `ocore-agent uninstall` outside of it.
/// Nobody waits for that: it ends this process too.
fn remove_from_within(config: &Config) -> io::Result<()> {
    if !systemd::is_pid_1() {
        return remove(config);
    }
    let output = Command::new("systemd-run")
        .args(["--quiet", "--collect", "--unit=ocore-agent-uninstall", "--"])
        .arg(config.current_link().join("ocore-agent"))
        .arg("uninstall")
        .arg("--dir")
        .arg(&config.dir)
        .arg("--config-dir")
        .arg(&config.config_dir)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("systemd-run: {}", text.trim())))
}

/// Remove the unit and the agent's own files. What instances need stays.
pub fn remove(config: &Config) -> io::Result<()> {
    let identity = config.identity_dir();
    if identity.exists() {
        std::fs::remove_dir_all(&identity)?;
    }
    if systemd::is_pid_1() {
        systemd::systemctl(&["disable", UNIT])?;
        match std::fs::remove_file(UNIT_FILE) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => systemd::systemctl(&["daemon-reload"])?,
        }
        if std::fs::read_link(COMMAND).is_ok_and(|target| target == config.current_link().join("ocore-agent")) {
            std::fs::remove_file(COMMAND)?;
        }
        remove_own_files(&config.dir)?;
        match std::fs::remove_dir_all(RUNTIME_DIR) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        // Last, and without waiting: it may end this process too.
        return systemd::systemctl(&["stop", "--no-block", UNIT, unit::ALL]);
    }
    // Without systemd whatever started us may start us again: the marker keeps us from coming back.
    crate::config::write_atomically(&marker(config), b"", 0o600)
}

fn remove_own_files(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kept = ["instances", "proxy"].iter().any(|name| entry.file_name() == *name);
        if kept {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    // Goes only when nothing of an instance is left.
    let _ = std::fs::remove_dir(dir);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_instances_stay() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["identity", "releases/1", "instances/a"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("journal.redb"), b"x").unwrap();
        std::os::unix::fs::symlink("releases/1", dir.path().join("current")).unwrap();
        remove_own_files(dir.path()).unwrap();
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["instances"]);
        assert!(dir.path().join("instances/a").exists());
    }
}
