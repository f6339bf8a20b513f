//! Opening and attaching terminals.

use super::bridge;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::{access_lost, still_allowed};
use crate::platform::http::Ctx;
use crate::signals::events::Subject;
use axum::extract::ws::WebSocket;
use axum::http::Method;
use ocore_shared::ids::{ServerId, TerminalId};
use ocore_shared::protocol::terminals::{TerminalInfo, TerminalOpen, TerminalTarget};
use serde_json::json;
use sqlx::Connection;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_AGAIN: Duration = Duration::from_secs(3);
/// After so long without anybody an agent ends a shell by itself.
const UNATTENDED: Duration = Duration::from_secs(30 * 60);

/// What a browser asks for.
#[derive(Clone, Debug)]
pub struct TerminalRequest {
    pub cols: u16,
    pub rows: u16,
    /// Attach to this one again …
    pub terminal_id: Option<TerminalId>,
    /// … from this byte on.
    pub after: u64,
}

/// Open or re-attach, then join the WebSocket to it until either ends.
pub async fn terminal_run(
    ctx: Ctx, app: App, server: ServerId, subject: Subject, target: TerminalTarget, request: TerminalRequest,
    socket: WebSocket,
) {
    match open(&ctx, &app, server, &subject, target, &request).await {
        Ok((tunnel, info)) => {
            let stop = watch_access(&ctx, &app, server, info.id);
            let after = if request.terminal_id.is_some() { request.after } else { 0 };
            bridge::join(socket, tunnel, info.id, after, info.survives_agent, stop.clone()).await;
            stop.cancel();
        }
        Err(error) => {
            let body = error.body().error;
            bridge::refuse(socket, &body.code, &body.message).await;
        }
    }
}

async fn open(
    ctx: &Ctx, app: &App, server: ServerId, subject: &Subject, target: TerminalTarget, request: &TerminalRequest,
) -> Result<(std::sync::Arc<crate::platform::tunnel::Tunnel>, TerminalInfo)> {
    let tunnel = app.tunnels.get(server)?;
    if let Some(id) = request.terminal_id {
        let (_, open): (_, Vec<TerminalInfo>) =
            tunnel.client.call(Method::GET, "/terminals", &(), OPEN_TIMEOUT).await?;
        // Only the same target: an id of one instance's shell must not open another's.
        let info = open.into_iter().find(|info| info.id == id && info.target == target);
        let info = info.ok_or(Error::NotFound("terminal"))?;
        note(ctx, app, subject, "terminal.attached", id, &info.target).await?;
        return Ok((tunnel, info));
    }
    let open = TerminalOpen {
        id: TerminalId::new(),
        target,
        cols: request.cols.clamp(1, 1000),
        rows: request.rows.clamp(1, 1000),
        actor: ctx.actor().name.clone(),
    };
    note(ctx, app, subject, "terminal.opened", open.id, &open.target).await?;
    let (_, info) = tunnel.client.call(Method::POST, "/terminals", &open, OPEN_TIMEOUT).await?;
    Ok((tunnel, info))
}

/// Who sees what is typed there is told before they see it.
async fn note(
    ctx: &Ctx, app: &App, subject: &Subject, action: &str, terminal: TerminalId, target: &TerminalTarget,
) -> Result<()> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let after = json!({"terminal_id": terminal, "target": target});
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, subject, None, Some(after)).await?;
    tx.commit().await?;
    Ok(())
}

/// Cancelled when the controller stops or, within 5 s, when the caller loses the permission. Then the shell ends too,
/// also where it was the loss that closed the page.
pub(super) fn watch_access(ctx: &Ctx, app: &App, server: ServerId, terminal: TerminalId) -> CancellationToken {
    let token = app.stop.child_token();
    let (ctx, app_, watched) = (ctx.clone(), app.clone(), token.clone());
    app.spawn(async move {
        let lost = tokio::select! {
            () = access_lost(&app_, &ctx) => true,
            () = watched.cancelled() => !still_allowed(&app_, &ctx).await,
        };
        watched.cancel();
        if lost {
            terminal_close(&app_, server, terminal).await;
        }
    });
    token
}

/// End a shell that nobody may use any more. An agent that is away is told when it is back.
async fn terminal_close(app: &App, server: ServerId, terminal: TerminalId) {
    let path = format!("/terminals/{terminal}");
    let closing = async {
        loop {
            let closed: Result<(_, Option<()>)> = async {
                let tunnel = app.tunnels.get(server)?;
                Ok(tunnel.client.call(Method::DELETE, &path, &(), OPEN_TIMEOUT).await?)
            }
            .await;
            let Err(error) = closed else { return };
            tracing::debug!(%terminal, %error, "a terminal could not be ended; it is tried again");
            tokio::time::sleep(CLOSE_AGAIN).await;
        }
    };
    let _ = tokio::time::timeout(UNATTENDED, closing).await;
}
