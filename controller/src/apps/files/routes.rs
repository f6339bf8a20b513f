//! `/api/instances/{id}/files`.

use super::model::{FileContent, FileTarget};
use super::service::{self, instance_place};
use super::transfers;
use crate::app::App;
use crate::error::{Error, ErrorBody, Result};
use crate::platform::http::body::{parse, read_up_to, validate};
use crate::platform::http::{Body, Ctx, List, Page, Params, Path, Permission, guard};
use axum::Json;
use axum::body::Body as Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::files::{FileInfo, FilesRemoved, MAX_TEXT, MoveQuery, RemoveQuery};
use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A text as JSON: quotes and ends of lines take two bytes each.
const MAX_CONTENT: usize = 2 * MAX_TEXT as usize + 64 * 1024;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::FilesInstances, routes!(instance_file_list)))
        .routes(guard(Permission::FilesInstances, routes!(instance_file_delete)))
        .routes(guard(Permission::FilesInstances, routes!(instance_file_read)))
        .routes(guard(Permission::FilesInstances, routes!(instance_file_write)))
        .routes(guard(Permission::FilesInstances, routes!(instance_file_download)))
        .routes(guard(Permission::FilesInstances, routes!(instance_directory_download)))
        .routes(guard(Permission::FilesInstances, routes!(instance_file_upload)))
        .routes(guard(Permission::FilesInstances, routes!(instance_directory_create)))
        .routes(guard(Permission::FilesInstances, routes!(instance_file_move)))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Directory, e.g. `addons/my_module`; left out: the roots.
    #[garde(length(max = 4096))]
    #[serde(default)]
    path: String,
    /// Exact name.
    #[garde(inner(length(max = 255)))]
    name: Option<String>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// List a directory of an instance: `addons/` (one's own modules), `config/` (odoo.conf without its secrets), `filestore/`
