//! Shells in an instance's Odoo container, `odoo shell`, and the container's own output.

use super::terminal::{Input, Terminal};
use crate::engine::OpError;
use crate::host::docker::exec::{Frames, RawStream};
use crate::host::docker::{DockerHost, ExecSpec};
use crate::host::pty;
use crate::logs::live_container;
use bollard::query_parameters::ResizeExecOptionsBuilder;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::terminals::{TerminalOpen, TerminalTarget};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

pub async fn open(docker: &DockerHost, request: &TerminalOpen) -> Result<Arc<Terminal>, OpError> {
    match &request.target {
        TerminalTarget::InstanceShell { instance_id } => {
            let container = running(docker, *instance_id).await?;
            let bash =
                docker.exec(&container, ExecSpec::new(["bash", "-c", "exit 0"]), b"").await.is_ok_and(|o| o.code == 0);
            let argv = if bash { vec!["bash".to_owned(), "-l".into()] } else { vec!["sh".to_owned()] };
            let terminal = exec(docker, request, &container, argv).await?;
            if !bash {
                terminal.output(b"[This container has no bash; this is sh.]\r\n");
            }
            Ok(terminal)
        }
        TerminalTarget::OdooShell { instance_id, database_name } => {
            let container = running(docker, *instance_id).await?;
            // Without -c it would write its files elsewhere than the instance.
            let argv = ["odoo", "shell", "-c", "/etc/odoo/odoo.conf", "-d", database_name, "--no-http"];
            exec(docker, request, &container, argv.map(str::to_owned).into()).await
        }
        TerminalTarget::InstanceAttach { instance_id } => {
            attach(docker, request, &running(docker, *instance_id).await?).await
        }
        TerminalTarget::Host => Err(OpError::new("internal", "A shell on the server is not one in a container.")),
    }
}

async fn running(docker: &DockerHost, instance: InstanceId) -> Result<String, OpError> {
    let Some(id) = live_container(docker, instance).await? else {
        return Err(OpError::new("instance_not_found", "This server has no container of that instance."));
    };
    let state = docker.inspect(&id).await?.and_then(|c| c.state).unwrap_or_default();
    match state.running {
        Some(true) => Ok(id),
        _ => Err(OpError::new("instance_not_running", "The instance does not run. Start it first.")),
    }
}

async fn exec(
    docker: &DockerHost, request: &TerminalOpen, container: &str, argv: Vec<String>,
) -> Result<Arc<Terminal>, OpError> {
    let env = vec!["TERM=xterm-256color".into(), "LANG=C.UTF-8".into()];
    let spec = ExecSpec { env, tty: true, stdin: true, ..ExecSpec::new(argv) };
    let (id, stream) = docker.exec_start(container, spec).await?;
    let (engine, exec) = (docker.clone(), id.clone());
    let ender = Box::new(move || -> futures::future::BoxFuture<'static, ()> {
        let (engine, exec) = (engine.clone(), exec.clone());
        Box::pin(async move {
            // Docker has no way to end an exec; its processes are this server's. Asked now: it may not have run before.
            match engine.exec_leader(&exec).await {
                Ok(Some(leader)) => pty::end_session(leader).await,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a terminal's processes cannot be ended"),
            }
        })
    });
    let (terminal, mut inputs) = Terminal::new(request, ender);
    resize(docker, &id, request.cols, request.rows).await;
    let (read, mut write) = tokio::io::split(stream);
    let (output, engine, exec) = (terminal.clone(), docker.clone(), id.clone());
    tokio::spawn(async move {
        output.drain(read).await;
        let code = engine.exec_ended(&exec).await.ok().and_then(|code| i32::try_from(code).ok());
        output.ended(code.unwrap_or(-1));
    });
    let (engine, news) = (docker.clone(), terminal.clone());
    tokio::spawn(async move {
        let write = async {
            while let Some(input) = inputs.recv().await {
                match input {
                    Input::Data(data) if write.write_all(&data).await.is_err() => return,
                    Input::Data(_) => {}
                    Input::Resize { cols, rows } => resize(&engine, &id, cols, rows).await,
                }
            }
        };
        // The terminal that is held here has the other end of the input, which so never closes.
        tokio::select! {
            () = write => {}
            () = news.end_seen() => {}
        }
    });
    Ok(terminal)
}

async fn resize(docker: &DockerHost, exec: &str, cols: u16, rows: u16) {
    let Ok(client) = docker.client().await else { return };
    let options = ResizeExecOptionsBuilder::default().w(cols.max(1).into()).h(rows.max(1).into()).build();
    // A process that has ended has no size.
    let _ = client.resize_exec(exec, options).await;
}

