//! A job that has not ended: its state, and the one way in which it changes.

use super::{Inner, OpError, lock};
use crate::journal::{Commit, JobRecord, Urgency, Write};
use chrono::{DateTime, Utc};
use ocore_shared::ids::JobId;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::jobs::{
    JobFailure, JobLogLine, JobRequest, JobSnapshot, JobStatus, MEMORY_ONLY, StepSnapshot, StepStatus,
};
use ocore_shared::secret::Secret;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A job's log ends here, with a line that says so: one chatty job must not push others out of the journal.
const MAX_LOG_BYTES: usize = 1024 * 1024;
const MAX_LINE_BYTES: usize = 7 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    Pending,
    Accepted,
    Refused,
}

pub struct Job {
    pub id: JobId,
    /// Without the secrets' values.
    pub request: JobRequest,
    pub secrets: Mutex<BTreeMap<String, Secret>>,
    pub cancel: CancellationToken,
    /// Whether it is the end of its time that cancels it.
    pub timed_out: AtomicBool,
    /// Fires when it is the first of its instance.
    pub turn: CancellationToken,
    pub acceptance: watch::Sender<Acceptance>,
    pub state: Mutex<State>,
    /// There are log lines to write.
    pub log_poke: Notify,
    /// Number of the newest line on disk, and whether the job has ended.
    log_written: watch::Sender<(u64, bool)>,
}

pub struct State {
    pub record: JobRecord,
    /// The step that runs now.
    pub step: Option<String>,
    /// A step's end is queued but perhaps not on disk.
    pub unflushed: bool,
    /// Set by a failpoint inside a step.
    pub injected: Option<OpError>,
    /// What could not be taken back, and why.
    pub left: Vec<String>,
    pub last_progress: Option<Instant>,
    log_bytes: usize,
    /// Numbered, not yet given to the journal.
    unwritten: Vec<JobLogLine>,
    /// Given to the journal, not yet told to the controller.
    unpublished: Vec<JobLogLine>,
}

impl Job {
    pub fn new(id: JobId, mut request: JobRequest, accepted_at: DateTime<Utc>) -> Self {
        let secrets = std::mem::take(&mut request.secrets).into_iter().map(|(k, v)| (k, Secret::new(v))).collect();
        let snapshot = JobSnapshot {
            id,
            kind: request.kind.clone(),
            status: JobStatus::Queued,
            steps: Vec::new(),
            result: None,
            failure: None,
            last_log_seq: 0,
            accepted_at,
            finished_at: None,
        };
        let record = JobRecord {
            request,
            snapshot,
            outputs: BTreeMap::new(),
            cancel_requested: false,
            failing: None,
            acknowledged_at: None,
        };
        Self::build(record, secrets, 0, Acceptance::Pending)
    }

    /// As the journal knows it after a restart.
    pub fn resumed(record: JobRecord, secrets: BTreeMap<String, Secret>, last_log_seq: u64) -> Self {
        Self::build(record, secrets, last_log_seq, Acceptance::Accepted)
    }

    fn build(
        mut record: JobRecord, secrets: BTreeMap<String, Secret>, last_log_seq: u64, acceptance: Acceptance,
    ) -> Self {
        record.snapshot.last_log_seq = last_log_seq;
        let cancel = CancellationToken::new();
        if record.cancel_requested {
            cancel.cancel();
        }
        Self {
            id: record.snapshot.id,
            request: record.request.clone(),
            secrets: Mutex::new(secrets),
            cancel,
            timed_out: AtomicBool::new(false),
            turn: CancellationToken::new(),
            acceptance: watch::Sender::new(acceptance),
            state: Mutex::new(State {
                record,
                step: None,
                // Of a new job's first step a kill may lose the start: it is run again. After a restart the next step may
                // be any, and going back asks whether it had begun.
                unflushed: acceptance == Acceptance::Accepted,
                injected: None,
                left: Vec::new(),
                last_progress: None,
                log_bytes: 0,
                unwritten: Vec::new(),
                unpublished: Vec::new(),
            }),
            log_poke: Notify::new(),
            log_written: watch::Sender::new((last_log_seq, false)),
        }
    }

    /// Take over what a restart has lost, from the same job offered again.
    pub fn secrets_refresh(&self, offered: &Job) {
        let offered = lock(&offered.secrets);
        let memory = offered.iter().filter(|(name, _)| name.starts_with(MEMORY_ONLY));
        lock(&self.secrets).extend(memory.map(|(name, value)| (name.clone(), value.clone())));
    }

    pub fn is_accepted(&self) -> bool {
        *self.acceptance.borrow() == Acceptance::Accepted
    }

    /// Whether it was accepted, once that is decided.
    pub async fn accepted(&self) -> bool {
        let mut acceptance = self.acceptance.subscribe();
        // Its sender lives in `self`, so that it cannot be closed.
        let decided = acceptance.wait_for(|a| *a != Acceptance::Pending).await.map(|a| *a);
        decided.is_ok_and(|a| a == Acceptance::Accepted)
    }

    /// Why it is told to end.
    pub fn interruption(&self) -> OpError {
        match self.timed_out.load(Ordering::Relaxed) {
            true => OpError::retryable("timeout", "The job took longer than it was allowed to."),
            false => OpError::new("cancelled", "The job was cancelled."),
        }
    }

    pub fn snapshot(&self) -> JobSnapshot {
        lock(&self.state).record.snapshot.clone()
    }

    /// What is left of its time. After a restart the wall clock has to say how much is gone.
    pub fn time_left(&self, now: DateTime<Utc>) -> Option<Duration> {
        let limit = Duration::from_secs(self.request.timeout_seconds?);
        let accepted_at = lock(&self.state).record.snapshot.accepted_at;
        let gone = (now - accepted_at).to_std().unwrap_or_default();
        Some(limit.saturating_sub(gone))
    }

