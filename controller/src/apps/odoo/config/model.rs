//! The settings as the API shows them, and what may be set.

use crate::error::Problem;
use crate::platform::http::Actor;
use crate::platform::http::HasVersion;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{InstanceId, JobId};
use ocore_shared::odoo::conf::{self, Passwords};
use ocore_shared::odoo::series::Series;
use ocore_shared::odoo::settings::{LogLevel, OdooSettings};
use ocore_shared::odoo::sizing::{self, MOST_WORKERS, Sizing};
use ocore_shared::protocol::odoo::{InstanceSpec, Limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use uuid::Uuid;

/// What an instance's Odoo is set to, and what follows from it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InstanceConfig {
    pub instance_id: InstanceId,
    #[serde(flatten)]
    pub settings: OdooSettings,
    pub odoo_version: String,
    /// What the instance may use of its server.
    pub limits: Limits,
    /// How many processes follow from all that, and why.
    pub sizing: Sizing,
    /// The whole file as the agent writes it, passwords masked.
    pub conf: String,
    /// What works, but is seldom meant.
    pub warnings: Vec<String>,
    /// Grows with each change of the instance.
    pub revision: i64,
    /// Whether that revision is in force on the server.
    pub applied: bool,
    /// The job that works on the instance now.
    pub active_job_id: Option<JobId>,
    pub version: i64,
}

impl HasVersion for InstanceConfig {
    fn version(&self) -> i64 {
        self.version
    }
}

impl InstanceConfig {
    /// What a specification amounts to.
    pub fn new(spec: &InstanceSpec, state: ConfigState) -> Result<Self, conf::ConfProblem> {
        let host = format!("postgres-{}", spec.instance_id);
        let conf = conf::render(spec, &host, &Passwords::masked(&spec.settings))?.to_string();
        Ok(Self {
            instance_id: spec.instance_id,
            settings: spec.settings.clone(),
            odoo_version: spec.odoo_version.clone(),
            limits: spec.limits.clone(),
            sizing: conf::sizing(spec),
            conf,
            warnings: warnings(spec),
            revision: spec.generation,
            applied: state.applied_generation >= spec.generation,
            active_job_id: state.active_job_id,
            version: state.version,
        })
    }
}

/// How far the settings are in force.
#[derive(Clone, Copy, Debug)]
pub struct ConfigState {
    pub applied_generation: i64,
    pub active_job_id: Option<JobId>,
    pub version: i64,
}

/// One change of the settings.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConfigRevision {
    pub id: Uuid,
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    pub actor: Actor,
    /// Why, where somebody has said so.
    pub note: String,
    pub changes: Vec<ConfigChange>,
    /// The job that brought it about, where one was needed.
    pub job_id: Option<JobId>,
}

/// One setting before and after. A password shows as `has_password` only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigChange {
    /// Its path, e.g. `smtp.host`.
    pub setting: String,
    #[schema(value_type = Object, nullable)]
    pub before: Value,
    #[schema(value_type = Object, nullable)]
    pub after: Value,
}

/// What differs between two sets of settings, by path.
pub fn changes(before: &OdooSettings, after: &OdooSettings) -> Vec<ConfigChange> {
    let (before, after) = (flat(before), flat(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |of: &BTreeMap<String, Value>, key: &String| of.get(key).cloned().unwrap_or(Value::Null);
    keys.into_iter()
        .map(|key| ConfigChange { setting: key.clone(), before: value(&before, key), after: value(&after, key) })
        .filter(|change| change.before != change.after)
        .collect()
}

fn flat(settings: &OdooSettings) -> BTreeMap<String, Value> {
    fn walk(prefix: &str, value: Value, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
                    walk(&path, value, into);
                }
            }
            value => drop(into.insert(prefix.to_owned(), value)),
        }
    }
    let mut into = BTreeMap::new();
    walk("", serde_json::to_value(settings).unwrap_or_default(), &mut into);
    into
}

