//! A new certificate at two thirds of the old one's life, over plain HTTPS: it works while the tunnel does not.

use crate::config::Config;
use crate::identity::{IdentityStore, NewKey, StoredIdentity};
use crate::tls::{self, DialError};
use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use ocore_shared::clock::Clock;
use ocore_shared::protocol::enrollment::{Identity, RenewRequest};
use rand::RngExt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Until the agent stops. Looks once an hour at most, so that a clock that jumps is noticed.
pub async fn run(identity: IdentityStore, config: Arc<Config>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    // Agents that enrolled together do not renew together.
    let jitter = rand::rng().random_range(0.0..0.05);
    loop {
        let wait = match due_in(&identity.get(), clock.now(), jitter) {
            Some(wait) => wait.min(HOUR),
            None => {
                let renewed = renew(&identity, &config, clock.as_ref()).await;
                let until = identity.get().not_after;
                match renewed {
                    Ok(()) if due_in(&identity.get(), clock.now(), jitter).is_some() => continue,
                    Ok(()) => {
                        tracing::warn!(%until, "this server's clock is ahead of the controller's: set it");
                        HOUR
                    }
                    Err(error) => {
                        tracing::warn!(error = format!("{error:#}"), %until, "certificate not renewed");
                        HOUR.mul_f64(rand::rng().random_range(0.9..1.1))
                    }
                }
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// How long until the certificate is renewed; None when it is time. One that was issued this moment may be over already
/// by a wrong clock.
fn due_in(identity: &StoredIdentity, now: DateTime<Utc>, jitter: f64) -> Option<Duration> {
    let life = (identity.not_after - identity.issued_at).to_std().unwrap_or_default();
    let wait = (identity.renew_at() + life.mul_f64(jitter) - now).to_std().ok()?;
    (!wait.is_zero()).then_some(wait)
}

/// Ask each controller in turn.
pub async fn renew(identity: &IdentityStore, config: &Config, clock: &dyn Clock) -> anyhow::Result<()> {
    let current = identity.get();
    let key = NewKey::generate()?;
    let configured = &config.settings.controllers;
    let controllers = if configured.is_empty() { &current.controllers } else { configured };
    let mut last = anyhow!("no controller is known");
    for controller in controllers {
        let asked = tokio::time::timeout(TIMEOUT, ask(controller, &current, &key)).await;
        match asked.map_err(|_| anyhow!("{controller} did not answer in time")).flatten() {
            Ok(issued) => {
                let renewed = StoredIdentity::new(issued, &key, clock.now());
                // Not stored unless it can be used: the old certificate still has a third of its life.
                tls::identity_config(&renewed)?;
                tracing::info!(until = %renewed.not_after, "certificate renewed");
                return Ok(identity.replace(renewed)?);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn ask(controller: &str, current: &StoredIdentity, key: &NewKey) -> anyhow::Result<Identity> {
    let stream = tls::connect(controller, tls::identity_config(current)?).await?;
    let request = RenewRequest { csr_pem: key.csr_pem.clone() };
    let answer = tls::post_json(stream, controller, "/agent/renew", &request).await?;
    if !answer.status.is_success() {
        let said = tls::controller_error(&answer.body).map(|(_, message)| message);
        return Err(anyhow!(said.unwrap_or_else(|| format!("the controller answered {}", answer.status))));
    }
    let unexpected = || DialError::Http(controller.into(), "its answer is no certificate".into());
    serde_json::from_slice(&answer.body).with_context(unexpected)
}
