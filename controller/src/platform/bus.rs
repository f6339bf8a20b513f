//! Wake-ups and live values inside this replica. Losing one costs at most a re-fetch: whoever lags is told to reset.

use ocore_shared::ids::{JobId, OrganizationId, ServerId};
use ocore_shared::protocol::inventory::MetricsSample;
use ocore_shared::protocol::jobs::Progress;
use tokio::sync::broadcast;
use uuid::Uuid;

const CAPACITY: usize = 4096;

/// What kind of object changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Server,
    Instance,
    Job,
}

/// One wake-up, sent after the commit that it is about.
#[derive(Clone, Debug)]
pub enum Signal {
    /// Rows were added to `events`.
    EventsAppended,
    Changed {
        organization: OrganizationId,
        kind: Kind,
        id: Uuid,
    },
    Metrics {
        organization: OrganizationId,
        server: ServerId,
        sample: Box<MetricsSample>,
    },
    JobProgress {
        organization: OrganizationId,
        job: JobId,
        step: String,
        progress: Progress,
    },
    JobLog {
        job: JobId,
    },
}

#[derive(Clone)]
pub struct Bus(broadcast::Sender<Signal>);

impl Bus {
    pub fn new() -> Self {
        Self(broadcast::channel(CAPACITY).0)
    }

    pub fn send(&self, signal: Signal) {
        // No listener is fine: then nobody looks.
        let _ = self.0.send(signal);
    }

    pub fn changed(&self, organization: OrganizationId, kind: Kind, id: impl Into<Uuid>) {
        self.send(Signal::Changed { organization, kind, id: id.into() });
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Signal> {
        self.0.subscribe()
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}
