//! What jobs mean for domains. Everything here may be called at any time: it does
//! what is missing, and nothing twice.

use super::follow::{instance_follow, zone_follow};
use super::model::{CertificateSource, DomainState};
use super::store::{self, Stored};
use crate::error::Result;
use crate::network::proxies::model::ProxyMode;
use crate::network::proxies::store as proxies;
use crate::network::proxies::wish::{By, proxy_follow, server_job};
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::Actor;
use crate::platform::jobs::model::Reported;
use crate::platform::jobs::{NewJob, store as jobs};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use ocore_shared::ids::{DomainId, InstanceId, JobId, OrganizationId, ServerId};
use ocore_shared::protocol::jobs::{JobFailure, JobSnapshot, JobStatus};
use ocore_shared::protocol::proxy::{CertificateInfo, CertificateIssue};
use serde_json::json;
use sqlx::PgConnection;

/// An authority takes its time.
const ISSUE_SECONDS: i64 = 600;
/// How an agent refuses a name that its proxy does not know.
const NOT_SERVED: &str = "domain_not_served";
/// An authority that does not say when it is to be asked again.
const RATE_LIMITED: TimeDelta = TimeDelta::hours(1);

pub fn subject_of(stored: &Stored) -> Subject {
    Subject::new("domain", stored.domain.id.0, &stored.domain.host)
}

fn changed(organization: OrganizationId, instance: InstanceId) -> [Signal; 2] {
    [Signal::EventsAppended, Signal::Changed { organization, kind: Kind::Instance, id: instance.0 }]
}

/// A proxy serves what it was told: names with a certificate are reached now, others get theirs.
pub async fn certificates_ask(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, by: &By,
) -> Result<Vec<Signal>> {
    let mut signals = Vec::new();
    for stored in store::domain_list_issuing(connection, organization, server).await? {
        if stored.domain.certificate.source == CertificateSource::Acme {
            certificate_ask(connection, organization, server, &stored, false, by).await?;
            continue;
        }
        // Uploaded: there is nothing to fetch.
        if let Some(certificate) = certificate_of(&stored) {
            signals.extend(certified(connection, organization, &stored, &certificate, &by.actor).await?);
        }
    }
    Ok(signals)
}

fn certificate_of(stored: &Stored) -> Option<CertificateInfo> {
    let shown = &stored.domain.certificate;
    Some(CertificateInfo {
        host: stored.domain.host.clone(),
        not_before: shown.not_before?,
        not_after: shown.not_after?,
        issuer: shown.issuer.clone()?,
        serial: shown.serial.clone()?,
    })
}

/// Enqueue the job that fetches a certificate, unless one is under way.
pub async fn certificate_ask(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, stored: &Stored, renew: bool,
    by: &By,
) -> Result<Option<JobId>> {
    if store::certificate_is_asked(connection, organization, stored.domain.id).await? {
        return Ok(None);
    }
    let job = server_job(organization, server, "certificate_issue", subject_of(stored), ISSUE_SECONDS, by);
    let job = NewJob { input: json!(CertificateIssue { host: stored.domain.host.clone(), renew }), ..job };
    jobs::job_enqueue_later(connection, &job, false).await?;
    Ok(Some(job.id))
}

/// `certificate_issue` ended.
pub async fn certificate_issue_effect(
    connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot,
) -> Result<Vec<Signal>> {
    if !snapshot.status.is_terminal() {
        return Ok(Vec::new());
    }
    let organization = job.organization;
    let Some(stored) = store::domain_lock(connection, organization, DomainId(job.subject.id)).await? else {
        return Ok(Vec::new());
    };
    let certificate: Option<CertificateInfo> = snapshot.result.clone().and_then(|r| serde_json::from_value(r).ok());
    if stored.domain.certificate.source != CertificateSource::Acme {
        // A person was faster, and their certificate is the one that is shown.
        return Ok(Vec::new());
    }
    if let Some(certificate) = certificate.filter(|_| snapshot.status == JobStatus::Succeeded) {
        return certified(connection, organization, &stored, &certificate, &job.created_by).await;
    }
    if snapshot.failure.as_ref().is_some_and(|failure| failure.code == NOT_SERVED)
        && let Some(server) = job.server
        && proxies::proxy_is_busy(connection, organization, server).await?
    {
        // It came before the proxy was told of the name; when that has been done it is asked for again.
        return Ok(changed(organization, stored.domain.instance_id).into());
    }
    let now = snapshot.finished_at.unwrap_or(snapshot.accepted_at);
    let (reason, retry_at) = match (&snapshot.failure, snapshot.status) {
        (Some(failure), _) => (failure.message.clone(), retry_at(failure, now)),
        (None, JobStatus::Cancelled) => ("It was cancelled; verify the domain to go on.".to_owned(), None),
        (None, _) => ("The proxy did not say what it has got; verify the domain again.".to_owned(), None),
    };
    store::domain_failed(connection, organization, stored.domain.id, &reason, retry_at, now).await?;
    let data =
        json!({"instance_id": stored.domain.instance_id, "job_id": job.id, "reason": reason, "retry_at": retry_at});
    event_append(connection, organization, "certificate.failed", &job.created_by, &subject_of(&stored), data).await?;
    Ok(changed(organization, stored.domain.instance_id).into())
}

