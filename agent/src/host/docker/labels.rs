//! Our labels. An object without `sh.ocore.managed=true` is somebody else's and is never changed.

use crate::engine::{JobContext, OpError};
use ocore_shared::ids::{EnvironmentId, InstanceId, JobId, OrganizationId};
use std::collections::HashMap;

pub const PREFIX: &str = "sh.ocore.";
pub const MANAGED: &str = "sh.ocore.managed";
pub const ORGANIZATION: &str = "sh.ocore.organization";
pub const INSTANCE: &str = "sh.ocore.instance";
pub const ENVIRONMENT: &str = "sh.ocore.environment";
pub const ROLE: &str = "sh.ocore.role";
pub const JOB: &str = "sh.ocore.job";
pub const STEP: &str = "sh.ocore.step";
pub const SPEC_HASH: &str = "sh.ocore.spec-hash";

/// Who an object belongs to and which job made it.
#[derive(Clone, Debug)]
pub struct Owner {
    pub organization: OrganizationId,
    pub environment: EnvironmentId,
    /// None on what the instances of an environment share.
    pub instance: Option<InstanceId>,
    pub job: JobId,
    pub spec_hash: String,
}

impl Owner {
    pub fn labels(&self, role: &str, step: &str) -> HashMap<String, String> {
        let mut labels = HashMap::from([
            (MANAGED.into(), "true".into()),
            (ORGANIZATION.into(), self.organization.to_string()),
            (ENVIRONMENT.into(), self.environment.to_string()),
            (ROLE.into(), role.into()),
            (JOB.into(), self.job.to_string()),
            (STEP.into(), step.into()),
            (SPEC_HASH.into(), self.spec_hash.clone()),
        ]);
        if let Some(instance) = self.instance {
            labels.insert(INSTANCE.into(), instance.to_string());
        }
        labels
    }
}

/// `key=value`, as filters want it.
pub fn filter(key: &str, value: impl std::fmt::Display) -> String {
    format!("{key}={value}")
}

pub fn managed() -> String {
    filter(MANAGED, true)
}

pub fn is_managed(labels: Option<&HashMap<String, String>>) -> bool {
    labels.and_then(|l| l.get(MANAGED)).is_some_and(|v| v == "true")
}

/// Refuse to touch what is not ours.
pub fn must_be_ours(name: &str, labels: Option<&HashMap<String, String>>) -> Result<(), OpError> {
    if is_managed(labels) {
        return Ok(());
    }
    Err(OpError::new(
        "name_taken",
        format!("{name} exists on this server but was not made by oCore. It stays untouched; rename or remove it."),
    ))
}

/// Whether this very job made it.
pub fn made_by(labels: Option<&HashMap<String, String>>, ctx: &JobContext) -> bool {
    is_managed(labels) && labels.and_then(|l| l.get(JOB)) == Some(&ctx.id().to_string())
}
