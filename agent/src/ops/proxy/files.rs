//! What the agent keeps of its proxy, in `proxy/` of its directory: the wish as it came (`wish.json`), what was made of it
//! (`conf/caddy.json`), and uploaded certificates with their keys beside it. Caddy sees `conf/` read-only.

use crate::config::{create_private_dir, write_atomically};
use crate::engine::OpError;
use crate::ops::odoo::record::disk;
use ocore_shared::protocol::proxy::{ProxyApply, Site, SiteCertificate};
use ocore_shared::secret::Secret;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where Caddy sees the files.
const INSIDE: &str = "/etc/ocore-proxy";
/// The configuration.
pub const CONFIG: &str = "caddy.json";
/// The authority of the ACME directory's own certificate.
pub const CA_FILE: &str = "acme-ca.pem";

/// The path of a file as Caddy sees it.
pub fn inside(name: &str) -> String {
    format!("{INSIDE}/{name}")
}

/// The directory.
#[derive(Clone, Debug)]
pub struct ProxyFiles {
    dir: PathBuf,
}

impl ProxyFiles {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// What Caddy sees.
    pub fn conf_dir(&self) -> PathBuf {
        self.dir.join("conf")
    }

    fn wish_path(&self) -> PathBuf {
        self.dir.join("wish.json")
    }

    /// What is to be served. None: there is no proxy.
    pub fn wish(&self) -> Option<ProxyApply> {
        let text = std::fs::read(self.wish_path()).ok()?;
        serde_json::from_slice(&text)
            .inspect_err(|e| tracing::error!(path = %self.wish_path().display(), error = %e, "unreadable wish"))
            .ok()
    }

    pub fn write_wish(&self, wish: &ProxyApply) -> Result<(), OpError> {
        let text = serde_json::to_vec_pretty(wish).map_err(|e| disk(&self.dir, &e))?;
        self.write(&self.wish_path(), &text)
    }

    /// Have the files that a configuration names, with the keys of uploaded certificates; those that no site names go.
    pub fn write_certificates(
        &self, wish: &ProxyApply, key: impl Fn(&str) -> Result<Secret, OpError>,
    ) -> Result<(), OpError> {
        let conf = self.conf_dir();
        create_private_dir(&conf).map_err(|e| disk(&conf, &e))?;
        let mut kept: BTreeSet<String> = [CONFIG.to_owned(), format!("{CONFIG}.next")].into();
        if let Some(pem) = &wish.acme.ca_certificate {
            self.write(&conf.join(CA_FILE), pem.as_bytes())?;
            kept.insert(CA_FILE.into());
        }
        for Site { host, certificate, .. } in &wish.sites {
            let SiteCertificate::Given { chain } = certificate else { continue };
            let (pem, private) = (format!("{host}.pem"), format!("{host}.key"));
            self.write(&conf.join(&private), key(host)?.expose().as_bytes())?;
            self.write(&conf.join(&pem), chain.as_bytes())?;
            kept.extend([pem, private]);
        }
        for entry in std::fs::read_dir(&conf).map_err(|e| disk(&conf, &e))?.flatten() {
            if !entry.file_name().to_str().is_some_and(|name| kept.contains(name)) {
                std::fs::remove_file(entry.path()).map_err(|e| disk(&entry.path(), &e))?;
            }
        }
        Ok(())
    }

    /// The configuration that is in force; none before the first.
    pub fn config(&self) -> Option<Value> {
        serde_json::from_slice(&std::fs::read(self.conf_dir().join(CONFIG)).ok()?).ok()
    }

    /// Write the configuration that is to be tried, and say its name.
    pub fn write_next(&self, config: &Value) -> Result<String, OpError> {
        let name = format!("{CONFIG}.next");
        let text = serde_json::to_vec_pretty(config).map_err(|e| disk(&self.dir, &e))?;
        self.write(&self.conf_dir().join(&name), &text)?;
        Ok(name)
    }

    /// What was tried is in force.
    pub fn accept_next(&self) -> Result<(), OpError> {
        let (next, now) = (self.conf_dir().join(format!("{CONFIG}.next")), self.conf_dir().join(CONFIG));
        std::fs::rename(&next, &now).map_err(|e| disk(&now, &e))
    }

    /// Forget everything.
    pub fn remove(&self) -> Result<(), OpError> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(disk(&self.dir, &e)),
            _ => Ok(()),
        }
    }

    fn write(&self, path: &Path, content: &[u8]) -> Result<(), OpError> {
        if let Some(dir) = path.parent() {
            create_private_dir(dir).map_err(|e| disk(dir, &e))?;
        }
        write_atomically(path, content, 0o600).map_err(|e| disk(path, &e))
    }
}
