//! `/api/instances/{id}/domains`.

use super::access::AccessInput;
use super::model::Domain;
use super::{certificates, service};
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{
    Accepted, Body, Changed, Ctx, DryRun, IfMatch, List, Page, Params, Patch, Path, Permission, Versioned, guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::{DomainId, InstanceId};
use ocore_shared::secret::Secret;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewDomains, routes!(domain_list)))
        .routes(guard(Permission::ManageDomains, routes!(domain_add)))
        .routes(guard(Permission::ViewDomains, routes!(domain_get)))
        .routes(guard(Permission::ManageDomains, routes!(domain_delete)))
        .routes(guard(Permission::ManageDomains, routes!(domain_verify)))
        .routes(guard(Permission::ManageDomains, routes!(domain_primary)))
        .routes(guard(Permission::ManageDomains, routes!(domain_certificate, domain_certificate_drop)))
        .routes(guard(Permission::ManageDomains, routes!(domain_renew)))
        .routes(guard(Permission::ManageDomains, routes!(domain_access)))
}

/// A domain of an instance.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct DomainPath {
    /// Of the instance.
    id: InstanceId,
    domain_id: DomainId,
}

fn versioned(domain: Domain, status: StatusCode) -> Versioned<Domain> {
    let version = domain.version;
    Versioned(status, domain, version)
}

/// List the domains of an instance, with their DNS and certificates.
#[utoipa::path(get, path = "/api/instances/{id}/domains", tag = "Domains", params(InstanceId, Page),
    responses((status = 200, description = "Domains, newest first", body = List<Domain>),
        (status = 404, body = ErrorBody)))]
async fn domain_list(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(page): Params<Page>,
) -> Result<Json<List<Domain>>> {
    service::domain_list(&ctx, &app, id, &page).await.map(Json)
}

/// A domain to add.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct DomainAdd {
    /// The whole name. Letters of other scripts are fine; a star is not.
    #[garde(length(min = 1, max = 1000))]
    #[schema(min_length = 1, max_length = 1000, example = "shop.example.com")]
    host: String,
}

/// Add a domain: the answer says what the DNS is to be. The first one is the primary one.
#[utoipa::path(post, path = "/api/instances/{id}/domains", tag = "Domains", params(InstanceId),
    request_body = DomainAdd,
    responses((status = 201, description = "Added; its DNS is to be set, then it is verified", body = Domain),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "It leads to an instance already", body = ErrorBody)))]
async fn domain_add(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Body(body): Body<DomainAdd>,
) -> Result<Versioned<Domain>> {
    let domain = service::domain_add(&ctx, &app, id, &body.host).await?;
    Ok(versioned(domain, StatusCode::CREATED))
}

/// Get a domain, with its DNS and certificate.
#[utoipa::path(get, path = "/api/instances/{id}/domains/{domain_id}", tag = "Domains", params(DomainPath),
    responses((status = 200, body = Domain), (status = 404, body = ErrorBody)))]
async fn domain_get(ctx: Ctx, State(app): State<App>, Path(path): Path<DomainPath>) -> Result<Versioned<Domain>> {
    let domain = service::domain_get(&ctx, &app, path.id, path.domain_id).await?;
    Ok(versioned(domain, StatusCode::OK))
}

