//! The two global things: the log's subscriber and the metrics' recorder, each installed once in main.

use crate::config::{Config, LogFormat};
use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Install the log's subscriber.
pub fn log_install(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_filter).context("--log-filter cannot be understood")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(true).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|e| anyhow::anyhow!("the log cannot be set up: {e}"))
}

/// Install the metrics' recorder; the handle renders `/metrics`.
pub fn metrics_install() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("the metrics' recorder cannot be installed")
}
