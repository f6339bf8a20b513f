//! What every route is handed.

use crate::config::Config;
use crate::engine::Engine;
use crate::events::EventHub;
use crate::host::Host;
use crate::journal::JournalStore;
use crate::metrics::MetricsWatcher;
use ocore_shared::clock::Clock;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Cheap to clone: everything in it is shared.
#[derive(Clone)]
pub struct AgentState {
    pub config: Arc<Config>,
    pub journal: Arc<dyn JournalStore>,
    pub engine: Engine,
    pub events: EventHub,
    pub metrics: MetricsWatcher,
    pub clock: Arc<dyn Clock>,
    pub host: Host,
    /// Tasks that end with the agent.
    pub tracker: TaskTracker,
    /// Asks for a graceful end of everything.
    pub stop: CancellationToken,
}
