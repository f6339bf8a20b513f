//! `/api/notices` and `/api/user/notices`.

use super::model::{Notice, NoticeChoice, NoticeKind};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{
    Caller, Ctx, IfMatch, List, Page, Params, Patch, PatchFields, Permission, Versioned, guard, user,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewOrg, routes!(notice_list)))
        .routes(user(routes!(notice_choice_get)))
        .routes(user(routes!(notice_choice_set)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct NoticeListParams {
    /// Only this kind.
    #[garde(skip)]
    #[param(inline)]
    kind: Option<NoticeKind>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// What a person wants to be told of.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "muted": ["job_failed"] }))]
pub struct NoticeChoiceUpdate {
    /// Kinds that no mail shall come of; all others are mailed.
    #[garde(length(max = 64))]
    #[schema(max_items = 64)]
    muted: Vec<NoticeKind>,
}

impl PatchFields for NoticeChoiceUpdate {
    const FIELDS: &'static [&'static str] = &["muted"];
}

/// List the notices that hold now.
///
/// Each is there once per subject, as long as what it tells holds, and only for who may see the subject. Administrators
/// of the platform also see what concerns the platform itself.
#[utoipa::path(get, path = "/api/notices", tag = "Notices", params(NoticeListParams, Page),
    responses((status = 200, description = "Open notices, newest first", body = List<Notice>),
        (status = 400, description = "A parameter is wrong", body = ErrorBody)))]
async fn notice_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<NoticeListParams>,
) -> Result<Json<List<Notice>>> {
    service::notice_list(&ctx, &app, params.kind, &params.page).await.map(Json)
}

/// Read which notices one gets by mail.
#[utoipa::path(get, path = "/api/user/notices", tag = "User",
    responses((status = 200, description = "Every kind, and those that are muted", body = NoticeChoice)))]
async fn notice_choice_get(caller: Caller, State(app): State<App>) -> Result<Versioned<NoticeChoice>> {
    let choice = service::notice_choice_get(&caller, &app).await?;
    let version = choice.version;
    Ok(Versioned(StatusCode::OK, choice, version))
}

/// Choose which notices one gets by mail. They stay visible in the console.
#[utoipa::path(put, path = "/api/user/notices", tag = "User", request_body = NoticeChoiceUpdate,
    responses((status = 200, description = "As it is now", body = NoticeChoice),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 412, description = "The account has changed since it was read", body = ErrorBody)))]
async fn notice_choice_set(
    caller: Caller, State(app): State<App>, if_match: IfMatch, body: Patch<NoticeChoiceUpdate>,
) -> Result<Versioned<NoticeChoice>> {
    let change = |before: &NoticeChoice| body.read(before).map(|body| body.muted);
    let choice = service::notice_choice_set(&caller, &app, if_match, change).await?;
    let version = choice.version;
    Ok(Versioned(StatusCode::OK, choice, version))
}