/// A name has a certificate, or another one: its instance is made for it.
pub async fn certified(
    connection: &mut PgConnection, organization: OrganizationId, stored: &Stored, certificate: &CertificateInfo,
    actor: &Actor,
) -> Result<Vec<Signal>> {
    let domain = &stored.domain;
    store::domain_certified(connection, organization, domain.id, certificate).await?;
    let again = domain.certificate.serial.is_some() && domain.state == DomainState::Active;
    if domain.state != DomainState::Active || domain.certificate.serial.as_deref() != Some(&certificate.serial) {
        let kind = if again { "certificate.renewed" } else { "certificate.issued" };
        let data = json!({"instance_id": domain.instance_id, "not_after": certificate.not_after,
            "issuer": certificate.issuer});
        event_append(connection, organization, kind, actor, &subject_of(stored), data).await?;
    }
    instance_follow(connection, organization, domain.instance_id, &By::actor(actor)).await?;
    Ok(changed(organization, domain.instance_id).into())
}

/// When an authority that has enough of us may be asked again. Let's Encrypt says it in its sentence: `retry after
/// 2026-01-31 12:00:00 UTC`.
fn retry_at(failure: &JobFailure, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let message = failure.message.to_lowercase();
    if !failure.code.contains("rate_limit") && !message.contains("ratelimited") && !message.contains("rate limit") {
        return None;
    }
    let said = message.split("retry after ").nth(1).and_then(|rest| {
        let text = rest.get(..19)?.replace('t', " ");
        NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok()
    });
    Some(said.map_or(now + RATE_LIMITED, |at| at.and_utc()))
}

/// The proxy could not be brought to serve these names.
pub async fn sites_stuck(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, why: &str,
) -> Result<()> {
    let reason = format!("The server's proxy could not be set up: {why}");
    store::domain_stuck(connection, organization, server, &reason).await
}

/// A server's proxy is of another kind from now on.
pub async fn domains_follow_mode(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, mode: ProxyMode,
) -> Result<()> {
    store::domain_mode_changed(connection, organization, server, mode).await
}

/// Whoever changes a proxy, domains and an instance takes them in this order; so it is taken before the instance's row.
pub async fn proxy_hold(connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot) -> Result<()> {
    if let (true, Some(server)) = (snapshot.status.is_terminal(), job.server) {
        proxies::proxy_lock(connection, job.organization, server).await?;
    }
    Ok(())
}

/// Any job on an instance ended: what its domains want is looked at again, and so is the proxy, which one that is gone has
/// to leave.
pub async fn instance_jobs_effect(
    connection: &mut PgConnection, job: &Reported, snapshot: &JobSnapshot,
) -> Result<Vec<Signal>> {
    let (true, Some(server)) = (snapshot.status.is_terminal(), job.server) else { return Ok(Vec::new()) };
    let organization = job.organization;
    let Some(proxy) = proxies::proxy_get(connection, organization, server).await? else { return Ok(Vec::new()) };
    let by = By::actor(&job.created_by);
    let well = snapshot.status == JobStatus::Succeeded;
    if let Some(instance) = job.instance {
        let zone = proxy.zone.as_deref().filter(|_| proxy.mode != ProxyMode::None);
        if well && job.kind == "instance_provision" && zone.is_some() {
            zone_follow(connection, organization, server, Some(instance), zone, &by).await?;
        }
        instance_follow(connection, organization, instance, &by).await?;
    }
    proxy_follow(connection, organization, server, &by, false).await?;
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000, 0).unwrap()
    }

    #[test]
    fn an_authority_says_when_to_come_again() {
        let now = moment();
        let failure =
            |code: &str, message: &str| JobFailure { code: code.into(), message: message.into(), retryable: true };
        let said = "too many certificates already issued, retry after 2031-02-03 04:05:06 UTC: see the limits";
        let at = retry_at(&failure("acme_rate_limited", said), now).unwrap();
        assert_eq!(at.to_rfc3339(), "2031-02-03T04:05:06+00:00");
        assert_eq!(retry_at(&failure("acme_rate_limited", "Too many."), now), Some(now + RATE_LIMITED));
        assert!(retry_at(&failure("acme_failed", "urn:ietf:params:acme:error:rateLimited: wait"), now).is_some());
        assert_eq!(retry_at(&failure("acme_failed", "No such name."), now), None);
    }
}