/// What Odoo would not start with, or could not live with.
pub fn problems(spec: &InstanceSpec) -> Vec<Problem> {
    let settings = &spec.settings;
    let mut problems = Vec::new();
    let mut say = |field: &str, constraint: &str, message: String| {
        problems.push(Problem { field: field.into(), constraint: constraint.into(), message });
    };
    let sized = conf::sizing(spec);
    if let Some(workers) = settings.workers.filter(|workers| *workers > 0) {
        let needed = sizing::memory_needed_mb(workers, sized.max_cron_threads);
        if workers > MOST_WORKERS {
            say("workers", "max", format!("At most {MOST_WORKERS} workers; spread the load over several instances."));
        } else if needed > spec.limits.memory_mb {
            say(
                "workers",
                "memory",
                format!(
                    "{workers} workers need about {needed} MB of memory and the instance may use {}: ask for {} at most, or raise limits.memory_mb.",
                    spec.limits.memory_mb, sized.by_memory
                ),
            );
        }
    }
    if let (Some(soft), Some(hard)) = (settings.limit_memory_soft_mb, settings.limit_memory_hard_mb)
        && hard < soft
    {
        say("limit_memory_hard_mb", "min", format!("Must not be below limit_memory_soft_mb, which is {soft}."));
    }
    if let (Some(cpu), Some(real)) = (settings.limit_time_cpu, settings.limit_time_real)
        && real < cpu
    {
        say("limit_time_real", "min", format!("Must not be below limit_time_cpu, which is {cpu}."));
    }
    if let Some(smtp) = &settings.smtp {
        if smtp.has_password && smtp.user.is_none() {
            say(
                "smtp.user",
                "required",
                "A password goes with a user; name the user, or leave the password out.".into(),
            );
        }
        if smtp.from_filter.is_some() && Series::of(&spec.odoo_version).is_some_and(|series| !series.has_from_filter) {
            let message = format!("Odoo {} does not know it; leave it out.", spec.odoo_version);
            say("smtp.from_filter", "version", message);
        }
    }
    for (key, value) in &settings.extra_conf {
        if let Err(problem) = conf::check_extra(key, value) {
            say(&problem.field, problem.code, problem.message);
        }
    }
    problems
}

fn warnings(spec: &InstanceSpec) -> Vec<String> {
    let settings = &spec.settings;
    let sized = conf::sizing(spec);
    let mut warnings = Vec::new();
    if settings.workers.is_some_and(|workers| workers > sized.by_cpu.max(1)) {
        warnings.push(format!(
            "{} workers share {} cores, which serve {} well; more of them wait for each other.",
            sized.workers, spec.limits.cpus, sized.by_cpu
        ));
    }
    if sized.workers > 0 && !spec.has_proxy {
        warnings.push(
            "With workers the live bus (chat, notifications) has a port of its own, realtime_port of the instance. A proxy of yours has to lead to it, as the file shown with each domain does.".into(),
        );
    }
    if settings.proxy_mode == Some(true) && !spec.has_proxy {
        warnings.push(
            "proxy_mode trusts X-Forwarded headers from whoever reaches Odoo's port; publish that port to your proxy only.".into(),
        );
    }
    if settings.max_cron_threads == Some(0) {
        warnings.push(
            "Without cron threads no scheduled action runs: no queued mail leaves, nothing is cleaned up.".into(),
        );
    }
    if matches!(settings.log_level, LogLevel::DebugSql | LogLevel::DebugRpc | LogLevel::DebugRpcAnswer) {
        warnings.push("This log level writes what people send and read into the log, and makes Odoo slow.".into());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocore_shared::odoo::settings::{Smtp, SmtpEncryption};

    #[test]
    fn what_differs_is_named_by_its_path() {
        let smtp = Smtp {
            host: "a".into(),
            port: 25,
            encryption: SmtpEncryption::None,
            user: None,
            has_password: false,
            from: None,
            from_filter: None,
        };
        let before = OdooSettings { smtp: Some(smtp.clone()), ..OdooSettings::default() };
        let after = OdooSettings {
            workers: Some(4),
            smtp: Some(Smtp { host: "b".into(), ..smtp }),
            extra_conf: [("x".to_owned(), "1".to_owned())].into(),
            ..OdooSettings::default()
        };
        let told: Vec<String> = changes(&before, &after)
            .into_iter()
            .map(|c| format!("{} {} -> {}", c.setting, c.before, c.after))
            .collect();
        assert_eq!(told, ["extra_conf.x null -> \"1\"", "smtp.host \"a\" -> \"b\"", "workers null -> 4"]);
        assert!(changes(&after, &after).is_empty());
    }
}
