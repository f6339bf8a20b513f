//! Live logs: one upstream per instance and replica however many people watch, each with a bounded queue and counted
//! gaps.

use super::service::instance_get;
use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::http::Ctx;
use crate::platform::http::streams::StreamItem;
use crate::platform::tunnel::Tunnel;
use bytes::{Buf, BytesMut};
use futures::Stream;
use http::Method;
use http_body_util::BodyExt;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::logs::{LogPage, LogRecord};
use ocore_shared::tunnel::ResponseBody;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const PAGE_TIMEOUT: Duration = Duration::from_secs(15);
const LONGEST_LINE: usize = 1024 * 1024;
/// Lines that a watcher may be behind before the oldest are dropped and counted.
const QUEUE: usize = 1024;

/// From where a log is followed.
#[derive(Clone, Debug, Default)]
pub struct LogRequest {
    pub after: Option<String>,
    pub tail: u32,
    pub follow: bool,
}

/// A page of history.
pub struct HistoryRequest {
    pub before: Option<String>,
    pub limit: u32,
    pub q: Option<String>,
    pub level: Option<String>,
}

fn encode(pairs: &[(&str, Option<String>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

/// A page of an instance's log, read on its server.
pub async fn log_history(ctx: &Ctx, app: &App, id: InstanceId, request: HistoryRequest) -> Result<LogPage> {
    let instance = instance_get(ctx, app, id).await?;
    let tunnel = app.tunnels.get(instance.server_id)?;
    let query = encode(&[
        ("before", request.before),
        ("limit", Some(request.limit.to_string())),
        ("q", request.q),
        ("level", request.level),
    ]);
    let path = format!("/instances/{id}/logs/history?{query}");
    let (_, page) = tunnel.client.call(Method::GET, &path, &(), PAGE_TIMEOUT).await?;
    Ok(page)
}

/// Open an instance's log on its server.
pub async fn log_open(
    ctx: &Ctx, app: &App, id: InstanceId, request: &LogRequest,
) -> Result<(Arc<Tunnel>, ResponseBody)> {
    let instance = instance_get(ctx, app, id).await?;
    let tunnel = app.tunnels.get(instance.server_id)?;
    let body = log_body(&tunnel, id, request).await?;
    Ok((tunnel, body))
}

async fn log_body(tunnel: &Tunnel, id: InstanceId, request: &LogRequest) -> Result<ResponseBody> {
    let query = encode(&[
        ("after", request.after.clone()),
        ("tail", request.after.is_none().then(|| request.tail.to_string())),
        ("follow", Some(u8::from(request.follow).to_string())),
    ]);
    let response = tunnel.client.get_stream(&format!("/instances/{id}/logs?{query}")).await?;
    Ok(response.into_body())
}

/// The lines of an opened log. A lost tunnel is waited for and resumed after the last line, so nothing is lost or
/// repeated; a reader that does not read gets the newest lines and a count of those dropped.
pub fn log_stream(
    ctx: Ctx, app: App, id: InstanceId, mut request: LogRequest, opened: (Arc<Tunnel>, ResponseBody),
) -> impl Stream<Item = StreamItem> + Send {
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<LogRecord>(QUEUE);
    let feed = {
        let (app, ctx) = (app.clone(), ctx.clone());
        async move {
            let mut body = opened.1;
            let mut dropped = 0u64;
            loop {
                let ended = pump(&mut body, &sender, &mut request, &mut dropped).await;
                if ended || !request.follow || sender.is_closed() {
                    return;
                }
                // The tunnel broke: go on after the last line as soon as the agent is back.
                body = loop {
                    tokio::select! {
                        () = sender.closed() => return,
                        () = tokio::time::sleep(Duration::from_millis(500)) => {}
                    }
                    match log_open(&ctx, &app, id, &request).await {
                        Ok((_, body)) => break body,
                        Err(Error::AgentOffline { .. } | Error::Unavailable { .. }) => {}
                        Err(_) => return,
                    }
                };
            }
        }
    };
    let task = app.tracker.spawn(feed);
    async_stream::stream! {
        let _end = AbortOnDrop(task.abort_handle());
        loop {
            let record = tokio::select! {
                record = receiver.recv() => record,
                () = app.stop.cancelled() => None,
            };
            let Some(record) = record else { return };
            yield StreamItem {
                id: Some(record.cursor.clone()),
                event: "log".into(),
                text: Some(record.text.clone()),
                data: json!(record),
            };
        }
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Move lines until the stream ends. True: it ended in order.
async fn pump(
    body: &mut ResponseBody, sender: &tokio::sync::mpsc::Sender<LogRecord>, request: &mut LogRequest, dropped: &mut u64,
) -> bool {
    let mut buffer = BytesMut::new();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = sender.closed() => return true,
        };
        match frame {
            Some(Ok(frame)) => buffer.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return false,
            None => return true,
        }
        while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
            let line = buffer.split_to(end);
            buffer.advance(1);
            let Ok(mut record) = serde_json::from_slice::<LogRecord>(&line) else { continue };
            request.after = Some(record.cursor.clone());
            if *dropped > 0 {
                record.dropped = Some(record.dropped.unwrap_or(0) + *dropped);
            }
            // Always drained, never waited for: a stopped reader must not hold the tunnel's window.
            match sender.try_send(record) {
                Ok(()) => *dropped = 0,
                Err(tokio::sync::mpsc::error::TrySendError::Full(_)) => *dropped += 1,
                Err(tokio::sync::mpsc::error::TrySendError::Closed(_)) => return true,
            }
        }
        if buffer.len() > LONGEST_LINE {
            buffer.clear();
        }
    }
}
