//! `policy.toml`: what root of this server allows, whatever the controller asks for. Read at each use, so that a
//! change counts at once.

use crate::engine::OpError;
use serde::Deserialize;
use std::path::Path;

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Policy {
    /// Whether people get shells on the server itself.
    terminals: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { terminals: true }
    }
}

/// A file that cannot be understood forbids: whoever wrote it wanted to restrict something.
pub fn host_terminals_allowed(config_dir: &Path) -> Result<(), OpError> {
    let path = config_dir.join("policy.toml");
    let policy = match std::fs::read_to_string(&path) {
        Ok(text) => toml::from_str::<Policy>(&text).map_err(|e| e.message().to_owned()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Policy::default()),
        Err(e) => Err(e.to_string()),
    };
    match policy {
        Ok(Policy { terminals: true }) => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::host_terminals_allowed;

    #[test]
    fn allowed_unless_forbidden_or_unreadable() {
        let dir = tempfile::tempdir().unwrap();
        assert!(host_terminals_allowed(dir.path()).is_ok());
        for (text, allowed) in
            [("terminals = true\n", true), ("", true), ("terminals = false\n", false), ("terminals = nein\n", false)]
        {
            std::fs::write(dir.path().join("policy.toml"), text).unwrap();
            assert_eq!(host_terminals_allowed(dir.path()).is_ok(), allowed, "{text}");
        }
    }
}
