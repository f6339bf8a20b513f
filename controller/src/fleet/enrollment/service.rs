//! Rules of enrolment.

use super::{addresses, store};
use crate::app::App;
use crate::error::{Error, Result};
use crate::fleet::connection::store as identities;
use crate::fleet::servers::model::InstallCommand;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::Actor;
use crate::platform::http::limit::network;
use crate::platform::pki::AgentName;
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::enrollment::{EnrollRequest, Identity, InstallStage, RenewRequest};
use ocore_shared::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use std::net::IpAddr;

const TOKEN_LIFE: TimeDelta = TimeDelta::hours(1);
/// More makes certificates invalid in ways that nobody understands.
const MOST_SKEW: TimeDelta = TimeDelta::minutes(5);
const LONGEST_PROBLEM: usize = 500;
/// How many wrong join tokens an address may show. A right one does not count, so that a rack of servers behind one
/// address comes in at once.
pub struct RefusalLimit {
    pub refusals: i32,
    pub window: TimeDelta,
    pub lock: TimeDelta,
}
pub const REFUSAL_LIMIT: RefusalLimit =
    RefusalLimit { refusals: 30, window: TimeDelta::minutes(15), lock: TimeDelta::minutes(15) };
/// For root, also where there is no sudo, and for whoever may use it.
const AS_ROOT: &str = "$(command -v sudo) sh";

/// Make a join token and the command around it.
pub async fn install_command_make(
    app: &App, connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<(InstallCommand, Secret)> {
    let token = token_make();
    let token_expires_at = app.clock.now() + TOKEN_LIFE;
    store::token_insert(connection, organization, server, &token_hash(token.expose()), token_expires_at).await?;
    let addresses = addresses::agents(&app.config, &app.public_urls.get());
    let pin = app.pki.pin();
    let first = addresses.first().ok_or_else(|| Error::Unprocessable {
        code: "public_url_missing",
        message: "The controller does not know its own address; set --public-url.".into(),
    })?;
    let urls: String = addresses.iter().map(|a| format!(" --url https://{a}")).collect();
    let fetch = format!("curl -fsSk --pinnedpubkey '{pin}' https://{first}/install.sh");
    let install = InstallCommand {
        command: format!("{fetch} | {AS_ROOT} -s --{urls} --pin '{pin}' --token {}", token.expose()),
        uninstall_command: format!("{fetch} | {AS_ROOT} -s -- --uninstall"),
        token_expires_at,
        addresses,
        pin,
    };
    Ok((install, token))
}

/// What the install script says on its way, with the token instead of a certificate.
#[derive(Debug, Deserialize)]
pub struct InstallReport {
    pub token: String,
    #[serde(default)]
    pub stage: Option<InstallStage>,
    /// What went wrong, in a sentence.
    #[serde(default)]
    pub problem: Option<String>,
    /// The server as which the machine is enrolled already.
    #[serde(default)]
    pub enrolled_as: Option<ServerId>,
}

/// Body of `POST /agent/enroll`.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum EnrollBody {
    Enroll(Box<EnrollRequest>),
    Report(InstallReport),
}

fn token_refused(message: &str) -> Error {
    Error::Unauthenticated { code: "token_refused", message: message.into() }
}

/// Whoever shows wrong tokens over and over waits, on every replica and across restarts.
pub async fn refusals_check(app: &App, address: Option<IpAddr>) -> Result<()> {
    let now = app.clock.now();
    let Some(until) = store::refusals_locked_until(app.db.system(), &bucket(address), now).await? else {
        return Ok(());
    };
    let retry_after = u64::try_from((until - now).num_seconds() + 1).unwrap_or(1);
    let message = format!(
        "Too many wrong join tokens came from this address; try again in {} minutes.",
        retry_after.div_ceil(60)
    );
    Err(Error::RateLimited { message, retry_after })
}

/// Count the answer when it is a refusal of the token.
pub async fn refusal_count(app: &App, address: Option<IpAddr>, error: &Error) -> Result<()> {
    if !matches!(error, Error::Unauthenticated { .. }) {
        return Ok(());
    }
    store::refusal_note(app.db.system(), &bucket(address), &REFUSAL_LIMIT, app.clock.now()).await
}

fn bucket(address: Option<IpAddr>) -> String {
    format!("enroll:{}", address.map_or_else(|| "unknown".to_owned(), |a| network(a).to_string()))
}

