//! From one command inside a container to another, byte by byte, with nothing on a disk in between.

use crate::engine::OpError;
use crate::host::docker::exec::Frames;
use crate::host::docker::{DockerHost, ExecSpec};
use tokio::io::AsyncWriteExt;

/// The last lines of what a command says go into a failure.
const SAID: usize = 4096;

/// Run both, the output of the first being the input of the second. `passed` is told the bytes so far.
pub async fn pipe(
    docker: &DockerHost, container: &str, from: ExecSpec, to: ExecSpec, passed: impl Fn(u64),
) -> Result<(), OpError> {
    let (from_id, from_stream) = docker.exec_start(container, from).await?;
    let (to_id, to_stream) = docker.exec_start(container, ExecSpec { stdin: true, ..to }).await?;
    // Both halves are held to the end: a connection that is half gone ends the command.
    let (mut from_read, _from_write) = tokio::io::split(from_stream);
    let (mut to_read, mut to_write) = tokio::io::split(to_stream);
    let (mut from_frames, mut to_frames) = (Frames::default(), Frames::default());
    let (mut from_said, mut to_said) = (String::new(), String::new());
    let feed = async {
        let mut bytes = 0;
        while let Some((kind, data)) = from_frames.next(&mut from_read).await {
            if kind == 2 {
                keep(&mut from_said, &data);
                continue;
            }
            bytes += data.len() as u64;
            passed(bytes);
            if to_write.write_all(&data).await.is_err() {
                return true;
            }
        }
        let _ = to_write.shutdown().await;
        false
    };
    let listen = async {
        while let Some((_, data)) = to_frames.next(&mut to_read).await {
            keep(&mut to_said, &data);
        }
    };
    let (is_broken, ()) = tokio::join!(feed, listen);
    // Who has ended first knows why: the one that reads, or the one whose output stopped short.
    let mut both = [(from_id, from_said), (to_id, to_said)];
    if is_broken {
        both.reverse();
    }
    for (id, said) in both {
        if docker.exec_ended(&id).await? != 0 {
            let message = format!("PostgreSQL could not copy the database: {}", said.trim());
            return Err(OpError::new("copy_failed", message));
        }
    }
    Ok(())
}

fn keep(said: &mut String, data: &[u8]) {
    said.push_str(&String::from_utf8_lossy(data));
    if said.len() > SAID {
        let start = (said.len() - SAID..said.len()).find(|i| said.is_char_boundary(*i)).unwrap_or(0);
        said.drain(..start);
    }
}
