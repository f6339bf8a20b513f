//! One person's view of a log: first the past, then the ring.

use super::history::HistoryQuery;
use super::hub::{LogHub, Upstream};
use super::source::recreated;
use crate::engine::OpError;
use crate::host::docker::lines::LinesOptions;
use futures::StreamExt;
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::{Cursor, Joined, LogFilter, Resume, mark_dropped};
use ocore_shared::protocol::logs::LogRecord;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Lines between the hub and the connection of one viewer. A viewer that stops reading stops here; what the ring then
/// drops is counted.
const BUFFER: usize = 128;
const BATCH: usize = 64;
/// A reader of the past that the ring outruns so often gets a mark instead.
const CATCH_UPS: u32 = 5;

/// Where a view starts.
pub enum From {
    After(Cursor),
    /// With so many lines of the past.
    Tail(usize),
}

type Sender = mpsc::Sender<Result<LogRecord, OpError>>;
/// The viewer went away.
struct Gone;

impl LogHub {
    /// The lines from there on; with `follow` the stream goes on over every container that the instance will have.
    pub fn view(&self, instance: InstanceId, from: From, follow: bool) -> ReceiverStream<Result<LogRecord, OpError>> {
        let (sender, receiver) = mpsc::channel(BUFFER);
        let hub = self.clone();
        tokio::spawn(async move {
            let stopped = sender.clone();
            tokio::select! {
                _ = run(hub, instance, from, follow, sender) => {}
                () = stopped.closed() => {}
            }
        });
        ReceiverStream::new(receiver)
    }
}

async fn run(hub: LogHub, instance: InstanceId, from: From, follow: bool, sender: Sender) -> Result<(), Gone> {
    // Before the past is read, so that nothing falls between it and the ring.
    let upstream = follow.then(|| hub.upstream(instance));
    let past = match from {
        From::After(cursor) => copy_after(&hub, instance, cursor, &sender).await.map(|r| r.map(Some)),
        From::Tail(count) => copy_tail(&hub, instance, count, &sender).await,
    }?;
    let last = match past {
        Ok(last) => last,
        Err(error) => return sender.send(Err(error)).await.map_err(|_| Gone),
    };
    match upstream {
        Some(upstream) => live(&hub, instance, upstream, last, &sender).await,
        None => Ok(()),
    }
}

/// Everything behind the cursor, over all containers. Gives back how far that was.
async fn copy_after(
    hub: &LogHub, instance: InstanceId, after: Cursor, sender: &Sender,
) -> Result<Result<Cursor, OpError>, Gone> {
    let mut last = after.clone();
    let mut resume = Resume::after(Some(after.clone()));
    let sources = match hub.sources(instance).await {
        Ok(sources) => sources,
        Err(e) => return Ok(Err(e)),
    };
    let start = sources.iter().position(|s| s.container() == after.container).unwrap_or(0);
    for (index, source) in sources.iter().enumerate().skip(start) {
        let since = (source.container() == after.container).then(|| after.at.timestamp());
        let options = LinesOptions { since, ..LinesOptions::default() };
        let mut records = match source.read(hub.docker(), options, &LogFilter::default()).await {
            Ok(records) => records,
            Err(e) => return Ok(Err(e)),
        };
        // A mark that was seen already stands right before the container's first line.
        let opens = index > 0 && sources[index - 1].container() != source.container();
        let mut between = opens && source.container() != after.container;
        while let Some(record) = records.next().await {
            let record = match record {
                Ok(record) => record,
                Err(e) => return Ok(Err(e)),
            };
            if !resume.wants(&record) {
                continue;
            }
            if std::mem::take(&mut between) {
                sender.send(Ok(recreated(&record))).await.map_err(|_| Gone)?;
            }
            if let Ok(cursor) = record.cursor.parse() {
                last = cursor;
            }
            sender.send(Ok(record)).await.map_err(|_| Gone)?;
        }
    }
    Ok(Ok(last))
}

async fn copy_tail(
    hub: &LogHub, instance: InstanceId, count: usize, sender: &Sender,
) -> Result<Result<Option<Cursor>, OpError>, Gone> {
    // At least one is read even when none is wanted, to know where to go on.
    let page = match hub.history(instance, &HistoryQuery { limit: count.max(1), ..HistoryQuery::default() }).await {
        Ok(page) => page,
        Err(e) => return Ok(Err(e)),
    };
    let last = page.lines.iter().rev().find_map(|l| l.cursor.parse().ok());
    for line in page.lines.into_iter().filter(|_| count > 0) {
        sender.send(Ok(line)).await.map_err(|_| Gone)?;
    }
    Ok(Ok(last))
}

async fn live(
    hub: &LogHub, instance: InstanceId, upstream: Arc<Upstream>, mut last: Option<Cursor>, sender: &Sender,
) -> Result<(), Gone> {
    let mut changes = upstream.ring.changes();
    let mut joined = None;
    for _ in 0..CATCH_UPS {
        joined = upstream.ring.join(last.as_ref());
        let (None, Some(cursor)) = (joined, last.clone()) else { break };
        match copy_after(hub, instance, cursor, sender).await? {
            Ok(further) => last = Some(further),
            Err(error) => return sender.send(Err(error)).await.map_err(|_| Gone),
        }
    }
    let joined = joined.unwrap_or(Joined { place: 0, exact: false });
    let mut place = joined.place;
    let mut resume = Resume::after(last.filter(|_| !joined.exact));
    loop {
        changes.borrow_and_update();
        let taken = upstream.ring.take(place, BATCH);
        place = taken.next;
        if taken.dropped > 0
            && let Some(first) = taken.records.first()
            && let Some(mark) = mark_dropped(first, taken.dropped)
        {
            sender.send(Ok(mark)).await.map_err(|_| Gone)?;
        }
        let waiting = taken.records.is_empty();
        for record in taken.records.into_iter().filter(|r| resume.wants(r)) {
            sender.send(Ok(LogRecord::clone(&record))).await.map_err(|_| Gone)?;
        }
        if waiting && changes.changed().await.is_err() {
            return Ok(());
        }
    }
}
