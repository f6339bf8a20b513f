//! Docker as this agent uses it: one negotiated client, what is wrong with the engine in words, and the few calls that
//! more than one feature needs. Nothing without our label is ever changed; the guard for that is [`labels::is_managed`].

pub mod build;
pub mod cgroup;
pub mod exec;
#[cfg(test)]
pub mod fake;
pub mod image;
pub mod labels;
pub mod lines;
mod log_files;
pub mod observe;
pub mod stats;
pub mod watch;

pub use exec::{ExecOutput, ExecSpec};
pub use observe::{from_inspect, from_summary};

use crate::engine::OpError;
use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerSummary};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use ocore_shared::protocol::inventory::DockerStatus;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::Instant;

/// The oldest API that has all that is used here: Docker 20.10.
const MINIMUM_API: (usize, usize) = (1, 41);
/// Longer than the longest single answer, which is that of a stop with its 60 s of grace.
const TIMEOUT_SECONDS: u64 = 150;
const FIRST_LOOK: Duration = Duration::from_secs(3);
/// A removal that somebody else began is waited for that long.
const REMOVAL: Duration = Duration::from_secs(10);

/// A cheap handle of the engine.
#[derive(Clone)]
pub struct DockerHost(Arc<Inner>);

struct Inner {
    socket: PathBuf,
    known: Mutex<Known>,
}

/// What the last look at the engine said.
#[derive(Default)]
struct Known {
    client: Option<Docker>,
    status: DockerStatus,
    root: Option<PathBuf>,
    /// There was a look.
    looked: bool,
}

impl DockerHost {
    /// Does not connect.
    pub fn new(socket: &Path) -> Self {
        Self(Arc::new(Inner { socket: socket.to_owned(), known: Mutex::default() }))
    }

    pub fn socket(&self) -> &Path {
        &self.0.socket
    }

    /// The negotiated client, or why there is none.
    pub async fn client(&self) -> Result<Docker, OpError> {
        if let Some(client) = self.known(|k| k.client.clone()) {
            return Ok(client);
        }
        self.probe().await;
        self.known(|k| {
            k.client.clone().ok_or_else(|| {
                let problem = k.status.problem.clone().unwrap_or_else(|| "Docker does not answer.".into());
                OpError::retryable("docker_unavailable", problem)
            })
        })
    }

    /// The status as of the last look.
    pub fn status(&self) -> DockerStatus {
        self.known(|k| k.status.clone())
    }

    /// The same, but after the first look: before it, nothing is known, and that must not be told as an engine that is away.
    pub async fn status_known(&self) -> DockerStatus {
        if !self.known(|k| k.looked) {
            // An engine that hangs for so long is as good as away.
            let _ = tokio::time::timeout(FIRST_LOOK, self.probe()).await;
        }
        self.status()
    }

    /// Where the engine keeps its data.
    pub fn root(&self) -> PathBuf {
        self.known(|k| k.root.clone()).unwrap_or_else(|| "/var/lib/docker".into())
    }

    /// Look at the engine now, and connect anew.
    pub async fn probe(&self) -> DockerStatus {
        let (client, status, root) = match connect(&self.0.socket).await {
            Ok((client, status, root)) => (Some(client), status, root),
            Err(problem) => (None, DockerStatus { problem: Some(problem), ..DockerStatus::default() }, None),
        };
        self.known(|k| {
            k.client = client;
            k.status = status.clone();
            k.root = root.or(k.root.take());
            k.looked = true;
        });
        status
    }

