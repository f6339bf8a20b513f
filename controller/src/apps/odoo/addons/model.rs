//! What is shown and asked of sources, and what is wrong with it.

use crate::error::Problem;
use crate::platform::http::{HasVersion, PatchFields, default_true};
use garde::Validate;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::addons::{AddonSource, GitCredential, UpdateModules};
use ocore_shared::protocol::odoo::InstanceSpec;
use ocore_shared::secret::Secret;
use russh::keys::ssh_key::PrivateKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// The addons of an instance, as they are in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InstanceAddons {
    pub instance_id: InstanceId,
    /// In the order in which Odoo looks for a module, after those of Enterprise.
    pub sources: Vec<AddonSourceInfo>,
    /// `addons_path` of odoo.conf, without Odoo's own directories.
    pub addons_path: String,
    /// The image with the Python packages that the sources ask for, where there are some.
    pub built_image: Option<String>,
    /// Of the instance, for If-Match.
    #[serde(skip)]
    pub version: i64,
}

impl HasVersion for InstanceAddons {
    fn version(&self) -> i64 {
        self.version
    }
}

impl InstanceAddons {
    pub fn new(spec: &InstanceSpec, version: i64) -> Self {
        Self {
            instance_id: spec.instance_id,
            sources: spec.addons.iter().map(AddonSourceInfo::from).collect(),
            addons_path: spec.addons_path(),
            built_image: spec.built_image.clone(),
            version,
        }
    }
}

/// A git repository with modules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AddonSourceInfo {
    pub name: String,
    pub url: String,
    /// Branch, tag or commit as it is wished; null: the repository's own default branch.
    pub reference: Option<String>,
    /// It stands before all others.
    pub enterprise: bool,
    pub credential: Option<GitCredentialInfo>,
    pub ca_certificate: Option<String>,
    pub known_hosts: Option<String>,
    /// The commit that is in use.
    pub commit: Option<String>,
    /// Directories in it that hold modules, "" for the repository itself.
    pub paths: Vec<String>,
}

impl From<&AddonSource> for AddonSourceInfo {
    fn from(source: &AddonSource) -> Self {
        Self {
            name: source.name.clone(),
            url: source.url.clone(),
            reference: source.reference.clone(),
            enterprise: source.enterprise,
            credential: source.credential.as_ref().map(|credential| match credential {
                GitCredential::Token { username } => {
                    GitCredentialInfo::Token { username: username.clone(), has_value: true }
                }
                GitCredential::SshKey => GitCredentialInfo::SshKey { has_value: true },
            }),
            ca_certificate: source.ca_certificate.clone(),
            known_hosts: source.known_hosts.clone(),
            commit: source.commit.clone(),
            paths: source.paths.clone(),
        }
    }
}

/// How one proves who one is; the value itself is never shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GitCredentialInfo {
    /// Password or token of a user, over HTTPS.
    Token {
        username: String,
        /// One is stored.
        has_value: bool,
    },
    /// A private key, over SSH.
    SshKey {
        /// One is stored.
        has_value: bool,
    },
}

/// Body of `PUT /api/instances/{id}/addons`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddonsInput {
    /// All sources, in order; one that is left out goes.
    #[garde(length(max = 50), dive)]
    #[schema(max_items = 50)]
    pub sources: Vec<AddonSourceInput>,
    /// Which modules are updated.
    #[garde(skip)]
    #[serde(default)]
    pub update: UpdateModules,
    /// Keep a copy of the database while modules are updated, and put it back when that fails.
    #[garde(skip)]
    #[serde(default = "default_true")]
    #[schema(default = true)]
    pub safety_copy: bool,
}

impl PatchFields for AddonsInput {
    const FIELDS: &'static [&'static str] = &["sources", "update", "safety_copy"];
}

