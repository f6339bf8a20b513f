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
    let leader =
        docker.client().await?.inspect_exec(&id).await.ok().and_then(|e| e.pid).and_then(|p| u32::try_from(p).ok());
    let ender = Box::new(move || -> futures::future::BoxFuture<'static, ()> {
        Box::pin(async move {
            // Docker has no way to end an exec; its processes are this server's.
            if let Some(leader) = leader.filter(|p| *p > 1) {
                pty::end_session(leader).await;
            }
        })
    });
    let (terminal, mut inputs) = Terminal::new(request, ender);
    resize(docker, &id, request.cols, request.rows).await;
    let (read, mut write) = tokio::io::split(stream);
    let (output, engine, exec) = (terminal.clone(), docker.clone(), id.clone());
    tokio::spawn(async move {
        output.drain(read).await;
        output.ended(exit_code(&engine, &exec).await);
    });
    let (engine, news) = (docker.clone(), terminal.clone());
    tokio::spawn(async move {
        while let Some(input) = inputs.recv().await {
            match input {
                Input::Data(data) if write.write_all(&data).await.is_err() => return,
                Input::Data(_) => {}
                Input::Resize { cols, rows } => resize(&engine, &id, cols, rows).await,
            }
            if news.has_ended() {
                return;
            }
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

/// The stream may end a moment before the engine knows the code.
async fn exit_code(docker: &DockerHost, exec: &str) -> i32 {
    for _ in 0..20 {
        match docker.exec_code(exec).await {
            Ok(Some(code)) => return i32::try_from(code).unwrap_or(-1),
            Ok(None) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            Err(_) => break,
        }
    }
    -1
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