    fn known<T>(&self, f: impl FnOnce(&mut Known) -> T) -> T {
        f(&mut self.0.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A container, or None when there is none of that name or id.
    pub async fn inspect(&self, name: &str) -> Result<Option<ContainerInspectResponse>, OpError> {
        let docker = self.client().await?;
        absent_is_none(docker.inspect_container(name, None::<InspectContainerOptions>).await)
            .map_err(|e| failed("look at a container", e))
    }

    /// All containers that carry every one of these labels (`key=value`), stopped ones too.
    pub async fn list(&self, labels: &[String]) -> Result<Vec<ContainerSummary>, OpError> {
        let filters = HashMap::from([("label", labels.iter().map(String::as_str).collect::<Vec<_>>())]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        self.client().await?.list_containers(Some(options)).await.map_err(|e| failed("list the containers", e))
    }

    /// Start it; well when it runs already.
    pub async fn start(&self, name: &str) -> Result<(), Error> {
        let docker = self.client().await.map_err(unavailable)?;
        let options = None::<bollard::query_parameters::StartContainerOptions>;
        unchanged_is_ok(docker.start_container(name, options).await)
    }

    /// SIGTERM (or the image's own signal), then SIGKILL after `seconds`. Well when it is stopped or gone already.
    pub async fn stop(&self, name: &str, seconds: i32) -> Result<(), OpError> {
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        let stopped = self.client().await?.stop_container(name, Some(options)).await;
        absent_is_none(unchanged_is_ok(stopped)).map(drop).map_err(|e| failed("stop a container", e))
    }

    /// Remove a container of ours with its nameless volumes, killing it if need be. Well when it is gone already.
    pub async fn remove(&self, name: &str) -> Result<(), OpError> {
        let give_up_at = Instant::now() + REMOVAL;
        loop {
            let Some(found) = self.inspect(name).await? else { return Ok(()) };
            labels::must_be_ours(name, found.config.as_ref().and_then(|c| c.labels.as_ref()))?;
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            let removed = self.client().await?.remove_container(name, Some(options)).await;
            match absent_is_none(removed) {
                // "removal of container … is already in progress"
                Err(e) if status_of(&e) == Some(409) && Instant::now() < give_up_at => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                other => return other.map(drop).map_err(|e| failed("remove a container", e)),
            }
        }
    }
}

async fn connect(socket: &Path) -> Result<(Docker, DockerStatus, Option<PathBuf>), String> {
    let path = socket.display();
    // Tried by ourselves first, since the kind of failure decides what a person has to do.
    if let Err(e) = UnixStream::connect(socket).await {
        return Err(match e.kind() {
            ErrorKind::NotFound => format!(
                "Docker is not installed or not running ({path} does not exist). Install it, for example with `apt-get install docker.io`, or start it with `systemctl start docker`."
            ),
            ErrorKind::ConnectionRefused => {
                format!("Docker is not running (nobody listens on {path}). Start it with `systemctl start docker`.")
            }
            ErrorKind::PermissionDenied => {
                format!("The agent may not open {path}. Run it as root, or add its user to the group `docker`.")
            }
            _ => format!("Docker does not answer on {path}: {e}."),
        });
    }
    let broken = |e: Error| format!("Docker does not answer as expected on {path}: {e}.");
    let text = socket.to_str().ok_or("The path of Docker's socket is not UTF-8.")?;
    let docker = Docker::connect_with_unix(text, TIMEOUT_SECONDS, API_DEFAULT_VERSION).map_err(broken)?;
    let docker = docker.negotiate_version().await.map_err(broken)?;
    let version = docker.version().await.map_err(broken)?;
    let info = docker.info().await.map_err(broken)?;
    let engine = version.version.unwrap_or_default();
    let api = docker.client_version();
    if (api.major_version, api.minor_version) < MINIMUM_API {
        return Err(format!("Docker {engine} (API {api}) is too old; Docker 20.10 (API 1.41) or newer is needed."));
    }
    let status = DockerStatus {
        available: true,
        version: Some(engine),
        api_version: version.api_version,
        storage_driver: info.driver,
        problem: None,
    };
    Ok((docker, status, info.docker_root_dir.map(PathBuf::from)))
}

/// The HTTP status of the engine's refusal.
pub fn status_of(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// 404 as None.
pub fn absent_is_none<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(e) if status_of(&e) == Some(404) => Ok(None),
        Err(e) => Err(e),
    }
}

fn unchanged_is_ok(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(e) if status_of(&e) == Some(304) => Ok(()),
        other => other,
    }
}

/// The engine's own words, without the client's wrapping.
pub fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}

/// A failure that has no better name.
pub fn failed(what: &str, error: Error) -> OpError {
    let retryable = !matches!(status_of(&error), Some(400..=499));
    let message = format!("Docker could not {what}: {}.", words(&error).trim_end_matches('.'));
    OpError { code: "docker_failed".into(), message, retryable }
}

fn unavailable(error: OpError) -> Error {
    Error::DockerStreamError { error: error.message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_absent_or_deaf_socket_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let status = DockerHost::new(&socket).probe().await;
        assert!(!status.available);
        assert!(status.problem.unwrap().contains("not installed or not running"));

        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let host = DockerHost::new(&socket);
        assert!(host.probe().await.problem.unwrap().contains("nobody listens"));
        assert_eq!(host.client().await.unwrap_err().code, "docker_unavailable");
    }

    #[tokio::test]
    async fn nothing_is_told_of_an_engine_before_the_first_look() {
        let host = DockerHost::new(Path::new("/nowhere/docker.sock"));
        assert_eq!(host.status(), DockerStatus::default());
        assert!(host.status_known().await.problem.unwrap().contains("not installed or not running"));
        // The next one is the watch's affair.
        host.known(|k| k.status.problem = Some("as of the last look".into()));
        assert_eq!(host.status_known().await.problem.unwrap(), "as of the last look");
    }
}
