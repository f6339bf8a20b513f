//! The file service, with an agent that holds one file and one upload and counts the bodies that came whole.

use crate::apps::instances::tests::Shop;
use crate::identity::authentication::tests::{Answer, Visitor};
use crate::testing::agent;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use futures::StreamExt;
use ocore_shared::ids::UploadId;
use ocore_shared::protocol::AgentError;
use ocore_shared::protocol::files::{
    FileInfo, FileKind, FileList, FileQuery, FilesRemoved, HEADER_FILE, MAX_TEXT, MoveQuery, RemoveQuery, Upload,
    UploadOpen, WriteQuery,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Held {
    content: Vec<u8>,
    upload: Option<(Upload, Vec<u8>)>,
    /// Bodies that came to their end.
    ended: u32,
    asked: Vec<Value>,
}

type Server = Arc<Mutex<Held>>;

const PATH: &str = "addons/a.py";

fn info(content: &[u8]) -> FileInfo {
    FileInfo {
        name: "a.py".into(),
        path: PATH.into(),
        kind: FileKind::File,
        size: content.len() as u64,
        mode: "0644".into(),
        modified_at: chrono::DateTime::UNIX_EPOCH,
        etag: Some(format!("e{}", content.len())),
        writable: true,
    }
}

fn refusal(status: StatusCode, code: &str) -> Response {
    (status, Json(AgentError { code: code.into(), message: format!("It is {code}.") })).into_response()
}

#[derive(Deserialize)]
struct Read {
    path: String,
    range: Option<String>,
    if_range: Option<String>,
}

async fn read(State(server): State<Server>, Query(query): Query<Read>) -> Response {
    if query.path != PATH {
        return refusal(StatusCode::NOT_FOUND, "file_not_found");
    }
    let content = server.lock().unwrap().content.clone();
    let info = info(&content);
    let json = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&info).unwrap());
    let is_same = query.if_range.is_none() || query.if_range == info.etag;
    match query.range.filter(|_| is_same).as_deref() {
        Some("bytes=1-2") => {
            let headers = [(HEADER_FILE, json), ("content-range", format!("bytes 1-2/{}", content.len()))];
            (StatusCode::PARTIAL_CONTENT, headers, content[1..3].to_vec()).into_response()
        }
        Some(_) => refusal(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable"),
        None => ([(HEADER_FILE, json)], content).into_response(),
    }
}

/// All of a body, if it comes to its end.
async fn whole(server: &Server, request: Request) -> Option<Vec<u8>> {
    let mut body = request.into_body().into_data_stream();
    let mut content = Vec::new();
    while let Some(chunk) = body.next().await {
        content.extend_from_slice(&chunk.ok()?);
    }
    server.lock().unwrap().ended += 1;
    Some(content)
}

async fn write(State(server): State<Server>, Query(query): Query<WriteQuery>, request: Request) -> Response {
    server.lock().unwrap().asked.push(json!(query));
    let before = info(&server.lock().unwrap().content).etag;
    if query.if_match.is_some() && query.if_match != before {
        return refusal(StatusCode::PRECONDITION_FAILED, "file_changed");
    }
    if !query.overwrite {
        return refusal(StatusCode::CONFLICT, "file_exists");
    }
    let Some(content) = whole(&server, request).await else { return StatusCode::BAD_REQUEST.into_response() };
    server.lock().unwrap().content = content.clone();
    Json(info(&content)).into_response()
}

async fn open(State(server): State<Server>, Json(open): Json<UploadOpen>) -> Response {
    let expires_at = chrono::DateTime::UNIX_EPOCH + TimeDelta::days(1);
    let upload =
        Upload { id: UploadId::new(), path: open.path, offset: 0, length: open.length, expires_at, file: None };
    server.lock().unwrap().upload = Some((upload.clone(), Vec::new()));
    (StatusCode::CREATED, Json(upload)).into_response()
}