/// A source that is wished.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddonSourceInput {
    /// Lower-case letters, digits and hyphens; made from the address when left out.
    #[garde(inner(length(min = 1, max = 40), pattern("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")))]
    pub name: Option<String>,
    /// `https://host/path`, `ssh://user@host/path` or `user@host:path`.
    #[garde(length(max = 500), custom(fetchable))]
    pub url: String,
    /// Branch, tag or whole commit id; the repository's own default branch when left out.
    #[garde(inner(length(max = 200), pattern("^[A-Za-z0-9][A-Za-z0-9._/+@-]*$")))]
    pub reference: Option<String>,
    /// Odoo Enterprise, or another that is to stand before all others.
    #[garde(skip)]
    #[serde(default)]
    pub enterprise: bool,
    #[garde(dive)]
    pub credential: Option<GitCredentialInput>,
    /// PEM of the authority that signed the server's certificate, where it is none that everybody knows.
    #[garde(inner(length(max = 65536), custom(certificate)))]
    pub ca_certificate: Option<String>,
    /// Lines of `known_hosts`. When left out, whoever answers first is remembered by the server.
    #[garde(inner(length(max = 16384)))]
    pub known_hosts: Option<String>,
    /// As it was read; it cannot be set: give the commit as `reference`.
    #[garde(skip)]
    #[serde(default)]
    pub commit: Option<String>,
    /// As it was read; it cannot be set.
    #[garde(skip)]
    #[serde(default)]
    #[schema(max_items = 200)]
    pub paths: Option<Vec<String>>,
}

/// A credential that is wished. Without a value the stored one stays, as long as address and user do.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GitCredentialInput {
    /// Password or token of a user, over HTTPS.
    Token {
        /// Many servers take any name with a token.
        #[garde(length(min = 1, max = 128), pattern("^[^:\\p{C}]+$"))]
        username: String,
        #[garde(inner(custom(one_line)))]
        #[serde(default)]
        value: Option<Secret>,
        /// As it was read.
        #[garde(skip)]
        #[serde(default)]
        #[schema(nullable = false)]
        has_value: Option<bool>,
    },
    /// A private key, over SSH.
    SshKey {
        /// In OpenSSH's or PEM's format, without a passphrase.
        #[garde(inner(custom(usable_key)))]
        #[serde(default)]
        value: Option<Secret>,
        /// As it was read.
        #[garde(skip)]
        #[serde(default)]
        #[schema(nullable = false)]
        has_value: Option<bool>,
    },
}

impl GitCredentialInput {
    pub fn kind(&self) -> GitCredential {
        match self {
            Self::Token { username, .. } => GitCredential::Token { username: username.clone() },
            Self::SshKey { .. } => GitCredential::SshKey,
        }
    }

    pub fn value(self) -> Option<Secret> {
        match self {
            Self::Token { value, .. } | Self::SshKey { value, .. } => value,
        }
    }
}

/// Over what a repository is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Https,
    Http,
    Ssh,
}

/// The transport and the host of an address, with its port if it names one. None: git is not asked for such a one.
pub fn transport_of(url: &str) -> Option<(Transport, &str)> {
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let (transport, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Transport::Https, rest),
        Some(("http", rest)) => (Transport::Http, rest),
        Some(("ssh", rest)) => (Transport::Ssh, rest),
        Some(_) => return None,
        // git@example.com:acme/addons.git
        None => {
            let (place, path) = url.split_once(':')?;
            let (user, host) = place.split_once('@')?;
            return (plain(user) && is_host(host) && !path.is_empty()).then_some((Transport::Ssh, host));
        }
    };
    let (authority, path) = rest.split_once('/')?;
    let host = match (transport, authority.rsplit_once('@')) {
        (Transport::Ssh, Some((user, host))) if plain(user) => host,
        // What stands before the host would be a credential in the open.
        (_, Some(_)) => return None,
        (_, None) => authority,
    };
    (is_host(host) && !path.is_empty()).then_some((transport, host))
}

fn plain(user: &str) -> bool {
    !user.is_empty() && !user.starts_with('-') && user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && !host.starts_with('-') && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
}

fn fetchable(url: &str, (): &()) -> garde::Result {
    match transport_of(url) {
        Some(_) => Ok(()),
        None => Err(garde::Error::new(
            "must be https://host/path, ssh://user@host/path or user@host:path, without a password in it",
        )),
    }
}

