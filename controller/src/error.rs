//! The one error of the API: a stable code, a sentence that says what to do, and the cause kept for the log.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ocore_shared::tunnel::TunnelError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Absent, or another organization's: nobody can tell which.
    #[error("{0} was not found")]
    NotFound(&'static str),
    #[error("{message}")]
    Conflict { code: &'static str, message: String },
    #[error("the request is not valid")]
    Invalid(Vec<Problem>),
    #[error("{message}")]
    Unauthenticated { code: &'static str, message: String },
    #[error("{message}")]
    Forbidden { code: &'static str, message: String },
    #[error("{message}")]
    PreconditionFailed { message: String },
    /// Of what is there, no byte was asked for.
    #[error("{message}")]
    RangeNotSatisfiable { message: String },
    /// Understood, but it cannot be done with what is there.
    #[error("{message}")]
    Unprocessable { code: &'static str, message: String },
    #[error("This takes {takes}; send it with the header Content-Type: {kind}.")]
    UnsupportedMediaType { takes: &'static str, kind: &'static str },
    #[error("This address takes other methods; the Allow header names them.")]
    MethodNotAllowed,
    #[error("{message}")]
    RateLimited { message: String, retry_after: u64 },
    #[error("{message}")]
    AgentOffline { message: String },
    #[error("{message}")]
    AgentFailed { code: String, message: String },
    #[error("{message}")]
    Unavailable { message: String, retry_after: u64 },
    #[error("internal error: {0:#}")]
    Internal(anyhow::Error),
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Path of the field, e.g. `limits.memory_mb`.
    pub field: String,
    /// Stable word, e.g. `min_length`.
    pub constraint: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// Stable word; whether a retry helps is told on its page of the guide.
    pub code: String,
    /// A sentence that says what to do.
    pub message: String,
    /// The first problem, for clients that show one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<FirstProblem>,
    /// All problems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Problem>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FirstProblem {
    pub field: String,
    pub constraint: String,
}

impl Error {
    /// One field is wrong.
    pub fn field(field: &str, constraint: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Problem { field: field.into(), constraint: constraint.into(), message: message.into() }])
    }

    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::Forbidden { code, message: message.into() }
    }

    pub fn unauthenticated() -> Self {
        Self::Unauthenticated {
            code: "unauthenticated",
            message: "Sign in, or send an access token or an API key in the Authorization header.".into(),
        }
    }

    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::Internal(cause.into())
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::PreconditionFailed { .. } => StatusCode::PRECONDITION_FAILED,
            Self::RangeNotSatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Unprocessable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::AgentOffline { .. } | Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::AgentFailed { .. } => StatusCode::BAD_GATEWAY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub fn code(&self) -> &str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Conflict { code, .. }
            | Self::Unauthenticated { code, .. }
            | Self::Forbidden { code, .. }
            | Self::Unprocessable { code, .. } => code,
            Self::Invalid(_) => "validation_error",
            Self::PreconditionFailed { .. } => "precondition_failed",
            Self::RangeNotSatisfiable { .. } => "range_not_satisfiable",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RateLimited { .. } => "rate_limited",
            Self::AgentOffline { .. } => "agent_offline",
            Self::AgentFailed { code, .. } => code,
            Self::Unavailable { .. } => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            Self::AgentOffline { .. } => Some(5),
            _ => None,
        }
    }

    pub fn body(&self) -> ErrorBody {
        let (message, errors) = match self {
            Self::NotFound(what) => {
                (format!("There is no such {what}, or it is not visible with these credentials."), vec![])
            }
            Self::Invalid(problems) => {
                let first = problems.first().map_or("The request is not valid.", |p| p.message.as_str());
                (first.to_owned(), problems.clone())
            }
            // The cause is for the log; the answer carries the request id in its header.
            Self::Internal(_) => (
                "Something went wrong on our side. Try again; the X-Request-Id header finds it in the log.".into(),
                vec![],
            ),
            other => (other.to_string(), vec![]),
        };
        let details = errors.first().map(|p| FirstProblem { field: p.field.clone(), constraint: p.constraint.clone() });
        ErrorBody { error: ErrorDetail { code: self.code().to_owned(), message, details, errors } }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Internal(cause) = &self {
            tracing::error!(error = ?cause, "request failed");
        }
        let mut response = (self.status(), Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, Self::Unauthenticated { .. }) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Tls(_) => database_away(error),
            // Connection and operator-intervention classes: the server is stopping, starting or gone.
            sqlx::Error::Database(d)
                if d.code().is_some_and(|c| c.starts_with("08") || c.starts_with("57P") || c.starts_with("53")) =>
            {
                database_away(error)
            }
            // PostgreSQL's text cannot hold it, and no field of ours needs it.
            sqlx::Error::Database(d) if d.code().is_some_and(|c| c == "22021" || c == "22P05") => {
                Self::field("body", "characters", "A text holds a NUL or another character that cannot be stored.")
            }
            sqlx::Error::Database(d) if d.code().is_some_and(|c| c == "40001" || c == "40P01") => {
                Self::Unavailable { message: "Two changes met; send the request again.".into(), retry_after: 1 }
            }
            _ => Self::Internal(error.into()),
        }
    }
}

fn database_away(cause: sqlx::Error) -> Error {
    tracing::warn!(error = %cause, "database unavailable");
    Error::Unavailable { message: "The database does not answer at the moment; try again.".into(), retry_after: 2 }
}

impl From<TunnelError> for Error {
    fn from(error: TunnelError) -> Self {
        match error {
            TunnelError::Agent { status, error } if status == StatusCode::FORBIDDEN => {
                Self::Forbidden { code: "refused_by_server", message: error.message }
            }
            TunnelError::Agent { status, .. } if status == StatusCode::NOT_FOUND => Self::NotFound("object"),
            TunnelError::Agent { error, .. } => Self::AgentFailed { code: error.code, message: error.message },
            TunnelError::Busy => Self::Unavailable { message: error.to_string(), retry_after: 2 },
            other => Self::AgentOffline { message: format!("The server cannot be reached now: {other}.") },
        }
    }
}