async fn append(State(server): State<Server>, Query(query): Query<Value>, request: Request) -> Response {
    let Some((mut upload, mut bytes)) = server.lock().unwrap().upload.clone() else {
        return refusal(StatusCode::NOT_FOUND, "upload_not_found");
    };
    if query["offset"].as_str().and_then(|offset| offset.parse().ok()) != Some(upload.offset) {
        return refusal(StatusCode::CONFLICT, "upload_offset");
    }
    bytes.extend(whole(&server, request).await.unwrap_or_default());
    upload.offset = bytes.len() as u64;
    upload.file = (upload.offset == upload.length).then(|| info(&bytes));
    server.lock().unwrap().upload = Some((upload.clone(), bytes));
    Json(upload).into_response()
}

async fn how_far(State(server): State<Server>) -> Response {
    match &server.lock().unwrap().upload {
        Some((upload, _)) => Json(upload.clone()).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "upload_not_found"),
    }
}

async fn cancel(State(server): State<Server>) -> StatusCode {
    server.lock().unwrap().upload = None;
    StatusCode::NO_CONTENT
}

async fn list(State(server): State<Server>, Query(query): Query<FileQuery>) -> Json<FileList> {
    let content = server.lock().unwrap().content.clone();
    let names = ["a.py", "b.py", "c.py"].into_iter().filter(|name| query.after.as_deref().is_none_or(|a| *name > a));
    let entries = names.map(|name| FileInfo { name: name.into(), ..info(&content) }).take(query.limit).collect();
    Json(FileList { entries })
}

async fn remove(State(server): State<Server>, Query(query): Query<RemoveQuery>) -> Response {
    if !query.recursive {
        return refusal(StatusCode::CONFLICT, "file_not_empty");
    }
    server.lock().unwrap().asked.push(json!(query));
    Json(FilesRemoved { files: 2, directories: 1, bytes: 3 }).into_response()
}

async fn make() -> Json<FileInfo> {
    Json(info(b""))
}

async fn rename(Json(query): Json<MoveQuery>) -> Response {
    match query.to.starts_with("addons/") {
        true => Json(info(b"")).into_response(),
        false => refusal(StatusCode::BAD_REQUEST, "file_target_invalid"),
    }
}

struct Rig {
    shop: Shop,
    server: Server,
    files: String,
}

async fn rig() -> Rig {
    let shop = Shop::running().await;
    let server = Server::default();
    server.lock().unwrap().content = b"abcd".into();
    let base = format!("/instances/{}/files", shop.id);
    let at = |rest: &str| format!("{base}{rest}");
    let routes = Router::new()
        .route(&base, get(list).delete(remove))
        .route(&at("/content"), get(read).put(write))
        .route(&at("/mkdir"), post(make))
        .route(&at("/move"), post(rename))
        .route(&at("/zip"), get(async || ([(header::CONTENT_TYPE, "application/zip")], "PK")))
        .route(&at("/uploads"), post(open))
        .route(&at("/uploads/{upload}"), get(how_far).patch(append).delete(cancel))
        .with_state(server.clone());
    agent(&shop.test.app, shop.organization, shop.server, 2, routes).await;
    Rig { files: format!("/api{base}"), shop, server }
}

impl Rig {
    fn ada(&self) -> &Visitor {
        &self.shop.ada
    }

    async fn entries(&self, action: &str) -> i64 {
        let count = "select count(*) from audit_log where action = $1";
        sqlx::query_scalar(count).bind(action).fetch_one(self.shop.test.app.db.system()).await.unwrap()
    }

    async fn upload(&self, form: impl Into<Body>, query: &str) -> Answer {
        let ada = self.ada().with("content-type", "multipart/form-data; boundary=x");
        let path = format!("{}/upload?path=addons{query}", self.files);
        Answer::of(ada.bring(Method::POST, &path, form.into()).await).await
    }
}

