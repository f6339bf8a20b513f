//! Sources of addons: git repositories at an exact commit, and the job that brings an instance to other ones, or to
//! another image.

use crate::ids::InstanceId;
use crate::protocol::registries::RegistryLogin;
use serde::{Deserialize, Serialize};

/// A git repository with modules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct AddonSource {
    /// Lower-case letters, digits and hyphens; one of a kind in its instance.
    pub name: String,
    /// `https://…`, `ssh://…` or `git@host:path`.
    pub url: String,
    /// Branch, tag or commit as it is wished; none: the repository's own default.
    #[serde(default)]
    pub reference: Option<String>,
    /// Odoo Enterprise, or another that stands before all others.
    #[serde(default)]
    pub enterprise: bool,
    /// Who one is there; none: anybody.
    #[serde(default)]
    pub credential: Option<GitCredential>,
    /// PEM of the authority that signed the server's certificate, where it is none that everybody knows.
    #[serde(default)]
    pub ca_certificate: Option<String>,
    /// Lines of `known_hosts`; none: whoever answers first is remembered.
    #[serde(default)]
    pub known_hosts: Option<String>,
    /// The commit that is in use; the agent says it.
    #[serde(default)]
    pub commit: Option<String>,
    /// Directories in it that hold modules, "" for the repository itself; the agent says them.
    #[serde(default)]
    pub paths: Vec<String>,
}

impl AddonSource {
    /// Name of its credential's value among a job's secrets: it is kept in memory only.
    pub fn secret_name(&self) -> String {
        format!("{}{}", crate::protocol::jobs::MEMORY_ONLY, self.stored_secret_name())
    }

    /// The same among the secrets of its instance.
    pub fn stored_secret_name(&self) -> String {
        format!("git.{}", self.name)
    }

    /// The directories inside Odoo's containers that are on its addons path.
    pub fn mounted_paths(&self) -> impl Iterator<Item = String> {
        let top = format!("{MOUNT}/{}/{}", self.name, self.commit.as_deref().unwrap_or("unknown"));
        self.paths.iter().map(move |path| match path.as_str() {
            "" => top.clone(),
            path => format!("{top}/{path}"),
        })
    }
}

/// Where sources are inside Odoo's containers.
pub const MOUNT: &str = "/mnt/addons";

/// How one proves who one is; the value is a secret of the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum GitCredential {
    /// Password or token of a user, over HTTPS.
    Token { username: String },
    /// A private key, over SSH.
    SshKey,
}

/// Which modules are updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum UpdateModules {
    /// None.
    None,
    /// Those whose files differ from when they were last updated.
    #[default]
    Changed,
    /// All.
    All,
}

/// Input of `instance_upgrade` and `instance_addons`: the instance as it is to be. What differs in image and sources is
/// brought about, together with what a person changed of its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceUpgrade {
    pub instance_id: InstanceId,
    /// None: the present one.
    #[serde(default)]
    pub image: Option<String>,
    /// None: the present ones, at the commits that they are at.
    #[serde(default)]
    pub addons: Option<Vec<AddonSource>>,
    #[serde(default)]
    pub update: UpdateModules,
    /// Keep a copy of the database until the new one has proved good.
    pub safety_copy: bool,
    /// Registries that the image may come from.
    #[serde(default)]
    pub registries: Vec<RegistryLogin>,
}

/// Result of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceUpgraded {
    pub container_id: String,
    pub container_name: String,
    /// `sha256:…` of the image that was asked for.
    pub image_digest: String,
    pub http_port: u16,
    #[serde(default)]
    pub realtime_port: Option<u16>,
    /// What it runs now, as in [`crate::protocol::odoo::InstanceSpec`].
    pub image: String,
    #[serde(default)]
    pub built_image: Option<String>,
    /// At their commits.
    #[serde(default)]
    pub addons: Vec<AddonSource>,
    /// Modules that were updated.
    pub updated: Vec<String>,
    /// How long nobody was served; 0 when nothing had to be done.
    pub down_milliseconds: u64,
    /// The same, under the name that every job gives it that leaves an instance running.
    pub start_milliseconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_found_below_their_commit() {
        let source = AddonSource {
            name: "oca-web".into(),
            url: "https://example.com/web.git".into(),
            reference: None,
            enterprise: false,
            credential: None,
            ca_certificate: None,
            known_hosts: None,
            commit: Some("ab12".into()),
            paths: vec!["".into(), "more/addons".into()],
        };
        let paths: Vec<String> = source.mounted_paths().collect();
        assert_eq!(paths, ["/mnt/addons/oca-web/ab12", "/mnt/addons/oca-web/ab12/more/addons"]);
        assert_eq!(source.secret_name(), "memory.git.oca-web");
    }
}
