//! What an instance is made of, looked at directly.

use super::{ApiResult, Json, Path};
use crate::ops::odoo::modules;
use crate::ops::proxy;
use crate::state::AgentState;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::modules::ModuleList;
use ocore_shared::protocol::proxy::ProxyState;

pub fn router() -> Router<AgentState> {
    Router::new().route("/instances/{id}/modules", get(module_list)).route("/proxy", get(proxy_state))
}

async fn module_list(State(state): State<AgentState>, Path(id): Path<InstanceId>) -> ApiResult<Json<ModuleList>> {
    Ok(Json(ModuleList { modules: modules::module_list(&state.host, id).await? }))
}

async fn proxy_state(State(state): State<AgentState>) -> ApiResult<Json<ProxyState>> {
    Ok(Json(proxy::proxy_state(&state.host).await?))
}
