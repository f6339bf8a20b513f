//! Settings of logs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where the level comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelSource {
    /// The flag `--log-filter` or `OCORE_LOG`.
    Configuration,
    /// It was set here.
    Settings,
}

/// What holds for logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "level": "info,ocore_controller::fleet=debug", "level_source": "settings", "job_log_days": 30, "event_days": 7,
    "version": 3
}))]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`, also by module.
    pub level: String,
    pub level_source: LevelSource,
    /// Days that logs of jobs are kept.
    pub job_log_days: i32,
    /// Days that events can be read again.
    pub event_days: i32,
    pub version: i64,
}

/// What is stored; what is absent is as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_log_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_days: Option<i32>,
}

pub const JOB_LOG_DAYS: i32 = 30;
pub const EVENT_DAYS: i32 = 7;

impl Stored {
    pub fn view(&self, configured: &str, version: i64) -> LogSettings {
        LogSettings {
            level: self.level.clone().unwrap_or_else(|| configured.to_owned()),
            level_source: if self.level.is_some() { LevelSource::Settings } else { LevelSource::Configuration },
            job_log_days: self.job_log_days.unwrap_or(JOB_LOG_DAYS),
            event_days: self.event_days.unwrap_or(EVENT_DAYS),
            version,
        }
    }
}
