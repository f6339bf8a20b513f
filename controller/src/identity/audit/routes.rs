use super::model::{AuditEntry, AuditFilter, ExportFormat, Whose};
use super::service;
use super::verify::Verification;
use crate::app::App;
use crate::error::{Error, ErrorBody, Problem, Result};
use crate::identity::api_keys::model::network_parse;
use crate::platform::http::{Caller, Ctx, List, Page, Params, Permission, admin, guard};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::Stream;
use garde::Validate;
use ocore_shared::ids::OrganizationId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewAudit, routes!(audit_log_list)))
        .routes(guard(Permission::ViewAudit, routes!(audit_log_export)))
        .routes(guard(Permission::ViewAudit, routes!(audit_log_verify)))
        .routes(admin(routes!(admin_audit_log_list)))
        .routes(admin(routes!(admin_audit_log_export)))
        .routes(admin(routes!(admin_audit_log_verify)))
}

#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct FilterParams {
    /// Who did it: id of a person or of an API key.
    #[garde(skip)]
    actor: Option<Uuid>,
    /// Exact action, e.g. `role.updated`.
    #[garde(inner(length(chars, max = 100)))]
    action: Option<String>,
    /// Kind of what it was done to, e.g. `server`.
    #[garde(inner(length(chars, max = 100)))]
    resource_type: Option<String>,
    /// What it was done to.
    #[garde(skip)]
    resource_id: Option<Uuid>,
    /// At this time or later (RFC 3339).
    #[garde(skip)]
    from: Option<DateTime<Utc>>,
    /// Before this time (RFC 3339).
    #[garde(skip)]
    to: Option<DateTime<Utc>>,
    /// From this address (`192.0.2.7`) or network (`192.0.2.0/24`).
    #[garde(inner(length(chars, max = 64)))]
    address: Option<String>,
    /// Part of the action, or of the name of actor or resource.
    #[garde(inner(length(chars, max = 100)))]
    q: Option<String>,
}

impl FilterParams {
    fn read(self) -> Result<AuditFilter> {
        let mut problems = Vec::new();
        let address = self.address.as_deref().map(|text| network_parse(text).ok_or(text));
        if let Some(Err(text)) = address {
            problems.push(Problem {
                field: "address".into(),
                constraint: "address".into(),
                message: format!("'{text}' is neither an address nor a network like 192.0.2.0/24."),
            });
        }
        if self.from.zip(self.to).is_some_and(|(from, to)| from >= to) {
            problems.push(Problem {
                field: "to".into(),
                constraint: "after".into(),
                message: "to must be later than from.".into(),
            });
        }
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let address = address.and_then(Result::ok);
        Ok(AuditFilter {
            actor_id: self.actor,
            action: self.action,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
            from: self.from,
            to: self.to,
            address,
            q: self.q,
        })
    }
}

#[derive(Debug, Deserialize, Validate)]
struct ListParams {
    #[garde(dive)]
    #[serde(flatten)]
    filter: FilterParams,
    #[garde(dive)]
    #[serde(flatten)]
    page: Page,
}

#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct FormatParams {
    /// `json` (one object a line) or `csv`.
    #[garde(skip)]
    #[serde(default)]
    #[param(inline)]
    format: ExportFormat,
}

#[derive(Debug, Deserialize, Validate)]
struct ExportParams {
    #[garde(dive)]
    #[serde(flatten)]
    filter: FilterParams,
    #[garde(dive)]
    #[serde(flatten)]
    format: FormatParams,
}

#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct WhoseParams {
    /// Only this organization's entries; those of all organizations and of the platform itself when left out.
    #[garde(skip)]
    #[param(value_type = Option<Uuid>)]
    organization_id: Option<OrganizationId>,
}

impl WhoseParams {
    fn read(&self) -> Whose {
        self.organization_id.map_or(Whose::All, Whose::One)
    }
}

#[derive(Debug, Deserialize, Validate)]
struct AdminListParams {
    #[garde(dive)]
    #[serde(flatten)]
    whose: WhoseParams,
    #[garde(dive)]
    #[serde(flatten)]
    list: ListParams,
}

#[derive(Debug, Deserialize, Validate)]
struct AdminExportParams {
    #[garde(dive)]
    #[serde(flatten)]
    whose: WhoseParams,
    #[garde(dive)]
    #[serde(flatten)]
    export: ExportParams,
}

