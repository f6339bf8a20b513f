//! One terminal: a process behind it, a ring of its output, a queue of input.

use super::lasting::Trace;
use super::ring::OutputRing;
use bytes::Bytes;
use futures::future::BoxFuture;
use ocore_shared::protocol::terminals::{Frame, TerminalInfo, TerminalOpen};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Queued input; more waits in the connection of who types.
const INPUT: usize = 64;
/// A frame of output.
const CHUNK: usize = 16 * 1024;

#[derive(Debug)]
pub enum Input {
    Data(Bytes),
    Resize { cols: u16, rows: u16 },
}

/// How its processes are ended.
pub type Ender = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

pub struct Terminal {
    request: TerminalOpen,
    state: Mutex<State>,
    /// Counts news: output or the end.
    news: watch::Sender<u64>,
    input: mpsc::Sender<Input>,
    ender: Ender,
}

struct State {
    ring: OutputRing,
    exit_code: Option<i32>,
    attached: usize,
    detached_at: Instant,
    /// What outlives the agent.
    trace: Option<Trace>,
}

impl State {
    fn trace_attached(&mut self) {
        let attached = self.attached > 0;
        self.trace.iter_mut().for_each(|trace| trace.attached(attached));
    }
}

impl Terminal {
    /// The terminal, and where its input arrives.
    pub fn new(request: &TerminalOpen, ender: Ender) -> (Arc<Self>, mpsc::Receiver<Input>) {
        let state = State {
            ring: OutputRing::default(),
            exit_code: None,
            attached: 0,
            detached_at: Instant::now(),
            trace: None,
        };
        Self::with_state(request.clone(), state, ender)
    }

    /// One that outlives the agent, new or from an earlier agent.
    pub fn lasting(trace: Trace, ring: OutputRing, ender: Ender) -> (Arc<Self>, mpsc::Receiver<Input>) {
        let now = Instant::now();
        // An instant before this machine's start cannot be told, and no terminal is so old.
        let detached_at = now.checked_sub(trace.detached_for()).unwrap_or(now);
        let request = trace.record().request.clone();
        Self::with_state(request, State { ring, exit_code: None, attached: 0, detached_at, trace: Some(trace) }, ender)
    }

    fn with_state(request: TerminalOpen, state: State, ender: Ender) -> (Arc<Self>, mpsc::Receiver<Input>) {
        let (input, inputs) = mpsc::channel(INPUT);
        let terminal = Self { request, state: Mutex::new(state), news: watch::Sender::new(0), input, ender };
        (Arc::new(terminal), inputs)
    }

    pub fn info(&self) -> TerminalInfo {
        self.state(|state| TerminalInfo {
            id: self.request.id,
            target: self.request.target.clone(),
            survives_agent: state.trace.is_some(),
            offset: state.ring.end(),
            exit_code: state.exit_code,
        })
    }

    pub fn output(&self, data: &[u8]) {
        self.state(|state| {
            // First, so that nobody has seen what the next agent does not know.
            let offset = state.ring.end();
            state.trace.iter_mut().for_each(|trace| trace.append(offset, data));
            state.ring.push(data);
        });
        self.news.send_modify(|n| *n += 1);
    }

    /// Take all output until there is no more.
    pub async fn drain(&self, mut read: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; CHUNK];
        // A terminal whose last process is gone answers with an error, which is its end of file.
        while let Ok(count) = read.read(&mut buffer).await {
            if count == 0 {
                return;
            }
            self.output(&buffer[..count]);
        }
    }

    pub fn ended(&self, exit_code: i32) {
        self.state(|state| *state.exit_code.get_or_insert(exit_code));
        self.news.send_modify(|n| *n += 1);
    }

    /// Note its size, for whoever asks later.
    pub fn resized(&self, cols: u16, rows: u16) {
        self.state(|state| state.trace.iter_mut().for_each(|trace| trace.resized(cols, rows)));
    }

    /// Leave nothing of it to the next agent.
    pub fn forget(&self) {
        if let Some(trace) = self.state(|state| state.trace.take()) {
            trace.remove();
        }
    }

    pub fn has_ended(&self) -> bool {
        self.state(|state| state.exit_code.is_some())
    }

    /// Wait until its process has ended.
    pub async fn end_seen(&self) {
        let mut news = self.news.subscribe();
        while !self.has_ended() {
            // The sender lives in the terminal, which is held here.
            let _ = news.changed().await;
        }
    }

    pub async fn end(&self) {
        if !self.has_ended() {
            (self.ender)().await;
        }
    }

    /// None while someone is attached.
    pub fn detached_for(&self) -> Option<Duration> {
        self.state(|state| (state.attached == 0).then(|| state.detached_at.elapsed()))
    }

    /// False when its process has ended.
    pub async fn send(&self, input: Input) -> bool {
        self.input.send(input).await.is_ok()
    }

    /// Read its output from `after` on.
    pub fn attach(self: &Arc<Self>, after: u64) -> Attachment {
        self.state(|state| {
            state.attached += 1;
            state.trace_attached();
        });
        Attachment { news: self.news.subscribe(), terminal: self.clone(), place: after, told: None, done: false }
    }

    fn state<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One reader's place in the output.
pub struct Attachment {
    terminal: Arc<Terminal>,
    news: watch::Receiver<u64>,
    place: u64,
    /// The offset that the reader counts on.
    told: Option<u64>,
    done: bool,
}

impl Attachment {
    /// The next frame: an offset first and after every jump, then data, at last the exit. None after that.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if self.done {
                return None;
            }
            self.news.borrow_and_update();
            let ((offset, data), exit_code) =
                self.terminal.state(|state| (state.ring.read(self.place, CHUNK), state.exit_code));
            if self.told != Some(offset) {
                (self.place, self.told) = (offset, Some(offset));
                return Some(Frame::Offset(offset));
            }
            if !data.is_empty() {
                self.place = offset + data.len() as u64;
                self.told = Some(self.place);
                return Some(Frame::Data(data));
            }
            if let Some(code) = exit_code {
                self.done = true;
                return Some(Frame::Exit(code));
            }
            // The sender lives in the terminal, which is held here.
            let _ = self.news.changed().await;
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.terminal.state(|state| {
            state.attached -= 1;
            state.detached_at = Instant::now();
            state.trace_attached();
        });
    }
}
