//! Keys typed into a terminal, and how long it takes until each is seen.

use crate::stats::milliseconds;
use ocore_tests::client::Terminal;
use pty_process::{OwnedReadPty, OwnedWritePty, Size};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;

const KEYS: usize = 60;
/// A fast typist's pause is longer; shorter ones would measure a queue.
const PAUSE: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_secs(15);

/// A terminal, whoever brings its bytes.
pub trait Typed {
    async fn send(&mut self, text: &str);
    /// Read until `text` was seen, and forget what was read.
    async fn see(&mut self, text: &str);
}

impl Typed for Terminal {
    async fn send(&mut self, text: &str) {
        self.type_text(text).await;
    }

    async fn see(&mut self, text: &str) {
        self.expect(text, LIMIT).await;
        self.seen.clear();
    }
}

/// `docker exec -it`, in a terminal of our own.
pub struct DockerShell {
    read: OwnedReadPty,
    write: OwnedWritePty,
    seen: Vec<u8>,
    _child: Child,
}

impl DockerShell {
    pub fn open(container: &str) -> Self {
        let (pty, pts) = pty_process::open().expect("a terminal");
        pty.resize(Size::new(24, 80)).expect("its size");
        let command = pty_process::Command::new("docker").args(["exec", "-it", container, "bash"]).kill_on_drop(true);
        let child = command.spawn(pts).expect("docker runs");
        let (read, write) = pty.into_split();
        Self { read, write, seen: Vec::new(), _child: child }
    }
}

impl Typed for DockerShell {
    async fn send(&mut self, text: &str) {
        self.write.write_all(text.as_bytes()).await.expect("the terminal takes input");
    }

    async fn see(&mut self, text: &str) {
        let read = async {
            while !self.seen.windows(text.len()).any(|w| w == text.as_bytes()) {
                self.read.read_buf(&mut self.seen).await.expect("the terminal goes on");
            }
        };
        tokio::time::timeout(LIMIT, read).await.expect("the terminal answers");
        self.seen.clear();
    }
}

/// Milliseconds from key to echo. The kernel's own echo: what a shell does with a key is not ours.
pub async fn keystrokes(terminal: &mut impl Typed) -> Vec<f64> {
    terminal.send("echo ready-$((20+22)); cat > /dev/null; echo over-$((40+2))\r").await;
    // Not as it was typed, but as the shell answers: the command has begun.
    terminal.see("ready-42").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut times = Vec::with_capacity(KEYS);
    for _ in 0..KEYS {
        let began = Instant::now();
        terminal.send("k").await;
        terminal.see("k").await;
        times.push(milliseconds(began.elapsed()));
        tokio::time::sleep(PAUSE).await;
    }
    terminal.send("\r\u{4}").await;
    terminal.see("over-42").await;
    times
}