async fn bytes_of(response: Response) -> (StatusCode, HeaderMap, Bytes) {
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, axum::body::to_bytes(body, usize::MAX).await.unwrap())
}

fn part(name: &str, file: &str, content: &str) -> String {
    format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\r\n{content}\r\n")
}

#[tokio::test]
async fn files_are_listed_read_written_and_removed() {
    let rig = rig().await;
    let (ada, files) = (rig.ada(), &rig.files);
    let page = ada.get(&format!("{files}?path=addons&limit=2")).await.is(StatusCode::OK);
    assert_eq!((page.body["data"].as_array().unwrap().len(), &page.body["has_more"]), (2, &json!(true)));
    let next = ada.get(&format!("{files}?path=addons&limit=2&cursor={}", page.text("next_cursor"))).await;
    assert_eq!((&next.body["data"][0]["name"], &next.body["has_more"]), (&json!("c.py"), &json!(false)));

    let content = format!("{files}/content?path={PATH}");
    let mut seen = ada.get(&content).await.is(StatusCode::OK);
    assert_eq!((&seen.body["content"], &seen.headers["etag"]), (&json!("abcd"), &"\"e4\"".parse().unwrap()));
    ada.get(&format!("{files}/content?path=addons/b")).await.refused(StatusCode::NOT_FOUND, "not_found");

    // What was read comes back changed, and nobody else's change is lost.
    seen.body["content"] = json!("abcdef");
    let put = async |visitor: &Visitor, body: &Value| visitor.send(Method::PUT, &content, Some(body.clone())).await;
    let written = put(ada, &seen.body).await.is(StatusCode::OK);
    assert_eq!((&written.body["etag"], &written.headers["etag"]), (&json!("e6"), &"\"e6\"".parse().unwrap()));
    put(ada, &seen.body).await.refused(StatusCode::PRECONDITION_FAILED, "precondition_failed");
    let body = json!({"content": "x"});
    put(&ada.with("if-match", "\"e4\""), &body).await.refused(StatusCode::PRECONDITION_FAILED, "precondition_failed");
    put(&ada.with("if-none-match", "*"), &body).await.refused(StatusCode::PRECONDITION_FAILED, "precondition_failed");
    put(&ada.with("if-match", "\"e6\""), &body).await.is(StatusCode::OK);
    put(ada, &json!({"content": "x", "path": "addons/b"})).await.refused(StatusCode::BAD_REQUEST, "validation_error");
    put(ada, &json!({"content": "x", "colour": 1})).await.refused(StatusCode::BAD_REQUEST, "validation_error");
    assert_eq!(rig.entries("file.written").await, 2, "a refused one is none");
    let large = json!({"content": "x".repeat(2 * 1024 * 1024)});
    put(ada, &large).await.is(StatusCode::OK);
    let larger = json!({"content": "x".repeat(MAX_TEXT as usize + 1)});
    put(ada, &larger).await.refused(StatusCode::BAD_REQUEST, "validation_error");
    rig.server.lock().unwrap().content = vec![0xff];
    ada.get(&content).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "file_not_text");

    ada.post(&format!("{files}/mkdir"), json!({"path": "addons/new"})).await.is(StatusCode::CREATED);
    ada.post(&format!("{files}/move"), json!({"from": PATH, "to": "addons/b"})).await.is(StatusCode::OK);
    let wrong = ada.post(&format!("{files}/move"), json!({"from": PATH, "to": "config/b"})).await;
    assert_eq!(wrong.is(StatusCode::BAD_REQUEST).body["error"]["details"]["field"], "to");
    ada.delete(&format!("{files}?path=addons")).await.refused(StatusCode::CONFLICT, "file_not_empty");
    let removed = async |query: &str| ada.delete(&format!("{files}?path=addons&recursive=true{query}")).await;
    assert_eq!(removed("&dry_run=true").await.is(StatusCode::OK).body["files"], 2);
    assert_eq!(rig.entries("file.deleted").await, 0);
    removed("").await.is(StatusCode::OK);
    for action in ["directory.created", "file.moved", "file.deleted"] {
        assert_eq!(rig.entries(action).await, 1, "{action}");
    }
}

