//! Uploads in parts, by TUS 1.0.0: an upload is begun, its parts come one after the other, each may break off and be gone
//! on with where it broke off, and with its last byte the file takes its place. The agent keeps them.

use super::errors::refused;
use super::model::FilePlace;
use super::transfers::{answer_of, note, noted};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::authentication::while_allowed;
use crate::platform::http::Ctx;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http::Method;
use ocore_shared::ids::UploadId;
use ocore_shared::protocol::files::{Upload, UploadOpen};
use serde_json::json;
use std::io;

pub const VERSION: &str = "1.0.0";
/// Extensions of the protocol.
pub const EXTENSIONS: &str = "creation,creation-with-upload,expiration,termination";
/// Bytes of the largest file: 1 TiB.
pub const LARGEST: u64 = 1 << 40;

/// A value of `Upload-Metadata`: pairs of a name and, in base64, what it says.
pub fn metadata_get(header: &str, name: &str) -> Result<Option<String>> {
    let found = header.split(',').find_map(|pair| {
        let mut words = pair.split_whitespace();
        (words.next() == Some(name)).then(|| words.next().unwrap_or_default())
    });
    let wrong = |_| Error::field("Upload-Metadata", "base64", format!("What '{name}' says is text in base64."));
    let text =
        found.map(|value| STANDARD.decode(value).map_err(|_| ()).and_then(|b| String::from_utf8(b).map_err(|_| ())));
    text.transpose().map_err(wrong)
}

/// Begin an upload.
pub async fn upload_create(ctx: &Ctx, app: &App, place: &FilePlace, open: UploadOpen) -> Result<Upload> {
    if open.length > LARGEST {
        return Err(Error::field("Upload-Length", "max", format!("A file has at most {LARGEST} bytes.")));
    }
    let after = json!({ "path": open.path, "size": open.length });
    let asked = format!("{}/uploads", place.base);
    let opening = place.call(app, Method::POST, &asked, &open, "path");
    noted(ctx, app, "file_upload.begun", &place.subject, after, opening).await
}

/// How far an upload is.
pub async fn upload_get(app: &App, place: &FilePlace, id: UploadId) -> Result<Upload> {
    place.call(app, Method::GET, &format!("{}/uploads/{id}", place.base), &(), "upload").await
}

/// Bring the next part. What has come when it breaks off is kept.
pub async fn upload_append<S, E>(
    ctx: &Ctx, app: &App, place: &FilePlace, id: UploadId, offset: u64, body: S,
) -> Result<Upload>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    let tunnel = app.tunnels.get(place.server)?;
    let asked = format!("{}/uploads/{id}?offset={offset}", place.base);
    let bytes = while_allowed(app, ctx, body.map_err(io::Error::other));
    let response = tunnel.client.stream(Method::PATCH, &asked, bytes).await.map_err(|e| refused(e, "upload"))?;
    let upload: Upload = answer_of(response.into_body()).await?;
    if let Some(file) = &upload.file {
        let after = json!({ "path": file.path, "size": file.size });
        note(ctx, app, "file.uploaded", &place.subject, after).await?;
    }
    Ok(upload)
}

/// Forget an upload with what has come of it.
pub async fn upload_delete(ctx: &Ctx, app: &App, place: &FilePlace, id: UploadId) -> Result<()> {
    let asked = format!("{}/uploads/{id}", place.base);
    let after = json!({ "upload": id });
    let removing = place.call(app, Method::DELETE, &asked, &(), "upload");
    noted(ctx, app, "file_upload.cancelled", &place.subject, after, removing).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_by_its_name() {
        let header = "filetype dGV4dC9wbGFpbg==,filename  w6RwZmVsLnR4dA==, is_confidential";
        assert_eq!(metadata_get(header, "filename").unwrap().as_deref(), Some("äpfel.txt"));
        assert_eq!(metadata_get(header, "is_confidential").unwrap().as_deref(), Some(""));
        assert_eq!(metadata_get(header, "name").unwrap(), None);
        for bad in ["filename ***", "filename /w=="] {
            assert!(metadata_get(bad, "filename").is_err(), "{bad}");
        }
    }
}
