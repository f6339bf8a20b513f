//! One upstream per instance, however many people look: it is read into a bounded ring, from which each viewer takes at
//! its own pace. The upstream starts with the first viewer and ends after the last.

use super::archive;
use super::cursor::short;
use super::source::{self, Source, recreated};
use crate::engine::OpError;
use crate::host::docker::DockerHost;
use crate::host::docker::lines::LinesOptions;
use futures::StreamExt;
use ocore_shared::clock::Clock;
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::{Cursor, LogFilter, LogRing, Resume};
use ocore_shared::protocol::logs::LogsCleared;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Of one instance's ring.
const RING_BYTES: usize = 2 * 1024 * 1024;
/// Lines of the past in a new ring, so that a viewer that reads the past meets it.
const RING_TAIL: usize = 200;
/// When Docker's events do not tell.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct LogHub(Arc<Inner>);

struct Inner {
    docker: DockerHost,
    spool: PathBuf,
    changes: watch::Receiver<u64>,
    clock: Arc<dyn Clock>,
    upstreams: Mutex<HashMap<InstanceId, Weak<Upstream>>>,
}

impl LogHub {
    pub fn new(docker: DockerHost, spool: PathBuf, changes: watch::Receiver<u64>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { docker, spool, changes, clock, upstreams: Mutex::default() }))
    }

    pub(super) fn docker(&self) -> &DockerHost {
        &self.0.docker
    }

    fn dir(&self, instance: InstanceId) -> PathBuf {
        self.0.spool.join(instance.to_string())
    }

    /// Keep the log of a container that is about to be removed. Well when there is none.
    pub async fn archive(&self, instance: InstanceId, container: &str) -> Result<(), OpError> {
        let Some(id) = self.0.docker.inspect(container).await?.and_then(|c| c.id) else { return Ok(()) };
        let dir = self.dir(instance);
        let records = source::live(&self.0.docker, &id, archive::cleared(&dir), LinesOptions::default()).await?;
        archive::write(&dir, &id, records, self.0.clock.now()).await
    }

    /// Show nothing any more of what was written so far, and drop what was kept of it. With `dry_run` only told.
    pub fn clear(&self, instance: InstanceId, dry_run: bool) -> Result<LogsCleared, OpError> {
        let dir = self.dir(instance);
        let cleared = LogsCleared { cleared_at: self.0.clock.now(), freed_bytes: archive::bytes(&dir) };
        if !dry_run {
            archive::clear(&dir, cleared.cleared_at)?;
            // Whoever comes from now on gets a ring without what is gone.
            self.0.upstreams.lock().unwrap_or_else(PoisonError::into_inner).remove(&instance);
        }
        Ok(cleared)
    }

    /// Drop what was kept.
    pub fn forget(&self, instance: InstanceId) -> Result<(), OpError> {
        let dir = self.dir(instance);
        match std::fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(crate::ops::odoo::record::disk(&dir, &e)),
            _ => Ok(()),
        }
    }

    /// Oldest first. A container that still lives is read there, archived or not.
    pub(super) async fn sources(&self, instance: InstanceId) -> Result<Vec<Source>, OpError> {
        let live = source::live_container(&self.0.docker, instance).await?;
        let dir = self.dir(instance);
        let mut sources: Vec<Source> = archive::list(&dir).into_iter().map(Source::Archived).collect();
        if let Some(id) = live {
            let live = Source::Live { id, cleared: archive::cleared(&dir) };
            sources.retain(|s| s.container() != live.container());
            sources.push(live);
        }
        Ok(sources)
    }

    /// The instance's upstream, started if need be. It lives as long as someone holds it.
    pub(super) fn upstream(&self, instance: InstanceId) -> Arc<Upstream> {
        let mut upstreams = self.0.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = upstreams.get(&instance).and_then(Weak::upgrade) {
            return running;
        }
        upstreams.retain(|_, weak| weak.strong_count() > 0);
        let stop = CancellationToken::new();
        let upstream = Arc::new(Upstream { ring: LogRing::new(RING_BYTES), _stop: stop.clone().drop_guard() });
        upstreams.insert(instance, Arc::downgrade(&upstream));
        let reader = Reader { hub: self.clone(), instance, upstream: Arc::downgrade(&upstream), last: None };
        tokio::spawn(stop.run_until_cancelled_owned(reader.run()));
        upstream
    }

    /// How many containers are followed now.
    #[cfg(test)]
    pub fn upstreams(&self) -> usize {
        let upstreams = self.0.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        upstreams.values().filter(|w| w.strong_count() > 0).count()
    }
}

pub struct Upstream {
    pub ring: LogRing,
    _stop: DropGuard,
}

/// Fills a ring.
struct Reader {
    hub: LogHub,
    instance: InstanceId,
    upstream: Weak<Upstream>,
    last: Option<Cursor>,
}

impl Reader {
    async fn run(mut self) {
        let mut changes = self.hub.0.changes.clone();
        loop {
            // Marked as seen before looking: what changes from here on is a reason to look again.
            changes.borrow_and_update();
            if let Err(e) = self.read_to_end().await {
                tracing::debug!(instance = %self.instance, error = %e, "a log cannot be followed now");
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
        }
    }

    /// Follow the container that lives until it stops, after what its predecessor still had to say.
    async fn read_to_end(&mut self) -> Result<(), OpError> {
        let docker = self.hub.0.docker.clone();
        let Some(id) = source::live_container(&docker, self.instance).await? else { return Ok(()) };
        let container = short(&id);
        let mut anew = false;
        if let Some(last) = self.last.clone()
            && last.container != container
        {
            anew = true;
            let parts = archive::list(&self.hub.dir(self.instance));
            // Containers that came and went unseen are in the archive too.
            let place = parts.iter().position(|p| p.container == last.container).unwrap_or(parts.len());
            let mut previous = last.container.clone();
            for part in parts.into_iter().skip(place).filter(|p| p.container != container) {
                let between = part.container != std::mem::replace(&mut previous, part.container.clone());
                let all = LogFilter::default();
                let records = Source::Archived(part).read(&docker, LinesOptions::default(), &all).await?;
                self.copy(records, Resume::after(Some(last.clone())), between).await?;
            }
        }
        let same = self.last.clone().filter(|l| l.container == container);
        let options = LinesOptions {
            follow: true,
            since: same.as_ref().map(|l| l.at.timestamp()),
            tail: self.last.is_none().then_some(RING_TAIL),
        };
        let cleared = archive::cleared(&self.hub.dir(self.instance));
        let records = source::live(&docker, &id, cleared, options).await?;
        self.copy(records, Resume::after(same), anew).await
    }

    async fn copy(&mut self, mut records: source::Records, mut resume: Resume, mut anew: bool) -> Result<(), OpError> {
        while let Some(record) = records.next().await {
            let record = record?;
            if !resume.wants(&record) {
                continue;
            }
            let Some(upstream) = self.upstream.upgrade() else { return Ok(()) };
            if std::mem::take(&mut anew) {
                upstream.ring.push(recreated(&record));
            }
            self.last = record.cursor.parse().ok();
            upstream.ring.push(record);
        }
        Ok(())
    }
}
