//! Answers of `/api` in the words of `/v1`.

use super::fields::{message_out, object_out};
use super::routes::{Asker, Call};
use super::row::{In, Kind, ORGANIZATION};
use super::v1::TABLE;
use crate::error::{Error, Result};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, response};
use axum::response::Response;
use serde_json::{Value, json};

pub const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
/// As the reference prints them.
const KEY_MISSING: &str = "Unauthorized. Please provide a valid API key.";
const KEY_ENDED: &str = "Forbidden. This API key has been revoked or expired.";
/// No object or page of a list is larger.
const LARGEST: usize = 64 * 1024 * 1024;

impl Call<'_> {
    /// An answer in the words of `/v1`.
    pub async fn translated(&self, asker: &Asker, response: Response) -> Result<Response> {
        if is_refusal(response.status()) {
            return Ok(self.refused(response).await);
        }
        let (mut parts, body) = response.into_parts();
        if let Some(status) = self.row.status.and_then(|s| StatusCode::from_u16(s).ok()) {
            parts.status = status;
        }
        self.place(&mut parts.headers);
        if (self.row.answers.is_empty() && self.row.also.is_none()) || !is_json(&parts.headers) {
            return Ok(Response::from_parts(parts, body));
        }
        let mut value = read(body).await;
        if let Value::Object(object) = &mut value {
            object_out(self.row.answers, object);
            self.complete(asker, object).await?;
        }
        Ok(respond(parts, &value))
    }

    /// The place of what was made is told as it is called here.
    pub fn place(&self, headers: &mut HeaderMap) {
        if let Some(place) = headers.get(header::LOCATION).and_then(|canonical| self.location(canonical)) {
            headers.insert(header::LOCATION, place);
        }
    }

    /// The place of a resource on this surface, if it has one here.
    fn location(&self, canonical: &HeaderValue) -> Option<HeaderValue> {
        let path = canonical.to_str().ok()?;
        let parts: Vec<&str> = path.split('/').collect();
        for row in
            TABLE.iter().filter(|row| row.method == "GET" && row.kind == Kind::Object && row.parameters.is_empty())
        {
            let Some(target) = self.surfaces.operations.get(row.operation) else { continue };
            let template: Vec<&str> = target.path.split('/').collect();
            let fits = template.len() == parts.len()
                && template.iter().zip(&parts).all(|(t, p)| t == p || t.starts_with('{'))
                && template.iter().any(|t| t.starts_with('{'));
            if fits {
                let values = template.iter().zip(&parts).filter(|(t, _)| t.starts_with('{'));
                let place = values.fold(row.path.to_owned(), |place, (name, value)| place.replace(name, value));
                return HeaderValue::from_str(&place).ok();
            }
        }
        None
    }

    /// A refusal of the canonical operation in the words of `/v1`; anything else as it is.
    pub async fn refused(&self, response: Response) -> Response {
        self.refused_saying(response, self.row.sends).await
    }

    /// A refusal as `{"error": "…"}`, its code in a header, and these fields in it by their names here.
    pub async fn refused_saying(&self, response: Response, fields: &[In]) -> Response {
        let (mut parts, body) = response.into_parts();
        if !is_refusal(parts.status) || !is_json(&parts.headers) {
            return Response::from_parts(parts, body);
        }
        let value = read(body).await;
        let error = &value["error"];
        let mut code = error["code"].as_str().unwrap_or("internal");
        let messages: Vec<&str> =
            error["errors"].as_array().into_iter().flatten().filter_map(|p| p["message"].as_str()).collect();
        let all = if messages.is_empty() {
            error["message"].as_str().unwrap_or_default().to_owned()
        } else {
            messages.join(" ")
        };
        let message = match code {
            "unauthenticated" => KEY_MISSING.to_owned(),
            "key_revoked" | "key_expired" => KEY_ENDED.to_owned(),
            // The organization stands in the path: what it names is not there for this key.
            "org_mismatch" if self.params.contains_key(ORGANIZATION) => {
                parts.status = StatusCode::NOT_FOUND;
                code = "not_found";
                Error::NotFound("organization").body().error.message
            }
            _ => message_out(fields, &all),
        };
        if let Ok(code) = HeaderValue::from_str(code) {
            parts.headers.insert(ERROR_CODE, code);
        }
        respond(parts, &json!({ "error": message }))
    }
}

fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/json")
}

/// A JSON body; null where there is none.
pub async fn read(body: Body) -> Value {
    let bytes = to_bytes(body, LARGEST).await.unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

pub fn respond(mut parts: response::Parts, value: &Value) -> Response {
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(value.to_string()))
}
