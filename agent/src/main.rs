//! The agent's command line.

use clap::{Args, Parser, Subcommand};
use ocore_agent::config::{Config, DEFAULT_CONFIG_DIR, DEFAULT_DIR};
use ocore_agent::enroll::{Enroll, enroll};
use ocore_agent::identity::IdentityStore;
use ocore_agent::ops::uninstall;
use ocore_agent::{app, inspect, launcher, status};
use ocore_shared::clock::{Clock, SystemClock};
use ocore_shared::secret::Secret;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// oCore's agent: connects this server to its controller and carries out what it asks for.
#[derive(Parser)]
#[command(name = "ocore-agent", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Directories {
    /// Where the agent keeps its identity, journal and releases.
    #[arg(long, default_value = DEFAULT_DIR, env = "OCORE_AGENT_DIR")]
    dir: PathBuf,
    /// Where root's settings are.
    #[arg(long, default_value = DEFAULT_CONFIG_DIR, env = "OCORE_AGENT_CONFIG_DIR")]
    config_dir: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Make this server known to a controller, with the values of its install command.
    Enroll {
        /// The agents' port: https://HOST:8443.
        #[arg(long)]
        url: String,
        /// The public key of that port: sha256//BASE64.
        #[arg(long)]
        pin: String,
        /// The single-use join token.
        #[arg(long, env = "OCORE_JOIN_TOKEN", hide_env_values = true)]
        token: Secret,
        /// Enrol anew although this server is enrolled.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        directories: Directories,
    },
    /// Connect and work, in the foreground.
    Run {
        #[command(flatten)]
        directories: Directories,
    },
    /// Start the installed release, and start it again when it ends. What the service runs.
    Launch {
        #[command(flatten)]
        directories: Directories,
    },
    /// Say who this server is and how its connection is.
    Status {
        #[command(flatten)]
        directories: Directories,
    },
    /// Print, as JSON, what the agent sees of this server.
    Inspect {
        /// Names to look up, as the agent would look up its controller's.
        names: Vec<String>,
        #[command(flatten)]
        directories: Directories,
    },
    /// Remove the agent. Containers, volumes and instances' files stay.
    Uninstall {
        #[command(flatten)]
        directories: Directories,
    },
    /// Print the systemd unit of the service.
    Unit,
}

const UNIT: &str = include_str!("../../systemd/ocore-agent.service");

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("OCORE_LOG").unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    // Fails only when there is one already, and this is the only place that installs one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run(Cli::parse().command)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ocore-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Directories {
    fn config(self) -> anyhow::Result<Config> {
        Ok(Config::load(self.dir, self.config_dir)?)
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    match command {
        Command::Enroll { url, pin, token, force, directories } => {
            let request = Enroll { url, pin, token, force };
            println!("{}", enroll(&directories.config()?, request, clock.as_ref()).await?);
        }
        Command::Run { directories } => {
            let config = directories.config()?;
            anyhow::ensure!(
                !uninstall::marker(&config).exists() || IdentityStore::load(&config).is_ok(),
                "the agent was uninstalled from this server; enrol it again to use it"
            );
            app::run(config, clock).await?;
        }
        Command::Launch { directories } => launcher::run(&directories.config()?).await?,
        Command::Status { directories } => print_status(&directories.config()?, clock.as_ref())?,
        Command::Inspect { names, directories } => {
            let seen = inspect::inspect(&directories.config()?, clock.as_ref(), names).await?;
            println!("{}", serde_json::to_string_pretty(&seen)?);
        }
        Command::Uninstall { directories } => {
            uninstall::remove(&directories.config()?)?;
            println!("The agent was removed. Containers, volumes and instances' files were kept.");
        }
        Command::Unit => print!("{UNIT}"),
    }
    Ok(())
}

fn print_status(config: &Config, clock: &dyn Clock) -> anyhow::Result<()> {
    let store = IdentityStore::load(config)?;
    let identity = store.get();
    println!("server:       {}", identity.server_id);
    println!("organization: {}", identity.organization_id);
    let expired = if identity.not_after < clock.now() { " (expired: enrol this server again)" } else { "" };
    println!("certificate:  valid until {}{expired}", identity.not_after);
    println!("controllers:  {}", identity.controllers.join(", "));
    match status::read(config) {
        None => println!("connection:   unknown; the agent has not run yet"),
        Some(status) => {
            println!("agent:        {}", status.agent_version);
            let controller = status.controller.map(|c| format!(" ({c})")).unwrap_or_default();
            println!("connection:   {:?}{controller} since {}", status.connection, status.since);
            println!("              {}", status.message);
        }
    }
    Ok(())
}
