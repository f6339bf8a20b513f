//! Health of an instance, and what it uses, as its agent finds them.

use crate::ids::InstanceId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is looked at, each by itself: a container that runs is not an Odoo that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// Odoo's container runs.
    Container,
    /// Odoo answers requests.
    Http,
    /// PostgreSQL takes connections.
    Database,
    /// The live bus answers on its own port; only with workers.
    Realtime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    Ok,
    /// It does not answer yet, so soon after its start.
    Starting,
    /// Three times in a row.
    Failing,
    Unknown,
    NotApplicable,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "utoipa", schema(as = InstanceHealthCheck))]
pub struct HealthCheck {
    pub name: CheckName,
    pub state: CheckState,
    /// Why it is not ok, in a sentence.
    pub reason: Option<String>,
    /// Since when it is in this state.
    pub since: DateTime<Utc>,
}

/// How Odoo's container has ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Crashes {
    /// Restarts by Docker in the last 10 minutes.
    pub recent: u32,
    /// Restarts by Docker since it was last started on purpose.
    pub total: u32,
    /// Three or more recent ones; over when it has stayed up for 5 minutes.
    pub is_looping: bool,
    pub last_at: Option<DateTime<Utc>>,
    pub exit_code: Option<i64>,
    /// It wanted more memory than it may have.
    pub out_of_memory: bool,
}

/// What the checks come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    Unknown,
    /// On purpose.
    Stopped,
    Starting,
    Healthy,
    Unhealthy,
    /// It ends again and again right after its start.
    CrashLooping,
}

impl HealthState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::CrashLooping => "crash_looping",
        }
    }
}

/// All that is known of an instance's health. Sent when something in it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct InstanceHealthReport {
    pub instance_id: InstanceId,
    pub checks: Vec<HealthCheck>,
    pub crashes: Crashes,
}

impl InstanceHealthReport {
    pub fn check(&self, name: CheckName) -> Option<&HealthCheck> {
        self.checks.iter().find(|check| check.name == name)
    }

    pub fn state(&self) -> HealthState {
        let is = |name, state| self.check(name).is_some_and(|check| check.state == state);
        let any =
            |state| [CheckName::Container, CheckName::Http, CheckName::Database].into_iter().any(|n| is(n, state));
        if is(CheckName::Container, CheckState::NotApplicable) {
            HealthState::Stopped
        } else if self.crashes.is_looping {
            HealthState::CrashLooping
        } else if any(CheckState::Failing) {
            HealthState::Unhealthy
        } else if any(CheckState::Starting) {
            HealthState::Starting
        } else if is(CheckName::Http, CheckState::Ok) {
            HealthState::Healthy
        } else {
            HealthState::Unknown
        }
    }

    /// Why it is not healthy.
    pub fn reason(&self) -> Option<&str> {
        let bad = |check: &&HealthCheck| matches!(check.state, CheckState::Failing | CheckState::Starting);
        self.checks.iter().find(bad).and_then(|check| check.reason.as_deref())
    }
}

/// What an instance's Odoo container uses. Rates are per second since the sample before. None is unknown, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct InstanceSample {
    pub instance_id: InstanceId,
    pub at: DateTime<Utc>,
    /// 100 is one core.
    pub cpu_percent: Option<f32>,
    /// Without the page cache that the kernel gives back at once.
    pub memory_used_bytes: Option<i64>,
    /// Of the processes alone.
    pub memory_rss_bytes: Option<i64>,
    pub memory_limit_bytes: Option<i64>,
    pub network_rx_bytes_per_second: Option<i64>,
    pub network_tx_bytes_per_second: Option<i64>,
    pub block_read_bytes_per_second: Option<i64>,
    pub block_write_bytes_per_second: Option<i64>,
    pub processes: Option<i32>,
    /// Of Odoo's database; measured every 5 minutes, like the two below.
    pub database_bytes: Option<i64>,
    pub database_connections: Option<i32>,
    /// Attachments of that database.
    pub filestore_bytes: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let check = |name, state| HealthCheck { name, state, reason: None, since: DateTime::UNIX_EPOCH };
        let state = |container, http, database, is_looping| {
            let checks = vec![
                check(CheckName::Container, container),
                check(CheckName::Http, http),
                check(CheckName::Database, database),
                check(CheckName::Realtime, CheckState::Failing),
            ];
            let crashes = Crashes { is_looping, ..Crashes::default() };
            InstanceHealthReport { instance_id: InstanceId::new(), checks, crashes }.state()
        };
        use CheckState::{Failing, NotApplicable, Ok, Starting, Unknown};
        assert_eq!(state(Ok, Ok, Ok, false), HealthState::Healthy, "without the live bus one can work");
        assert_eq!(state(Ok, Ok, Failing, false), HealthState::Unhealthy);
        assert_eq!(state(Ok, Starting, Ok, false), HealthState::Starting);
        assert_eq!(state(Ok, Ok, Ok, true), HealthState::CrashLooping);
        assert_eq!(state(NotApplicable, Unknown, Unknown, true), HealthState::Stopped);
        assert_eq!(state(Ok, Unknown, Ok, false), HealthState::Unknown);
    }
}
