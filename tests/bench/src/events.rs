//! The live stream of events: which jobs succeeded, and when that was seen.

use ocore_tests::client::Client;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Longer than any row takes.
const LIMIT: Duration = Duration::from_secs(900);

/// Ids of jobs that succeeded, as they are seen. Returns when the stream is open.
pub async fn succeeded(client: &Client) -> mpsc::UnboundedReceiver<(String, Instant)> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (open, opened) = tokio::sync::oneshot::channel();
    let client = client.clone();
    tokio::spawn(async move {
        let mut open = Some(open);
        let seen = |event: &str, _: &str, data: &Value| match event {
            "hello" => {
                if let Some(open) = open.take() {
                    // Who waited for it may be gone.
                    let _ = open.send(());
                }
                false
            }
            "job.succeeded" => {
                let id = data["subject"]["id"].as_str().unwrap_or_default().to_owned();
                // Nobody listens any more: the row is done.
                sender.send((id, Instant::now())).is_err()
            }
            "job.failed" => panic!("a job failed: {data}"),
            _ => sender.is_closed(),
        };
        client.events("/api/events", LIMIT, seen).await;
    });
    opened.await.expect("the stream of events opens");
    receiver
}
