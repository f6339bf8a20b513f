use super::model::{MailOpened, MailStatus, MailView};
use super::service;
use super::store::MailFilter;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{Caller, List, Page, Params, Path, admin};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use ocore_shared::ids::MailId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(admin(routes!(mail_list)))
        .routes(admin(routes!(mail_open)))
        .routes(admin(routes!(mail_retry)))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct MailListParams {
    /// All when left out.
    #[garde(skip)]
    #[param(inline)]
    status: Option<MailStatus>,
    /// Part of the recipient's address.
    #[garde(inner(length(chars, max = 254)))]
    q: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List mails of the last 30 days, never what they say.
#[utoipa::path(get, path = "/api/admin/mails", tag = "Admin", params(MailListParams, Page),
    responses((status = 200, description = "The newest first", body = List<MailView>),
        (status = 400, description = "A parameter is wrong", body = ErrorBody)))]
async fn mail_list(State(app): State<App>, Params(params): Params<MailListParams>) -> Result<Json<List<MailView>>> {
    let filter = MailFilter { id: None, status: params.status, q: params.q.as_deref() };
    service::mail_list(&app, &filter, &params.page).await.map(Json)
}

/// Open a mail that was not sent, to pass its link on by other means.
///
/// The link counts as a credential, so this is written into the audit log. What a mail says is forgotten once an SMTP
/// server has taken it over.
#[utoipa::path(get, path = "/api/admin/mails/{id}", tag = "Admin", params(MailId),
    responses((status = 200, description = "The mail; without its words once it was sent", body = MailOpened),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody)))]
async fn mail_open(caller: Caller, State(app): State<App>, Path(id): Path<MailId>) -> Result<Response> {
    let mail = service::mail_open(&caller, &app, id).await?;
    let mut response = Json(mail).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Send a mail that was kept, or that the SMTP server did not take, now.
#[utoipa::path(post, path = "/api/admin/mails/{id}/retry", tag = "Admin", params(MailId),
    responses((status = 202, description = "It is on its way", body = MailView),
        (status = 400, description = "The id is none", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It was sent, or is on its way", body = ErrorBody),
        (status = 422, description = "No SMTP server is set", body = ErrorBody)))]
async fn mail_retry(
    caller: Caller, State(app): State<App>, Path(id): Path<MailId>,
) -> Result<(StatusCode, Json<MailView>)> {
    let mail = service::mail_retry(&caller, &app, id).await?;
    Ok((StatusCode::ACCEPTED, Json(mail)))
}
