//! Logs of instances: pages of history, the past, and live with counted gaps.

use super::log_hub::Upstream;
use super::service::instance_get;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::while_allowed;
use crate::platform::http::Ctx;
use crate::platform::http::streams::StreamItem;
use crate::signals::events::Subject;
use bytes::{Buf, Bytes, BytesMut};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::{Stream, TryStreamExt};
use http::Method;
use http_body_util::BodyExt;
use ocore_shared::ids::{InstanceId, ServerId};
use ocore_shared::logs::{Cursor, InvalidCursor, Joined, Resume, mark_dropped};
use ocore_shared::protocol::logs::{LogPage, LogRecord, LogsCleared};
use ocore_shared::tunnel::{ResponseBody, TunnelError};
use sqlx::Connection;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

const PAGE_TIMEOUT: Duration = Duration::from_secs(15);
const CLEAR_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_LINE: usize = 1024 * 1024;
/// Lines of the past between the tunnel and one viewer.
const PAST_QUEUE: usize = 128;
/// A viewer that does not read the past for so long gives its place in the tunnel to others, and asks again later.
const PAST_PATIENCE: Duration = Duration::from_secs(5);
/// Lines that a viewer takes from the ring at once.
const BATCH: usize = 64;
/// A viewer that the ring outruns so often while it reads the past gets a mark instead.
const CATCH_UPS: u32 = 5;
/// Until the agent is asked again when the tunnel has broken.
pub const RETRY: Duration = Duration::from_millis(500);
/// Between two looks whether the instance still exists.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// From where a log is followed.
#[derive(Clone, Debug, Default)]
pub struct LogRequest {
    pub after: Option<String>,
    pub tail: u32,
    pub follow: bool,
}

/// Which entries of a log; the agent chooses them.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    pub q: Option<String>,
    pub level: Option<String>,
    pub logger: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

impl LogFilter {
    fn pairs(self) -> [(&'static str, Option<String>); 5] {
        let time = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339_opts(SecondsFormat::Nanos, true));
        [
            ("q", self.q),
            ("level", self.level),
            ("logger", self.logger),
            ("from", time(self.from)),
            ("to", time(self.to)),
        ]
    }
}

/// A page of history.
pub struct HistoryRequest {
    pub before: Option<String>,
    pub limit: u32,
    pub filter: LogFilter,
}

/// A query string.
pub fn encode(pairs: &[(&str, Option<String>)]) -> String {
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
    if let Some(before) = &request.before {
        before.parse::<Cursor>().map_err(|e| Error::field("before", "cursor", e.to_string()))?;
    }
    let page = [("before", request.before), ("limit", Some(request.limit.to_string()))];
    let query = encode(&[&page[..], &request.filter.pairs()].concat());
    let path = format!("/instances/{id}/logs/history?{query}");
    let (_, page) = tunnel.client.call(Method::GET, &path, &(), PAGE_TIMEOUT).await?;
    Ok(page)
}

/// Note that a log leaves the house.
pub async fn log_download_note(ctx: &Ctx, app: &App, id: InstanceId, action: &str) -> Result<()> {
    let instance = instance_get(ctx, app, id).await?;
    let subject = Subject::new("instance", id, instance.name);
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, None, None).await?;
    tx.commit().await?;
    Ok(())
}

/// A log as a file: what the filter wants of all of it, oldest line first, as its server sends it. `format` is the
/// agent's word: `text` or `gzip`.
pub async fn log_download(
    ctx: &Ctx, app: &App, id: InstanceId, format: &str, filter: LogFilter,
) -> Result<(String, impl Stream<Item = Result<Bytes>> + Send + use<>)> {
    let instance = instance_get(ctx, app, id).await?;
    let tunnel = app.tunnels.get(instance.server_id)?;
    let form = [("format", Some(format.to_owned()))];
    let query = encode(&[&form[..], &filter.pairs()].concat());
    let response = tunnel.client.get_stream(&format!("/instances/{id}/logs/download?{query}")).await?;
    log_download_note(ctx, app, id, "instance_log.downloaded").await?;
    let day = app.clock.now().format("%Y-%m-%d");
    let name = format!("{}-{day}.log{}", instance.slug, if format == "gzip" { ".gz" } else { "" });
    let chunks = response.into_body().into_data_stream().map_err(|e| TunnelError::from(e).into());
    Ok((name, while_allowed(app, ctx, chunks)))
}

