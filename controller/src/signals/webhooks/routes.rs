//! `/api/webhook-endpoints`, `/api/webhook-deliveries`, `/api/webhook-events`.

use super::deliveries::model::{DeliveryStatus, WebhookAttempt, WebhookDelivery};
use super::deliveries::store::DeliveryFilter;
use super::model::{WebhookEndpoint, WebhookEndpointInput};
use super::service;
use super::store::EndpointFilter;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::names::name_check;
use crate::platform::http::{
    Accepted, Body, Ctx, DryRun, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Versioned,
    default_true, guard,
};
use crate::signals::events::catalogue::{EVENT_TYPES, EventType, EventTypeView};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::{EventId, WebhookDeliveryId, WebhookEndpointId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewWebhooks, routes!(webhook_endpoint_list)))
        .routes(guard(Permission::ManageWebhooks, routes!(webhook_endpoint_create)))
        .routes(guard(Permission::ViewWebhooks, routes!(webhook_endpoint_get)))
        .routes(guard(Permission::ManageWebhooks, routes!(webhook_endpoint_update)))
        .routes(guard(Permission::ManageWebhooks, routes!(webhook_endpoint_delete)))
        .routes(guard(Permission::ManageWebhooks, routes!(webhook_endpoint_test)))
        .routes(guard(Permission::ManageWebhooks, routes!(webhook_endpoint_rotate)))
        .routes(guard(Permission::ViewWebhooks, routes!(webhook_delivery_list)))
        .routes(guard(Permission::ViewWebhooks, routes!(webhook_delivery_get)))
        .routes(guard(Permission::ManageWebhooks, routes!(webhook_delivery_replay)))
        .routes(guard(Permission::ViewWebhooks, routes!(webhook_event_list)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct EndpointListParams {
    /// Exact address.
    #[garde(skip)]
    url: Option<String>,
    /// Part of the address or the description.
    #[garde(inner(length(chars, max = 64)))]
    q: Option<String>,
    /// Only those that are on, or off.
    #[garde(skip)]
    active: Option<bool>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// A webhook to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "url": "https://example.com/hook", "events": ["instance.started", "instance.error"], "description": "Chat room"
}))]
pub struct WebhookEndpointCreate {
    /// An https address whose host is public; the operator may open private networks.
    #[garde(length(min = 1, max = 2048))]
    #[schema(min_length = 1, max_length = 2048)]
    url: String,
    /// Types of events, as GET /api/webhook-events lists them; `*` stands for all.
    #[garde(length(min = 1, max = 128))]
    #[schema(min_items = 1, max_items = 128)]
    events: Vec<String>,
    #[garde(length(chars, max = 255), custom(name_check))]
    #[serde(default)]
    #[schema(max_length = 255)]
    description: String,
    /// Whether it gets anything from now on.
    #[garde(skip)]
    #[serde(default = "default_true")]
    active: bool,
}

/// What a webhook becomes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookEndpointUpdate {
    #[garde(inner(length(min = 1, max = 2048)))]
    #[schema(min_length = 1, max_length = 2048)]
    url: Option<String>,
    #[garde(inner(length(min = 1, max = 128)))]
    #[schema(min_items = 1, max_items = 128)]
    events: Option<Vec<String>>,
    #[garde(inner(length(chars, max = 255), custom(name_check)))]
    #[schema(max_length = 255)]
    description: Option<String>,
    /// Switching it on begins anew, whatever was wrong with it; what waits for one that is switched off is cancelled.
    #[garde(skip)]
    active: Option<bool>,
}

impl PatchFields for WebhookEndpointUpdate {
    const FIELDS: &'static [&'static str] = &["url", "events", "description", "active"];
}

