//! One plain HTTP request to something on this server.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(15);
const MAX_BODY: usize = 1024 * 1024;

/// Status and body of the answer, or why there is none. With `json` it is a POST.
pub async fn request(address: SocketAddr, path: &str, json: Option<&str>) -> Result<(u16, Bytes), String> {
    let exchange = async {
        let stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        let talk = async {
            let builder = http::Request::builder().uri(path).header("host", address.to_string());
            let builder = builder.header("connection", "close").header("user-agent", "ocore-agent");
            let request = match json {
                Some(_) => builder.method("POST").header("content-type", "application/json"),
                None => builder.method("GET"),
            };
            let body = Full::new(Bytes::from(json.unwrap_or_default().to_owned()));
            let response = sender.send_request(request.body(body).map_err(|e| e.to_string())?).await;
            let response = response.map_err(|e| e.to_string())?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(|e| e.to_string())?;
            Ok((status, body.to_bytes()))
        };
        let mut talk = std::pin::pin!(talk);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            answer = &mut talk => answer,
            // The connection may end with the answer's last byte.
            _ = &mut connection => talk.await,
        }
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err("no answer in time".into()))
}
