//! The agent's binary that new servers get.

use crate::config::Config;
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Architectures that are built.
const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// The binary for an architecture: `--agent-binary`, else `releases/<version>/ocore-agent-<arch>` of this version.
pub fn agent_binary(config: &Config, arch: &str) -> Result<PathBuf> {
    if !ARCHITECTURES.contains(&arch) {
        return Err(Error::field("arch", "enum", format!("There is no agent for '{arch}'; there is one for x86_64.")));
    }
    let released = config.data_dir.join("releases").join(env!("CARGO_PKG_VERSION")).join(format!("ocore-agent-{arch}"));
    let path = match &config.agent_binary {
        Some(path) if arch == std::env::consts::ARCH => path.clone(),
        _ => released,
    };
    if path.is_file() {
        return Ok(path);
    }
    tracing::warn!(path = %path.display(), "the agent's binary is missing");
    Err(Error::Unprocessable {
        code: "agent_binary_missing",
        message: format!(
            "This controller has no agent binary for {arch}: put it at {} or set --agent-binary.",
            path.display()
        ),
    })
}

/// SHA-256 of a file, as `sha256sum` prints it.
pub fn checksum(path: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0u8; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
