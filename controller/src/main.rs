//! Parse, dispatch, report.

use ocore_controller::config::{Cli, Command};
use ocore_controller::{commands, serve};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os(), |name| std::env::var(name).ok()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("a cryptographic provider is installed already");
        return ExitCode::FAILURE;
    }
    let done = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(cli.config).await,
        Command::Migrate => commands::migrate(cli.config).await,
        Command::Doctor => commands::doctor(cli.config).await,
        Command::Openapi => commands::openapi(),
        Command::Admin { command } => commands::admin(cli.config, command).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ocore-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}
