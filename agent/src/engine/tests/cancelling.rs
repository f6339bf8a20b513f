//! A wish to cancel and the job itself travel separately: whichever comes first, the job does not run on.

use super::*;
use crate::journal::{Commit, JobRecord, StoredSession};
use ocore_shared::ids::JournalId;
use ocore_shared::protocol::events::EventEnvelope;
use std::sync::atomic::AtomicBool;
use tokio::sync::{oneshot, watch};

/// A journal that answers acceptances late, or wrongly though they are on disk.
struct Odd {
    journal: Arc<RedbJournal>,
    answers: watch::Sender<bool>,
    lies_once: AtomicBool,
}

impl Odd {
    fn new(journal: Arc<RedbJournal>, answers: bool, lies_once: bool) -> Arc<Self> {
        Arc::new(Self { journal, answers: watch::Sender::new(answers), lies_once: AtomicBool::new(lies_once) })
    }
}

impl JournalStore for Odd {
    fn id(&self) -> JournalId {
        self.journal.id()
    }

    fn submit(&self, writes: Vec<Write>, urgency: Urgency) -> Commit {
        let commit = self.journal.submit(writes, urgency);
        if urgency != Urgency::NowOrFail {
            return commit;
        }
        let (done, waiting) = oneshot::channel();
        let (mut answers, lies) = (self.answers.subscribe(), self.lies_once.swap(false, Ordering::SeqCst));
        tokio::spawn(async move {
            let truth = commit.await;
            let _ = answers.wait_for(|answers| *answers).await;
            done.send(if lies { Err(JournalError::Write("its answer was lost".into())) } else { truth })
        });
        Commit::new(waiting)
    }

    fn last_seq(&self) -> watch::Receiver<u64> {
        self.journal.last_seq()
    }

    fn session(&self) -> Result<StoredSession, JournalError> {
        self.journal.session()
    }

    fn job(&self, id: JobId) -> Result<Option<JobRecord>, JournalError> {
        self.journal.job(id)
    }

    fn jobs(&self) -> Result<Vec<JobRecord>, JournalError> {
        self.journal.jobs()
    }

    fn secrets(&self, job: JobId) -> Result<Option<Vec<u8>>, JournalError> {
        self.journal.secrets(job)
    }

    fn log(&self, job: JobId, after: u64, limit: usize) -> Result<Vec<JobLogLine>, JournalError> {
        self.journal.log(job, after, limit)
    }

    fn last_log_seq(&self, job: JobId) -> Result<u64, JournalError> {
        self.journal.last_log_seq(job)
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<EventEnvelope>, JournalError> {
        self.journal.events(after, limit)
    }
}

#[tokio::test]
async fn a_job_that_was_cancelled_before_it_came_is_refused_for_a_while() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start();
    assert!(life.engine.cancel(id).await.unwrap().is_none());
    let late = life.engine.accept(id, request("noop", json!({}))).await;
    assert!(matches!(late, Err(AcceptError::Cancelled(refused)) if refused == id), "{late:?}");
    assert!(life.engine.job(id).unwrap().is_none());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(601)).await;
    tokio::time::resume();
    assert!(matches!(life.engine.accept(id, request("noop", json!({}))).await, Ok(Accepted::New(_))));
    life.ended(id).await;
}

#[tokio::test]
async fn a_cancel_waits_for_the_acceptance_that_it_meets() {
    let (rig, id) = (Rig::new(), JobId::new());
    let mut odd = None;
    let life = rig.start_with(|journal| odd.insert(Odd::new(journal, false, false)).clone());
    let accept = life.engine.accept(id, request("two_steps", json!({ "hold": 99 })));
    let mut accept = std::pin::pin!(accept);
    let on_disk = async {
        while life.journal.job(id).unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        answer = &mut accept => panic!("{answer:?}"),
        on_disk = tokio::time::timeout(Duration::from_secs(20), on_disk) => on_disk.expect("in time"),
    }
    let mut cancel = std::pin::pin!(life.engine.cancel(id));
    assert!(futures::poll!(&mut cancel).is_pending(), "nobody knows yet whether there is a job");
    odd.unwrap().answers.send_replace(true);
    assert!(matches!(accept.await, Ok(Accepted::New(_))));
    assert!(cancel.await.unwrap().is_some());
    assert_eq!(life.ended(id).await.status, JobStatus::Cancelled);
}

#[tokio::test]
async fn a_job_whose_acceptance_failed_after_the_disk_had_it_is_taken_up() {
    let (rig, id) = (Rig::new(), JobId::new());
    let life = rig.start_with(|journal| Odd::new(journal, true, true));
    let mut ask = request("two_steps", json!({}));
    ask.secrets.insert("password".into(), "correct horse".into());
    let failed = life.engine.accept(id, ask.clone()).await;
    assert!(matches!(failed, Err(AcceptError::Journal(_))), "{failed:?}");
    assert!(matches!(life.engine.accept(id, ask).await, Ok(Accepted::Known(_))));
    assert_eq!(life.ended(id).await.result, Some(json!({ "made": 1, "password": 13 })));
}
