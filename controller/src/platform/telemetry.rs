//! The two global things: the log's subscriber and the metrics' recorder, each installed once in main.

use crate::config::{Config, LogFormat};
use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Changes the filter of the installed subscriber.
pub type LogHandle = reload::Handle<EnvFilter, Registry>;

/// How much the process writes into its log.
#[derive(Default)]
pub struct LogLevel {
    /// None where no subscriber is installed (tests).
    handle: OnceLock<LogHandle>,
    now: Mutex<String>,
}

impl LogLevel {
    /// Take over the installed subscriber, which has that filter.
    pub fn attach(&self, handle: LogHandle, filter: &str) {
        if self.handle.set(handle).is_ok() {
            filter.clone_into(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Have another filter, from now on.
    pub fn set(&self, filter: &str) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if *now == filter {
            return;
        }
        let Ok(parsed) = filter_parse(filter) else { return };
        if let Some(handle) = self.handle.get()
            && let Err(error) = handle.reload(parsed)
        {
            tracing::warn!(%error, "the log's level could not be changed");
            return;
        }
        filter.clone_into(&mut now);
        tracing::info!(filter, "the log has another level");
    }

    /// The filter that holds.
    pub fn now(&self) -> String {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Read a filter: `info`, or `info,ocore_controller=debug`.
pub fn filter_parse(text: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(text)
}

/// Install the log's subscriber; the handle changes its filter.
pub fn log_install(config: &Config) -> anyhow::Result<LogHandle> {
    let filter = filter_parse(&config.log_filter).context("--log-filter cannot be understood")?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().with_target(true).with_writer(std::io::stderr);
    let lines = match config.log_format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init().context("the log cannot be set up")?;
    Ok(handle)
}

/// Install the metrics' recorder; the handle renders `/metrics`.
pub fn metrics_install() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("the metrics' recorder cannot be installed")
}