#[tokio::test]
async fn a_file_is_fetched_whole_in_part_and_as_a_zip() {
    let rig = rig().await;
    let download = format!("{}/download?path={PATH}", rig.files);
    let fetch = async |visitor: &Visitor| bytes_of(visitor.open(Method::GET, &download, None).await).await;
    let plain = rig.ada().with("accept-encoding", "gzip");
    rig.server.lock().unwrap().content = vec![b'a'; 4096];
    let (status, headers, bytes) = fetch(&plain).await;
    assert_eq!((status, bytes.len()), (StatusCode::OK, 4096));
    assert!(!headers.contains_key("content-encoding"), "parts are counted in the file's own bytes");
    assert_eq!(
        (&headers["content-length"], &headers["accept-ranges"]),
        (&"4096".parse().unwrap(), &"bytes".parse().unwrap())
    );
    assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"a.py\""));
    let etag = headers["etag"].to_str().unwrap().to_owned();

    let (status, headers, bytes) = fetch(&plain.with("range", "bytes=1-2").with("if-range", &etag)).await;
    assert_eq!((status, bytes.len()), (StatusCode::PARTIAL_CONTENT, 2));
    assert_eq!(headers["content-range"], "bytes 1-2/4096");
    let (status, ..) = fetch(&plain.with("range", "bytes=1-2").with("if-range", "\"another\"")).await;
    assert_eq!(status, StatusCode::OK, "halves of two files are not joined");
    let answer = rig.ada().with("range", "bytes=9000-").get(&download).await;
    answer.refused(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable");
    assert_eq!(rig.entries("file.downloaded").await, 3);

    let zip = format!("{}/download-zip?path=addons", rig.files);
    let (status, headers, bytes) = bytes_of(rig.ada().open(Method::GET, &zip, None).await).await;
    assert_eq!(
        (status, &bytes[..], &headers["content-type"]),
        (StatusCode::OK, &b"PK"[..], &"application/zip".parse().unwrap())
    );
    assert!(headers["content-disposition"].to_str().unwrap().contains("filename=\"addons.zip\""));
}

#[tokio::test]
async fn a_form_takes_its_place_whole_or_not_at_all() {
    let rig = rig().await;
    let whole = part("file", "a.py", "hello") + "--x--\r\n";
    rig.upload(whole.clone(), "").await.refused(StatusCode::CONFLICT, "file_exists");
    let made = rig.upload(whole, "&overwrite=true").await.is(StatusCode::CREATED);
    assert_eq!((&made.body["path"], &made.body["size"]), (&json!(PATH), &json!(5)));
    assert_eq!(rig.server.lock().unwrap().asked.last().unwrap()["path"], PATH);
    assert_eq!(rig.entries("file.uploaded").await, 1);

    // Two files, another part, no name, a way in the name, no form.
    let two = part("file", "a.py", "1") + &part("file", "b.py", "2") + "--x--\r\n";
    let cut = part("file", "a.py", "half");
    let forms = [
        two,
        part("file", "a.py", "1") + &part("path", "", "2") + "--x--\r\n",
        part("other", "a.py", "1") + "--x--\r\n",
        part("file", "", "1") + "--x--\r\n",
        part("file", "../a.py", "1") + "--x--\r\n",
        "--x--\r\n".into(),
        cut.clone(),
    ];
    for form in forms {
        rig.upload(form.clone(), "&overwrite=true").await.refused(StatusCode::BAD_REQUEST, "validation_error");
    }
    let path = format!("{}/upload?path=addons", rig.files);
    rig.ada().post(&path, json!({})).await.refused(StatusCode::BAD_REQUEST, "validation_error");

    // Whoever goes away in the middle has changed nothing.
    let chunks = [Ok(Bytes::from(cut)), Err(io::Error::other("gone"))];
    let body = Body::from_stream(futures::stream::iter(chunks));
    rig.upload(body, "&overwrite=true").await.refused(StatusCode::BAD_REQUEST, "validation_error");
    let held = |server: &Held| (server.ended, server.content.clone());
    assert_eq!(held(&rig.server.lock().unwrap()), (1, b"hello".to_vec()));
    assert_eq!(rig.entries("file.uploaded").await, 1);
}

