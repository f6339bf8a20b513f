//! From events to deliveries. A reconciler without input: it goes on where it, or another replica, has stopped, and
//! what it writes down is committed together with how far it has come, so that nothing is lost and nothing doubled.

use super::store::{self, Listener, NewDelivery};
use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::bus::Signal;
use crate::platform::http::Actor;
use crate::platform::jobs::tasks::store::task_enqueue;
use crate::platform::jobs::tasks::{NewTask, task_poke};
use crate::signals::events::readers::store as readers;
use crate::signals::events::{Event, Subject};
use ocore_shared::ids::{JobId, WebhookDeliveryId};
use serde_json::json;
use sqlx::PgConnection;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

const READER: &str = "webhooks";
const BATCH: i64 = 200;
/// The net below wake-ups: events of other replicas, and of transactions that were still open.
const LOOK: Duration = Duration::from_secs(1);

/// Read on whenever something has happened.
pub async fn fan_out_task(app: App) {
    let mut signals = app.bus.subscribe();
    loop {
        loop {
            match fan_out(&app).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "events could not be handed to webhooks; it is tried again");
                    break;
                }
            }
        }
        let happened = async {
            loop {
                match signals.recv().await {
                    Ok(Signal::EventsAppended) | Err(RecvError::Lagged(_)) => return,
                    Ok(_) => {}
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = happened => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Take in one batch. True: there may be more.
pub async fn fan_out(app: &App) -> Result<bool> {
    let mut tx = app.db.system().begin().await?;
    let read = batch(app, &mut tx).await?;
    tx.commit().await?;
    if read > 0 {
        task_poke(app);
    }
    Ok(read as i64 == BATCH)
}

/// One batch in the caller's transaction; how many events it was.
pub(super) async fn batch(app: &App, connection: &mut PgConnection) -> Result<usize> {
    let Some(after) = readers::reader_take(connection, READER).await? else { return Ok(0) };
    let events = readers::event_list_of_all(connection, &after, BATCH).await?;
    let Some((last, _)) = events.last() else { return Ok(0) };
    let mut organizations: Vec<_> = events.iter().map(|(_, event)| event.organization_id.0).collect();
    organizations.sort();
    organizations.dedup();
    let listeners = store::listener_list(connection, &organizations).await?;
    for (_, event) in &events {
        let body = serde_json::to_string(event).map_err(Error::internal)?;
        for listener in listeners.iter().filter(|listener| listener.wants(event)) {
            write_down(app, connection, listener, event, &body).await?;
        }
    }
    readers::reader_move(connection, READER, last, app.clock.now()).await?;
    Ok(events.len())
}

async fn write_down(
    app: &App, connection: &mut PgConnection, listener: &Listener, event: &Event, body: &str,
) -> Result<()> {
    let new = NewDelivery {
        id: WebhookDeliveryId::new(),
        organization: event.organization_id,
        endpoint: listener.id,
        event: event.id,
        event_type: &event.kind,
        subject: event.subject.id,
        body,
        replay_of: None,
    };
    delivery_enqueue(app, connection, &new, &listener.url).await.map(drop)
}

/// A delivery and the job that carries it out. The connection is the system's; ring the bell after the commit.
pub async fn delivery_enqueue(
    app: &App, connection: &mut PgConnection, new: &NewDelivery<'_>, url: &str,
) -> Result<JobId> {
    let now = app.clock.now();
    let task = NewTask {
        id: JobId::new(),
        kind: "webhook_deliver",
        // Its attempts are in the endpoint's own log; as the organization's jobs they would bury all others.
        organization: None,
        subject: Subject::new("webhook_delivery", new.id.0, url),
        input: json!({ "delivery_id": new.id }),
        lane: Some(format!("webhook {}", new.endpoint)),
        run_at: now,
        // It ends itself, after one attempt at least, however long this controller was away.
        deadline_at: None,
        created_by: Actor::system(),
    };
    task_enqueue(connection, &task).await?;
    store::delivery_insert(connection, new, task.id, now).await?;
    Ok(task.id)
}
