//! What commands inside a container write and read, byte by byte, with nothing on a disk in between.

use crate::engine::OpError;
use crate::host::docker::exec::Frames;
use crate::host::docker::{DockerHost, ExecSpec};
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// The last lines of what a command says go into a failure.
const SAID: usize = 4096;
/// Pieces between two commands.
const QUEUE: usize = 8;

/// Run both, the output of the first being the input of the second. `passed` is told the bytes so far.
pub async fn pipe(
    docker: &DockerHost, container: &str, from: ExecSpec, to: ExecSpec, passed: impl Fn(u64),
) -> Result<(), OpError> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (_, written) =
        tokio::join!(read_from(docker, container, from, sender, passed), write_to(docker, container, to, receiver));
    written
}

/// Hand on what a command writes. Whoever takes it sees its end only if the command has ended well, and its failure
/// else.
pub async fn read_from(
    docker: &DockerHost, container: &str, spec: ExecSpec, pieces: mpsc::Sender<Result<Bytes, OpError>>,
    passed: impl Fn(u64),
) -> Result<(), OpError> {
    let read = async {
        let (id, stream) = docker.exec_start(container, spec).await?;
        // Both halves are held to the end: a connection that is half gone ends the command.
        let (mut read, _write) = tokio::io::split(stream);
        let (mut frames, mut said, mut bytes) = (Frames::default(), String::new(), 0);
        while let Some((kind, data)) = frames.next(&mut read).await {
            if kind == 2 {
                keep(&mut said, &data);
                continue;
            }
            bytes += data.len() as u64;
            passed(bytes);
            if pieces.send(Ok(data)).await.is_err() {
                return Err(OpError::new("copy_failed", "What PostgreSQL wrote was not taken."));
            }
        }
        ended(docker, &id, &said).await
    };
    let done = read.await;
    if let Err(error) = &done {
        drop(pieces.send(Err(error.clone())).await);
    }
    done
}

/// Give a command its input. Fails with the command's own reason, or with that of whoever was to bring the input.
pub async fn write_to(
    docker: &DockerHost, container: &str, spec: ExecSpec, mut pieces: mpsc::Receiver<Result<Bytes, OpError>>,
) -> Result<(), OpError> {
    let (id, stream) = docker.exec_start(container, ExecSpec { stdin: true, ..spec }).await?;
    let (mut read, mut write) = tokio::io::split(stream);
    let (mut frames, mut said) = (Frames::default(), String::new());
    let feed = async {
        while let Some(piece) = pieces.recv().await {
            if write.write_all(&piece?).await.is_err() {
                // It has ended, and knows why.
                break;
            }
        }
        pieces.close();
        let _ = write.shutdown().await;
        Ok::<_, OpError>(())
    };
    let listen = async {
        while let Some((_, data)) = frames.next(&mut read).await {
            keep(&mut said, &data);
        }
    };
    tokio::try_join!(feed, async {
        listen.await;
        Ok(())
    })?;
    ended(docker, &id, &said).await
}

async fn ended(docker: &DockerHost, id: &str, said: &str) -> Result<(), OpError> {
    match docker.exec_ended(id).await? {
        0 => Ok(()),
        _ => Err(OpError::new("copy_failed", format!("PostgreSQL could not copy the database: {}", said.trim()))),
    }
}

fn keep(said: &mut String, data: &[u8]) {
    said.push_str(&String::from_utf8_lossy(data));
    if said.len() > SAID {
        let start = (said.len() - SAID..said.len()).find(|i| said.is_char_boundary(*i)).unwrap_or(0);
        said.drain(..start);
    }
}
