//! Pages of other origins that may call the API from a browser: those of `--cors-origins`, none by default.
//!
//! They bring a token or a key of their own. Cookies stay with our own pages: no answer allows credentials, so a page
//! that is listed can do nothing in the name of whoever looks at it.

use crate::config::Config;
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// For so long a browser need not ask again.
const REMEMBERED: Duration = Duration::from_secs(600);

/// None where no other origin is allowed: nothing is answered then that a browser could take for a yes.
pub fn layer(config: &Config) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = config.cors_origins.iter().filter_map(|o| HeaderValue::from_str(o).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    // X-Session is not among them: only our own pages sign in with cookies.
    let asked = [
        "x-api-key",
        "x-org-slug",
        "x-request-id",
        "idempotency-key",
        "last-event-id",
        "tus-resumable",
        "upload-length",
        "upload-metadata",
        "upload-offset",
    ];
    let told = [
        "x-request-id",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "idempotency-replayed",
        "tus-resumable",
        "tus-version",
        "tus-extension",
        "tus-max-size",
        "upload-offset",
        "upload-length",
        "upload-expires",
    ];
    let known = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::ACCEPT,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::RANGE,
    ];
    let shown = [
        header::ETAG,
        header::LOCATION,
        header::LINK,
        header::RETRY_AFTER,
        header::CONTENT_DISPOSITION,
        header::CONTENT_RANGE,
    ];
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods(methods)
            .allow_headers(asked.map(HeaderName::from_static).into_iter().chain(known).collect::<Vec<_>>())
            .expose_headers(told.map(HeaderName::from_static).into_iter().chain(shown).collect::<Vec<_>>())
            .max_age(REMEMBERED),
    )
}

/// One origin as browsers send it. `*` and `null` are nobody in particular, and refused.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let wrong =
        || format!("'{text}' is not an origin; write it like https://panel.example.com or http://localhost:3000");
    let origin = text.trim().trim_end_matches('/').to_ascii_lowercase();
    let uri: Uri = origin.parse().map_err(|_| wrong())?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
    let written = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
    if written != origin || authority.as_str().contains(['@', '*']) {
        return Err(wrong());
    }
    Ok(origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::authentication::tests::{Answer, Visitor};
    use crate::testing::TestApp;
    use axum::http::StatusCode;

    const PANEL: &str = "https://panel.example.com";

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        assert_eq!(parse_origin("https://Panel.example.com/").as_deref(), Ok(PANEL));
        assert!(parse_origin("http://localhost:3000").is_ok() && parse_origin("http://[::1]:3000").is_ok());
        for bad in [
            "*",
            "null",
            "",
            "panel.example.com",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://*.example.com",
            "https://me@panel.example.com",
            "ftp://a",
            "file:///x",
            "https://a,https://b",
            "https://a\nb",
        ] {
            assert!(parse_origin(bad).is_err(), "{bad:?}");
        }
    }

    fn allowed(answer: &Answer) -> Option<&str> {
        answer.headers.get("access-control-allow-origin").map(|v| v.to_str().unwrap())
    }

    async fn preflight(visitor: &Visitor, origin: &str) -> Answer {
        let asks = visitor.with("origin", origin).with("access-control-request-method", "DELETE");
        asks.with("access-control-request-headers", "authorization").send(Method::OPTIONS, "/api/servers", None).await
    }

    #[tokio::test]
    async fn without_a_list_no_other_origin_is_allowed() {
        let test = TestApp::start().await;
        let (ada, _) = Visitor::new(&test.app).bootstrap().await;
        let answer = preflight(&Visitor::new(&test.app), PANEL).await;
        assert!(!answer.status.is_success() && allowed(&answer).is_none(), "{}", answer.status);
        let answer = ada.with("origin", PANEL).get("/api/servers").await.is(StatusCode::OK);
        assert_eq!(allowed(&answer), None);
    }

    #[tokio::test]
    async fn a_listed_origin_calls_with_its_own_token_and_never_with_cookies() {
        let test = TestApp::start_with(|config| config.cors_origins = vec![PANEL.into()]).await;
        let anyone = Visitor::new(&test.app);
        let (ada, _) = anyone.bootstrap().await;

        let asked = preflight(&anyone, PANEL).await;
        assert!(asked.status.is_success(), "it is answered without credentials: {}", asked.status);
        assert_eq!(allowed(&asked), Some(PANEL));
        let text = |name: &str| asked.headers[name].to_str().unwrap().to_ascii_lowercase();
        assert!(text("access-control-allow-methods").contains("delete"));
        assert!(text("access-control-allow-headers").contains("authorization"));
        assert!(!text("access-control-allow-headers").contains("x-session"));
        assert!(text("vary").contains("origin"), "no cache may give it to another origin");

        let answer = ada.with("origin", PANEL).get("/api/servers").await.is(StatusCode::OK);
        assert_eq!(allowed(&answer), Some(PANEL));
        assert!(answer.headers["access-control-expose-headers"].to_str().unwrap().contains("x-request-id"));
        for other in ["https://evil.test", "http://panel.example.com", "https://panel.example.com.evil.test", "null"] {
            let asked = preflight(&anyone, other).await;
            let answer = ada.with("origin", other).get("/api/servers").await;
            assert_eq!((allowed(&asked), allowed(&answer)), (None, None), "{other}");
        }
        for answer in [&asked, &answer] {
            assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        }

        // A browser that sends the cookie all the same gets nowhere.
        let signed_in = anyone.with("x-session", "cookie").with("origin", "https://localhost:8080");
        let body = serde_json::json!({"email": "ada@example.com", "password": crate::identity::authentication::tests::PASSWORD});
        let cookie = signed_in.post("/api/auth/login", body).await.is(StatusCode::OK).cookies()[0].clone();
        let page = anyone.with("cookie", cookie).with("origin", PANEL);
        let made = page.post("/api/orgs", serde_json::json!({"name": "Theirs"})).await;
        made.refused(StatusCode::FORBIDDEN, "origin_refused");
    }
}
