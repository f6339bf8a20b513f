//! One typed configuration, from flags, `OCORE_*` variables and `*_FILE` variables, in that order.

use crate::network::domains::names::host_of;
use crate::platform::http::cors::parse_origin;
use crate::platform::mail::model::MailTls;
use clap::{Args, CommandFactory, Parser, Subcommand};
use ipnetwork::IpNetwork;
use ocore_shared::secret::Secret;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The oCore control plane.
#[derive(Parser, Debug)]
#[command(name = "ocore-controller", version, about)]
pub struct Cli {
    #[command(flatten)]
    pub config: Config,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the controller (the default).
    Serve,
    /// Bring the database to this version's schema and stop.
    Migrate,
    /// Check configuration, database, addresses and agent binary; say what to mend.
    Doctor,
    /// Print the OpenAPI document.
    Openapi,
    /// Operations for whoever has a shell on this machine.
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
}

#[derive(Subcommand, Debug)]
pub enum AdminCommand {
    /// Print a new one-time link for making the first admin.
    BootstrapLink,
    /// Set a person's password; it is read from standard input. All sessions of that person end.
    ResetPassword {
        email: String,
        /// Ask for no codes of an authenticator app any more: the phone and the recovery codes are lost.
        #[arg(long)]
        without_second_factor: bool,
    },
    /// Set the addresses by which people and servers reach this controller. Agents learn of them as they connect.
    PublicUrl {
        /// https://HOST:PORT, the one to show first; none means to guess.
        urls: Vec<String>,
        /// Do not try them out.
        #[arg(long)]
        unchecked: bool,
    },
    /// Print a one-line install command for a new server of an organization.
    AddServer {
        /// Slug of the organization; the only one when left out.
        #[arg(long)]
        organization: Option<String>,
        name: String,
        /// Print just the address, pin and token, one per line.
        #[arg(long)]
        raw: bool,
    },
}

