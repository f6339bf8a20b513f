//! Settings of PostgreSQL as the API shows them.

use crate::platform::http::HasVersion;
use ocore_shared::ids::{InstanceId, JobId};
use ocore_shared::postgres::settings::{self, Applies, SETTINGS, Setting};
use ocore_shared::postgres::tuning::{self, Machine, Recommendation};
use ocore_shared::protocol::databases::{SettingList, SettingNow};
use ocore_shared::protocol::odoo::InstanceSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What an instance's PostgreSQL is set to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DatabaseConfig {
    pub instance_id: InstanceId,
    /// What a person has set. To change it, send names with values; null takes one back.
    pub settings: BTreeMap<String, String>,
    /// All settings that may be changed, as they are in force on the server.
    pub available: Vec<DatabaseSetting>,
    /// Of PostgreSQL, e.g. `13.21`; null while the server cannot be asked.
    pub postgres_version: Option<String>,
    /// Why the server cannot be asked, so that values in force are null.
    pub problem: Option<String>,
    /// The job that works on the instance now.
    pub active_job_id: Option<JobId>,
    pub version: i64,
}

impl HasVersion for DatabaseConfig {
    fn version(&self) -> i64 {
        self.version
    }
}

/// One setting.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DatabaseSetting {
    pub name: String,
    /// What it does.
    pub about: String,
    /// In force, with its unit: `64MB`, `30s`, `on`.
    pub value: Option<String>,
    pub source: SettingSource,
    pub applies: SettingApplies,
    /// Written down on the server, and not in force before a restart.
    pub pending_restart: bool,
    /// What it is when nobody sets it.
    pub default: Option<String>,
    /// What fits this instance, where there is such advice.
    pub recommended: Option<String>,
    /// Why that fits.
    pub reason: Option<String>,
    /// Null: there are `words` instead.
    pub least: Option<String>,
    pub most: Option<String>,
    /// To choose from; empty where any value between `least` and `most` will do.
    pub words: Vec<String>,
}

/// Who has decided a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingSource {
    /// A person, here.
    Set,
    /// oCore, from the instance's memory, cores and workers.
    Ocore,
    /// PostgreSQL's own default, or what it found on its server.
    Postgresql,
}

/// When a change is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingApplies {
    /// At once.
    Reload,
    /// After a restart of PostgreSQL, which takes some seconds; Odoo connects again by itself.
    Restart,
}

/// All settings that may be changed: what is in force, as far as the server has told, and what would fit.
pub fn available(spec: &InstanceSpec, told: Option<&SettingList>) -> Vec<DatabaseSetting> {
    let advice = tuning::recommended(&Machine::of(spec));
    let shown = |known: &Setting| {
        let now = told.map(|list| list.settings.iter().find(|now| now.name == known.name));
        // This PostgreSQL does not know it.
        if now.is_some_and(|now| now.is_none()) {
            return None;
        }
        Some(setting(spec, known, &advice, now.flatten()))
    };
    SETTINGS.iter().filter_map(shown).collect()
}

fn setting(
    spec: &InstanceSpec, known: &Setting, advice: &[Recommendation], now: Option<&SettingNow>,
) -> DatabaseSetting {
    let advice = advice.iter().find(|advice| advice.name == known.name);
    let (least, most) = known.range().unzip();
    DatabaseSetting {
        name: known.name.to_owned(),
        about: known.about.to_owned(),
        value: now.map(|now| now.value.clone()),
        source: match spec.database_settings.contains_key(known.name) {
            true => SettingSource::Set,
            false if tuning::is_kept(known.name) => SettingSource::Ocore,
            false => SettingSource::Postgresql,
        },
        applies: when(known),
        pending_restart: now.is_some_and(|now| now.pending_restart),
        default: now.map(|now| now.default.clone()),
        recommended: advice.map(|advice| advice.value.clone()),
        reason: advice.map(|advice| advice.reason.clone()),
        least,
        most,
        words: known.words(),
    }
}

fn when(known: &Setting) -> SettingApplies {
    match known.applies {
        Applies::Reload => SettingApplies::Reload,
        Applies::Restart => SettingApplies::Restart,
    }
}

/// The same as if a specification were in force.
pub fn foreseen(spec: &InstanceSpec, told: Option<&SettingList>) -> Vec<DatabaseSetting> {
    let wanted = tuning::wanted(spec);
    let mut all = available(spec, told);
    for setting in &mut all {
        setting.value = wanted.get(&setting.name).cloned().or_else(|| setting.default.clone());
    }
    all
}

/// Values that fit a machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DatabaseTuning {
    pub machine: Machine,
    pub recommendations: Vec<DatabaseAdvice>,
    /// Memory that parallel queries share (`/dev/shm`): oCore gives every PostgreSQL container as much. Docker's own 64 MB
    /// let parallel queries fail.
    pub shared_memory_mb: u32,
}

/// A value that fits, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DatabaseAdvice {
    pub name: String,
    pub value: String,
    pub reason: String,
    pub applies: SettingApplies,
    /// What is asked of the server now; null where PostgreSQL decides.
    pub wanted: Option<String>,
    /// Whether it differs.
    pub differs: bool,
}

/// Advice for a machine, held against what an instance is set to.
pub fn tuned(spec: &InstanceSpec, machine: Machine) -> DatabaseTuning {
    let wanted = tuning::wanted(spec);
    let advice = |Recommendation { name, value, reason }| {
        let wanted = wanted.get(&name).cloned();
        DatabaseAdvice {
            applies: settings::find(&name).map_or(SettingApplies::Reload, when),
            differs: wanted.as_ref() != Some(&value),
            wanted,
            name,
            value,
            reason,
        }
    };
    let recommendations = tuning::recommended(&machine).into_iter().map(advice).collect();
    DatabaseTuning { machine, recommendations, shared_memory_mb: tuning::SHARED_MEMORY_MB }
}
