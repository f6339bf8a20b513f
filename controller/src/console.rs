//! The console: built files in the binary, with ETags, and the application's page for every path of its own.

use crate::error::{Error, Result};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Files;

/// Hashed files never change; the page itself is always asked for again.
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

pub async fn serve(request: Request) -> Result<Response> {
    let path = request.uri().path();
    if path.starts_with("/api/") || path == "/api" || path.starts_with("/v1/") {
        return Err(Error::NotFound("route"));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(Error::NotFound("route"));
    }
    let name = path.trim_start_matches('/');
    match Files::get(name) {
        Some(file) if !name.is_empty() => Ok(answer(&request, name, file)),
        // A file that is asked for by name and is not there is not the application's page.
        _ if name.starts_with("assets/") => Err(Error::NotFound("file")),
        _ => match Files::get("index.html") {
            Some(file) => Ok(answer(&request, "index.html", file)),
            None => Ok((
                StatusCode::NOT_FOUND,
                "This build has no console: run `npm ci && npm run build` in controller/ui, then build again. The API is at /docs.\n",
            )
                .into_response()),
        },
    }
}

fn answer(request: &Request, name: &str, file: EmbeddedFile) -> Response {
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|b| format!("{b:02x}")).collect();
    let etag = format!("\"{hash}\"");
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == etag.as_bytes());
    let cache = if name.starts_with("assets/") { FOREVER } else { ASK_AGAIN };
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(file.data).into_response() };
    let headers = response.headers_mut();
    for (name, value) in
        [(header::ETAG, etag.as_str()), (header::CACHE_CONTROL, cache), (header::CONTENT_TYPE, kind.as_ref())]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}
