//! Pseudo-terminals, and login shells of the agent's own user in them.
//!
//! Where systemd runs the agent, a shell is a transient unit, so that it neither lives in the agent's sandbox nor ends
//! with it nor counts against its limits. Elsewhere it is a child.

mod account;
mod master;
mod session;
pub mod unit;

pub use master::{Keyboard, Master};
pub use session::end_session;

use crate::engine::OpError;
use account::Account;
use pty_process::{Command, Pts};
use std::os::fd::AsFd;
use tokio::process::Child;

fn failed(error: impl std::fmt::Display) -> OpError {
    OpError::retryable("terminal_failed", format!("The server cannot open a terminal: {error}."))
}

/// Open a terminal: our end, and the end that a shell gets.
pub fn open(cols: u16, rows: u16) -> Result<(Master, Pts), OpError> {
    let (pty, pts) = pty_process::open().map_err(failed)?;
    let fd = pty.as_fd().try_clone_to_owned().map_err(failed)?;
    let master = Master::new(fd).map_err(failed)?;
    master.keyboard.resize(cols, rows).map_err(failed)?;
    Ok((master, pts))
}

/// Start the shell as a child, which ends with the agent.
pub fn spawn(pts: Pts) -> Result<Child, OpError> {
    let account = Account::own();
    let command = Command::new(&account.shell)
        .arg("-l")
        .env_clear()
        .envs(account.environment())
        .current_dir(account.directory())
        .kill_on_drop(true);
    command.spawn(pts).map_err(failed)
}