/// Remove a domain with its certificate. When it was the primary one, another one is.
#[utoipa::path(delete, path = "/api/instances/{id}/domains/{domain_id}", tag = "Domains", params(DomainPath, DryRun),
    responses((status = 204, description = "Removed"), (status = 404, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
async fn domain_delete(
    ctx: Ctx, State(app): State<App>, Path(path): Path<DomainPath>, if_match: IfMatch, Params(params): Params<DryRun>,
) -> Result<StatusCode> {
    service::domain_delete(&ctx, &app, path.id, path.domain_id, if_match, params.dry_run).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct VerifyParams {
    /// Go on whatever the DNS says: a proxy of one's own stands before the server.
    #[garde(skip)]
    #[serde(default)]
    force: bool,
}

/// Look at a domain's DNS. When it leads to the server, the name is served and its certificate fetched.
#[utoipa::path(post, path = "/api/instances/{id}/domains/{domain_id}/verify", tag = "Domains",
    params(DomainPath, VerifyParams),
    responses((status = 202, description = "It leads there; a job serves it", body = Accepted),
        (status = 200, description = "It leads there, and nothing has to be done on the server", body = Domain),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The server has no proxy, or the authority has issued enough", body = ErrorBody),
        (status = 422, description = "It leads elsewhere; the message says where", body = ErrorBody)))]
async fn domain_verify(
    ctx: Ctx, State(app): State<App>, Path(path): Path<DomainPath>, Params(params): Params<VerifyParams>,
) -> Result<Changed<Domain>> {
    service::domain_verify(&ctx, &app, path.id, path.domain_id, params.force).await
}

/// Make a domain the one that Odoo writes into links.
#[utoipa::path(put, path = "/api/instances/{id}/domains/{domain_id}/primary", tag = "Domains", params(DomainPath),
    responses((status = 200, body = Domain), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
async fn domain_primary(
    ctx: Ctx, State(app): State<App>, Path(path): Path<DomainPath>, if_match: IfMatch,
) -> Result<Versioned<Domain>> {
    let domain = service::domain_primary(&ctx, &app, path.id, path.domain_id, if_match).await?;
    Ok(versioned(domain, StatusCode::OK))
}

/// A certificate of one's own.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CertificateUpload {
    /// PEM: the domain's own first, then those that lead to its authority.
    #[garde(length(min = 1, max = 131_072))]
    #[schema(min_length = 1, max_length = 131_072)]
    certificate: String,
    /// PEM, without a passphrase. It is never shown.
    #[garde(custom(key_length))]
    #[schema(value_type = String, format = Password)]
    private_key: Secret,
}

fn key_length(key: &Secret, (): &()) -> garde::Result {
    if (1..=65_536).contains(&key.expose().len()) {
        return Ok(());
    }
    Err(garde::Error::new("must have 1 to 65536 bytes"))
}

/// Upload a certificate of one's own, which is shown from then on. It is not renewed by oCore.
#[utoipa::path(put, path = "/api/instances/{id}/domains/{domain_id}/certificate", tag = "Domains",
    params(DomainPath), request_body = CertificateUpload,
    responses((status = 202, body = Accepted),
        (status = 400, description = "It is for another name, has ended, or the key is not its own", body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody)))]
async fn domain_certificate(
    ctx: Ctx, State(app): State<App>, Path(path): Path<DomainPath>, if_match: IfMatch,
    Body(body): Body<CertificateUpload>,
) -> Result<Accepted> {
    let (chain, key) = (&body.certificate, &body.private_key);
    certificates::domain_certificate(&ctx, &app, path.id, path.domain_id, chain, key, if_match).await
}

/// Remove an uploaded certificate: the server's proxy fetches one again, and renews it.
#[utoipa::path(delete, path = "/api/instances/{id}/domains/{domain_id}/certificate", tag = "Domains",
    params(DomainPath),
    responses((status = 202, body = Accepted), (status = 404, body = ErrorBody),
        (status = 409, description = "None was uploaded, or another proxy leads there", body = ErrorBody),
        (status = 412, body = ErrorBody)))]
async fn domain_certificate_drop(
    ctx: Ctx, State(app): State<App>, Path(path): Path<DomainPath>, if_match: IfMatch,
) -> Result<Accepted> {
    certificates::domain_certificate_drop(&ctx, &app, path.id, path.domain_id, if_match).await
}

/// Fetch a domain's certificate anew, now.
#[utoipa::path(post, path = "/api/instances/{id}/domains/{domain_id}/renew", tag = "Domains", params(DomainPath),
    responses((status = 202, body = Accepted), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn domain_renew(ctx: Ctx, State(app): State<App>, Path(path): Path<DomainPath>) -> Result<Accepted> {
    certificates::domain_renew(&ctx, &app, path.id, path.domain_id).await
}

/// Change who may come in by a domain, and what browsers are told.
#[utoipa::path(put, path = "/api/instances/{id}/domains/{domain_id}/access", tag = "Domains",
    params(DomainPath, DryRun), request_body = AccessInput,
    responses((status = 200, body = Domain), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody)))]
async fn domain_access(
    ctx: Ctx, State(app): State<App>, Path(path): Path<DomainPath>, if_match: IfMatch, Params(params): Params<DryRun>,
    patch: Patch<AccessInput>,
) -> Result<Versioned<Domain>> {
    let domain = service::domain_access(&ctx, &app, path.id, path.domain_id, patch, if_match, params.dry_run).await?;
    Ok(versioned(domain, StatusCode::OK))
}