/// A webhook with its secret, shown this once.
#[derive(Serialize, ToSchema)]
pub struct WebhookEndpointCreated {
    #[serde(flatten)]
    endpoint: WebhookEndpoint,
    /// Checks signatures: `whsec_` and Base64. It cannot be shown again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// What came back from a ping.
#[derive(Serialize, ToSchema)]
pub struct WebhookTest {
    /// Whether it was answered with 2xx.
    delivered: bool,
    #[serde(flatten)]
    attempt: WebhookAttempt,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeliveryListParams {
    #[garde(skip)]
    #[param(inline)]
    status: Option<DeliveryStatus>,
    /// Exact type of the event.
    #[garde(skip)]
    event_type: Option<String>,
    #[garde(skip)]
    event_id: Option<EventId>,
    /// What the event is about.
    #[garde(skip)]
    subject_id: Option<Uuid>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct DeliveryPath {
    delivery_id: WebhookDeliveryId,
}

/// List webhooks.
///
/// An endpoint that fails for three days is switched off; `disabled_reason` says why.
#[utoipa::path(get, path = "/api/webhook-endpoints", tag = "Webhooks", params(EndpointListParams, Page),
    responses((status = 200, description = "Webhooks, newest first, never their secret", body = List<WebhookEndpoint>),
        (status = 400, description = "A parameter is wrong", body = ErrorBody)))]
async fn webhook_endpoint_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<EndpointListParams>,
) -> Result<Json<List<WebhookEndpoint>>> {
    let filter = EndpointFilter { id: None, url: params.url.as_deref(), q: params.q.as_deref(), active: params.active };
    service::webhook_endpoint_list(&ctx, &app, filter, &params.page).await.map(Json)
}

/// Make a webhook.
///
/// Each event of the chosen types is sent as a POST with the event as its JSON body, signed as
/// [Standard Webhooks](https://www.standardwebhooks.com) say: `webhook-id`, `webhook-timestamp` and
/// `webhook-signature`. Only 2xx counts as received; all else is tried again, for three days. Events of one subject come
/// in order; one that cannot carries `ocore-out-of-order: true`.
#[utoipa::path(post, path = "/api/webhook-endpoints", tag = "Webhooks", request_body = WebhookEndpointCreate,
    responses((status = 201, description = "The webhook with its secret, shown this once", body = WebhookEndpointCreated),
        (status = 400, description = "A field is wrong: the address may not be called, or there is no such event", body = ErrorBody),
        (status = 409, description = "There are too many", body = ErrorBody)))]
async fn webhook_endpoint_create(
    ctx: Ctx, State(app): State<App>, Body(body): Body<WebhookEndpointCreate>,
) -> Result<Versioned<WebhookEndpointCreated>> {
    let WebhookEndpointCreate { url, events, description, active } = body;
    let new = WebhookEndpointInput { url, description, events, active };
    let (endpoint, secret) = service::webhook_endpoint_create(&ctx, &app, new).await?;
    let version = endpoint.version;
    let created = WebhookEndpointCreated { endpoint, secret: secret.expose().to_owned() };
    Ok(Versioned(StatusCode::CREATED, created, version))
}

