//! The one live stream of a browser tab: durable events, hints to fetch again, samples and progress.

use super::store::{self, Position};
use crate::app::App;
use crate::error::Result;
use crate::fleet::metrics::service::metrics_watch;
use crate::identity::authentication::while_unchanged;
use crate::platform::bus::Signal;
use crate::platform::http::ctx::{Access, Scope};
use crate::platform::http::streams::StreamItem;
use crate::platform::http::{Caller, Permission};
use futures::Stream;
use ocore_shared::ids::{OrganizationId, ServerId};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

const BATCH: i64 = 200;
/// The net below wake-ups: events of other replicas, and of transactions that were still open.
const POLL: Duration = Duration::from_secs(1);
const WATCH_AGAIN: Duration = Duration::from_secs(30);

/// Whose stream it is.
pub struct StreamRequest {
    pub caller: Arc<Caller>,
    pub organization: OrganizationId,
    pub access: Arc<Access>,
    pub after: Option<Position>,
    /// Servers that somebody looks at: they sample every 10 s meanwhile.
    pub watch: Vec<ServerId>,
}

impl StreamRequest {
    fn sees(&self, permission: Permission) -> bool {
        self.access.anywhere().contains(permission)
    }

    fn sees_server(&self, server: ServerId) -> bool {
        self.access.grants.iter().any(|(scope, set)| {
            set.contains(Permission::ViewServers)
                && (*scope == Scope::Organization || *scope == Scope::Server(server.0))
        })
    }

    /// Events are shown to those who see the whole organization; narrower grants follow their objects by hints.
    fn sees_events(&self) -> bool {
        self.access.everywhere().contains(Permission::ViewOrg)
    }
}

/// Read the place that a client has reached: `xid-id`.
pub fn position_parse(text: &str) -> Option<Position> {
    let (xid, id) = text.split_once('-')?;
    xid.parse::<u64>().ok()?;
    Some(Position { xid: xid.to_owned(), id: id.parse().ok()? })
}

fn reset() -> StreamItem {
    StreamItem::new("reset", &json!({}))
}

/// The stream itself. It ends when the caller's access is not what it was at its start.
pub fn event_stream(app: App, request: StreamRequest) -> impl Stream<Item = StreamItem> + Send {
    let (app_, caller, access) = (app.clone(), request.caller.clone(), request.access.clone());
    while_unchanged(&app_, caller, request.organization, access, event_items(app, request))
}

fn event_items(app: App, request: StreamRequest) -> impl Stream<Item = StreamItem> + Send {
    async_stream::stream! {
        let mut signals = app.bus.subscribe();
        let mut place = match start(&app, &request).await {
            Ok((place, lost)) => {
                if lost { yield reset(); }
                place
            }
            Err(_) => return,
        };
        // Something is said at once, so that proxies and browsers see that the stream is open.
        yield StreamItem::new("hello", &json!({"version": env!("CARGO_PKG_VERSION")}));
        let mut poll = tokio::time::interval(POLL);
        let mut watch = tokio::time::interval(WATCH_AGAIN);
        loop {
            let mut read = false;
            tokio::select! {
                () = app.stop.cancelled() => return,
                _ = poll.tick() => read = true,
                _ = watch.tick() => {
                    for server in request.watch.iter().filter(|s| request.sees_server(**s)) {
                        metrics_watch(&app, *server).await;
                    }
                }
                signal = signals.recv() => match signal {
                    Ok(Signal::EventsAppended) => read = true,
                    Ok(signal) => {
                        if let Some(item) = hint(&request, signal) { yield item; }
                    }
                    Err(RecvError::Lagged(_)) => { yield reset(); read = true; }
                    Err(RecvError::Closed) => return,
                },
            }
            while read && request.sees_events() {
                let Ok(events) = next(&app, &request, &place).await else { break };
                read = events.len() as i64 == BATCH;
                for (position, event) in events {
                    yield StreamItem {
                        id: Some(format!("{}-{}", position.xid, position.id)),
                        text: Some(format!("{} {} {}", event.created_at.to_rfc3339(), event.kind, event.subject.name)),
                        ..StreamItem::new(event.kind.clone(), &event)
                    };
                    place = position;
                }
            }
        }
    }
}

async fn start(app: &App, request: &StreamRequest) -> Result<(Position, bool)> {
    let mut connection = app.db.org(request.organization).await?;
    if let Some(after) = &request.after {
        if !store::event_position_is_lost(&mut connection, request.organization, after).await? {
            return Ok((after.clone(), false));
        }
        return Ok((store::event_position(&mut connection).await?, true));
    }
    Ok((store::event_position(&mut connection).await?, false))
}

async fn next(app: &App, request: &StreamRequest, after: &Position) -> Result<Vec<(Position, super::Event)>> {
    let mut connection = app.db.org(request.organization).await?;
    store::event_list_after(&mut connection, request.organization, after, BATCH).await
}

fn hint(request: &StreamRequest, signal: Signal) -> Option<StreamItem> {
    let item = |event: &'static str, data| Some(StreamItem::new(event, &data));
    match signal {
        Signal::Changed { organization, kind, id } if organization == request.organization => {
            item("changed", json!({"subject": {"type": kind, "id": id}}))
        }
        Signal::Metrics { organization, server, sample }
            if organization == request.organization && request.sees_server(server) =>
        {
            item("metrics", json!({"server_id": server, "sample": sample}))
        }
        Signal::JobProgress { organization, job, step, progress }
            if organization == request.organization && request.sees(Permission::ViewJobs) =>
        {
            item("progress", json!({"job_id": job, "step": step, "progress": progress}))
        }
        _ => None,
    }
}
