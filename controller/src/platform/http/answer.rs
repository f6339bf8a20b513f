//! What requests that change something are answered.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ocore_shared::ids::JobId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An object with its version as ETag.
pub struct Versioned<T>(pub StatusCode, pub T, pub i64);

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let mut response = (self.0, Json(self.1)).into_response();
        if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", self.2)) {
            response.headers_mut().insert(header::ETAG, value);
        }
        response
    }
}

/// The answer 202: the resource to poll and the job to wait for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// Id of the resource, not of the job.
    pub id: Uuid,
    /// Status of the resource now.
    pub status: String,
    pub message: String,
    pub job_id: JobId,
    /// Path of the resource.
    #[serde(skip)]
    pub location: String,
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let link = format!("</api/jobs/{}>; rel=\"monitor\"", self.job_id);
        let location = self.location.clone();
        let mut response = (StatusCode::ACCEPTED, Json(self)).into_response();
        for (name, value) in [(header::LOCATION, location), (HeaderName::from_static("link"), link)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// An object that says which version of it this is.
pub trait HasVersion {
    fn version(&self) -> i64;
}

/// What a change comes to.
pub enum Changed<T> {
    /// A job is on its way.
    Accepted(Accepted),
    /// Nothing has to be done on the server; or what would be, in a dry run.
    Settled(Box<T>),
}

impl<T: Serialize + HasVersion> IntoResponse for Changed<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Accepted(accepted) => accepted.into_response(),
            Self::Settled(object) => {
                let version = object.version();
                Versioned(StatusCode::OK, *object, version).into_response()
            }
        }
    }
}
