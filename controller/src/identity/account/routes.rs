use super::model::Account;
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::platform::http::{Caller, Versioned, user};
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(user(routes!(account_get)))
}

/// Read one's own account, with organizations, roles and permissions.
#[utoipa::path(get, path = "/api/user", tag = "User",
    responses((status = 200, description = "The signed-in person", body = Account)))]
async fn account_get(caller: Caller, State(app): State<App>) -> Result<Versioned<Account>> {
    let account = service::account_get(&caller, &app).await?;
    let version = account.version;
    Ok(Versioned(StatusCode::OK, account, version))
}
