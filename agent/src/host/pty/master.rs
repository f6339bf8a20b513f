//! Our end of a terminal.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::termios::Winsize;
use std::io;
use std::path::PathBuf;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

/// Closed with its last part.
pub struct Master {
    pub output: pipe::Receiver,
    pub keyboard: Keyboard,
}

impl Master {
    /// Take over a terminal that is open.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::fs::fcntl_setfl(&fd, rustix::fs::fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        // Named after pipes, but as good for everything else that is read and written.
        let output = pipe::Receiver::from_owned_fd_unchecked(fd.try_clone()?)?;
        Ok(Self { output, keyboard: Keyboard(pipe::Sender::from_owned_fd_unchecked(fd)?) })
    }

    /// Where the shell's end is, `/dev/pts/N`.
    pub fn path(&self) -> io::Result<PathBuf> {
        let name = rustix::pty::ptsname(self, Vec::new())?;
        Ok(PathBuf::from(name.to_string_lossy().into_owned()))
    }
}

impl AsFd for Master {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }
}

/// Where a person types, and how large their window is.
pub struct Keyboard(pipe::Sender);

impl Keyboard {
    pub async fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        self.0.write_all(data).await
    }

    pub fn resize(&self, cols: u16, rows: u16) -> io::Result<()> {
        let size = Winsize { ws_row: rows.max(1), ws_col: cols.max(1), ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(&self.0, size)?)
    }
}
