//! What journeys stand on: a real controller and real agents as processes, and a person who sends requests.

pub mod authority;
pub mod client;
pub mod docker;
pub mod hosts;
pub mod odoo_log;
pub mod postgres;
pub mod processes;
pub mod provisioning;
pub mod storage;
pub mod wire;

use std::time::{Duration, Instant};

/// Ask `look` again and again until it has an answer. Fails with `what` when `limit` is over.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A variable that `tests/run` sets.
pub fn needed(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set; run the tests by tests/run"))
}

/// A port that nobody listens on, on any address.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("0.0.0.0:0").and_then(|l| l.local_addr()).expect("a free port").port()
}
