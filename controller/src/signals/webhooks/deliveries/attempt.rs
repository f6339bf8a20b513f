//! One signed request.

use super::model::WebhookAttempt;
use crate::app::App;
use crate::business::settings::service::settings_get;
use crate::error::{Error, Result};
use crate::platform::outbound::{OutboundError, OutboundReply, OutboundRequest};
use crate::signals::webhooks::model::signature;
use crate::signals::webhooks::store;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use ocore_shared::ids::{EventId, OrganizationId, WebhookEndpointId};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of an answer's body that are kept.
const KEPT_BODY: usize = 4096;
/// Bytes of an answer's headers that are kept.
const KEPT_HEADERS: usize = 4096;
const OUT_OF_ORDER: HeaderName = HeaderName::from_static("ocore-out-of-order");

/// What is sent.
pub struct Message<'a> {
    pub organization: OrganizationId,
    pub endpoint: WebhookEndpointId,
    pub url: &'a str,
    pub event: EventId,
    pub body: &'a str,
    pub out_of_order: bool,
    /// Which attempt this is, from 1 on.
    pub number: i32,
}

/// Send it now. That it did not come through is no error here.
pub async fn attempt(app: &App, message: &Message<'_>) -> Result<WebhookAttempt> {
    // Networks may have been opened or closed since.
    settings_get(app).await?;
    let started_at = app.clock.now();
    let headers = headers(app, message, started_at.timestamp()).await?;
    let begun = Instant::now();
    let sent = match app.outbound.url_read(message.url) {
        Ok(url) => {
            let body = Bytes::copy_from_slice(message.body.as_bytes());
            // None is followed: whoever answers for another address could send what is meant for one inward.
            let request = OutboundRequest {
                method: Method::POST,
                url,
                headers: headers.clone(),
                body,
                redirects: 0,
                most: KEPT_BODY,
            };
            app.outbound.send(request).await
        }
        Err(refusal) => Err(refusal),
    };
    Ok(written(message.number, started_at, begun.elapsed(), &headers, sent))
}

fn written(
    number: i32, started_at: chrono::DateTime<chrono::Utc>, took: Duration, headers: &HeaderMap,
    sent: Result<OutboundReply, OutboundError>,
) -> WebhookAttempt {
    let mut attempt = WebhookAttempt {
        number,
        started_at,
        milliseconds: i32::try_from(took.as_millis()).unwrap_or(i32::MAX),
        status: None,
        request_headers: texts(headers),
        response_headers: None,
        response_body: None,
        problem: None,
    };
    match sent {
        Ok(reply) => {
            attempt.status = Some(i32::from(reply.status.as_u16()));
            attempt.response_headers = Some(texts(&reply.headers));
            // PostgreSQL's text cannot hold a NUL.
            attempt.response_body = Some(String::from_utf8_lossy(&reply.body).replace('\0', "\u{FFFD}"));
            attempt.problem = problem(reply.status);
        }
        Err(error) => attempt.problem = Some(error.to_string()),
    }
    attempt
}

fn problem(status: http::StatusCode) -> Option<String> {
    match status.as_u16() {
        200..=299 => None,
        300..=399 => Some(format!("It answered {status}; redirects are not followed, so give the final address.")),
        410 => Some("It answered 410: nobody listens there any more.".into()),
        _ => Some(format!("It answered {status}; only 2xx counts.")),
    }
}

async fn headers(app: &App, message: &Message<'_>, timestamp: i64) -> Result<HeaderMap> {
    let id = message.event.to_string();
    let mut connection = app.db.system().acquire().await?;
    let sealed =
        store::endpoint_secrets(&mut connection, message.organization, message.endpoint, app.clock.now()).await?;
    drop(connection);
    let mut signatures = Vec::new();
    for (secret, sealed) in sealed {
        let plain = app.keyring.unseal(&format!("secrets {secret}"), &sealed).map_err(Error::Internal)?;
        let plain = std::str::from_utf8(&plain).map_err(Error::internal)?;
        signatures.extend(signature(plain, &id, timestamp, message.body));
    }
    let mut headers = HeaderMap::new();
    let mut put = |name: HeaderName, value: String| -> Result<()> {
        headers.insert(name, HeaderValue::try_from(value).map_err(Error::internal)?);
        Ok(())
    };
    put(header::CONTENT_TYPE, "application/json".into())?;
    put(header::USER_AGENT, format!("oCore-Webhooks/{}", env!("CARGO_PKG_VERSION")))?;
    put(HeaderName::from_static("webhook-id"), id)?;
    put(HeaderName::from_static("webhook-timestamp"), timestamp.to_string())?;
    put(HeaderName::from_static("webhook-signature"), signatures.join(" "))?;
    if message.out_of_order {
        put(OUT_OF_ORDER, "true".into())?;
    }
    Ok(headers)
}

/// Headers as they are kept, as many as fit. Cookies are the receiver's own affair.
fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut room = KEPT_HEADERS;
    let mut kept = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| **name != header::SET_COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let size = name.as_str().len() + value.len();
        if size > room {
            break;
        }
        room -= size;
        kept.insert(name.to_string(), value);
    }
    kept
}
