//! What every answer carries: request id, security headers, a log line, metrics.

use crate::app::App;
use crate::identity::authentication::is_https;
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
    let peer = request.extensions().get::<Peer>();
    let is_direct = peer.is_some_and(|p| p.tls);
    // Our own authority's certificate is one that people must be able to step over.
    let is_certain = if is_direct { app.config.tls_certificate.is_some() } else { is_https(&app.config, &request) };
    let path = request.uri().path();
    let is_api =
        ["/api", "/v1"].iter().any(|p| path.strip_prefix(p).is_some_and(|r| r.is_empty() || r.starts_with('/')));
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
    // What the API says is about somebody, and of this moment.
    if is_api {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    if is_certain {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

#[cfg(test)]
mod tests {
    use crate::identity::authentication::tests::{Answer, Visitor};
    use crate::testing::TestApp;
    use axum::http::StatusCode;
    use serde_json::json;

    fn text<'a>(answer: &'a Answer, name: &str) -> &'a str {
        answer.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    #[tokio::test]
    async fn every_answer_keeps_browsers_from_harm() {
        let test = TestApp::start().await;
        let anyone = Visitor::new(&test.app);
        let (ada, _) = anyone.bootstrap().await;
        let answers = [
            ("a success", ada.get("/api/user").await.is(StatusCode::OK)),
            ("a refusal", anyone.get("/api/user").await.is(StatusCode::UNAUTHORIZED)),
            ("a wrong path", anyone.get("/api/nothing").await.is(StatusCode::NOT_FOUND)),
            ("a wrong method", ada.delete("/api/roles").await.is(StatusCode::METHOD_NOT_ALLOWED)),
            ("a wrong body", ada.post("/api/roles", json!([])).await.is(StatusCode::BAD_REQUEST)),
            ("the page", anyone.get("/servers").await),
            ("the explorer", anyone.get("/docs/").await),
            ("the guide", anyone.get("/docs/guide").await),
            ("the document", anyone.get("/api/openapi.json").await.is(StatusCode::OK)),
            ("health", anyone.get("/health").await.is(StatusCode::OK)),
        ];
        for (what, answer) in &answers {
            assert_eq!(text(answer, "x-content-type-options"), "nosniff", "{what}");
            assert_eq!(text(answer, "x-frame-options"), "DENY", "{what}");
            assert_eq!(text(answer, "referrer-policy"), "same-origin", "{what}");
            assert!(!text(answer, "x-request-id").is_empty(), "{what}");
            let policy = text(answer, "content-security-policy");
            for part in ["default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"] {
                assert!(policy.contains(part), "{what}: {policy}");
            }
            let scripts = policy.split(';').find(|p| p.trim().starts_with("script-src")).unwrap();
            assert_eq!(scripts.trim(), "script-src 'self'", "{what}");
        }
        // What the API says is kept nowhere.
        for (what, answer) in &answers[..5] {
            assert_eq!(text(answer, "cache-control"), "no-store", "{what}");
        }
    }

    #[tokio::test]
    async fn a_browser_is_held_to_https_only_where_the_certificate_is_a_real_one() {
        let own = TestApp::start().await;
        let https = |test: &TestApp| Visitor::new(&test.app).tls();
        assert_eq!(text(&https(&own).get("/health").await, "strict-transport-security"), "");
        let real = TestApp::start_with(|config| config.tls_certificate = Some("/etc/ssl/real.pem".into())).await;
        assert!(text(&https(&real).get("/health").await, "strict-transport-security").starts_with("max-age=31536000"));
        assert_eq!(text(&Visitor::new(&real.app).get("/health").await, "strict-transport-security"), "");
        // Behind a proxy that ends TLS, by its word; by nobody else's.
        let behind = TestApp::start_with(|config| config.trusted_proxies = vec!["10.0.0.1".parse().unwrap()]).await;
        let by = |peer: &str| Visitor::new(&behind.app).from(peer).with("x-forwarded-proto", "https");
        assert!(!text(&by("10.0.0.1:1").get("/health").await, "strict-transport-security").is_empty());
        assert_eq!(text(&by("192.0.2.7:1").get("/health").await, "strict-transport-security"), "");
    }
}
