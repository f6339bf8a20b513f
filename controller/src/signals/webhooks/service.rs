//! The rules of webhooks: whoever manages them does so for the whole organization, and sees a secret once.

use super::deliveries::attempt::{Message, attempt};
use super::deliveries::fan_out::delivery_enqueue;
use super::deliveries::model::{DeliveryStatus, WebhookAttempt, WebhookDelivery};
use super::deliveries::store::{self as deliveries, DeliveryFilter, NewDelivery};
use super::model::{WebhookEndpoint, WebhookEndpointInput, secret_make};
use super::store::{self, EndpointFilter};
use crate::app::App;
use crate::business::settings::service::settings_get;
use crate::error::{Error, Problem, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::Signal;
use crate::platform::http::{Accepted, Ctx, IfMatch, List, Page};
use crate::platform::jobs::tasks::task_poke;
use crate::platform::outbound::OutboundError;
use crate::platform::secrets::store::secret_add;
use crate::signals::events::catalogue::{ALL, EventType, PING};
use crate::signals::events::store::event_append;
use crate::signals::events::{Event, Subject};
use chrono::TimeDelta;
use ocore_shared::ids::{EventId, SecretId, WebhookDeliveryId, WebhookEndpointId};
use ocore_shared::secret::Secret;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

/// Each gets a copy of what happens.
const MOST: i64 = 50;
/// So long the secret before a rotation counts as well.
const GRACE: TimeDelta = TimeDelta::hours(24);

pub async fn webhook_endpoint_list(
    ctx: &Ctx, app: &App, filter: EndpointFilter<'_>, page: &Page,
) -> Result<List<WebhookEndpoint>> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let list = store::endpoint_list(&mut connection, ctx.organization, &filter, page, app.clock.now()).await?;
    Ok(List::new(list, page, |endpoint| endpoint.id.0))
}

pub async fn webhook_endpoint_get(ctx: &Ctx, app: &App, id: WebhookEndpointId) -> Result<WebhookEndpoint> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    found(ctx, app, &mut connection, id).await
}

async fn found(ctx: &Ctx, app: &App, connection: &mut PgConnection, id: WebhookEndpointId) -> Result<WebhookEndpoint> {
    let filter = EndpointFilter { id: Some(id), ..EndpointFilter::default() };
    let list = store::endpoint_list(connection, ctx.organization, &filter, &Page::default(), app.clock.now()).await?;
    list.into_iter().next().ok_or(Error::NotFound("webhook endpoint"))
}

