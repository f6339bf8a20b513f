//! Terminals: shells on the server and in instances. A terminal lives by itself; attachments come and go, each with its
//! own place in the output, and a slow one never holds up the process.

mod container;
mod host;
mod lasting;
mod ring;
mod terminal;
#[cfg(test)]
mod tests;

pub use lasting::{Files, Lasting};
pub use terminal::{Attachment, Input, Terminal};

use crate::engine::OpError;
use crate::fd_store::Named;
use crate::host::docker::DockerHost;
use crate::host::systemd;
use crate::policy;
use ocore_shared::ids::TerminalId;
use ocore_shared::protocol::terminals::{TerminalInfo, TerminalOpen, TerminalTarget};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const MAX_TERMINALS: usize = 64;
/// Nobody attached for so long: it is ended.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Its process has ended, and nobody has looked for so long: it is forgotten.
const ENDED: Duration = Duration::from_secs(5 * 60);

#[derive(Clone)]
pub struct Terminals(Arc<Inner>);

struct Inner {
    docker: DockerHost,
    config_dir: PathBuf,
    /// None where terminals end with the agent.
    lasting: OnceLock<Lasting>,
    open: Mutex<HashMap<TerminalId, Arc<Terminal>>>,
}

impl Terminals {
    pub fn new(docker: DockerHost, config_dir: &Path) -> Self {
        let config_dir = config_dir.to_owned();
        Self(Arc::new(Inner { docker, config_dir, lasting: OnceLock::new(), open: Mutex::default() }))
    }

    /// From now on host terminals outlive the agent. Goes on with those of the last one.
    pub async fn outlive(&self, lasting: Lasting, inherited: Named) {
        let found = lasting.resume(inherited).await;
        self.table(|open| open.extend(found.into_iter().map(|terminal| (terminal.info().id, terminal))));
        // Only the first call counts, and there is only one.
        let _ = self.0.lasting.set(lasting);
    }

    /// Whether host terminals outlive a restart of the agent.
    pub fn survive_restart(&self) -> bool {
        self.0.lasting.get().is_some()
    }

    /// Open it, or find it: the request may be sent twice.
    pub async fn open(&self, request: TerminalOpen) -> Result<TerminalInfo, OpError> {
        if let Some(found) = self.find(request.id) {
            return Ok(found.info());
        }
        if request.target == TerminalTarget::Host {
            policy::host_terminals_allowed(&self.0.config_dir)?;
        }
        self.room()?;
        // In a task of its own, since who asks may go away while the shell starts.
        let this = self.clone();
        let opened = tokio::spawn(async move {
            let terminal = match (&request.target, this.0.lasting.get()) {
                (TerminalTarget::Host, Some(lasting)) => lasting.open(&request).await?,
                (TerminalTarget::Host, None) => host::open(&request)?,
                _ => container::open(&this.0.docker, &request).await?,
            };
            tracing::info!(terminal = %request.id, target = ?request.target, actor = request.actor, "terminal opened");
            let info = terminal.info();
            this.table(|open| open.insert(request.id, terminal));
            Ok(info)
        });
        opened.await.unwrap_or_else(|e| Err(OpError::new("internal", format!("Opening a terminal failed: {e}"))))
    }

    /// When there are too many, that which nobody has looked at for the longest time goes. Nobody is thrown out.
    fn room(&self) -> Result<(), OpError> {
        let left = self.table(|open| {
            if open.len() >= MAX_TERMINALS {
                open.retain(|_, t| !t.has_ended());
            }
            if open.len() < MAX_TERMINALS {
                return Ok(None);
            }
            let detached = open.iter().filter_map(|(id, t)| Some((*id, t.detached_for()?)));
            match detached.max_by_key(|(_, since)| *since) {
                Some((id, _)) => Ok(open.remove(&id)),
                None => Err(OpError::new(
                    "too_many_terminals",
                    format!("{MAX_TERMINALS} terminals are in use on this server. Close some."),
                )),
            }
        })?;
        if let Some(terminal) = left {
            tracing::info!(terminal = %terminal.info().id, "terminal ended: another one needs its place");
            tokio::spawn(async move { terminal.end().await });
        }
        Ok(())
    }

    pub fn find(&self, id: TerminalId) -> Option<Arc<Terminal>> {
        self.table(|open| open.get(&id).cloned())
    }

    pub fn list(&self) -> Vec<TerminalInfo> {
        self.table(|open| open.values().map(|t| t.info()).collect())
    }

    /// End its processes and forget it. Well when there is none.
    pub async fn close(&self, id: TerminalId) {
        if let Some(terminal) = self.table(|open| open.remove(&id)) {
            // In a task of its own, since who asks may go away before the last process is killed.
            let _ = tokio::spawn(async move { terminal.end().await }).await;
        }
    }

    async fn close_all(&self, ids: Vec<TerminalId>) {
        futures::future::join_all(ids.into_iter().map(|id| self.close(id))).await;
    }

    /// End what nobody looks at, and at the end everything that would not outlive us.
    pub async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_secs(30));
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let forgotten =
                |t: &Terminal| t.detached_for().is_some_and(|d| d >= if t.has_ended() { ENDED } else { IDLE });
            let ids: Vec<_> = self.table(|open| open.iter().filter(|(_, t)| forgotten(t)).map(|(id, _)| *id).collect());
            for id in &ids {
                tracing::info!(terminal = %id, "terminal ended: nobody was attached");
            }
            self.close_all(ids).await;
        }
        // The next agent goes on with them, when there is one.
        let kept = self.survive_restart() && !systemd::is_stopping_for_good().await;
        let ends = |info: &TerminalInfo| !(kept && info.survives_agent);
        self.close_all(self.list().into_iter().filter(ends).map(|info| info.id).collect()).await;
    }

    fn table<T>(&self, f: impl FnOnce(&mut HashMap<TerminalId, Arc<Terminal>>) -> T) -> T {
        f(&mut self.0.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
