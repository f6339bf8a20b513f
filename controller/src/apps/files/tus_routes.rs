//! `/api/instances/{id}/files/tus`: uploads in parts, by TUS 1.0.0.

use super::routes::UploadParams;
use super::service::instance_place;
use super::tus::{self, EXTENSIONS, LARGEST, VERSION, metadata_get};
use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::platform::http::{Ctx, Params, Path, Permission, guard};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::options;
use ocore_shared::ids::{InstanceId, UploadId};
use ocore_shared::protocol::files::{Upload, UploadOpen};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

const UPLOADS: &str = "/api/instances/{id}/files/tus";
const UPLOAD: &str = "/api/instances/{id}/files/tus/{upload}";
const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// The type of a part.
const PART: &str = "application/offset+octet-stream";

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(spoken(guard(Permission::FilesInstances, routes!(instance_upload_create))))
        .routes(spoken(guard(Permission::FilesInstances, routes!(instance_upload_get))))
        .routes(spoken(guard(Permission::FilesInstances, routes!(instance_upload_append))))
        .routes(spoken(guard(Permission::FilesInstances, routes!(instance_upload_delete))))
        // What is spoken here is no secret; who asks has nothing to show yet.
        .route(UPLOADS, options(protocol))
        .route(UPLOAD, options(protocol))
}

/// Another version is refused before anything is looked at, and each answer says which one it is in.
fn spoken(routes: UtoipaMethodRouter<App>) -> UtoipaMethodRouter<App> {
    let (schemas, paths, router) = routes;
    (schemas, paths, router.layer(from_fn(version)))
}

async fn version(request: Request, next: Next) -> Response {
    let mut response = match request.headers().get(&TUS_RESUMABLE) {
        Some(wanted) if wanted != VERSION => {
            let message = format!("Uploads are made by version {VERSION} of the protocol.");
            let refusal = Error::PreconditionFailed { message }.into_response();
            ([(TUS_VERSION, VERSION)], refusal).into_response()
        }
        _ => next.run(request).await,
    };
    response.headers_mut().insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    response
}

async fn protocol() -> Response {
    let told = [
        (TUS_RESUMABLE, VERSION.to_owned()),
        (TUS_VERSION, VERSION.to_owned()),
        (HeaderName::from_static("tus-extension"), EXTENSIONS.to_owned()),
        (HeaderName::from_static("tus-max-size"), LARGEST.to_string()),
    ];
    (StatusCode::NO_CONTENT, told).into_response()
}

/// What every answer tells of an upload.
fn told(upload: &Upload) -> [(HeaderName, String); 3] {
    [
        (UPLOAD_OFFSET, upload.offset.to_string()),
        (UPLOAD_LENGTH, upload.length.to_string()),
        (HeaderName::from_static("upload-expires"), httpdate::fmt_http_date(upload.expires_at.into())),
    ]
}

/// A number in a header.
fn number(headers: &HeaderMap, name: &HeaderName, shown: &str) -> Result<u64> {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.trim().parse().ok()).ok_or_else(|| {
        Error::field(shown, "required", format!("{shown} is a number of bytes; it goes with every such request."))
    })
}

fn is_part(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == PART)
}