/// Make an endpoint. Its secret is in the answer and nowhere else.
pub async fn webhook_endpoint_create(
    ctx: &Ctx, app: &App, mut new: WebhookEndpointInput,
) -> Result<(WebhookEndpoint, Secret)> {
    ctx.require_everywhere()?;
    check(app, &mut new).await?;
    let id = WebhookEndpointId::new();
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    if store::endpoint_count(&mut tx, ctx.organization).await? >= MOST {
        let message = format!("An organization has at most {MOST} webhooks; remove one that nobody needs any more.");
        return Err(Error::conflict("too_many_webhooks", message));
    }
    let (secret, plain) = secret_store(ctx, app, &mut tx).await?;
    store::endpoint_insert(&mut tx, ctx.organization, id, &new, secret).await?;
    let endpoint = found(ctx, app, &mut tx, id).await?;
    tell(ctx, &mut tx, "webhook_endpoint.created", None, Some(&endpoint)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok((endpoint, plain))
}

async fn secret_store(ctx: &Ctx, app: &App, connection: &mut PgConnection) -> Result<(SecretId, Secret)> {
    let plain = secret_make();
    let id = secret_add(connection, ctx.organization, &app.keyring, "webhook", &plain).await?;
    Ok((id, plain))
}

/// All that is wrong at once; and the types in order, none twice.
async fn check(app: &App, input: &mut WebhookEndpointInput) -> Result<()> {
    // Networks may have been opened or closed since.
    settings_get(app).await?;
    let mut problems = Vec::new();
    if let Err(refusal) = app.outbound.url_read(&input.url) {
        let constraint = if refusal == OutboundError::Refused { "address" } else { "url" };
        problems.push(problem("url".into(), constraint, refusal.to_string()));
    }
    for (index, kind) in input.events.iter().enumerate() {
        if kind != ALL && EventType::find(kind).is_none_or(|event| event.kind == PING) {
            let message =
                format!("There is no event '{kind}'; GET /api/webhook-events lists them, '*' stands for all.");
            problems.push(problem(format!("events[{index}]"), "enum", message));
        }
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    input.events.sort();
    input.events.dedup();
    Ok(())
}

fn problem(field: String, constraint: &str, message: String) -> Problem {
    Problem { field, constraint: constraint.into(), message }
}

/// Change an endpoint. What waits for one that is switched off is not sent any more.
pub async fn webhook_endpoint_update(
    ctx: &Ctx, app: &App, id: WebhookEndpointId, if_match: IfMatch,
    change: impl FnOnce(&WebhookEndpoint) -> Result<WebhookEndpointInput>,
) -> Result<WebhookEndpoint> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let before = locked(ctx, app, &mut tx, id, if_match).await?;
    let mut to = change(&before)?;
    check(app, &mut to).await?;
    store::endpoint_update(&mut tx, ctx.organization, id, &to).await?;
    if before.active && !to.active {
        deliveries::delivery_cancel_all(&mut tx, ctx.organization, id, app.clock.now()).await?;
    }
    let after = found(ctx, app, &mut tx, id).await?;
    tell(ctx, &mut tx, "webhook_endpoint.updated", Some(&before), Some(&after)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

async fn locked(
    ctx: &Ctx, app: &App, connection: &mut PgConnection, id: WebhookEndpointId, if_match: IfMatch,
) -> Result<WebhookEndpoint> {
    if !store::endpoint_lock(connection, ctx.organization, id).await? {
        return Err(Error::NotFound("webhook endpoint"));
    }
    let endpoint = found(ctx, app, connection, id).await?;
    if_match.check(endpoint.version)?;
    Ok(endpoint)
}

/// Remove an endpoint with its log.
pub async fn webhook_endpoint_delete(
    ctx: &Ctx, app: &App, id: WebhookEndpointId, if_match: IfMatch, dry_run: bool,
) -> Result<()> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let before = locked(ctx, app, &mut tx, id, if_match).await?;
    if dry_run {
        return Ok(());
    }
    store::endpoint_delete(&mut tx, ctx.organization, id).await?;
    tell(ctx, &mut tx, "webhook_endpoint.deleted", Some(&before), None).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

/// Another secret; for a day everything is signed with both.
pub async fn webhook_endpoint_rotate(
    ctx: &Ctx, app: &App, id: WebhookEndpointId, if_match: IfMatch,
) -> Result<(WebhookEndpoint, Secret)> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let before = locked(ctx, app, &mut tx, id, if_match).await?;
    let (secret, plain) = secret_store(ctx, app, &mut tx).await?;
    store::endpoint_rotate(&mut tx, ctx.organization, id, secret, app.clock.now() + GRACE).await?;
    let after = found(ctx, app, &mut tx, id).await?;
    tell(ctx, &mut tx, "webhook_endpoint.secret_rotated", Some(&before), Some(&after)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok((after, plain))
}

async fn tell(
    ctx: &Ctx, connection: &mut PgConnection, action: &str, before: Option<&WebhookEndpoint>,
    after: Option<&WebhookEndpoint>,
) -> Result<()> {
    let Some(endpoint) = after.or(before) else { return Ok(()) };
    let subject = Subject::new("webhook_endpoint", endpoint.id.0, &endpoint.url);
    let value =
        |endpoint: &WebhookEndpoint| -> Result<Value> { serde_json::to_value(endpoint).map_err(Error::internal) };
    let (before, after) = (before.map(value).transpose()?, after.map(value).transpose()?);
    audit_append(connection, Some(ctx.organization), &ctx.caller, action, &subject, before, after).await?;
    event_append(connection, ctx.organization, action, ctx.actor(), &subject, json!({})).await
}

/// Send a ping at once and tell what came back; it is in no log and is not tried again.
pub async fn webhook_endpoint_test(ctx: &Ctx, app: &App, id: WebhookEndpointId) -> Result<WebhookAttempt> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let endpoint = found(ctx, app, &mut tx, id).await?;
    let subject = Subject::new("webhook_endpoint", id.0, &endpoint.url);
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, PING, &subject, None, None).await?;
    tx.commit().await?;
    // Nobody waits for a receiver with a connection in hand.
    drop(connection);
    let event = Event {
        id: EventId::new(),
        kind: PING.into(),
        created_at: app.clock.now(),
        organization_id: ctx.organization,
        actor: ctx.actor().clone(),
        subject,
        data: json!({}),
    };
    let message = Message {
        organization: ctx.organization,
        endpoint: id,
        url: &endpoint.url,
        event: event.id,
        body: &serde_json::to_string(&event).map_err(Error::internal)?,
        out_of_order: false,
        number: 1,
    };
    attempt(app, &message).await
}

/// What was sent to an endpoint, newest first.
pub async fn webhook_delivery_list(
    ctx: &Ctx, app: &App, endpoint: WebhookEndpointId, filter: DeliveryFilter<'_>, page: &Page,
) -> Result<List<WebhookDelivery>> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    found(ctx, app, &mut connection, endpoint).await?;
    let filter = DeliveryFilter { endpoint: Some(endpoint), ..filter };
    let list = deliveries::delivery_list(&mut connection, ctx.organization, &filter, page).await?;
    Ok(List::new(list, page, |delivery| delivery.id.0))
}

