//! The table of contents: every route of both ports.

use crate::app::App;
use crate::identity::authentication::authenticate;
use crate::platform::http::{guard, idempotency, layers, limit};
use crate::{apps, business, compat, console, delivery, error, fleet, guide, health, identity, platform, signals};
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::OpenApi as _;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config as SwaggerConfig, SwaggerUi};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "oCore", description = "Control plane for servers that run Odoo and other containers."),
    components(schemas(error::ErrorBody))
)]
struct Document;

/// Every operation of `/api`, each with its guard.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(identity::routes())
        .merge(fleet::routes())
        .merge(delivery::routes())
        .merge(apps::routes())
        .merge(business::routes())
        .merge(platform::jobs::routes::routes())
        .merge(signals::routes())
}

/// The OpenAPI document, as generated from the code.
pub fn openapi() -> OpenApi {
    let mut document = api().into_openapi();
    document.merge(health::routes().into_openapi());
    finish(document)
}

/// The document of `/v1`, derived from the canonical one.
pub fn openapi_v1() -> serde_json::Result<serde_json::Value> {
    Ok(compat::document(&serde_json::to_value(openapi())?))
}

fn finish(mut document: OpenApi) -> OpenApi {
    // Derived from the package, which names none.
    document.info.license = None;
    let components = document.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("bearer", bearer);
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-KEY")));
    components.add_security_scheme("api_key", key);
    let operations = document.paths.paths.values_mut().flat_map(guard::operations_mut);
    for (status, answer) in operations.flat_map(|operation| operation.responses.responses.iter_mut()) {
        if let RefOr::T(response) = answer
            && response.description.is_empty()
        {
            response.description = usual_meaning(status).to_owned();
        }
    }
    document
}

/// What a status means where an operation has nothing of its own to say.
fn usual_meaning(status: &str) -> &'static str {
    match status {
        "200" => "As asked.",
        "201" => "Made.",
        "202" => "A job has begun; the answer says where to watch it.",
        "204" => "Done.",
        "400" => "A field is wrong; the body names each with what to do.",
        "401" => "No credentials, or none that can be read.",
        "403" => "The credentials do not allow this, or have been revoked or have expired.",
        "404" => "There is no such object, or it is not visible with these credentials.",
        "409" => "It does not go together with what is there; the message says what.",
        "412" => "The object has changed since (If-Match); read it again.",
        "422" => "Understood, but it cannot be done as things are.",
        "429" => "Too many requests; Retry-After says when to try again.",
        "502" => "The server's agent answered with an error.",
        "503" => "Not now; Retry-After says when to try again.",
        _ => "See the description.",
    }
}

/// The port of people and programs.
pub fn people(app: &App) -> Router {
    let document = serde_json::to_value(openapi()).unwrap_or_default();
    let documents = ["/api/openapi.json", "/v1/openapi.json"];
    let explorer = SwaggerUi::new("/docs").config(SwaggerConfig::new(documents).validator_url("none"));
    let (api, _) = api().split_for_parts();
    let (health, _) = health::routes().split_for_parts();
    let api = api
        .layer(from_fn_with_state(app.clone(), idempotency::idempotency))
        .layer(from_fn_with_state(app.clone(), limit::limit))
        .layer(from_fn_with_state(app.clone(), authenticate))
        .layer(DefaultBodyLimit::max(platform::http::body::MAX_BODY));
    let second = compat::routes::routes(app, api.clone().with_state(app.clone()), &document);
    // Streams are flushed line by line; compressing them would hold lines back.
    let compressed = SizeAbove::new(860).and(NotForContentType::SSE).and(NotForContentType::const_new("text/plain"));
    Router::new()
        .merge(api)
        .merge(explorer)
        .route("/api/openapi.json", axum::routing::get(move || async move { Json(document) }))
        .merge(second)
        .merge(health)
        .merge(health::metrics_route())
        .merge(guide::routes())
        .fallback(console::serve)
        .layer(CompressionLayer::new().compress_when(compressed))
        .layer(from_fn_with_state(app.clone(), layers::secure))
        .layer(from_fn(layers::observe))
        .layer(CatchPanicLayer::new())
        .with_state(app.clone())
}

/// The agents' port.
pub fn agents(app: &App) -> Router {
    Router::new()
        .merge(fleet::enrollment::routes::routes())
        .merge(fleet::connection::routes::routes())
        .fallback(|| async { error::Error::NotFound("route on the agents' port") })
        .layer(from_fn(layers::observe))
        .layer(CatchPanicLayer::new())
        .with_state(app.clone())
}

#[cfg(test)]
mod tests;
