//! What every answer carries: request id, security headers, a log line, metrics.

use crate::app::App;
use crate::platform::http::listener::Peer;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

pub const REQUEST_ID: &str = "x-request-id";
const LONGEST_REQUEST_ID: usize = 64;
const STANDARD: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::CONNECT,
];

/// Give each request an id (a client's own is kept when it is harmless), log it, count it.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(|v| v.to_str().ok()).filter(|id| {
        !id.is_empty()
            && id.len() <= LONGEST_REQUEST_ID
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    });
    let id = given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let value = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("invalid"));
    request.headers_mut().insert(REQUEST_ID, value.clone());
    let route = request.extensions().get::<MatchedPath>().map_or("other".to_owned(), |p| p.as_str().to_owned());
    let method = request.method().clone();
    // Anybody can make methods up, and each would be a series for ever.
    let counted = if STANDARD.contains(&method) { method.to_string() } else { "other".to_owned() };
    let span = tracing::info_span!("request", id = %id, method = %method, path = %request.uri().path());
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let seconds = started.elapsed().as_secs_f64();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, milliseconds = seconds * 1000.0, "answered"));
    let labels = [("method", counted), ("route", route), ("status", status.to_string())];
    metrics::counter!("ocore_http_requests_total", &labels).increment(1);
    metrics::histogram!("ocore_http_request_seconds", &labels[..2]).record(seconds);
    response.headers_mut().insert(REQUEST_ID, value);
    response
}

/// Headers that keep a browser from being used against its person.
pub async fn secure(State(app): State<App>, request: Request, next: Next) -> Response {
    let tls = request.extensions().get::<Peer>().is_some_and(|p| p.tls);
    // The API explorer sets inline styles and shows data: images; nothing may run but our own files.
    let policy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                  connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'";
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if tls && app.config.tls_certificate.is_some() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
