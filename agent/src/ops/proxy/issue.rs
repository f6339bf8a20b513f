//! `certificate_issue`: have the certificate of a name, or another one. The proxy does it by itself; here it is waited for,
//! and what the authority says is told.

use super::apply::{calmly, reload};
use super::certificates::{certificate_shown, refusals};
use super::files::{CONFIG, inside};
use super::{CONTAINER, files};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::ExecSpec;
use ocore_shared::protocol::proxy::{CertificateInfo, CertificateIssue, SiteCertificate};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(300);
/// Where Caddy keeps what it was given.
const STORE: &str = "/data/caddy/certificates";

pub async fn certificate_issue(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let wish: CertificateIssue = ctx.input()?;
    ctx.plan(&[("ask", "Ask for the certificate"), ("wait", "Wait for the certificate")]).await?;
    let served = host.proxy.wish();
    let port = served.as_ref().map(|w| w.https_port).unwrap_or_default();
    let site = served.and_then(|w| w.sites.into_iter().find(|site| site.host == wish.host));
    if site.is_none_or(|site| site.certificate != SiteCertificate::Acme) {
        return Err(OpError::new(
            "domain_not_served",
            format!("The proxy of this server does not fetch a certificate for {}.", wish.host),
        ));
    }
    let issue = Issue { host: &host, ctx: &ctx, name: &wish.host, port };
    // The serial number of the one that is to be replaced, and since when refusals count.
    let asked: Asked = ctx.step("ask", issue.ask(wish.renew)).await?;
    let outcome = ctx.step("wait", crate::ops::odoo::unless_cancelled(&ctx, issue.wait(&asked))).await;
    if outcome.is_err() && asked.before.is_some() {
        issue.put_back().await;
    }
    let certificate: CertificateInfo = outcome?;
    serde_json::to_value(certificate)
        .map_err(|e| OpError::new("internal", format!("The result cannot be written: {e}.")))
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Asked {
    before: Option<String>,
    since: i64,
}

struct Issue<'a> {
    host: &'a Host,
    ctx: &'a JobContext,
    name: &'a str,
    port: u16,
}

impl Issue<'_> {
    /// Have Caddy ask: for a new one it has to find none in its store. The old one is kept beside until then.
    async fn ask(&self, renew: bool) -> Result<Asked, OpError> {
        let since = self.ctx.clock().now().timestamp();
        let shown = certificate_shown(self.port, self.name).await;
        let mut before = None;
        if renew && let Some(shown) = shown {
            before = Some(shown.serial);
            for place in self.places("").await? {
                self.run(&["rm", "-rf", &format!("{place}.before")]).await?;
                self.run(&["mv", &place, &format!("{place}.before")]).await?;
            }
        }
        // One that was refused before is asked for again at once, and not when Caddy's own pause is over.
        if before.is_some() || refusals(self.host, 0).await?.contains_key(self.name) {
            let _held = self.host.proxy_lock.lock().await;
            calmly(self.host, reload(self.host, &inside(CONFIG), true)).await?;
        }
        Ok(Asked { before, since })
    }

    async fn wait(&self, asked: &Asked) -> Result<CertificateInfo, OpError> {
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            if let Some(shown) = certificate_shown(self.port, self.name).await
                && asked.before.as_ref() != Some(&shown.serial)
            {
                for place in self.places(".before").await? {
                    self.run(&["rm", "-rf", &place]).await?;
                }
                return Ok(shown);
            }
            if let Some(said) = refusals(self.host, asked.since).await?.remove(self.name) {
                return Err(refused(self.name, &said));
            }
            if Instant::now() > give_up_at {
                let message = format!(
                    "The authority has not given a certificate for {} within {} s.",
                    self.name,
                    PATIENCE.as_secs()
                );
                return Err(OpError::retryable("acme_failed", message));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The one before serves on.
    async fn put_back(&self) {
        let back = async {
            for place in self.places(".before").await? {
                let now = place.trim_end_matches(".before").to_owned();
                self.run(&["rm", "-rf", &now]).await?;
                self.run(&["mv", &place, &now]).await?;
            }
            let _held = self.host.proxy_lock.lock().await;
            calmly(self.host, reload(self.host, &inside(files::CONFIG), true)).await
        };
        if let Err(error) = back.await {
            self.ctx.log(format!("The certificate before could not be put back: {error}"));
        }
    }

    /// Where the certificate of the name is kept: below a directory of each authority.
    async fn places(&self, suffix: &str) -> Result<Vec<String>, OpError> {
        let name = format!("{}{suffix}", self.name);
        let text = self.run(&["find", STORE, "-type", "d", "-name", &name]).await.unwrap_or_default();
        Ok(text.lines().map(str::to_owned).collect())
    }

    async fn run(&self, argv: &[&str]) -> Result<String, OpError> {
        let output = self.host.docker.exec(CONTAINER, ExecSpec::new(argv.iter().copied()), b"").await?;
        if output.code == 0 {
            return Ok(output.stdout);
        }
        Err(OpError::new("proxy_failed", format!("The proxy's files could not be changed: {}", output.stderr.trim())))
    }
}

/// What an authority's refusal means for who wants the certificate.
fn refused(name: &str, said: &str) -> OpError {
    let low = said.to_lowercase();
    let short: String = said.chars().take(300).collect();
    if low.contains("ratelimited") || low.contains("too many") {
        return OpError::retryable(
            "acme_rate_limited",
            format!("The authority refuses another certificate for {name} for now: {short}"),
        );
    }
    if ["unauthorized", "connection", "dns", "challenge", "incorrectresponse", "caa"]
        .iter()
        .any(|word| low.contains(word))
    {
        return OpError::new(
            "acme_challenge_failed",
            format!("The authority could not see that {name} leads to this server (it asks on port 80): {short}"),
        );
    }
    OpError::retryable("acme_failed", format!("The authority gave no certificate for {name}: {short}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_an_authority_have_a_name() {
        let code = |said: &str| refused("x", said).code;
        assert_eq!(
            code("HTTP 429 urn:ietf:params:acme:error:rateLimited - too many certificates"),
            "acme_rate_limited"
        );
        assert_eq!(code("HTTP 403 urn:ietf:params:acme:error:unauthorized - wrong content"), "acme_challenge_failed");
        assert_eq!(code("HTTP 400 urn:ietf:params:acme:error:connection - refused"), "acme_challenge_failed");
        assert_eq!(code("HTTP 500 urn:ietf:params:acme:error:serverInternal"), "acme_failed");
    }
}
