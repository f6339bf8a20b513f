//! A shell on the server itself.

use super::terminal::{Input, Terminal};
use crate::engine::OpError;
use crate::host::pty;
use ocore_shared::protocol::terminals::TerminalOpen;
use pty_process::Size;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// What is still on its way when the shell has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

pub fn open(request: &TerminalOpen) -> Result<Arc<Terminal>, OpError> {
    let pty::Shell { read, mut write, mut child, unit } = pty::open(request.id, request.cols, request.rows)?;
    let leader = child.id().unwrap_or_default();
    let ender = Box::new(move || -> futures::future::BoxFuture<'static, ()> {
        let unit = unit.clone();
        Box::pin(async move { pty::end(leader, unit.as_deref()).await })
    });
    let (terminal, mut inputs) = Terminal::new(request, ender);
    let output = terminal.clone();
    tokio::spawn(async move {
        let status = {
            let mut drain = std::pin::pin!(output.drain(read));
            tokio::select! {
                status = child.wait() => {
                    let _ = tokio::time::timeout(LAST_WORDS, drain).await;
                    status
                }
                () = &mut drain => child.wait().await,
            }
        };
        // What the shell left running in its terminal ends with it.
        pty::end_session(leader).await;
        let code = status.map(|s| s.code().or_else(|| s.signal().map(|n| 128 + n)).unwrap_or(-1)).unwrap_or(-1);
        output.ended(code);
    });
    let news = terminal.clone();
    tokio::spawn(async move {
        while let Some(input) = inputs.recv().await {
            let done = match input {
                Input::Data(data) => write.write_all(&data).await.is_ok(),
                Input::Resize { cols, rows } => write.resize(Size::new(rows.max(1), cols.max(1))).is_ok(),
            };
            if !done || news.has_ended() {
                return;
            }
        }
    });
    Ok(terminal)
}