/// (Odoo's attachments), `sources/` (modules from git).
#[utoipa::path(get, path = "/api/instances/{id}/files", tag = "Instances", params(InstanceId, ListParams, Page),
    responses((status = 200, description = "Files and directories, by name", body = List<FileInfo>),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn instance_file_list(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(params): Params<ListParams>,
) -> Result<Json<List<FileInfo>>> {
    let place = instance_place(&ctx, &app, id).await?;
    service::file_list(&app, &place, params.path, params.name, &params.page).await.map(Json)
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteParams {
    /// File or directory.
    #[garde(length(min = 1, max = 4096))]
    path: String,
    /// A directory with all that is in it.
    #[garde(skip)]
    #[serde(default)]
    recursive: bool,
    /// Only tell how much would go.
    #[garde(skip)]
    #[serde(default)]
    dry_run: bool,
    /// Also in `filestore/`, where files are Odoo's.
    #[garde(skip)]
    #[serde(default)]
    force: bool,
}

/// Delete a file or a directory of an instance.
#[utoipa::path(delete, path = "/api/instances/{id}/files", tag = "Instances", params(InstanceId, DeleteParams),
    responses((status = 200, description = "What has gone, or would", body = FilesRemoved),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn instance_file_delete(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(params): Params<DeleteParams>,
) -> Result<Json<FilesRemoved>> {
    let place = instance_place(&ctx, &app, id).await?;
    let DeleteParams { path, recursive, dry_run, force } = params;
    service::file_delete(&ctx, &app, &place, RemoveQuery { path, recursive, dry_run, force }).await.map(Json)
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct PathParams {
    /// From the root on, e.g. `addons/my_module/README.md`.
    #[garde(length(min = 1, max = 4096))]
    path: String,
}

/// Read a text file of an instance, up to 5 MiB.
#[utoipa::path(get, path = "/api/instances/{id}/files/content", tag = "Instances", params(InstanceId, PathParams),
    responses((status = 200, body = FileContent), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, description = "It is too large or no text", body = ErrorBody)))]
async fn instance_file_read(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(params): Params<PathParams>,
) -> Result<Response> {
    let place = instance_place(&ctx, &app, id).await?;
    let content = service::file_read(&app, &place, &params.path).await?;
    let headers = [(header::ETAG, quoted(&content.etag))];
    Ok((headers, Json(content)).into_response())
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// The etag in a header that compares.
fn etag_in(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    Some(text.trim_matches('"').to_owned())
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct WriteParams {
    /// From the root on, e.g. `addons/my_module/README.md`.
    #[garde(length(min = 1, max = 4096))]
    path: String,
    /// Also in `filestore/`, where files are Odoo's.
    #[garde(skip)]
    #[serde(default)]
    force: bool,
}

/// A text; what else was told when it was read may come back with it.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct FileContentInput {
    /// UTF-8, up to 5 MiB.
    #[garde(skip)]
    content: String,
    /// The same as in the query.
    #[garde(skip)]
    path: Option<String>,
    /// Means what If-Match means.
    #[garde(skip)]
    etag: Option<String>,
    #[garde(skip)]
    #[expect(dead_code, reason = "it follows from the content")]
    #[schema(value_type = Option<u64>, read_only)]
    size: Option<IgnoredAny>,
    #[garde(skip)]
    #[expect(dead_code, reason = "it follows from the content")]
    #[schema(value_type = Option<String>, read_only)]
    mode: Option<IgnoredAny>,
    #[garde(skip)]
    #[expect(dead_code, reason = "it follows from the content")]
    #[schema(value_type = Option<String>, read_only)]
    modified_at: Option<IgnoredAny>,
    #[garde(skip)]
    #[expect(dead_code, reason = "it follows from the content")]
    #[schema(value_type = Option<bool>, read_only)]
    writable: Option<IgnoredAny>,
}

/// Write a text file of an instance, whole or not at all. With If-Match, only over what was read; with
/// `If-None-Match: *`, only where nothing is.
#[utoipa::path(put, path = "/api/instances/{id}/files/content", tag = "Instances", params(InstanceId, WriteParams),
    request_body = FileContentInput,
    responses((status = 200, body = FileInfo), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn instance_file_write(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(params): Params<WriteParams>, request: Request,
) -> Result<Response> {
    let place = instance_place(&ctx, &app, id).await?;
    let if_match = etag_in(request.headers(), header::IF_MATCH);
    let is_new = etag_in(request.headers(), header::IF_NONE_MATCH).as_deref() == Some("*");
    let input: FileContentInput = parse(&read_up_to(request, MAX_CONTENT).await?)?;
    validate(&input)?;
    if input.path.is_some_and(|path| path != params.path) {
        return Err(Error::field("path", "read_only", "The file is named in the query; move it to name it otherwise."));
    }
    let if_match = if_match.or(input.etag);
    let target = FileTarget { path: params.path, if_match, overwrite: !is_new, force: params.force };
    let info = match service::file_write(&ctx, &app, &place, target, input.content).await {
        Err(Error::Conflict { code: "file_exists", message }) => Err(Error::PreconditionFailed { message }),
        written => written,
    }?;
    let etag = info.etag.as_deref().map(|etag| [(header::ETAG, quoted(etag))]);
    Ok((etag, Json(info)).into_response())
}

/// Download a file of an instance, or a part of it (Range, If-Range).
#[utoipa::path(get, path = "/api/instances/{id}/files/download", tag = "Instances",
    params(InstanceId, PathParams,
        ("Range" = Option<String>, Header, description = "One part, e.g. `bytes=1048576-`."),
        ("If-Range" = Option<String>, Header, description = "An ETag: the part only while the file is still that, else all of it.")),
    responses((status = 200, description = "The file", content_type = "application/octet-stream", body = String),
        (status = 206, description = "The part", content_type = "application/octet-stream", body = String),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 416, description = "The file has no such part", body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn instance_file_download(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(params): Params<PathParams>,
    headers: HeaderMap,
) -> Result<Response> {
    let place = instance_place(&ctx, &app, id).await?;
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let if_range = etag_in(&headers, header::IF_RANGE);
    let opened = transfers::file_open(&app, &place, &params.path, range, if_range.as_deref()).await?;
    let (length, part) = (opened.length, opened.part.clone());
    let (info, bytes) = transfers::file_download(&ctx, &app, &place, opened).await?;
    let mut response = Bytes::from_stream(bytes).into_response();
    *response.status_mut() = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let told = [
        (header::CONTENT_TYPE, Some("application/octet-stream".to_owned())),
        (header::CONTENT_LENGTH, Some(length.to_string())),
        (header::ACCEPT_RANGES, Some("bytes".to_owned())),
        (header::CONTENT_RANGE, part),
        (header::ETAG, info.etag.as_deref().map(quoted)),
        (header::LAST_MODIFIED, Some(httpdate::fmt_http_date(info.modified_at.into()))),
        (header::CONTENT_DISPOSITION, Some(attachment(&info.name))),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(Error::internal)?);
        }
    }
    Ok(response)
}

/// How a browser names what it keeps: plainly, and as it is.
fn attachment(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' }).collect();
    let exact = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

/// Download a directory of an instance as a zip.
#[utoipa::path(get, path = "/api/instances/{id}/files/download-zip", tag = "Instances", params(InstanceId, PathParams),
    responses((status = 200, description = "The zip", content_type = "application/zip", body = String),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, description = "It holds too many files", body = ErrorBody)))]
