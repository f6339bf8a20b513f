//! The agent's pauses between attempts: uniform in 0-2 s, then doubling to 60 s with full jitter.

use rand::RngExt;
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(2);
const MOST: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Backoff(u32);

impl Backoff {
    /// The next pause.
    pub fn next(&mut self) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.0.min(5)).min(MOST);
        self.0 += 1;
        rand::rng().random_range(Duration::ZERO..=ceiling)
    }
}
