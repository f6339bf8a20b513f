//! An engine of the few answers that a test needs, on a real socket.

use super::DockerHost;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use http::StatusCode;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::net::UnixListener;
use tokio_util::task::AbortOnDropHandle;

/// Ends with its test.
pub struct FakeDocker {
    pub host: DockerHost,
    _dir: tempfile::TempDir,
    _server: AbortOnDropHandle<()>,
}

impl FakeDocker {
    /// Answers as `router` does, by the engine's paths without their version.
    pub fn start(router: Router) -> Self {
        let version = get(|| async { Json(json!({ "Version": "99.0.0", "ApiVersion": "1.44" })) });
        let router = router.route("/version", version).route("/info", get(|| async { Json(json!({})) }));
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = tokio::spawn(async move {
            axum::serve(listener, router.clone().nest("/{version}", router)).await.unwrap();
        });
        Self { host: DockerHost::new(&socket), _dir: dir, _server: AbortOnDropHandle::new(server) }
    }

    /// One whose only command talks so in its stream, and is in these states one after the other. Without any the
    /// engine does not know it.
    pub fn start_exec<F: Future<Output = ()> + Send + 'static>(
        talk: impl Fn(RawStream) -> F + Clone + Send + Sync + 'static, states: Vec<Value>,
    ) -> Self {
        let router = Router::new()
            .route("/containers/c/exec", post(|| async { (StatusCode::CREATED, Json(json!({ "Id": "e" }))) }))
            .route("/exec/e/start", upgrade(talk))
            .route("/exec/e/resize", post(|| async { StatusCode::OK }))
            .route("/exec/e/json", answers(states));
        Self::start(router)
    }
}

/// The engine's end of a raw connection.
pub type RawStream = TokioIo<hyper::upgrade::Upgraded>;

fn upgrade<F: Future<Output = ()> + Send + 'static>(
    talk: impl Fn(RawStream) -> F + Clone + Send + Sync + 'static,
) -> MethodRouter {
    post(move |mut request: Request| async move {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move { talk(TokioIo::new(upgraded.await.unwrap())).await });
        (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "tcp")])
    })
}

/// One answer after the other, the last one for ever.
fn answers(states: Vec<Value>) -> MethodRouter {
    let states = Arc::new(Mutex::new(VecDeque::from(states)));
    get(move || async move {
        let mut states = states.lock().unwrap();
        let state = if states.len() > 1 { states.pop_front() } else { states.front().cloned() };
        let unknown = || (StatusCode::NOT_FOUND, Json(json!({ "message": "No such exec instance" }))).into_response();
        state.map_or_else(unknown, |state| -> Response { Json(state).into_response() })
    })
}