/// Follow an installation.
pub async fn install_report(app: &App, report: InstallReport) -> Result<()> {
    let mut tx = app.db.fleet().begin().await?;
    let token = store::token_find(&mut tx, &token_hash(&report.token))
        .await?
        .ok_or_else(|| token_refused("This join token is not known; make a new install command."))?;
    if let Some(stage) = report.stage {
        store::stage_reached(&mut tx, token.server, stage, app.clock.now()).await?;
    }
    if let Some(problem) = report.problem {
        let clean: String = problem.chars().filter(|c| !c.is_control()).take(LONGEST_PROBLEM).collect();
        store::install_problem(&mut tx, token.server, &clean).await?;
    }
    tx.commit().await?;
    app.bus.changed(token.organization, Kind::Server, token.server);
    if report.enrolled_as.is_some_and(|server| server != token.server) {
        return Err(Error::conflict("enrolled_as_another", "This machine is enrolled as another server."));
    }
    Ok(())
}

/// Make an agent's certificate. The token is used up by exactly one of any number of callers.
pub async fn agent_enroll(app: &App, request: EnrollRequest) -> Result<Identity> {
    let now = app.clock.now();
    let hash = token_hash(&request.token);
    let mut tx = app.db.fleet().begin().await?;
    let token = store::token_find(&mut tx, &hash)
        .await?
        .ok_or_else(|| token_refused("This join token is not known; make a new install command in the console."))?;
    if let Some(problem) = skew(request.clock, now) {
        store::install_problem(&mut tx, token.server, &problem).await?;
        tx.commit().await?;
        app.bus.changed(token.organization, Kind::Server, token.server);
        return Err(Error::Unprocessable { code: "clock_skew", message: problem });
    }
    if !store::token_use(&mut tx, &hash).await? {
        let why = if token.used { "was used already" } else { "has expired" };
        return Err(token_refused(&format!("This join token {why}; make a new install command in the console.")));
    }
    let life = TimeDelta::from_std(app.config.agent_certificate_life).map_err(Error::internal)?;
    let issued =
        app.pki.agent_issue(&request.csr_pem, token.organization, token.server, life, now).map_err(|error| {
            Error::field("csr_pem", "csr", format!("The certificate signing request cannot be used: {error:#}."))
        })?;
    store::identity_replace(&mut tx, token.organization, token.server, &issued).await?;
    for stage in [InstallStage::Fetched, InstallStage::Verified, InstallStage::Enrolled] {
        store::stage_reached(&mut tx, token.server, stage, now).await?;
    }
    let subject = Subject::new("server", token.server, token.server_name);
    let data = json!({"hostname": request.hostname, "os": request.os, "arch": request.arch});
    event_append(&mut tx, token.organization, "server.enrolled", &Actor::system(), &subject, data).await?;
    tx.commit().await?;
    app.tunnels.end(token.server);
    app.bus.send(Signal::EventsAppended);
    app.bus.changed(token.organization, Kind::Server, token.server);
    Ok(identity(app, token.organization, token.server, issued.certificate_pem, issued.not_after))
}

/// Replace a certificate that is still good.
pub async fn agent_renew(app: &App, name: &AgentName, request: RenewRequest) -> Result<Identity> {
    let now = app.clock.now();
    let mut tx = app.db.fleet().begin().await?;
    store::identities_lock(&mut tx, name.server).await?;
    identities::identity_check(&mut tx, name).await?;
    let life = TimeDelta::from_std(app.config.agent_certificate_life).map_err(Error::internal)?;
    let issued = app.pki.agent_issue(&request.csr_pem, name.organization, name.server, life, now).map_err(|error| {
        Error::field("csr_pem", "csr", format!("The certificate signing request cannot be used: {error:#}."))
    })?;
    store::identity_insert(&mut tx, name.organization, name.server, &issued).await?;
    tx.commit().await?;
    Ok(identity(app, name.organization, name.server, issued.certificate_pem, issued.not_after))
}

fn identity(
    app: &App, organization_id: OrganizationId, server_id: ServerId, certificate_pem: String, not_after: DateTime<Utc>,
) -> Identity {
    Identity {
        server_id,
        organization_id,
        certificate_pem,
        ca_pem: app.pki.certificate_pem().to_owned(),
        not_after,
        controllers: addresses::agents(&app.config, &app.public_urls.get()),
    }
}

/// A sentence when the agent's clock is too far from ours.
pub fn skew(theirs: DateTime<Utc>, ours: DateTime<Utc>) -> Option<String> {
    let by = theirs - ours;
    (by.abs() > MOST_SKEW).then(|| {
        let word = if by > TimeDelta::zero() { "ahead of" } else { "behind" };
        format!(
            "The server's clock is {} s {word} the controller's; set it right (timedatectl set-ntp true), then try again.",
            by.abs().num_seconds()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocore_shared::clock::{Clock, SystemClock};

    #[test]
    fn skew_is_named_with_its_direction() {
        let now = SystemClock.now();
        assert_eq!(skew(now + TimeDelta::seconds(200), now), None);
        assert!(skew(now + TimeDelta::hours(2), now).unwrap().contains("7200 s ahead of"));
        assert!(skew(now - TimeDelta::days(1), now).unwrap().contains("behind"));
    }
}