/// Show nothing any more of what an instance has logged so far, and drop what its server keeps of it. With `dry_run`
/// it is only told how much that is.
pub async fn log_clear(ctx: &Ctx, app: &App, id: InstanceId, dry_run: bool) -> Result<LogsCleared> {
    let instance = instance_get(ctx, app, id).await?;
    let tunnel = app.tunnels.get(instance.server_id)?;
    let path = format!("/instances/{id}/logs?dry_run={dry_run}");
    if dry_run {
        return Ok(tunnel.client.call(Method::DELETE, &path, &(), CLEAR_TIMEOUT).await?.1);
    }
    let subject = Subject::new("instance", id, instance.name);
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let action = "instance_log.cleared";
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, None, None).await?;
    // Nothing is cleared without its entry: it is written first, and kept when the agent has done it.
    let (_, cleared) = tunnel.client.call(Method::DELETE, &path, &(), CLEAR_TIMEOUT).await?;
    tx.commit().await?;
    app.logs.forget(instance.server_id, id);
    Ok(cleared)
}

/// An open log on its server: one record a line.
pub struct Lines {
    body: ResponseBody,
    buffer: BytesMut,
}

/// Open a log on its server.
pub async fn lines_open(app: &App, server: ServerId, id: InstanceId, query: &str) -> Result<Lines> {
    let tunnel = app.tunnels.get(server)?;
    let response = tunnel.client.get_stream(&format!("/instances/{id}/logs?{query}")).await?;
    Ok(Lines { body: response.into_body(), buffer: BytesMut::new() })
}

/// One record, and its JSON as the agent wrote it: however many people look, it is not written again.
pub struct Line {
    pub record: LogRecord,
    pub json: Arc<str>,
}

impl AsRef<LogRecord> for Line {
    fn as_ref(&self) -> &LogRecord {
        &self.record
    }
}

impl Line {
    fn item(&self) -> StreamItem {
        StreamItem {
            id: Some(self.record.cursor.clone()),
            event: "log".into(),
            text: Some(self.record.text.clone()),
            data: self.json.clone(),
        }
    }
}

impl Lines {
    /// The next line; None at the end, an error when the tunnel broke.
    pub async fn next(&mut self) -> Result<Option<Line>> {
        loop {
            while let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                if let Ok(text) = std::str::from_utf8(&line)
                    && let Ok(record) = serde_json::from_str(text)
                {
                    return Ok(Some(Line { record, json: text.into() }));
                }
            }
            if self.buffer.len() > LONGEST_LINE {
                self.buffer.clear();
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Err(TunnelError::from(error).into()),
                None => return Ok(None),
            }
        }
    }
}

/// One person's view of a log, with its start already opened, so that a server that is away is told at once.
pub struct LogView {
    ctx: Ctx,
    app: App,
    id: InstanceId,
    server: ServerId,
    request: LogRequest,
    /// Held before the past is read, so that nothing falls between it and the ring.
    upstream: Option<Arc<Upstream>>,
    past: Option<Lines>,
    /// Where in the ring to begin, when it holds all that is wanted of the past.
    joined: Option<Joined>,
    last: Option<Cursor>,
}

/// Open a view. Fails with 404, or 503 when the server is away.
pub async fn log_view(ctx: Ctx, app: App, id: InstanceId, request: LogRequest) -> Result<LogView> {
    let instance = instance_get(&ctx, &app, id).await?;
    let server = instance.server_id;
    let last = match &request.after {
        Some(after) => Some(after.parse().map_err(|e: InvalidCursor| Error::field("after", "cursor", e.to_string()))?),
        None => None,
    };
    // Whoever comes when others look already costs the server nothing.
    if request.follow
        && last.is_none()
        && let Some(upstream) = app.logs.running(server, id)
        && let Some(place) = upstream.tail(request.tail as usize)
    {
        app.tunnels.get(server)?;
        let (past, joined, upstream) = (None, Some(Joined { place, exact: true }), Some(upstream));
        return Ok(LogView { ctx, app, id, server, request, upstream, past, joined, last });
    }
    let past = lines_open(&app, server, id, &past_query(&request, last.as_ref())).await?;
    let upstream = request.follow.then(|| app.logs.upstream(&app, server, id));
    Ok(LogView { ctx, app, id, server, request, upstream, past: Some(past), joined: None, last })
}

