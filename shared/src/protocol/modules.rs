//! Modules of an Odoo: what is installed, what there is, and the job that changes it.

use crate::ids::InstanceId;
use serde::{Deserialize, Serialize};

/// A module in the database, on disk, or both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ModuleInfo {
    /// Technical name, e.g. `sale`.
    pub name: String,
    /// As Odoo shows it, once it has looked at the module.
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub author: Option<String>,
    /// Odoo's word: `installed`, `uninstalled`, `uninstallable`, `to install`, `to upgrade`, `to remove`; or `unlisted`
    /// for one that is on disk and not in Odoo's list yet.
    pub state: String,
    /// In the database.
    #[serde(default)]
    pub installed_version: Option<String>,
    /// On disk, with the series before it.
    #[serde(default)]
    pub available_version: Option<String>,
    /// Whether its files are on the addons path.
    pub on_disk: bool,
    /// Whether it is one of Odoo's applications.
    #[serde(default)]
    pub application: bool,
    /// Installed, and its files are other than when the database was last updated to them.
    pub needs_update: bool,
    /// Modules that it needs.
    #[serde(default)]
    pub depends: Vec<String>,
    /// Why Odoo cannot use it: a manifest or a file that cannot be read, or files that are missing.
    #[serde(default)]
    pub problem: Option<String>,
}

/// Answer of `GET /instances/{id}/modules`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModuleList {
    pub modules: Vec<ModuleInfo>,
}

/// Input of `instance_modules`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModulesChange {
    pub instance_id: InstanceId,
    #[serde(default)]
    pub install: Vec<String>,
    #[serde(default)]
    pub update: Vec<String>,
    #[serde(default)]
    pub uninstall: Vec<String>,
    /// Update whatever is installed and has changed on disk.
    #[serde(default)]
    pub update_changed: bool,
    /// Uninstall what needs one of them along with it; else that is refused.
    #[serde(default)]
    pub with_dependents: bool,
    /// Keep a copy of the database until the change has proved good.
    pub safety_copy: bool,
}

/// Result of `instance_modules`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModulesChanged {
    pub installed: Vec<String>,
    pub updated: Vec<String>,
    pub uninstalled: Vec<String>,
    /// How long nobody was served.
    pub down_milliseconds: u64,
}