    /// Change the job, and queue the change with all log lines before it as one batch. Under the lock, so that batches
    /// are queued in the order of the changes.
    pub fn update<R>(&self, inner: &Inner, urgency: Urgency, change: impl FnOnce(&mut State) -> R) -> (R, Commit) {
        let mut state = lock(&self.state);
        let result = change(&mut state);
        let mut writes = state.take_lines(self.id);
        let snapshot = state.record.snapshot.clone();
        writes.push(Write::Job(Box::new(state.record.clone())));
        if snapshot.status.is_terminal() {
            writes.push(Write::WipeSecrets(self.id));
        }
        let at = inner.parts.clock.now();
        writes.push(Write::Event { at, event: Box::new(AgentEvent::Job(snapshot)) });
        (result, inner.parts.journal.submit(writes, urgency))
    }

    /// Queue the wish to cancel; None when the job has ended.
    pub fn request_cancel(&self, inner: &Inner) -> Option<Commit> {
        let mut state = lock(&self.state);
        if state.record.snapshot.status.is_terminal() {
            return None;
        }
        state.record.cancel_requested = true;
        let write = Write::Job(Box::new(state.record.clone()));
        Some(inner.parts.journal.submit(vec![write], Urgency::NowOrFail))
    }

    /// Number and keep log lines; the pump brings them to disk.
    pub fn log(&self, at: DateTime<Utc>, text: &str) {
        let mut state = lock(&self.state);
        if state.record.snapshot.status.is_terminal() {
            return;
        }
        for line in text.lines() {
            if state.log_bytes > MAX_LOG_BYTES {
                return;
            }
            let mut line = cut(line, MAX_LINE_BYTES).to_string();
            state.log_bytes += line.len() + 64;
            if state.log_bytes > MAX_LOG_BYTES {
                line = "The log of this job is full; further lines are left out.".into();
            }
            state.record.snapshot.last_log_seq += 1;
            let line = JobLogLine { seq: state.record.snapshot.last_log_seq, at, step: state.step.clone(), text: line };
            state.unwritten.push(line);
        }
        drop(state);
        self.log_poke.notify_one();
    }

    /// Bring log lines to disk in groups and tell them. Never ends.
    pub async fn pump_log(&self, inner: &Inner) {
        loop {
            self.log_poke.notified().await;
            let (submitted, commit) = {
                let mut state = lock(&self.state);
                let writes = state.take_lines(self.id);
                // Lines that travelled with an update are told here, too: an empty batch waits for them.
                let commit = inner.parts.journal.submit(writes, Urgency::Soon);
                (state.unpublished.last().map_or(0, |l| l.seq), commit)
            };
            if commit.await.is_ok() {
                self.publish_log(inner, submitted, false);
            }
        }
    }

    /// Tell the lines up to `seq`, which are on disk.
    pub fn publish_log(&self, inner: &Inner, seq: u64, ended: bool) {
        let lines: Vec<JobLogLine> = {
            let mut state = lock(&self.state);
            let count = state.unpublished.partition_point(|l| l.seq <= seq);
            state.unpublished.drain(..count).collect()
        };
        if let Some(last) = lines.last() {
            self.log_written.send_modify(|w| w.0 = w.0.max(last.seq));
            inner.parts.events.volatile(AgentEvent::JobLog { job_id: self.id, lines });
        }
        if ended {
            self.log_written.send_modify(|w| w.1 = true);
        }
    }

    pub async fn log_written_beyond(&self, after: u64) {
        let _ = self.log_written.subscribe().wait_for(|(seq, ended)| *seq > after || *ended).await;
    }
}

impl State {
    fn take_lines(&mut self, job: JobId) -> Vec<Write> {
        if self.unwritten.is_empty() {
            return Vec::new();
        }
        let lines = std::mem::take(&mut self.unwritten);
        self.unpublished.extend(lines.iter().cloned());
        vec![Write::Log { job, lines }]
    }

    /// The step of that name, made if it was not planned.
    pub fn step_mut(&mut self, name: &str) -> &mut StepSnapshot {
        let steps = &mut self.record.snapshot.steps;
        let index = steps.iter().position(|s| s.name == name).unwrap_or_else(|| {
            steps.push(new_step(name, &title_of(name)));
            steps.len() - 1
        });
        &mut steps[index]
    }

    /// Set the end of the job. Steps that were cut end with it.
    pub fn finish(&mut self, status: JobStatus, outcome: Result<serde_json::Value, OpError>, at: DateTime<Utc>) {
        let snapshot = &mut self.record.snapshot;
        snapshot.status = status;
        snapshot.finished_at = Some(at);
        match outcome {
            Ok(result) => snapshot.result = Some(result),
            Err(error) => {
                let OpError { code, message, retryable } = match self.left.is_empty() {
                    true => error,
                    false => error.and(format_args!("Not everything could be taken back. {}", self.left.join(" "))),
                };
                for step in snapshot.steps.iter_mut().filter(|s| s.status == StepStatus::Running) {
                    step.status = StepStatus::Failed;
                    step.finished_at = Some(at);
                    step.message.get_or_insert_with(|| message.clone());
                }
                snapshot.failure = Some(JobFailure { code, message, retryable });
            }
        }
        self.step = None;
    }
}

pub fn new_step(name: &str, title: &str) -> StepSnapshot {
    StepSnapshot {
        name: name.into(),
        title: title.into(),
        status: StepStatus::Pending,
        started_at: None,
        finished_at: None,
        progress: None,
        message: None,
    }
}

/// `pull_image` → `Pull image`.
fn title_of(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The longest start of `text` that fits.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
