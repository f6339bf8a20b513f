//! Files of instances: listed, read, changed, and brought in parts.

use super::{ApiError, ApiResult, Json, Path, Query};
use crate::files::{FileError, Trouble, Wanted};
use crate::state::AgentState;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ocore_shared::ids::{InstanceId, UploadId};
use ocore_shared::protocol::files::{
    FileInfo, FileList, FileQuery, FilesRemoved, HEADER_FILE, MoveQuery, RemoveQuery, Upload, UploadOpen, WriteQuery,
};
use serde::Deserialize;

/// Nothing larger is taken in at once; larger files come in parts.
const LARGEST: u64 = 1 << 40;

pub fn router() -> Router<AgentState> {
    Router::new()
        .route("/instances/{id}/files", get(file_list).delete(file_remove))
        .route("/instances/{id}/files/content", get(file_read).put(file_write))
        .route("/instances/{id}/files/mkdir", post(directory_make))
        .route("/instances/{id}/files/move", post(file_move))
        .route("/instances/{id}/files/zip", get(directory_zip))
        .route("/instances/{id}/files/uploads", post(upload_open))
        .route("/instances/{id}/files/uploads/{upload}", get(upload_get).patch(upload_append).delete(upload_remove))
}

impl From<FileError> for ApiError {
    fn from(error: FileError) -> Self {
        let status = match error.trouble {
            Trouble::NotFound => StatusCode::NOT_FOUND,
            Trouble::Invalid => StatusCode::BAD_REQUEST,
            Trouble::Conflict => StatusCode::CONFLICT,
            Trouble::Changed => StatusCode::PRECONDITION_FAILED,
            Trouble::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Trouble::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Trouble::Failed => StatusCode::SERVICE_UNAVAILABLE,
            Trouble::Job => StatusCode::UNPROCESSABLE_ENTITY,
        };
        ApiError::new(status, &error.code, error.message)
    }
}

async fn file_list(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<FileQuery>,
) -> ApiResult<Json<FileList>> {
    Ok(Json(state.host.files.list(id, query).await?))
}

#[derive(Deserialize)]
struct ReadQuery {
    path: String,
    range: Option<String>,
    /// The part only while this is the file's etag, else all of it.
    if_range: Option<String>,
}

async fn file_read(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<ReadQuery>,
) -> ApiResult<Response> {
    let wanted = Wanted { range: query.range, if_range: query.if_range };
    let opened = state.host.files.open(id, &query.path, wanted).await?;
    let mut headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from(opened.length()))]);
    headers.insert(HEADER_FILE, described(&opened.info)?);
    let status = match opened.span {
        Some(span) => {
            let last = span.first + span.length - 1;
            let range = format!("bytes {}-{last}/{}", span.first, opened.info.size);
            headers.insert(header::CONTENT_RANGE, HeaderValue::try_from(range).map_err(unwritable)?);
            StatusCode::PARTIAL_CONTENT
        }
        None => StatusCode::OK,
    };
    let chunks = opened.into_stream().await.map_err(|e| FileError::from_io("read a file", &query.path, &e))?;
    Ok((status, headers, Body::from_stream(chunks)).into_response())
}

fn described(info: &FileInfo) -> ApiResult<HeaderValue> {
    let json = serde_json::to_vec(info).map_err(unwritable)?;
    HeaderValue::try_from(URL_SAFE_NO_PAD.encode(json)).map_err(unwritable)
}

fn unwritable(cause: impl std::fmt::Display) -> ApiError {
    FileError::failed("describe a file", &cause).into()
}

async fn file_write(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<WriteQuery>, request: Request,
) -> ApiResult<Json<FileInfo>> {
    let body = request.into_body().into_data_stream();
    Ok(Json(state.host.files.write(id, query, LARGEST, body).await?))
}

async fn file_remove(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<RemoveQuery>,
) -> ApiResult<Json<FilesRemoved>> {
    Ok(Json(state.host.files.remove(id, query).await?))
}

async fn directory_make(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<WriteQuery>,
) -> ApiResult<Json<FileInfo>> {
    Ok(Json(state.host.files.make_directory(id, query).await?))
}

async fn file_move(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Json(query): Json<MoveQuery>,
) -> ApiResult<Json<FileInfo>> {
    Ok(Json(state.host.files.rename(id, query).await?))
}

async fn directory_zip(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Query(query): Query<ReadQuery>,
) -> ApiResult<Response> {
    let chunks = state.host.files.zip(id, &query.path).await?;
    Ok(([(header::CONTENT_TYPE, "application/zip")], Body::from_stream(chunks)).into_response())
}

async fn upload_open(
    State(state): State<AgentState>, Path(id): Path<InstanceId>, Json(open): Json<UploadOpen>,
) -> ApiResult<(StatusCode, Json<Upload>)> {
    Ok((StatusCode::CREATED, Json(state.host.files.upload_open(id, open).await?)))
}

async fn upload_get(
    State(state): State<AgentState>, Path((id, upload)): Path<(InstanceId, UploadId)>,
) -> ApiResult<Json<Upload>> {
    Ok(Json(state.host.files.upload_get(id, upload).await?))
}

#[derive(Deserialize)]
struct PartQuery {
    offset: u64,
}

async fn upload_append(
    State(state): State<AgentState>, Path((id, upload)): Path<(InstanceId, UploadId)>, Query(query): Query<PartQuery>,
    request: Request,
) -> ApiResult<Json<Upload>> {
    let body = request.into_body().into_data_stream();
    Ok(Json(state.host.files.upload_append(id, upload, query.offset, body).await?))
}

async fn upload_remove(
    State(state): State<AgentState>, Path((id, upload)): Path<(InstanceId, UploadId)>,
) -> ApiResult<StatusCode> {
    state.host.files.upload_remove(id, upload).await?;
    Ok(StatusCode::NO_CONTENT)
}
