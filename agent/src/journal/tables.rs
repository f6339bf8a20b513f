//! What lies in the journal's file, and how each [`Write`] changes it. Pure redb: no queue, no time.

use super::{JobRecord, StoredSession, Write};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{JobId, JournalId};
use ocore_shared::protocol::events::{AgentEvent, EventEnvelope};
use ocore_shared::protocol::jobs::JobLogLine;
use redb::{Database, Error, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::Path;

pub const JOBS: TableDefinition<u128, &[u8]> = TableDefinition::new("jobs");
pub const JOB_LOGS: TableDefinition<(u128, u64), &[u8]> = TableDefinition::new("job_logs");
pub const JOB_SECRETS: TableDefinition<u128, &[u8]> = TableDefinition::new("job_secrets");
pub const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
/// Number of the newest event about a thing, so that it replaces the one before.
const EVENT_KEYS: TableDefinition<&str, u64> = TableDefinition::new("event_keys");
pub const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

pub const SESSION: &str = "session";
const JOURNAL_ID: &str = "journal_id";
const NEXT_SEQ: &str = "next_seq";

pub type Result<T> = std::result::Result<T, Error>;

pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Io(std::io::Error::other(e)))
}

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| Error::Corrupted(format!("a record cannot be read: {e}")))
}

/// Bytes that a job takes.
#[derive(Clone, Copy, Default)]
pub struct Size {
    pub record: u64,
    pub log: u64,
}

/// What is known about the content without asking the file.
#[derive(Clone, Default)]
pub struct Index {
    pub next_seq: u64,
    pub sizes: HashMap<JobId, Size>,
}

impl Index {
    pub fn total(&self) -> u64 {
        self.sizes.values().map(|s| s.record + s.log).sum()
    }
}

/// Open or make the file, and read what the writer needs to know.
pub fn open(path: &Path) -> Result<(Database, JournalId, Index)> {
    use std::os::unix::fs::OpenOptionsExt;
    // Made by us first, for its mode.
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let database = redb::Builder::new()
        // The default of 1 GiB is for databases.
        .set_cache_size(4 * 1024 * 1024)
        .create(path)?;
    let txn = database.begin_write()?;
    let mut index = Index::default();
    let id = {
        let mut meta = txn.open_table(META)?;
        let stored = meta.get(JOURNAL_ID)?.map(|v| decode(v.value())).transpose()?;
        let id = match stored {
            Some(id) => id,
            None => {
                let id = JournalId::new();
                meta.insert(JOURNAL_ID, encode(&id)?.as_slice())?;
                id
            }
        };
        index.next_seq = meta.get(NEXT_SEQ)?.map(|v| decode(v.value())).transpose()?.unwrap_or(1);
        for row in txn.open_table(JOBS)?.iter()? {
            let (key, value) = row?;
            let record: JobRecord = decode(value.value())?;
            index.sizes.entry(job_id(key.value())).or_default().record = value.value().len() as u64;
            drop(record);
        }
        for row in txn.open_table(JOB_LOGS)?.iter()? {
            let (key, value) = row?;
            index.sizes.entry(job_id(key.value().0)).or_default().log += value.value().len() as u64;
        }
        txn.open_table(JOB_SECRETS)?;
        txn.open_table(EVENTS)?;
        txn.open_table(EVENT_KEYS)?;
        id
    };
    txn.commit()?;
    Ok((database, id, index))
}

fn job_key(id: JobId) -> u128 {
    id.0.as_u128()
}

fn job_id(key: u128) -> JobId {
    JobId(uuid::Uuid::from_u128(key))
}

