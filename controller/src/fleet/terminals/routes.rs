//! `/api/servers/{id}/terminal`.

use super::service::{self, TerminalRequest};
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::fleet::servers::service::server_get;
use crate::platform::http::{Ctx, Params, Path, Permission, guard};
use crate::signals::events::Subject;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use garde::Validate;
use ocore_shared::ids::{ServerId, TerminalId};
use ocore_shared::protocol::terminals::TerminalTarget;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Permission::TerminalServers, routes!(server_terminal)))
}

/// How a terminal is opened or attached to again.
#[derive(Clone, Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TerminalQuery {
    #[garde(skip)]
    pub cols: Option<u16>,
    #[garde(skip)]
    pub rows: Option<u16>,
    /// Attach to this terminal again.
    #[garde(skip)]
    #[param(value_type = Option<String>)]
    pub terminal_id: Option<TerminalId>,
    /// Bytes of its output that were received already.
    #[garde(skip)]
    pub after: Option<u64>,
}

impl From<&TerminalQuery> for TerminalRequest {
    fn from(query: &TerminalQuery) -> Self {
        Self {
            cols: query.cols.unwrap_or(80),
            rows: query.rows.unwrap_or(24),
            terminal_id: query.terminal_id,
            after: query.after.unwrap_or(0),
        }
    }
}

/// Open a root shell on the server (WebSocket: binary frames are bytes, text frames are control messages).
#[utoipa::path(get, path = "/api/servers/{id}/terminal", tag = "Servers", params(ServerId, TerminalQuery),
    responses((status = 101, description = "The terminal"), (status = 404, body = ErrorBody)))]
async fn server_terminal(
    ctx: Ctx, State(app): State<App>, Path(id): Path<ServerId>, Params(query): Params<TerminalQuery>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response> {
    let server = server_get(&ctx, &app, id).await?;
    let upgrade = upgrade.map_err(|rejection| {
        crate::error::Error::field("Upgrade", "websocket", format!("This takes a WebSocket handshake: {rejection}."))
    })?;
    let subject = Subject::new("server", id, server.name);
    let request = TerminalRequest::from(&query);
    Ok(upgrade
        .on_upgrade(move |socket| service::terminal_run(ctx, app, id, subject, TerminalTarget::Host, request, socket)))
}
