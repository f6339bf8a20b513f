//! What an instance is made of, looked at directly.

use super::{ApiResult, Json, Path, Query};
use crate::ops::odoo::databases::look;
use crate::ops::odoo::modules;
use crate::ops::proxy;
use crate::state::AgentState;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::databases::{
    DatabaseInfo, DatabaseList, DatabaseMetrics, SettingList, TableList, TableQuery,
};
use ocore_shared::protocol::modules::ModuleList;
use ocore_shared::protocol::proxy::{NameCheck, NameQuery, ProxyState};

pub fn router() -> Router<AgentState> {
    Router::new()
        .route("/instances/{id}/modules", get(module_list))
        .route("/instances/{id}/database", get(database_info))
        .route("/instances/{id}/database/settings", get(setting_list))
        .route("/instances/{id}/database/metrics", get(database_metrics))
        .route("/instances/{id}/database/tables", get(table_list))
        .route("/instances/{id}/database/databases", get(database_list))
        .route("/proxy", get(proxy_state))
        .route("/proxy/name", get(name_check))
}

async fn module_list(State(state): State<AgentState>, Path(id): Path<InstanceId>) -> ApiResult<Json<ModuleList>> {
    Ok(Json(ModuleList { modules: modules::module_list(&state.host, id).await? }))
}

async fn proxy_state(State(state): State<AgentState>) -> ApiResult<Json<ProxyState>> {
    Ok(Json(proxy::proxy_state(&state.host).await?))
}

async fn name_check(State(state): State<AgentState>, Query(query): Query<NameQuery>) -> ApiResult<Json<NameCheck>> {
    Ok(Json(proxy::name_check(&state.host, &query).await?))
}

async fn database_info(State(state): State<AgentState>, Path(id): Path<InstanceId>) -> ApiResult<Json<DatabaseInfo>> {
    Ok(Json(look::database_info(&state.host, id).await?))
}

async fn setting_list(State(state): State<AgentState>, Path(id): Path<InstanceId>) -> ApiResult<Json<SettingList>> {
    Ok(Json(look::setting_list(&state.host, id).await?))
}

async fn database_metrics(
    State(state): State<AgentState>, Path(id): Path<InstanceId>,
) -> ApiResult<Json<DatabaseMetrics>> {
    Ok(Json(look::database_metrics(&state.host, id).await?))
}

async fn table_list(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<TableQuery>,
) -> ApiResult<Json<TableList>> {
    Ok(Json(look::table_list(&state.host, id, &query).await?))
}

async fn database_list(State(state): State<AgentState>, Path(id): Path<InstanceId>) -> ApiResult<Json<DatabaseList>> {
    Ok(Json(look::database_list(&state.host, id).await?))
}