fn certificate(pem: &str, (): &()) -> garde::Result {
    if pem.contains("-----BEGIN CERTIFICATE-----") && pem.contains("-----END CERTIFICATE-----") {
        return Ok(());
    }
    Err(garde::Error::new("must be a certificate in PEM, beginning with -----BEGIN CERTIFICATE-----"))
}

fn one_line(value: &Secret, (): &()) -> garde::Result {
    let text = value.expose();
    if (1..=4096).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(garde::Error::new("must have 1 to 4096 characters on one line"))
}

fn usable_key(value: &Secret, (): &()) -> garde::Result {
    let text = value.expose().trim();
    let encrypted =
        || garde::Error::new("is protected by a passphrase, which nobody is there to type; give a key without one");
    if text.len() > 16384 || !text.starts_with("-----BEGIN ") || !text.contains("PRIVATE KEY-----") {
        return Err(garde::Error::new("must be a private key, beginning with -----BEGIN … PRIVATE KEY-----"));
    }
    if text.contains("ENCRYPTED") {
        return Err(encrypted());
    }
    if text.starts_with("-----BEGIN OPENSSH") {
        return match PrivateKey::from_openssh(text) {
            Ok(key) if key.is_encrypted() => Err(encrypted()),
            Ok(_) => Ok(()),
            Err(_) => Err(garde::Error::new("is no private key that OpenSSH would read")),
        };
    }
    Ok(())
}

/// `acme-addons` of `https://example.com/acme/acme_addons.git`.
pub fn name_of(url: &str) -> String {
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let last = last.strip_suffix(".git").unwrap_or(last).to_ascii_lowercase();
    let mut name: String = last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    let name = name.trim_matches('-');
    if name.is_empty() { "addons".into() } else { name.into() }
}

/// What is wrong with sources beyond each field of its own.
pub fn problems(input: &AddonsInput) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    let mut say = |field: String, constraint: &str, message: String| {
        found.push(Problem { field, constraint: constraint.into(), message });
    };
    for (number, source) in input.sources.iter().enumerate() {
        let name = source.name.clone().unwrap_or_else(|| name_of(&source.url));
        if !names.insert(name.clone()) {
            let message = format!("There are two sources named {name}; give one of them another name.");
            say(format!("sources[{number}].name"), "unique", message);
        }
        let Some((transport, _)) = transport_of(&source.url) else { continue };
        let wrong = match (&source.credential, transport) {
            (Some(GitCredentialInput::Token { .. }), Transport::Http) => {
                "A token goes over HTTPS only; use https:// in the address."
            }
            (Some(GitCredentialInput::Token { .. }), Transport::Ssh) => "An address for SSH takes a key, not a token.",
            (Some(GitCredentialInput::SshKey { .. }), Transport::Https | Transport::Http) => {
                "An address for HTTPS takes a token, not a key."
            }
            (None, Transport::Ssh) => "SSH lets nobody in without a key; give one.",
            _ => continue,
        };
        say(format!("sources[{number}].credential"), "fits_url", wrong.into());
    }
    found
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_git_fetches_from_safely() {
        assert_eq!(
            transport_of("https://git.example.com:8443/a/b.git"),
            Some((Transport::Https, "git.example.com:8443"))
        );
        assert_eq!(transport_of("git@example.com:a/b.git"), Some((Transport::Ssh, "example.com")));
        assert_eq!(transport_of("ssh://git@example.com:22/a"), Some((Transport::Ssh, "example.com:22")));
        for wrong in [
            "file:///etc",
            "ext::sh -c x",
            "https://ada:pw@example.com/a",
            "https://example.com",
            "-oProxyCommand=x@h:p",
            "ssh://-oProxyCommand=x/a",
            "git@-oProxyCommand=x:a",
            "/etc/passwd",
            "https://a b/c",
            "git@example.com:",
        ] {
            assert_eq!(transport_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_come_from_addresses() {
        assert_eq!(name_of("https://example.com/OCA/server_tools.git"), "server-tools");
        assert_eq!(name_of("git@example.com:acme.git"), "acme");
        assert_eq!(name_of("https://example.com/__/"), "addons");
    }
}