#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where embedded PostgreSQL, master key and releases live.
    #[arg(long, env = "OCORE_DATA_DIR", default_value = "/var/lib/ocore", global = true)]
    pub data_dir: PathBuf,
    /// PostgreSQL 14 or newer; without it an embedded cluster is run from the system's binaries.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<Secret>,
    /// Most connections that requests may use.
    #[arg(long, env = "OCORE_DATABASE_CONNECTIONS", default_value_t = 25, global = true)]
    pub database_connections: usize,
    /// Address of people and API: plain HTTP from loopback, HTTPS from everywhere, on the same port.
    #[arg(long, env = "OCORE_LISTEN", default_value = "0.0.0.0:8080", global = true)]
    pub listen: SocketAddr,
    /// Answer plain HTTP from other machines too (behind a proxy that ends TLS).
    #[arg(long, env = "OCORE_ALLOW_PLAIN_HTTP", global = true)]
    pub allow_plain_http: bool,
    /// Address of the agents' port.
    #[arg(long, env = "OCORE_AGENTS_LISTEN", default_value = "0.0.0.0:8443", global = true)]
    pub agents_listen: SocketAddr,
    /// Addresses by which people and agents reach this controller, e.g. https://ocore.example.com:8080; the first is shown.
    #[arg(long, env = "OCORE_PUBLIC_URL", value_delimiter = ',', global = true)]
    pub public_url: Vec<String>,
    /// Name of this controller, e.g. ocore.example.com: the managed proxy of the server that it shares a machine with serves it
    /// by HTTPS, with a certificate that it fetches.
    #[arg(long, env = "OCORE_DOMAIN", value_parser = parse_domain, global = true)]
    pub domain: Option<String>,
    /// HOST:PORT of the agents' port when it differs from the hosts of --public-url.
    #[arg(long, env = "OCORE_AGENTS_ADDRESS", value_delimiter = ',', global = true)]
    pub agents_address: Vec<String>,
    /// Certificate chain (PEM) for people and API; without it one is made by the controller's own authority.
    #[arg(long, env = "OCORE_TLS_CERTIFICATE", requires = "tls_key", global = true)]
    pub tls_certificate: Option<PathBuf>,
    /// Private key (PEM) of --tls-certificate.
    #[arg(long, env = "OCORE_TLS_KEY", requires = "tls_certificate", global = true)]
    pub tls_key: Option<PathBuf>,
    /// Secret of at least 32 characters for access tokens; without it one is derived from the master key.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, global = true)]
    pub jwt_secret: Option<Secret>,
    /// Life of an access token: 3600, 15m, 1h.
    #[arg(long, env = "JWT_ACCESS_EXPIRY", default_value = "1h", value_parser = parse_duration, global = true)]
    pub access_expiry: Duration,
    /// Life of a session without use.
    #[arg(long, env = "JWT_REFRESH_EXPIRY", default_value = "30d", value_parser = parse_duration, global = true)]
    pub refresh_expiry: Duration,
    /// Image of Odoo; {version} is replaced by the series.
    #[arg(long, env = "OCORE_ODOO_IMAGE", default_value = "odoo:{version}", global = true)]
    pub odoo_image: String,
    /// Image of the PostgreSQL container of an environment.
    #[arg(long, env = "OCORE_POSTGRES_IMAGE", default_value = "postgres:15", global = true)]
    pub postgres_image: String,
    /// Image of the proxy of a server.
    #[arg(long, env = "OCORE_PROXY_IMAGE", default_value = "caddy:2", global = true)]
    pub proxy_image: String,
    /// Name server that domains are looked up at, IP:PORT; the system's own when left out.
    #[arg(long, env = "OCORE_DNS_SERVER", global = true)]
    pub dns_server: Option<SocketAddr>,
    /// The agent's binary that is served to new servers; by default the newest below the data directory's releases.
    #[arg(long, env = "OCORE_AGENT_BINARY", global = true)]
    pub agent_binary: Option<PathBuf>,
    /// Life of an agent's certificate; it is renewed at two thirds.
    #[arg(long, env = "OCORE_AGENT_CERTIFICATE_LIFE", default_value = "7d", value_parser = parse_duration, global = true)]
    pub agent_certificate_life: Duration,
    /// Requests that one caller may make at once; 0 switches the limit off.
    #[arg(long, env = "OCORE_RATE_LIMIT_BURST", default_value_t = 100, global = true)]
    pub rate_limit_burst: u32,
    /// Requests per second that a caller may make on average.
    #[arg(long, env = "OCORE_RATE_LIMIT_PER_SECOND", default_value_t = 50, global = true)]
    pub rate_limit_per_second: u32,
    /// SMTP server that mail is handed to; without one mail is kept for the administrator.
    #[arg(long, env = "SMTP_HOST", global = true)]
    pub smtp_host: Option<String>,
    #[arg(long, env = "SMTP_PORT", default_value_t = 587, global = true)]
    pub smtp_port: u16,
    /// `starttls`, `tls` (from the first byte, port 465) or `none` (a server on this machine).
    #[arg(long, env = "SMTP_TLS", default_value = "starttls", global = true)]
    pub smtp_tls: MailTls,
    #[arg(long, env = "SMTP_USERNAME", requires = "smtp_password", global = true)]
    pub smtp_username: Option<String>,
    #[arg(long, env = "SMTP_PASSWORD", hide_env_values = true, requires = "smtp_username", global = true)]
    pub smtp_password: Option<Secret>,
    /// Sender of all mail, `oCore <noreply@example.com>`.
    #[arg(long, env = "SMTP_FROM", global = true)]
    pub smtp_from: Option<String>,
    /// Private networks that webhooks and other addresses of users may reach, also by plain http; none by default.
    #[arg(long, env = "OCORE_OUTBOUND_ALLOW", value_delimiter = ',', global = true)]
    pub outbound_allow: Vec<IpNetwork>,
    /// How long the receiver of a webhook, or another address of a user, may take to answer.
    #[arg(long, env = "OCORE_OUTBOUND_TIMEOUT", default_value = "15s", value_parser = parse_duration, global = true)]
    pub outbound_timeout: Duration,
    /// Proxies whose X-Forwarded-For is believed.
    #[arg(long, env = "OCORE_TRUSTED_PROXIES", value_delimiter = ',', global = true)]
    pub trusted_proxies: Vec<IpAddr>,
    /// Origins of other sites' pages that may call the API from a browser, e.g. https://panel.example.com; none by default.
    #[arg(long, env = "OCORE_CORS_ORIGINS", value_delimiter = ',', value_parser = parse_origin, global = true)]
    pub cors_origins: Vec<String>,
    /// Seconds that open requests get at shutdown.
    #[arg(long, env = "OCORE_DRAIN_SECONDS", default_value_t = 10, global = true)]
    pub drain_seconds: u64,
    /// `text` or `json`.
    #[arg(long, env = "OCORE_LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
    /// Filter of the log, e.g. info,ocore_controller=debug.
    #[arg(long, env = "OCORE_LOG", default_value = "info", global = true)]
    pub log_filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

