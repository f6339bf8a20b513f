//! What a person sets of an Odoo: the keys of odoo.conf that have a meaning of their own here, and the rest as it is.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings of an Odoo. What is null is decided by oCore, or left to Odoo's own default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct OdooSettings {
    /// HTTP workers; 0 is one process with threads. Null: sized from cores, memory and people.
    pub workers: Option<u16>,
    /// People who work at the same time, for the sizing.
    pub users: Option<u32>,
    /// Threads, or with workers processes, for scheduled actions. Null: 1, or 2 from 4 GB of memory on.
    pub max_cron_threads: Option<u16>,
    /// Address space in MB after which a worker is replaced once it has answered. Null: 2048, or more if the instance has more; never above the hard one.
    pub limit_memory_soft_mb: Option<u32>,
    /// Address space in MB that a worker cannot exceed. Null: a quarter above the soft limit.
    pub limit_memory_hard_mb: Option<u32>,
    /// Seconds of processor time for one request. Null: 600, or the limit of time if that is less.
    pub limit_time_cpu: Option<u32>,
    /// Seconds for one request. Null: 1200, or the limit of processor time if that is more.
    pub limit_time_real: Option<u32>,
    /// Seconds for one scheduled action; 0 is without limit. Null: as for a request.
    pub limit_time_real_cron: Option<u32>,
    /// Requests after which a worker is replaced. Null: Odoo's own.
    pub limit_request: Option<u32>,
    /// Connections to PostgreSQL of one process. Null: Odoo's own, 64.
    pub db_maxconn: Option<u16>,
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub log_level: LogLevel,
    /// Levels of single loggers, such as `odoo.addons.sale:DEBUG`.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub log_handler: Vec<String>,
    /// Modules that are loaded for the whole server besides `base` and `web`.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub server_wide_modules: Vec<String>,
    /// Search without regard to accents.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub unaccent: bool,
    /// Trust the `X-Forwarded-…` headers. Null: only behind the server's own proxy.
    pub proxy_mode: Option<bool>,
    /// Time zone of the administrator and of whom they add, such as `Europe/Warsaw`.
    pub timezone: Option<String>,
    /// Mail server for what no outgoing mail server in Odoo itself is responsible for.
    pub smtp: Option<Smtp>,
    /// Other keys of odoo.conf, as they are.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub extra_conf: BTreeMap<String, String>,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub encryption: SmtpEncryption,
    #[serde(default)]
    pub user: Option<String>,
    /// A password is stored; it is never shown.
    #[serde(default)]
    pub has_password: bool,
    /// Sender of what has none.
    #[serde(default)]
    pub from: Option<String>,
    /// Address or domain that this server may send for; other senders are rewritten (from Odoo 15 on).
    #[serde(default)]
    pub from_filter: Option<String>,
}

/// Of odoo.conf: TLS from the first byte needs an outgoing mail server in Odoo itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum SmtpEncryption {
    None,
    #[default]
    Starttls,
}

/// How much Odoo says in its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum LogLevel {
    Critical,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    /// With each request.
    DebugRpc,
    /// With each request and its answer.
    DebugRpcAnswer,
    /// With each statement.
    DebugSql,
}

impl LogLevel {
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::DebugRpc => "debug_rpc",
            Self::DebugRpcAnswer => "debug_rpc_answer",
            Self::DebugSql => "debug_sql",
        }
    }
}
