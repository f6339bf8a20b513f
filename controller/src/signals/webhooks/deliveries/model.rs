//! A delivery with its attempts, and when the next one is.

use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{EventId, WebhookDeliveryId, WebhookEndpointId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// So long a delivery is tried.
pub const PATIENCE: TimeDelta = TimeDelta::days(3);
/// So long a delivery waits for an earlier one of the same subject.
pub const ORDER_KEPT: TimeDelta = TimeDelta::minutes(1);
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(8);

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It has not come through yet and is tried again.
    Pending,
    Delivered,
    /// Given up after three days.
    Failed,
    /// Its endpoint was switched off before it came through.
    Cancelled,
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookDelivery {
    pub id: WebhookDeliveryId,
    pub endpoint_id: WebhookEndpointId,
    /// Id of the event, which receivers get as `webhook-id`: the same in every attempt and replay.
    pub event_id: EventId,
    #[schema(example = "instance.started")]
    pub event_type: String,
    /// What the event is about.
    pub subject_id: Uuid,
    pub status: DeliveryStatus,
    /// Sent although an earlier event of the same subject had not come through, or a later one had: the header
    /// `ocore-out-of-order` said so.
    pub out_of_order: bool,
    /// The delivery whose bytes are sent again.
    pub replay_of: Option<WebhookDeliveryId>,
    /// How often it was tried.
    pub attempt_count: i32,
    /// The newest ten attempts, the newest first.
    pub attempts: Vec<WebhookAttempt>,
    /// The body as it is signed and sent.
    #[schema(value_type = Object)]
    pub payload: serde_json::Value,
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// One request and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookAttempt {
    /// From 1 on.
    pub number: i32,
    pub started_at: DateTime<Utc>,
    pub milliseconds: i32,
    /// Status of the answer; null when there was none.
    #[schema(example = 200)]
    pub status: Option<i32>,
    pub request_headers: BTreeMap<String, String>,
    pub response_headers: Option<BTreeMap<String, String>>,
    /// The first 4 KiB of the answer.
    pub response_body: Option<String>,
    /// Why it did not come through, in a sentence.
    pub problem: Option<String>,
}

impl WebhookAttempt {
    /// Only 2xx is a success.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// The receiver says that nobody listens there any more.
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// When to try again after that many attempts: 10 s, then twice as long each time, at most 8 h, each a fifth more or
/// less, so that what failed together does not come back together. The last time is at the very end of the patience;
/// None: that has passed.
pub fn next_attempt(created: DateTime<Utc>, attempts: i32, now: DateTime<Utc>, chance: f64) -> Option<DateTime<Utc>> {
    let end = created + PATIENCE;
    if now >= end {
        return None;
    }
    let doublings = attempts.saturating_sub(1).clamp(0, 16);
    let pause = (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
    let spread = 0.8 + 0.4 * chance.clamp(0.0, 1.0);
    let pause = TimeDelta::milliseconds((pause.num_milliseconds() as f64 * spread) as i64);
    Some((now + pause).min(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_three_days_have_passed() {
        let created = DateTime::<Utc>::from_timestamp(1_700_000_000, 0).unwrap();
        for chance in [0.0, 0.5, 1.0] {
            let (mut now, mut attempts, mut longest) = (created, 0, TimeDelta::zero());
            loop {
                attempts += 1;
                let Some(next) = next_attempt(created, attempts, now, chance) else { break };
                assert!(next > now, "attempt {attempts}");
                longest = longest.max(next - now);
                now = next;
            }
            assert_eq!(now, created + PATIENCE, "the last attempt is at the end");
            assert!((15..30).contains(&attempts), "{attempts}");
            assert!(longest <= LONGEST_PAUSE * 12 / 10);
        }
        let pause = |attempts, chance| next_attempt(created, attempts, created, chance).unwrap() - created;
        assert_eq!(pause(1, 0.5), TimeDelta::seconds(10));
        assert_eq!(pause(2, 0.5), TimeDelta::seconds(20));
        assert_eq!(pause(1, 0.0), TimeDelta::seconds(8));
        assert_eq!(pause(1, 1.0), TimeDelta::seconds(12));
        assert_eq!(pause(i32::MAX, 0.5), LONGEST_PAUSE);
    }
}