/// What verifying all chains has found.
#[derive(Serialize, ToSchema)]
struct Verifications {
    /// Whether every chain is whole.
    valid: bool,
    chains: Vec<Verification>,
}

/// List audit entries.
///
/// Every change and every sensitive read in the organization, newest first.
#[utoipa::path(get, path = "/api/audit-logs", tag = "Audit Logs", params(FilterParams, Page),
    responses((status = 200, description = "Entries, newest first", body = List<AuditEntry>),
        (status = 400, description = "A filter cannot be read", body = ErrorBody)))]
async fn audit_log_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<ListParams>,
) -> Result<Json<List<AuditEntry>>> {
    service::audit_list(&ctx, &app, &params.filter.read()?, &params.page).await.map(Json)
}

/// Export audit entries.
///
/// All entries that match, newest first, as JSON lines or CSV, streamed. The export is an entry itself.
#[utoipa::path(get, path = "/api/audit-logs/export", tag = "Audit Logs", params(FilterParams, FormatParams),
    responses(
        (status = 200, description = "The file", content((String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 400, description = "A filter cannot be read", body = ErrorBody)))]
async fn audit_log_export(ctx: Ctx, State(app): State<App>, Params(params): Params<ExportParams>) -> Result<Response> {
    let format = params.format.format;
    let file = service::audit_export(ctx, app, params.filter.read()?, format).await?;
    Ok(download(format, file))
}

/// Verify the audit log.
///
/// Computes every hash of the organization's chain anew and compares them with the signed head and with the heads that
/// are kept outside the database. Names the first entry that is bad, and what is wrong with it.
#[utoipa::path(get, path = "/api/audit-logs/verify", tag = "Audit Logs",
    responses((status = 200, description = "What was found; `valid` says whether the chain is whole", body = Verification)))]
async fn audit_log_verify(ctx: Ctx, State(app): State<App>) -> Result<Json<Verification>> {
    service::audit_verify(&ctx, &app).await.map(Json)
}

/// List audit entries across organizations.
///
/// Entries of every organization and of the platform itself, such as signing in, newest first.
#[utoipa::path(get, path = "/api/admin/audit-logs", tag = "Admin", params(WhoseParams, FilterParams, Page),
    responses((status = 200, description = "Entries, newest first", body = List<AuditEntry>),
        (status = 400, description = "A filter cannot be read", body = ErrorBody)))]
async fn admin_audit_log_list(
    State(app): State<App>, Params(params): Params<AdminListParams>,
) -> Result<Json<List<AuditEntry>>> {
    let AdminListParams { whose, list } = params;
    service::admin_audit_list(&app, whose.read(), &list.filter.read()?, &list.page).await.map(Json)
}

/// Export audit entries across organizations.
///
/// All entries that match, newest first, as JSON lines or CSV, streamed. The export is an entry itself.
#[utoipa::path(get, path = "/api/admin/audit-logs/export", tag = "Admin", params(WhoseParams, FilterParams, FormatParams),
    responses(
        (status = 200, description = "The file", content((String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 400, description = "A filter cannot be read", body = ErrorBody)))]
async fn admin_audit_log_export(
    caller: Caller, State(app): State<App>, Params(params): Params<AdminExportParams>,
) -> Result<Response> {
    let AdminExportParams { whose, export } = params;
    let format = export.format.format;
    let file = service::admin_audit_export(caller, app, whose.read(), export.filter.read()?, format).await?;
    Ok(download(format, file))
}

/// Verify every audit log.
///
/// The platform's own chain, each organization's, and those of organizations that are gone.
#[utoipa::path(get, path = "/api/admin/audit-logs/verify", tag = "Admin",
    responses((status = 200, description = "What was found, chain by chain", body = Verifications)))]
async fn admin_audit_log_verify(State(app): State<App>) -> Result<Json<Verifications>> {
    let chains = service::admin_audit_verify(&app).await?;
    Ok(Json(Verifications { valid: chains.iter().all(|chain| chain.valid), chains }))
}

fn download(format: ExportFormat, file: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Response {
    let disposition = format!("attachment; filename=\"{}\"", format.file_name());
    let headers =
        [(header::CONTENT_TYPE, format.content_type().to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, Body::from_stream(file)).into_response()
}
