//! `GET /api/events`.

use super::service::{self, StreamRequest};
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::guard::Identified;
use crate::platform::http::streams::{self, StreamForm};
use crate::platform::http::user;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(user(routes!(event_list)))
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents the query, whose repeated key is read from the raw text")]
struct EventsQuery {
    /// Ask this server for a sample every 10 s while the stream is open; may be repeated.
    watch: Option<String>,
    /// Organization (slug or id), for clients that cannot send the header.
    org: Option<String>,
}

/// Follow everything that changes in the organization: events, hints to fetch again, samples, progress.
#[utoipa::path(get, path = "/api/events", tag = "Events", params(EventsQuery),
    responses((status = 200, description = "Events by their type, `changed`, `metrics`, `progress`, `reset`", content_type = "text/event-stream", body = String),
        (status = 400, body = ErrorBody)))]
async fn event_list(
    State(app): State<App>, Extension(identified): Extension<Identified>, RawQuery(query): RawQuery,
    headers: HeaderMap, form: StreamForm,
) -> Result<Response> {
    let caller = identified.caller.map_err(crate::error::Error::from)?;
    let (organization, access) = identified.organization.map_err(crate::error::Error::from)?;
    let query = query.unwrap_or_default();
    let watch = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "watch")
        .filter_map(|(_, id)| id.parse().ok())
        .take(20)
        .collect();
    let after = streams::last_event_id(&headers).as_deref().and_then(service::position_parse);
    let request = StreamRequest { caller, organization, access, after, watch };
    Ok(streams::respond(form, service::event_stream(app, request)))
}
