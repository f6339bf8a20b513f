//! What people do with files, carried out by the agent of their server.

use super::errors::refused;
use super::model::{FileContent, FilePlace, FileTarget};
use super::transfers::{file_open, file_put, noted, read_text};
use crate::app::App;
use crate::apps::instances::service::instance_get;
use crate::error::{Error, Result};
use crate::platform::http::{Ctx, List, Page};
use crate::signals::events::Subject;
use bytes::Bytes;
use http::Method;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::files::{
    FileInfo, FileList, FileQuery, FilesRemoved, MAX_TEXT, MoveQuery, RemoveQuery, WriteQuery,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(15);
/// A directory with very many files takes its time.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(120);

/// The files of an instance.
pub async fn instance_place(ctx: &Ctx, app: &App, id: InstanceId) -> Result<FilePlace> {
    let instance = instance_get(ctx, app, id).await?;
    let subject = Subject::new("instance", id, instance.name);
    Ok(FilePlace { server: instance.server_id, base: format!("/instances/{id}/files"), subject })
}

impl FilePlace {
    /// A path at the agent.
    pub fn path(&self, rest: &str, query: &impl Serialize) -> Result<String> {
        let query = serde_urlencoded::to_string(query).map_err(Error::internal)?;
        Ok(format!("{}{rest}?{query}", self.base))
    }

    /// Ask the agent. `field` names the file in the request of whoever asks.
    pub async fn call<I: Serialize + ?Sized, O: DeserializeOwned>(
        &self, app: &App, method: Method, path: &str, body: &I, field: &'static str,
    ) -> Result<O> {
        let timeout = if method == Method::DELETE { REMOVE_TIMEOUT } else { TIMEOUT };
        let tunnel = app.tunnels.get(self.server)?;
        let answer = tunnel.client.call(method, path, body, timeout).await;
        answer.map(|(_, answer)| answer).map_err(|e| refused(e, field))
    }
}

/// Part of a directory, by name; without a path, the roots.
pub async fn file_list(
    app: &App, place: &FilePlace, path: String, name: Option<String>, page: &Page,
) -> Result<List<FileInfo>> {
    let limit = usize::try_from(page.fetch()).unwrap_or_default();
    let query = FileQuery { path, after: page.after_name()?, name, limit };
    let found: FileList = place.call(app, Method::GET, &place.path("", &query)?, &(), "path").await?;
    Ok(List::by_name(found.entries, page, |file| &file.name))
}

/// A text.
pub async fn file_read(app: &App, place: &FilePlace, path: &str) -> Result<FileContent> {
    let opened = file_open(app, place, path, None, None).await?;
    if opened.info.size > MAX_TEXT {
        return Err(too_large("Download it instead."));
    }
    let (info, content) = read_text(opened).await?;
    Ok(FileContent::new(info, content))
}

/// Write a text. What is there is replaced, whole or not at all.
pub async fn file_write(
    ctx: &Ctx, app: &App, place: &FilePlace, target: FileTarget, content: String,
) -> Result<FileInfo> {
    if content.len() as u64 > MAX_TEXT {
        return Err(Error::field("content", "max_length", too_large("Upload it instead.").to_string()));
    }
    let after = json!({ "path": target.path, "size": content.len() });
    let bytes = futures::stream::iter([Ok(Bytes::from(content))]);
    noted(ctx, app, "file.written", &place.subject, after, file_put(app, place, target, bytes)).await
}

fn too_large(instead: &str) -> Error {
    let message = format!("A text has at most {} MiB here. {instead}", MAX_TEXT / 1024 / 1024);
    Error::Unprocessable { code: "file_too_large", message }
}

/// Remove a file, or a directory with all below it where that is said.
pub async fn file_delete(ctx: &Ctx, app: &App, place: &FilePlace, query: RemoveQuery) -> Result<FilesRemoved> {
    let path = place.path("", &query)?;
    if query.dry_run {
        return place.call(app, Method::DELETE, &path, &(), "path").await;
    }
    let removing = place.call(app, Method::DELETE, &path, &(), "path");
    noted(ctx, app, "file.deleted", &place.subject, json!({ "path": query.path }), removing).await
}

/// Make a directory.
pub async fn directory_create(ctx: &Ctx, app: &App, place: &FilePlace, path: String, force: bool) -> Result<FileInfo> {
    let after = json!({ "path": path });
    let asked = place.path("/mkdir", &WriteQuery { path, force, ..WriteQuery::default() })?;
    let making = place.call(app, Method::POST, &asked, &(), "path");
    noted(ctx, app, "directory.created", &place.subject, after, making).await
}

/// Give a file or a directory another name, or another place in its root.
pub async fn file_move(ctx: &Ctx, app: &App, place: &FilePlace, query: MoveQuery) -> Result<FileInfo> {
    let after = json!({ "from": query.from, "to": query.to });
    let asked = format!("{}/move", place.base);
    noted(ctx, app, "file.moved", &place.subject, after, place.call(app, Method::POST, &asked, &query, "from")).await
}
