//! `/api/instances/{id}/config`.

use super::model::{ConfigRevision, InstanceConfig};
use super::service;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::patch::present;
use crate::platform::http::{
    Accepted, Body, Changed, Ctx, DryRun, IfMatch, List, Page, Params, Patch, PatchFields, Path, Permission, Versioned,
    guard,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::InstanceId;
use ocore_shared::odoo::settings::{LogLevel, SmtpEncryption};
use ocore_shared::secret::Secret;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ViewInstances, routes!(config_get)))
        .routes(guard(Permission::ManageInstances, routes!(config_update)))
        .routes(guard(Permission::ViewInstances, routes!(config_history)))
        .routes(guard(Permission::ManageInstances, routes!(config_revert)))
}

/// Get what an instance's Odoo is set to, with its odoo.conf.
#[utoipa::path(get, path = "/api/instances/{id}/config", tag = "Instances", params(InstanceId),
    responses((status = 200, body = InstanceConfig), (status = 404, body = ErrorBody)))]
async fn config_get(ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>) -> Result<Versioned<InstanceConfig>> {
    let config = service::config_get(&ctx, &app, id).await?;
    let version = config.version;
    Ok(Versioned(StatusCode::OK, config, version))
}

/// Settings to change; what is left out stays, null goes back to what oCore decides.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigInput {
    /// 0 is one process with threads. Null: sized from cores, memory and people.
    #[garde(skip)]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u16>)]
    pub workers: Option<Option<u16>>,
    #[garde(inner(inner(range(min = 1, max = 100_000))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100_000)]
    pub users: Option<Option<u32>>,
    #[garde(inner(inner(range(max = 16))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u16>, maximum = 16)]
    pub max_cron_threads: Option<Option<u16>>,
    /// At least 640: Odoo itself takes as much.
    #[garde(inner(inner(range(min = 640, max = 1_048_576))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 640, maximum = 1_048_576)]
    pub limit_memory_soft_mb: Option<Option<u32>>,
    #[garde(inner(inner(range(min = 1024, max = 1_048_576))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 1024, maximum = 1_048_576)]
    pub limit_memory_hard_mb: Option<Option<u32>>,
    #[garde(inner(inner(range(min = 10, max = 86_400))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 10, maximum = 86_400)]
    pub limit_time_cpu: Option<Option<u32>>,
    #[garde(inner(inner(range(min = 10, max = 86_400))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 10, maximum = 86_400)]
    pub limit_time_real: Option<Option<u32>>,
    #[garde(inner(inner(range(max = 604_800))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, maximum = 604_800)]
    pub limit_time_real_cron: Option<Option<u32>>,
    #[garde(inner(inner(range(min = 100, max = 10_000_000))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 100, maximum = 10_000_000)]
    pub limit_request: Option<Option<u32>>,
    #[garde(inner(inner(range(min = 4, max = 1000))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u16>, minimum = 4, maximum = 1000)]
    pub db_maxconn: Option<Option<u16>>,
    #[garde(skip)]
    pub log_level: Option<LogLevel>,
    /// `logger:LEVEL`, such as `odoo.addons.sale:DEBUG` or `:WARNING` for all.
    #[garde(inner(length(max = 50), inner(pattern("^[a-zA-Z0-9_.]{0,100}:(DEBUG|INFO|WARNING|ERROR|CRITICAL)$"))))]
    pub log_handler: Option<Vec<String>>,
    /// Technical names.
    #[garde(inner(length(max = 50), inner(pattern("^[a-z0-9_]{1,64}$"))))]
    pub server_wide_modules: Option<Vec<String>>,
    #[garde(skip)]
    pub unaccent: Option<bool>,
    #[garde(skip)]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    pub proxy_mode: Option<Option<bool>>,
    /// Such as `Europe/Warsaw`.
    #[garde(inner(inner(custom(known_timezone))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub timezone: Option<Option<String>>,
    #[garde(dive)]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<SmtpInput>)]
    pub smtp: Option<Option<SmtpInput>>,
    /// All of them: those that are left out are removed.
    #[garde(inner(custom(sane_extra)))]
    pub extra_conf: Option<BTreeMap<String, String>>,
    /// Why, for the history.
    #[garde(inner(length(chars, max = 500)))]
    pub note: Option<String>,
}

