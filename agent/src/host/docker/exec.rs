//! Commands inside containers. The engine hands over the raw connection for them; it is taken here by hand, because a
//! terminal's bytes are anything and must not be parsed as frames.

use super::{DockerHost, absent_is_none, failed};
use crate::engine::OpError;
use bollard::models::{ExecConfig, ExecInspectResponse};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The raw connection of an exec or an attachment.
pub type RawStream = TokioIo<hyper::upgrade::Upgraded>;

/// What to run, as an argv array.
#[derive(Clone, Debug, Default)]
pub struct ExecSpec {
    pub argv: Vec<String>,
    /// None: the container's own.
    pub user: Option<String>,
    pub env: Vec<String>,
    pub tty: bool,
    pub stdin: bool,
}

impl ExecSpec {
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.into());
        self
    }
}

/// What a command left behind.
#[derive(Debug)]
pub struct ExecOutput {
    pub code: i64,
    pub stdout: String,
    pub stderr: String,
}

/// More output than this of one command is cut off.
const MAX_OUTPUT: usize = 1024 * 1024;
/// The engine opens a command's stream before the command runs, and may end it before it knows the command's end.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl DockerHost {
    /// Start it and hand over its connection.
    pub async fn exec_start(&self, container: &str, spec: ExecSpec) -> Result<(String, RawStream), OpError> {
        let docker = self.client().await?;
        let tty = spec.tty;
        let config = ExecConfig {
            attach_stdin: Some(spec.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(tty),
            env: Some(spec.env),
            cmd: Some(spec.argv),
            user: spec.user,
            ..Default::default()
        };
        let exec = docker.create_exec(container, config).await.map_err(|e| failed("run a command", e))?;
        let body = serde_json::json!({ "Detach": false, "Tty": tty }).to_string();
        let stream = self.upgrade(&format!("/exec/{}/start", exec.id), body).await?;
        Ok((exec.id, stream))
    }

    /// Run it to its end, with `stdin` as its input.
    pub async fn exec(&self, container: &str, mut spec: ExecSpec, stdin: &[u8]) -> Result<ExecOutput, OpError> {
        spec.stdin = !stdin.is_empty();
        spec.tty = false;
        let (id, stream) = self.exec_start(container, spec).await?;
        let (mut read, mut write) = tokio::io::split(stream);
        let mut frames = Frames::default();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let feed = async {
            // A command that ends without reading its input is no failure of the feeding.
            let _ = write.write_all(stdin).await;
            let _ = write.shutdown().await;
        };
        let drain = async {
            while let Some((kind, data)) = frames.next(&mut read).await {
                let text = if kind == 2 { &mut stderr } else { &mut stdout };
                if text.len() < MAX_OUTPUT {
                    text.push_str(&String::from_utf8_lossy(&data));
                }
            }
        };
        tokio::join!(feed, drain);
        Ok(ExecOutput { code: self.exec_ended(&id).await?, stdout, stderr })
    }

    /// Exit code of an exec whose stream has ended.
    pub async fn exec_ended(&self, id: &str) -> Result<i64, OpError> {
        self.exec_when(id, |exec| exec.exit_code.filter(|_| exec.running != Some(true))).await
    }

    /// The process that an exec has begun with, as this server counts them. None when it has ended.
    pub async fn exec_leader(&self, id: &str) -> Result<Option<u32>, OpError> {
        self.exec_when(id, |exec| match (exec.running, exec.pid.and_then(|pid| u32::try_from(pid).ok())) {
            (Some(true), pid) => pid.filter(|pid| *pid > 1).map(Some),
            _ => exec.exit_code.map(|_| None),
        })
        .await
    }

    /// What the engine knows of an exec, as soon as it does.
    async fn exec_when<T>(&self, id: &str, known: fn(&ExecInspectResponse) -> Option<T>) -> Result<T, OpError> {
        let docker = self.client().await?;
        let unknown = || OpError::retryable("docker_failed", "Docker does not tell what became of a command.");
        let look = async {
            loop {
                let found =
                    absent_is_none(docker.inspect_exec(id).await).map_err(|e| failed("look at a command", e))?;
                // It was there: an engine that knows nothing of it was restarted.
                if let Some(known) = known(&found.ok_or_else(unknown)?) {
                    return Ok(known);
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| Err(unknown()))
    }

    /// `POST` that turns the connection into a raw stream.
    pub async fn upgrade(&self, path: &str, body: String) -> Result<RawStream, OpError> {
        let docker = self.client().await?;
        let wrong = |e: &dyn std::fmt::Display| {
            OpError::retryable("docker_failed", format!("Docker did not open a stream to the container: {e}."))
        };
        let socket = UnixStream::connect(self.socket()).await.map_err(|e| wrong(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|e| wrong(&e))?;
        // Ends with the stream: the connection is driven by whoever holds the upgraded half.
        tokio::spawn(connection.with_upgrades());
        let request = http::Request::post(format!("/v{}{path}", docker.client_version()))
            .header("host", "docker")
            .header("content-type", "application/json")
            .header("connection", "Upgrade")
            .header("upgrade", "tcp")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| wrong(&e))?;
        let response = sender.send_request(request).await.map_err(|e| wrong(&e))?;
        if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
            let status = response.status();
            let body = http_body_util::BodyExt::collect(response.into_body()).await.map_err(|e| wrong(&e))?.to_bytes();
            let text = serde_json::from_slice::<serde_json::Value>(&body)
                .ok()
                .and_then(|v| v["message"].as_str().map(str::to_owned))
                .unwrap_or_else(|| status.to_string());
            return Err(wrong(&text));
        }
        Ok(TokioIo::new(hyper::upgrade::on(response).await.map_err(|e| wrong(&e))?))
    }
}

/// Takes the engine's frames apart (kind, three zeroes, four bytes length) where there is no terminal.
#[derive(Default)]
pub struct Frames(BytesMut);

impl Frames {
    /// The next frame; None at the end of the stream. Kind 1 is stdout, 2 is stderr.
    pub async fn next<R: AsyncRead + Unpin>(&mut self, read: &mut R) -> Option<(u8, Bytes)> {
        loop {
            if self.0.len() >= 8 {
                let length = u32::from_be_bytes([self.0[4], self.0[5], self.0[6], self.0[7]]) as usize;
                if self.0.len() >= 8 + length {
                    let kind = self.0[0];
                    self.0.advance(8);
                    return Some((kind, self.0.split_to(length).freeze()));
                }
            }
            if !matches!(read.read_buf(&mut self.0).await, Ok(n) if n > 0) {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::FakeDocker;
    use super::*;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn frames_are_put_together_from_pieces() {
        let wire = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x02er";
        let (mut near, mut far) = tokio::io::duplex(4);
        tokio::spawn(async move { far.write_all(wire).await });
        let mut frames = Frames::default();
        assert_eq!(frames.next(&mut near).await, Some((1, Bytes::from_static(b"out"))));
        assert_eq!(frames.next(&mut near).await, Some((2, Bytes::from_static(b"er"))));
        assert_eq!(frames.next(&mut near).await, None);
    }

    fn state(running: bool, code: Option<i64>, pid: i64) -> Value {
        json!({ "Running": running, "ExitCode": code, "Pid": pid })
    }

    /// An engine that ends a command's stream before the command is in these states.
    fn docker(states: Vec<Value>) -> FakeDocker {
        let talk = |mut stream: RawStream| async move {
            stream.write_all(b"\x01\0\0\0\0\0\0\x04said").await.unwrap();
        };
        FakeDocker::start_exec(talk, states)
    }

    #[tokio::test(start_paused = true)]
    async fn the_exit_code_is_waited_for() {
        let docker =
            docker(vec![state(false, None, 0), state(true, None, 7), state(true, None, 7), state(false, Some(0), 7)]);
        let output = docker.host.exec("c", ExecSpec::new(["true"]), b"").await.unwrap();
        assert_eq!((output.code, output.stdout.as_str()), (0, "said"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_nobody_knows_is_tried_again() {
        for states in [vec![state(true, None, 7)], vec![]] {
            let docker = docker(states);
            let error = docker.host.exec("c", ExecSpec::new(["true"]), b"").await.unwrap_err();
            assert!(error.retryable, "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_leader_is_known_as_soon_as_it_runs() {
        let begins = vec![state(false, None, 0), state(true, None, 0), state(true, None, 7)];
        assert_eq!(docker(begins).host.exec_leader("e").await.unwrap(), Some(7));
        assert_eq!(docker(vec![state(false, Some(0), 7)]).host.exec_leader("e").await.unwrap(), None);
    }
}
