//! The routes of the agents' port that need no client certificate: script, binary, enrolment.

use super::releases;
use super::service::{self, EnrollBody};
use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::http::body;
use crate::platform::http::listener::Peer;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

const INSTALL_SCRIPT: &str = include_str!("../../../../install.sh");

pub fn routes() -> Router<App> {
    Router::new()
        .route("/install.sh", get(install_script))
        .route("/agent/download", get(agent_download))
        .route("/agent/enroll", post(agent_enroll))
}

async fn install_script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/x-shellscript; charset=utf-8")], INSTALL_SCRIPT)
}

#[derive(Deserialize)]
struct DownloadQuery {
    #[serde(default = "x86_64")]
    arch: String,
    /// Answer the checksum instead of the file.
    #[serde(default)]
    checksum: bool,
}

fn x86_64() -> String {
    "x86_64".into()
}

/// The agent's binary, or its SHA-256. The connection is pinned, so both are authentic.
async fn agent_download(State(app): State<App>, Query(query): Query<DownloadQuery>) -> Result<Response> {
    let path = releases::agent_binary(&app.config, &query.arch)?;
    if query.checksum {
        let sum = tokio::task::spawn_blocking(move || releases::checksum(&path)).await.map_err(Error::internal)?;
        return Ok(format!("{}\n", sum.map_err(Error::internal)?).into_response());
    }
    let file = tokio::fs::File::open(&path).await.map_err(Error::internal)?;
    let length = file.metadata().await.map_err(Error::internal)?.len();
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_LENGTH, length.to_string())];
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024))).into_response())
}

async fn agent_enroll(State(app): State<App>, request: Request) -> Result<Response> {
    let address = request.extensions().get::<Peer>().map(|p| p.address.ip().to_canonical());
    service::refusals_check(&app, address).await?;
    let done = match body::parse(&body::read(request).await?)? {
        EnrollBody::Enroll(request) => {
            service::agent_enroll(&app, *request).await.map(|made| (StatusCode::CREATED, Json(made)).into_response())
        }
        EnrollBody::Report(report) => {
            service::install_report(&app, report).await.map(|()| StatusCode::NO_CONTENT.into_response())
        }
    };
    if let Err(error) = &done {
        service::refusal_count(&app, address, error).await?;
    }
    done
}