/// The container's standard streams: its output, and nothing to type, since nothing reads there.
async fn attach(docker: &DockerHost, request: &TerminalOpen, container: &str) -> Result<Arc<Terminal>, OpError> {
    let path = format!("/containers/{container}/attach?stream=1&stdout=1&stderr=1&stdin=0");
    let stream: RawStream = docker.upgrade(&path, String::new()).await?;
    let detach = CancellationToken::new();
    let detached = detach.clone();
    let ender = Box::new(move || -> futures::future::BoxFuture<'static, ()> {
        detach.cancel();
        Box::pin(std::future::ready(()))
    });
    let (terminal, mut inputs) = Terminal::new(request, ender);
    let (output, docker, container) = (terminal.clone(), docker.clone(), container.to_owned());
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(stream);
        let mut frames = Frames::default();
        let copy = async {
            while let Some((_, data)) = frames.next(&mut read).await {
                // The lines of a program without a terminal end with a line feed only.
                let text: Vec<u8> =
                    data.iter().flat_map(|b| if *b == b'\n' { vec![b'\r', b'\n'] } else { vec![*b] }).collect();
                output.output(&text);
            }
        };
        let code = tokio::select! {
            () = copy => {
                let state = docker.inspect(&container).await.ok().flatten().and_then(|c| c.state);
                state.and_then(|s| s.exit_code).and_then(|c| i32::try_from(c).ok()).unwrap_or(-1)
            }
            () = detached.cancelled() => 0,
        };
        let _ = write.shutdown().await;
        output.ended(code);
    });
    tokio::spawn(async move { while inputs.recv().await.is_some() {} });
    Ok(terminal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::docker::fake::FakeDocker;
    use ocore_shared::ids::TerminalId;
    use serde_json::json;
    use std::sync::Weak;
    use std::time::Duration;
    use tokio::io::AsyncReadExt;

    fn request() -> TerminalOpen {
        let target = TerminalTarget::InstanceShell { instance_id: InstanceId::new() };
        TerminalOpen { id: TerminalId::new(), target, cols: 80, rows: 24, actor: "ada".into() }
    }

    async fn until(what: &str, mut seen: impl FnMut() -> bool) {
        let look = async {
            while !seen() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), look).await.expect(what);
    }

    #[tokio::test]
    async fn nothing_of_a_terminal_is_left_behind_its_end() {
        let (closed, mut seen) = tokio::sync::mpsc::channel(1);
        let talk = move |mut stream: RawStream| {
            let closed = closed.clone();
            async move {
                stream.write_all(b"bye").await.unwrap();
                stream.shutdown().await.unwrap();
                // Ends when the other end is closed, too.
                let _ = stream.read_to_end(&mut Vec::new()).await;
                closed.send(()).await.unwrap();
            }
        };
        let docker = FakeDocker::start_exec(talk, vec![json!({ "Running": false, "ExitCode": 3, "Pid": 7 })]);
        let terminal = exec(&docker.host, &request(), "c", vec!["bash".into()]).await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), terminal.end_seen()).await.expect("it ends");
        assert_eq!(terminal.info().exit_code, Some(3));
        tokio::time::timeout(Duration::from_secs(20), seen.recv()).await.expect("its connection is closed");
        let left: Weak<Terminal> = Arc::downgrade(&terminal);
        drop(terminal);
        until("the terminal is gone", || left.upgrade().is_none()).await;
    }

    #[tokio::test]
    async fn a_terminal_can_be_ended_before_its_command_runs() {
        // A session of its own, as an exec has.
        let mut child =
            tokio::process::Command::new("setsid").args(["sleep", "4323"]).kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap();
        let leads = || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.starts_with("sleep"));
        until("the session", leads).await;
        let states = vec![
            json!({ "Running": false, "ExitCode": null, "Pid": 0 }),
            json!({ "Running": true, "ExitCode": null, "Pid": 0 }),
            json!({ "Running": true, "ExitCode": null, "Pid": pid }),
        ];
        let silent = |_held: RawStream| std::future::pending();
        let docker = FakeDocker::start_exec(silent, states);
        let terminal = exec(&docker.host, &request(), "c", vec!["bash".into()]).await.unwrap();
        terminal.end().await;
        assert!(child.try_wait().unwrap().is_some(), "its processes have ended");
    }
}
