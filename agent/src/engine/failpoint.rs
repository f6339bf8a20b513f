//! Ends or fails the agent at a named place, once, so that tests can cut a job anywhere. Only in builds for tests.

use super::OpError;
use std::path::Path;

/// What `OCORE_FAILPOINT=NAME=kill|error` asks for.
#[derive(Clone, Default)]
pub struct Failpoints {
    #[cfg(debug_assertions)]
    armed: Option<std::sync::Arc<Armed>>,
}

#[cfg(debug_assertions)]
struct Armed {
    name: String,
    kill: bool,
    /// Made when it has struck, so that it does not strike again after a restart.
    marker: std::path::PathBuf,
}

impl Failpoints {
    /// From the environment; nothing in builds for people.
    pub fn from_env(dir: &Path) -> Self {
        #[cfg(debug_assertions)]
        if let Ok(text) = std::env::var("OCORE_FAILPOINT") {
            return Self::parse(&text, dir);
        }
        let _ = dir;
        Self::default()
    }

    #[cfg(debug_assertions)]
    pub fn parse(text: &str, dir: &Path) -> Self {
        let Some((name, action @ ("kill" | "error"))) = text.rsplit_once('=') else {
            tracing::warn!("OCORE_FAILPOINT={text} is not NAME=kill or NAME=error");
            return Self::default();
        };
        let marker = dir.join(format!("failpoint-{}", text.replace('/', "_")));
        Self { armed: Some(std::sync::Arc::new(Armed { name: name.into(), kill: action == "kill", marker })) }
    }

    /// Strike if `name` is armed: does not return (kill) or returns the error.
    #[cfg(debug_assertions)]
    pub fn hit(&self, name: &str) -> Result<(), OpError> {
        let Some(armed) = self.armed.as_ref().filter(|a| a.name == name) else { return Ok(()) };
        // Creating the marker is the claim: it succeeds once.
        if std::fs::OpenOptions::new().write(true).create_new(true).open(&armed.marker).is_err() {
            return Ok(());
        }
        tracing::warn!(name, "failpoint");
        if armed.kill {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        }
        Err(OpError::retryable("failpoint", format!("The failpoint {name} was hit.")))
    }

    #[cfg(not(debug_assertions))]
    pub fn hit(&self, _name: &str) -> Result<(), OpError> {
        Ok(())
    }
}
