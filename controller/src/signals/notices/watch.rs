//! The reconciler of notices: without input, it may be run at any time, by any replica, by several at once.

use super::conditions::{self, store as questions};
use super::mail::{notices_mail, readers};
use super::model::{Audience, Finding, NoticeKind};
use super::store;
use crate::app::App;
use crate::error::Result;
use crate::platform::bus::Signal;
use crate::platform::http::Actor;
use crate::platform::jobs::tasks::task_poke;
use crate::signals::events::readers::store as event_readers;
use crate::signals::events::store::event_append;
use crate::signals::events::{Event, Subject};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{NoticeId, OrganizationId, UserId};
use ocore_shared::protocol::jobs::JobFailure;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::HashMap;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(10);
const READER: &str = "notices";
const BATCH: i64 = 500;

/// Look every ten seconds.
pub async fn watch_task(app: App) {
    let up_since = app.clock.now();
    loop {
        if let Err(error) = notices_reconcile(&app, up_since).await {
            tracing::warn!(%error, "notices could not be brought up to date; it is tried again");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// One look at everything.
pub async fn notices_reconcile(app: &App, up_since: DateTime<Utc>) -> Result<()> {
    while jobs_read(app).await? {}
    for kind in NoticeKind::ALL {
        let over = conditions::conditions_over(app, kind).await?;
        clear(app, kind, &over).await?;
        let mut by_organization: HashMap<Option<OrganizationId>, Vec<Finding>> = HashMap::new();
        for finding in conditions::conditions_new(app, kind, up_since).await? {
            by_organization.entry(finding.organization).or_default().push(finding);
        }
        for (organization, findings) in by_organization {
            let readers = readers(app, organization, kind).await?;
            let mut tx = app.db.system().begin().await?;
            let raised = raise(app, &mut tx, kind, &findings).await?;
            notices_mail(app, &mut tx, kind, &readers, &raised).await?;
            tx.commit().await?;
            told(app);
        }
    }
    Ok(())
}

fn told(app: &App) {
    app.bus.send(Signal::EventsAppended);
    task_poke(app);
}

/// Write down what is not written down yet, each with its event.
async fn raise<'a>(
    app: &App, connection: &mut PgConnection, kind: NoticeKind, findings: &'a [Finding],
) -> Result<Vec<&'a Finding>> {
    let mut raised = Vec::new();
    for finding in findings {
        let Some(id) = store::notice_insert(connection, kind, finding, app.clock.now()).await? else { continue };
        if let Some(organization) = finding.organization {
            let data = data(kind, id, &finding.message);
            let actor = Actor::system();
            event_append(connection, organization, "notice.raised", &actor, &finding.subject, data).await?;
        }
        raised.push(finding);
    }
    Ok(raised)
}

fn data(kind: NoticeKind, id: NoticeId, message: &str) -> Value {
    json!({ "notice_id": id, "kind": kind, "message": message })
}

async fn clear(app: &App, kind: NoticeKind, over: &[NoticeId]) -> Result<()> {
    if over.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.system().begin().await?;
    for id in over {
        let Some(cleared) = store::notice_clear(&mut tx, *id, app.clock.now()).await? else { continue };
        if let Some(organization) = cleared.organization {
            let data = data(kind, *id, &cleared.message);
            let actor = Actor::system();
            event_append(&mut tx, organization, "notice.cleared", &actor, &cleared.subject, data).await?;
        }
    }
    tx.commit().await?;
    told(app);
    Ok(())
}

/// Read on in the events for jobs that have failed. True: there may be more.
async fn jobs_read(app: &App) -> Result<bool> {
    let mut tx = app.db.system().begin().await?;
    let Some(after) = event_readers::reader_take(&mut tx, READER).await? else { return Ok(false) };
    let events = event_readers::event_list_of_all(&mut tx, &after, BATCH).await?;
    let Some((last, _)) = events.last() else { return Ok(false) };
    let mut failed = false;
    for (_, event) in events.iter().filter(|(_, event)| event.kind == "job.failed") {
        let finding = job_failed(app, event).await?;
        let readers = readers(app, finding.organization, NoticeKind::JobFailed).await?;
        let findings = [finding];
        let raised = raise(app, &mut tx, NoticeKind::JobFailed, &findings).await?;
        notices_mail(app, &mut tx, NoticeKind::JobFailed, &readers, &raised).await?;
        failed = true;
    }
    event_readers::reader_move(&mut tx, READER, last, app.clock.now()).await?;
    tx.commit().await?;
    if failed {
        told(app);
    }
    Ok(events.len() as i64 == BATCH)
}

/// What `job.failed` tells.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FailedJob {
    subject: Option<Subject>,
    failure: Option<JobFailure>,
}

async fn job_failed(app: &App, event: &Event) -> Result<Finding> {
    let job: FailedJob = serde_json::from_value(event.data.clone()).unwrap_or_default();
    let key = (event.actor.kind == "api_key").then_some(event.actor.id);
    let (place, maker) = questions::job_place(app.db.system(), event.organization_id, event.subject.id, key).await?;
    let person = if event.actor.kind == "user" { Some(UserId(event.actor.id)) } else { maker };
    let on = job.subject.map(|subject| format!(" for the {} {}", subject.kind, subject.name)).unwrap_or_default();
    let why = job.failure.map(|failure| format!(" {}", failure.message)).unwrap_or_default();
    Ok(Finding {
        organization: Some(event.organization_id),
        subject: event.subject.clone(),
        message: format!("The job {}{on} has failed.{why}", event.subject.name),
        place,
        audience: Audience::Person(person),
    })
}
