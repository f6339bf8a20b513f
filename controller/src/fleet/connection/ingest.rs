//! What an agent says, taken in: `GET /events?after=`, in batches of one transaction each, acknowledged after it.

use super::store;
use crate::app::App;
use crate::apps::instances::{self, health};
use crate::error::{Error, Result};
use crate::fleet::enrollment::store::stage_reached;
use crate::fleet::metrics;
use crate::fleet::servers::model::status_of;
use crate::platform::bus::{Kind, Signal};
use crate::platform::jobs::report;
use crate::platform::tunnel::Tunnel;
use bytes::{Buf, BytesMut};
use futures::FutureExt;
use http::Method;
use http_body_util::BodyExt;
use ocore_shared::ids::JournalId;
use ocore_shared::protocol::enrollment::InstallStage;
use ocore_shared::protocol::events::{AgentEvent, EventAck, EventEnvelope};
use ocore_shared::protocol::inventory::{DockerStatus, Facts};
use ocore_shared::tunnel::{ResponseBody, TunnelError};
use sqlx::PgConnection;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Envelopes that one transaction takes.
const BATCH: usize = 256;
/// An agent whose line is longer is broken or hostile.
const LONGEST_LINE: usize = 4 * 1024 * 1024;
const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts while the database is away.
pub const DATABASE_RETRY: Duration = Duration::from_millis(500);

/// Take in everything until the stream ends.
pub async fn events_follow(app: &App, tunnel: &Arc<Tunnel>, journal: JournalId, after: i64) -> Result<()> {
    let response = tunnel.client.get_stream(&format!("/events?after={after}")).await?;
    let mut lines = Lines { body: response.into_body(), buffer: BytesMut::new() };
    let (committed, acknowledge) = watch::channel(0);
    tokio::select! {
        result = take_in(app, tunnel, journal, &mut lines, &committed) => result,
        result = acknowledgements(tunnel, journal, acknowledge) => result,
    }
}

async fn take_in(
    app: &App, tunnel: &Arc<Tunnel>, journal: JournalId, lines: &mut Lines, committed: &watch::Sender<u64>,
) -> Result<()> {
    loop {
        let Some(first) = lines.next().await? else { return Ok(()) };
        let mut batch = vec![first];
        // What has arrived already goes into the same transaction; nothing is waited for.
        while batch.len() < BATCH {
            match lines.next().now_or_never() {
                Some(next) => match next? {
                    Some(envelope) => batch.push(envelope),
                    None => break,
                },
                None => break,
            }
        }
        if let Some(seq) = batch_apply_patiently(app, tunnel, journal, &batch).await? {
            committed.send_replace(seq);
        }
    }
}

/// Apply a batch, again while the database is away: the tunnel stays up, and its flow control holds the agent back.
async fn batch_apply_patiently(
    app: &App, tunnel: &Arc<Tunnel>, journal: JournalId, batch: &[EventEnvelope],
) -> Result<Option<u64>> {
    loop {
        match batch_apply(app, tunnel, journal, batch).await {
            Err(Error::Unavailable { .. }) => tokio::time::sleep(DATABASE_RETRY).await,
            result => return result,
        }
    }
}

/// Tell the agent what it may forget, beside the taking in: it answers only when its disk has it.
async fn acknowledgements(tunnel: &Arc<Tunnel>, journal: JournalId, mut committed: watch::Receiver<u64>) -> Result<()> {
    while committed.changed().await.is_ok() {
        let ack = EventAck { journal_id: journal, seq: *committed.borrow_and_update() };
        let _: (_, Option<()>) = tunnel.client.call(Method::POST, "/events/ack", &ack, ACK_TIMEOUT).await?;
    }
    Ok(())
}

struct Lines {
    body: ResponseBody,
    buffer: BytesMut,
}

impl Lines {
    /// The next envelope. Safe to drop at its only await: nothing is taken from the body before it returns.
    async fn next(&mut self) -> Result<Option<EventEnvelope>> {
        loop {
            while let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                if line.is_empty() {
                    continue;
                }
                match serde_json::from_slice(&line) {
                    Ok(envelope) => return Ok(Some(envelope)),
                    // A newer agent may say what this version does not know.
                    Err(error) => tracing::debug!(%error, "an event was passed over"),
                }
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(TunnelError::Malformed("an event is too long".into()).into());
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(TunnelError::from(error).into()),
                None => return Ok(None),
            }
        }
    }
}

