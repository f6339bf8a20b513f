//! What is looked for. Each condition is a question to the tables that know: what holds and is not told yet, and what
//! was told and does not hold any more. Asked twice they answer the same.

pub mod store;

use super::model::{Finding, NoticeKind};
use crate::app::App;
use crate::error::Result;
use crate::signals::events::Subject;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::NoticeId;

/// A server may be away for so long before anybody is told.
pub const OFFLINE_AFTER: TimeDelta = TimeDelta::seconds(60);
/// Samples that are older say nothing of now.
pub const SAMPLE_LIFE: TimeDelta = TimeDelta::minutes(10);
pub const KEY_WARNING: TimeDelta = TimeDelta::days(7);
/// People's certificates are renewed by people, or at a restart.
pub const CERTIFICATE_WARNING: TimeDelta = TimeDelta::days(14);
/// A failed job is old news then, unless a later one of its kind has ended well before.
pub const JOB_NEWS: TimeDelta = TimeDelta::hours(24);

/// What holds and is not told yet. A controller that has just started knows of no server how long it is away.
pub async fn conditions_new(app: &App, kind: NoticeKind, up_since: DateTime<Utc>) -> Result<Vec<Finding>> {
    let (system, now) = (app.db.system(), app.clock.now());
    match kind {
        NoticeKind::ServerOffline => store::server_offline_new(system, up_since, now - OFFLINE_AFTER).await,
        NoticeKind::DiskFull => store::disk_full_new(system, now - SAMPLE_LIFE).await,
        NoticeKind::CertificateExpiring => {
            let mut found = store::certificate_expiring_new(system, now).await?;
            found.extend(people_certificate(app, now));
            found.extend(store::domain_expiring_new(system, now, now + CERTIFICATE_WARNING).await?);
            Ok(found)
        }
        NoticeKind::ApiKeyExpiring => store::api_key_expiring_new(system, now, KEY_WARNING).await,
        NoticeKind::WebhookDisabled => store::webhook_disabled_new(system).await,
        // It is no state but something that happens: read from the events.
        NoticeKind::JobFailed => Ok(Vec::new()),
    }
}

/// What was told and does not hold any more.
pub async fn conditions_over(app: &App, kind: NoticeKind) -> Result<Vec<NoticeId>> {
    let (system, now) = (app.db.system(), app.clock.now());
    match kind {
        NoticeKind::ServerOffline => store::server_offline_over(system).await,
        NoticeKind::DiskFull => store::disk_full_over(system, now - SAMPLE_LIFE).await,
        NoticeKind::CertificateExpiring => {
            let own = people_certificate(app, now).map(|finding| finding.subject.id);
            let mut over = store::certificate_expiring_over(system, now).await?;
            over.extend(store::people_certificate_over(system, app.replica, own, now).await?);
            over.extend(store::domain_expiring_over(system, now + CERTIFICATE_WARNING).await?);
            Ok(over)
        }
        NoticeKind::ApiKeyExpiring => store::api_key_expiring_over(system, now, KEY_WARNING).await,
        NoticeKind::WebhookDisabled => store::webhook_disabled_over(system).await,
        NoticeKind::JobFailed => store::job_failed_over(system, now - JOB_NEWS).await,
    }
}

/// The certificate that this replica shows to people, when it ends soon.
fn people_certificate(app: &App, now: DateTime<Utc>) -> Option<Finding> {
    let served = app.people_certificate.load_full()?;
    if served.not_after - now > CERTIFICATE_WARNING {
        return None;
    }
    let how = if app.config.tls_certificate.is_some() {
        "Put a new one where --tls-certificate and --tls-key say, and restart the controller."
    } else {
        "Restart the controller: it makes a new one then."
    };
    let message = format!(
        "The certificate of the console and the API ends on {}. {how}",
        served.not_after.format("%Y-%m-%d %H:%M UTC")
    );
    Some(Finding {
        organization: None,
        subject: Subject::new("certificate", served.id, "the console"),
        message,
        place: Default::default(),
        audience: super::model::Audience::Everybody,
    })
}
