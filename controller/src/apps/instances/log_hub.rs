//! One upstream per instance and replica, however many people look: what the agent sends is always read, into a
//! bounded ring from which each viewer takes at its own pace. It starts with the first viewer and ends after the last.

use super::logs::{Line, Lines, RETRY, encode, lines_open};
use crate::app::App;
use ocore_shared::ids::{InstanceId, ServerId};
use ocore_shared::logs::LogRing;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Of one instance's ring.
const RING_BYTES: usize = 1024 * 1024;
/// Lines of the past in a new ring, so that a viewer that reads the past meets it.
const RING_TAIL: u32 = 200;
/// The past comes at once: after such a pause, there is no more of it.
const PAST_PAUSE: Duration = Duration::from_millis(500);

type Key = (ServerId, InstanceId);

/// The upstreams of this replica.
#[derive(Default)]
pub struct LogHub(Mutex<HashMap<Key, Weak<Upstream>>>);

/// The log of one instance as it comes. Lives as long as somebody holds it.
pub struct Upstream {
    pub ring: LogRing<Line>,
    /// Whether the past is in it, so that its newest lines are the log's newest.
    settled: AtomicBool,
    _stop: DropGuard,
}

impl Upstream {
    /// Where the newest lines begin. None when they must be asked for.
    pub fn tail(&self, lines: usize) -> Option<u64> {
        if self.settled.load(Ordering::Acquire) { self.ring.tail(lines) } else { None }
    }

    fn settle(&self) {
        self.settled.store(true, Ordering::Release);
    }
}

impl LogHub {
    /// Whoever comes from now on gets another upstream.
    pub fn forget(&self, server: ServerId, instance: InstanceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(server, instance));
    }

    /// The upstream of this instance, if somebody looks at it.
    pub fn running(&self, server: ServerId, instance: InstanceId) -> Option<Arc<Upstream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(server, instance)).and_then(Weak::upgrade)
    }

    /// The upstream of this instance, started if need be.
    pub fn upstream(&self, app: &App, server: ServerId, instance: InstanceId) -> Arc<Upstream> {
        let mut upstreams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = upstreams.get(&(server, instance)).and_then(Weak::upgrade) {
            return running;
        }
        upstreams.retain(|_, weak| weak.strong_count() > 0);
        let stop = CancellationToken::new();
        let upstream = Arc::new(Upstream {
            ring: LogRing::new(RING_BYTES),
            settled: AtomicBool::new(false),
            _stop: stop.clone().drop_guard(),
        });
        upstreams.insert((server, instance), Arc::downgrade(&upstream));
        let reading = read(app.clone(), server, instance, Arc::downgrade(&upstream));
        app.spawn(async move {
            stop.run_until_cancelled(reading).await;
        });
        upstream
    }
}

/// Fill the ring. A lost tunnel is waited for and resumed after the last line, so nothing is lost or repeated.
async fn read(app: App, server: ServerId, instance: InstanceId, upstream: Weak<Upstream>) {
    let mut last: Option<String> = None;
    loop {
        let query = match &last {
            Some(after) => format!("follow=1&{}", encode(&[("after", Some(after.clone()))])),
            None => format!("follow=1&tail={RING_TAIL}"),
        };
        match lines_open(&app, server, instance, &query).await {
            Ok(lines) => copy(lines, &upstream, &mut last).await,
            Err(error) => tracing::debug!(%instance, %error, "a log cannot be followed now"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn copy(mut lines: Lines, upstream: &Weak<Upstream>, last: &mut Option<String>) {
    let mut came = 0;
    loop {
        let Ok(next) = tokio::time::timeout(PAST_PAUSE, lines.next()).await else {
            let Some(upstream) = upstream.upgrade() else { return };
            upstream.settle();
            continue;
        };
        let (Ok(Some(line)), Some(upstream)) = (next, upstream.upgrade()) else { return };
        *last = Some(line.record.cursor.clone());
        upstream.ring.push(line);
        came += 1;
        if came >= RING_TAIL {
            upstream.settle();
        }
    }
}
