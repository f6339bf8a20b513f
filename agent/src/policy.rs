//! `policy.toml`: what root of this server allows, whatever the controller asks for. Read at each use, so that a
//! change counts at once.

use crate::engine::OpError;
use ocore_shared::protocol::storage::{LocalPlace, StorageProblemKind};
use ocore_shared::storage::StorageError;
use serde::Deserialize;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Where backups may be kept without being asked.
const BACKUPS: &str = "/var/backups/ocore";

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Policy {
    /// Whether people get shells on the server itself.
    terminals: bool,
    /// Directories that backups may be kept in, with all that is below them.
    backup_directories: Vec<PathBuf>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { terminals: true, backup_directories: vec![BACKUPS.into()] }
    }
}

/// What is allowed, or why that is not known.
fn read(path: &Path) -> Result<Policy, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str::<Policy>(&text).map_err(|e| e.message().to_owned()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Policy::default()),
        Err(e) => Err(e.to_string()),
    }
}

/// A file that cannot be understood forbids: whoever wrote it wanted to restrict something.
pub fn host_terminals_allowed(config_dir: &Path) -> Result<(), OpError> {
    let path = config_dir.join("policy.toml");
    match read(&path) {
        Ok(Policy { terminals: true, .. }) => Ok(()),
        Ok(_) => Err(OpError::new(
            "forbidden_by_policy",
            format!("The administrator of this server does not allow terminals on it ({}).", path.display()),
        )),
        Err(e) => Err(OpError::new(
            "forbidden_by_policy",
            format!("{} on the server cannot be read ({e}), so terminals are not allowed.", path.display()),
        )),
    }
}

/// Whether backups may be kept there: it is root's disk, and the controller names the path.
pub fn backup_directory_allowed(config_dir: &Path, place: &LocalPlace) -> Result<(), StorageError> {
    let path = config_dir.join("policy.toml");
    let refused = |why: String| Err(StorageError::new(StorageProblemKind::NotAllowed, why));
    let policy = match read(&path) {
        Ok(policy) => policy,
        Err(e) => {
            return refused(format!("{} on the server cannot be read ({e}), so it keeps no backups", path.display()));
        }
    };
    let wanted = Path::new(&place.path);
    let is_plain = !wanted.components().any(|part| part == Component::ParentDir);
    match is_plain && policy.backup_directories.iter().any(|allowed| wanted.starts_with(allowed)) {
        true => Ok(()),
        false => refused(format!(
            "This server keeps backups only in {}; its administrator names others as backup_directories in {}",
            policy.backup_directories.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "),
            path.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_allowed_unless_forbidden_or_unreadable() {
        let dir = tempfile::tempdir().unwrap();
        assert!(host_terminals_allowed(dir.path()).is_ok());
        for (text, allowed) in
            [("terminals = true\n", true), ("", true), ("terminals = false\n", false), ("terminals = nein\n", false)]
        {
            std::fs::write(dir.path().join("policy.toml"), text).unwrap();
            assert_eq!(host_terminals_allowed(dir.path()).is_ok(), allowed, "{text}");
        }
    }

    #[test]
    fn backups_are_kept_only_where_root_says() {
        let dir = tempfile::tempdir().unwrap();
        let allowed = |path: &str| backup_directory_allowed(dir.path(), &LocalPlace { path: path.into() }).is_ok();
        assert!(allowed("/var/backups/ocore") && allowed("/var/backups/ocore/acme"));
        assert!(!allowed("/var/backups/ocore2") && !allowed("/etc") && !allowed("/var/backups/ocore/../../etc"));
        std::fs::write(dir.path().join("policy.toml"), "backup_directories = [\"/mnt/nas\"]\n").unwrap();
        assert!(allowed("/mnt/nas/ocore") && !allowed("/var/backups/ocore"));
        assert!(host_terminals_allowed(dir.path()).is_ok());
        std::fs::write(dir.path().join("policy.toml"), "backup_directories = 1\n").unwrap();
        assert!(!allowed("/var/backups/ocore"));
    }
}
