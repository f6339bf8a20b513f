//! A shell on the server itself.

use super::terminal::{Input, Terminal};
use crate::engine::OpError;
use crate::host::pty::{self, Keyboard};
use ocore_shared::protocol::terminals::TerminalOpen;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

/// What is still on its way when the shell has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// One that ends with the agent.
pub fn open(request: &TerminalOpen) -> Result<Arc<Terminal>, OpError> {
    let (master, pts) = pty::open(request.cols, request.rows)?;
    let mut child = pty::spawn(pts)?;
    let leader = child.id().unwrap_or_default();
    let ender = Box::new(move || -> futures::future::BoxFuture<'static, ()> { Box::pin(pty::end_session(leader)) });
    let (terminal, inputs) = Terminal::new(request, ender);
    take_input(&terminal, inputs, master.keyboard);
    let output = terminal.clone();
    tokio::spawn(async move {
        let code =
            async { child.wait().await.map_or(-1, |s| s.code().or_else(|| s.signal().map(|n| 128 + n)).unwrap_or(-1)) };
        let code = take_output(&output, master.output, code).await;
        // What the shell left running in its terminal ends with it.
        pty::end_session(leader).await;
        output.ended(code);
    });
    Ok(terminal)
}

/// Take the output until the shell has ended, and tell its exit code.
pub async fn take_output(terminal: &Terminal, output: impl AsyncRead + Unpin, ended: impl Future<Output = i32>) -> i32 {
    let mut drain = std::pin::pin!(terminal.drain(output));
    let mut ended = std::pin::pin!(ended);
    tokio::select! {
        code = &mut ended => {
            let _ = tokio::time::timeout(LAST_WORDS, drain).await;
            code
        }
        () = &mut drain => ended.await,
    }
}

/// Pass on what is typed.
pub fn take_input(terminal: &Arc<Terminal>, mut inputs: mpsc::Receiver<Input>, mut keyboard: Keyboard) {
    let news = terminal.clone();
    tokio::spawn(async move {
        loop {
            let input = tokio::select! {
                input = inputs.recv() => input,
                () = news.end_seen() => None,
            };
            let Some(input) = input else { return };
            let done = match input {
                Input::Data(data) => keyboard.write_all(&data).await.is_ok(),
                Input::Resize { cols, rows } => {
                    news.resized(cols, rows);
                    keyboard.resize(cols, rows).is_ok()
                }
            };
            if !done {
                return;
            }
        }
    });
}
