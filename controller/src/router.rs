//! The table of contents: every route of both ports.

use crate::app::App;
use crate::identity::authentication::authenticate;
use crate::platform::http::{cors, describe, idempotency, layers, limit};
use crate::{
    apps, business, compat, console, data, delivery, error, fleet, guide, health, identity, network, platform, signals,
};
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use std::any::Any;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
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
        .merge(data::routes())
        .merge(business::routes())
        .merge(network::routes())
        .merge(platform::jobs::routes::routes())
        .merge(platform::mail::routes::routes())
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
    describe::bodies(&mut document);
    describe::meanings(&mut document);
    document
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
    // A part of a file is counted in its own bytes.
    let compressed = compressed
        .and(NotForContentType::const_new("application/octet-stream"))
        .and(NotForContentType::const_new("application/zip"));
    let router = Router::new()
        .merge(api)
        .merge(explorer)
        .route("/api/openapi.json", axum::routing::get(move || async move { Json(document) }))
        .merge(second)
        .merge(health)
        .merge(health::metrics_route())
        .merge(guide::routes())
        .fallback(console::serve)
        .method_not_allowed_fallback(|| async { error::Error::MethodNotAllowed })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(CompressionLayer::new().compress_when(compressed));
    let router = match cors::layer(&app.config) {
        Some(layer) => router.layer(layer),
        None => router,
    };
    router
        .layer(from_fn_with_state(app.clone(), layers::secure))
        .layer(from_fn(layers::observe))
        .with_state(app.clone())
}

/// The agents' port.
pub fn agents(app: &App) -> Router {
    Router::new()
        .merge(fleet::enrollment::routes::routes())
        .merge(fleet::connection::routes::routes())
        .fallback(|| async { error::Error::NotFound("route on the agents' port") })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), layers::secure))
        .layer(from_fn(layers::observe))
        .with_state(app.clone())
}

/// A defect of ours is answered like any other failure: with an id that finds it in the log.
fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let text = cause.downcast_ref::<String>().map(String::as_str).or(cause.downcast_ref::<&str>().copied());
    error::Error::internal(anyhow::anyhow!("a handler panicked: {}", text.unwrap_or("without a word"))).into_response()
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod matrix_tests;
#[cfg(test)]
mod secrecy_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub mod walk_tests;
