//! Bytes between people and servers: streamed, never kept here. What comes from a person takes its place only when its
//! end was seen; whoever goes away in the middle of it has changed nothing.

use super::errors::refused;
use super::model::{FilePlace, FileTarget};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::while_allowed;
use crate::platform::http::Ctx;
use crate::signals::events::Subject;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, Method, header};
use http_body_util::BodyExt;
use multer::{Field, Multipart};
use ocore_shared::protocol::files::{FileInfo, HEADER_FILE, MAX_TEXT, WriteQuery};
use ocore_shared::tunnel::{ResponseBody, TunnelError};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::Connection;
use std::io;
use tokio::sync::{mpsc, oneshot};

/// Chunks between a person's connection and the tunnel.
const QUEUE: usize = 8;
/// The part of a form that holds the file.
const PART: &str = "file";

/// A file that is open on its server.
pub struct FileOpened {
    pub info: FileInfo,
    /// Bytes that come.
    pub length: u64,
    /// Which of them, where it is not all: the `Content-Range`.
    pub part: Option<String>,
    body: ResponseBody,
}

#[derive(Serialize)]
struct ReadQuery<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    if_range: Option<&'a str>,
}

/// Open a file, or the part of it that `range` says; with `if_range`, only while that is still its etag.
pub async fn file_open(
    app: &App, place: &FilePlace, path: &str, range: Option<&str>, if_range: Option<&str>,
) -> Result<FileOpened> {
    let path = place.path("/content", &ReadQuery { path, range, if_range })?;
    let tunnel = app.tunnels.get(place.server)?;
    let response = tunnel.client.get_stream(&path).await.map_err(|e| refused(e, "path"))?;
    let (parts, body) = response.into_parts();
    let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let info = info_of(&parts.headers).ok_or_else(|| TunnelError::Malformed("a file without a description".into()))?;
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()).unwrap_or(info.size);
    let part = text(header::CONTENT_RANGE).map(str::to_owned);
    Ok(FileOpened { info, length, part, body })
}

fn info_of(headers: &HeaderMap) -> Option<FileInfo> {
    let json = URL_SAFE_NO_PAD.decode(headers.get(HEADER_FILE)?).ok()?;
    serde_json::from_slice(&json).ok()
}

/// All of an open file as text.
pub async fn read_text(opened: FileOpened) -> Result<(FileInfo, String)> {
    let limited = http_body_util::Limited::new(opened.body, MAX_TEXT as usize);
    let read = limited.collect().await.map_err(|e| TunnelError::Lost(e.to_string()))?;
    let text = String::from_utf8(read.to_bytes().into()).map_err(|_| Error::Unprocessable {
        code: "file_not_text",
        message: format!("{} is no UTF-8 text; download it instead.", opened.info.path),
    })?;
    Ok((opened.info, text))
}

/// The bytes of an open file for who asked, as long as they may.
pub async fn file_download(
    ctx: &Ctx, app: &App, place: &FilePlace, opened: FileOpened,
) -> Result<(FileInfo, impl Stream<Item = Result<Bytes>> + Send + use<>)> {
    let FileOpened { info, body, .. } = opened;
    note(ctx, app, "file.downloaded", &place.subject, json!({ "path": info.path })).await?;
    Ok((info, while_allowed(app, ctx, bytes_of(body))))
}

/// A directory as a zip, written while it is read.
pub async fn directory_download(
    ctx: &Ctx, app: &App, place: &FilePlace, path: &str,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
    let asked = place.path("/zip", &ReadQuery { path, range: None, if_range: None })?;
    let tunnel = app.tunnels.get(place.server)?;
    let response = tunnel.client.get_stream(&asked).await.map_err(|e| refused(e, "path"))?;
    note(ctx, app, "directory.downloaded", &place.subject, json!({ "path": path })).await?;
    Ok(while_allowed(app, ctx, bytes_of(response.into_body())))
}

fn bytes_of(body: ResponseBody) -> impl Stream<Item = Result<Bytes>> + Send {
    body.into_data_stream().map_err(|e| TunnelError::from(e).into())
}

