//! Looks after the proxy between jobs: one that was killed or removed comes back with everything that it served.

use super::apply::{HOLD, look_after};
use crate::host::Host;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(3);

pub async fn run(host: Host, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut said = String::new();
    let mut put_off = 0;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        // A job that works on it is left alone.
        let Ok(_held) = host.proxy_lock.try_lock() else { continue };
        let looked = stop.run_until_cancelled(look_after(&host, INTERVAL * put_off < HOLD)).await;
        match looked {
            None => return,
            Some(Ok(served)) => {
                put_off = if served { 0 } else { put_off + 1 };
                said.clear();
            }
            Some(Err(error)) if said != error.message => {
                tracing::warn!(code = error.code, "the proxy is not as it should be: {}", error.message);
                said = error.message;
            }
            Some(Err(_)) => {}
        }
    }
}
