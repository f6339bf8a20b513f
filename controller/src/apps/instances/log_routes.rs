//! `/api/instances/{id}/logs` and `/api/instances/{id}/console`.

use super::logs::{self, HistoryRequest, LogFilter, LogRequest};
use super::service::instance_get;
use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::fleet::terminals::routes::TerminalQuery;
use crate::fleet::terminals::service::{TerminalRequest, terminal_run};
use crate::platform::http::streams::{self, StreamForm};
use crate::platform::http::{Ctx, Params, Path, Permission, admin, guard};
use crate::signals::events::Subject;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use garde::Validate;
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::entry::LEVELS;
use ocore_shared::protocol::logs::{LogPage, LogsCleared};
use ocore_shared::protocol::terminals::TerminalTarget;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewInstances, routes!(instance_logs)))
        .routes(guard(Permission::ViewInstances, routes!(instance_logs_history)))
        .routes(guard(Permission::ViewInstances, routes!(instance_logs_download)))
        .routes(admin(routes!(instance_logs_clear)))
        .routes(guard(Permission::ConsoleInstances, routes!(instance_console)))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogsQuery {
    /// Go on after this cursor (or send Last-Event-ID).
    #[garde(skip)]
    after: Option<String>,
    /// Lines of the past to begin with (default 200).
    #[garde(inner(range(max = 5000)))]
    tail: Option<u32>,
    /// `1`: wait for new lines (default for WebSocket and server-sent events).
    #[garde(skip)]
    follow: Option<u8>,
}

/// Read an instance's live log: WebSocket, server-sent events or plain text, as the request asks.
#[utoipa::path(get, path = "/api/instances/{id}/logs", tag = "Instances", params(InstanceId, LogsQuery),
    responses((status = 200, description = "Events `log`; the event id is the cursor", content_type = "text/event-stream", body = String),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn instance_logs(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<LogsQuery>, headers: HeaderMap,
    form: StreamForm,
) -> Result<Response> {
    let live = !matches!(form, StreamForm::Text);
    let request = LogRequest {
        after: streams::last_event_id(&headers).or(query.after),
        tail: query.tail.unwrap_or(200),
        follow: query.follow.map_or(live, |follow| follow != 0),
    };
    if !live {
        // As plain text it is a file to keep.
        logs::log_download_note(&ctx, &app, id, "instance_log.downloaded").await?;
    }
    let view = logs::log_view(ctx, app, id, request).await?;
    Ok(streams::respond(form, view.stream()))
}

/// Which entries: an entry is a line in Odoo's format with the lines that go on with it, and comes whole.
#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct FilterQuery {
    /// Text in some line of the entry, in whatever case.
    #[garde(inner(length(max = 200)))]
    q: Option<String>,
    /// This level or a worse one: `DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL`.
    #[garde(inner(custom(known_level)))]
    level: Option<String>,
    /// This logger or one below it: `odoo.addons` takes `odoo.addons.sale` too.
    #[garde(inner(length(max = 200)))]
    logger: Option<String>,
    /// Entries that begin then or later.
    #[garde(skip)]
    from: Option<DateTime<Utc>>,
    /// Entries that begin before that.
    #[garde(skip)]
    to: Option<DateTime<Utc>>,
}

impl FilterQuery {
    fn filter(self) -> LogFilter {
        let Self { q, level, logger, from, to } = self;
        LogFilter { q, level, logger, from, to }
    }
}

fn known_level(level: &str, (): &()) -> garde::Result {
    if LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
        return Ok(());
    }
    Err(garde::Error::new(format!("must be one of {}", LEVELS.join(", "))))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// Page back from this cursor; the newest lines when left out.
    #[garde(skip)]
    before: Option<String>,
    /// 1 to 1000 lines (default 200).
    #[garde(inner(range(min = 1, max = 1000)))]
    limit: Option<u32>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    filter: FilterQuery,
}

/// Page back through an instance's log, over all its containers, with search.
#[utoipa::path(get, path = "/api/instances/{id}/logs/history", tag = "Instances",
    params(InstanceId, HistoryQuery, FilterQuery),
    responses((status = 200, body = LogPage), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
async fn instance_logs_history(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<HistoryQuery>,
) -> Result<Json<LogPage>> {
    let limit = query.limit.unwrap_or(200);
    let request = HistoryRequest { before: query.before, limit, filter: query.filter.filter() };
    logs::log_history(&ctx, &app, id, request).await.map(Json)
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum LogFormat {
    #[default]
    Text,
    Gzip,
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct DownloadQuery {
    /// `text` (default) or `gzip`.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<LogFormat>, inline)]
    format: LogFormat,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    filter: FilterQuery,
}

/// Download an instance's log, over all its containers, oldest line first.
#[utoipa::path(get, path = "/api/instances/{id}/logs/download", tag = "Instances",
    params(InstanceId, DownloadQuery, FilterQuery),
    responses((status = 200, description = "The log", content_type = "text/plain", body = String),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn instance_logs_download(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<DownloadQuery>,
) -> Result<Response> {
    let (format, kind) = match query.format {
        LogFormat::Text => ("text", "text/plain; charset=utf-8"),
        LogFormat::Gzip => ("gzip", "application/gzip"),
    };
    let (name, chunks) = logs::log_download(&ctx, &app, id, format, query.filter.filter()).await?;
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ClearQuery {
    /// Only tell how much would be dropped.
    #[garde(skip)]
    #[serde(default)]
    dry_run: bool,
}

/// Clear an instance's log: nothing that was written so far is shown any more.
#[utoipa::path(delete, path = "/api/instances/{id}/logs", tag = "Instances", params(InstanceId, ClearQuery),
    responses((status = 200, body = LogsCleared), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn instance_logs_clear(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(query): Params<ClearQuery>,
) -> Result<Json<LogsCleared>> {
    logs::log_clear(&ctx, &app, id, query.dry_run).await.map(Json)
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ModeQuery {
    /// `shell` (default), `odoo` (Odoo's own Python shell) or `attach` (the container's own streams).
    #[garde(skip)]
    mode: Option<String>,
}

/// Open a shell in an instance's container (WebSocket: binary frames are bytes, text frames are control messages).
#[utoipa::path(get, path = "/api/instances/{id}/console", tag = "Instances", params(InstanceId, ModeQuery, TerminalQuery),
    responses((status = 101, description = "The terminal"), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn instance_console(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(mode): Params<ModeQuery>,
    Params(query): Params<TerminalQuery>, upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let instance = instance_get(&ctx, &app, id).await?;
    let target = match mode.mode.as_deref().unwrap_or("shell") {
        "shell" => TerminalTarget::InstanceShell { instance_id: id },
        "odoo" => TerminalTarget::OdooShell { instance_id: id, database_name: instance.database_name.clone() },
        "attach" => TerminalTarget::InstanceAttach { instance_id: id },
        _ => return Err(Error::field("mode", "enum", "The mode is shell, odoo or attach.")),
    };
    let upgrade =
        upgrade.map_err(|r| Error::field("Upgrade", "websocket", format!("This takes a WebSocket handshake: {r}.")))?;
    let subject = Subject::new("instance", id, instance.name);
    let request = TerminalRequest::from(&query);
    Ok(upgrade.on_upgrade(move |socket| terminal_run(ctx, app, instance.server_id, subject, target, request, socket)))
}
