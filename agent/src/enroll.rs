//! `ocore-agent enroll`: a key made here, a certificate from the controller, and the binary put where the launcher
//! finds it. Can be run again: an enrolled server stays as it is unless forced.

use crate::config::{Config, write_atomically};
use crate::host::facts;
use crate::identity::{IdentityError, IdentityStore, NewKey, StoredIdentity};
use crate::ops::uninstall;
use crate::tls::{self, Answer, DialError, PinVerifier};
use chrono::{DateTime, TimeDelta};
use ocore_shared::clock::Clock;
use ocore_shared::protocol::enrollment::{EnrollRequest, Identity};
use ocore_shared::secret::Secret;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::path::Path;
use std::time::Duration;
use tokio_rustls::TlsConnector;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Certificates are not valid for a clock that is further off.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);

const SETTINGS: &str = "\
# Settings of the oCore agent on this server. Only root changes them; the controller cannot.

# Docker's socket, when it is not at its usual place:
# docker_socket = \"/var/run/docker.sock\"

# Addresses of the controller that replace those which it announces:
# controllers = [\"ocore.example.com:8443\"]

# First and last host port of those that instances are given:
# instance_ports = [20000, 29999]
";

pub struct Enroll {
    /// `https://HOST:8443`.
    pub url: String,
    /// `sha256//BASE64` of the agents' port's public key.
    pub pin: String,
    pub token: Secret,
    /// Replace a valid identity.
    pub force: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    #[error("{0} is not an address of the form https://HOST:PORT")]
    Url(String),
    #[error("{0} is not a pin of the form sha256//BASE64; copy the whole install command")]
    Pin(String),
    #[error(
        "{0} has another key than the install command names: either the command is for another controller, or someone \
         is between this server and the controller. Nothing was sent; get a new command from the console"
    )]
    PinMismatch(String),
    #[error("{address} did not answer within {} s; is the controller running, and does a firewall allow this port?", TIMEOUT.as_secs())]
    Timeout { address: String },
    #[error("{message}{}", skew.as_ref().map(|s| format!(" {s}")).unwrap_or_default())]
    Refused { message: String, skew: Option<String> },
    #[error("the controller's answer holds no usable certificate: {0}")]
    NoCertificate(String),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("{0} cannot be written: {1}; run this as root")]
    Unwritable(String, std::io::Error),
}

/// Enrol this server. The answer is what to tell the person.
pub async fn enroll(config: &Config, request: Enroll, clock: &dyn Clock) -> Result<String, EnrollError> {
    if !request.force
        && let Ok(store) = IdentityStore::load(config)
        && store.get().not_after > clock.now()
        && !uninstall::marker(config).exists()
    {
        install(config)?;
        let identity = store.get();
        return Ok(format!(
            "This server is enrolled already, as {}; its certificate is valid until {}. Use --force to enrol it anew.",
            identity.server_id, identity.not_after
        ));
    }
    prepare(config)?;
    let key = NewKey::generate()?;
    let address = address_of(&request.url)?;
    let answer = ask(&address, &request, &key, clock).await?;
    let skew = skew(answer.date.as_deref(), clock);
    if !answer.status.is_success() {
        let said = tls::controller_error(&answer.body).map(|(_, message)| message);
        let message = said.unwrap_or_else(|| format!("{address} answered {} to the enrolment.", answer.status));
        return Err(EnrollError::Refused { message, skew });
    }
    let issued: Identity =
        serde_json::from_slice(&answer.body).map_err(|e| EnrollError::NoCertificate(e.to_string()))?;
    let mut identity = StoredIdentity::new(issued, &key, clock.now());
    tls::identity_config(&identity).map_err(|e| EnrollError::NoCertificate(e.to_string()))?;
    if identity.controllers.is_empty() {
        identity.controllers.push(address);
    }
    let (server, until) = (identity.server_id, identity.not_after);
    if !IdentityStore::load(config).is_ok_and(|before| is_same_server(&before.get(), &identity)) {
        put_journal_aside(config, clock)?;
    }
    IdentityStore::create(config, identity)?;
    let _ = std::fs::remove_file(uninstall::marker(config));
    install(config)?;
    let warning = skew.map(|s| format!("\nWarning: {s}")).unwrap_or_default();
    Ok(format!("This server is enrolled as {server}; its certificate is valid until {until}.{warning}"))
}

