//! What the agent keeps of its proxy, in `proxy/` of its directory: the wish as it came (`wish.json`), what was made of it
//! (`conf/caddy.json`), and uploaded certificates with their keys beside it. Caddy sees `conf/` read-only.

use crate::config::{create_private_dir, write_atomically};
use crate::engine::OpError;
use crate::ops::odoo::record::disk;
use ocore_shared::protocol::proxy::{ProxyApply, Site, SiteCertificate};
use ocore_shared::secret::Secret;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where Caddy sees the files.
const INSIDE: &str = "/etc/ocore-proxy";
/// The configuration.
pub const CONFIG: &str = "caddy.json";

/// The file of the authority of the ACME directory's own certificate. Like those of [`certificate_files`] it is named after
/// what is in it: Caddy looks at its files again only when its configuration differs, and the configuration in force goes
/// on naming the files that it was taken with.
pub fn ca_file(pem: &str) -> String {
    format!("acme-ca-{}.pem", digest(&[pem]))
}

/// The files of an uploaded certificate: chain and key.
pub fn certificate_files(host: &str, chain: &str) -> (String, String) {
    let digest = digest(&[host, chain]);
    (format!("{digest}.pem"), format!("{digest}.key"))
}

fn digest(parts: &[&str]) -> String {
    Sha256::digest(parts.join("\n"))[..16].iter().map(|b| format!("{b:02x}")).collect()
}

/// All that the configuration of a wish names.
fn named(wish: &ProxyApply) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = wish.acme.ca_certificate.iter().map(|pem| ca_file(pem)).collect();
    for site in &wish.sites {
        if let SiteCertificate::Given { chain } = &site.certificate {
            let (pem, private) = certificate_files(&site.host, chain);
            names.extend([pem, private]);
        }
    }
    names
}

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

    /// Have the files that a configuration names, with the keys of uploaded certificates, beside those of the one in force.
    pub fn write_certificates(
        &self, wish: &ProxyApply, key: impl Fn(&str) -> Result<Secret, OpError>,
    ) -> Result<(), OpError> {
        let conf = self.conf_dir();
        create_private_dir(&conf).map_err(|e| disk(&conf, &e))?;
        if let Some(pem) = &wish.acme.ca_certificate {
            self.write(&conf.join(ca_file(pem)), pem.as_bytes())?;
        }
        for Site { host, certificate, .. } in &wish.sites {
            let SiteCertificate::Given { chain } = certificate else { continue };
            let (pem, private) = certificate_files(host, chain);
            // One that Caddy has taken already keeps its key. The chain is written last, so it says that both are there.
            if conf.join(&pem).exists() {
                continue;
            }
            self.write(&conf.join(&private), key(host)?.expose().as_bytes())?;
            self.write(&conf.join(&pem), chain.as_bytes())?;
        }
        Ok(())
    }

    /// Remove what neither the wish nor the configuration in force names: certificates of before, or those of a
    /// configuration that was refused.
    pub fn tidy(&self) -> Result<(), OpError> {
        let mut kept = self.wish().map(|wish| named(&wish)).unwrap_or_default();
        kept.insert(CONFIG.into());
        let conf = self.conf_dir();
        let config = std::fs::read_to_string(conf.join(CONFIG)).unwrap_or_default();
        for entry in std::fs::read_dir(&conf).map_err(|e| disk(&conf, &e))?.flatten() {
            if !entry.file_name().to_str().is_some_and(|name| kept.contains(name) || config.contains(&inside(name))) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use ocore_shared::ids::InstanceId;
    use ocore_shared::protocol::proxy::{Acme, SiteAccess};

    fn wish(chain: &str, ca: Option<&str>) -> ProxyApply {
        let site = Site {
            host: "erp.example.com".into(),
            instance_id: InstanceId::new(),
            redirect_to: None,
            certificate: SiteCertificate::Given { chain: chain.into() },
            access: SiteAccess::default(),
            noindex: false,
        };
        ProxyApply {
            enabled: true,
            image: "caddy:2".into(),
            http_port: 80,
            https_port: 443,
            acme: Acme { ca_certificate: ca.map(str::to_owned), ..Acme::default() },
            sites: vec![site],
            registries: vec![],
            console: None,
        }
    }

    #[test]
    fn a_refused_certificate_leaves_the_files_of_the_one_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let files = ProxyFiles::new(dir.path().join("proxy"));
        let there = || {
            let names = std::fs::read_dir(files.conf_dir()).unwrap().flatten();
            names.map(|e| e.file_name().into_string().unwrap()).collect::<BTreeSet<_>>()
        };
        let key = |name: &str| Ok(Secret::new(format!("key of {name}")));
        let (first, second) = (wish("one", Some("authority")), wish("two", None));
        files.write_certificates(&first, key).unwrap();
        files.write_wish(&first).unwrap();
        files.tidy().unwrap();
        assert_eq!(there(), named(&first));
        assert_eq!(there().len(), 3);

        files.write_certificates(&second, key).unwrap();
        assert!(there().is_superset(&named(&first)), "the configuration in force names them");
        // It was refused …
        files.tidy().unwrap();
        assert_eq!(there(), named(&first));
        // … or taken.
        files.write_certificates(&second, key).unwrap();
        files.write_wish(&second).unwrap();
        files.tidy().unwrap();
        assert_eq!(there(), named(&second));
        assert_eq!(there().len(), 2);
    }
}
