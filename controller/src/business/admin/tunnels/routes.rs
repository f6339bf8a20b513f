use super::model::{AgentFilter, ConnectedAgent, TunnelStats};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{List, Page, Params, admin};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use ocore_shared::ids::OrganizationId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(admin(routes!(admin_tunnel_list)))
        .routes(admin(routes!(tunnel_agent_list)))
        .routes(admin(routes!(tunnel_stats)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct AgentListParams {
    /// Exact name of the server.
    #[garde(skip)]
    name: Option<String>,
    /// Only agents of this organization.
    #[garde(skip)]
    #[param(value_type = Option<Uuid>)]
    organization_id: Option<OrganizationId>,
    /// Only tunnels that this process of the controller holds.
    #[garde(skip)]
    replica_id: Option<Uuid>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

async fn list(app: &App, params: &AgentListParams) -> Result<Json<List<ConnectedAgent>>> {
    let filter =
        AgentFilter { name: params.name.as_deref(), organization: params.organization_id, replica: params.replica_id };
    service::agent_list(app, &filter, &params.page).await.map(Json)
}

/// List tunnels.
///
/// Every connected agent with its address, the process that holds its tunnel, and what is open in it.
#[utoipa::path(get, path = "/api/admin/tunnels", tag = "Admin", params(AgentListParams, Page),
    responses((status = 200, description = "Connected agents, newest server first", body = List<ConnectedAgent>),
        (status = 400, description = "A filter cannot be read", body = ErrorBody)))]
async fn admin_tunnel_list(
    State(app): State<App>, Params(params): Params<AgentListParams>,
) -> Result<Json<List<ConnectedAgent>>> {
    list(&app, &params).await
}

/// List connected agents.
///
/// The same as `/api/admin/tunnels`.
#[utoipa::path(get, path = "/api/tunnel/agents", tag = "Tunnel", params(AgentListParams, Page),
    responses((status = 200, description = "Connected agents, newest server first", body = List<ConnectedAgent>),
        (status = 400, description = "A filter cannot be read", body = ErrorBody)))]
async fn tunnel_agent_list(
    State(app): State<App>, Params(params): Params<AgentListParams>,
) -> Result<Json<List<ConnectedAgent>>> {
    list(&app, &params).await
}

/// Get statistics of all tunnels.
#[utoipa::path(get, path = "/api/tunnel/stats", tag = "Tunnel",
    responses((status = 200, description = "Sums over all tunnels", body = TunnelStats)))]
async fn tunnel_stats(State(app): State<App>) -> Result<Json<TunnelStats>> {
    service::tunnel_stats(&app).await.map(Json)
}
