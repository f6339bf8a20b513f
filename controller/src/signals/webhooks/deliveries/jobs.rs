//! `webhook_deliver`: one attempt at one delivery, and what follows from it.

use super::attempt::{Message, attempt};
use super::model::{DeliveryStatus, ORDER_KEPT, WebhookAttempt, next_attempt};
use super::store::{self, DueDelivery};
use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::bus::Signal;
use crate::platform::http::Actor;
use crate::platform::jobs::tasks::{Outcome, Task};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use crate::signals::webhooks::store as endpoints;
use chrono::TimeDelta;
use ocore_shared::ids::WebhookDeliveryId;
use ocore_shared::protocol::jobs::JobFailure;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;

/// How often a delivery looks whether the one before it has come through.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(2);

#[derive(Deserialize)]
struct Input {
    delivery_id: WebhookDeliveryId,
}

/// Sent twice only when this process dies between the receiver's word and the row; receivers know it by its id.
pub async fn webhook_deliver(app: &App, task: &Task) -> Result<Outcome> {
    let Input { delivery_id } = serde_json::from_value(task.input.clone()).map_err(Error::internal)?;
    let mut connection = app.db.system().acquire().await?;
    // Removed with its endpoint, or ended by other means: nothing is left to do.
    let due = store::delivery_find(&mut connection, delivery_id).await?;
    let Some(due) = due.filter(|due| due.status == DeliveryStatus::Pending) else { return Ok(Outcome::Done(None)) };
    let now = app.clock.now();
    if !due.active {
        store::delivery_end(&mut connection, delivery_id, DeliveryStatus::Cancelled, now).await?;
        return Ok(Outcome::Done(None));
    }
    let order = store::delivery_order(&mut connection, &due).await?;
    drop(connection);
    if order.behind && now < due.created_at + ORDER_KEPT {
        return Ok(Outcome::Later { at: (now + LOOK_AGAIN).min(due.created_at + ORDER_KEPT) });
    }
    let message = Message {
        organization: due.organization,
        endpoint: due.endpoint,
        url: &due.url,
        event: due.event,
        body: &due.body,
        out_of_order: order.behind || order.overtaken,
        number: due.attempts + 1,
    };
    let made = attempt(app, &message).await?;
    settle(app, &due, &made, message.out_of_order).await
}

async fn settle(app: &App, due: &DueDelivery, made: &WebhookAttempt, out_of_order: bool) -> Result<Outcome> {
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    if !store::delivery_lock_pending(&mut tx, due.id, due.attempts).await? {
        // Another replica took this one for dead, and its word counts.
        return Ok(Outcome::Done(None));
    }
    store::attempt_insert(&mut tx, due, made, out_of_order).await?;
    let (organization, endpoint) = (due.organization, due.endpoint);
    let mut disabled = false;
    let outcome = if made.is_success() {
        store::delivery_end(&mut tx, due.id, DeliveryStatus::Delivered, now).await?;
        endpoints::endpoint_recovered(&mut tx, organization, endpoint).await?;
        Outcome::Done(None)
    } else {
        let failure = JobFailure {
            code: "not_delivered".into(),
            message: made.problem.clone().unwrap_or_default(),
            retryable: !made.is_gone(),
        };
        let since = endpoints::endpoint_failing(&mut tx, organization, endpoint, made.started_at).await?;
        let next = next_attempt(due.created_at, made.number, now, rand::random()).filter(|_| !made.is_gone());
        match next {
            Some(at) => {
                store::delivery_again(&mut tx, due.id, at).await?;
                Outcome::Again { at, failure }
            }
            None => {
                store::delivery_end(&mut tx, due.id, DeliveryStatus::Failed, now).await?;
                let begun = store::first_attempt_at(&mut tx, due.id).await?;
                if made.is_gone() {
                    disabled = disable(app, &mut tx, due, "The receiver answered 410: nobody listens there.").await?;
                } else if begun.is_some_and(|begun| since <= begun) {
                    // Whoever refuses only this event and takes others stays.
                    disabled = disable(app, &mut tx, due, "Nothing came through for 3 days.").await?;
                }
                Outcome::Failed(failure)
            }
        }
    };
    tx.commit().await?;
    if disabled {
        app.bus.send(Signal::EventsAppended);
    }
    Ok(outcome)
}

/// Switch the endpoint off. What still waits for it is cancelled: it can be sent again by hand.
async fn disable(app: &App, connection: &mut PgConnection, due: &DueDelivery, reason: &str) -> Result<bool> {
    let off = endpoints::endpoint_disable(connection, due.organization, due.endpoint, reason).await?;
    let Some(url) = off else { return Ok(false) };
    store::delivery_cancel_all(connection, due.organization, due.endpoint, app.clock.now()).await?;
    let subject = Subject::new("webhook_endpoint", due.endpoint.0, url);
    let data = json!({ "reason": reason });
    let actor = Actor::system();
    event_append(connection, due.organization, "webhook_endpoint.disabled", &actor, &subject, data).await?;
    Ok(true)
}