/// Begin an upload that may come in parts (TUS 1.0.0: creation, creation-with-upload).
#[utoipa::path(post, path = UPLOADS, tag = "Instances",
    params(InstanceId, UploadParams,
        ("Upload-Length" = u64, Header, description = "Bytes of the whole file."),
        ("Upload-Metadata" = String, Header, description = "`filename` and its value in base64; other pairs are passed over.")),
    responses((status = 201, description = "Begun: its parts go to Location",
            headers(("Location" = String), ("Upload-Offset" = u64), ("Upload-Expires" = String)), body = Upload),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
async fn instance_upload_create(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(params): Params<UploadParams>,
    request: Request,
) -> Result<Response> {
    let place = instance_place(&ctx, &app, id).await?;
    let headers = request.headers();
    let length = number(headers, &UPLOAD_LENGTH, "Upload-Length")?;
    let metadata = headers.get("upload-metadata").and_then(|m| m.to_str().ok()).unwrap_or_default();
    let name = metadata_get(metadata, "filename")?.filter(|name| !name.is_empty() && !name.contains(['/', '\\']));
    let name = name.ok_or_else(|| {
        let message = "Upload-Metadata names the file: 'filename', a space, and the name in base64, without a slash.";
        Error::field("Upload-Metadata", "filename", message)
    })?;
    let UploadParams { path, overwrite, force } = params;
    let path = format!("{}/{name}", path.trim_end_matches('/'));
    let comes_along = is_part(headers);
    let mut upload = tus::upload_create(&ctx, &app, &place, UploadOpen { path, length, overwrite, force }).await?;
    if comes_along && length > 0 {
        let body = request.into_body().into_data_stream();
        // What has come is kept, and what is wrong is said to the next part.
        if let Ok(appended) = tus::upload_append(&ctx, &app, &place, upload.id, 0, body).await {
            upload = appended;
        }
    }
    let location = UPLOAD.replace("{id}", &id.to_string()).replace("{upload}", &upload.id.to_string());
    Ok((StatusCode::CREATED, told(&upload), [(header::LOCATION, location)], Json(upload)).into_response())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct UploadPath {
    /// Of the instance.
    id: InstanceId,
    upload: UploadId,
}

/// Ask how far an upload is (HEAD: the headers alone).
#[utoipa::path(get, path = UPLOAD, tag = "Instances",
    params(UploadPath),
    responses((status = 200, headers(("Upload-Offset" = u64), ("Upload-Length" = u64), ("Upload-Expires" = String)), body = Upload),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
async fn instance_upload_get(ctx: Ctx, State(app): State<App>, Path(path): Path<UploadPath>) -> Result<Response> {
    let place = instance_place(&ctx, &app, path.id).await?;
    let upload = tus::upload_get(&app, &place, path.upload).await?;
    Ok((told(&upload), Json(upload)).into_response())
}

/// Bring the next part of an upload, as `application/offset+octet-stream`. With the last byte the file is in its place.
#[utoipa::path(patch, path = UPLOAD, tag = "Instances",
    params(UploadPath,
        ("Upload-Offset" = u64, Header, description = "Bytes that are there.")),
    responses((status = 204, headers(("Upload-Offset" = u64), ("Upload-Expires" = String))),
        (status = 404, body = ErrorBody), (status = 409, description = "Not so many bytes are there", body = ErrorBody),
        (status = 415, description = "Not of the type of a part", body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn instance_upload_append(
    ctx: Ctx, State(app): State<App>, Path(path): Path<UploadPath>, request: Request,
) -> Result<Response> {
    let place = instance_place(&ctx, &app, path.id).await?;
    if !is_part(request.headers()) {
        return Err(Error::UnsupportedMediaType { takes: "the next bytes of a file", kind: PART });
    }
    let offset = number(request.headers(), &UPLOAD_OFFSET, "Upload-Offset")?;
    let body = request.into_body().into_data_stream();
    let upload = tus::upload_append(&ctx, &app, &place, path.upload, offset, body).await?;
    Ok((StatusCode::NO_CONTENT, told(&upload)).into_response())
}

/// End an upload and forget what has come of it.
#[utoipa::path(delete, path = UPLOAD, tag = "Instances",
    params(UploadPath),
    responses((status = 204), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
async fn instance_upload_delete(ctx: Ctx, State(app): State<App>, Path(path): Path<UploadPath>) -> Result<StatusCode> {
    let place = instance_place(&ctx, &app, path.id).await?;
    tus::upload_delete(&ctx, &app, &place, path.upload).await?;
    Ok(StatusCode::NO_CONTENT)
}