/// Apply one write within `txn`.
pub fn apply(txn: &WriteTransaction, index: &mut Index, journal_id: JournalId, write: &Write) -> Result<()> {
    match write {
        Write::Job(record) => put_job(txn, index, record),
        Write::Secrets { job, sealed } => {
            txn.open_table(JOB_SECRETS)?.insert(job_key(*job), sealed.as_slice())?;
            Ok(())
        }
        Write::WipeSecrets(job) => {
            txn.open_table(JOB_SECRETS)?.remove(job_key(*job))?;
            Ok(())
        }
        Write::Log { job, lines } => put_lines(txn, index, *job, lines),
        Write::Event { at, event } => put_event(txn, index, journal_id, *at, event),
        Write::Acknowledge { seq, at } => acknowledge(txn, index, *seq, *at),
        Write::Session(session) => {
            txn.open_table(META)?.insert(SESSION, encode(session)?.as_slice())?;
            Ok(())
        }
        Write::Prune { acknowledged_before } => {
            let old = acknowledged(txn)?.into_iter().take_while(|(at, _)| at < acknowledged_before);
            old.into_iter().try_for_each(|(_, job)| forget_job(txn, index, job))
        }
    }
}

fn put_job(txn: &WriteTransaction, index: &mut Index, record: &JobRecord) -> Result<()> {
    let id = record.snapshot.id;
    let bytes = encode(record)?;
    index.sizes.entry(id).or_default().record = bytes.len() as u64;
    txn.open_table(JOBS)?.insert(job_key(id), bytes.as_slice())?;
    Ok(())
}

fn put_lines(txn: &WriteTransaction, index: &mut Index, job: JobId, lines: &[JobLogLine]) -> Result<()> {
    let mut table = txn.open_table(JOB_LOGS)?;
    for line in lines {
        let bytes = encode(line)?;
        index.sizes.entry(job).or_default().log += bytes.len() as u64;
        table.insert((job_key(job), line.seq), bytes.as_slice())?;
    }
    Ok(())
}

/// Events with the same key tell about the same thing: the newest is enough.
fn event_key(event: &AgentEvent) -> Option<String> {
    match event {
        AgentEvent::Job(job) => Some(format!("job:{}", job.id)),
        AgentEvent::Container(container) => Some(format!("container:{}", container.id)),
        AgentEvent::ContainerRemoved { id } => Some(format!("container:{id}")),
        AgentEvent::InstanceHealth(report) => Some(format!("health:{}", report.instance_id)),
        _ => None,
    }
}

fn put_event(
    txn: &WriteTransaction, index: &mut Index, journal_id: JournalId, at: DateTime<Utc>, event: &AgentEvent,
) -> Result<()> {
    let seq = index.next_seq;
    index.next_seq += 1;
    let envelope = EventEnvelope { seq: Some(seq), journal_id, at, event: event.clone() };
    let mut events = txn.open_table(EVENTS)?;
    if let Some(key) = event_key(event) {
        let older = txn.open_table(EVENT_KEYS)?.insert(key.as_str(), seq)?.map(|v| v.value());
        if let Some(older) = older {
            events.remove(older)?;
        }
    }
    events.insert(seq, encode(&envelope)?.as_slice())?;
    txn.open_table(META)?.insert(NEXT_SEQ, encode(&index.next_seq)?.as_slice())?;
    Ok(())
}

fn acknowledge(txn: &WriteTransaction, index: &mut Index, seq: u64, at: DateTime<Utc>) -> Result<()> {
    let mut events = txn.open_table(EVENTS)?;
    let mut keys = txn.open_table(EVENT_KEYS)?;
    let mut ended = Vec::new();
    for row in events.extract_from_if(..=seq, |_, _| true)? {
        let (number, value) = row?;
        let envelope: EventEnvelope = decode(value.value())?;
        if let Some(key) = event_key(&envelope.event) {
            let newest = keys.get(key.as_str())?.map(|v| v.value());
            if newest == Some(number.value()) {
                keys.remove(key.as_str())?;
            }
        }
        if let AgentEvent::Job(job) = envelope.event
            && job.status.is_terminal()
        {
            ended.push(job.id);
        }
    }
    drop(events);
    for id in ended {
        let stored = txn.open_table(JOBS)?.get(job_key(id))?.map(|v| decode::<JobRecord>(v.value())).transpose()?;
        if let Some(mut record) = stored {
            record.acknowledged_at.get_or_insert(at);
            put_job(txn, index, &record)?;
        }
    }
    Ok(())
}

