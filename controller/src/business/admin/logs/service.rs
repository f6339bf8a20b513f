//! Reading, changing and applying the settings of logs.

use super::model::{LogSettings, Stored};
use super::store;
use crate::app::App;
use crate::business::settings::store::group_set;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Caller, IfMatch};
use crate::platform::telemetry;
use crate::signals::events::Subject;
use std::time::Duration;
use uuid::Uuid;

const LOOK: Duration = Duration::from_secs(5);

/// What a setting becomes: left out, as it was; null, as configured.
#[derive(Clone, Debug, Default)]
pub struct LogChange {
    pub level: Option<Option<String>>,
    pub job_log_days: Option<Option<i32>>,
    pub event_days: Option<Option<i32>>,
}

pub async fn log_settings_get(app: &App) -> Result<LogSettings> {
    let mut connection = app.db.system().acquire().await?;
    let (stored, version) = store::log_settings_get(&mut connection).await?;
    Ok(stored.view(&app.config.log_filter, version))
}

/// Change them. Here the level holds at once, in other replicas within seconds.
pub async fn log_settings_update(
    caller: &Caller, app: &App, if_match: IfMatch, change: impl FnOnce(&LogSettings) -> Result<LogChange>,
) -> Result<LogSettings> {
    let mut tx = app.db.system().begin().await?;
    store::log_settings_lock(&mut tx).await?;
    let (stored, version) = store::log_settings_get(&mut tx).await?;
    let configured = &app.config.log_filter;
    let before = stored.view(configured, version);
    if_match.check(version)?;
    let change = change(&before)?;
    let wanted = Stored {
        level: wanted(change.level, &before.level, &stored.level),
        job_log_days: wanted(change.job_log_days, &before.job_log_days, &stored.job_log_days),
        event_days: wanted(change.event_days, &before.event_days, &stored.event_days),
    };
    if let Some(level) = &wanted.level
        && let Err(problem) = telemetry::filter_parse(level)
    {
        let message = format!("This is no level: {problem}. Write it like info, or info,ocore_controller=debug.");
        return Err(Error::field("level", "filter", message));
    }
    if wanted == stored {
        return Ok(before);
    }
    group_set(&mut tx, store::KEY, &wanted).await?;
    let (stored, version) = store::log_settings_get(&mut tx).await?;
    let after = stored.view(configured, version);
    let value = |view: &LogSettings| serde_json::to_value(view).map_err(Error::internal);
    let (earlier, later) = (value(&before)?, value(&after)?);
    let subject = Subject::new("settings", Uuid::nil(), "logs");
    audit_append(&mut tx, None, caller, "log_settings.updated", &subject, Some(earlier), Some(later)).await?;
    tx.commit().await?;
    app.log.set(&after.level);
    Ok(after)
}

/// What comes back as it was shown changes nothing: a value of the configuration stays one.
fn wanted<T: Clone + PartialEq>(given: Option<Option<T>>, shown: &T, stored: &Option<T>) -> Option<T> {
    match given {
        Some(Some(value)) if value == *shown => stored.clone(),
        Some(value) => value,
        None => stored.clone(),
    }
}

/// Keeps the level of this process as it is set, whoever has set it.
pub async fn log_level_task(app: App) {
    loop {
        match log_settings_get(&app).await {
            Ok(settings) => app.log.set(&settings.level),
            Err(error) => tracing::debug!(%error, "the level of the log could not be read"),
        }
        tokio::time::sleep(LOOK).await;
    }
}
