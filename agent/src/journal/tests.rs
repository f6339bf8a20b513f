//! The journal's promises: order, redelivery, room, damage.

use super::*;
use ocore_shared::clock::{Clock, SystemClock};
use ocore_shared::ids::OrganizationId;
use ocore_shared::protocol::jobs::JobStatus;
use std::path::Path;

fn open(dir: &Path) -> RedbJournal {
    RedbJournal::open(&dir.join("journal.redb"), &SystemClock).unwrap()
}

fn job(status: JobStatus) -> JobRecord {
    let now = SystemClock.now();
    JobRecord {
        request: JobRequest {
            kind: "noop".into(),
            organization_id: OrganizationId::new(),
            instance_id: None,
            input: serde_json::Value::Null,
            secrets: BTreeMap::new(),
            timeout_seconds: None,
        },
        snapshot: JobSnapshot {
            id: JobId::new(),
            kind: "noop".into(),
            status,
            steps: Vec::new(),
            result: None,
            failure: None,
            last_log_seq: 0,
            accepted_at: now,
            finished_at: status.is_terminal().then_some(now),
        },
        outputs: BTreeMap::new(),
        cancel_requested: false,
        failing: None,
        acknowledged_at: None,
    }
}

fn event(record: &JobRecord) -> Write {
    Write::Event { at: SystemClock.now(), event: Box::new(AgentEvent::Job(record.snapshot.clone())) }
}

fn removed(id: &str) -> Write {
    Write::Event { at: SystemClock.now(), event: Box::new(AgentEvent::ContainerRemoved { id: id.into() }) }
}

#[tokio::test]
async fn events_are_kept_until_acknowledged_and_numbers_never_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let id = journal.id();
    journal.submit(vec![removed("a"), removed("b"), removed("c")], Urgency::Soon).await.unwrap();
    let acknowledge = |seq| vec![Write::Acknowledge { seq, at: SystemClock.now() }];
    journal.submit(acknowledge(1), Urgency::Now).await.unwrap();
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(journal.id(), id);
    let seqs = |after| journal.events(after, 10).unwrap().iter().map(|e| e.seq.unwrap()).collect::<Vec<_>>();
    assert_eq!(seqs(0), [2, 3]);
    assert_eq!(seqs(2), [3]);
    assert_eq!(*journal.last_seq().borrow(), 3);
    journal.submit(acknowledge(3), Urgency::Now).await.unwrap();
    drop(journal);
    let journal = open(dir.path());
    journal.submit(vec![removed("d")], Urgency::Now).await.unwrap();
    assert_eq!(journal.events(0, 10).unwrap()[0].seq, Some(4));
}

#[tokio::test]
async fn a_newer_event_about_the_same_thing_replaces_the_older() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut record = job(JobStatus::Running);
    journal.submit(vec![event(&record), removed("a")], Urgency::Now).await.unwrap();
    record.snapshot.status = JobStatus::Succeeded;
    journal.submit(vec![Write::Job(Box::new(record.clone())), event(&record)], Urgency::Now).await.unwrap();
    let events = journal.events(0, 10).unwrap();
    assert_eq!(events.iter().map(|e| e.seq.unwrap()).collect::<Vec<_>>(), [2, 3]);
    journal.submit(vec![Write::Acknowledge { seq: 2, at: SystemClock.now() }], Urgency::Now).await.unwrap();
    assert!(journal.job(record.snapshot.id).unwrap().unwrap().acknowledged_at.is_none());
    journal.submit(vec![Write::Acknowledge { seq: 3, at: SystemClock.now() }], Urgency::Now).await.unwrap();
    assert!(journal.job(record.snapshot.id).unwrap().unwrap().acknowledged_at.is_some());
}

#[tokio::test]
async fn room_is_made_from_acknowledged_logs_first_and_never_from_results() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let (mut acknowledged, waiting) = (job(JobStatus::Succeeded), job(JobStatus::Succeeded));
    acknowledged.acknowledged_at = Some(SystemClock.now());
    let text = "x".repeat(7 * 1024);
    let lines = |first: u64| {
        let line = |seq| JobLogLine { seq, at: SystemClock.now(), step: None, text: text.clone() };
        (first..first + 100).map(line).collect::<Vec<_>>()
    };
    for record in [&acknowledged, &waiting] {
        journal.submit(vec![Write::Job(Box::new(record.clone()))], Urgency::Now).await.unwrap();
    }
    for round in 0..15 {
        for record in [&acknowledged, &waiting] {
            let write = Write::Log { job: record.snapshot.id, lines: lines(round * 100 + 1) };
            journal.submit(vec![write], Urgency::Now).await.unwrap();
        }
    }
    assert!(journal.job(waiting.snapshot.id).unwrap().is_some(), "what is not acknowledged stays");
    drop(journal);
    let size = std::fs::metadata(dir.path().join("journal.redb")).unwrap().len();
    assert!(size <= 64 * 1024 * 1024, "the journal has {size} bytes");
}

#[tokio::test]
async fn a_damaged_journal_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.redb");
    let first = open(dir.path()).id();
    std::fs::write(&path, b"this is not a journal, but it is long enough to look like something".repeat(99)).unwrap();
    let second = open(dir.path()).id();
    assert_ne!(first, second);
    let aside = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("damaged"));
    assert_eq!(aside.count(), 1);
}

#[tokio::test]
async fn one_journal_has_one_agent() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let second = RedbJournal::open(&dir.path().join("journal.redb"), &SystemClock);
    assert!(matches!(second, Err(OpenError::InUse(_))));
    drop(journal);
    open(dir.path());
}
