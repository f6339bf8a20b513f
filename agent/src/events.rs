//! What the agent says by itself. Durable events go through the journal and are sent until they are acknowledged;
//! volatile ones wait in a bounded ring and leave a gap mark when nobody reads.

use crate::journal::{JournalStore, Urgency, Write};
use chrono::{DateTime, Utc};
use ocore_shared::clock::Clock;
use ocore_shared::protocol::events::{AgentEvent, EventEnvelope};
use ocore_shared::protocol::health::InstanceSample;
use ocore_shared::protocol::inventory::MetricsSample;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Bounds of the ring of volatile events.
const RING_EVENTS: usize = 1024;
const RING_BYTES: usize = 1024 * 1024;
/// Samples kept while the controller is away: 6 hours at one per minute.
const METRICS_KEPT: usize = 360;
/// Of all instances together; about 300 bytes each.
const INSTANCE_METRICS_KEPT: usize = 3600;

/// Where everything that happens is told. Cheap to clone.
#[derive(Clone)]
pub struct EventHub(Arc<Inner>);

struct Inner {
    journal: Arc<dyn JournalStore>,
    clock: Arc<dyn Clock>,
    ring: Mutex<Ring>,
    /// Counts what was put into the ring.
    pushed: watch::Sender<u64>,
    /// Counts readers: the newest replaces the one before.
    readers: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    events: VecDeque<(EventEnvelope, usize)>,
    bytes: usize,
    dropped: u64,
    metrics: VecDeque<MetricsSample>,
    instance_metrics: VecDeque<InstanceSample>,
}

