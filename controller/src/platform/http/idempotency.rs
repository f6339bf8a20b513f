//! `Idempotency-Key` on POST: the first answer is kept, sealed, for 24 hours and given again. Table `idempotency_keys`.
//!
//! A request whose answer was never stored (the controller died) is carried out again with the same key: work that it
//! had already enqueued is found by the key on its job, so nothing is done twice.

pub mod store;

use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::http::body::MAX_BODY;
use crate::platform::http::guard::Identified;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ocore_shared::ids::OrganizationId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Claim;
use uuid::Uuid;

pub const HEADER: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;
/// Headers of the first answer that are given again.
const KEPT: [header::HeaderName; 4] = [header::CONTENT_TYPE, header::LOCATION, header::LINK, header::ETAG];

#[derive(Serialize, Deserialize)]
struct Kept {
    headers: Vec<(String, String)>,
    body: String,
}

/// Answer a repeated POST with the first answer.
pub async fn idempotency(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let Some(key) = request.headers().get(HEADER) else { return next.run(request).await };
    let key = match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= LONGEST_KEY => key.to_owned(),
        _ => {
            let message = format!("An Idempotency-Key has 1 to {LONGEST_KEY} visible characters.");
            return Error::field("Idempotency-Key", "length", message).into_response();
        }
    };
    let identified = request.extensions().get::<Identified>().cloned();
    let Some((organization, caller)) = identified.and_then(|i| Some((i.organization.ok()?.0, i.caller.ok()?))) else {
        // Without an organization there is nothing to keep it under; the route itself refuses or is harmless.
        return next.run(request).await;
    };
    run(&app, organization, caller.id(), key, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn run(
    app: &App, organization: OrganizationId, principal: Uuid, key: String, request: Request, next: Next,
) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Error::field("body", "max_length", format!("The body is larger than {MAX_BODY} bytes.")))?;
    let mut hash = Sha256::new();
    hash.update(parts.uri.to_string());
    hash.update([0]);
    hash.update(&bytes);
    let hash = hash.finalize().to_vec();
    let context = format!("idempotency_keys {organization} {principal} {key}");

    let mut connection = app.db.org(organization).await?;
    let claim = store::idempotency_claim(&mut connection, organization, principal, &key, &hash).await?;
    drop(connection);
    match claim {
        Claim::Mine => {}
        Claim::OtherBody => {
            return Err(Error::Unprocessable {
                code: "idempotency_key_reused",
                message: "This Idempotency-Key was used with another request; choose a new one.".into(),
            });
        }
        Claim::UnderWay => {
            return Err(Error::conflict(
                "request_in_progress",
                "The first request with this Idempotency-Key is still under way; ask again in a moment.",
            ));
        }
        Claim::Answered { status, sealed } => {
            let plain = app.keyring.unseal(&context, &sealed).map_err(Error::Internal)?;
            let kept: Kept = serde_json::from_slice(&plain).map_err(Error::internal)?;
            return replay(status, kept);
        }
    }

    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 16 * MAX_BODY).await.map_err(Error::internal)?;
    let mut connection = app.db.org(organization).await?;
    if parts.status.is_server_error() || parts.status == StatusCode::TOO_MANY_REQUESTS {
        store::idempotency_release(&mut connection, organization, principal, &key).await?;
    } else {
        let headers = KEPT
            .iter()
            .filter_map(|name| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned())))
            .collect();
        let kept = Kept { headers, body: String::from_utf8_lossy(&bytes).into_owned() };
        let sealed = app.keyring.seal(&context, &serde_json::to_vec(&kept).map_err(Error::internal)?);
        let status = parts.status.as_u16() as i16;
        store::idempotency_store(&mut connection, organization, principal, &key, status, &sealed).await?;
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn replay(status: i16, kept: Kept) -> Result<Response> {
    let status = StatusCode::from_u16(status as u16).map_err(Error::internal)?;
    let mut response = (status, kept.body).into_response();
    for (name, value) in kept.headers {
        let name = header::HeaderName::try_from(name).map_err(Error::internal)?;
        response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(Error::internal)?);
    }
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}
