//! `Idempotency-Key` on POST: the first answer is kept, sealed, for 24 hours and given again. Table `idempotency_keys`.
//! Other methods mean the same when they are repeated; a key on them is passed over, and on files on their way in too.
//!
//! What a request enqueues is written beside its key in the same transaction, so that a retry gets the job though the
//! answer was never stored (the controller died). A request that had enqueued nothing is carried out again.

pub mod store;
#[cfg(test)]
mod tests;

use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::http::body::{MAX_BODY, is_json};
use crate::platform::http::ctx::Caller;
use crate::platform::http::guard::Identified;
use crate::platform::jobs::store::job_accepted;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::response::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ocore_shared::ids::OrganizationId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use store::Claim;
use uuid::Uuid;

pub const HEADER: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;
/// Seconds after which a request that is still under way may be asked for again.
const ASK_AGAIN: u32 = 2;
/// Headers of the first answer that are given again.
const KEPT: [header::HeaderName; 4] = [header::CONTENT_TYPE, header::LOCATION, header::LINK, header::ETAG];

#[derive(Serialize, Deserialize)]
struct Kept {
    headers: Vec<(String, String)>,
    body: String,
}

/// Answer a repeated POST with the first answer.
pub async fn idempotency(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !is_json(request.headers()) {
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
    run(&app, organization, &caller, key, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn run(
    app: &App, organization: OrganizationId, caller: &Caller, key: String, request: Request, next: Next,
) -> Result<Response> {
    let principal = caller.id();
    let (mut parts, body) = request.into_parts();
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
    let claim = match claim {
        Claim::Mine(claim) => claim,
        Claim::OtherBody => {
            return Err(Error::Unprocessable {
                code: "idempotency_key_reused",
                message: "This Idempotency-Key was used with another request; choose a new one.".into(),
            });
        }
        Claim::UnderWay => return Ok(under_way()),
        Claim::Enqueued(job) => {
            let accepted = job_accepted(&mut connection, organization, job).await?.ok_or(Error::NotFound("job"))?;
            return Ok(replayed(accepted.into_response()));
        }
        Claim::Answered { status, sealed } => {
            let plain = app.keyring.unseal(&context, &sealed).map_err(Error::Internal)?;
            let kept: Kept = serde_json::from_slice(&plain).map_err(Error::internal)?;
            return replay(status, kept);
        }
    };
    drop(connection);

    if let Some(identified) = parts.extensions.get_mut::<Identified>() {
        identified.caller = Ok(Arc::new(Caller { idempotency_claim: Some(claim), ..caller.clone() }));
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 16 * MAX_BODY).await.map_err(Error::internal)?;
    if let Err(error) = keep(app, organization, claim, &context, &parts, &bytes).await {
        // What was done is done: the answer is given although a retry will not find it.
        tracing::warn!(%error, "an answer could not be kept for its Idempotency-Key");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

async fn keep(
    app: &App, organization: OrganizationId, claim: Uuid, context: &str, parts: &Parts, body: &[u8],
) -> Result<()> {
    let mut connection = app.db.org(organization).await?;
    if parts.status.is_server_error() || parts.status == StatusCode::TOO_MANY_REQUESTS {
        return store::idempotency_release(&mut connection, organization, claim).await;
    }
    let headers = KEPT
        .iter()
        .filter_map(|name| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned())))
        .collect();
    let kept = Kept { headers, body: String::from_utf8_lossy(body).into_owned() };
    let sealed = app.keyring.seal(context, &serde_json::to_vec(&kept).map_err(Error::internal)?);
    let status = parts.status.as_u16() as i16;
    store::idempotency_store(&mut connection, organization, claim, status, &sealed).await
}

fn under_way() -> Response {
    let message = "The first request with this Idempotency-Key is still under way; ask again in a moment.";
    let mut response = Error::conflict("request_in_progress", message).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(ASK_AGAIN));
    response
}

fn replay(status: i16, kept: Kept) -> Result<Response> {
    let status = StatusCode::from_u16(status as u16).map_err(Error::internal)?;
    let mut response = (status, kept.body).into_response();
    for (name, value) in kept.headers {
        let name = header::HeaderName::try_from(name).map_err(Error::internal)?;
        response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(Error::internal)?);
    }
    Ok(replayed(response))
}

fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}