/// A mail server to use.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpInput {
    /// Name or address.
    #[garde(length(max = 253), pattern("^[a-zA-Z0-9]([a-zA-Z0-9.:-]*[a-zA-Z0-9])?$"))]
    pub host: String,
    #[garde(range(min = 1))]
    #[serde(default = "submission")]
    pub port: u16,
    #[garde(skip)]
    #[serde(default)]
    pub encryption: SmtpEncryption,
    #[garde(inner(length(chars, min = 1, max = 256), custom(one_line)))]
    pub user: Option<String>,
    /// Left out: the one that is stored stays, as long as host and user do.
    #[garde(inner(custom(one_line_secret)))]
    #[schema(value_type = Option<String>, format = Password)]
    pub password: Option<Secret>,
    /// False removes the stored password.
    #[garde(skip)]
    pub has_password: Option<bool>,
    /// Sender of what has none.
    #[garde(inner(length(chars, min = 3, max = 254), custom(one_line)))]
    pub from: Option<String>,
    /// Address or domain that this server may send for (Odoo 15 and later).
    #[garde(inner(length(chars, min = 1, max = 254), custom(one_line)))]
    pub from_filter: Option<String>,
}

fn submission() -> u16 {
    587
}

fn known_timezone(name: &str, (): &()) -> garde::Result {
    match name.parse::<chrono_tz::Tz>() {
        Ok(_) => Ok(()),
        Err(_) => Err(garde::Error::new("is no time zone; write it like Europe/Warsaw")),
    }
}

fn one_line(text: &str, (): &()) -> garde::Result {
    if text.chars().any(char::is_control) || text.trim() != text {
        return Err(garde::Error::new("must be one line without spaces at its ends"));
    }
    Ok(())
}

fn one_line_secret(secret: &Secret, (): &()) -> garde::Result {
    if !(1..=256).contains(&secret.expose().chars().count()) {
        return Err(garde::Error::new("must have 1 to 256 characters"));
    }
    one_line(secret.expose(), &())
}

fn sane_extra(extra: &BTreeMap<String, String>, (): &()) -> garde::Result {
    if extra.len() > 100 || extra.iter().any(|(key, value)| key.len() > 100 || value.len() > 4096) {
        return Err(garde::Error::new("must be at most 100 keys with values of up to 4096 bytes"));
    }
    Ok(())
}

impl PatchFields for ConfigInput {
    const FIELDS: &'static [&'static str] = &[
        "workers",
        "users",
        "max_cron_threads",
        "limit_memory_soft_mb",
        "limit_memory_hard_mb",
        "limit_time_cpu",
        "limit_time_real",
        "limit_time_real_cron",
        "limit_request",
        "db_maxconn",
        "log_level",
        "log_handler",
        "server_wide_modules",
        "unaccent",
        "proxy_mode",
        "timezone",
        "smtp",
        "extra_conf",
        "note",
    ];
}

/// Change what an instance's Odoo is set to. It is tried beside the Odoo that serves before that is restarted.
#[utoipa::path(put, path = "/api/instances/{id}/config", tag = "Instances", params(InstanceId, DryRun),
    request_body = ConfigInput,
    responses((status = 202, description = "A job applies it", body = Accepted),
        (status = 200, description = "Nothing is to be done, the instance is not set up yet, or dry_run", body = InstanceConfig),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
async fn config_update(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, if_match: IfMatch, Params(params): Params<DryRun>,
    patch: Patch<ConfigInput>,
) -> Result<Changed<InstanceConfig>> {
    service::config_update(&ctx, &app, id, patch, if_match, params.dry_run).await
}

/// List the changes of an instance's settings, newest first.
#[utoipa::path(get, path = "/api/instances/{id}/config/history", tag = "Instances", params(InstanceId, Page),
    responses((status = 200, body = List<ConfigRevision>), (status = 404, body = ErrorBody)))]
async fn config_history(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, Params(page): Params<Page>,
) -> Result<Json<List<ConfigRevision>>> {
    service::config_history(&ctx, &app, id, &page).await.map(Json)
}

/// A revision to go back to.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigRevert {
    /// Of the history.
    #[garde(skip)]
    pub revision: i64,
    /// Why, for the history.
    #[garde(inner(length(chars, max = 500)))]
    pub note: Option<String>,
}

/// Set an instance's Odoo as it was at a revision, its mail password included.
#[utoipa::path(post, path = "/api/instances/{id}/config/revert", tag = "Instances", params(InstanceId),
    request_body = ConfigRevert,
    responses((status = 202, description = "A job applies it", body = Accepted),
        (status = 200, description = "Nothing is to be done, or the instance is not set up yet", body = InstanceConfig),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
async fn config_revert(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InstanceId>, if_match: IfMatch, Body(body): Body<ConfigRevert>,
) -> Result<Changed<InstanceConfig>> {
    service::config_revert(&ctx, &app, id, body.revision, body.note, if_match).await
}
