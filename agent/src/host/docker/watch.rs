//! What the containers do, from the engine's event stream. After every (re)connection all of them are listed, so that
//! nothing that happened in between is missed.

use super::{DockerHost, from_inspect, from_summary, labels};
use crate::engine::OpError;
use crate::events::EventHub;
use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use futures::StreamExt;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::inventory::ContainerInfo;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const RETRY: Duration = Duration::from_secs(1);
const RETRY_AT_MOST: Duration = Duration::from_secs(10);

/// The containers as last seen, and the health that our own observer found.
#[derive(Clone)]
pub struct Containers {
    docker: DockerHost,
    events: EventHub,
    seen: Arc<Mutex<Seen>>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Seen {
    containers: HashMap<String, ContainerInfo>,
    health: HashMap<String, String>,
    deaths: HashMap<String, Death>,
}

/// How a container's last run has ended. The engine itself forgets it with the next start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Death {
    pub exit_code: Option<i64>,
    /// Something in it was killed for its memory during that run.
    pub out_of_memory: bool,
}

impl Containers {
    pub fn new(docker: DockerHost, events: EventHub) -> Self {
        Self { docker, events, seen: Arc::default(), changes: watch::Sender::new(0) }
    }

    /// Changes whenever any container does.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Running and all.
    pub fn counts(&self) -> (i32, i32) {
        self.seen(|seen| {
            let running = seen.containers.values().filter(|c| c.state == "running").count();
            (running as i32, seen.containers.len() as i32)
        })
    }

    /// Health of a container without a health check of its own; reported when it changes.
    pub fn set_health(&self, id: &str, health: &str) {
        let changed = self.seen(|seen| {
            if seen.health.insert(id.into(), health.into()).as_deref() == Some(health) {
                return None;
            }
            let container = seen.containers.get_mut(id)?;
            container.health = Some(health.into());
            Some(container.clone())
        });
        if let Some(container) = changed {
            self.report(AgentEvent::Container(container));
        }
    }

    /// How a container's last run has ended, and forget it.
    pub fn take_death(&self, id: &str) -> Option<Death> {
        self.seen(|seen| seen.deaths.remove(id))
    }