/// Bytes that become a file on its server. They must fail where they break off.
pub async fn file_put(
    app: &App, place: &FilePlace, target: FileTarget, bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Result<FileInfo> {
    let FileTarget { path, if_match, overwrite, force } = target;
    let asked = place.path("/content", &WriteQuery { path, if_match, overwrite, force })?;
    let tunnel = app.tunnels.get(place.server)?;
    let response = tunnel.client.stream(Method::PUT, &asked, bytes).await.map_err(|e| refused(e, "path"))?;
    answer_of(response.into_body()).await
}

/// The JSON that a transfer ends with.
pub async fn answer_of<T: serde::de::DeserializeOwned>(body: ResponseBody) -> Result<T> {
    let read = http_body_util::Limited::new(body, MAX_TEXT as usize).collect().await;
    let read = read.map_err(|e| TunnelError::Lost(e.to_string()))?.to_bytes();
    Ok(serde_json::from_slice(&read).map_err(|e| TunnelError::Malformed(e.to_string()))?)
}

/// A file out of a form, put into the directory `target.path`.
pub async fn file_upload<S, E>(
    ctx: &Ctx, app: &App, place: &FilePlace, target: FileTarget, boundary: String, body: S,
) -> Result<FileInfo>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut form = Multipart::new(while_allowed(app, ctx, body), boundary);
    let file = part_next(&mut form).await?.ok_or_else(|| wrong_part("required", "It is missing."))?;
    let path = file_path(&target.path, &file)?;
    let after = json!({ "path": path });
    let (sender, bytes) = pipe();
    let (placed, is_placed) = oneshot::channel();
    let putting = async {
        let put = file_put(app, place, FileTarget { path, ..target }, bytes).await;
        // Nobody waits for it where the form was wrong.
        placed.send(put.is_ok()).ok();
        put
    };
    let reading = async move {
        if !pour(file, &sender).await? {
            return Ok(());
        }
        if part_next(&mut form).await?.is_some() {
            return Err(wrong_part("one", "Send one file in each request."));
        }
        let placing = async {
            sender.end().await;
            if is_placed.await == Ok(true) { Ok(()) } else { Err(lost()) }
        };
        noted(ctx, app, "file.uploaded", &place.subject, after, placing).await
    };
    match tokio::join!(reading, putting) {
        // What the server has against it is said even when reading has failed for that.
        (Err(error), Err(Error::AgentOffline { .. })) | (Err(error), Ok(_)) => Err(error),
        (_, put) => put,
    }
}

fn lost() -> Error {
    let message = "The server was lost before it said that the file is in its place; look whether it is there.";
    Error::AgentOffline { message: message.into() }
}

async fn part_next<'a>(form: &mut Multipart<'a>) -> Result<Option<Field<'a>>> {
    let part = form.next_field().await.map_err(form_broken)?;
    if let Some(part) = &part
        && part.name() != Some(PART)
    {
        let text = format!(
            "There is a part '{}'; what goes with the file stands in the query.",
            part.name().unwrap_or_default()
        );
        return Err(wrong_part("unknown_field", &text));
    }
    Ok(part)
}

fn wrong_part(constraint: &str, what: &str) -> Error {
    let message = format!("The form has one part 'file' with the file and its name (curl: -F file=@name). {what}");
    Error::field(PART, constraint, message)
}

fn form_broken(error: multer::Error) -> Error {
    Error::field("body", "multipart", format!("The form cannot be read to its end: {error}. Nothing was changed."))
}

/// Where the file of a form goes.
fn file_path(directory: &str, file: &Field<'_>) -> Result<String> {
    let name = file.file_name().unwrap_or_default();
    if name.is_empty() || name.contains(['/', '\\']) {
        return Err(wrong_part("filename", "Its file name is missing, or holds a slash."));
    }
    Ok(format!("{}/{name}", directory.trim_end_matches('/')))
}

/// All of a part. False: the server wants no more of it and says why.
async fn pour(mut file: Field<'_>, sender: &PipeSender) -> Result<bool> {
    while let Some(bytes) = file.chunk().await.map_err(form_broken)? {
        if !sender.send(bytes).await {
            return Ok(false);
        }
    }
    Ok(true)
}

enum Piece {
    Bytes(Bytes),
    End,
}

/// The near end of a pipe. Dropped before [`PipeSender::end`], the far end fails.
struct PipeSender(mpsc::Sender<Piece>);

impl PipeSender {
    /// False: nobody reads any more.
    async fn send(&self, bytes: Bytes) -> bool {
        self.0.send(Piece::Bytes(bytes)).await.is_ok()
    }

    async fn end(self) {
        // Who reads no more has said why.
        drop(self.0.send(Piece::End).await);
    }
}

/// A stream that ends only when that is said.
fn pipe() -> (PipeSender, impl Stream<Item = io::Result<Bytes>> + Send + 'static) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let pieces = futures::stream::unfold(Some(receiver), |receiver: Option<mpsc::Receiver<Piece>>| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            None => Some((Err(io::ErrorKind::ConnectionAborted.into()), None)),
        }
    });
    (PipeSender(sender), pieces.fuse())
}

/// What is done with its entry in the audit log: that is written first, and kept when it is done.
pub async fn noted<T>(
    ctx: &Ctx, app: &App, action: &str, subject: &Subject, after: Value, work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, subject, None, Some(after)).await?;
    let done = work.await?;
    tx.commit().await?;
    Ok(done)
}

/// An entry of what has happened, or is about to.
pub async fn note(ctx: &Ctx, app: &App, action: &str, subject: &Subject, after: Value) -> Result<()> {
    noted(ctx, app, action, subject, after, async { Ok(()) }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pipe_ends_well_only_when_that_is_said() {
        let (sender, bytes) = pipe();
        assert!(sender.send(Bytes::from_static(b"a")).await);
        sender.end().await;
        let read: Vec<_> = bytes.collect().await;
        assert!(read.len() == 1 && read[0].is_ok());
        let (sender, bytes) = pipe();
        assert!(sender.send(Bytes::from_static(b"a")).await);
        drop(sender);
        let read: Vec<_> = bytes.collect().await;
        assert!(read.len() == 2 && read[1].is_err());
        let (sender, bytes) = pipe();
        drop(bytes);
        assert!(!sender.send(Bytes::new()).await);
    }
}