impl EventHub {
    pub fn new(journal: Arc<dyn JournalStore>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            journal,
            clock,
            ring: Mutex::default(),
            pushed: watch::Sender::new(0),
            readers: watch::Sender::new(0),
        }))
    }

    /// Tell something that must arrive: it goes to the journal within a moment and is sent until acknowledged.
    pub fn durable(&self, event: AgentEvent) {
        let at = self.0.clock.now();
        drop(self.0.journal.submit(vec![Write::Event { at, event: Box::new(event) }], Urgency::Soon));
    }

    /// Tell something that is worthless when late.
    pub fn volatile(&self, event: AgentEvent) {
        let envelope = self.envelope(event);
        let size = serde_json::to_vec(&envelope).map_or(0, |v| v.len());
        {
            let mut ring = self.ring();
            ring.events.push_back((envelope, size));
            ring.bytes += size;
            while ring.events.len() > RING_EVENTS || (ring.bytes > RING_BYTES && ring.events.len() > 1) {
                if let Some((_, size)) = ring.events.pop_front() {
                    ring.bytes -= size;
                    ring.dropped += 1;
                }
            }
        }
        self.0.pushed.send_modify(|n| *n += 1);
    }

    /// Tell a sample; samples that nobody reads yet travel together later.
    pub fn metrics(&self, sample: MetricsSample) {
        {
            let mut ring = self.ring();
            ring.metrics.push_back(sample);
            if ring.metrics.len() > METRICS_KEPT {
                ring.metrics.pop_front();
                ring.dropped += 1;
            }
        }
        self.0.pushed.send_modify(|n| *n += 1);
    }

    /// Tell samples of instances; those that nobody reads yet travel together later.
    pub fn instance_metrics(&self, samples: Vec<InstanceSample>) {
        if samples.is_empty() {
            return;
        }
        {
            let mut ring = self.ring();
            ring.instance_metrics.extend(samples);
            let surplus = ring.instance_metrics.len().saturating_sub(INSTANCE_METRICS_KEPT);
            ring.instance_metrics.drain(..surplus);
            ring.dropped += surplus as u64;
        }
        self.0.pushed.send_modify(|n| *n += 1);
    }

    pub fn envelope(&self, event: AgentEvent) -> EventEnvelope {
        EventEnvelope { seq: None, journal_id: self.0.journal.id(), at: self.0.clock.now(), event }
    }

    /// The controller has committed everything up to `seq`.
    pub async fn acknowledge(&self, seq: u64, at: DateTime<Utc>) -> Result<(), crate::journal::JournalError> {
        self.0.journal.submit(vec![Write::Acknowledge { seq, at }], Urgency::Soon).await
    }

    /// Read from now on; whoever read before gets the end of its stream.
    pub fn read(&self, after: u64) -> EventReader {
        let mut reader = 0;
        self.0.readers.send_modify(|n| {
            *n += 1;
            reader = *n;
        });
        EventReader {
            readers: self.0.readers.subscribe(),
            reader,
            opened_at: *self.0.journal.last_seq().borrow(),
            committed: self.0.journal.last_seq(),
            pushed: self.0.pushed.subscribe(),
            after,
            hub: self.clone(),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Everything volatile that waits, a gap mark first when something was dropped.
    fn take_volatile(&self) -> Vec<EventEnvelope> {
        let mut ring = self.ring();
        let dropped = std::mem::take(&mut ring.dropped);
        ring.bytes = 0;
        let mut taken = Vec::new();
        if dropped > 0 {
            taken.push(self.envelope(AgentEvent::Gap { dropped }));
        }
        taken.extend(ring.events.drain(..).map(|(event, _)| event));
        if !ring.metrics.is_empty() {
            taken.push(self.envelope(AgentEvent::Metrics(ring.metrics.drain(..).collect())));
        }
        // A line of the stream has a limit.
        while !ring.instance_metrics.is_empty() {
            let count = ring.instance_metrics.len().min(1000);
            let samples = ring.instance_metrics.drain(..count).collect();
            taken.push(self.envelope(AgentEvent::InstanceMetrics(samples)));
        }
        taken
    }
}

/// One reader's place.
pub struct EventReader {
    hub: EventHub,
    reader: u64,
    readers: watch::Receiver<u64>,
    committed: watch::Receiver<u64>,
    pushed: watch::Receiver<u64>,
    /// The newest durable event when reading began.
    opened_at: u64,
    after: u64,
}

impl EventReader {
    /// The next durable events of before the reading began; none when all were given. None as with [`Self::next`].
    pub fn next_of_backlog(&mut self) -> Option<Vec<EventEnvelope>> {
        if *self.readers.borrow() != self.reader {
            return None;
        }
        let mut events = Vec::new();
        while self.after < self.opened_at && events.is_empty() {
            events = self.durable(self.opened_at)?;
        }
        Some(events)
    }

    /// Durable events beyond those that were given, `committed` being the newest one's number. None: unreadable.
    fn durable(&mut self, committed: u64) -> Option<Vec<EventEnvelope>> {
        match self.hub.0.journal.events(self.after, 64) {
            Ok(events) => {
                // Numbers may be missing: replaced events are gone.
                self.after = events.last().and_then(|e| e.seq).unwrap_or(committed);
                Some(events)
            }
            Err(error) => {
                tracing::error!(%error, "durable events cannot be read");
                None
            }
        }
    }

    /// The next events, at least one, durable ones first; None when a newer reader has taken over or the journal
    /// cannot be read.
    pub async fn next(&mut self) -> Option<Vec<EventEnvelope>> {
        loop {
            if *self.readers.borrow_and_update() != self.reader {
                return None;
            }
            let committed = *self.committed.borrow_and_update();
            self.pushed.borrow_and_update();
            if committed > self.after {
                let events = self.durable(committed)?;
                if !events.is_empty() {
                    return Some(events);
                }
                continue;
            }
            let volatile = self.hub.take_volatile();
            if !volatile.is_empty() {
                return Some(volatile);
            }
            let alive = tokio::select! {
                changed = self.committed.changed() => changed.is_ok(),
                changed = self.pushed.changed() => changed.is_ok(),
                changed = self.readers.changed() => changed.is_ok(),
            };
            if !alive {
                return None;
            }
        }
    }
}