#[tokio::test]
async fn an_upload_comes_in_parts_on_both_surfaces() {
    let rig = rig().await;
    let name = STANDARD.encode("a.py");
    for surface in ["/api", "/v1"] {
        let uploads = format!("{surface}/instances/{}/files/tus", rig.shop.id);
        let ada = rig.ada().with("tus-resumable", "1.0.0");
        let described = ada.with("upload-metadata", format!("filetype dA==,filename {name}"));
        let create = async |visitor: &Visitor, body: &'static str| {
            Answer::of(visitor.bring(Method::POST, &format!("{uploads}?path=addons"), Body::from(body)).await).await
        };
        create(&described, "").await.refused(StatusCode::BAD_REQUEST, "validation_error");
        create(&ada.with("upload-length", "8"), "").await.refused(StatusCode::BAD_REQUEST, "validation_error");
        let part = ada.with("content-type", "application/offset+octet-stream");
        let described = part.with("upload-metadata", format!("filename {name}")).with("upload-length", "8");
        let made = create(&described, "abc").await.is(StatusCode::CREATED);
        let at = made.headers["location"].to_str().unwrap().to_owned();
        assert!(at.starts_with(&format!("{uploads}/")), "{at}");
        assert_eq!(
            (&made.headers["upload-offset"], &made.headers["tus-resumable"]),
            (&"3".parse().unwrap(), &"1.0.0".parse().unwrap())
        );

        let head = ada.send(Method::HEAD, &at, None).await.is(StatusCode::OK);
        assert_eq!(
            (&head.headers["upload-offset"], &head.headers["upload-length"]),
            (&"3".parse().unwrap(), &"8".parse().unwrap())
        );
        assert_eq!(head.headers["cache-control"], "no-store");
        let append = async |visitor: &Visitor, offset: &str, body: &'static str| {
            Answer::of(visitor.with("upload-offset", offset).bring(Method::PATCH, &at, Body::from(body)).await).await
        };
        append(&part, "5", "x").await.refused(StatusCode::CONFLICT, "upload_offset");
        append(&ada, "3", "x").await.refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        assert_eq!(append(&part, "3", "de").await.is(StatusCode::NO_CONTENT).headers["upload-offset"], "5");
        assert_eq!(append(&part, "5", "fgh").await.is(StatusCode::NO_CONTENT).headers["upload-offset"], "8");
        ada.delete(&at).await.is(StatusCode::NO_CONTENT);
        ada.get(&at).await.refused(StatusCode::NOT_FOUND, "not_found");
        let other = rig.ada().with("tus-resumable", "0.2.2").get(&at).await;
        assert_eq!(other.headers["tus-version"], "1.0.0");
        other.refused(StatusCode::PRECONDITION_FAILED, "precondition_failed");
    }
    for action in ["file_upload.begun", "file.uploaded", "file_upload.cancelled"] {
        assert_eq!(rig.entries(action).await, 2, "{action}");
    }
    // Whoever asks how uploads are made need not sign in.
    let asked = Visitor::new(&rig.shop.test.app).send(Method::OPTIONS, &format!("{}/tus", rig.files), None).await;
    assert_eq!((asked.status, &asked.headers["tus-version"]), (StatusCode::NO_CONTENT, &"1.0.0".parse().unwrap()));
    assert!(asked.headers["tus-extension"].to_str().unwrap().contains("creation"));
}