async fn instance_directory_download(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(params): Params<PathParams>,
) -> Result<Response> {
    let place = instance_place(&ctx, &app, id).await?;
    let bytes = transfers::directory_download(&ctx, &app, &place, &params.path).await?;
    let name = params.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, attachment(&format!("{name}.zip"))),
    ];
    Ok((headers, Bytes::from_stream(bytes)).into_response())
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UploadParams {
    /// Directory that the file goes into, e.g. `addons/my_module`.
    #[garde(length(min = 1, max = 4096))]
    pub path: String,
    /// Whether a file of that name is replaced.
    #[garde(skip)]
    #[serde(default)]
    pub overwrite: bool,
    /// Also in `filestore/`, where files are Odoo's.
    #[garde(skip)]
    #[serde(default)]
    pub force: bool,
}

/// The form that a file comes in.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only described; the form is read while it comes")]
struct UploadForm {
    /// The file, with its name.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Upload a file to an instance, whole or not at all. What is large, or comes over a bad line, comes better in parts
/// (`files/tus`).
#[utoipa::path(post, path = "/api/instances/{id}/files/upload", tag = "Instances", params(InstanceId, UploadParams),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "It is in its place", body = FileInfo), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn instance_file_upload(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(params): Params<UploadParams>,
    request: Request,
) -> Result<(StatusCode, Json<FileInfo>)> {
    let place = instance_place(&ctx, &app, id).await?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| {
        let message = "Send the file as multipart/form-data, in a part called 'file' (curl: -F file=@name).";
        Error::field("Content-Type", "multipart", message)
    })?;
    let UploadParams { path, overwrite, force } = params;
    let target = FileTarget { path, overwrite, force, if_match: None };
    let body = request.into_body().into_data_stream();
    let info = transfers::file_upload(&ctx, &app, &place, target, boundary, body).await?;
    Ok((StatusCode::CREATED, Json(info)))
}

/// A directory to make.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct DirectoryCreate {
    /// From the root on; what it lies in is there.
    #[garde(length(min = 1, max = 4096))]
    path: String,
    /// Also in `filestore/`, where files are Odoo's.
    #[garde(skip)]
    #[serde(default)]
    force: bool,
}

/// Make a directory in an instance's files.
#[utoipa::path(post, path = "/api/instances/{id}/files/mkdir", tag = "Instances", params(InstanceId),
    request_body = DirectoryCreate,
    responses((status = 201, description = "Made", body = FileInfo), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn instance_directory_create(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Body(body): Body<DirectoryCreate>,
) -> Result<(StatusCode, Json<FileInfo>)> {
    let place = instance_place(&ctx, &app, id).await?;
    let made = service::directory_create(&ctx, &app, &place, body.path, body.force).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Another name, or another place in the same root.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct FileMove {
    #[garde(length(min = 1, max = 4096))]
    from: String,
    #[garde(length(min = 1, max = 4096))]
    to: String,
    /// Whether a file of that name is replaced.
    #[garde(skip)]
    #[serde(default)]
    overwrite: bool,
    /// Also in `filestore/`, where files are Odoo's.
    #[garde(skip)]
    #[serde(default)]
    force: bool,
}

/// Move or rename a file or a directory of an instance.
#[utoipa::path(post, path = "/api/instances/{id}/files/move", tag = "Instances", params(InstanceId),
    request_body = FileMove,
    responses((status = 200, description = "Where it is now", body = FileInfo), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn instance_file_move(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Body(body): Body<FileMove>,
) -> Result<Json<FileInfo>> {
    let place = instance_place(&ctx, &app, id).await?;
    let FileMove { from, to, overwrite, force } = body;
    service::file_move(&ctx, &app, &place, MoveQuery { from, to, overwrite, force }).await.map(Json)
}
