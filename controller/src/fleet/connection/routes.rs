//! The routes of the agents' port that demand a client certificate: tunnel and renewal.

use super::service;
use crate::app::App;
use crate::error::{Error, Result};
use crate::fleet::enrollment;
use crate::platform::http::body;
use crate::platform::http::listener::Peer;
use crate::platform::pki::{self, AgentName};
use crate::platform::tunnel::accept;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use ocore_shared::protocol::enrollment::Identity;
use ocore_shared::protocol::{HEADER_AGENT_VERSION, HEADER_CLOCK, HEADER_PROTOCOL, PROTOCOL_VERSION};
use ocore_shared::protocol::{protocol_major, protocol_supported};

pub fn routes() -> Router<App> {
    Router::new().route("/agent/tunnel", get(agent_tunnel)).route("/agent/renew", post(agent_renew))
}

/// Who the verified client certificate names.
fn agent_of(request: &Request) -> Result<AgentName> {
    let peer = request.extensions().get::<Peer>();
    let certificate = peer.and_then(|p| p.certificate.as_deref()).ok_or_else(|| Error::Unauthenticated {
        code: "certificate_required",
        message: "This route takes the agent's client certificate and none arrived. Does a proxy in between end TLS? \
                  The agents' port must be reached directly, or by passing TCP through."
            .into(),
    })?;
    pki::agent_name(certificate).map_err(|error| Error::Unauthenticated {
        code: "certificate_refused",
        message: format!("The client certificate is not an agent's: {error:#}."),
    })
}

fn header(request: &Request, name: &str) -> String {
    request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
}

async fn agent_tunnel(State(app): State<App>, mut request: Request) -> Result<Response> {
    let name = agent_of(&request)?;
    let protocol = header(&request, HEADER_PROTOCOL);
    if !protocol_major(&protocol).is_some_and(protocol_supported) {
        return Err(Error::Unprocessable {
            code: "protocol_unsupported",
            message: format!(
                "The agent speaks protocol '{protocol}', this controller {PROTOCOL_VERSION}; update the older of the two \
                 (agent version {}).",
                header(&request, HEADER_AGENT_VERSION)
            ),
        });
    }
    if let Ok(clock) = header(&request, HEADER_CLOCK).parse::<DateTime<Utc>>()
        && let Some(problem) = enrollment::service::skew(clock, app.clock.now())
    {
        // Not a reason to lose the server, but one that explains what goes wrong next.
        tracing::warn!(server = %name.server, problem, "clock skew");
    }
    service::agent_admit(&app, &name).await?;
    let address = request.extensions().get::<Peer>().map(|p| p.address.ip().to_canonical());
    let address = address.ok_or_else(|| Error::internal(anyhow::anyhow!("a request without a peer")))?;
    let (response, upgrade) = accept::websocket_accept(&mut request)?;
    let task = {
        let app = app.clone();
        async move {
            match accept::websocket_io(upgrade).await {
                Ok(io) => service::session_run(app, name, address, io).await,
                Err(error) => tracing::debug!(%error, "a tunnel did not come up"),
            }
        }
    };
    app.tracker.spawn(task);
    Ok(response)
}

async fn agent_renew(State(app): State<App>, request: Request) -> Result<Json<Identity>> {
    let name = agent_of(&request)?;
    let renewal = body::parse(&body::read(request).await?)?;
    enrollment::service::agent_renew(&app, &name, renewal).await.map(Json)
}
