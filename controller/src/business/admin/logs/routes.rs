use super::model::LogSettings;
use super::service::{self, LogChange};
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{Caller, IfMatch, Patch, PatchFields, Versioned, admin};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(admin(routes!(admin_log_settings_get)))
        .routes(admin(routes!(admin_log_settings_update)))
}

/// What becomes of logs; what is left out stays, null is as configured.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "level": "info,ocore_controller::fleet=debug", "job_log_days": 30 }))]
pub struct LogSettingsUpdate {
    /// `error`, `warn`, `info`, `debug` or `trace`, also by module, separated by commas.
    #[garde(inner(inner(length(chars, min = 1, max = 500))))]
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 500)]
    level: Option<Option<String>>,
    /// Days that logs of jobs are kept, 1 to 3650.
    #[garde(inner(inner(range(min = 1, max = 3650))))]
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 3650)]
    job_log_days: Option<Option<i32>>,
    /// Days that events can be read again, 1 to 90.
    #[garde(inner(inner(range(min = 1, max = 90))))]
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 90)]
    event_days: Option<Option<i32>>,
}

impl PatchFields for LogSettingsUpdate {
    const FIELDS: &'static [&'static str] = &["level", "job_log_days", "event_days"];
}

/// What is there is given, null too.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn versioned(settings: LogSettings) -> Versioned<LogSettings> {
    let version = settings.version;
    Versioned(StatusCode::OK, settings, version)
}

/// Get the settings of logs.
///
/// How much the controller writes into its log, and for how long logs of jobs and events are kept.
#[utoipa::path(get, path = "/api/admin/settings/logs", tag = "Admin",
    responses((status = 200, description = "What holds", body = LogSettings)))]
async fn admin_log_settings_get(State(app): State<App>) -> Result<Versioned<LogSettings>> {
    service::log_settings_get(&app).await.map(versioned)
}

/// Change the settings of logs.
///
/// The level holds at once in the process that answers and within seconds in the others; no restart is needed.
#[utoipa::path(put, path = "/api/admin/settings/logs", tag = "Admin", request_body = LogSettingsUpdate,
    responses((status = 200, description = "As they are now", body = LogSettings),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 412, description = "They have changed since they were read", body = ErrorBody)))]
async fn admin_log_settings_update(
    caller: Caller, State(app): State<App>, if_match: IfMatch, body: Patch<LogSettingsUpdate>,
) -> Result<Versioned<LogSettings>> {
    let change = |before: &LogSettings| {
        let LogSettingsUpdate { level, job_log_days, event_days } = body.read(before)?;
        Ok(LogChange { level, job_log_days, event_days })
    };
    service::log_settings_update(&caller, &app, if_match, change).await.map(versioned)
}
