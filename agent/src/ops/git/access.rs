//! What git is told of who one is. The files are the agent's alone, and gone when the fetching is over; nothing secret
//! is on a command line.

use crate::config::{create_private_dir, write_atomically};
use crate::engine::OpError;
use crate::ops::odoo::record::disk;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocore_shared::protocol::addons::{AddonSource, GitCredential};
use ocore_shared::secret::Secret;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A home directory for one run of git.
pub struct Access {
    pub home: PathBuf,
}

impl Access {
    /// `repository` is where git's data of this source is; whom one has met before is remembered beside it.
    pub fn new(repository: &Path, source: &AddonSource, secret: Option<&Secret>) -> Result<Self, OpError> {
        let home = beside(repository, ".home");
        let access = Self { home: home.clone() };
        // Of an agent that was killed.
        access.remove();
        create_private_dir(&home).map_err(|e| disk(&home, &e))?;
        if let Some(pem) = &source.ca_certificate {
            access.write("ca.pem", pem)?;
        }
        access.write(".gitconfig", &access.git_config(source, secret))?;
        if let (Some(GitCredential::SshKey), Some(key)) = (&source.credential, secret) {
            // OpenSSH wants the line to end.
            access.write("key", &Zeroizing::new(format!("{}\n", key.expose().trim_end())))?;
        }
        let known = match &source.known_hosts {
            Some(lines) => {
                access.write("known_hosts", lines)?;
                home.join("known_hosts")
            }
            None => beside(repository, ".known_hosts"),
        };
        access.write("ssh_config", &access.ssh_config(source, &known))?;
        Ok(access)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), OpError> {
        let path = self.home.join(name);
        write_atomically(&path, text.as_bytes(), 0o600).map_err(|e| disk(&path, &e))
    }

    /// Only what is fetched may run or be read: no other protocols, no hooks, no filters of large files, and the header
    /// goes to that server alone, whatever it redirects to.
    fn git_config(&self, source: &AddonSource, secret: Option<&Secret>) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::from(
            "[protocol]\n\tallow = never\n[protocol \"https\"]\n\tallow = always\n[protocol \"http\"]\n\tallow = always\n\
             [protocol \"ssh\"]\n\tallow = always\n[core]\n\thooksPath = /dev/null\n\tsymlinks = true\n\
             [http]\n\tfollowRedirects = initial\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 30\n\
             [gc]\n\tauto = 0\n[advice]\n\tdetachedHead = false\n[safe]\n\tdirectory = *\n",
        ));
        if source.ca_certificate.is_some() {
            text.push_str(&format!("[http]\n\tsslCAInfo = {}\n", self.home.join("ca.pem").display()));
        }
        if let (Some(GitCredential::Token { username }), Some(token), Some(origin)) =
            (&source.credential, secret, origin(&source.url))
        {
            let pair = Zeroizing::new(format!("{username}:{}", token.expose()));
            let pair = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
            text.push_str(&format!("[http \"{origin}/\"]\n\textraHeader = Authorization: Basic {}\n", *pair));
        }
        text
    }

    fn ssh_config(&self, source: &AddonSource, known: &Path) -> String {
        let home = self.home.display();
        // Whoever answers first is remembered; another one later is refused.
        let strict = if source.known_hosts.is_some() { "yes" } else { "accept-new" };
        format!(
            "Host *\n  BatchMode yes\n  IdentitiesOnly yes\n  IdentityFile {home}/key\n  IdentityAgent none\n  \
             PasswordAuthentication no\n  StrictHostKeyChecking {strict}\n  UserKnownHostsFile {}\n  \
             GlobalKnownHostsFile /dev/null\n  ConnectTimeout 15\n  ServerAliveInterval 15\n  LogLevel ERROR\n",
            known.display()
        )
    }

    fn remove(&self) {
        drop(std::fs::remove_dir_all(&self.home));
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        self.remove();
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// `https://host:port` of an address.
fn origin(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    (uri.scheme_str() == Some("https")).then_some(())?;
    let authority = uri.authority()?.as_str();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(format!("https://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_its_own_server_only_over_tls() {
        assert_eq!(origin("https://git.example.com:8443/a/b.git").as_deref(), Some("https://git.example.com:8443"));
        assert_eq!(origin("https://ada@git.example.com/a").as_deref(), Some("https://git.example.com"));
        assert_eq!(origin("http://git.example.com/a"), None);
        assert_eq!(origin("git@git.example.com:a/b"), None);
    }
}