/// Read a webhook.
#[utoipa::path(get, path = "/api/webhook-endpoints/{id}", tag = "Webhooks", params(WebhookEndpointId),
    responses((status = 200, description = "The webhook, never its secret", body = WebhookEndpoint),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn webhook_endpoint_get(
    ctx: Ctx, State(app): State<App>, Path(id): Path<WebhookEndpointId>,
) -> Result<Versioned<WebhookEndpoint>> {
    let endpoint = service::webhook_endpoint_get(&ctx, &app, id).await?;
    let version = endpoint.version;
    Ok(Versioned(StatusCode::OK, endpoint, version))
}

/// Change a webhook, or switch it on or off.
#[utoipa::path(patch, path = "/api/webhook-endpoints/{id}", tag = "Webhooks", params(WebhookEndpointId),
    request_body = WebhookEndpointUpdate,
    responses((status = 200, description = "As it is now", body = WebhookEndpoint),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn webhook_endpoint_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<WebhookEndpointId>, if_match: IfMatch,
    body: Patch<WebhookEndpointUpdate>,
) -> Result<Versioned<WebhookEndpoint>> {
    let change = |before: &WebhookEndpoint| {
        let body = body.read(before)?;
        Ok(WebhookEndpointInput {
            url: body.url.unwrap_or_else(|| before.url.clone()),
            description: body.description.unwrap_or_else(|| before.description.clone()),
            events: body.events.unwrap_or_else(|| before.events.clone()),
            active: body.active.unwrap_or(before.active),
        })
    };
    let endpoint = service::webhook_endpoint_update(&ctx, &app, id, if_match, change).await?;
    let version = endpoint.version;
    Ok(Versioned(StatusCode::OK, endpoint, version))
}

/// Remove a webhook with the log of its deliveries.
#[utoipa::path(delete, path = "/api/webhook-endpoints/{id}", tag = "Webhooks", params(WebhookEndpointId, DryRun),
    responses((status = 204, description = "Nothing is sent to it any more"),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn webhook_endpoint_delete(
    ctx: Ctx, State(app): State<App>, Path(id): Path<WebhookEndpointId>, if_match: IfMatch,
    Params(params): Params<DryRun>,
) -> Result<StatusCode> {
    service::webhook_endpoint_delete(&ctx, &app, id, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a webhook out: send a ping now and answer what came back.
///
/// It is sent whether the webhook is on or off, once, as an event `webhook_endpoint.tested`. That nothing came back is
/// told in `problem`, not by the status of this answer.
#[utoipa::path(post, path = "/api/webhook-endpoints/{id}/test", tag = "Webhooks", params(WebhookEndpointId),
    responses((status = 200, description = "What came back", body = WebhookTest),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn webhook_endpoint_test(
    ctx: Ctx, State(app): State<App>, Path(id): Path<WebhookEndpointId>,
) -> Result<Json<WebhookTest>> {
    let attempt = service::webhook_endpoint_test(&ctx, &app, id).await?;
    Ok(Json(WebhookTest { delivered: attempt.is_success(), attempt }))
}

/// Give a webhook another secret.
///
/// For 24 hours `webhook-signature` holds two signatures, of the new and of the former secret, separated by a space.
#[utoipa::path(post, path = "/api/webhook-endpoints/{id}/rotate-secret", tag = "Webhooks", params(WebhookEndpointId),
    responses((status = 200, description = "The webhook with its new secret, shown this once", body = WebhookEndpointCreated),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn webhook_endpoint_rotate(
    ctx: Ctx, State(app): State<App>, Path(id): Path<WebhookEndpointId>, if_match: IfMatch,
) -> Result<Versioned<WebhookEndpointCreated>> {
    let (endpoint, secret) = service::webhook_endpoint_rotate(&ctx, &app, id, if_match).await?;
    let version = endpoint.version;
    let rotated = WebhookEndpointCreated { endpoint, secret: secret.expose().to_owned() };
    Ok(Versioned(StatusCode::OK, rotated, version))
}

/// List what was sent to a webhook, with each attempt and what came back.
///
/// Kept for 30 days.
#[utoipa::path(get, path = "/api/webhook-endpoints/{id}/deliveries", tag = "Webhooks",
    params(WebhookEndpointId, DeliveryListParams, Page),
    responses((status = 200, description = "Deliveries, newest first", body = List<WebhookDelivery>),
        (status = 400, description = "A parameter is wrong", body = ErrorBody),
        (status = 404, description = "There is no such webhook", body = ErrorBody)))]
async fn webhook_delivery_list(
    ctx: Ctx, State(app): State<App>, Path(id): Path<WebhookEndpointId>, Params(params): Params<DeliveryListParams>,
) -> Result<Json<List<WebhookDelivery>>> {
    let filter = DeliveryFilter {
        status: params.status,
        event_type: params.event_type.as_deref(),
        event: params.event_id,
        subject: params.subject_id,
        ..DeliveryFilter::default()
    };
    service::webhook_delivery_list(&ctx, &app, id, filter, &params.page).await.map(Json)
}

/// Read a delivery.
#[utoipa::path(get, path = "/api/webhook-deliveries/{delivery_id}", tag = "Webhooks", params(DeliveryPath),
    responses((status = 200, description = "The delivery with its attempts", body = WebhookDelivery),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn webhook_delivery_get(
    ctx: Ctx, State(app): State<App>, Path(path): Path<DeliveryPath>,
) -> Result<Json<WebhookDelivery>> {
    service::webhook_delivery_get(&ctx, &app, path.delivery_id).await.map(Json)
}

/// Send a delivery again.
///
/// The same bytes with the same `webhook-id`, as a delivery of its own with its own attempts; `id` of the answer is that
/// one's.
#[utoipa::path(post, path = "/api/webhook-deliveries/{delivery_id}/replay", tag = "Webhooks", params(DeliveryPath),
    responses((status = 202, description = "It is on its way", body = Accepted),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It is still on its way, or the webhook is switched off", body = ErrorBody)))]
async fn webhook_delivery_replay(ctx: Ctx, State(app): State<App>, Path(path): Path<DeliveryPath>) -> Result<Accepted> {
    service::webhook_delivery_replay(&ctx, &app, path.delivery_id).await
}

/// List every type of event, each with a sample.
#[utoipa::path(get, path = "/api/webhook-events", tag = "Webhooks",
    responses((status = 200, description = "All types by name, in one page", body = List<EventTypeView>)))]
async fn webhook_event_list(_: Ctx) -> Json<List<EventTypeView>> {
    Json(List::whole(EVENT_TYPES.iter().map(EventType::view).collect()))
}
