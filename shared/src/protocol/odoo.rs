//! Inputs and results of the jobs that work on Odoo instances.

use crate::ids::{EnvironmentId, InstanceId, OrganizationId};
use crate::odoo::settings::OdooSettings;
use crate::protocol::addons::AddonSource;
use crate::protocol::registries::RegistryLogin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names of the values in [`crate::protocol::jobs::JobRequest::secrets`] of `instance_provision`.
pub mod secret_names {
    /// Password of the instance's PostgreSQL role; of `database_password` the new one.
    pub const DATABASE_PASSWORD: &str = "database_password";
    /// Password of the cluster's superuser.
    pub const CLUSTER_PASSWORD: &str = "cluster_password";
    /// `admin_passwd` of odoo.conf.
    pub const MASTER_PASSWORD: &str = "master_password";
    /// Password of the first Odoo user.
    pub const ADMIN_PASSWORD: &str = "admin_password";
    /// Password at the mail server of the settings, also of `instance_update`.
    pub const SMTP_PASSWORD: &str = "smtp_password";
}

/// Everything that the agent needs to make or keep an instance as wished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceSpec {
    pub instance_id: InstanceId,
    pub organization_id: OrganizationId,
    pub environment_id: EnvironmentId,
    pub slug: String,
    /// Series, e.g. `14.0`.
    pub odoo_version: String,
    pub image: String,
    /// What was made of `image` with the Python packages that its addons ask for, and is run instead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_image: Option<String>,
    /// Sources of addons, in the order in which Odoo looks for a module after those of Enterprise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<AddonSource>,
    pub postgres_image: String,
    pub database_name: String,
    pub database_role: String,
    pub admin_login: String,
    /// `en_US`, `fr_FR`.
    pub language: String,
    /// ISO 3166 two letters, or none.
    #[serde(default)]
    pub country: Option<String>,
    #[serde(default)]
    pub demo_data: bool,
    /// Besides `base`.
    #[serde(default)]
    pub modules: Vec<String>,
    pub limits: Limits,
    /// What a person sets of Odoo.
    #[serde(default)]
    pub settings: OdooSettings,
    /// What a person sets of its PostgreSQL, by name. Changed by `database_settings` alone.
    #[serde(default)]
    pub database_settings: BTreeMap<String, String>,
    /// A proxy leads to it, to the port of the live bus too.
    #[serde(default)]
    pub has_proxy: bool,
    /// The name by which people reach it: what Odoo writes into links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_host: Option<String>,
    /// Extra environment of the Odoo container.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Address on which Odoo's port is published.
    pub bind_address: String,
    /// Wished host port, or none: the agent takes a free one of 20000-29999 and reports it.
    #[serde(default)]
    pub http_port: Option<u16>,
    pub generation: i64,
}

impl InstanceSpec {
    /// The image that its containers are made of.
    pub fn effective_image(&self) -> &str {
        self.built_image.as_deref().unwrap_or(&self.image)
    }

    /// Odoo's addons path besides its own directories: Enterprise before the rest, and last what was put there by hand.
    pub fn addons_path(&self) -> String {
        let sources = |enterprise| self.addons.iter().filter(move |source| source.enterprise == enterprise);
        let paths = sources(true).chain(sources(false)).flat_map(AddonSource::mounted_paths);
        paths.chain(["/mnt/extra-addons".into()]).collect::<Vec<_>>().join(",")
    }
}

/// Input of `instance_provision`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceProvision {
    #[serde(flatten)]
    pub spec: InstanceSpec,
    /// Registries that its images may come from.
    #[serde(default)]
    pub registries: Vec<RegistryLogin>,
}

/// Limits of the Odoo container; the PostgreSQL container gets the same memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Cores, 0.1 steps.
    pub cpus: f64,
    pub memory_mb: u32,
}

/// Input of `instance_start`, `instance_stop`, `instance_restart`, `instance_kill`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceControl {
    pub instance_id: InstanceId,
    pub environment_id: EnvironmentId,
    pub slug: String,
    pub odoo_version: String,
}

/// Input of `instance_update`: apply limits and environment, by new containers where the programs in them learn these
/// only when they start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceUpdate {
    pub spec: InstanceSpec,
}

/// Input of `instance_remove`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceRemove {
    pub instance_id: InstanceId,
    pub environment_id: EnvironmentId,
    pub slug: String,
    /// Remove volumes, network and configuration too; else they stay for a later purge.
    pub purge: bool,
}

/// Input of `instance_admin_password`; the password is the secret [`secret_names::ADMIN_PASSWORD`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdminPassword {
    pub instance_id: InstanceId,
    /// Whose it is; none: the administrator that Odoo was set up with.
    #[serde(default)]
    pub login: Option<String>,
}

/// Result of `instance_provision`, `instance_start`, `instance_restart` and `instance_update`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceRunning {
    pub container_id: String,
    pub container_name: String,
    /// `sha256:…` of the image in use.
    pub image_digest: String,
    pub http_port: u16,
    /// Where the live bus is published, if it has a port of its own.
    #[serde(default)]
    pub realtime_port: Option<u16>,
    /// From the first `create` to the first good answer.
    pub start_milliseconds: u64,
}