/// Apply a batch; returns the highest durable sequence in it, for the acknowledgement.
async fn batch_apply(
    app: &App, tunnel: &Arc<Tunnel>, journal: JournalId, batch: &[EventEnvelope],
) -> Result<Option<u64>> {
    // Logs come first: a job must not be seen as ended before its log is whole.
    for envelope in batch {
        match &envelope.event {
            AgentEvent::JobLog { job_id, lines } => {
                report::job_log_arrived(app, tunnel.server, *job_id, lines).await?;
            }
            AgentEvent::Job(snapshot) if snapshot.status.is_terminal() && snapshot.last_log_seq > 0 => {
                report::job_log_complete(app, tunnel, snapshot.id, snapshot.last_log_seq).await?;
            }
            _ => {}
        }
    }
    let mut signals = Vec::new();
    let mut newest = None;
    let needs_transaction = batch.iter().any(|e| e.seq.is_some() || is_stored(&e.event));
    if needs_transaction {
        let mut tx = app.db.fleet().begin().await?;
        if !store::session_is_newest(&mut tx, tunnel.server, tunnel.epoch).await? {
            return Err(Error::conflict("fenced", "A newer connection of this server has taken over."));
        }
        for envelope in batch {
            apply(app, &mut tx, tunnel, journal, envelope, &mut signals).await?;
            newest = newest.max(envelope.seq);
        }
        if let Some(seq) = newest {
            store::journal_position_store(&mut tx, tunnel.server, journal.0, seq as i64).await?;
        }
        tx.commit().await?;
    }
    for envelope in batch {
        match &envelope.event {
            AgentEvent::Metrics(samples) => metrics::service::samples_arrived(app, tunnel, samples),
            AgentEvent::InstanceMetrics(samples) => {
                instances::metrics::service::samples_arrived(app, tunnel, samples);
            }
            AgentEvent::JobProgress { job_id, step, progress } => app.bus.send(Signal::JobProgress {
                organization: tunnel.organization,
                job: *job_id,
                step: step.clone(),
                progress: progress.clone(),
            }),
            _ => {}
        }
    }
    let ended = signals.iter().any(|s| matches!(s, Signal::EventsAppended));
    signals.into_iter().for_each(|signal| app.bus.send(signal));
    if ended {
        app.jobs.poke.notify_one();
    }
    Ok(newest)
}

async fn apply(
    app: &App, connection: &mut PgConnection, tunnel: &Tunnel, journal: JournalId, envelope: &EventEnvelope,
    signals: &mut Vec<Signal>,
) -> Result<()> {
    let (organization, server) = (tunnel.organization, tunnel.server);
    match &envelope.event {
        AgentEvent::Job(snapshot) => {
            let seq = envelope.seq.unwrap_or_default() as i64;
            signals.extend(report::job_report_apply(connection, server, journal.0, seq, snapshot).await?);
        }
        AgentEvent::Container(container) => {
            store::container_store(connection, organization, server, container).await?;
            signals.extend(instances::observe::container_observed(connection, organization, server, container).await?);
            signals.push(Signal::Changed { organization, kind: Kind::Server, id: server.0 });
        }
        AgentEvent::ContainerRemoved { id } => {
            store::container_delete(connection, server, id).await?;
            signals.extend(instances::observe::containers_lost(connection, organization, server, Some(id)).await?);
            signals.push(Signal::Changed { organization, kind: Kind::Server, id: server.0 });
        }
        AgentEvent::Containers(containers) => {
            let ids: Vec<String> = containers.iter().map(|c| c.id.clone()).collect();
            store::container_retain(connection, server, &ids).await?;
            for container in containers {
                store::container_store(connection, organization, server, container).await?;
                let observed = instances::observe::container_observed(connection, organization, server, container);
                signals.extend(observed.await?);
            }
            signals.extend(instances::observe::containers_lost(connection, organization, server, None).await?);
            signals.push(Signal::Changed { organization, kind: Kind::Server, id: server.0 });
        }
        AgentEvent::Facts(facts) => {
            facts_apply(app, connection, tunnel, facts).await?;
            signals.push(Signal::Changed { organization, kind: Kind::Server, id: server.0 });
        }
        AgentEvent::Docker(docker) => {
            docker_apply(app, connection, tunnel, docker).await?;
            signals.push(Signal::Changed { organization, kind: Kind::Server, id: server.0 });
        }
        AgentEvent::Gap { dropped } => {
            tracing::warn!(%server, dropped, "an agent dropped reports because they were not read in time");
        }
        AgentEvent::InstanceHealth(report) => {
            let at = envelope.at.min(app.clock.now());
            signals.extend(health::service::report_apply(connection, organization, server, report, at).await?);
        }
        AgentEvent::InstanceHealths(reports) => {
            let at = envelope.at.min(app.clock.now());
            for report in reports {
                signals.extend(health::service::report_apply(connection, organization, server, report, at).await?);
            }
        }
        AgentEvent::JobProgress { .. }
        | AgentEvent::JobLog { .. }
        | AgentEvent::Metrics(_)
        | AgentEvent::InstanceMetrics(_) => {}
    }
    Ok(())
}

/// What changes rows although it is not durable.
fn is_stored(event: &AgentEvent) -> bool {
    use AgentEvent::{Containers, Docker, Facts, InstanceHealths};
    matches!(event, Containers(_) | Facts(_) | Docker(_) | InstanceHealths(_))
}

async fn facts_apply(app: &App, connection: &mut PgConnection, tunnel: &Tunnel, facts: &Facts) -> Result<()> {
    store::facts_store(connection, tunnel.server, facts).await?;
    docker_apply(app, connection, tunnel, &facts.docker).await
}

async fn docker_apply(app: &App, connection: &mut PgConnection, tunnel: &Tunnel, docker: &DockerStatus) -> Result<()> {
    let (status, reason) = status_of(true, Some(docker));
    store::docker_store(connection, tunnel.server, docker, status, reason.as_deref()).await?;
    if docker.available {
        stage_reached(connection, tunnel.server, InstallStage::Docker, app.clock.now()).await?;
    }
    Ok(())
}