/// Acknowledged ended jobs, the one acknowledged longest ago first.
fn acknowledged(txn: &WriteTransaction) -> Result<Vec<(DateTime<Utc>, JobId)>> {
    let mut found = Vec::new();
    for row in txn.open_table(JOBS)?.iter()? {
        let record: JobRecord = decode(row?.1.value())?;
        found.extend(record.acknowledged_at.map(|at| (at, record.snapshot.id)));
    }
    found.sort();
    Ok(found)
}

fn forget_log(txn: &WriteTransaction, index: &mut Index, job: JobId) -> Result<()> {
    let key = job_key(job);
    txn.open_table(JOB_LOGS)?.retain_in((key, 0)..=(key, u64::MAX), |_, _| false)?;
    index.sizes.entry(job).or_default().log = 0;
    Ok(())
}

fn forget_job(txn: &WriteTransaction, index: &mut Index, job: JobId) -> Result<()> {
    forget_log(txn, index, job)?;
    txn.open_table(JOBS)?.remove(job_key(job))?;
    txn.open_table(JOB_SECRETS)?.remove(job_key(job))?;
    index.sizes.remove(&job);
    Ok(())
}

/// Make room until at most `target` bytes are used: logs of acknowledged jobs first, then those jobs, then logs of
/// ended jobs. The result of a job that is not acknowledged stays.
pub fn make_room(txn: &WriteTransaction, index: &mut Index, target: u64) -> Result<()> {
    let done = acknowledged(txn)?;
    for (_, job) in &done {
        if index.total() <= target {
            return Ok(());
        }
        forget_log(txn, index, *job)?;
    }
    for (_, job) in done {
        if index.total() <= target {
            return Ok(());
        }
        forget_job(txn, index, job)?;
    }
    let mut ended = Vec::new();
    for row in txn.open_table(JOBS)?.iter()? {
        let record: JobRecord = decode(row?.1.value())?;
        ended.extend(record.snapshot.finished_at.map(|at| (at, record.snapshot.id)));
    }
    ended.sort();
    for (_, job) in ended {
        if index.total() <= target {
            break;
        }
        forget_log(txn, index, job)?;
    }
    Ok(())
}

pub fn read_job(database: &Database, id: JobId) -> Result<Option<JobRecord>> {
    let table = database.begin_read()?.open_table(JOBS)?;
    table.get(job_key(id))?.map(|v| decode(v.value())).transpose()
}

pub fn read_jobs(database: &Database) -> Result<Vec<JobRecord>> {
    let table = database.begin_read()?.open_table(JOBS)?;
    table.iter()?.map(|row| decode(row?.1.value())).collect()
}

pub fn read_secrets(database: &Database, id: JobId) -> Result<Option<Vec<u8>>> {
    let table = database.begin_read()?.open_table(JOB_SECRETS)?;
    Ok(table.get(job_key(id))?.map(|v| v.value().to_vec()))
}

pub fn read_log(database: &Database, id: JobId, after: u64, limit: usize) -> Result<Vec<JobLogLine>> {
    let key = job_key(id);
    let table = database.begin_read()?.open_table(JOB_LOGS)?;
    let rows = table.range((key, after.saturating_add(1))..=(key, u64::MAX))?;
    rows.take(limit).map(|row| decode(row?.1.value())).collect()
}

pub fn read_last_log_seq(database: &Database, id: JobId) -> Result<u64> {
    let key = job_key(id);
    let table = database.begin_read()?.open_table(JOB_LOGS)?;
    let last = table.range((key, 0)..=(key, u64::MAX))?.next_back().transpose()?;
    Ok(last.map_or(0, |(key, _)| key.value().1))
}

pub fn read_events(database: &Database, after: u64, limit: usize) -> Result<Vec<EventEnvelope>> {
    let table = database.begin_read()?.open_table(EVENTS)?;
    table.range(after.saturating_add(1)..)?.take(limit).map(|row| decode(row?.1.value())).collect()
}

pub fn read_session(database: &Database) -> Result<StoredSession> {
    let table = database.begin_read()?.open_table(META)?;
    Ok(table.get(SESSION)?.map(|v| decode(v.value())).transpose()?.unwrap_or_default())
}