async fn ask(address: &str, request: &Enroll, key: &NewKey, clock: &dyn Clock) -> Result<Answer, EnrollError> {
    let pin = PinVerifier::parse(&request.pin).ok_or_else(|| EnrollError::Pin(request.pin.clone()))?;
    let tls = pin.config().map_err(|e| DialError::Identity(e.to_string()))?;
    let exchange = async {
        let stream = tls::dial(address).await?;
        // Not checked: the pin is all that counts, so that any address may be dialled.
        let name = ServerName::try_from(ocore_shared::protocol::CONTROLLER_SERVER_NAME)
            .map_err(|e| DialError::Address(e.to_string()))?;
        let stream = TlsConnector::from(tls).connect(name, stream).await.map_err(|e| match pin.saw_other_key() {
            true => EnrollError::PinMismatch(address.into()),
            false => EnrollError::Dial(DialError::Tls(address.into(), e)),
        })?;
        let body = EnrollRequest {
            token: request.token.expose().into(),
            csr_pem: key.csr_pem.clone(),
            hostname: facts::hostname(),
            agent_version: facts::AGENT_VERSION.into(),
            arch: std::env::consts::ARCH.into(),
            os: facts::os_name(),
            clock: clock.now(),
        };
        Ok(tls::post_json(stream, address, "/agent/enroll", &body).await?)
    };
    let late = |_| EnrollError::Timeout { address: address.into() };
    tokio::time::timeout(TIMEOUT, exchange).await.map_err(late)?
}

fn address_of(url: &str) -> Result<String, EnrollError> {
    let bad = || EnrollError::Url(url.into());
    let uri: http::Uri = url.parse().map_err(|_| bad())?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("https")).ok_or_else(bad)?;
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(443)))
}

/// A sentence when this server's clock and the controller's are too far apart.
fn skew(date: Option<&str>, clock: &dyn Clock) -> Option<String> {
    let theirs = DateTime::parse_from_rfc2822(date?).ok()?;
    let off = clock.now().signed_duration_since(theirs);
    if off.abs() <= MAX_SKEW {
        return None;
    }
    let direction = if off > TimeDelta::zero() { "ahead of" } else { "behind" };
    Some(format!(
        "This server's clock is {} minutes {direction} the controller's: set it (timedatectl set-ntp true), or \
         certificates will not be valid here.",
        off.num_minutes().abs()
    ))
}

/// Whether both stand for one server at one controller. During a rotation the former authority is named beside the new.
fn is_same_server(before: &StoredIdentity, now: &StoredIdentity) -> bool {
    let authorities = |identity: &StoredIdentity| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(identity.ca_pem.as_bytes()).flatten().collect()
    };
    let known = authorities(before);
    before.server_id == now.server_id && authorities(now).iter().any(|authority| known.contains(authority))
}

/// What another server's journal holds is that one's: its jobs, its reports, and whom it obeyed last.
fn put_journal_aside(config: &Config, clock: &dyn Clock) -> Result<(), EnrollError> {
    let path = config.journal_path();
    let aside = path.with_extension(format!("redb.former-{}", clock.now().format("%Y%m%dT%H%M%SZ")));
    match std::fs::rename(&path, &aside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(unwritable(&path)(e)),
        _ => Ok(()),
    }
}

fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> EnrollError + '_ {
    move |error| EnrollError::Unwritable(path.display().to_string(), error)
}

/// Directories and settings; also finds out whether they can be written before the token is spent.
fn prepare(config: &Config) -> Result<(), EnrollError> {
    for directory in [&config.config_dir, &config.dir, &config.instances_dir(), &config.spool_dir()] {
        std::fs::create_dir_all(directory).map_err(unwritable(directory))?;
    }
    let identity = config.identity_dir();
    crate::config::create_private_dir(&identity).map_err(unwritable(&identity))?;
    let settings = config.settings_path();
    if !settings.exists() {
        write_atomically(&settings, SETTINGS.as_bytes(), 0o644).map_err(unwritable(&settings))?;
    }
    Ok(())
}

/// Put the running binary into `releases/<version>/` and point `current` at it.
fn install(config: &Config) -> Result<(), EnrollError> {
    let directory = config.release_dir(facts::AGENT_VERSION);
    let binary = directory.join("ocore-agent");
    let link = config.current_link();
    let installed = || -> std::io::Result<()> {
        std::fs::create_dir_all(&directory)?;
        let running = std::env::current_exe()?;
        if running.canonicalize().ok() != binary.canonicalize().ok() {
            write_atomically(&binary, &std::fs::read(running)?, 0o755)?;
        }
        let temporary = config.dir.join(format!(".current.{}", uuid::Uuid::now_v7()));
        std::os::unix::fs::symlink(Path::new("releases").join(facts::AGENT_VERSION), &temporary)?;
        std::fs::rename(&temporary, &link)
    };
    installed().map_err(unwritable(&directory))
}

#[cfg(test)]
mod tests;