    /// All containers, ours in detail.
    pub async fn list(&self) -> Result<Vec<ContainerInfo>, OpError> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let docker = self.docker.client().await?;
        let listed =
            docker.list_containers(Some(options)).await.map_err(|e| super::failed("list the containers", e))?;
        let mut all = Vec::with_capacity(listed.len());
        for summary in &listed {
            let info = from_summary(summary);
            let close = if info.managed { self.docker.inspect(&info.id).await? } else { None };
            all.push(self.with_health(close.map_or(info, |c| from_inspect(&c))));
        }
        Ok(all)
    }

    /// Watch until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.watch()).await;
    }

    async fn watch(&self) {
        let mut delay = RETRY;
        loop {
            let before = self.docker.status();
            let status = self.docker.probe().await;
            if status != before {
                self.events.volatile(AgentEvent::Docker(status.clone()));
            }
            if status.available {
                delay = RETRY;
                if let Err(e) = self.follow().await {
                    tracing::warn!(error = %e, "lost Docker's event stream");
                }
                self.gone();
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(RETRY_AT_MOST);
        }
    }

    /// Follow the stream to its end.
    async fn follow(&self) -> Result<(), OpError> {
        let docker = self.docker.client().await?;
        let filters = HashMap::from([("type", vec!["container"])]);
        let options = EventsOptionsBuilder::default().filters(&filters).build();
        // The request goes out with the first poll, and its answer's head only with the first event: so an event that
        // happens between the list and the request would be lost without a second list a moment later.
        let mut stream = std::pin::pin!(docker.events(Some(options)));
        self.take_all(self.list().await?);
        let mut settle = std::pin::pin!(tokio::time::sleep(Duration::from_millis(500)));
        let mut settled = false;
        loop {
            tokio::select! {
                event = stream.next() => match event {
                    Some(Ok(event)) => self.apply(event).await?,
                    Some(Err(e)) => return Err(super::failed("report its events", e)),
                    None => return Ok(()),
                },
                () = &mut settle, if !settled => {
                    settled = true;
                    self.take_all(self.list().await?);
                }
            }
        }
    }

    async fn apply(&self, event: EventMessage) -> Result<(), OpError> {
        let Some(actor) = event.actor else { return Ok(()) };
        let Some(id) = actor.id else { return Ok(()) };
        let action = event.action.unwrap_or_default();
        self.seen(|seen| match action.as_str() {
            "oom" => seen.deaths.entry(id.clone()).or_default().out_of_memory = true,
            "die" => {
                let code = actor.attributes.as_ref().and_then(|a| a.get("exitCode")?.parse().ok());
                seen.deaths.entry(id.clone()).or_default().exit_code = code;
            }
            "destroy" => drop(seen.deaths.remove(&id)),
            _ => {}
        });
        if action == "destroy" {
            self.remove(&id);
        } else if concerns_state(&action) {
            match self.docker.inspect(&id).await? {
                Some(found) => self.take(from_inspect(&found)),
                None => self.remove(&id),
            }
        }
        Ok(())
    }

    fn take(&self, info: ContainerInfo) {
        let info = self.with_health(info);
        let same = self.seen(|seen| {
            let before = seen.containers.insert(info.id.clone(), info.clone());
            before.as_ref() == Some(&info)
        });
        if !same && info.managed {
            self.report(AgentEvent::Container(info));
        }
    }

    fn take_all(&self, all: Vec<ContainerInfo>) {
        let gone: Vec<String> = self.seen(|seen| {
            let known = seen.containers.keys();
            known.filter(|id| !all.iter().any(|c| &c.id == *id)).cloned().collect()
        });
        gone.iter().for_each(|id| self.remove(id));
        all.into_iter().for_each(|info| self.take(info));
    }

    fn remove(&self, id: &str) {
        let before = self.seen(|seen| {
            seen.health.remove(id);
            seen.containers.remove(id)
        });
        if before.is_some_and(|b| b.managed) {
            self.report(AgentEvent::ContainerRemoved { id: id.into() });
        }
    }

    /// The engine went away: what the containers do is unknown, which is not the same as gone.
    fn gone(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    fn report(&self, event: AgentEvent) {
        self.events.durable(event);
        self.changes.send_modify(|n| *n += 1);
    }

    fn with_health(&self, mut info: ContainerInfo) -> ContainerInfo {
        if info.state != "running" {
            self.seen(|seen| seen.health.remove(&info.id));
        } else if info.health.is_none() {
            info.health = self.seen(|seen| seen.health.get(&info.id).cloned());
        }
        info
    }

    fn seen<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        f(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Execs, attachments and the like come with every command that is run in a container.
fn concerns_state(action: &str) -> bool {
    ![
        "exec_",
        "attach",
        "detach",
        "top",
        "resize",
        "archive-path",
        "extract-to-dir",
        "export",
        "copy",
        "commit",
        "kill",
    ]
    .iter()
    .any(|noise| action.starts_with(noise))
}

/// Whether a report is about a container of this instance and role.
pub fn is_role(info: &ContainerInfo, instance: &str, role: &str) -> bool {
    let label = |key: &str| info.labels.get(key).map(String::as_str);
    info.managed && label(labels::INSTANCE) == Some(instance) && label(labels::ROLE) == Some(role)
}

#[cfg(test)]
mod tests {
    use super::concerns_state;

    #[test]
    fn commands_inside_are_no_news() {
        assert!(!concerns_state("exec_start: bash"));
        assert!(!concerns_state("exec_die"));
        for action in
            ["create", "start", "die", "destroy", "pause", "unpause", "rename", "health_status: healthy", "oom"]
        {
            assert!(concerns_state(action));
        }
    }
}
