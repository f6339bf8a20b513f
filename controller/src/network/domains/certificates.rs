//! The rules of certificates.

use super::certificate::certificate_check;
use super::jobs::{certificate_ask, subject_of};
use super::model::{CertificateSource, DomainState};
use super::service::{Home, accepted, found, home, told};
use super::store;
use crate::app::App;
use crate::apps::instances::service::stays;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::network::proxies::model::ProxyMode;
use crate::network::proxies::store as proxies;
use crate::network::proxies::wish::{By, proxy_follow};
use crate::platform::http::{Accepted, Ctx, IfMatch};
use crate::platform::secrets::store::{secret_add, secret_delete};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{DomainId, InstanceId};
use ocore_shared::protocol::proxy::CertificateInfo;
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::Connection;

pub fn retry_later(at: DateTime<Utc>) -> Error {
    let at = at.format("%Y-%m-%d %H:%M UTC");
    let message = format!("The authority has issued enough for now and refuses until {at}; wait for that.");
    Error::conflict("certificate_retry_later", message)
}

/// Only oCore's own proxy shows certificates that oCore has.
fn managed(home: &Home) -> Result<()> {
    match home.mode {
        ProxyMode::Managed => Ok(()),
        ProxyMode::External => {
            let message = "Another proxy leads there, which has its own certificates; give it the certificate.";
            Err(Error::conflict("proxy_external", message))
        }
        ProxyMode::None => {
            let message = "The server has no proxy to show it. Set one first: PUT /api/servers/{id}/proxy.";
            Err(Error::conflict("proxy_missing", message))
        }
    }
}

/// Put a certificate of one's own in. It is served from then on, whatever the DNS says, and not renewed.
pub async fn domain_certificate(
    ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId, chain: &str, key: &Secret, if_match: IfMatch,
) -> Result<Accepted> {
    let home = home(ctx, app, instance).await?;
    stays(&home.instance)?;
    managed(&home)?;
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    let present = found(ctx, &mut tx, instance, id).await?;
    if_match.check(present.domain.version)?;
    let host = present.domain.host.clone();
    let read = certificate_check(&host, chain, key.expose(), app.clock.now())
        .map_err(|problem| Error::Invalid(vec![problem]))?;
    let secret = secret_add(&mut tx, organization, &app.keyring, "certificate_key", key).await?;
    let certificate = CertificateInfo {
        host,
        not_before: read.not_before,
        not_after: read.not_after,
        issuer: read.issuer,
        serial: read.serial,
    };
    let old = store::domain_upload(&mut tx, organization, id, &read.chain, secret, &certificate).await?;
    let by = By::caller(ctx);
    let job = proxy_follow(&mut tx, organization, home.instance.server_id, &by, true).await?;
    // A job that is under way has the old key already, or gets the new one.
    if let Some(old) = old {
        secret_delete(&mut tx, organization, old).await?;
    }
    let after = json!({"certificate": certificate});
    let action = "certificate.uploaded";
    audit_append(&mut tx, Some(organization), &ctx.caller, action, &subject_of(&present), None, Some(after)).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    let job = job.ok_or_else(|| Error::internal(anyhow::anyhow!("a managed proxy has no job")))?;
    let state = match present.domain.state {
        DomainState::Active => DomainState::Active,
        _ => DomainState::Issuing,
    };
    Ok(accepted(&present, state, "The certificate is being put in place.", job))
}

/// Fetch a certificate anew.
pub async fn domain_renew(ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId) -> Result<Accepted> {
    let home = home(ctx, app, instance).await?;
    stays(&home.instance)?;
    managed(&home)?;
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    let present = found(ctx, &mut tx, instance, id).await?;
    if present.domain.certificate.source == CertificateSource::Uploaded {
        let message = "The certificate was uploaded; upload the newer one.";
        return Err(Error::conflict("certificate_uploaded", message));
    }
    if !present.verified {
        return Err(Error::conflict("domain_unverified", "Verify the domain first; its certificate comes with that."));
    }
    if let Some(at) = present.domain.retry_at.filter(|at| *at > app.clock.now()) {
        return Err(retry_later(at));
    }
    let by = By::caller(ctx);
    let asked = certificate_ask(&mut tx, organization, home.instance.server_id, &present, true, &by).await?;
    let Some(job) = asked else {
        let message = "The certificate is being fetched at this moment; wait for that.";
        return Err(Error::conflict("operation_in_progress", message));
    };
    let action = "certificate.renew_requested";
    audit_append(&mut tx, Some(organization), &ctx.caller, action, &subject_of(&present), None, None).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    Ok(accepted(&present, present.domain.state, "The certificate is being fetched anew.", job))
}

/// Put a certificate of one's own away: the proxy fetches one again.
pub async fn domain_certificate_drop(
    ctx: &Ctx, app: &App, instance: InstanceId, id: DomainId, if_match: IfMatch,
) -> Result<Accepted> {
    let home = home(ctx, app, instance).await?;
    stays(&home.instance)?;
    managed(&home)?;
    let organization = ctx.organization;
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    proxies::proxy_lock(&mut tx, organization, home.instance.server_id).await?;
    let present = found(ctx, &mut tx, instance, id).await?;
    if_match.check(present.domain.version)?;
    if present.domain.certificate.source != CertificateSource::Uploaded {
        let message = "The domain has no certificate of your own; the proxy fetches and renews it.";
        return Err(Error::conflict("certificate_not_uploaded", message));
    }
    if let Some(old) = store::domain_upload_drop(&mut tx, organization, id).await? {
        secret_delete(&mut tx, organization, old).await?;
    }
    let by = By::caller(ctx);
    let job = proxy_follow(&mut tx, organization, home.instance.server_id, &by, true).await?;
    let (action, subject) = ("certificate.upload_removed", subject_of(&present));
    let before =
        json!({"issuer": present.domain.certificate.issuer, "not_after": present.domain.certificate.not_after});
    audit_append(&mut tx, Some(organization), &ctx.caller, action, &subject, Some(before), None).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, instance);
    let job = job.ok_or_else(|| Error::internal(anyhow::anyhow!("a managed proxy has no job")))?;
    Ok(accepted(&present, DomainState::Issuing, "The name is being served; its certificate follows.", job))
}
