//! Where things are on this server, and the few settings that root may change in `agent.toml`.

use crate::host::ports;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

pub const DEFAULT_DIR: &str = "/var/lib/ocore-agent";
pub const DEFAULT_CONFIG_DIR: &str = "/etc/ocore-agent";

/// The settings of `agent.toml`. Root's: the controller cannot write it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Docker's socket, when it is not at its usual place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_socket: Option<PathBuf>,
    /// `host:port` addresses of the agents' port that replace those which the controller announces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<String>,
    /// First and last host port of those that instances are given; 20000 to 29999 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_ports: Option<(u16, u16)>,
}

/// Directories and settings of one agent.
#[derive(Clone, Debug)]
pub struct Config {
    pub dir: PathBuf,
    pub config_dir: PathBuf,
    pub settings: Settings,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    #[error("{0} is not valid: {1}")]
    Invalid(PathBuf, Box<toml::de::Error>),
    #[error("{0} is not valid: instance_ports is [first, last] with 1024 or more first and nothing smaller last")]
    InstancePorts(PathBuf),
}

impl Config {
    /// Read `agent.toml`; a missing one means defaults.
    pub fn load(dir: impl Into<PathBuf>, config_dir: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let (dir, config_dir) = (dir.into(), config_dir.into());
        let path = config_dir.join("agent.toml");
        let settings = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|e| ConfigError::Invalid(path.clone(), Box::new(e)))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Settings::default(),
            Err(e) => return Err(ConfigError::Unreadable(path, e)),
        };
        if settings.instance_ports.is_some_and(|(first, last): (u16, u16)| first < 1024 || last < first) {
            return Err(ConfigError::InstancePorts(path));
        }
        Ok(Self { dir, config_dir, settings })
    }

    pub fn settings_path(&self) -> PathBuf {
        self.config_dir.join("agent.toml")
    }

    pub fn docker_socket(&self) -> PathBuf {
        self.settings.docker_socket.clone().unwrap_or_else(|| "/var/run/docker.sock".into())
    }

    /// Host ports for instances that wish none.
    pub fn instance_ports(&self) -> RangeInclusive<u16> {
        self.settings.instance_ports.map_or(ports::RANGE, |(first, last)| first..=last)
    }

    pub fn identity_dir(&self) -> PathBuf {
        self.dir.join("identity")
    }

    pub fn journal_path(&self) -> PathBuf {
        self.dir.join("journal.redb")
    }

    /// One directory per instance: configuration that containers mount.
    pub fn instances_dir(&self) -> PathBuf {
        self.dir.join("instances")
    }

    pub fn proxy_dir(&self) -> PathBuf {
        self.dir.join("proxy")
    }

    /// Large temporary files.
    pub fn spool_dir(&self) -> PathBuf {
        self.dir.join("spool")
    }

    /// Records of files on their way in.
    pub fn uploads_dir(&self) -> PathBuf {
        self.dir.join("uploads")
    }

    /// What `ocore-agent status` prints.
    pub fn status_path(&self) -> PathBuf {
        self.dir.join("status.json")
    }

    pub fn release_dir(&self, version: &str) -> PathBuf {
        self.dir.join("releases").join(version)
    }

    /// Symbolic link to the release that the launcher starts.
    pub fn current_link(&self) -> PathBuf {
        self.dir.join("current")
    }
}

/// Write a file so that after a power cut either the old or the new content is there: temporary file, fsync, rename,
/// fsync of the directory.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let parent = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = parent.join(format!(".{name}.{}", uuid::Uuid::now_v7()));
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        std::fs::File::open(parent)?.sync_all()
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Make a directory, with its parents, that only its owner enters.
pub fn create_private_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_atomic_write_replaces_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_atomically(&path, b"one", 0o600).unwrap();
        write_atomically(&path, b"two", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn settings_are_optional_and_typos_are_named() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Config::load("/d", dir.path()).unwrap().settings, Settings::default());
        std::fs::write(dir.path().join("agent.toml"), "docker_socket = '/run/docker.sock'\n").unwrap();
        let config = Config::load("/d", dir.path()).unwrap();
        assert_eq!(config.settings.docker_socket, Some("/run/docker.sock".into()));
        std::fs::write(dir.path().join("agent.toml"), "docker_sockt = 1\n").unwrap();
        assert!(Config::load("/d", dir.path()).unwrap_err().to_string().contains("docker_sockt"));
    }

    #[test]
    fn ports_of_instances_are_a_range() {
        let dir = tempfile::tempdir().unwrap();
        let ports = |text: &str| {
            std::fs::write(dir.path().join("agent.toml"), text).unwrap();
            Config::load("/d", dir.path()).map(|config| config.instance_ports()).map_err(|e| e.to_string())
        };
        assert_eq!(ports("").unwrap(), 20000..=29999);
        assert_eq!(ports("instance_ports = [8000, 8000]").unwrap(), 8000..=8000);
        for wrong in ["[9000, 8000]", "[80, 90]", "[8000]", "[8000, 70000]"] {
            assert!(ports(&format!("instance_ports = {wrong}")).unwrap_err().contains("instance_ports"), "{wrong}");
        }
    }
}