pub async fn webhook_delivery_get(ctx: &Ctx, app: &App, id: WebhookDeliveryId) -> Result<WebhookDelivery> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let filter = DeliveryFilter { id: Some(id), ..DeliveryFilter::default() };
    let list = deliveries::delivery_list(&mut connection, ctx.organization, &filter, &Page::default()).await?;
    list.into_iter().next().ok_or(Error::NotFound("webhook delivery"))
}

/// Send the same bytes again, as a delivery of its own.
pub async fn webhook_delivery_replay(ctx: &Ctx, app: &App, id: WebhookDeliveryId) -> Result<Accepted> {
    ctx.require_everywhere()?;
    // The system's: the job that sends it is nobody's but the controller's.
    let mut tx = app.db.system().begin().await?;
    let due = deliveries::delivery_find(&mut tx, id).await?;
    let due = due.filter(|due| due.organization == ctx.organization).ok_or(Error::NotFound("webhook delivery"))?;
    if due.status == DeliveryStatus::Pending {
        return Err(Error::conflict("delivery_pending", "This delivery is still on its way; wait until it has ended."));
    }
    if !due.active {
        let message = "This webhook is switched off; switch it on first (PATCH with \"active\": true).";
        return Err(Error::conflict("webhook_disabled", message));
    }
    let new = NewDelivery {
        id: WebhookDeliveryId::new(),
        organization: ctx.organization,
        endpoint: due.endpoint,
        event: due.event,
        event_type: &due.event_type,
        subject: due.subject,
        body: &due.body,
        // Of a replay, too, it is the first one that says where it stands.
        replay_of: Some(due.replay_of.unwrap_or(id)),
    };
    let job_id = delivery_enqueue(app, &mut tx, &new, &due.url).await?;
    let subject = Subject::new("webhook_delivery", id.0, &due.event_type);
    let after = json!({ "delivery_id": new.id });
    let action = "webhook_delivery.replayed";
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, None, Some(after)).await?;
    tx.commit().await?;
    task_poke(app);
    Ok(Accepted {
        id: new.id.0,
        status: "pending".into(),
        message: "The delivery is sent again.".into(),
        job_id,
        location: format!("/api/webhook-deliveries/{}", new.id),
    })
}

/// Forget what is old, and settle what nobody works on any more.
pub async fn webhooks_prune(app: &App) -> Result<()> {
    let now = app.clock.now();
    deliveries::delivery_end_abandoned(app.db.system(), now).await?;
    deliveries::delivery_prune(app.db.system(), now).await?;
    let mut connection = app.db.system().acquire().await?;
    store::secrets_prune(&mut connection, now).await
}
