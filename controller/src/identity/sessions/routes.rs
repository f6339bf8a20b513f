use super::model::{Login, Session};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{Caller, List, Page, Params, Path, user};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ocore_shared::ids::SessionId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(user(routes!(session_list)))
        .routes(user(routes!(session_revoke)))
        .routes(user(routes!(login_list)))
}

/// List where one is signed in.
#[utoipa::path(get, path = "/api/user/sessions", tag = "User", params(Page),
    responses((status = 200, description = "Sessions that go on, the newest first", body = List<Session>),
        (status = 400, description = "A parameter is wrong", body = ErrorBody)))]
async fn session_list(
    caller: Caller, State(app): State<App>, Params(page): Params<Page>,
) -> Result<Json<List<Session>>> {
    service::session_list(&caller, &app, &page).await.map(Json)
}

/// Sign out somewhere else.
///
/// Its tokens work nowhere within five seconds, and what it follows ends.
#[utoipa::path(delete, path = "/api/user/sessions/{id}", tag = "User", params(SessionId),
    responses((status = 204, description = "It has ended"),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "You have no such session, or it has ended", body = ErrorBody)))]
async fn session_revoke(caller: Caller, State(app): State<App>, Path(id): Path<SessionId>) -> Result<StatusCode> {
    service::session_revoke(&caller, &app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List one's sign-ins of the last 90 days, and attempts at them.
#[utoipa::path(get, path = "/api/user/login-history", tag = "User", params(Page),
    responses((status = 200, description = "The newest first", body = List<Login>),
        (status = 400, description = "A parameter is wrong", body = ErrorBody)))]
async fn login_list(caller: Caller, State(app): State<App>, Params(page): Params<Page>) -> Result<Json<List<Login>>> {
    service::login_list(&caller, &app, &page).await.map(Json)
}