/// At least one line of the past is read even when none is wanted, to know where to go on.
fn past_query(request: &LogRequest, last: Option<&Cursor>) -> String {
    match last {
        Some(last) => encode(&[("after", Some(last.to_string()))]),
        None => format!("tail={}", request.tail.max(1)),
    }
}

impl LogView {
    /// First the past, then every line as it comes, as long as the caller may see them. A lost tunnel is waited for; a
    /// reader that does not read gets the newest lines and a count of those left out.
    pub fn stream(self) -> impl Stream<Item = StreamItem> + Send {
        let (app, ctx) = (self.app.clone(), self.ctx.clone());
        while_allowed(&app, &ctx, self.items())
    }

    fn items(mut self) -> impl Stream<Item = StreamItem> + Send {
        async_stream::stream! {
            let mut past = self.past.take();
            let mut joined = self.joined;
            let catch_ups = if joined.is_some() { 0 } else { CATCH_UPS + 1 };
            for _ in 0..catch_ups {
                let hidden = self.last.is_none() && self.request.tail == 0;
                loop {
                    let Some(lines) = past.take() else { break };
                    let (sender, mut receiver) = tokio::sync::mpsc::channel(PAST_QUEUE);
                    let task = AbortOnDropHandle::new(tokio::spawn(past_copy(lines, sender)));
                    while let Some(line) = receiver.recv().await {
                        self.passed(&line.record);
                        if !hidden {
                            yield line.item();
                        }
                    }
                    if matches!(task.await, Ok(true)) {
                        break;
                    }
                    match self.past_again().await {
                        Some(lines) => past = Some(lines),
                        None => return,
                    }
                }
                let Some(upstream) = &self.upstream else { return };
                joined = upstream.ring.join(self.last.as_ref());
                if joined.is_some() {
                    break;
                }
                match self.past_again().await {
                    Some(lines) => past = Some(lines),
                    None => return,
                }
            }
            let Some(upstream) = self.upstream.clone() else { return };
            let mut changes = upstream.ring.changes();
            let joined = joined.unwrap_or(Joined { place: 0, exact: false });
            let mut place = joined.place;
            let mut resume = Resume::after(self.last.clone().filter(|_| !joined.exact));
            loop {
                changes.borrow_and_update();
                let taken = upstream.ring.take(place, BATCH);
                place = taken.next;
                if taken.dropped > 0 && let Some(mark) = taken.records.first().and_then(|first| mark_dropped(&first.record, taken.dropped)) {
                    yield StreamItem { id: Some(mark.cursor.clone()), text: Some(mark.text.clone()), ..StreamItem::new("log", &mark) };
                }
                let waiting = taken.records.is_empty();
                for line in taken.records.iter().filter(|line| resume.wants(&line.record)) {
                    yield line.item();
                }
                if !waiting {
                    // A flood must not keep this thread from everybody else.
                    tokio::task::yield_now().await;
                } else if !self.wait(&mut changes).await {
                    return;
                }
            }
        }
    }

    fn passed(&mut self, record: &LogRecord) {
        if let Ok(cursor) = record.cursor.parse() {
            self.last = Some(cursor);
        }
    }

    /// The past behind the last line, as soon as the server is there. None: there is nobody to ask any more.
    async fn past_again(&self) -> Option<Lines> {
        let query = past_query(&self.request, self.last.as_ref());
        loop {
            instance_get(&self.ctx, &self.app, self.id).await.ok()?;
            match lines_open(&self.app, self.server, self.id, &query).await {
                Ok(lines) => return Some(lines),
                Err(Error::AgentOffline { .. } | Error::Unavailable { .. }) if self.request.follow => {}
                Err(_) => return None,
            }
            tokio::select! {
                () = self.app.stop.cancelled() => return None,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Until there may be more. False: there never will be.
    async fn wait(&self, changes: &mut watch::Receiver<u64>) -> bool {
        loop {
            tokio::select! {
                changed = changes.changed() => return changed.is_ok(),
                () = self.app.stop.cancelled() => return false,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            if matches!(instance_get(&self.ctx, &self.app, self.id).await, Err(Error::NotFound(_))) {
                return false;
            }
        }
    }
}

/// Move the past to its viewer. False: it was cut short, by the tunnel or because the viewer does not read.
async fn past_copy(mut lines: Lines, sender: tokio::sync::mpsc::Sender<Line>) -> bool {
    loop {
        match lines.next().await {
            Ok(Some(line)) => {
                if sender.send_timeout(line, PAST_PATIENCE).await.is_err() {
                    return false;
                }
            }
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