impl Cli {
    /// Parse flags and environment. A variable `NAME_FILE` stands for `NAME` with the file's content, so that secrets
    /// need not be in the environment.
    pub fn read(
        args: impl IntoIterator<Item = OsString>, variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, clap::Error> {
        let mut args: Vec<OsString> = args.into_iter().collect();
        let command = Self::command();
        for arg in command.get_arguments() {
            let (Some(name), Some(long)) = (arg.get_env().and_then(|n| n.to_str()), arg.get_long()) else { continue };
            let flag = format!("--{long}");
            let given = args.iter().filter_map(|a| a.to_str()).any(|a| a == flag || a.starts_with(&format!("{flag}=")));
            if given || variable(name).is_some() {
                continue;
            }
            if let Some(path) = variable(&format!("{name}_FILE")) {
                let content = std::fs::read_to_string(&path).map_err(|e| {
                    Self::command().error(clap::error::ErrorKind::Io, format!("{name}_FILE: cannot read {path}: {e}"))
                })?;
                args.insert(1, format!("{flag}={}", content.trim_end_matches('\n')).into());
            }
        }
        let mut cli = Self::try_parse_from(args)?;
        cli.config.name_prefer();
        Ok(cli)
    }
}

impl Config {
    /// What has a name is reached by it first.
    fn name_prefer(&mut self) {
        let Some(url) = self.domain.as_ref().map(|domain| format!("https://{domain}")) else { return };
        self.public_url.retain(|known| *known != url);
        self.public_url.insert(0, url);
    }
}

fn parse_domain(text: &str) -> Result<String, String> {
    host_of(text).map_err(|problem| format!("'{text}' is no name that a certificate can be fetched for: {problem}"))
}

/// `90` (seconds), `90s`, `15m`, `1h`, `30d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(format!("'{text}' is not a duration; write it like 90s, 15m, 1h or 30d")),
    };
    let number: u64 = number.parse().map_err(|_| format!("'{text}' is not a duration; write it like 1h"))?;
    number
        .checked_mul(seconds)
        .filter(|s| *s > 0)
        .map(Duration::from_secs)
        .ok_or_else(|| format!("'{text}' must be more than nothing and less than forever"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written_in_the_reference() {
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(parse_duration("900"), Ok(Duration::from_secs(900)));
        assert!(parse_duration("soon").is_err());
        assert!(parse_duration("0s").is_err());
    }

    #[test]
    fn a_file_variable_stands_for_the_variable() {
        let dir = std::env::temp_dir().join(format!("ocore-config-{}", uuid::Uuid::now_v7()));
        std::fs::write(&dir, "postgres://db/ocore\n").unwrap();
        let path = dir.to_str().unwrap().to_owned();
        let cli = Cli::read(["ocore-controller".into(), "migrate".into()], |name| {
            (name == "DATABASE_URL_FILE").then(|| path.clone())
        })
        .unwrap();
        assert_eq!(cli.config.database_url.unwrap().expose(), "postgres://db/ocore");
        assert!(matches!(cli.command, Some(Command::Migrate)));
        std::fs::remove_file(dir).unwrap();
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Cli::read(["ocore-controller".into()], |name| {
            (name == "JWT_SECRET_FILE").then(|| "/nowhere/at/all".to_owned())
        })
        .unwrap_err()
        .to_string();
        assert!(error.contains("JWT_SECRET_FILE") && error.contains("/nowhere/at/all"), "{error}");
    }
}
